defmodule Ambix.Tool.Fit do
  @moduledoc false
  # As much of an answer as a budget of tokens holds.

  alias Ambix.JSON
  alias Ambix.Sandbox.Text
  alias Ambix.Tool.Budget

  @typedoc "A text, or one with what the data of the answer says of the same."
  @type block :: String.t() | {String.t(), term}

  @doc """
  The head, and of the blocks as many of the first as there is room for: the text, and how many it holds. `data` is what the data says beside
  the blocks. Text and data each fit the budget, for clients differ in which of them they show a model.
  """
  @spec blocks(String.t(), [block], pos_integer, term) :: {String.t(), non_neg_integer}
  def blocks(head, blocks, budget, data \\ nil) do
    head = Budget.cut(head, budget)
    room = budget - max(Budget.count(head), if(data, do: tokens(data), else: 0))

    {taken, _} =
      Enum.reduce_while(blocks, {[], room}, fn block, {taken, room} ->
        {text, room} = taken(block, room)
        if room >= 0, do: {:cont, {[text | taken], room}}, else: {:halt, {taken, room}}
      end)

    {Enum.join([head | Enum.reverse(taken)], "\n"), length(taken)}
  end

  @doc "Those that are said, each on a line of its own."
  @spec lines([String.t() | nil]) :: String.t()
  def lines(texts), do: texts |> Enum.reject(&is_nil/1) |> Enum.join("\n")

  @doc "The first of some terms, as many as have so many tokens as JSON."
  @spec terms([term], integer) :: [term]
  def terms(terms, room) do
    {taken, _} =
      Enum.reduce_while(terms, {[], room}, fn term, {taken, room} ->
        {_, room} = taken({"", term}, room)
        if room >= 0, do: {:cont, {[term | taken], room}}, else: {:halt, {taken, room}}
      end)

    Enum.reverse(taken)
  end

  @doc "How many tokens a term is as JSON."
  @spec tokens(term) :: non_neg_integer
  def tokens(term), do: term |> JSON.encode!() |> Budget.count()

  # One more for the line's end or the comma, and one for where two texts meet.
  defp taken({text, data}, room), do: {text, room - max(Budget.count(text), tokens(data)) - 2}
  defp taken(text, room), do: {text, room - Budget.count(text) - 2}

  @doc "A text of at most so many bytes, with a sign where something is missing."
  @spec cut(String.t(), non_neg_integer) :: String.t()
  def cut(text, bytes) when byte_size(text) <= bytes, do: text
  def cut(text, bytes) when bytes < 3, do: first(text, bytes)
  def cut(text, bytes), do: first(text, bytes - 3) <> "…"

  @doc "A text on one line."
  @spec line(String.t()) :: String.t()
  def line(text), do: text |> Text.valid() |> String.replace(~r/\s+/u, " ") |> String.trim()

  # A character is not cut in two.
  defp first(_text, bytes) when bytes <= 0, do: ""

  defp first(text, bytes) do
    part = binary_part(text, 0, bytes)
    if String.valid?(part), do: part, else: first(text, bytes - 1)
  end
end
