defmodule Ambix.Sandbox.Frame do
  @moduledoc false
  # Decodes what comes out of a sandbox. Every byte of it may be forged, so it is decoded without making atoms and then
  # has to match a shape exactly: nothing but plain data of known form and size gets past here.
  #
  # A shape is `{:string, bytes}` (UTF-8 of so many bytes at most), `{:bytes, bytes}`, `{:count, greatest}` (an integer from 0),
  # `{:atoms, list}`, `{:list, shape, length}` (so many elements at most), `{:tuple, shapes}`, `{:map, %{key => shape}}` (all keys, no others),
  # `{:either, shapes}` and an atom that stands for itself.
  #
  # An empty list is one byte in a frame and sixteen as a term; nothing grows more. So a bound of frames bounds the memory.

  @doc "A term of the shape, and how many bytes of memory it takes."
  @spec decode(binary(), term()) :: {:ok, term(), non_neg_integer()} | :error
  # A compressed term may claim any size.
  def decode(<<131, 80, _::binary>>, _shape), do: :error

  def decode(binary, shape) do
    term = :erlang.binary_to_term(binary, [:safe])

    if valid?(term, shape),
      do: {:ok, term, :erts_debug.flat_size(term) * :erlang.system_info(:wordsize) + byte_size(binary)},
      else: :error
  rescue
    ArgumentError -> :error
  end

  @spec valid?(term(), term()) :: boolean()
  def valid?(term, {:string, bytes}),
    do: is_binary(term) and byte_size(term) <= bytes and String.valid?(term)

  def valid?(term, {:bytes, bytes}), do: is_binary(term) and byte_size(term) <= bytes
  def valid?(term, {:count, greatest}), do: is_integer(term) and term in 0..greatest
  def valid?(term, {:atoms, atoms}), do: is_atom(term) and term in atoms
  def valid?([], {:list, _, _}), do: true
  def valid?([_ | _], {:list, _, 0}), do: false

  def valid?([head | tail], {:list, shape, length}),
    do: valid?(head, shape) and valid?(tail, {:list, shape, length - 1})

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
