defmodule Ambix.CLI.Width do
  @moduledoc false
  # How many columns text takes in a terminal, by the East Asian Width of Unicode (annex 11): wide characters and emoji take two, what
  # combines with the character before it takes none.

  @wide [
    0x1100..0x115F,
    0x231A..0x231B,
    0x23E9..0x23EC,
    0x2614..0x2615,
    0x2648..0x2653,
    0x26A1..0x26A1,
    0x2705..0x2705,
    0x274C..0x274C,
    0x2753..0x2757,
    0x2795..0x2797,
    0x2B1B..0x2B1C,
    0x2B50..0x2B55,
    0x2E80..0x303E,
    0x3041..0xA4CF,
    0xA960..0xA97F,
    0xAC00..0xD7A3,
    0xF900..0xFAFF,
    0xFE30..0xFE6F,
    0xFF00..0xFF60,
    0xFFE0..0xFFE6,
    0x1F300..0x1F64F,
    0x1F680..0x1F6FF,
    0x1F7E0..0x1F7EB,
    0x1F900..0x1FAFF,
    0x20000..0x3FFFD
  ]

  @doc "The columns that a text without line breaks takes; colour sequences take none."
  @spec of(String.t()) :: non_neg_integer
  def of(text), do: text |> bare() |> String.graphemes() |> Enum.reduce(0, &(grapheme(&1) + &2))

  @doc "The text cut to at most `columns`, with an ellipsis where something was cut."
  @spec cut(String.t(), pos_integer) :: String.t()
  def cut(text, columns) do
    if of(text) <= columns do
      text
    else
      {kept, _} =
        Enum.reduce_while(String.graphemes(bare(text)), {[], columns - 1}, fn grapheme, {kept, left} ->
          width = grapheme(grapheme)
          if width <= left, do: {:cont, {[kept, grapheme], left - width}}, else: {:halt, {kept, 0}}
        end)

      IO.iodata_to_binary([kept, "…"])
    end
  end

  @doc "The text filled up with spaces to `columns`, on the left or on the right."
  @spec pad(String.t(), non_neg_integer, :left | :right) :: iodata
  def pad(text, columns, :left), do: [text, spaces(text, columns)]
  def pad(text, columns, :right), do: [spaces(text, columns), text]

  defp spaces(text, columns), do: String.duplicate(" ", max(columns - of(text), 0))

  defp bare(text), do: String.replace(text, ~r/\e\[[0-9;]*m/, "")

  defp grapheme(<<char, _::binary>>) when char < 0x80, do: if(char < 0x20 or char == 0x7F, do: 0, else: 1)

  defp grapheme(<<char::utf8, rest::binary>>) do
    cond do
      combining?(char) -> 0
      # The variation selector that asks for the emoji form.
      String.contains?(rest, "\uFE0F") -> 2
      Enum.any?(@wide, &(char in &1)) -> 2
      true -> 1
    end
  end

  defp grapheme(_not_utf8), do: 1

  defp combining?(char), do: char in 0x0300..0x036F or char in 0x200B..0x200F or char in 0xFE00..0xFE0F
end
