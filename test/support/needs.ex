defmodule Ambix.Test.Needs do
  @moduledoc "What tests need of a machine: the value of their tag `:skip`, nil where it is there."

  @doc "A model of the catalogue that was pulled, or the sentence that says how to."
  def model(name) do
    case Ambix.Models.path(name) do
      {:ok, _path} -> nil
      {:error, error} -> error.message
    end
  end

  @doc "All of these models."
  def models(names), do: Enum.find_value(names, &model/1)

  @doc "Sandboxes."
  def sandbox do
    case Ambix.Sandbox.check() do
      :ok -> nil
      {:error, error} -> error.message
    end
  end
end
