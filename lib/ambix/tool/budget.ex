defmodule Ambix.Tool.Budget do
  @moduledoc """
  How many tokens a text is, without a model, and texts that are no more than so many.

  Each model counts otherwise, and a caller seldom says which one reads. The estimate here follows what tokenizers of code have in common:
  a word is a token, a long one several, and parts of a name count as words; each digit is one; two signs of punctuation that follow
  one another are one, and so are a line's end and the indentation behind it; of other characters each byte is one.

  Over the sources of this repository it is at most 5 % below what the tokenizer of SmolLM2 counts in a file, and about 4 % above on
  average; a test compares them. Two texts together are never more than the sum of both, but for one token where they meet.
  """

  alias Ambix.Native

  @piece 65_536

  @doc """
  An estimate of the tokens of a text.

      iex> Ambix.Tool.Budget.count("Shop.Cart.add/2")
      7
  """
  @spec count(iodata) :: non_neg_integer
  def count(text), do: text |> IO.iodata_to_binary() |> counted(0)

  # What is counted in one piece keeps its scheduler for a tenth of a millisecond.
  defp counted(<<piece::binary-size(@piece), rest::binary>>, sum), do: counted(rest, sum + native(piece))
  defp counted(rest, sum), do: sum + native(rest)

  defp native(text) do
    {:ok, tokens} = Native.count_tokens(text)
    tokens
  end

  @doc "The beginning of a text that is at most so many tokens, whole characters."
  @spec cut(String.t(), integer) :: String.t()
  def cut(text, tokens) do
    cond do
      tokens <= 0 -> ""
      count(text) <= tokens -> text
      true -> text |> binary_part(0, bisect(text, tokens, 0, byte_size(text))) |> whole()
    end
  end

  # The first `low` bytes fit, `high` do not.
  defp bisect(_text, _tokens, low, high) when high - low <= 1, do: low

  defp bisect(text, tokens, low, high) do
    middle = div(low + high, 2)

    if count(binary_part(text, 0, middle)) <= tokens,
      do: bisect(text, tokens, middle, high),
      else: bisect(text, tokens, low, middle)
  end

  # A character is at most four bytes.
  defp whole(text),
    do:
      Enum.find_value(
        0..3,
        "",
        &(byte_size(text) >= &1 and valid(binary_part(text, 0, byte_size(text) - &1)))
      )

  defp valid(text), do: if(String.valid?(text), do: text)
end
