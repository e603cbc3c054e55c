defmodule Ambix.Sandbox.Frame do
  @moduledoc false
  # Decodes what comes out of a sandbox. Every byte of it may be forged, so it is decoded without making atoms and then
  # has to match a shape exactly: nothing but plain data of known form gets past here.
  #
  # A shape is `:string` (UTF-8), `:count` (an integer from 0 to 2^48), `{:atoms, list}`, `{:list, shape}`,
  # `{:tuple, shapes}`, `{:map, %{key => shape}}` (all keys, no others), `{:either, shapes}` and an atom that stands for itself.

  @greatest 0x1000000000000

  @spec decode(binary(), term()) :: {:ok, term()} | :error
  # A compressed term may claim any size.
  def decode(<<131, 80, _::binary>>, _shape), do: :error

  def decode(binary, shape) do
    term = :erlang.binary_to_term(binary, [:safe])
    if valid?(term, shape), do: {:ok, term}, else: :error
  rescue
    ArgumentError -> :error
  end

  @spec valid?(term(), term()) :: boolean()
  def valid?(term, :string), do: is_binary(term) and String.valid?(term)
  def valid?(term, :count), do: is_integer(term) and term in 0..@greatest
  def valid?(term, {:atoms, atoms}), do: is_atom(term) and term in atoms
  def valid?([], {:list, _}), do: true
  def valid?([head | tail], {:list, shape}), do: valid?(head, shape) and valid?(tail, {:list, shape})
  def valid?(term, {:either, shapes}), do: Enum.any?(shapes, &valid?(term, &1))

  def valid?(term, {:tuple, shapes}) do
    is_tuple(term) and tuple_size(term) == length(shapes) and
      term |> Tuple.to_list() |> Enum.zip(shapes) |> Enum.all?(fn {term, shape} -> valid?(term, shape) end)
  end

  def valid?(term, {:map, shapes}) do
    is_map(term) and map_size(term) == map_size(shapes) and
      Enum.all?(shapes, fn {key, shape} ->
        is_map_key(term, key) and valid?(:erlang.map_get(key, term), shape)
      end)
  end

  def valid?(term, atom) when is_atom(atom), do: term === atom
  def valid?(_term, _shape), do: false
end
