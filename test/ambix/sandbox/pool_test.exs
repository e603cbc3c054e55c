defmodule Ambix.Sandbox.PoolTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Wait

  alias Ambix.{Error, Sandbox}
  alias Ambix.Sandbox.Pool

  @moduletag timeout: 120_000

  defp run(pool, code), do: Sandbox.run({:elixir, code}, pool: pool)

  test "snippets run as scripts do, and each in a VM of its own" do
    pool = start_supervised!({Pool, size: 1, wall_clock_ms: 20_000})
    leave = "File.write!(\"/tmp/left\", \"x\"); Application.put_env(:kernel, :left, 1); IO.puts(6 * 7)"
    assert {:ok, %{status: :exited, exit_status: 0, output: "42\n"}} = run(pool, leave)

    look =
      "IO.inspect({File.exists?(\"/tmp/left\"), Application.get_env(:kernel, :left), System.get_env(\"AMBIX_SOCKET\")})"

    assert {:ok, %{output: "{false, nil, nil}\n"}} = run(pool, look)
    assert {:ok, %{exit_status: 1, output: output}} = run(pool, "raise \"no\"")
    assert output =~ "(RuntimeError) no"
    assert {:ok, %{exit_status: 3}} = run(pool, "defmodule X do\n def f, do: 3\nend\nSystem.halt(X.f())")
    assert {:ok, %{exit_status: 1}} = run(pool, "1 +")
  end

  test "time counts from when the snippet is handed over, and callers share the VMs" do
    pool = start_supervised!({Pool, size: 2, wall_clock_ms: 8_000})
    tasks = for n <- 1..4, do: Task.async(fn -> run(pool, "IO.puts(#{n})") end)
    outputs = for task <- tasks, {:ok, result} = Task.await(task, 60_000), do: result.output
    assert outputs == ["1\n", "2\n", "3\n", "4\n"]
    assert {:ok, %{status: :wall_clock, exit_status: nil}} = run(pool, "Process.sleep(:infinity)")
  end

  test "what runs ends with its caller, and what waits with the pool" do
    mark = "AMBIX_POOL_#{System.unique_integer([:positive])}"
    {:ok, pool} = Pool.start_link(size: 1, env: %{"MARK" => mark})
    caller = spawn(fn -> run(pool, "Process.sleep(:infinity)") end)
    wait_until(fn -> length(processes(mark)) > 1 end)
    Process.exit(caller, :kill)
    Pool.stop(pool)
    wait_until(fn -> processes(mark) == [] end)
  end

  test "wrong arguments are refused" do
    for opts <- [[size: 0], [size: "1"], [no_such_limit: 1], [memory_mb: 1]] do
      assert {:error, %Error{kind: :invalid_argument}} = Pool.start_link(opts)
    end

    assert {:error, %Error{kind: :unavailable}} = Pool.start_link(bubblewrap: "no-such-program")
    assert {:error, %Error{kind: :sandbox}} = Sandbox.run({:elixir, "1"}, pool: :no_such_pool)
    assert {:error, %Error{kind: :invalid_argument}} = Sandbox.run(["true"], pool: self())

    assert {:error, %Error{kind: :invalid_argument}} =
             Sandbox.run({:elixir, "1"}, pool: self(), memory_mb: 100)
  end
end
