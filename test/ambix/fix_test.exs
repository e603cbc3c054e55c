defmodule Ambix.FixTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO

  alias Ambix.{Agent, Error, Fix, JSON}
  alias Ambix.Sandbox.Fixture

  # A budget that a busy machine does not use up either.
  @moduletag timeout: 900_000
  @ample 600

  # The fixture's own bug is that a price is added to a quantity.
  @healthy %{"lib/cart.ex" => Fixture.edited("lib/cart.ex", "price + quantity", "price * quantity")}
  @hopeless %{
    "test/cart_test.exs" => """
    defmodule Tiny.CartTest do
      use ExUnit.Case
      test "wants what nothing can give", do: assert Tiny.Cart.total(%Tiny.Cart{}) == "a pony" <> "?"
    end
    """
  }

  defp snapshot(root) do
    for path <- Path.wildcard(root <> "/**/*", match_dot: true), File.regular?(path), into: %{} do
      {Path.relative_to(path, root), File.read!(path)}
    end
  end

  defp trees do
    receive do
      {:event, {:tree, text}} -> [text | trees()]
    after
      0 -> []
    end
  end

  test "mends a failing test, tells what it does, and touches nothing" do
    root = Fixture.create()
    before = snapshot(root)
    test = self()
    assert {:ok, result} = Fix.run(root, budget: @ample, on_event: &send(test, {:event, &1}))

    assert %{status: :mended, patches: [%{file: "lib/cart.ex", diff: diff} = patch]} = result
    assert diff =~ "-    |> Enum.map(fn {price, quantity} -> price + quantity end)"
    assert diff =~ "+    |> Enum.map(fn {price, quantity} -> price * quantity end)"
    assert [%{id: "Tiny.CartTest: test total/1 multiplies"}] = result.failing
    assert Enum.any?(result.localised, &match?(%{file: "lib/cart.ex", line: 9}, &1))
    assert result.executions >= 3 and map_size(result.tried) > 0
    assert result.trace =~ "solved"
    refute result.trace =~ "running"
    assert result.mermaid =~ "flowchart"
    assert snapshot(root) == before

    assert_received {:event, {:failing, [%{message: "" <> _}]}}
    assert_received {:event, {:localised, [_ | _]}}
    assert_received {:event, {:proposed, count}} when count > 10
    assert_received {:event, {:candidate, %{label: _, solved: _, note: _}}}
    refute List.last(trees()) =~ "running"
    assert_received {:event, {:mended, [_]}}

    assert Fix.apply_patches(root, result) == :ok
    assert File.read!(Path.join(root, "lib/cart.ex")) == patch.text
    assert {:ok, %{status: :nothing_failing, patches: []}} = Fix.run(root, budget: @ample)

    # What was changed in the meantime is not overwritten.
    File.write!(Path.join(root, "lib/cart.ex"), "# mine\n")
    assert {:error, %Error{kind: :locked}} = Fix.apply_patches(root, result)
    assert File.read!(Path.join(root, "lib/cart.ex")) == "# mine\n"
  end

  test "says so when it finds nothing, and what it tried" do
    root = Fixture.create(Map.merge(@healthy, @hopeless))
    before = snapshot(root)
    assert {:ok, result} = Fix.run(root, max_candidates: 20, workers: 1, budget: @ample)
    assert %{status: :none, patches: []} = result
    assert Enum.sum(Map.values(result.tried)) in 1..20
    assert result.reason =~ ~r/tried|left/
    refute result.reason =~ "goes on"
    # The whole tree: a line for each that was tried, and none that claims to run.
    refute result.trace =~ "running"
    tried = result.trace |> String.split("\n") |> Enum.count(&(&1 =~ ~r/pruned|solved/))
    assert tried >= Enum.sum(Map.values(result.tried)) and tried > 12
    assert snapshot(root) == before
  end

  test "gives up when the time is over" do
    root = Fixture.create(Map.merge(@healthy, @hopeless))
    assert {:ok, %{status: :none, reason: reason}} = Fix.run(root, budget: 0.001)
    assert reason =~ "the time is over"
  end

  @tag :tmp_dir
  test "patches are written where their names say, and nowhere outside of the project", %{tmp_dir: dir} do
    root = Path.join(dir, "project")
    File.mkdir_p!(root)
    odd = "od\e[31md.ex"
    for path <- [Path.join(dir, "outside.ex"), Path.join(root, odd)], do: File.write!(path, "old")

    # A name in a result has escapes for what rules a terminal.
    patch = %{file: Ambix.Files.name(odd), diff: "", text: "new", original: "old"}
    assert Fix.apply_patches(root, %{patches: [patch]}) == :ok
    assert File.read!(Path.join(root, odd)) == "new"

    for file <- ["../outside.ex", Path.join(dir, "outside.ex"), "."] do
      assert {:error, %Error{kind: :invalid_argument}} =
               Fix.apply_patches(root, %{patches: [%{patch | file: file, text: "bad"}]})

      assert File.read!(Path.join(dir, "outside.ex")) == "old"
    end
  end

  test "that is ended by force tells what it had found" do
    root = Fixture.create(Map.merge(@healthy, @hopeless))
    test = self()

    never = fn
      {:failing, tests} ->
        send(test, {:failing, tests})
        Process.sleep(:infinity)

      _ ->
        :ok
    end

    assert {:ok, %{status: :none} = result} = Fix.run(root, budget: 20, on_event: never)
    assert result.reason == "the time is over, and the run did not end by itself"
    assert_received {:failing, [_ | _] = tests}
    assert result.failing == tests
  end

  describe "one deadline holds for" do
    @sleeps Ambix.Sandbox.Fixture.edited("mix.exs", "defmodule", "Process.sleep(:infinity)\ndefmodule")
    @many """
    defmodule Tiny.ManyTest do
      use ExUnit.Case
      for n <- 1..5000 do
        test "number \#{n}", do: Process.sleep(10)
      end
    end
    """
    # Every candidate that is compiled takes longer than all the time there is.
    @slow_to_compile Fixture.edited(
                       "lib/cart.ex",
                       "defstruct",
                       "if System.get_env(\"AMBIX_SOCKET\"), do: :ok\n  defstruct"
                     )

    for {what, changes} <- [
          {"a mix.exs that sleeps", %{"mix.exs" => @sleeps}},
          {"thousands of tests", %{"test/many_test.exs" => @many}},
          {"a search that finds nothing", Map.merge(@healthy, @hopeless)},
          {"a test that hangs",
           %{
             "lib/cart.ex" =>
               @slow_to_compile |> String.replace("price + quantity", "Process.sleep(:infinity)")
           }}
        ] do
      test what do
        root = Fixture.create(unquote(Macro.escape(changes)))
        started = System.monotonic_time(:millisecond)
        assert {:ok, %{status: :none, reason: reason}} = Fix.run(root, budget: 6, workers: 1)
        # A quick machine tries all that a search knows before the time is over.
        exhausted? = unquote(what == "a search that finds nothing") and reason =~ "nothing is left to try"
        assert exhausted? or reason =~ "the time is over"
        # Two seconds late, and what a busy machine needs to end a VM.
        assert System.monotonic_time(:millisecond) - started < 30_000
        Ambix.Test.Wait.wait_until(fn -> Ambix.Test.Wait.processes(root) == [] end)
      end
    end
  end

  test "mends what is slow when it works, though it fails at once" do
    slow = """
    defmodule Tiny.Slow do
      def work(n) when n > 3, do: :refused

      def work(n) do
        Process.sleep(600)
        n * 2
      end
    end
    """

    test = """
    defmodule Tiny.SlowTest do
      use ExUnit.Case
      test "works", do: assert Tiny.Slow.work(5) == 10
    end
    """

    root = Fixture.create(Map.merge(@healthy, %{"lib/slow.ex" => slow, "test/slow_test.exs" => test}))

    assert {:ok, %{status: :mended, patches: [%{file: "lib/slow.ex"}]}} =
             Fix.run(root, max_candidates: 60, budget: @ample)
  end

  test "mends a module on one line" do
    module = "defmodule Tiny.Line, do: (\n  def less(a, b), do: a > b\n)\n"

    test = """
    defmodule Tiny.LineTest do
      use ExUnit.Case
      test "less", do: assert {Tiny.Line.less(1, 2), Tiny.Line.less(2, 1), Tiny.Line.less(1, 1)} == {true, false, false}
    end
    """

    root = Fixture.create(Map.merge(@healthy, %{"lib/line.ex" => module, "test/line_test.exs" => test}))
    assert {:ok, %{status: :mended, patches: [%{diff: diff}]}} = Fix.run(root, budget: @ample)
    assert diff =~ "+  def less(a, b), do: a < b"
  end

  test "a stack that claims an impossible line does no harm" do
    boom = """
    :erlang.raise(:error, :boom, [{Tiny.Cart, :total, 1, [file: ~c"lib/cart.ex", line: 5_000_000_000]}])
    """

    changed =
      Fixture.edited(
        "lib/cart.ex",
        "cart.items\n    |>",
        "if cart.items != [] do\n #{boom} end\n    cart.items\n    |>"
      )

    changed = String.replace(changed, "price + quantity", "price * quantity")

    log =
      ExUnit.CaptureLog.capture_log(fn ->
        root = Fixture.create(%{"lib/cart.ex" => changed})
        assert {:ok, %{status: status}} = Fix.run(root, max_candidates: 40, budget: @ample)
        assert status in [:mended, :none]
      end)

    refute log =~ "cart"
  end

  test "an exception of the caller's own function is raised in the caller" do
    root = Fixture.create()
    assert_raise RuntimeError, "mine", fn -> Fix.run(root, on_event: fn _ -> raise "mine" end) end
    Ambix.Test.Wait.wait_until(fn -> Ambix.Test.Wait.processes(root) == [] end)
  end

  test "a dependency outside of the project is read only if the caller allows it" do
    near =
      Fixture.create(%{
        "mix.exs" =>
          "defmodule Near.MixProject do\n  use Mix.Project\n  def project, do: [app: :near, version: \"1.0.0\"]\nend\n",
        "lib/cart.ex" => "defmodule Near do\n  def one, do: 1\nend\n",
        "lib/application.ex" => nil,
        "lib/counter.ex" => nil,
        "lib/macros.ex" => nil
      })

    root =
      Fixture.create(%{
        "mix.exs" => Fixture.edited("mix.exs", "deps: []", "deps: [{:near, path: \"#{near}\"}]")
      })

    assert {:error, %Error{kind: :project, message: message}} = Fix.run(root)
    assert message =~ "allow_paths: [\"#{near}\"]"
    assert {:ok, %{status: :mended}} = Fix.run(root, allow_paths: [near], budget: @ample)
  end

  test "mends only what is named" do
    root = Fixture.create()
    assert {:ok, %{status: :nothing_failing}} = Fix.run(root, target: "test/other_test.exs", budget: @ample)
    assert {:ok, %{status: :mended}} = Fix.run(root, target: "lib/cart.ex:9", budget: @ample)
    assert {:error, %Error{kind: :not_found}} = Fix.run(root, target: "lib/none.ex")
    assert {:error, %Error{kind: :invalid_argument}} = Fix.run(root, target: "/etc/passwd")
  end

  test "folders that cannot be worked on are errors" do
    assert {:error, %Error{kind: :project, message: message}} = Fix.run(System.tmp_dir!())
    assert message =~ "mix.exs"

    no_tests = %{"test/cart_test.exs" => nil, "test/other_test.exs" => nil}
    assert {:error, %Error{kind: :project}} = Fix.run(Fixture.create(no_tests), budget: @ample)

    broken = %{"lib/cart.ex" => "defmodule Tiny.Cart do\n  def total(\n"}
    assert {:error, %Error{kind: :project}} = Fix.run(Fixture.create(broken), budget: @ample)
  end

  test "as an agent it can be watched and cancelled" do
    root = Fixture.create(Map.merge(@healthy, @hopeless))
    {:ok, agent} = Agent.start_link(Agent.Fixer, {root, budget: 600}, subscribers: [self()])
    assert_receive {:ambix_agent, ^agent, {:failing, _}}, 120_000
    assert %{state: :running} = Agent.status(agent)
    assert Agent.cancel(agent) == :ok
    assert {:error, %Error{kind: :cancelled}} = Agent.await(agent)
  end

  test "as an agent it writes the patch where it is told to" do
    root = Fixture.create()
    {:ok, agent} = Agent.start_link(Agent.Fixer, {root, budget: @ample, apply: true})
    assert {:ok, %{status: :mended, applied: true, patches: [patch]}} = Agent.await(agent)
    assert File.read!(Path.join(root, patch.file)) == patch.text
  end

  describe "mix ambix.fix" do
    defp task(argv) do
      test = self()
      argv = if "--budget" in argv, do: argv, else: argv ++ ["--budget", "600"]

      output =
        capture_io(fn ->
          code =
            try do
              Mix.Tasks.Ambix.Fix.run(argv)
              0
            catch
              :exit, {:shutdown, code} -> code
            end

          send(test, {:code, code})
        end)

      assert_received {:code, code}
      {output, code}
    end

    test "prints one line of JSON and applies the patch when asked" do
      root = Fixture.create()
      {output, 0} = task(["--root", root, "--json"])
      assert [line] = String.split(output, "\n", trim: true)
      assert {:ok, result} = JSON.decode(line)

      assert %{"status" => "mended", "patches" => [%{"file" => "lib/cart.ex", "diff" => "--- a/lib" <> _}]} =
               result

      assert [%{"file" => _, "line" => _, "score" => _} | _] = result["localised"]
      assert is_integer(result["executions"]) and is_float(result["seconds"])
      assert File.read!(Path.join(root, "lib/cart.ex")) =~ "price + quantity"

      {_, 0} = task(["--root", root, "--json", "--apply"])
      assert File.read!(Path.join(root, "lib/cart.ex")) =~ "price * quantity"
      {output, 0} = task(["--root", root, "--json"])
      assert {:ok, %{"status" => "nothing_failing", "patches" => []}} = JSON.decode(output)
    end

    test "what it prints is taken by git apply, and with --quiet the patch is all that it prints" do
      root = Fixture.create()
      {quiet, 0} = task(["--root", root, "--quiet"])
      assert "--- a/lib/cart.ex\n+++ b/lib/cart.ex\n@@ " <> _ = quiet
      {loud, 0} = task(["--root", root])

      for {text, name} <- [{quiet, "quiet.patch"}, {loud, "loud.patch"}] do
        File.write!(Path.join(root, name), text)
        assert {_, 0} = System.cmd("git", ["apply", "--check", name], cd: root, stderr_to_stdout: true)
      end
    end

    test "exits with 2 when there is no patch" do
      root = Fixture.create(Map.merge(@healthy, @hopeless))
      {output, 2} = task(["--root", root, "--budget", "0.001"])
      assert output =~ "no patch found"
    end
  end
end
