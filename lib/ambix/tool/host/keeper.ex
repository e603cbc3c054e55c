defmodule Ambix.Tool.Host.Keeper do
  @moduledoc false
  # Keeps the indexes of the packages of a project, from the first question for them on. They are made in a task, so that who asks
  # meanwhile hears how far they are. Where `mix.lock` or `mix.exs` is another one, they are opened anew.

  use GenServer
  use Ambix.Redact

  alias Ambix.{Error, Packages, Redact}
  alias Ambix.Tool.Host

  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: opts[:name])

  @doc "The packages, or how far they are after so many milliseconds."
  @spec get(atom, non_neg_integer) :: {:ok, Packages.t()} | {:opening, map} | {:error, Error.t()}
  def get(name, wait) do
    GenServer.call(name, {:get, wait}, :infinity)
  catch
    :exit, _ -> {:error, Error.new(:unavailable, "the host of these tools has ended; start it again")}
  end

  @impl GenServer
  def init(opts) do
    # What reads ends with this process, but not the other way round.
    Process.flag(:trap_exit, true)

    {:ok,
     %{
       root: opts[:root],
       options: opts[:options],
       packages: nil,
       lock: nil,
       task: nil,
       progress: %{},
       waiting: %{}
     }}
  end

  @impl GenServer
  def handle_call({:get, wait}, from, state) do
    lock = lock(state.root)

    if state.packages && state.lock == lock do
      {:reply, {:ok, state.packages}, state}
    else
      timer = Process.send_after(self(), {:enough, from}, wait)
      {:noreply, opening(%{state | waiting: Map.put(state.waiting, from, timer)}, lock)}
    end
  end

  def handle_call(_request, _from, state),
    do: {:reply, {:error, Error.new(:invalid_argument, "a host knows no such request")}, state}

  @impl GenServer
  def handle_cast(_request, state), do: {:noreply, state}

  @impl GenServer
  def handle_info({:enough, from}, state) do
    if is_map_key(state.waiting, from), do: GenServer.reply(from, {:opening, Host.progress(state.progress)})
    {:noreply, %{state | waiting: Map.delete(state.waiting, from)}}
  end

  def handle_info({:progress, pid, progress}, %{task: {pid, _}} = state),
    do: {:noreply, %{state | progress: progress}}

  def handle_info({pid, :done, result}, %{task: {pid, monitor}} = state) do
    Process.demonitor(monitor, [:flush])
    {:noreply, done(result, state)}
  end

  def handle_info({:DOWN, monitor, :process, _, reason}, %{task: {_, monitor}} = state) do
    error = Error.new(:panic, "the reading of dependencies crashed: #{Redact.reason(reason)}")
    {:noreply, done({:error, error}, state)}
  end

  def handle_info(_message, state), do: {:noreply, state}

  defp opening(%{task: nil} = state, lock) do
    {keeper, %{root: root, options: options}} = {self(), state}

    pid =
      spawn_link(fn ->
        progress = &send(keeper, {:progress, self(), &1})
        send(keeper, {self(), :done, Packages.open(root, [progress: progress] ++ options)})
      end)

    %{state | task: {pid, Process.monitor(pid)}, lock: lock, packages: nil, progress: %{}}
  end

  defp opening(state, _lock), do: state

  defp done(result, state) do
    for {from, timer} <- state.waiting do
      Process.cancel_timer(timer)
      GenServer.reply(from, result)
    end

    packages = with {:ok, packages} <- result, do: packages, else: (_ -> nil)
    %{state | task: nil, waiting: %{}, packages: packages}
  end

  defp lock(root), do: Enum.map(~w(mix.lock mix.exs), &stamp(Path.join(root, &1)))

  defp stamp(path) do
    case File.stat(path, time: :posix) do
      {:ok, stat} -> {stat.size, stat.mtime}
      {:error, reason} -> reason
    end
  end
end
