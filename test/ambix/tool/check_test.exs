defmodule Ambix.Tool.CheckTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Setup, only: [umbrella: 2]
  import Ambix.Test.ToolCall, only: [call: 3, tree: 1]
  import Ambix.Test.Wait

  alias Ambix.Error
  alias Ambix.Sandbox.Fixture
  alias Ambix.Tool.Check

  @moduletag timeout: 900_000

  defp check(root, arguments \\ %{}, opts \\ []),
    do: call(Check, arguments, [host: %{root: root, index: nil}] ++ opts)

  test "tells of warnings and errors with place and code, and writes nothing" do
    root = Fixture.create()
    before = tree(root)
    assert {:ok, %{data: %{status: "ok", diagnostics: []}, text: "compiles without warnings"}} = check(root)

    warning = Fixture.edited("lib/cart.ex", "def double(x), do: x * 2", "def double(x), do: 2 * missing(x)")

    warning =
      warning |> String.replace("missing(x)", "Nowhere.missing(x)") |> String.replace("Doubles.", "Twice.")

    assert {:ok, %{data: data, text: text}} = check(root, %{"change" => %{"lib/cart.ex" => warning}})
    assert %{status: "warnings", errors: 0, warnings: 1, diagnostics: [one]} = data
    assert %{file: "lib/cart.ex", line: 19, severity: "warning", traces: []} = one
    assert one.code == "def double(x), do: 2 * Nowhere.missing(x)"
    assert one.message =~ "Nowhere.missing/1"

    assert text =~
             ~r"\A0 errors, 1 warnings\nwarning lib/cart.ex:19(:\d+)? .*Nowhere.missing/1.*\n  def double"

    diff = """
    --- a/lib/counter.ex
    +++ b/lib/counter.ex
    @@ -4,2 +4,2 @@
    -  def next, do: Agent.get_and_update(__MODULE__, &{&1 + 1, &1 + 1})
    +  def next, do: undefined_thing()
     end
    """

    assert {:ok, %{data: data, text: "1 errors" <> _}} = check(root, %{"change" => diff})

    assert %{status: "errors", diagnostics: [%{file: "lib/counter.ex", line: 4, severity: "error"} = error]} =
             data

    assert error.message =~ "undefined function undefined_thing/0"
    refute error.message =~ "CompileError"
    assert tree(root) == before
  end

  test "tests of a change are compiled too, and a small budget holds what it can" do
    root = Fixture.create(%{"test/other_test.exs" => nil})
    test = "defmodule BrokenTest do\n  use ExUnit.Case\n  test \"a\", do: assert nothing_here()\nend\n"
    assert {:ok, %{data: data}} = check(root, %{"change" => %{"test/broken_test.exs" => test}})
    assert %{status: "errors", diagnostics: [%{file: "test/broken_test.exs"} | _]} = data

    many = for n <- 1..30, into: "defmodule Many do\n", do: "  def f#{n}(unused_argument_#{n}), do: #{n}\n"
    change = %{"change" => %{"lib/many.ex" => many <> "end\n"}}

    for budget <- [1, 20, 200, 4000] do
      assert {:ok, answer} = check(root, change, budget: budget)
      assert answer.data.warnings == 30
      assert answer.truncated == length(answer.data.diagnostics) < 30
      assert answer.data |> Ambix.JSON.encode!() |> Ambix.Tool.Budget.count() <= max(budget, 60)
      if budget == 4000, do: refute(answer.truncated)
    end
  end

  test "an umbrella's apps are compiled in order, and what needs a broken one is skipped" do
    root =
      umbrella(%{"coins" => "[]", "bank" => "[{:coins, in_umbrella: true}]"}, %{
        "apps/coins/lib/coins.ex" => "defmodule Coins do\n  def one, do: 1\nend\n",
        "apps/bank/lib/bank.ex" => "defmodule Bank do\n  def two, do: Coins.one() + 1\nend\n"
      })

    broken = %{"change" => %{"apps/coins/lib/coins.ex" => "defmodule Coins do\n  def one, do: nope()\nend\n"}}
    assert {:ok, %{data: data, text: text}} = check(root, broken)

    assert %{
             status: "errors",
             skipped: ["apps/bank"],
             diagnostics: [%{file: "apps/coins/lib/coins.ex", line: 2}]
           } = data

    assert text =~ "apps/bank"

    # Seen from the app, its umbrella is around it.
    change = %{"change" => %{"lib/bank.ex" => "defmodule Bank do\n  def two(unused), do: 2\nend\n"}}

    assert {:ok, %{data: %{diagnostics: [%{file: "lib/bank.ex", line: 2}]}}} =
             check(Path.join(root, "apps/bank"), change)
  end

  test "hostile arguments and folders that are no project are errors" do
    root = Fixture.create()

    for arguments <- [
          nil,
          [],
          %{"change" => 1},
          %{"change" => %{"a" => 1}},
          %{"change" => "x"},
          %{"chnge" => ""},
          %{"change" => %{"../x" => ""}},
          %{"change" => <<255>>}
        ] do
      assert {:error, %Error{kind: :invalid_argument}} = check(root, arguments)
    end

    assert {:error, %Error{kind: :project}} = check(Path.join(root, "lib"))
  end

  test "the sandbox ends with the process that called" do
    root = Fixture.create(%{"lib/slow.ex" => "defmodule Slow do\n  Process.sleep(:infinity)\nend\n"})
    pid = spawn(fn -> check(root) end)
    wait_until(fn -> processes(root) != [] end)
    Process.exit(pid, :kill)
    wait_until(fn -> processes(root) == [] end)
  end
end
