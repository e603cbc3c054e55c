defmodule Ambix.Compat do
  @moduledoc false
  # What newer versions of Elixir have, each with the version from which the clause here can go.

  @doc "Names a process for observers: `Process.set_label/1`, from Elixir 1.17."
  @spec set_label(term) :: :ok
  def set_label(label) do
    if function_exported?(Process, :set_label, 1), do: apply(Process, :set_label, [label])
    :ok
  end

  @doc """
  Puts an application of Erlang or Elixir into the code path: from Elixir 1.15 on, Mix takes out of it what is no
  dependency of the project.
  """
  @spec ensure_application(atom) :: :ok
  def ensure_application(app) do
    if function_exported?(Mix, :ensure_application!, 1), do: apply(Mix, :ensure_application!, [app])
    :ok
  end
end
