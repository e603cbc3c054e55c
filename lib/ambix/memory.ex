defmodule Ambix.Memory do
  @moduledoc false
  # What the system has given to this VM, as Linux tells it: the BEAM's own count does not know of native memory.

  @doc "Bytes that are in use, nil where the system does not tell."
  @spec now() :: pos_integer | nil
  def now, do: told("VmRSS")

  @doc "The most bytes that were in use since the start."
  @spec peak() :: pos_integer | nil
  def peak, do: told("VmHWM")

  defp told(what) do
    with {:ok, status} <- File.read("/proc/self/status"),
         [_, kib] <- Regex.run(~r/^#{what}:\s+(\d+) kB$/m, status) do
      String.to_integer(kib) * 1024
    else
      _ -> nil
    end
  end
end
