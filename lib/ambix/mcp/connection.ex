defmodule Ambix.MCP.Connection do
  @moduledoc false
  # One client: its requests in flight, what its handshake agreed on, and what it wants to hear of. Requests run at the same time, each in a
  # process of its own; all that is sent for one goes through here, and nothing does after it was cancelled.

  use GenServer
  use Ambix.Redact

  alias Ambix.MCP.{Client, Fault, Frame, Listen, Methods, Outbox, Progress, Request, Server}

  # Requests that are known of at once, working, waiting or listening. The gate of the server bounds those that work.
  @max_requests 512
  @answer_ms 15 * 60_000

  @enforce_keys [:server]
  defstruct [
    :server,
    :outbox,
    :idle_ms,
    session: nil,
    hears: nil,
    requests: %{},
    pids: %{},
    listens: %{},
    asks: %{},
    asked: 0,
    settling: nil
  ]

  @doc """
  Starts a connection. Options: `:server`; `:outbox`, where what belongs to no request goes; `:idle_ms`, after which a connection
  without any message ends; `:name`.
  """
  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, Keyword.take(opts, [:name]))

  @doc "As `start_link/1`, for a connection that outlives the caller."
  @spec start(keyword) :: GenServer.on_start()
  def start(opts), do: GenServer.start(__MODULE__, opts, Keyword.take(opts, [:name]))

  @doc "A message of the client. What is answered goes to `outbox`."
  @spec deliver(GenServer.server(), Frame.t(), Outbox.t()) :: :ok
  def deliver(connection, frame, outbox), do: GenServer.call(connection, {:frame, frame, outbox}, :infinity)

  @doc "Waits until the requests in flight are answered, but those that only listen, and not for longer than `ms`."
  @spec settle(pid, pos_integer) :: :ok
  def settle(connection, ms) do
    GenServer.call(connection, :settle, ms)
  catch
    :exit, _ -> :ok
  end

  @doc "Where what belongs to no request goes from now on."
  @spec attach(GenServer.server(), Outbox.t()) :: :ok
  def attach(connection, outbox), do: GenServer.call(connection, {:attach, outbox})

  @doc "A frame of the request whose process calls, or of that of `pid`."
  @spec out(pid, pid, Outbox.kind(), binary) :: :ok
  def out(connection, pid \\ self(), kind, frame) do
    send(connection, {:out, pid, kind, frame})
    :ok
  end

  @doc "An event of the progress of the request of `pid`."
  @spec progress(pid, pid, Frame.id(), map) :: :ok
  def progress(connection, pid, token, event) do
    send(connection, {:progress, pid, token, event})
    :ok
  end

  @doc "Asks the client, on behalf of the request whose process calls."
  @spec ask(pid, String.t(), map) :: {:ok, map} | {:error, map}
  def ask(connection, method, params) do
    GenServer.call(connection, {:ask, method, params}, @answer_ms)
  catch
    :exit, {:timeout, _} -> {:error, Fault.to_map(%{Fault.internal() | message: "the client did not answer"})}
  end

  @impl true
  def init(opts) do
    Process.flag(:trap_exit, true)
    state = struct!(__MODULE__, Keyword.take(opts, [:server, :outbox, :idle_ms]))
    {:ok, state, timeout(state)}
  end

  @impl true
  def handle_call({:frame, frame, outbox}, _from, state) do
    {:reply, :ok, frame(frame, outbox, state), timeout(state)}
  end

  def handle_call({:attach, outbox}, _from, state),
    do: {:reply, :ok, %{state | outbox: outbox}, timeout(state)}

  def handle_call(:settle, from, state), do: {:noreply, settled(%{state | settling: from})}

  def handle_call({:ask, method, params}, {pid, _} = from, state) do
    case state.pids do
      %{^pid => id} ->
        ask = "ambix-#{state.asked}"
        Outbox.put(state.requests[id].outbox, :request, Frame.request(ask, method, params))
        {:noreply, %{state | asks: Map.put(state.asks, ask, from), asked: state.asked + 1}}

      _ ->
        {:noreply, state}
    end
  end

  @impl true
  def handle_info({:out, pid, kind, frame}, %{pids: pids} = state) when is_map_key(pids, pid) do
    Outbox.put(state.requests[pids[pid]].outbox, kind, frame)
    {:noreply, if(match?({:final, _}, kind), do: done(state, pids[pid]), else: state), timeout(state)}
  end

  def handle_info({:progress, pid, token, event}, %{pids: pids} = state) when is_map_key(pids, pid) do
    request = state.requests[pids[pid]]

    case Progress.step(request.progress, event) do
      {:ok, params, progress} ->
        frame = Frame.notification("notifications/progress", Map.put(params, "progressToken", token))
        Outbox.put(request.outbox, :notification, frame)
        {:noreply, put_in(state.requests[pids[pid]].progress, progress)}

      {:old, progress} ->
        {:noreply, put_in(state.requests[pids[pid]].progress, progress)}
    end
  end

  # The process of a request ended without an answer.
  def handle_info({:EXIT, pid, _reason}, %{pids: pids} = state) when is_map_key(pids, pid) do
    id = pids[pid]
    Outbox.put(state.requests[id].outbox, {:final, 200}, Frame.fault(id, Fault.internal()))
    {:noreply, done(state, id)}
  end

  # Nobody waits for what would be written there.
  def handle_info({:DOWN, _monitor, :process, pid, _reason}, state) do
    gone = for {id, %{outbox: %{pid: ^pid}}} <- state.requests, do: id
    {:noreply, Enum.reduce(gone, state, &cancel(&2, &1)), timeout(state)}
  end

  def handle_info({:mcp_change, change}, state) do
    for {id, %{listen: filter, outbox: outbox}} <- state.requests,
        filter != nil,
        {method, params} <- List.wrap(Listen.notification(filter, change)) do
      Outbox.put(outbox, :notification, Frame.notification(method, tagged(params, id)))
    end

    with %Outbox{} = outbox <- state.outbox,
         %{} = filter <- state.hears,
         {method, params} <- Listen.notification(filter, change) do
      Outbox.put(outbox, :notification, Frame.notification(method, params))
    end

    {:noreply, state}
  end

  def handle_info(:timeout, %{requests: requests} = state) when requests == %{}, do: {:stop, :normal, state}
  # Whoever this connection is linked to has ended.
  def handle_info({:EXIT, _pid, reason}, state), do: {:stop, reason, state}
  def handle_info(_late, state), do: {:noreply, state, timeout(state)}

  defp frame({:notification, "notifications/cancelled", %{"requestId" => id}}, _outbox, state),
    do: cancel(state, id)

  defp frame({:notification, _method, _params}, _outbox, state), do: state

  defp frame({:response, id, outcome}, _outbox, state) do
    {from, asks} = Map.pop(state.asks, id)
    if from, do: GenServer.reply(from, outcome)
    %{state | asks: asks}
  end

  defp frame({:request, id, method, params}, outbox, state) do
    server = state.server

    with :ok <- room(state, id),
         true <- Methods.known?(method, server) || {:error, Fault.unknown_method(method)},
         {:ok, client} <- Client.read(method, params, state.session),
         true <- Methods.known?(method, server, client) || {:error, Fault.unknown_method(method)} do
      request = %Request{id: id, method: method, params: params, client: client, server: server}
      request(method, request, outbox, state)
    else
      {:error, fault} -> refuse(state, outbox, id, fault)
    end
  end

  defp request("initialize", %{params: params} = request, outbox, state) do
    capabilities = if is_map(params["capabilities"]), do: params["capabilities"], else: %{}
    session = Client.legacy(params["protocolVersion"], capabilities)
    hears = Listen.legacy(state.server)
    if state.server.changes != [], do: Listen.register(state.server.registry)
    reply(outbox, request, Server.initialized(state.server, session))
    %{state | session: session, hears: hears}
  end

  defp request("logging/setLevel", %{params: %{"level" => level}} = request, outbox, state) do
    if Client.level?(level) and state.session != nil do
      reply(outbox, request, %{})
      put_in(state.session.log_level, level)
    else
      refuse(state, outbox, request.id, Fault.invalid_params("there is no such level"))
    end
  end

  defp request("resources/" <> verb = method, %{params: params} = request, outbox, state)
       when verb in ["subscribe", "unsubscribe"] do
    with true <- is_binary(params["uri"]) || {:error, Fault.invalid_params("uri must be a string")},
         {:ok, hears} <- subscription(method, state.hears, params["uri"]) do
      reply(outbox, request, %{})
      %{state | hears: hears}
    else
      {:error, fault} -> refuse(state, outbox, request.id, fault)
    end
  end

  defp request("subscriptions/listen", request, outbox, state) do
    case Listen.filter(request.params, state.server, request.client) do
      {:ok, filter} ->
        Listen.register(state.server.registry)
        params = tagged(%{"notifications" => Listen.acknowledged(filter)}, request.id)
        # Not a notification that may be dropped.
        Outbox.put(outbox, :request, Frame.notification("notifications/subscriptions/acknowledged", params))
        known(state, request.id, %{pid: nil, outbox: outbox, listen: filter})

      {:error, fault} ->
        refuse(state, outbox, request.id, fault)
    end
  end

  defp request("logging/setLevel", request, outbox, state),
    do: refuse(state, outbox, request.id, Fault.invalid_params("level must be a string"))

  defp request(_method, request, outbox, state) do
    known(state, request.id, %{pid: Request.start(request), outbox: outbox, listen: nil})
  end

  defp subscription("resources/subscribe", hears, uri) do
    with :full <- Listen.subscribe(hears, uri),
         do: {:error, Fault.busy("the client has subscribed to as many resources as it may")}
  end

  defp subscription("resources/unsubscribe", hears, uri), do: {:ok, Listen.unsubscribe(hears, uri)}

  defp room(state, id) do
    cond do
      is_map_key(state.requests, id) ->
        {:error, Fault.invalid_request("a request with this id is not yet answered")}

      map_size(state.requests) >= @max_requests ->
        {:error, Fault.busy("too many requests at once")}

      true ->
        :ok
    end
  end

  defp known(state, id, request) do
    request = Map.merge(request, %{monitor: Process.monitor(request.outbox.pid), progress: Progress.new()})
    pids = if request.pid, do: Map.put(state.pids, request.pid, id), else: state.pids
    %{state | requests: Map.put(state.requests, id, request), pids: pids}
  end

  defp cancel(state, id) do
    case state.requests[id] do
      nil ->
        state

      request ->
        if request.pid, do: Process.exit(request.pid, :kill)
        Outbox.cancelled(request.outbox)
        done(state, id)
    end
  end

  defp done(state, id) do
    case Map.pop(state.requests, id) do
      {nil, _requests} ->
        state

      {request, requests} ->
        Process.demonitor(request.monitor, [:flush])
        if request.pid, do: forget(request.pid)
        asks = Map.reject(state.asks, fn {_, {pid, _}} -> pid == request.pid end)
        settled(%{state | requests: requests, pids: Map.delete(state.pids, request.pid), asks: asks})
    end
  end

  defp settled(%{settling: from, pids: pids} = state) when from != nil and pids == %{} do
    GenServer.reply(from, :ok)
    %{state | settling: nil}
  end

  defp settled(state), do: state

  # Its end is nothing to hear of any more.
  defp forget(pid) do
    Process.unlink(pid)

    receive do
      {:EXIT, ^pid, _reason} -> :ok
    after
      0 -> :ok
    end
  end

  defp reply(outbox, request, result), do: Outbox.put(outbox, {:final, 200}, Frame.result(request.id, result))

  defp refuse(state, outbox, id, fault) do
    status = if state.session, do: 200, else: fault.status
    Outbox.put(outbox, {:final, status}, Frame.fault(id, fault))
    state
  end

  defp tagged(params, id), do: Map.put(params, "_meta", %{Client.key("subscriptionId") => id})

  defp timeout(%{idle_ms: nil}), do: :infinity
  defp timeout(state), do: state.idle_ms
end
