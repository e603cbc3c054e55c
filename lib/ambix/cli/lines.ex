defmodule Ambix.CLI.Lines do
  @moduledoc false
  # Lines that a search found, for a person: a heading for each file and definition, below it the lines with their numbers.

  alias Ambix.CLI.Snippet

  @doc """
  Lines of text for the `lines` of `Ambix.Index.grep/3`.

  `paint` is called with a piece and its style, a list of `IO.ANSI` sequences.
  """
  @spec render([Ambix.Index.line()], (iodata, [atom] -> iodata)) :: [iodata]
  def render(lines, paint) do
    width = lines |> Enum.map(&(&1.line_end + length(&1.after))) |> Enum.max(fn -> 0 end) |> digits()

    lines
    |> Enum.chunk_by(&{Snippet.file(&1), &1.symbol})
    |> Enum.flat_map(fn [first | _] = some ->
      [heading(first, paint) | Enum.flat_map(some, &numbered(&1, width, paint))]
    end)
  end

  defp heading(%{symbol: symbol} = line, paint) do
    file = Snippet.file(line)
    symbol = if symbol == "", do: [], else: ["  ", paint.(symbol, [:yellow])]
    [paint.(file, [:cyan, :bright]) | symbol]
  end

  defp numbered(line, width, paint) do
    before = around(line.before, line.line - length(line.before), width, paint)
    behind = around(line.after, line.line_end + 1, width, paint)
    before ++ matching(line, width, paint) ++ behind
  end

  defp around(texts, first, width, paint) do
    for {text, number} <- Enum.with_index(texts, first), do: [number(number, "-", width, paint), text]
  end

  defp matching(line, width, paint) do
    {rows, _} =
      line.text
      |> String.split("\n")
      |> Enum.map_reduce(line.text_start, fn text, start ->
        {painted(text, start, line.matches, paint), start + byte_size(text) + 1}
      end)

    for {row, number} <- Enum.with_index(rows, line.line), do: [number(number, ":", width, paint), row]
  end

  # The text, which begins at the byte `start` of the file, with its matches painted.
  defp painted(text, start, matches, paint) do
    {pieces, done} =
      Enum.reduce(matches, {[], 0}, fn {at, length}, {pieces, done} ->
        from = (at - start) |> max(done) |> min(byte_size(text))
        to = (at + length - start) |> max(from) |> min(byte_size(text))

        if to > from,
          do: {[pieces, part(text, done, from), paint.(part(text, from, to), [:red, :bright])], to},
          else: {pieces, done}
      end)

    [pieces, part(text, done, byte_size(text))]
  end

  defp part(text, from, to), do: binary_part(text, from, to - from)

  defp number(number, sign, width, paint),
    do: [paint.([String.pad_leading("#{number}", width), sign], [:green]), " "]

  defp digits(number), do: number |> Integer.digits() |> length()
end
