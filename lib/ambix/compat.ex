defmodule Ambix.Compat do
  @moduledoc false
  # What newer versions of Elixir have, each with the version from which the clause here can go.

  @doc "Names a process for observers: `Process.set_label/1`, from Elixir 1.17."
  @spec set_label(term) :: :ok
  def set_label(label) do
    if function_exported?(Process, :set_label, 1), do: apply(Process, :set_label, [label])
    :ok
  end
end
