defmodule Ambix.MCP.PlugTest do
  # It defines a module for all.
  use ExUnit.Case, async: false

  import Ambix.Test.MCPClient, only: [meta: 2, modern: 0]

  alias Ambix.MCP
  alias Ambix.Test.{FakePlug, MCPTools}

  @headers [
    {"host", "localhost"},
    {"content-type", "application/json"},
    {"accept", "application/json, text/event-stream"},
    {"mcp-protocol-version", "2026-07-28"}
  ]

  defp call(conn, opts \\ []), do: MCP.Plug.call(conn, MCP.Plug.init([server: :plug_test] ++ opts))

  defp post(method, params, headers \\ []) do
    body = Ambix.JSON.encode!(%{jsonrpc: "2.0", id: 1, method: method, params: params})
    FakePlug.conn("POST", headers ++ @headers ++ [{"mcp-method", " #{method} "}], body)
  end

  test "without Plug it says what is missing" do
    assert_raise ArgumentError, ~r/add {:plug, "~> 1.14"}/, fn -> call(post("server/discover", modern())) end
  end

  describe "with Plug" do
    setup do
      FakePlug.install()
      start_supervised!({MCP, name: :plug_test, tools: MCPTools.all(), host: self()})
      :ok
    end

    test "a request is answered, and the connection halted" do
      conn = call(post("server/discover", modern()))
      assert conn.status == 200
      assert conn.halted
      assert conn.sent["content-type"] == "application/json"
      assert Ambix.JSON.decode!(conn.answer)["result"]["supportedVersions"]
    end

    test "a body that was parsed before is taken as it is" do
      conn = post("server/discover", modern())
      parsed = %{conn | body: "", body_params: Ambix.JSON.decode!(conn.body)}
      assert call(parsed).answer == call(conn).answer
    end

    test "too long a body, other origins and a missing token are refused" do
      long = FakePlug.conn("POST", @headers, String.duplicate("x", 5_000_000))
      assert call(long).status == 413
      assert call(post("server/discover", modern(), [{"origin", "http://evil.example"}])).status == 403
      assert call(post("server/discover", modern()), token: "secret").status == 401
      assert call(FakePlug.conn("GET", @headers, "")).status == 405
    end

    test "from other machines a token is needed, whatever the headers say" do
      conn = post("server/discover", modern())
      far = %{conn | remote_ip: {192, 0, 2, 1}}
      assert call(far).status == 403
      # A variable that is not set.
      assert call(far, token: "").status == 403
      with_token = %{far | req_headers: [{"authorization", "Bearer secret"} | far.req_headers]}
      assert call(with_token, token: "secret").status == 200
      assert call(%{conn | remote_ip: {0, 0, 0, 0, 0, 0, 0, 1}}).status == 200
      assert call(%{conn | remote_ip: {0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1}}).status == 200
      assert call(%{conn | remote_ip: {0, 0, 0, 0, 0, 0xFFFF, 0xC000, 0x0201}}).status == 403
    end

    test "a form that looks like a message is a request that is refused" do
      conn = post("server/discover", modern())
      form = %{conn | body: "", body_params: %{"jsonrpc" => "2.0", "file" => self()}}
      assert call(form).status == 400
    end

    test "progress makes a stream of it, and work ends when the client has gone" do
      test = self()
      params = %{"name" => "wait", "_meta" => meta(%{}, %{"progressToken" => 1})}
      conn = post("tools/call", params, [{"mcp-name", "wait"}])

      for {closed_after, chunks} <- [{nil, 2}, {1, 1}] do
        spawn_link(fn -> send(test, {:conn, call(%{conn | closed_after: closed_after})}) end)
        assert_receive {:waits, pid, progress}
        monitor = Process.monitor(pid)
        progress.(%{phase: :a, done: 1, total: 2})
        send(pid, {:go, "done"})
        assert_receive {:conn, conn}
        assert conn.sent["content-type"] == "text/event-stream"
        assert length(conn.chunks) == chunks
        assert_receive {:DOWN, ^monitor, :process, _, _}
      end
    end
  end
end
