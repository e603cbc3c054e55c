defmodule Ambix.AgentTest do
  use ExUnit.Case, async: true

  alias Ambix.{Agent, Error}

  defmodule Countdown do
    @behaviour Ambix.Agent

    def init(:refuse), do: {:error, Error.new(:project, "no")}
    def init(from), do: {:ok, from}

    def step(0, _emit), do: {:done, :liftoff, 0}

    def step(n, emit) when is_integer(n) do
      emit.({:left, n})
      {:continue, n - 1}
    end

    # Crashes as often as the counter says, then goes on.
    def step({:crash, counter, n}, emit) do
      if :counters.get(counter, 1) > 0 do
        :counters.sub(counter, 1, 1)
        exit(:broken)
      end

      emit.(:survived)
      {:continue, n}
    end

    def step(:forever, _emit), do: {:continue, :forever}

    def step({:wait, pid}, _emit) do
      send(pid, {:waiting, self()})
      receive do: (:never -> :ok)
    end
  end

  defp crashing(times, state) do
    counter = :counters.new(1, [])
    :counters.put(counter, 1, times)
    {:crash, counter, state}
  end

  test "runs its steps, reports events, and keeps its result" do
    {:ok, agent} = Agent.start_link(Countdown, 2, subscribers: [self()])
    assert Agent.await(agent) == {:ok, :liftoff}
    assert Agent.await(agent) == {:ok, :liftoff}
    assert_received {:ambix_agent, ^agent, {:left, 2}}
    assert_received {:ambix_agent, ^agent, {:left, 1}}
    assert Agent.status(agent) == %{state: :done, steps: 3, crashes: 0}
  end

  test "a crash costs a step and nothing else" do
    {:ok, agent} = Agent.start_link(Countdown, crashing(2, 1), subscribers: [self()])
    assert Agent.await(agent) == {:ok, :liftoff}
    assert_received {:ambix_agent, ^agent, :survived}
    assert %{state: :done, crashes: 2} = Agent.status(agent)
  end

  test "crashing again and again is an error" do
    {:ok, agent} = Agent.start_link(Countdown, crashing(9, 1), retries: 1)
    assert {:error, %Error{kind: :limit, message: message}} = Agent.await(agent)
    assert message =~ "crashed 2 times"
    assert %{state: :failed} = Agent.status(agent)
  end

  test "steps without end are an error" do
    {:ok, agent} = Agent.start_link(Countdown, :forever, max_steps: 10)
    assert {:error, %Error{kind: :limit}} = Agent.await(agent)
  end

  test "answers while a step runs, and can be cancelled in the middle of it" do
    {:ok, agent} = Agent.start_link(Countdown, {:wait, self()})
    assert_receive {:waiting, worker}
    monitor = Process.monitor(worker)
    waiter = Task.async(fn -> Agent.await(agent) end)
    assert %{state: :running} = Agent.status(agent)
    assert Agent.cancel(agent) == :ok
    assert_receive {:DOWN, ^monitor, :process, ^worker, :shutdown}
    assert {:error, %Error{kind: :cancelled}} = Task.await(waiter)
    assert %{state: :cancelled} = Agent.status(agent)
  end

  test "its worker ends with it" do
    {:ok, agent} = Agent.start_link(Countdown, {:wait, self()})
    assert_receive {:waiting, worker}
    monitor = Process.monitor(worker)
    GenServer.stop(agent)
    assert_receive {:DOWN, ^monitor, :process, ^worker, _}
  end

  test "a refused beginning is the error itself" do
    Process.flag(:trap_exit, true)
    assert {:error, {:shutdown, %Error{kind: :project}}} = Agent.start_link(Countdown, :refuse)
  end
end
