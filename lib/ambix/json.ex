defmodule Ambix.JSON do
  @moduledoc """
  JSON for command output and JSON-lines files, since Elixir 1.14 has none of its own.

  Objects become maps with strings as keys, `null` becomes `nil`. Documents and terms nested more than 100 deep are
  refused.
  """

  alias Ambix.{Error, Native}

  @doc """
  The term of a JSON document.

      iex> Ambix.JSON.decode(~s({"a": [1, 2.5, null]}))
      {:ok, %{"a" => [1, 2.5, nil]}}
  """
  @spec decode(binary) :: {:ok, term} | {:error, Error.t()}
  def decode(text), do: Native.json_decode(text)

  @doc "Like `decode/1`, and raises the error."
  @spec decode!(binary) :: term
  def decode!(text), do: bang(decode(text))

  @doc """
  The JSON of a term: maps with atoms or strings as keys, lists, strings, numbers, atoms. Keys are sorted.

      iex> Ambix.JSON.encode(%{b: nil, a: [:x, true]})
      {:ok, ~s({"a":["x",true],"b":null})}
  """
  @spec encode(term) :: {:ok, binary} | {:error, Error.t()}
  def encode(term), do: Native.json_encode(term)

  @doc "Like `encode/1`, and raises the error."
  @spec encode!(term) :: binary
  def encode!(term), do: bang(encode(term))

  defp bang({:ok, value}), do: value
  defp bang({:error, error}), do: raise(error)
end
