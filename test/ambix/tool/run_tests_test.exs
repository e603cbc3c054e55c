defmodule Ambix.Tool.RunTestsTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Setup, only: [umbrella: 2]
  import Ambix.Test.ToolCall, only: [call: 3, tree: 1]

  alias Ambix.{Error, Index}
  alias Ambix.Sandbox.Fixture
  alias Ambix.Test.Command
  alias Ambix.Tool.{Check, Failure, RunTests, Selection}

  @moduletag timeout: 900_000

  defp run(root, arguments \\ %{}, opts \\ []) do
    call(RunTests, arguments, Keyword.merge([host: %{root: root, index: nil}], opts))
  end

  defp ids(%{data: data}), do: data.failures |> Enum.map(& &1.name) |> Enum.sort()

  test "tells of failures only, with both sides, and writes nothing" do
    root = Fixture.create()
    before = tree(root)
    assert {:ok, %{data: data, text: text}} = run(root)
    assert %{status: "failed", total: 8, passed: 5, failed: 1, skipped: 2, not_run: 0, broken: []} = data

    assert text == """
           8 tests, 1 failed, 2 skipped
           test/cart_test.exs:7 test total/1 multiplies
             assert Cart.total(cart) == 12
             left:  7
             right: 12
             at test/cart_test.exs:9\
           """

    assert [%{file: "test/cart_test.exs", line: 7, left: "7", right: "12", module: "Tiny.CartTest"}] =
             data.failures

    mended = Fixture.edited("lib/cart.ex", "price + quantity", "price * quantity")

    assert {:ok, %{data: %{status: "passed", failed: 0}}} =
             run(root, %{"change" => %{"lib/cart.ex" => mended}})

    broken = Fixture.edited("lib/cart.ex", "price + quantity", "price + missing")
    assert {:ok, %{data: data, text: text}} = run(root, %{"change" => %{"lib/cart.ex" => broken}})
    assert %{status: "not_compiled", failures: [], broken: ["lib/cart.ex:" <> _]} = data
    assert text =~ "missing"
    assert tree(root) == before
  end

  test "runs the tests that are named" do
    root = Fixture.create()

    for {named, total} <- [
          {["test/other_test.exs"], 3},
          {["test"], 8},
          {["./test/cart_test.exs:9"], 1},
          {["leaves traces"], 1},
          {["total/1"], 2},
          {["test/other_test.exs:5", "multiplies"], 2},
          # Parts of files' names, where one file is meant.
          {["other"], 3},
          {["other_test.exs"], 3},
          {["cart", "macro"], 6}
        ] do
      assert {:ok, %{data: %{total: ^total}}} = run(root, %{"tests" => named})
    end

    assert {:error, %Error{kind: :not_found, message: message}} = run(root, %{"tests" => ["no such test"]})
    assert message =~ "no such test"

    # The word is in the names of no tests, and of two files.
    more =
      Fixture.create(%{
        "test/cart_more_test.exs" =>
          "defmodule Tiny.MoreTest do\n  use ExUnit.Case\n  test \"x\", do: :ok\nend\n"
      })

    assert {:ok, %{data: %{total: 5}}} = run(more, %{"tests" => ["cart"]})
    assert {:error, %Error{kind: :not_found, message: message}} = run(more, %{"tests" => ["cart_"]})

    assert message =~
             ~s("cart_" may mean several files, name one: test/cart_more_test.exs, test/cart_test.exs)
  end

  test "says that dependencies were compiled each time, and how to do without" do
    root =
      Fixture.create(%{
        "mix.exs" =>
          "defmodule Tiny.MixProject do\n  use Mix.Project\n  def project, do: [app: :tiny, version: \"0.1.0\", deps: [{:tea, path: \"deps/tea\"}]]\nend\n",
        "deps/tea/mix.exs" =>
          "defmodule Tea.MixProject do\n  use Mix.Project\n  def project, do: [app: :tea, version: \"0.1.0\"]\nend\n",
        "deps/tea/lib/tea.ex" => "defmodule Tea do\nend\n",
        "lib/application.ex" => nil,
        "lib/counter.ex" => nil,
        "test/other_test.exs" => nil
      })

    for tool <- [RunTests, Check] do
      assert {:ok, %{data: %{remark: remark}, text: text}} = call(tool, %{}, host: %{root: root, index: nil})
      assert remark =~ "dependencies were compiled for this" and text =~ "\n" <> remark
    end

    assert [_, command] = Regex.run(~r/MIX_ENV=test mix (.+)\]/, run(root) |> elem(1) |> Map.fetch!(:text))
    {_, 0} = Command.run([command], cd: root, env: %{"MIX_ENV" => "test"})
    assert {:ok, %{data: %{remark: nil}, text: "5 tests, 1 failed" <> _}} = run(root)
  end

  test "runs the tests that a change reaches, and those that are stale" do
    root = Fixture.create()

    git = fn args ->
      {_, 0} =
        System.cmd("git", ["-c", "user.name=a", "-c", "user.email=a@b" | args],
          cd: root,
          stderr_to_stdout: true
        )
    end

    for args <- [~w(init -q), ~w(add .), ~w(commit -qm all)], do: git.(args)
    {:ok, index} = Index.build(root)
    host = [host: %{root: root, index: index}]

    assert {:ok, %{data: %{status: "no_tests", total: 0}}} = run(root, %{"changed" => true}, host)

    text = Fixture.edited("lib/counter.ex", "&1 + 1, &1 + 1", "&1 + 2, &1 + 2")
    unsaved = %{"changed" => true, "change" => %{"lib/counter.ex" => text}}
    assert {:ok, %{data: %{total: total, failed: 1}} = answer} = run(root, unsaved, host)
    assert total in 1..3
    assert ids(answer) == ["test counts from one in each run"]

    File.write!(Path.join(root, "lib/counter.ex"), text)
    assert {:ok, %{data: %{total: ^total}} = answer} = run(root, %{"changed" => true}, host)
    assert ids(answer) == ["test counts from one in each run"]

    test = "defmodule NewTest do\n  use ExUnit.Case\n  test \"new\", do: flunk(\"new\")\nend\n"
    new = %{"changed" => true, "change" => %{"test/new_test.exs" => test}}
    assert {:ok, answer} = run(root, new, host)
    assert ids(answer) == ["test new"]

    # Nothing has run yet, so all is stale; then only what is newer.
    assert {:ok, %{data: %{total: 8}}} = run(root, %{"stale" => true}, host)
    manifest = Path.join(root, "_build/test/lib/tiny/.mix/compile.test_stale")
    File.mkdir_p!(Path.dirname(manifest))
    File.write!(manifest, "")
    File.touch!(manifest, System.os_time(:second) + 100)
    File.touch!(Path.join(root, "lib/counter.ex"), System.os_time(:second) + 200)
    assert {:ok, %{data: %{total: total}} = answer} = run(root, %{"stale" => true}, host)
    assert total < 8 and "test counts from one in each run" in ids(answer)

    # What still calls a function by its old name is reached, the tests that do so themselves too.
    {_, 0} = System.cmd("git", ~w(checkout -q .), cd: root)
    renamed = Fixture.edited("lib/cart.ex", "def total(", "def sum(")
    File.write!(Path.join(root, "lib/cart.ex"), renamed)
    assert {:ok, answer} = run(root, %{"changed" => true}, host)
    assert "test total/1 multiplies" in ids(answer)

    # It is the same whether the edit is saved or not; a file that is gone has an empty text.
    names = fn arguments ->
      assert {:ok, answer} = run(root, Map.put(arguments, "changed", true), host)
      answer.data |> Map.take([:total, :status]) |> Map.put(:failures, ids(answer))
    end

    saved = names.(%{})
    {_, 0} = System.cmd("git", ~w(checkout -q .), cd: root)
    assert names.(%{"change" => %{"lib/cart.ex" => renamed}}) == saved

    places = fn texts ->
      assert {:ok, selection} = Selection.of(%{root: root, index: index}, [changed: true], texts)
      Enum.sort(selection.places)
    end

    unsaved = places.(%{"lib/cart.ex" => ""})
    File.rm!(Path.join(root, "lib/cart.ex"))

    # Who needs more of a module than its functions, such as its doctests, is known only as long as it is there.
    assert [{"test/cart_test.exs", 7}, {"test/cart_test.exs", 12}] = found = places.(%{})
    assert found -- unsaved == []
    {_, 0} = System.cmd("git", ~w(checkout -q .), cd: root)

    assert {:error, %Error{kind: :unavailable}} = run(root, %{"changed" => true})
    assert {:error, %Error{kind: :not_found}} = run(root, %{"changed" => true, "since" => "nowhere"}, host)
  end

  # Assertions on large values, one cause behind several failures, long stacks, and processes that crash and log it.
  @noisy %{
    "lib/order.ex" => """
    defmodule Tiny.Order do
      defstruct Enum.map(1..40, &{:"field_number_\#{&1}", "value of field \#{&1}"})
      def price(order), do: order |> lines() |> Enum.map(&cost/1) |> Enum.sum()
      defp lines(order), do: Enum.map(1..3, fn n -> {n, order} end)
      defp cost({n, order}), do: n * Map.fetch!(order, :price)
    end
    """,
    "lib/server.ex" => """
    defmodule Tiny.Server do
      use GenServer
      def init(state), do: {:ok, state}
      def handle_call(:boom, _, state), do: {:reply, Map.fetch!(state, :boom), state}
    end
    """,
    "test/order_test.exs" => """
    defmodule Tiny.OrderTest do
      use ExUnit.Case
      alias Tiny.Order

      for n <- 1..6 do
        test "prices \#{n}" do
          assert Order.price(%Order{field_number_1: unquote(n)}) == unquote(n)
        end
      end

      for n <- 1..3 do
        test "keeps \#{n}" do
          assert Map.put(%Order{}, :field_number_40, unquote(n)) == %Order{}
        end
      end

      for n <- 1..3 do
        test "serves \#{n}" do
          {:ok, pid} = GenServer.start(Tiny.Server, Map.from_struct(%Order{}))
          assert GenServer.call(pid, :boom) == unquote(n)
        end
      end
    end
    """
  }

  test "runs the doctests that a change reaches" do
    doc = "  @doc \"\"\"\n      iex> Tiny.Greeting.hello()\n      :world\n  \"\"\"\n"

    root =
      Fixture.create(%{
        "lib/greeting.ex" => "defmodule Tiny.Greeting do\n#{doc}  def hello, do: Tiny.Planet.name()\nend\n",
        "lib/planet.ex" => "defmodule Tiny.Planet do\n  def name, do: :world\nend\n",
        "test/greeting_test.exs" =>
          "defmodule Tiny.GreetingTest do\n  use ExUnit.Case\n  doctest Tiny.Greeting\n  test \"none\", do: :ok\nend\n"
      })

    {:ok, index} = Index.build(root)
    mars = %{"lib/planet.ex" => "defmodule Tiny.Planet do\n  def name, do: :mars\nend\n"}
    arguments = %{"changed" => true, "change" => mars}

    assert {:ok, %{data: %{total: 1, failed: 1, failures: [%{name: name}]}}} =
             run(root, arguments, host: %{root: root, index: index})

    assert name =~ "doctest Tiny.Greeting.hello/0"
  end

  test "at most a fifth of the bytes that mix test prints for the same failures" do
    root = Fixture.create(@noisy)
    assert {:ok, %{data: %{failed: 13}, text: text, truncated: false} = answer} = run(root)
    assert Enum.count(ids(answer)) == 13
    for failure <- answer.data.failures, do: assert(text =~ ":#{failure.line}")
    {printed, 2} = Command.run(["test"], cd: root, env: %{"MIX_ENV" => "test"})
    # As newer versions of ExUnit say it, too.
    assert printed =~ ~r/13 failures|Failed: 13 tests/
    assert byte_size(text) <= byte_size(printed) / 5, "#{byte_size(text)} of #{byte_size(printed)} bytes"

    # The part that differs is told, not the 39 fields before it.
    keeps = Enum.find(answer.data.failures, &(&1.name == "test keeps 1"))
    assert keeps.left != keeps.right
    for failure <- answer.data.failures, do: assert(byte_size(Ambix.JSON.encode!(failure)) <= 1024)

    for budget <- [1, 10, 50, 150, 400] do
      assert {:ok, answer} = run(root, %{"tests" => ["test/order_test.exs"]}, budget: budget)
      assert answer.data.failed == 12
      assert length(answer.data.failures) < 12 or not answer.truncated
    end
  end

  test "failures with one cause do not make the data larger than the budget" do
    root =
      Fixture.create(%{
        "lib/same.ex" => "defmodule Tiny.Same do\n  def fail, do: raise \"it is always the same\"\nend\n",
        "test/same_test.exs" => """
        defmodule Tiny.SameTest do
          use ExUnit.Case
          for n <- 1..100, do: test("number \#{n}", do: Tiny.Same.fail())
        end
        """
      })

    tests = %{"tests" => ["test/same_test.exs"]}
    assert {:ok, %{data: %{failed: 100} = data, truncated: false}} = run(root, tests, budget: 1000)
    assert [_ | _] = data.failures
    assert data |> Ambix.JSON.encode!() |> Ambix.Tool.Budget.count() <= 1000
  end

  test "a failure is at most a kilobyte, however large its parts" do
    for text <- ["\"", "é", "\u0001", "x "] do
      long = String.duplicate(text, 4000)

      test = %{
        file: "test/a_test.exs",
        line: 1,
        name: long,
        module: "A",
        state: :failed,
        frames: [],
        message:
          "** (ExUnit.AssertionError) \n\n#{long}\ncode:  assert #{long}\nleft:  #{long}1\nright: #{long}2\n"
      }

      failure = Failure.new(test, ".")
      assert byte_size(Ambix.JSON.encode!(failure)) <= 1024
      assert byte_size(Failure.text(failure, [])) <= 1024
      assert String.valid?(failure.left) and failure.left != failure.right
    end
  end

  test "a project without tests, and hostile arguments" do
    root = Fixture.create(%{"test/cart_test.exs" => nil, "test/other_test.exs" => nil})
    assert {:ok, %{data: %{status: "no_tests", total: 0, failures: []}}} = run(root)

    for arguments <- [
          1,
          %{"tests" => "x"},
          %{"tests" => [1]},
          %{"changed" => 1},
          %{"since" => 1},
          %{"change" => []},
          %{"x" => 1}
        ],
        do: assert({:error, %Error{kind: :invalid_argument}} = run(root, arguments))

    assert {:error, %Error{}} =
             run(root, %{"changed" => true, "since" => "--output=x"}, host: %{root: root, index: :nobody})
  end

  test "an umbrella's apps are tested together" do
    test = fn module, code ->
      "defmodule #{module} do\n  use ExUnit.Case\n  test \"it\", do: assert #{code}\nend\n"
    end

    root =
      umbrella(%{"coins" => "[]", "bank" => "[{:coins, in_umbrella: true}]", "empty" => "[]"}, %{
        "apps/coins/lib/coins.ex" => "defmodule Coins do\n  def one, do: 1\nend\n",
        "apps/coins/test/test_helper.exs" => "ExUnit.start()\n",
        "apps/coins/test/coins_test.exs" => test.("CoinsTest", "Coins.one() == 1"),
        "apps/bank/lib/bank.ex" => "defmodule Bank do\n  def two, do: Coins.one() + 1\nend\n",
        "apps/bank/test/test_helper.exs" => "ExUnit.start()\n",
        "apps/bank/test/bank_test.exs" => test.("BankTest", "Bank.two() == 3")
      })

    assert {:ok, %{data: data}} = run(root)
    assert %{total: 2, failed: 1, failures: [%{file: "apps/bank/test/bank_test.exs", line: 3}]} = data
    assert {:ok, %{data: %{total: 1, failed: 0}}} = run(root, %{"tests" => ["apps/coins"]})

    assert {:ok, %{data: %{total: 1, failed: 1}}} =
             run(root, %{"tests" => ["apps/bank/test/bank_test.exs:3"]})

    # As one names them within an app, and as a whole.
    for named <- [
          "test/bank_test.exs",
          "test/bank_test.exs:3",
          Path.join(root, "apps/bank/test/bank_test.exs")
        ],
        do: assert({:ok, %{data: %{total: 1, failed: 1}}} = run(root, %{"tests" => [named]}))
  end
end
