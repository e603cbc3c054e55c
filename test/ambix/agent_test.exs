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

    def step(:apart, emit) do
      fn -> emit.(:from_elsewhere) end |> Task.async() |> Task.await()
      {:done, :liftoff, nil}
    end

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

  test "a step may report from another process" do
    {:ok, agent} = Agent.start_link(Countdown, :apart, subscribers: [self()])
    assert Agent.await(agent) == {:ok, :liftoff}
    assert_received {:ambix_agent, ^agent, :from_elsewhere}
  end

  test "a crash ends the work, unless it may be tried again" do
    {:ok, agent} = Agent.start_link(Countdown, crashing(1, 1), subscribers: [self()])
    assert {:error, %Error{kind: :limit, message: message}} = Agent.await(agent)
    assert message =~ "a step crashed: ** (exit) :broken"
    assert_received {:ambix_agent, ^agent, {:ended, {:error, %Error{kind: :limit}}}}
    assert %{state: :failed, crashes: 1} = Agent.status(agent)
  end

  # Where a step may crash: before it does anything, with a process that it started at work, with a message that it waits for
  # on its way, and after it has told of something.
  defmodule Fragile do
    @behaviour Ambix.Agent

    def init({point, counter, test}), do: {:ok, {point, counter, test, []}}
    def step({_, _, _, [_, _] = done}, _emit), do: {:done, done, nil}

    def step({point, counter, test, done}, emit) do
      crash(:start, point, counter)
      parent = self()

      worker =
        spawn_link(fn ->
          receive do
            :work -> send(parent, {self(), :worked})
          end
        end)

      send(test, {:worker, worker})
      crash(:started, point, counter)
      send(worker, :work)
      crash(:in_flight, point, counter)
      receive(do: ({^worker, :worked} -> :ok))
      emit.(:worked)
      crash(:emitted, point, counter)
      {:continue, {point, counter, test, [:worked | done]}}
    end

    defp crash(point, point, counter) do
      if :counters.get(counter, 1) == 0 do
        :counters.add(counter, 1, 1)
        raise "secret"
      end
    end

    defp crash(_here, _point, _counter), do: :ok
  end

  for point <- [:start, :started, :in_flight, :emitted], retries <- [0, 1] do
    test "a step that crashes (#{point}) leaves nothing behind, with #{retries} retries" do
      counter = :counters.new(1, [])

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          {:ok, agent} =
            Agent.start_link(Fragile, {unquote(point), counter, self()}, retries: unquote(retries))

          case unquote(retries) do
            0 -> assert {:error, %Error{kind: :limit}} = Agent.await(agent, 10_000)
            1 -> assert Agent.await(agent, 10_000) == {:ok, [:worked, :worked]}
          end

          assert Agent.status(agent).crashes == 1
          GenServer.stop(agent)
        end)

      refute log =~ "secret"
      assert_all_end()
    end
  end

  defp assert_all_end do
    receive do
      {:worker, worker} ->
        monitor = Process.monitor(worker)
        assert_receive {:DOWN, ^monitor, :process, _, _}, 10_000
        assert_all_end()
    after
      0 -> :ok
    end
  end

  test "subscribers hear of the end, late ones too, and dead ones are forgotten" do
    {:ok, agent} = Agent.start_link(Countdown, {:wait, self()}, subscribers: [self(), self()])
    assert_receive {:waiting, _}

    {dead, monitor} = spawn_monitor(fn -> Agent.subscribe(agent) end)
    assert_receive {:DOWN, ^monitor, :process, ^dead, _}
    assert Agent.subscribe(agent) == :ok
    assert %{subscribers: subscribers} = :sys.get_state(agent)
    assert Map.values(subscribers) == [self()]

    :ok = Agent.cancel(agent)
    assert_receive {:ambix_agent, ^agent, {:ended, {:error, %Error{kind: :cancelled}}}}
    refute_received {:ambix_agent, ^agent, {:ended, _}}
    :ok = Agent.subscribe(agent)
    assert_receive {:ambix_agent, ^agent, {:ended, {:error, %Error{kind: :cancelled}}}}
  end

  test "an agent for one task stops when that is done" do
    {:ok, agent} = Agent.start_link(Countdown, 1, stop_when_done: true, subscribers: [self()])
    monitor = Process.monitor(agent)
    assert_receive {:ambix_agent, ^agent, {:ended, {:ok, :liftoff}}}
    assert_receive {:DOWN, ^monitor, :process, ^agent, :normal}
  end

  test "a crash costs a step and nothing else" do
    {:ok, agent} = Agent.start_link(Countdown, crashing(2, 1), subscribers: [self()], retries: 2)
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
