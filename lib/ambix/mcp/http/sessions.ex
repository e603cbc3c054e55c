defmodule Ambix.MCP.HTTP.Sessions do
  @moduledoc false
  # Connections of legacy clients that come by HTTP, by the ids that these send. The revision 2026-07-28 has none. Clients forget to end
  # theirs: a new one takes the place of the one that was not used for longest.

  use GenServer
  use Ambix.Redact

  alias Ambix.MCP.{Connection, Server}

  @idle_ms 3_600_000

  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: opts[:name])

  @doc "A new session."
  @spec open(Server.t()) :: {:ok, String.t(), pid}
  def open(server), do: GenServer.call(server.sessions, {:open, server, Process.group_leader()})

  @spec fetch(Server.t(), String.t()) :: {:ok, pid} | :unknown
  def fetch(server, id), do: GenServer.call(server.sessions, {:fetch, id})

  @doc "Ends a session, and all that is done for it."
  @spec close(Server.t(), String.t()) :: :ok | :unknown
  def close(server, id), do: GenServer.call(server.sessions, {:close, id})

  @impl true
  def init(opts) do
    Process.flag(:trap_exit, true)
    {:ok, %{max: opts[:max], sessions: %{}}}
  end

  @impl true
  def handle_call({:open, server, leader}, _from, state) do
    state = room(state)
    # Its processes inherit where their output goes.
    Process.group_leader(self(), leader)
    {:ok, pid} = Connection.start_link(server: server, idle_ms: @idle_ms)
    id = Base.url_encode64(:crypto.strong_rand_bytes(24), padding: false)
    {:reply, {:ok, id, pid}, used(state, id, pid)}
  end

  def handle_call({:fetch, id}, _from, state) do
    case state.sessions do
      %{^id => {pid, _used}} -> {:reply, {:ok, pid}, used(state, id, pid)}
      _ -> {:reply, :unknown, state}
    end
  end

  def handle_call({:close, id}, _from, state) when not is_map_key(state.sessions, id),
    do: {:reply, :unknown, state}

  def handle_call({:close, id}, _from, state), do: {:reply, :ok, ended(state, id)}

  @impl true
  def handle_info({:EXIT, pid, _reason}, state) do
    {:noreply, %{state | sessions: Map.reject(state.sessions, fn {_, {session, _}} -> session == pid end)}}
  end

  defp room(state) when map_size(state.sessions) < state.max, do: state

  defp room(state) do
    {id, _} = Enum.min_by(state.sessions, fn {_, {_, used}} -> used end)
    ended(state, id)
  end

  defp used(state, id, pid) do
    %{state | sessions: Map.put(state.sessions, id, {pid, System.monotonic_time()})}
  end

  defp ended(state, id) do
    {{pid, _used}, sessions} = Map.pop(state.sessions, id)
    Process.exit(pid, :shutdown)
    %{state | sessions: sessions}
  end
end
