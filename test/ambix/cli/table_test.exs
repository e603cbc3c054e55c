defmodule Ambix.CLI.TableTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.{Table, Width}

  test "columns align, numbers to the right, and no line ends with spaces" do
    assert Table.render([{"file", :left}, {"lines", :right}], [
             ["a.ex", 3],
             ["longer.ex", 1200],
             ["b.ex", nil]
           ]) == [
             "file       lines",
             "a.ex           3",
             "longer.ex  1 200",
             "b.ex"
           ]
  end

  test "wide and combining characters align too" do
    [_, first, second, third] =
      Table.render([{"n", :left}, {"x", :left}], [["日本", "|"], ["e\u0301te", "|"], ["abcd", "|"]])

    for line <- [first, second, third] do
      [before, ""] = String.split(line, "|")
      assert Width.of(before) == 6
    end
  end

  test "colours take no room" do
    [line] = Table.render([{"", :left}, {"", :left}], [["\e[31mred\e[0m", "x"]])
    assert Width.of(line) == 6
  end

  test "lines are cut to the width of the terminal" do
    assert Table.render([{"", :left}], [["abcdefgh"]], width: 5) == ["abcd…"]
    assert Table.render([{"", :left}], [["日本語"]], width: 5) == ["日本…"]
  end

  test "line breaks in a cell do not break the table" do
    assert Table.render([{"", :left}], [["a\n b"]]) == ["a b"]
  end

  for {text, columns} <- [
        {"", 0},
        {"abc", 3},
        {"é", 1},
        {"e\u0301", 1},
        {"日", 2},
        {"한국", 4},
        {"🎉", 2},
        {"❤\uFE0F", 2},
        {"\e[1;31mab\e[0m", 2},
        {"│─█", 3}
      ] do
    test "#{inspect(text)} takes #{columns} columns" do
      assert Width.of(unquote(text)) == unquote(columns)
    end
  end

  test "text that is not UTF-8 has a width too" do
    assert Width.of(<<255, ?a>>) == 2
  end

  test "numbers, bytes and times are written for people" do
    assert Enum.map([0, 999, 1000, 1_234_567, -1000], &Table.number/1) == [
             "0",
             "999",
             "1 000",
             "1 234 567",
             "-1 000"
           ]

    assert Enum.map([0, 1023, 1536, 92_000_000], &Table.bytes/1) == ["0 B", "1023 B", "1.5 KiB", "87.7 MiB"]

    assert Enum.map([0.0000123, 0.0015, 1.25, 150], &Table.seconds/1) == [
             "12 µs",
             "1.5 ms",
             "1.3 s",
             "2 min 30 s"
           ]
  end
end
