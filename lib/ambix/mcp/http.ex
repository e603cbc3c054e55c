defmodule Ambix.MCP.HTTP do
  @moduledoc false
  # What Streamable HTTP means, for any web server: a request in, and by `Ambix.MCP.HTTP.Reply` one answer or a stream of events out. A
  # modern request is a connection of its own, which ends with the process that serves it; legacy ones have sessions.

  alias Ambix.MCP.{Client, Connection, Fault, Frame, Outbox, Server, Version}
  alias Ambix.MCP.HTTP.{Admission, Mirror, Reply, Sessions}

  # A sign of life, so that nobody in between closes a stream on which nothing happens.
  @alive_ms 15_000

  @typedoc "Names of headers are in lower case."
  @type request :: %{method: String.t(), headers: %{String.t() => String.t()}, body: binary | :too_long}

  @doc "Serves a request. The value of `Reply` comes back as the answer has left it."
  @spec serve(request, Server.t(), Admission.rules(), Reply.t()) :: Reply.t()
  def serve(request, server, rules, reply) do
    case Admission.refused(rules, request.headers) do
      nil -> method(request, server, reply)
      {401, sentence} -> plain(reply, 401, sentence, [{"www-authenticate", "Bearer"}])
      {status, sentence} -> plain(reply, status, sentence)
    end
  end

  defp method(%{method: "POST"} = request, server, reply), do: post(request, server, reply)

  # The stream of what belongs to no request, for legacy clients.
  defp method(%{method: "GET"} = request, server, reply) do
    case session(request, server) do
      {:ok, connection} ->
        outbox = Outbox.new(self())
        :ok = Connection.attach(connection, outbox)
        monitor = Process.monitor(connection)

        stream(open(reply, []), %{
          outbox: outbox,
          monitor: monitor,
          streams: true,
          socket: Reply.socket(reply)
        })

      :none ->
        not_allowed(reply)

      :unknown ->
        plain(reply, 404, "there is no such session")
    end
  end

  defp method(%{method: "DELETE", headers: %{"mcp-session-id" => id}}, server, reply) do
    case Sessions.close(server, id) do
      :ok -> Reply.whole(reply, 204, [], "")
      :unknown -> plain(reply, 404, "there is no such session")
    end
  end

  defp method(_request, _server, reply), do: not_allowed(reply)

  defp post(%{headers: headers} = request, server, reply) do
    cond do
      not json?(headers["content-type"]) ->
        plain(reply, 415, "the content type must be application/json")

      not accepts?(headers["accept"], "application/json") ->
        plain(reply, 406, "the client must accept application/json")

      request.body == :too_long ->
        fault(reply, nil, Frame.too_long())

      true ->
        decoded(Frame.decode(request.body), request, server, reply)
    end
  end

  defp decoded({:error, id, fault}, _request, _server, reply), do: fault(reply, id, fault)

  defp decoded({:ok, {:request, id, method, params} = frame}, request, server, reply) do
    if Client.modern?(params) do
      case Mirror.check(request.headers, method, params, server) do
        :ok -> once(frame, request, server, reply)
        {:error, fault} -> fault(reply, id, fault)
      end
    else
      legacy(frame, session(request, server), request, server, reply)
    end
  end

  # Notifications and responses of legacy clients belong to a session; modern clients send none.
  defp decoded({:ok, frame}, request, server, reply) do
    case session(request, server) do
      {:ok, connection} ->
        :ok = Connection.deliver(connection, frame, Outbox.new(self()))
        Reply.whole(reply, 202, [], "")

      :none when elem(frame, 0) == :notification ->
        Reply.whole(reply, 202, [], "")

      :none ->
        fault(reply, nil, Fault.invalid_request("a response belongs to a session"))

      :unknown ->
        unknown_session(reply)
    end
  end

  defp legacy({:request, _, "initialize", _} = frame, :none, request, server, reply) do
    {:ok, id, connection} = Sessions.open(server)
    exchange(connection, frame, request, reply, [{"mcp-session-id", id}])
  end

  defp legacy({:request, id, _, _} = frame, {:ok, connection}, request, _server, reply) do
    case request.headers["mcp-protocol-version"] do
      nil ->
        exchange(connection, frame, request, reply, [])

      version ->
        if Version.legacy?(version),
          do: exchange(connection, frame, request, reply, []),
          else: fault(reply, id, %{Fault.unsupported_version(version) | status: 400})
    end
  end

  defp legacy(_frame, :unknown, _request, _server, reply), do: unknown_session(reply)
  # It hears what is missing.
  defp legacy(frame, :none, request, server, reply), do: once(frame, request, server, reply)

  defp once(frame, request, server, reply) do
    {:ok, connection} = Connection.start_link(server: server)
    reply = exchange(connection, frame, request, reply, [])
    Process.unlink(connection)
    Process.exit(connection, :kill)
    reply
  end

  defp exchange(connection, frame, request, reply, headers) do
    outbox = Outbox.new(self(), one: true)
    monitor = Process.monitor(connection)
    :ok = Connection.deliver(connection, frame, outbox)
    streams = accepts?(request.headers["accept"], "text/event-stream")
    socket = Reply.socket(reply)
    state = %{outbox: outbox, monitor: monitor, streams: streams, headers: headers, socket: socket}

    reply =
      with {:unheard, reply} <- wait(reply, state) do
        {:request, id, _method, _params} = frame
        cancel = {:notification, "notifications/cancelled", %{"requestId" => id}}
        :ok = Connection.deliver(connection, cancel, outbox)

        receive do
          {Outbox, :cancelled} -> :ok
        after
          0 -> :ok
        end

        plain(reply, 406, "the client must accept text/event-stream for this")
      end

    Process.demonitor(monitor, [:flush])
    reply
  end

  # Nothing is sent yet: it can become one answer, or a stream.
  defp wait(reply, state) do
    receive do
      {Outbox, {:final, status}, frame} ->
        Reply.whole(reply, status, [{"content-type", "application/json"} | state.headers], frame)

      {Outbox, kind, frame} ->
        Outbox.taken(state.outbox, frame)

        cond do
          state.streams -> reply |> open(state.headers) |> event(frame) |> stream(state)
          kind == :notification -> wait(reply, state)
          true -> {:unheard, reply}
        end

      # By another request of a legacy client.
      {Outbox, :cancelled} ->
        Reply.whole(reply, 204, [], "")

      {:DOWN, monitor, :process, _, _} when monitor == state.monitor ->
        plain(reply, 500, "the connection has ended")

      {tag, socket} when tag == :tcp_closed and socket == state.socket ->
        Reply.finish(reply)

      {tag, socket, _} when tag in [:tcp, :tcp_error] and socket == state.socket ->
        Reply.finish(reply)
    after
      @alive_ms ->
        if state.streams, do: reply |> open(state.headers) |> stream(state), else: wait(reply, state)
    end
  end

  defp stream({:closed, reply}, _state), do: reply

  defp stream({:ok, reply}, state) do
    receive do
      {Outbox, {:final, _status}, frame} ->
        {_, reply} = event({:ok, reply}, frame)
        Reply.finish(reply)

      {Outbox, _kind, frame} ->
        Outbox.taken(state.outbox, frame)
        {:ok, reply} |> event(frame) |> stream(state)

      {Outbox, :cancelled} ->
        Reply.finish(reply)

      {:DOWN, monitor, :process, _, _} when monitor == state.monitor ->
        Reply.finish(reply)

      {tag, socket} when tag == :tcp_closed and socket == state.socket ->
        Reply.finish(reply)

      {tag, socket, _} when tag in [:tcp, :tcp_error] and socket == state.socket ->
        Reply.finish(reply)
    after
      @alive_ms -> reply |> Reply.chunk(":\n\n") |> stream(state)
    end
  end

  defp open(reply, headers) do
    Reply.open(reply, 200, [
      {"content-type", "text/event-stream"},
      {"cache-control", "no-cache"},
      {"x-accel-buffering", "no"} | headers
    ])
  end

  defp event({:closed, reply}, _frame), do: {:closed, reply}
  defp event({:ok, reply}, frame), do: Reply.chunk(reply, ["event: message\ndata: ", frame, "\n\n"])

  defp session(%{headers: %{"mcp-session-id" => id}}, server) do
    with {:ok, connection} <- Sessions.fetch(server, id), do: {:ok, connection}
  end

  defp session(_request, _server), do: :none

  defp unknown_session(reply) do
    fault(reply, nil, %{Fault.invalid_request("there is no such session, or not any more") | status: 404})
  end

  defp fault(reply, id, fault),
    do: Reply.whole(reply, fault.status, [{"content-type", "application/json"}], Frame.fault(id, fault))

  defp not_allowed(reply), do: plain(reply, 405, "messages come by POST", [{"allow", "POST"}])

  defp plain(reply, status, sentence, headers \\ []),
    do:
      Reply.whole(reply, status, [{"content-type", "text/plain; charset=utf-8"} | headers], sentence <> "\n")

  defp json?(nil), do: false

  defp json?(type),
    do: type |> String.split(";") |> hd() |> String.trim() |> String.downcase() == "application/json"

  # Who says nothing takes everything.
  defp accepts?(nil, _type), do: true

  defp accepts?(accept, type) do
    [family, _] = String.split(type, "/")

    named =
      for part <- String.split(accept, ","),
          do: part |> String.split(";") |> hd() |> String.trim() |> String.downcase()

    Enum.any?(named, &(&1 in [type, family <> "/*", "*/*"]))
  end
end
