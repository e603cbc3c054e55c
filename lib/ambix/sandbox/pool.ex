defmodule Ambix.Sandbox.Pool do
  @moduledoc """
  Sandboxed VMs that have started already, for snippets of Elixir: to start one takes most of the time of `Ambix.Sandbox.run/2`.

      {:ok, pool} = Ambix.Sandbox.Pool.start_link(size: 2)
      {:ok, result} = Ambix.Sandbox.run({:elixir, "IO.puts(6 * 7)"}, pool: pool)

  Each VM runs one snippet and ends, so that none finds anything of another; the pool starts the next one at once. When none is
  ready, `run/2` waits until one is. The time limit of a snippet begins when it is handed to its VM.
  """

  use GenServer
  use Ambix.Redact

  alias Ambix.Error
  alias Ambix.Sandbox.{Box, Channel, Command, Limits, Result, Scratch}

  # What a snippet may be long.
  @frame_bytes 16 * 1_048_576
  @own_options [:read_only, :env, :cd, :bubblewrap, :unsafe_without_isolation, :cgroup]

  # Told to the Elixir that starts in the sandbox. The snippet is compiled as a script is.
  @boot ~S"""
  {:ok, socket} = :gen_tcp.connect({:local, System.fetch_env!("AMBIX_SOCKET")}, 0, [:binary, packet: 4, active: false])
  System.delete_env("AMBIX_SOCKET")
  {:ok, code} = :gen_tcp.recv(socket, 0)
  :gen_tcp.close(socket)
  Code.compile_string(code, "/run/script.exs")
  """

  @doc """
  Starts a pool.

  Options: `:size` (how many VMs wait, 1), `:name`, the limits of `Ambix.Sandbox.Limits`, and the options of `Ambix.Sandbox.run/2`; they hold for all
  snippets. Errors: `:invalid_argument`, `:unavailable`.
  """
  @spec start_link(keyword()) :: {:ok, pid()} | {:error, Error.t()}
  def start_link(opts \\ []) do
    {own, limits} = Keyword.split(opts, [:size, :name] ++ @own_options)

    with {:ok, limits} <- Limits.new(limits),
         :ok <- check_size(Keyword.get(own, :size, 1)),
         {:ok, how} <- Command.isolation(own) do
      state = %{
        how: how,
        limits: limits,
        options: Keyword.take(own, @own_options),
        size: Keyword.get(own, :size, 1),
        starting: %{},
        ready: [],
        waiting: :queue.new()
      }

      GenServer.start_link(__MODULE__, state, Keyword.take(own, [:name]))
    end
  end

  @doc false
  def child_spec(opts), do: %{id: opts[:name] || __MODULE__, start: {__MODULE__, :start_link, [opts]}}

  @doc "Ends the pool and its VMs; those that run a snippet go on."
  @spec stop(GenServer.server()) :: :ok
  def stop(pool), do: GenServer.stop(pool)

  @doc false
  @spec run(GenServer.server(), String.t()) :: {:ok, Result.t()} | {:error, Error.t()}
  def run(pool, code) do
    with {:ok, box, socket, limits} <- take(pool) do
      Box.begin(box, limits.wall_clock_ms)
      # A VM that has ended meanwhile says why.
      _ = :gen_tcp.send(socket, code)
      :gen_tcp.close(socket)
      Box.await(box)
    end
  end

  defp take(pool) do
    GenServer.call(pool, :take, :infinity)
  catch
    :exit, reason ->
      {:error, %Error{kind: :sandbox, message: "the pool of sandboxes is not running: #{inspect(reason)}"}}
  end

  @impl true
  def init(state) do
    Process.flag(:trap_exit, true)
    {:ok, fill(state)}
  end

  @impl true
  def handle_call(:take, {caller, _} = from, state) do
    case state.ready do
      [one | rest] -> {:reply, hand_over(one, caller, state.limits), fill(%{state | ready: rest})}
      [] -> {:noreply, fill(%{state | waiting: :queue.in(from, state.waiting)})}
    end
  end

  @impl true
  def handle_info({:ready, starter, answer}, state) do
    state = %{state | starting: Map.delete(state.starting, starter)}
    {:noreply, arrived(answer, state)}
  end

  # One that waits has ended, for lack of memory say.
  def handle_info({Box, box, _result}, state) do
    {:noreply, fill(%{state | ready: Enum.reject(state.ready, &(elem(&1, 0) == box))})}
  end

  def handle_info({:EXIT, starter, reason}, state) when is_map_key(state.starting, starter) do
    error = %Error{kind: :sandbox, message: "a sandbox could not be started: #{inspect(reason)}"}
    {:noreply, arrived({:error, error}, %{state | starting: Map.delete(state.starting, starter)})}
  end

  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state) do
    for starter <- Map.keys(state.starting), do: Process.exit(starter, :kill)
    for {box, _socket} <- state.ready, do: Box.stop(box)
  end

  # Whoever waits longest gets it. A failure is told to one who waits, and is not tried again before somebody asks.
  defp arrived(answer, state) do
    case {answer, :queue.out(state.waiting)} do
      {{:ok, one}, {:empty, _}} ->
        fill(%{state | ready: state.ready ++ [one]})

      {{:ok, one}, {{:value, {caller, _} = from}, waiting}} ->
        GenServer.reply(from, hand_over(one, caller, state.limits))
        fill(%{state | waiting: waiting})

      {{:error, _}, {:empty, _}} ->
        state

      {{:error, error}, {{:value, from}, waiting}} ->
        GenServer.reply(from, {:error, error})
        %{state | waiting: waiting}
    end
  end

  defp hand_over({box, socket}, caller, limits) do
    Box.give(box, caller)
    _ = :gen_tcp.controlling_process(socket, caller)
    {:ok, box, socket, limits}
  end

  # So many wait, and one for each caller who does.
  defp fill(state) do
    wanted = state.size + :queue.len(state.waiting) - length(state.ready) - map_size(state.starting)
    pool = self()

    starting =
      for _ <- 1..wanted//1, into: state.starting do
        {spawn_link(fn -> send(pool, {:ready, self(), start(pool, state)}) end), nil}
      end

    %{state | starting: starting}
  end

  defp start(pool, state) do
    with {:ok, {box, socket}} <- Scratch.with_new(&start(state.how, &1, state.limits, state.options)) do
      Box.give(box, pool)
      :ok = :gen_tcp.controlling_process(socket, pool)
      {:ok, {box, socket}}
    end
  end

  defp start(how, scratch, limits, options) do
    channel = Channel.open!(scratch, @frame_bytes)
    binds = [Channel.bind(channel) | Scratch.binds(scratch)] ++ Keyword.get(options, :read_only, [])
    environment = Map.merge(Keyword.get(options, :env, %{}), Channel.environment(channel, how))
    own = [limits: limits, scratch: scratch, read_only: binds, env: environment]

    with {:ok, command} <- Command.build(["elixir", "-e", @boot], Keyword.merge(options, own)),
         {:ok, box} <- Box.start(command, limits, clean_up: scratch),
         {:ok, socket} <- Channel.accept(channel, box),
         do: {:ok, {box, socket}}
  end

  defp check_size(size) when is_integer(size) and size in 1..64, do: :ok

  defp check_size(size) do
    message = "the size of a pool of sandboxes is an integer from 1 to 64, got #{inspect(size)}"
    {:error, %Error{kind: :invalid_argument, message: message}}
  end
end
