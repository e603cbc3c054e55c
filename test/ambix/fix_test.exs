defmodule Ambix.FixTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO

  alias Ambix.{Agent, Error, Fix, JSON}
  alias Ambix.Sandbox.Fixture

  @moduletag timeout: 240_000

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

  test "mends a failing test, tells what it does, and touches nothing" do
    root = Fixture.create()
    before = snapshot(root)
    test = self()
    assert {:ok, result} = Fix.run(root, on_event: &send(test, {:event, &1}))

    assert %{status: :mended, patches: [%{file: "lib/cart.ex", diff: diff} = patch]} = result
    assert diff =~ "-    |> Enum.map(fn {price, quantity} -> price + quantity end)"
    assert diff =~ "+    |> Enum.map(fn {price, quantity} -> price * quantity end)"
    assert [%{id: "Tiny.CartTest: test total/1 multiplies"}] = result.failing
    assert Enum.any?(result.localised, &match?(%{file: "lib/cart.ex", line: 9}, &1))
    assert result.executions >= 3 and map_size(result.tried) > 0
    assert result.trace =~ "solved"
    assert result.mermaid =~ "flowchart"
    assert snapshot(root) == before

    assert_received {:event, {:failing, [%{message: "" <> _}]}}
    assert_received {:event, {:localised, [_ | _]}}
    assert_received {:event, {:proposed, count}} when count > 10
    assert_received {:event, {:candidate, %{label: _, solved: _, note: _}}}
    assert_received {:event, {:tree, _}}
    assert_received {:event, {:mended, [_]}}

    assert Fix.apply_patches(root, result) == :ok
    assert File.read!(Path.join(root, "lib/cart.ex")) == patch.text
    assert {:ok, %{status: :nothing_failing, patches: []}} = Fix.run(root)

    # What was changed in the meantime is not overwritten.
    File.write!(Path.join(root, "lib/cart.ex"), "# mine\n")
    assert {:error, %Error{kind: :locked}} = Fix.apply_patches(root, result)
    assert File.read!(Path.join(root, "lib/cart.ex")) == "# mine\n"
  end

  test "says so when it finds nothing, and what it tried" do
    root = Fixture.create(Map.merge(@healthy, @hopeless))
    before = snapshot(root)
    assert {:ok, result} = Fix.run(root, max_candidates: 20, workers: 1)
    assert %{status: :none, patches: []} = result
    assert Enum.sum(Map.values(result.tried)) in 1..20
    assert result.reason =~ ~r/tried|left/
    assert snapshot(root) == before
  end

  test "gives up when the time is over" do
    root = Fixture.create(Map.merge(@healthy, @hopeless))
    assert {:ok, %{status: :none, reason: reason}} = Fix.run(root, budget: 0.001)
    assert reason == "the time is over"
  end

  test "mends only what is named" do
    root = Fixture.create()
    assert {:ok, %{status: :nothing_failing}} = Fix.run(root, target: "test/other_test.exs")
    assert {:ok, %{status: :mended}} = Fix.run(root, target: "lib/cart.ex:9")
    assert {:error, %Error{kind: :not_found}} = Fix.run(root, target: "lib/none.ex")
    assert {:error, %Error{kind: :invalid_argument}} = Fix.run(root, target: "/etc/passwd")
  end

  test "folders that cannot be worked on are errors" do
    assert {:error, %Error{kind: :project, message: message}} = Fix.run(System.tmp_dir!())
    assert message =~ "mix.exs"

    no_tests = %{"test/cart_test.exs" => nil, "test/other_test.exs" => nil}
    assert {:error, %Error{kind: :project}} = Fix.run(Fixture.create(no_tests))

    broken = %{"lib/cart.ex" => "defmodule Tiny.Cart do\n  def total(\n"}
    assert {:error, %Error{kind: :project}} = Fix.run(Fixture.create(broken))
  end

  test "as an agent it can be watched and cancelled" do
    root = Fixture.create(Map.merge(@healthy, @hopeless))
    {:ok, agent} = Agent.start_link(Agent.Fixer, {root, budget: 600}, subscribers: [self()])
    assert_receive {:ambix_agent, ^agent, {:failing, _}}, 120_000
    assert %{state: :running} = Agent.status(agent)
    assert Agent.cancel(agent) == :ok
    assert {:error, %Error{kind: :cancelled}} = Agent.await(agent)
  end

  describe "mix ambix.fix" do
    defp task(argv) do
      test = self()

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

    test "exits with 2 when there is no patch" do
      root = Fixture.create(Map.merge(@healthy, @hopeless))
      {output, 2} = task(["--root", root, "--budget", "0.001"])
      assert output =~ "no patch found"
    end
  end
end
