defmodule Ambix.MCP.Gate do
  @moduledoc false
  # Lets so many requests of a server work at once. The others wait in its line, and leave it when their process ends.

  use GenServer
  use Ambix.Redact

  alias Ambix.MCP.Queue

  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: opts[:name])

  @doc "Waits until the calling process may work, which it does until it ends or leaves."
  @spec enter(GenServer.server()) :: :ok | :full
  def enter(gate), do: GenServer.call(gate, :enter, :infinity)

  @spec leave(GenServer.server()) :: :ok
  def leave(gate), do: GenServer.cast(gate, {:leave, self()})

  @impl true
  def init(opts), do: {:ok, %{queue: Queue.new(opts[:at_once], opts[:waiting]), callers: %{}}}

  @impl true
  def handle_call(:enter, {pid, _} = from, state) do
    case Queue.enter(state.queue, pid) do
      {:full, _queue} ->
        {:reply, :full, state}

      {:start, queue} ->
        {:reply, :ok, known(%{state | queue: queue}, pid, nil)}

      {:wait, queue} ->
        {:noreply, known(%{state | queue: queue}, pid, from)}
    end
  end

  @impl true
  def handle_cast({:leave, pid}, state), do: {:noreply, gone(state, pid)}

  @impl true
  def handle_info({:DOWN, _monitor, :process, pid, _reason}, state), do: {:noreply, gone(state, pid)}

  defp known(state, pid, from) do
    %{state | callers: Map.put(state.callers, pid, %{monitor: Process.monitor(pid), from: from})}
  end

  defp gone(%{callers: callers} = state, pid) when is_map_key(callers, pid) do
    {%{monitor: monitor}, callers} = Map.pop(callers, pid)
    Process.demonitor(monitor, [:flush])
    {next, queue} = Queue.leave(state.queue, pid)
    for pid <- next, do: GenServer.reply(callers[pid].from, :ok)
    %{state | queue: queue, callers: callers}
  end

  defp gone(state, _pid), do: state
end
