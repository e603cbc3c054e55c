defmodule Ambix.MCP.HTTPTest do
  use ExUnit.Case, async: true

  import Ambix.Test.MCPClient, only: [meta: 1, meta: 2, modern: 0, modern: 1, tasks: 0, tool: 1, tool: 2]

  alias Ambix.MCP
  alias Ambix.MCP.HTTP.Listener
  alias Ambix.Test.{MCPFixture, MCPTools}

  setup context do
    name = :"http_#{System.unique_integer([:positive])}"

    options =
      if context[:fixture],
        do: MCPFixture.options(name),
        else: [name: name, tools: MCPTools.all(), host: self()] ++ (context[:server] || [])

    start_supervised!({MCP, options})

    listener =
      start_supervised!(%{
        id: Listener,
        start: {Listener, :start_link, [[server: name] ++ (context[:listen] || [])]}
      })

    [_, port] = Regex.run(~r/:(\d+)\/mcp\z/, Listener.url(listener))
    %{port: String.to_integer(port), name: name, listener: listener}
  end

  # A request as bytes, since what is tested here a client would not send.
  defp connect(port) do
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false, packet: :raw])
    socket
  end

  defp head(first, headers),
    do: [first, "\r\n", for({name, value} <- headers, do: [name, ": ", value, "\r\n"]), "\r\n"]

  defp bytes(port, data) do
    socket = connect(port)
    :ok = :gen_tcp.send(socket, data)
    answer = answer(socket)
    :gen_tcp.close(socket)
    answer
  end

  # Status, headers and body of the answer, which has a length or is chunked.
  defp answer(socket) do
    {head, rest} = until(socket, "", "\r\n\r\n")
    ["HTTP/1.1 " <> <<status::binary-size(3), _::binary>> | lines] = String.split(head, "\r\n", trim: true)

    headers =
      Map.new(lines, fn line ->
        [name, value] = String.split(line, ": ", parts: 2)
        {name, value}
      end)

    {String.to_integer(status), headers, body(socket, headers, rest)}
  end

  defp body(socket, %{"content-length" => length}, rest), do: exactly(socket, rest, String.to_integer(length))
  defp body(socket, %{"transfer-encoding" => "chunked"}, rest), do: {:stream, socket, rest}

  defp exactly(_socket, rest, length) when byte_size(rest) >= length, do: binary_part(rest, 0, length)

  defp exactly(socket, rest, length) do
    {:ok, data} = :gen_tcp.recv(socket, 0, 10_000)
    exactly(socket, rest <> data, length)
  end

  defp until(socket, data, mark) do
    case String.split(data, mark, parts: 2) do
      [head, rest] ->
        {head, rest}

      [_] ->
        {:ok, more} = :gen_tcp.recv(socket, 0, 10_000)
        until(socket, data <> more, mark)
    end
  end

  # The next event of a stream, as a message, and the stream behind it; `:end` at its end.
  defp event({:stream, socket, rest}) do
    case until(socket, rest, "\r\n") do
      {"0", _rest} ->
        :end

      {size, rest} ->
        chunk = exactly(socket, rest, String.to_integer(size, 16) + 2)
        rest = leftover(rest, byte_size(chunk))
        "event: message\ndata: " <> data = chunk
        {Ambix.JSON.decode!(String.trim(data)), {:stream, socket, rest}}
    end
  end

  defp leftover(rest, size) when byte_size(rest) > size, do: binary_part(rest, size, byte_size(rest) - size)
  defp leftover(_rest, _size), do: ""

  @basic [
    {"host", "localhost"},
    {"content-type", "application/json"},
    {"accept", "application/json, text/event-stream"}
  ]

  defp post(port, message, headers \\ []), do: bytes(port, posted(message, headers))

  defp posted(message, headers) do
    body = if is_binary(message), do: message, else: Ambix.JSON.encode!(message)
    given = for {name, _} <- headers, do: name

    basic =
      Enum.reject(@basic ++ [{"content-length", "#{byte_size(body)}"}], fn {name, _} -> name in given end)

    [head("POST /mcp HTTP/1.1", basic ++ Enum.reject(headers, fn {_, value} -> value == nil end)), body]
  end

  defp request(method, params, id \\ 1), do: %{jsonrpc: "2.0", id: id, method: method, params: params}

  defp mirrored(method, name \\ nil) do
    [{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", method}] ++
      if(name, do: [{"mcp-name", name}], else: [])
  end

  defp modern_post(port, method, params, name \\ nil),
    do: post(port, request(method, modern(params)), mirrored(method, name))

  defp code(body), do: Ambix.JSON.decode!(body)["error"]["code"]

  describe "a modern request" do
    test "is answered by itself, without a session", %{port: port} do
      {200, headers, body} = modern_post(port, "server/discover", %{})
      assert headers["content-type"] == "application/json"
      refute is_map_key(headers, "mcp-session-id")
      assert Ambix.JSON.decode!(body)["result"]["supportedVersions"]
      {200, _, body} = modern_post(port, "tools/call", tool("echo", %{"text" => "hi"}), "echo")
      assert Ambix.JSON.decode!(body)["result"]["structuredContent"]["said"] == "hi"
    end

    test "has headers that say what the body says", %{port: port} do
      params = modern(tool("echo", %{"text" => "hi"}))
      message = request("tools/call", params)
      good = mirrored("tools/call", "echo")

      for headers <- [
            [],
            List.keydelete(good, "mcp-protocol-version", 0),
            List.keydelete(good, "mcp-method", 0),
            List.keydelete(good, "mcp-name", 0),
            List.keystore(good, "mcp-method", 0, {"mcp-method", "Tools/Call"}),
            List.keystore(good, "mcp-name", 0, {"mcp-name", "crash"}),
            List.keystore(good, "mcp-name", 0, {"mcp-name", "=?base64?%%%?="}),
            List.keystore(good, "mcp-protocol-version", 0, {"mcp-protocol-version", "2025-11-25"})
          ] do
        assert {400, _, body} = post(port, message, headers)
        assert code(body) == -32_020
      end

      encoded = List.keystore(good, "mcp-name", 0, {"mcp-name", "=?base64?#{Base.encode64("echo")}?="})
      for headers <- [good, encoded], do: assert({200, _, _} = post(port, message, headers))
    end

    @tag fixture: true
    test "repeats parameters of a tool that wants it", %{port: port} do
      call = fn region, headers ->
        {status, _, body} =
          post(
            port,
            request("tools/call", modern(tool("test_mirrored", %{"region" => region}))),
            mirrored("tools/call", "test_mirrored") ++ headers
          )

        {status, code(body)}
      end

      assert call.("eu", [{"Mcp-Param-Region", "eu"}]) == {200, nil}
      assert call.("é", [{"mcp-param-region", "=?base64?#{Base.encode64("é")}?="}]) == {200, nil}
      assert call.("eu", [{"mcp-param-region", "us"}]) == {400, -32_020}
      assert call.("eu", []) == {400, -32_020}
      assert call.(nil, [{"mcp-param-region", "eu"}]) == {400, -32_020}
    end

    test "that is none has a status of its own", %{port: port} do
      assert {404, _, body} = modern_post(port, "no/such", %{})
      assert code(body) == -32_601
      assert {404, _, _} = modern_post(port, "ping", %{})
      assert {400, _, body} = post(port, request("tools/list", %{}), mirrored("tools/list"))
      assert code(body) == -32_602
      assert {400, _, body} = post(port, "{")
      assert code(body) == -32_700
      assert {400, _, body} = post(port, "[]")
      assert code(body) == -32_600
      assert {400, _, _} = post(port, %{jsonrpc: "2.0", id: 1, result: %{}})
      assert {202, _, ""} = post(port, %{jsonrpc: "2.0", method: "notifications/x"})
      # What is wrong with a call is no matter of HTTP.
      assert {200, _, body} = modern_post(port, "tools/call", tool("nothing"), "nothing")
      assert code(body) == -32_602
    end

    test "is a stream when there is something to tell before the answer", %{port: port} do
      params = %{"name" => "wait", "_meta" => meta(%{}, %{"progressToken" => 7})}
      socket = connect(port)
      :ok = :gen_tcp.send(socket, posted(request("tools/call", params, "a"), mirrored("tools/call", "wait")))
      assert_receive {:waits, pid, progress}
      progress.(%{phase: :a, done: 1, total: 2})
      {200, headers, stream} = answer(socket)
      assert headers["content-type"] == "text/event-stream"

      assert {%{"method" => "notifications/progress", "params" => %{"progressToken" => 7}}, stream} =
               event(stream)

      send(pid, {:go, "done"})
      assert {%{"id" => "a", "result" => _}, stream} = event(stream)
      assert event(stream) == :end
    end

    test "is one answer for a client that takes no stream", %{port: port} do
      params = %{"name" => "wait", "_meta" => meta(%{}, %{"progressToken" => 7})}
      headers = [{"accept", "application/json"} | mirrored("tools/call", "wait")]
      socket = connect(port)
      :ok = :gen_tcp.send(socket, posted(request("tools/call", params), headers))
      assert_receive {:waits, pid, progress}
      progress.(%{phase: :a, done: 1, total: 2})
      send(pid, {:go, "done"})
      assert {200, %{"content-type" => "application/json"}, _} = answer(socket)
    end

    test "ends when its client has gone", %{port: port} do
      socket = connect(port)

      :ok =
        :gen_tcp.send(
          socket,
          posted(request("tools/call", modern(tool("wait"))), mirrored("tools/call", "wait"))
        )

      assert_receive {:waits, pid, _}
      monitor = Process.monitor(pid)
      :gen_tcp.close(socket)
      assert_receive {:DOWN, ^monitor, :process, _, _}
    end

    test "can be one of many on a connection", %{port: port} do
      socket = connect(port)

      for id <- 1..20 do
        :ok =
          :gen_tcp.send(socket, posted(request("server/discover", modern(), id), mirrored("server/discover")))

        assert {200, %{"connection" => "keep-alive"}, body} = answer(socket)
        assert Ambix.JSON.decode!(body)["id"] == id
      end
    end

    test "can be one of 200 at once", %{port: port} do
      params = modern(tool("echo", %{"text" => "hi"}))
      message = posted(request("tools/call", params), mirrored("tools/call", "echo"))

      1..200
      |> Task.async_stream(fn _ -> bytes(port, message) end, max_concurrency: 200, timeout: 60_000)
      |> Enum.each(fn {:ok, answer} -> assert {200, _, _} = answer end)
    end

    @tag fixture: true
    test "listens until its client goes", %{port: port, name: name} do
      params = modern(%{"notifications" => %{"toolsListChanged" => true}})
      socket = connect(port)

      :ok =
        :gen_tcp.send(
          socket,
          posted(request("subscriptions/listen", params, "s"), mirrored("subscriptions/listen"))
        )

      {200, _, stream} = answer(socket)
      assert {%{"method" => "notifications/subscriptions/acknowledged"}, stream} = event(stream)
      MCP.changed(name, :prompts)
      MCP.changed(name, :tools)
      assert {%{"method" => "notifications/tools/list_changed"}, _} = event(stream)
    end

    test "finds a task that another began", %{port: port} do
      params = Map.put(tool("slow"), "_meta", meta(tasks()))
      {200, _, body} = post(port, request("tools/call", params), mirrored("tools/call", "slow"))
      task = Ambix.JSON.decode!(body)["result"]["taskId"]
      assert_receive {:waits, _, _}
      get = request("tasks/get", %{"taskId" => task, "_meta" => meta(tasks())})
      assert {200, _, body} = post(port, get, mirrored("tasks/get", task))
      assert Ambix.JSON.decode!(body)["result"]["status"] == "working"
    end
  end

  describe "a legacy client" do
    defp hello(port, capabilities \\ %{}) do
      params = %{"protocolVersion" => "2025-11-25", "capabilities" => capabilities}
      {200, %{"mcp-session-id" => session}, body} = post(port, request("initialize", params))
      assert Ambix.JSON.decode!(body)["result"]["protocolVersion"] == "2025-11-25"
      [{"mcp-session-id", session}]
    end

    test "has a session until it ends it", %{port: port} do
      session = hello(port)
      assert {202, _, ""} = post(port, %{jsonrpc: "2.0", method: "notifications/initialized"}, session)

      assert {200, _, body} =
               post(port, request("tools/list", %{}), session ++ [{"mcp-protocol-version", "2025-11-25"}])

      assert length(Ambix.JSON.decode!(body)["result"]["tools"]) == 4
      # To these clients another status than 200 says that the session is gone.
      assert {200, _, body} = post(port, request("no/such", %{}), session)
      assert code(body) == -32_601

      assert {400, _, _} =
               post(port, request("ping", %{}), session ++ [{"mcp-protocol-version", "1999-01-01"}])

      delete = head("DELETE /mcp HTTP/1.1", [{"host", "localhost"} | session])
      assert {204, _, _} = bytes(port, delete)
      assert {404, _, _} = bytes(port, delete)

      for message <- [request("ping", %{}), %{jsonrpc: "2.0", method: "notifications/x"}],
          do: assert({404, _, _} = post(port, message, session))
    end

    @tag fixture: true
    test "is asked on the stream of its request, and answers by another one", %{port: port} do
      session = hello(port, %{"elicitation" => %{}})
      socket = connect(port)
      call = request("tools/call", tool("test_input_required_result_elicitation"))
      :ok = :gen_tcp.send(socket, posted(call, session))
      {200, %{"content-type" => "text/event-stream"}, stream} = answer(socket)
      assert {%{"method" => "elicitation/create", "id" => id}, stream} = event(stream)
      reply = %{jsonrpc: "2.0", id: id, result: %{"action" => "accept", "content" => %{"name" => "Ada"}}}
      assert {202, _, ""} = post(port, reply, session)
      assert {%{"result" => %{"content" => [%{"text" => "Hello, Ada!"}]}}, _} = event(stream)
    end

    @tag fixture: true
    test "hears of changes on a stream of its own", %{port: port, name: name} do
      session = hello(port)
      socket = connect(port)

      :ok =
        :gen_tcp.send(
          socket,
          head("GET /mcp HTTP/1.1", [{"host", "localhost"}, {"accept", "text/event-stream"} | session])
        )

      {200, _, stream} = answer(socket)
      MCP.changed(name, :tools)
      assert {%{"method" => "notifications/tools/list_changed"}, _} = event(stream)
    end

    test "ends a request by another one", %{port: port} do
      session = hello(port)
      socket = connect(port)
      :ok = :gen_tcp.send(socket, posted(request("tools/call", tool("wait"), 5), session))
      assert_receive {:waits, pid, _}
      monitor = Process.monitor(pid)
      cancel = %{jsonrpc: "2.0", method: "notifications/cancelled", params: %{"requestId" => 5}}
      assert {202, _, ""} = post(port, cancel, session)
      assert_receive {:DOWN, ^monitor, :process, _, _}
      assert {204, _, ""} = answer(socket)
    end

    @tag fixture: true
    test "that takes no stream cannot be asked", %{port: port, name: name} do
      session = hello(port, %{"elicitation" => %{}})
      call = request("tools/call", tool("test_input_required_result_elicitation"))
      assert {406, _, _} = post(port, call, [{"accept", "application/json"} | session])
      [{_, id}] = session
      {:ok, connection} = MCP.HTTP.Sessions.fetch(MCP.server(name), id)
      assert :sys.get_state(connection).requests == %{}
    end

    @tag server: [sessions: 2]
    test "that is one too many takes the place of the one that was silent for longest", %{port: port} do
      [first, second] = for _ <- 1..2, do: hello(port)
      assert {200, _, _} = post(port, request("ping", %{}), first)
      third = hello(port)

      for {session, status} <- [{first, 200}, {second, 404}, {third, 200}],
          do: assert({^status, _, _} = post(port, request("ping", %{}), session))
    end

    test "without a session has no stream", %{port: port} do
      assert {405, %{"allow" => "POST"}, _} = bytes(port, head("GET /mcp HTTP/1.1", [{"host", "localhost"}]))

      for method <- ~w(DELETE PUT OPTIONS PATCH),
          do: assert({405, _, _} = bytes(port, head("#{method} /mcp HTTP/1.1", [{"host", "localhost"}])))
    end
  end

  describe "who comes from elsewhere" do
    test "is refused by the headers that a browser sends", %{port: port} do
      message = request("server/discover", modern())
      headers = mirrored("server/discover")

      for {name, value, status} <- [
            {"host", "localhost:#{port}", 200},
            {"host", "127.0.0.1", 200},
            {"host", "[::1]:80", 200},
            {"host", "evil.example", 403},
            {"host", "evil.example:80", 403},
            {"host", "localhost.evil.example", 403},
            {"host", "", 403},
            {"host", nil, 403},
            {"origin", "http://localhost:3000", 200},
            {"origin", "https://127.0.0.1", 200},
            {"origin", "http://evil.example", 403},
            {"origin", "http://localhost.evil.example", 403},
            {"origin", "http://localhost@evil.example", 403},
            {"origin", "file://localhost", 403},
            {"origin", "null", 403},
            {"origin", "", 403}
          ] do
        assert {{^status, _, _}, _, _} = {post(port, message, [{name, value} | headers]), name, value}
      end
    end

    @tag listen: [token: "secret", hosts: ["box.example"], origins: ["https://app.example"]]
    test "may be let in by name, and needs the token where there is one", %{port: port} do
      message = request("server/discover", modern())
      headers = mirrored("server/discover")
      assert {401, %{"www-authenticate" => "Bearer"}, _} = post(port, message, headers)

      for {authorization, status} <- [
            {"Bearer secret", 200},
            {"bearer secret", 200},
            {"Bearer secre", 401},
            {"Bearer secret2", 401},
            {"Bearer", 401},
            {"secret", 401},
            {"Basic secret", 401},
            {"", 401}
          ] do
        assert {^status, _, _} = post(port, message, [{"authorization", authorization} | headers])
      end

      in_ = [{"authorization", "Bearer secret"} | headers]

      for more <- [{"host", "box.example"}, {"origin", "https://app.example"}],
          do: assert({200, _, _} = post(port, message, [more | in_]))
    end

    test "is not listened to without a token" do
      assert {:error, %Ambix.Error{kind: :invalid_argument, message: message}} =
               Listener.start_link(ip: {0, 0, 0, 0})

      assert message =~ "token"
      assert {:error, %Ambix.Error{}} = Listener.start_link(ip: {0, 0, 0, 0, 0, 0, 0, 0})
    end

    test "a port that is taken is an error", %{port: port, name: name} do
      assert {:error, %Ambix.Error{kind: :io, message: message}} =
               Listener.start_link(server: name, port: port)

      assert message =~ "#{port}"
    end
  end

  describe "hostile bytes" do
    test "have a status, and the next client is served", %{port: port} do
      discover = posted(request("server/discover", modern()), mirrored("server/discover"))
      local = {"host", "localhost"}
      json = {"content-type", "application/json"}

      for {data, statuses} <- [
            {"nonsense\r\n\r\n", [400]},
            {"GET http://elsewhere/mcp HTTP/1.1\r\n\r\n", [400]},
            {head("GET / HTTP/1.1", [local]), [404]},
            {head("POST /mcp HTTP/1.1", [local, json]), [411]},
            {head("POST /mcp HTTP/1.1", [local, json, {"transfer-encoding", "chunked"}]), [411]},
            {head("POST /mcp HTTP/1.1", [local, json, {"content-length", "-1"}]), [400]},
            {head("POST /mcp HTTP/1.1", [local, json, {"content-length", "1x"}]), [400]},
            {head("POST /mcp HTTP/1.1", [local, json, {"content-length", "999999999999"}]), [413]},
            {head("POST /mcp HTTP/1.1", [local, json, {"content-length", "1"}, {"content-length", "2"}]),
             [400]},
            {head("POST /mcp HTTP/1.1", [local, {"host", "localhost"}]), [400]},
            {head("POST /mcp HTTP/1.1", for(n <- 1..101, do: {"x#{n}", "y"})), [431]},
            {head("POST /mcp HTTP/1.1", for(n <- 1..10, do: {"x#{n}", String.duplicate("y", 5000)})), [431]},
            {posted("{}", [{"content-type", "text/plain"}]), [415]},
            {posted("{}", [{"content-type", nil}]), [415]},
            {posted("{}", [{"accept", "text/html"}]), [406]},
            {posted(<<255, 254>>, []), [400]},
            {posted(String.duplicate("[", 50_000), []), [400]}
          ] do
        assert {status, _, _} = bytes(port, data)
        assert status in statuses, inspect(data, limit: 3, printable_limit: 80)
        assert {200, _, _} = bytes(port, discover)
      end
    end

    # The runtime closes the connection on its own here.
    test "of one line without an end end their connection", %{port: port} do
      for data <- [String.duplicate("G", 20_000), ["GET /mcp HTTP/1.1\r\nx: ", String.duplicate("y", 20_000)]] do
        socket = connect(port)
        :ok = :gen_tcp.send(socket, data)
        assert {:error, reason} = :gen_tcp.recv(socket, 0, 10_000)
        assert reason in [:closed, :econnreset]
      end

      assert {200, _, _} = modern_post(port, "server/discover", %{})
    end

    test "that stop halfway end nothing", %{port: port, listener: listener} do
      sockets =
        for data <- [
              "",
              "POST",
              "POST /mcp HTTP/1.1\r\nhost: loc",
              head("POST /mcp HTTP/1.1", [{"host", "localhost"}, {"content-length", "10"}])
            ] do
          socket = connect(port)
          :ok = :gen_tcp.send(socket, data)
          socket
        end

      assert {200, _, _} = modern_post(port, "server/discover", %{})
      Enum.each(sockets, &:gen_tcp.close/1)
      Ambix.Test.Wait.wait_until(fn -> :sys.get_state(listener).open == 0 end)
    end

    @tag listen: [max_connections: 3]
    test "on too many connections are refused until some have gone", %{port: port, listener: listener} do
      sockets = for _ <- 1..3, do: connect(port)
      Ambix.Test.Wait.wait_until(fn -> :sys.get_state(listener).open == 3 end)
      assert {503, _, _} = answer(connect(port))
      Enum.each(sockets, &:gen_tcp.close/1)
      Ambix.Test.Wait.wait_until(fn -> :sys.get_state(listener).open == 0 end)
      assert {200, _, _} = modern_post(port, "server/discover", %{})
    end
  end
end
