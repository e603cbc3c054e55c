defmodule Ambix.Examples.DemoTest do
  # What the demo shows of a run of the fixer, from the events alone.
  use ExUnit.Case, async: true

  alias Ambix.CLI.FixReport, as: Report

  @failing {:failing,
            [%{id: "ShopTest: test adds", file: "test/shop_test.exs", line: 3, message: "one\ntwo\n"}]}
  @candidate {:candidate,
              %{label: "- to +", file: "lib/shop.ex", line: 7, kind: "operator", score: 0.0, note: "1 broken"}}
  @patch %{file: "lib/shop.ex", diff: "--- a/lib/shop.ex\n+++ b/lib/shop.ex\n@@ -7 +7 @@\n-a - b\n+a + b\n"}
  @mended %{status: :mended, patches: [@patch], seconds: 2.5, executions: 12, reason: "- to +"}

  test "lines of a run that mends" do
    events = [
      @failing,
      {:localised, for(line <- 1..7, do: %{file: "lib/shop.ex", line: line, score: 1 / line, why: ""})},
      {:proposed, 1200},
      @candidate,
      {:tree, "problem\n└─ - to +  0.00\n"},
      {:mended, [@patch]},
      {:result, @mended},
      :end
    ]

    assert run(Report.new(nil, false), events) == """
             1 failing test
               ShopTest: test adds
                 one
                 two
             suspected
               lib/shop.ex:1  1.000
               lib/shop.ex:2  0.500
               lib/shop.ex:3  0.333
               lib/shop.ex:4  0.250
               lib/shop.ex:5  0.200
               … and 2 more
             1 200 candidates to begin with
             tree, 1 tried
               problem
               └─ - to +  0.00
             patch
           --- a/lib/shop.ex
           +++ b/lib/shop.ex
           @@ -7 +7 @@
           -a - b
           +a + b
             mended in 2.5 s, 12 runs of tests
           """
  end

  test "a run that finds nothing shows its last tree and says why" do
    none = %{status: :none, patches: [], seconds: 60.0, executions: 3, reason: "the time is over"}
    tree = {:tree, "problem\n└─ - to +  0.00\n"}

    text =
      run(Report.new(nil, false), [
        @failing,
        @candidate,
        tree,
        @candidate,
        tree,
        @candidate,
        tree,
        {:result, none}
      ])

    titles = for line <- String.split(text, "\n"), line =~ "tree, ", do: String.trim(line)
    assert titles == ["tree, 1 tried", "tree, 2 tried", "tree, 3 tried"]
    assert text =~ "no patch found in 60.0 s, 3 runs of tests: the time is over\n"
  end

  test "a tree that has not doubled is not shown again" do
    tree = {:tree, "problem\n"}
    text = run(Report.new(nil, false), [@candidate, @candidate, tree, @candidate, tree, @candidate, tree])
    assert length(String.split(text, "tree, ")) == 3
  end

  test "in a terminal the candidate is shown, within its width, and gone before the next line" do
    text = run(Report.new(24, true), [@candidate, {:result, @mended}])
    assert ["", candidate, rest] = String.split(text, "\r", parts: 3)
    assert String.trim_trailing(candidate, "\e[K") |> String.length() <= 23
    assert String.starts_with?(rest, "\e[K")
    assert rest =~ IO.ANSI.green() <> "+a + b"
  end

  defp run(report, events) do
    {written, _report} = Enum.map_reduce(events, report, &Report.event(&2, &1))
    IO.iodata_to_binary(written)
  end
end
