defmodule Ambix.CLI.LinesTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.Lines

  @line %{
    file: "a.ex",
    line: 9,
    line_end: 9,
    column: 3,
    matches: [],
    text: "  put(cart)",
    text_start: 100,
    before: [],
    after: [],
    symbol: "A.b/1",
    kind: "function"
  }

  # Styles are seen as the first letter of the colour.
  defp paint(piece, [style | _]), do: ["<#{style |> Atom.to_string() |> String.first()}:", piece, ">"]
  defp render(lines), do: lines |> Lines.render(&paint/2) |> Enum.map(&IO.iodata_to_binary/1)

  test "matches are painted where they are" do
    assert render([%{@line | matches: [{102, 3}, {106, 4}]}]) ==
             ["<c:a.ex>  <y:A.b/1>", "<g:9:>   <r:put>(<r:cart>)"]

    # Bytes, not characters, and what was cut off is not painted.
    assert render([%{@line | text: "äöü", text_start: 10, symbol: "", matches: [{8, 4}, {12, 0}, {14, 100}]}]) ==
             ["<c:a.ex>", "<g:9:> <r:ä>ö<r:ü>"]
  end

  test "lines around and lines of one match have their numbers, which align" do
    line = %{@line | line_end: 10, text: "ab\ncd", matches: [{101, 3}], before: ["x"], after: ["y", "z"]}

    assert render([line]) ==
             [
               "<c:a.ex>  <y:A.b/1>",
               "<g: 8-> x",
               "<g: 9:> a<r:b>",
               "<g:10:> <r:c>d",
               "<g:11-> y",
               "<g:12-> z"
             ]
  end

  test "a heading stands for all lines of a definition" do
    lines = [@line, %{@line | line: 10, line_end: 10}, %{@line | line: 11, line_end: 11, symbol: "A.c/0"}]
    assert length(render(lines)) == 5
    assert render([]) == []
  end
end
