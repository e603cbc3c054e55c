defmodule Ambix.ContextTest do
  use ExUnit.Case, async: true

  doctest Ambix.Context

  @sections [
    %{number: 1, file: "lib/cart.ex", lines: [{3, 9}, {20, 30}]},
    %{number: 2, file: "priv/Makefile", lines: [{1, 2}]}
  ]

  defp cited(answer), do: for(c <- Ambix.Context.citations(answer, @sections), do: {c.text, c.real})

  test "a number is real if a section has it" do
    assert cited("It rounds [2]. See [3], [1][2] and [0].") == [
             {"[2]", true},
             {"[3]", false},
             {"[1]", true},
             {"[0]", false}
           ]
  end

  test "lines are real if some of them were shown" do
    for {lines, real} <- [
          {"3", true},
          {"2", false},
          {"9", true},
          {"10", false},
          {"1-2", false},
          {"1-3", true},
          {"10-19", false},
          {"10-20", true},
          {"30-99", true},
          {"31-99", false},
          {"9-3", false}
        ] do
      assert cited("(lib/cart.ex:#{lines})") == [{"lib/cart.ex:#{lines}", real}]
    end

    assert cited("lib/other.ex:3, and priv/Makefile:1") == [
             {"lib/other.ex:3", false},
             {"priv/Makefile:1", true}
           ]
  end

  test "what only looks like a citation is none" do
    for answer <- [
          "",
          "list[1]",
          "`[1]`",
          "```\nx = [1]\n```",
          "[1](http://a.b:80/c)",
          "at 12:30",
          "v1.2:3",
          "[12345]",
          "[a]"
        ] do
      assert cited(answer) == [], answer
    end
  end

  test "a citation tells what it cites, and comes once" do
    assert [
             %{number: 1, file: "lib/cart.ex", line_start: 3, line_end: 30},
             %{number: nil, file: "lib/no.ex", line_start: 7, line_end: 7, real: false}
           ] = Ambix.Context.citations("[1] [1] lib/no.ex:7", @sections)
  end
end
