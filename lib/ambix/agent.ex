defmodule Ambix.Agent do
  @moduledoc """
  An agent: a GenServer that works on a task in steps, and answers at any time how far it has come.

  A module that implements this behaviour says how to begin and what one step is. The agent runs the steps in a process
  of its own, so it is never blocked: `status/1`, `cancel/1` and new subscribers are served while a step runs.

  A step owns what it starts: processes that are to outlive it, and messages that are to come to it, are lost when it crashes.
  So what a step needs of earlier ones is in the state, as plain data. A crash ends the agent's work with an error, unless
  `:retries` allows to try the step again from the state before it.

      defmodule Countdown do
        @behaviour Ambix.Agent

        def init(from), do: {:ok, from}
        def step(0, _emit), do: {:done, :liftoff, 0}

        def step(n, emit) do
          emit.({:left, n})
          {:continue, n - 1}
        end
      end

      {:ok, agent} = Ambix.Agent.start_link(Countdown, 3)
      {:ok, :liftoff} = Ambix.Agent.await(agent)

  `Ambix.Agent.Fixer` is an agent that mends the failing tests of a project.
  """

  use GenServer, restart: :temporary
  use Ambix.Redact

  alias Ambix.{Error, Options, Telemetry}

  @typedoc """
  What a step may report while it runs. Subscribers get it as `{:ambix_agent, pid, event}`; when the work has ended they get
  `{:ambix_agent, pid, {:ended, result}}` with what `await/2` returns, as the last message.
  """
  @type event :: term

  @doc "The state to begin with."
  @callback init(argument :: term) :: {:ok, state :: term} | {:error, Error.t()}

  @doc "One step. `emit` reports an event to those who subscribed."
  @callback step(state :: term, emit :: (event -> :ok)) ::
              {:continue, state :: term}
              | {:done, result :: term, state :: term}
              | {:error, Error.t(), state :: term}

  # Milliseconds that a step which traps exits has to end.
  @patience 5_000

  @start_options [
    name: [type: :any, default: nil, doc: "a name, as for `GenServer.start_link/3`"],
    retries: [
      type: :non_neg_integer,
      default: 0,
      doc: "how often in a row a step that crashes is tried again from the state before it"
    ],
    max_steps: [
      type: :pos_integer,
      default: 100_000,
      doc: "end with an error of the kind `:limit` after so many steps"
    ],
    subscribers: [
      type: {:list, :any},
      default: [],
      doc: "processes that get the events from the first one on"
    ],
    stop_when_done: [
      type: :boolean,
      default: false,
      doc: "stop when the work has ended: who waits by then, or has subscribed, gets the result"
    ]
  ]

  @doc """
  Starts an agent, which begins its work at once.

  ## Options
  #{Options.docs(@start_options)}
  """
  @spec start_link(module, term, keyword) :: GenServer.on_start()
  def start_link(module, argument, opts \\ []) when is_atom(module) do
    opts = Options.validate!(opts, @start_options)
    server_opts = if opts[:name], do: [name: opts[:name]], else: []
    GenServer.start_link(__MODULE__, {module, argument, opts}, server_opts)
  end

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [start_link: @start_options]

  @doc false
  def start_link({module, argument, opts}), do: start_link(module, argument, opts)

  @doc "Waits for the result. `timeout` is in milliseconds or `:infinity`."
  @spec await(GenServer.server(), timeout) :: {:ok, term} | {:error, Error.t()}
  def await(agent, timeout \\ :infinity), do: GenServer.call(agent, :await, timeout)

  @doc "Where the agent is: `:running` or how it ended, how many steps it has made, and how often a step crashed."
  @spec status(GenServer.server()) :: %{
          state: :running | :done | :failed | :cancelled,
          steps: non_neg_integer,
          crashes: non_neg_integer
        }
  def status(agent), do: GenServer.call(agent, :status)

  @doc """
  From now on the calling process gets `{:ambix_agent, pid, event}` for each event, and at once that of the end if the work has
  ended. To subscribe twice is to subscribe once; a subscriber that ends is forgotten.
  """
  @spec subscribe(GenServer.server()) :: :ok
  def subscribe(agent), do: GenServer.call(agent, :subscribe)

  @doc "Stops the work. Those who wait get an error of the kind `:cancelled`."
  @spec cancel(GenServer.server()) :: :ok
  def cancel(agent), do: GenServer.call(agent, :cancel)

  @impl true
  def init({module, argument, opts}) do
    Process.flag(:trap_exit, true)

    case module.init(argument) do
      {:ok, state} ->
        agent = %{
          module: module,
          state: state,
          result: nil,
          steps: 0,
          crashes: 0,
          crashes_in_row: 0,
          retries: opts[:retries],
          max_steps: opts[:max_steps],
          stop_when_done: opts[:stop_when_done],
          waiting: [],
          # Process by monitor.
          subscribers: %{},
          worker: nil
        }

        {:ok, opts[:subscribers] |> Enum.reduce(agent, &add_subscriber/2) |> work()}

      {:error, error} ->
        {:stop, {:shutdown, error}}
    end
  end

  @impl true
  def handle_call(:await, from, %{result: nil} = agent),
    do: {:noreply, %{agent | waiting: [from | agent.waiting]}}

  def handle_call(:await, _from, agent), do: {:reply, agent.result, agent}

  def handle_call(:status, _from, agent) do
    {:reply, %{state: how(agent.result), steps: agent.steps, crashes: agent.crashes}, agent}
  end

  def handle_call(:subscribe, {pid, _}, agent) do
    if agent.result != nil, do: send(pid, {:ambix_agent, self(), {:ended, agent.result}})
    {:reply, :ok, add_subscriber(pid, agent)}
  end

  def handle_call(:cancel, from, %{result: nil} = agent) do
    stop_worker(agent.worker)
    GenServer.reply(from, :ok)
    finish(agent, {:error, Error.new(:cancelled, "the agent was cancelled")})
  end

  def handle_call(:cancel, _from, agent), do: {:reply, :ok, agent}

  @impl true
  def handle_info({worker, {:event, event}}, %{worker: worker} = agent) do
    publish(agent, event)
    {:noreply, agent}
  end

  def handle_info({worker, {:stepped, outcome}}, %{worker: worker} = agent) do
    agent = %{agent | steps: agent.steps + 1, crashes_in_row: 0}

    case outcome do
      {:continue, state} when agent.steps >= agent.max_steps ->
        stop_worker(worker)
        error = Error.new(:limit, "the agent did not finish within #{agent.max_steps} steps")
        finish(%{agent | state: state}, {:error, error})

      {:continue, state} ->
        {:noreply, %{agent | state: state}}

      {:done, result, state} ->
        finish(%{agent | state: state}, {:ok, result})

      {:error, error, state} ->
        finish(%{agent | state: state}, {:error, error})
    end
  end

  # The worker goes when its work is done; only when it goes before that was it a crash.
  def handle_info({:EXIT, worker, reason}, %{worker: worker, result: nil} = agent) do
    agent = %{agent | crashes: agent.crashes + 1, crashes_in_row: agent.crashes_in_row + 1, worker: nil}

    if agent.crashes_in_row > agent.retries do
      times = if agent.crashes_in_row == 1, do: "", else: " #{agent.crashes_in_row} times in a row"
      finish(agent, {:error, Error.new(:limit, "a step crashed#{times}: #{how_crashed(reason)}")})
    else
      {:noreply, work(agent)}
    end
  end

  def handle_info({:DOWN, monitor, :process, _, _}, agent),
    do: {:noreply, %{agent | subscribers: Map.delete(agent.subscribers, monitor)}}

  def handle_info({:EXIT, parent, reason}, agent) do
    if parent == hd(Process.get(:"$ancestors", [nil])), do: {:stop, reason, agent}, else: {:noreply, agent}
  end

  def handle_info(_message, agent), do: {:noreply, agent}

  @impl true
  def terminate(_reason, agent), do: stop_worker(agent.worker)

  defp work(%{module: module, state: state} = agent) do
    agent_pid = self()
    %{agent | worker: spawn_link(fn -> loop(agent_pid, module, state) end)}
  end

  defp loop(agent, module, state) do
    # A step may report from a process of its own.
    worker = self()

    emit = fn event ->
      send(agent, {worker, {:event, event}})
      :ok
    end

    outcome = step(module, state, emit)
    send(agent, {worker, {:stepped, outcome}})

    case outcome do
      {:continue, state} -> loop(agent, module, state)
      _ -> :ok
    end
  end

  # The crash is the agent's to tell. A log of it would hold the state, which is the caller's.
  defp step(module, state, emit) do
    Telemetry.span([:ambix, :agent, :step], %{agent: module}, fn -> module.step(state, emit) end)
  catch
    kind, reason -> exit({:shutdown, {:crashed, Exception.format_banner(kind, reason, __STACKTRACE__)}})
  end

  defp how_crashed({:shutdown, {:crashed, text}}), do: text
  defp how_crashed(reason), do: Exception.format_exit(reason)

  defp stop_worker(nil), do: :ok

  defp stop_worker(worker) do
    Process.unlink(worker)
    monitor = Process.monitor(worker)
    # What the step started and linked gets the same signal, and ends in order.
    Process.exit(worker, :shutdown)

    receive do
      {:DOWN, ^monitor, :process, ^worker, _} -> :ok
    after
      @patience ->
        Process.exit(worker, :kill)

        receive do
          {:DOWN, ^monitor, :process, ^worker, _} -> :ok
        end
    end
  end

  defp finish(agent, result) do
    for from <- agent.waiting, do: GenServer.reply(from, result)
    publish(agent, {:ended, result})
    agent = %{agent | result: result, waiting: [], worker: nil}
    if agent.stop_when_done, do: {:stop, :normal, agent}, else: {:noreply, agent}
  end

  defp publish(agent, event) do
    for {_, subscriber} <- agent.subscribers, do: send(subscriber, {:ambix_agent, self(), event})
  end

  defp add_subscriber(pid, agent) do
    if pid in Map.values(agent.subscribers),
      do: agent,
      else: put_in(agent.subscribers[Process.monitor(pid)], pid)
  end

  defp how(nil), do: :running
  defp how({:ok, _}), do: :done
  defp how({:error, %Error{kind: :cancelled}}), do: :cancelled
  defp how({:error, _}), do: :failed
end
