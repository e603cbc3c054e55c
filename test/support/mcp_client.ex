defmodule Ambix.Test.MCPClient do
  @moduledoc "A client of `Ambix.MCP.Connection` in the process of a test, which is the outbox of all its requests."

  import ExUnit.Assertions

  alias Ambix.MCP
  alias Ambix.MCP.{Connection, Frame, Outbox}

  @meta %{
    "io.modelcontextprotocol/protocolVersion" => "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities" => %{}
  }

  @doc "Starts a server with these options and a connection to it."
  def start(options) do
    name = :"mcp_#{System.unique_integer([:positive])}"
    ExUnit.Callbacks.start_supervised!({MCP, [name: name] ++ options})
    connect(name)
  end

  @doc "Another connection to a server."
  def connect(name) do
    outbox = Outbox.new(self())
    server = MCP.server(name)

    child = %{
      id: make_ref(),
      start: {Connection, :start_link, [[server: server, outbox: outbox]]},
      restart: :temporary
    }

    %{name: name, connection: ExUnit.Callbacks.start_supervised!(child), outbox: outbox}
  end

  @doc "What a modern request says of itself; `more` is added, as `\"progressToken\"`."
  def meta(capabilities \\ %{}, more \\ %{}) do
    @meta |> Map.put("io.modelcontextprotocol/clientCapabilities", capabilities) |> Map.merge(more)
  end

  @doc "The parameters of a modern request."
  def modern(params \\ %{}, capabilities \\ %{}, more \\ %{}),
    do: Map.put(params, "_meta", meta(capabilities, more))

  def tasks, do: %{"extensions" => %{"io.modelcontextprotocol/tasks" => %{}}}

  @doc "Parameters of `tools/call`."
  def tool(name, arguments \\ %{}), do: %{"name" => name, "arguments" => arguments}

  @doc "Sends bytes as a transport does."
  def send_text(client, text) do
    case Frame.decode(text) do
      {:ok, frame} -> Connection.deliver(client.connection, frame, client.outbox)
      {:error, id, fault} -> Outbox.put(client.outbox, {:final, fault.status}, Frame.fault(id, fault))
    end
  end

  def send_frame(client, map), do: send_text(client, Ambix.JSON.encode!(Map.put(map, :jsonrpc, "2.0")))
  def request(client, id, method, params), do: send_frame(client, %{id: id, method: method, params: params})
  def notify(client, method, params), do: send_frame(client, %{method: method, params: params})

  @doc "The next frame."
  def next(client, timeout \\ 10_000) do
    assert_receive {Outbox, _kind, frame}, timeout
    Outbox.taken(client.outbox, frame)
    Ambix.JSON.decode!(frame)
  end

  @doc "Sends a request and returns the next frame, which answers it."
  def ask(client, id, method, params) do
    request(client, id, method, params)
    frame = next(client)
    assert frame["id"] == id
    frame
  end

  @doc "A legacy handshake."
  def initialize(client, version \\ "2025-11-25", capabilities \\ %{}) do
    ask(client, "hello", "initialize", %{"protocolVersion" => version, "capabilities" => capabilities})
  end
end
