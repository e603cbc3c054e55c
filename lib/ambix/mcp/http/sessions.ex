defmodule Ambix.MCP.HTTP.Sessions do
  @moduledoc false
  # Connections of legacy clients that come by HTTP, by the ids that these send. The revision 2026-07-28 has none.

  use GenServer

  alias Ambix.MCP.{Connection, Server}

  @idle_ms 3_600_000

  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: opts[:name])

  @doc "A new session."
  @spec open(Server.t()) :: {:ok, String.t(), pid} | :full
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
  def handle_call({:open, _server, _leader}, _from, state) when map_size(state.sessions) >= state.max,
    do: {:reply, :full, state}

  def handle_call({:open, server, leader}, _from, state) do
    # Its processes inherit where their output goes.
    Process.group_leader(self(), leader)
    {:ok, pid} = Connection.start_link(server: server, idle_ms: @idle_ms)
    id = Base.url_encode64(:crypto.strong_rand_bytes(24), padding: false)
    {:reply, {:ok, id, pid}, %{state | sessions: Map.put(state.sessions, id, pid)}}
  end

  def handle_call({:fetch, id}, _from, state) do
    {:reply, with(:error <- Map.fetch(state.sessions, id), do: :unknown), state}
  end

  def handle_call({:close, id}, _from, state) do
    case Map.pop(state.sessions, id) do
      {nil, _sessions} ->
        {:reply, :unknown, state}

      {pid, sessions} ->
        Process.exit(pid, :shutdown)
        {:reply, :ok, %{state | sessions: sessions}}
    end
  end

  @impl true
  def handle_info({:EXIT, pid, _reason}, state) do
    {:noreply, %{state | sessions: Map.reject(state.sessions, fn {_, session} -> session == pid end)}}
  end
end
