defmodule Ambix.MCP.StdioTest do
  use ExUnit.Case, async: true

  import Ambix.Test.{MCPClient, Wait}

  alias Ambix.Test.{Command, ToolProject}

  @moduletag :tmp_dir

  # The server as a process of the system, whose standard error goes to a file.
  defp server(dir, words \\ nil, more \\ []) do
    ebin = Path.join(Mix.Project.build_path(), "lib/ambix/ebin")
    words = words || ["-pa", ebin, "-e", "Ambix.Test.MCPTools.stdio()"]
    errors = Path.join(dir, more[:errors] || "stderr")
    command = Enum.map_join(["elixir" | words], " ", &"'#{&1}'")
    args = ["-c", "exec #{command} 2>'#{errors}'"]
    clean = for name <- ~w(MIX_ENV MIX_TARGET ELIXIR_ERL_OPTIONS), do: {to_charlist(name), false}
    env = clean ++ for {name, value} <- more[:env] || [], do: {to_charlist(name), to_charlist(value)}
    port = Port.open({:spawn_executable, "/bin/sh"}, [:binary, :exit_status, args: args, env: env, cd: dir])
    {:os_pid, pid} = Port.info(port, :os_pid)
    %{port: port, pid: pid, errors: errors, rest: ""}
  end

  defp write(server, message) do
    Port.command(server.port, [if(is_binary(message), do: message, else: Ambix.JSON.encode!(message)), "\n"])
    server
  end

  defp frame(id, method, params), do: %{jsonrpc: "2.0", id: id, method: method, params: params}

  # The next line, which is nothing but a message.
  defp read(%{port: port} = server) do
    case String.split(server.rest, "\n", parts: 2) do
      [line, rest] ->
        {Ambix.JSON.decode!(line), %{server | rest: rest}}

      [_] ->
        receive do
          {^port, {:data, data}} -> read(%{server | rest: server.rest <> data})
          {^port, {:exit_status, code}} -> flunk("it ended with #{code}: #{File.read!(server.errors)}")
        after
          30_000 -> flunk("no message: #{File.read!(server.errors)}")
        end
    end
  end

  test "nothing but messages comes out, whatever tools print and log", %{tmp_dir: dir} do
    server = server(dir)
    {frame, server} = server |> write(frame(1, "tools/call", modern(tool("noisy")))) |> read()
    assert %{"id" => 1, "result" => %{"content" => [%{"text" => "was noisy"}]}} = frame

    {frame, server} =
      server |> write(frame(2, "tools/call", modern(tool("echo", %{"text" => "é\n\"𝄞"})))) |> read()

    assert frame["result"]["structuredContent"]["said"] == "é\n\"𝄞"
    assert server.rest == ""

    wait_until(fn -> File.read!(server.errors) =~ "logger of Erlang" end)
    errors = File.read!(server.errors)
    for noise <- ["noise by IO", "noise by io", "noise by the logger"], do: assert(errors =~ noise)
  end

  test "frames are read however they are cut, and broken ones are answered", %{tmp_dir: dir} do
    server = server(dir)
    text = Ambix.JSON.encode!(frame("half", "server/discover", modern()))
    {head, tail} = String.split_at(text, 40)
    Port.command(server.port, head)
    {frame, server} = server |> write(tail) |> read()
    assert frame["id"] == "half"

    # Several in one piece, among them some that are none.
    long = String.duplicate("x", 5_000_000)
    {_, server} = {write(server, Enum.join(["nonsense", <<255, 254>>, "", long, "[]", text], "\n")), server}

    {codes, server} =
      Enum.map_reduce(1..4, server, fn _, server ->
        {frame, server} = read(server)
        {frame["error"]["code"], server}
      end)

    assert codes == [-32_700, -32_700, -32_700, -32_600]
    assert {%{"id" => "half", "result" => %{}}, _} = read(server)
  end

  test "the end of standard input ends everything", %{tmp_dir: dir} do
    server = server(dir)
    write(server, frame(1, "tools/call", modern(tool("sleeper"))))
    wait_until(fn -> program(server.pid, "cat") != nil end)
    program = program(server.pid, "cat")
    Port.close(server.port)
    wait_until(fn -> not Command.alive?(server.pid) and not Command.alive?(program) end)
  end

  test "what was asked just before the end of standard input is answered", %{tmp_dir: dir} do
    File.write!(Path.join(dir, "in"), Ambix.JSON.encode!(frame(1, "server/discover", modern())) <> "\n")
    server = Enum.map_join(["elixir" | Command.mix(["ambix.mcp"])], " ", &"'#{&1}'")
    env = for name <- ~w(MIX_ENV MIX_TARGET ELIXIR_ERL_OPTIONS), do: {name, nil}
    assert {line, 0} = System.cmd("sh", ["-c", "#{server} <in 2>err"], cd: dir, env: env)
    assert %{"id" => 1, "result" => %{}} = Ambix.JSON.decode!(line)
  end

  test "a client that does not read is no reason not to end with it", %{tmp_dir: dir} do
    server = server(dir)
    {_, server} = server |> write(frame(0, "server/discover", modern())) |> read()
    # It stops in the middle of what it gets: a pipe holds much less than this.
    text =
      Ambix.JSON.encode!(
        frame(1, "tools/call", modern(tool("echo", %{"text" => String.duplicate("y", 500_000)})))
      )

    Command.signal(server.pid, "STOP")
    write(server, text)
    Command.signal(server.pid, "CONT")
    Port.close(server.port)
    wait_until(fn -> not Command.alive?(server.pid) end)
  end

  test "a client that keeps its end open, and does not read, keeps no server", %{tmp_dir: dir} do
    requests = for id <- 1..100, do: [Ambix.JSON.encode!(frame(id, "tools/list", modern())), "\n"]
    File.write!(Path.join(dir, "requests"), requests)
    server = Enum.map_join(["elixir" | Command.mix(["ambix.mcp"])], " ", &"'#{&1}'")
    # The pipe has a reader who never reads, and holds less than what is answered.
    script = "mkfifo pipe && exec 3<>pipe && timeout -s KILL 30 #{server} <requests >pipe 3<&-; echo $?"
    env = for name <- ~w(MIX_ENV MIX_TARGET ELIXIR_ERL_OPTIONS), do: {name, nil}
    assert {"1\n", 0} = System.cmd("sh", ["-c", script], cd: dir, env: env)
  end

  test "mix ambix.mcp is such a server", %{tmp_dir: dir} do
    server = server(dir, Command.mix(["ambix.mcp"]))
    {frame, server} = server |> write(frame(1, "server/discover", modern())) |> read()
    assert frame["result"]["capabilities"]["tools"]
    {frame, server} = server |> write(frame(2, "initialize", %{"protocolVersion" => "2025-06-18"})) |> read()
    assert frame["result"]["protocolVersion"] == "2025-06-18"
    {frame, server} = server |> write(frame(3, "tools/list", %{})) |> read()
    assert length(frame["result"]["tools"]) == length(Ambix.Tool.all())
    Port.close(server.port)
    wait_until(fn -> not Command.alive?(server.pid) end)
  end

  test "two clients of one project share its index, and both follow its files", %{tmp_dir: dir} do
    root = ToolProject.write(dir)
    env = [{"AMBIX_CACHE", Path.join(dir, "cache")}]
    servers = for n <- 1..2, do: server(root, Command.mix(["ambix.mcp"]), errors: "../stderr#{n}", env: env)

    # Both build it at the same time, and afterwards there is one file.
    servers = Enum.map(servers, &found(&1, "Shop.Tax.with_tax/1"))

    Ambix.Test.Setup.write(root, %{
      "lib/shop/new.ex" => "defmodule Shop.New do\n  def brand_new(x), do: x\nend\n"
    })

    servers = Enum.map(servers, &found(&1, "Shop.New.brand_new/1"))

    # The end of one is nothing to the other.
    [first, second] = servers
    Port.close(first.port)
    wait_until(fn -> not Command.alive?(first.pid) end)

    Ambix.Test.Setup.write(root, %{"lib/shop/new.ex" => "defmodule Shop.New do\n  def newer(x), do: x\nend\n"})

    second = found(second, "Shop.New.newer/1")
    Port.close(second.port)
    wait_until(fn -> not Command.alive?(second.pid) end)
    assert [_] = Path.wildcard(Path.join(dir, "cache/indexes/*.ambix"))
  end

  test "a folder that is deleted ends no server, and when it is there again it is followed", %{tmp_dir: dir} do
    root = ToolProject.write(dir)
    env = [{"AMBIX_CACHE", Path.join(dir, "cache")}]
    server = server(root, Command.mix(["ambix.mcp"]), errors: "../stderr", env: env)
    server = found(server, "Shop.Tax.with_tax/1")

    File.rm_rf!(root)
    params = modern(tool("search", %{"query" => "Shop.Tax.with_tax/1"}))
    {frame, server} = server |> write(frame("gone", "tools/call", params)) |> read()
    assert %{"isError" => true, "content" => [%{"text" => text}]} = frame["result"]
    assert text =~ "not there any more"

    ^root = ToolProject.write(dir)
    server = found(server, "Shop.Tax.with_tax/1")
    Port.close(server.port)
    wait_until(fn -> not Command.alive?(server.pid) end)
  end

  # Asks for a symbol until it is there.
  defp found(server, symbol, attempts \\ 300) do
    params = modern(tool("search", %{"query" => symbol, "kind" => "name"}))
    {frame, server} = server |> write(frame(attempts, "tools/call", params)) |> read()
    symbols = for result <- frame["result"]["structuredContent"]["results"] || [], do: result["symbol"]

    cond do
      symbol in symbols -> server
      attempts == 0 -> flunk("#{symbol} is not found: #{inspect(frame)}")
      true -> receive(do: (:never -> :ok), after: (100 -> found(server, symbol, attempts - 1)))
    end
  end

  test "mix ambix.mcp --port says where it listens", %{tmp_dir: dir} do
    command = Command.start(Command.mix(["ambix.mcp", "--port", "0"]), cd: dir)
    output = Command.await_output(command, "/mcp")
    [_, port] = Regex.run(~r{http://127\.0\.0\.1:(\d+)/mcp}, output)
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, String.to_integer(port), [:binary, active: false])
    :ok = :gen_tcp.send(socket, "GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert {:ok, "HTTP/1.1 405" <> _} = :gen_tcp.recv(socket, 0, 10_000)
    Command.signal(command.pid, "TERM")
    assert {_, code} = Command.finish(command)
    assert code != 0
  end

  defp program(pid, name) do
    Enum.find(Command.descendants(pid), fn pid -> File.read("/proc/#{pid}/comm") == {:ok, name <> "\n"} end)
  end
end
