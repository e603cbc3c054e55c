defmodule Ambix.CLI.SnippetTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.Snippet

  test "a result is its place, its symbol and how it begins" do
    result = %{
      file: "lib/a.ex",
      line_start: 3,
      line_end: 9,
      symbol: "A.f/1",
      text: "\n    def f(x) do\n\n      x + 1\n    end\n    # more\n    # and more\n"
    }

    assert IO.iodata_to_binary(Snippet.render(result, 20)) == """
           lib/a.ex:3-9  A.f/1
               def f(x) do
                 x + 1
               end
               # more
           """
  end

  test "one line is not a range, and no symbol leaves no trace" do
    result = %{file: "a.ex", line_start: 3, line_end: 3, symbol: "", text: "x"}
    assert IO.iodata_to_binary(Snippet.render(result, 20)) == "a.ex:3\n    x\n"
  end

  test "an empty text has no excerpt" do
    assert Snippet.excerpt("\n \n") == []
  end
end
