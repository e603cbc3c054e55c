defmodule Aludel.GraphCompiledTest do
  # What only the compiler knows: functions with names that macros put together, and calls of macros.
  use ExUnit.Case, async: true

  alias Aludel.{Graph, Index}
  alias Aludel.Test.CompiledFixture

  @moduletag :tmp_dir

  test "what macros make is in the graph after observe, until its file changes", %{tmp_dir: tmp} do
    root = CompiledFixture.create(Path.join(tmp, "paint"))
    {:ok, index} = Index.build(root)
    assert {:error, %{kind: :not_found}} = Graph.definition(index, "Paint.Colours.red_pot/1")

    assert {:ok, %{modules: 3, files: 3, stale: 0, foreign: 0, diagnostics: []}} = Index.observe(index)

    assert {:ok, [%{file: "lib/colours.ex", line: 2, kind: "function", generated_by: macro}]} =
             Graph.definition(index, "Paint.Colours.red_pot/1")

    assert macro =~ "Paint.Maker"
    {:ok, callers} = Graph.callers(index, "Paint.Shop.pour/1", kinds: [:call])
    made = Enum.filter(callers, &(&1.module == "Paint.Colours"))
    assert Enum.map(made, & &1.symbol) == ["Paint.Colours.green_pot/1", "Paint.Colours.red_pot/1"]
    assert Enum.all?(made, &(&1.certain and &1.why == "compiled" and &1.generated_by == macro))

    # The tracer saw the macro, of which no call is left.
    assert {:ok, [%{symbol: "Paint.Shop.pour/1", why: "compiled", lines: [4]}]} =
             Graph.callers(index, "Paint.Maker.twice/1")

    colours = Path.join(root, "lib/colours.ex")
    File.write!(colours, "# changed\n" <> File.read!(colours))
    {:ok, %{changed: 1}} = Index.update(index)
    assert {:error, %{kind: :not_found}} = Graph.definition(index, "Paint.Colours.red_pot/1")
  end
end
