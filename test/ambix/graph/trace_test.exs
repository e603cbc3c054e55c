defmodule Ambix.Graph.TraceTest do
  use ExUnit.Case, async: true

  alias Ambix.Graph.Trace
  alias Ambix.Error

  @moduletag :tmp_dir

  defp project(dir, code) do
    File.mkdir_p!(Path.join(dir, "lib"))

    File.write!(Path.join(dir, "mix.exs"), """
    defmodule Traced.MixProject do
      use Mix.Project
      def project, do: [app: :traced, version: "0.1.0"]
    end
    """)

    File.write!(Path.join(dir, "lib/traced.ex"), code)
    dir
  end

  defp files(dir), do: dir |> Path.join("**") |> Path.wildcard(match_dot: true) |> Enum.sort()

  test "the compiler's own edges, from a folder that stays as it is", %{tmp_dir: tmp} do
    root =
      project(tmp, """
      defmodule Traced do
        import String, only: [upcase: 1]
        alias Traced.Other, as: O

        def a(x), do: x |> b() |> O.c(1)
        defp b(x), do: upcase(x)
        def unquote(:"it's?")(), do: :lists.reverse([])
        a = 1
        _ = Enum.map([a], &(&1))
      end

      defmodule Traced.Other do
        def c(x, y), do: {x, y}
      end
      """)

    before = files(root)
    assert {:ok, edges} = Trace.edges(root)
    assert files(root) == before

    assert {"Traced", "a", 1, "Traced", "b", 1} in edges
    assert {"Traced", "a", 1, "Traced.Other", "c", 2} in edges
    assert {"Traced", "b", 1, "String", "upcase", 1} in edges
    assert {"Traced", "it's?", 0, ":lists", "reverse", 1} in edges
    refute Enum.any?(edges, &match?({_, _, _, "Enum", "map", _}, &1))
    assert edges == edges |> Enum.sort() |> Enum.uniq()
  end

  test "a project that does not compile is an error with the compiler's reason", %{tmp_dir: tmp} do
    root = project(tmp, "defmodule Traced do\n  def a(, do: 1\nend\n")
    assert {:error, %Error{kind: :project, message: message}} = Trace.edges(root)
    assert message =~ "does not compile"
    assert message =~ "lib/traced.ex:"
  end

  test "a folder that is no mix project is an error", %{tmp_dir: tmp} do
    assert {:error, %Error{kind: :project}} = Trace.edges(tmp)
  end
end
