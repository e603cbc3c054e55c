defmodule Ambix.Tool.Fit do
  @moduledoc false
  # As much of an answer as a budget of tokens holds.

  alias Ambix.Sandbox.Text
  alias Ambix.Tool.Budget

  @doc "The head, and of the blocks as many of the first as there is room for: the text, and how many it holds."
  @spec blocks(String.t(), [String.t()], pos_integer) :: {String.t(), non_neg_integer}
  def blocks(head, blocks, budget) do
    head = Budget.cut(head, budget)
    room = budget - Budget.count(head)

    {taken, _} =
      Enum.reduce_while(blocks, {[], room}, fn block, {taken, room} ->
        # One more for the line's end, and one for where two texts meet.
        room = room - Budget.count(block) - 2
        if room >= 0, do: {:cont, {[block | taken], room}}, else: {:halt, {taken, room}}
      end)

    {Enum.join([head | Enum.reverse(taken)], "\n"), length(taken)}
  end

  @doc "Those that are said, each on a line of its own."
  @spec lines([String.t() | nil]) :: String.t()
  def lines(texts), do: texts |> Enum.reject(&is_nil/1) |> Enum.join("\n")

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
