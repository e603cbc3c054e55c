defmodule Ambix.Tool.Query do
  @moduledoc false
  # What kind of question a text is, where nobody says so.

  alias Ambix.Tool.Pattern

  @type kind :: :words | :meaning | :both | :name | :regex | :pattern

  @doc "The kind of a question: `:both`, words and meaning, unless it looks like something else."
  @spec guess(String.t()) :: kind
  def guess(query) do
    query = String.trim(query)

    cond do
      name?(query) -> :name
      Pattern.pattern?(query) -> :pattern
      regex?(query) -> :regex
      true -> :both
    end
  end

  # `Shop.Cart.add/2`, `Cart.add`, `add/2`, `handle_call`, `Cart`, `:lists.map/2`, and not a word of a language.
  defp name?(query) do
    query =~ ~r/\A:?[A-Za-z_][\w.]*[\w?!](?:\/\d{1,3})?\z/u and
      query =~ ~r/[_.\/?!]|\A[A-Z]/ and not (query =~ ~r/\A[A-Z][a-z]*[?!.]\z/)
  end

  # What would be odd in words or in code.
  defp regex?(query) do
    query =~ ~r/\\[bBdDsSwWAz.(\[]|\.[*+]|\A\^|\$\z|\(\?[:i!=<]|\[\^?\w-\w|\w\|\w/ and
      match?({:ok, _}, Regex.compile(query, "u"))
  end
end
