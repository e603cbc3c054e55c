defmodule Ambix.ContainedTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Ambix.Contained

  test "a crash, however it comes, is an answer without a value in it, and is not logged" do
    secret = "the text of a test"

    crashes = [
      fn -> raise secret end,
      fn -> throw(secret) end,
      fn -> exit({:sandbox, secret}) end,
      fn -> apply(String, :length, [{secret}]) end,
      fn -> Process.exit(self(), :kill) && receive(do: (:never -> :ok)) end,
      fn -> raise ErlangError, original: {secret} end
    ]

    log =
      capture_log(fn ->
        for fun <- crashes do
          assert {:crashed, how} = Contained.run(fun, 10_000)
          refute how =~ secret
        end
      end)

    refute log =~ secret
    assert {:crashed, "FunctionClauseError in String.length/1"} = Contained.run(Enum.at(crashes, 3), 10_000)
  end

  test "what is started there and dies does no harm, and what lives ends with it" do
    test = self()

    fun = fn ->
      spawn_link(fn -> exit(:broken) end)
      send(test, {:child, spawn_link(fn -> receive(do: (:never -> :ok)) end)})
      receive(do: ({:EXIT, _, :broken} -> :alive))
    end

    assert Contained.run(fun, 10_000) == {:ok, :alive}
    assert_receive {:child, child}
    monitor = Process.monitor(child)
    assert_receive {:DOWN, ^monitor, :process, ^child, _}
  end

  test "it ends at the end of its time, and with its caller" do
    test = self()

    endless = fn ->
      send(test, {:worker, self()})
      receive(do: (:never -> :ok))
    end

    assert Contained.run(endless, 10) == :timeout
    assert_receive {:worker, worker}
    refute Process.alive?(worker)

    caller = spawn(fn -> Contained.run(endless, 60_000) end)
    assert_receive {:worker, worker}
    monitor = Process.monitor(worker)
    Process.exit(caller, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^worker, :killed}
    refute_received _
  end

  test "what the caller's own function raises is raised in the caller" do
    fun = Contained.callback(fn _ -> raise ArgumentError, "mine" end)
    assert_raise ArgumentError, "mine", fn -> Contained.run(fn -> fun.(1) end, 10_000) end
    assert Contained.run(fn -> Contained.callback(&(&1 + 1)).(1) end, 10_000) == {:ok, 2}
  end
end
