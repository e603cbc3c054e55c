defmodule Ambix.Shared do
  @moduledoc false
  # What a supervision tree offers to all processes: its index, model and encoder. Reading copies nothing and asks no process; what is written changes a few
  # times in the life of a tree, which is what `:persistent_term` is for.

  alias Ambix.Error

  @type part :: :index | :model | :encoder

  @doc "What the tree of that name offers."
  @spec get(atom, part) :: {:ok, term} | {:error, Error.t()}
  def get(name, part) do
    case :persistent_term.get({Ambix, name, part}, nil) do
      nil ->
        {:error,
         Error.new(
           :unavailable,
           "no #{part} is offered by #{inspect(name)}: it was started without one, or not at all"
         )}

      result ->
        result
    end
  end

  @doc "Offers a result."
  @spec put(atom, part, {:ok, term} | {:error, Error.t()}) :: :ok
  def put(name, part, result), do: :persistent_term.put({Ambix, name, part}, result)

  @doc "Offers it no longer."
  @spec erase(atom, part) :: boolean
  def erase(name, part), do: :persistent_term.erase({Ambix, name, part})
end
