defmodule Ambix.MCP.Stdio.Input do
  @moduledoc false
  # Standard input as it comes. To read it line by line would keep a line in memory whose end never comes.

  @doc "Makes it give bytes, and no characters of whatever encoding the terminal has."
  @spec open() :: :ok
  def open, do: :io.setopts(:user, encoding: :latin1)

  @doc "The next bytes, as many as are there. Nothing is read any more for a client to whom `writer`, which is monitored, cannot write."
  @spec read(reference) :: binary | :eof
  def read(writer) do
    ref = make_ref()
    user = Process.whereis(:user)
    monitor = Process.monitor(user)
    send(user, {:io_request, self(), ref, {:get_until, :latin1, ~c"", __MODULE__, :take, []}})

    receive do
      {:io_reply, ^ref, answer} ->
        Process.demonitor(monitor, [:flush])
        if is_list(answer) or is_binary(answer), do: IO.iodata_to_binary(answer), else: :eof

      {:DOWN, ended, :process, _, _} when ended in [monitor, writer] ->
        :eof
    end
  end

  @doc false
  def take(_state, :eof), do: {:done, :eof, []}
  def take(_state, chars), do: {:done, chars, []}
end
