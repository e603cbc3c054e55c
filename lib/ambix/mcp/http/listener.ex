defmodule Ambix.MCP.HTTP.Listener do
  @options [
    server: [type: :atom, default: Ambix.MCP, doc: "the name of the `Ambix.MCP` to serve"],
    port: [type: {:integer, 0..65_535}, default: 0, doc: "the port; 0 takes one that is free"],
    ip: [
      type: :any,
      default: {127, 0, 0, 1},
      doc: "the address to listen at; beyond loopback a token is needed"
    ],
    token: [type: {:or, [:string, {:in, [nil]}]}, default: nil, doc: "what clients send as a bearer token"],
    hosts: [type: {:list, :string}, default: [], doc: "what the header `Host` may say beside loopback"],
    origins: [type: {:list, :string}, default: [], doc: "what the header `Origin` may say beside loopback"],
    max_connections: [type: :pos_integer, default: 256, doc: "how many connections are open at once"]
  ]

  @moduledoc """
  A small web server for `Ambix.MCP`, for a VM without another one. It serves the path `/mcp`.

  ## Options
  #{Ambix.Options.docs(@options)}
  """

  use GenServer
  use Ambix.Redact

  alias Ambix.{Error, MCP, Options}
  alias Ambix.MCP.HTTP
  alias Ambix.MCP.HTTP.{Admission, Wire}

  @idle_ms 60_000
  @line_bytes 8192

  @doc false
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [start_link: @options]

  @doc "Starts listening."
  @spec start_link(keyword) :: GenServer.on_start() | {:error, Error.t()}
  def start_link(opts) do
    opts = Options.validate!(opts, @options)

    if Admission.token(opts) == nil and not Admission.loopback?(opts[:ip]) do
      {:error, Error.new(:invalid_argument, "beyond the loopback interface a server needs a token")}
    else
      case :gen_tcp.listen(opts[:port], socket_options(opts[:ip])) do
        {:ok, socket} -> start(socket, opts)
        {:error, reason} -> {:error, refused(reason, opts)}
      end
    end
  end

  @doc "Where it listens."
  @spec url(GenServer.server()) :: String.t()
  def url(listener), do: GenServer.call(listener, :url)

  @impl true
  def init({socket, opts}) do
    Process.flag(:trap_exit, true)
    {:ok, {ip, port}} = :inet.sockname(socket)
    server = MCP.server(opts[:server])
    rules = Admission.rules(opts)
    # Beyond loopback the names of the machine are not known, and the token tells who may come in.
    rules = if Admission.loopback?(ip), do: rules, else: %{rules | hosts: [:any | rules.hosts]}
    listener = self()
    acceptor = spawn_link(fn -> accept(socket, listener) end)

    state = %{
      socket: socket,
      ip: ip,
      port: port,
      server: server,
      rules: rules,
      open: 0,
      max: opts[:max_connections]
    }

    {:ok, Map.put(state, :acceptor, acceptor)}
  end

  @impl true
  def handle_call(:url, _from, state) do
    host = state.ip |> :inet.ntoa() |> to_string()
    host = if host =~ ":", do: "[#{host}]", else: host
    {:reply, "http://#{host}:#{state.port}/mcp", state}
  end

  def handle_call(:accepted, {pid, _}, %{acceptor: pid} = state) when state.open < state.max do
    %{server: server, rules: rules} = state

    handler =
      spawn_link(fn ->
        receive do
          {:socket, socket} -> connection(socket, server, rules)
        after
          # It was closed before it was handed over.
          5000 -> :ok
        end
      end)

    {:reply, {:ok, handler}, %{state | open: state.open + 1}}
  end

  def handle_call(:accepted, _from, state), do: {:reply, :full, state}

  @impl true
  def handle_info({:EXIT, acceptor, reason}, %{acceptor: acceptor} = state), do: {:stop, reason, state}
  def handle_info({:EXIT, _handler, _reason}, state), do: {:noreply, %{state | open: state.open - 1}}

  defp start(socket, opts) do
    with {:ok, pid} <- GenServer.start_link(__MODULE__, {socket, opts}) do
      :ok = :gen_tcp.controlling_process(socket, pid)
      {:ok, pid}
    end
  end

  defp socket_options(ip) do
    family = if tuple_size(ip) == 8, do: [:inet6], else: []

    family ++
      [
        :binary,
        ip: ip,
        packet: :http_bin,
        packet_size: @line_bytes,
        active: false,
        reuseaddr: true,
        nodelay: true,
        backlog: 128,
        # Whoever does not read is not waited for.
        send_timeout: 30_000,
        send_timeout_close: true
      ]
  end

  defp refused(reason, opts) do
    how = :inet.format_error(reason)
    Error.new(:io, "cannot listen on port #{opts[:port]} of #{:inet.ntoa(opts[:ip])}: #{how}")
  end

  defp accept(listening, listener) do
    case :gen_tcp.accept(listening) do
      {:ok, socket} ->
        case GenServer.call(listener, :accepted, :infinity) do
          {:ok, handler} ->
            # It may have closed already.
            with :ok <- :gen_tcp.controlling_process(socket, handler), do: send(handler, {:socket, socket})

          :full ->
            :gen_tcp.send(
              socket,
              "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )

            :gen_tcp.close(socket)
        end

        accept(listening, listener)

      # Of this connection, not of the listening socket.
      {:error, reason} when reason in [:econnaborted, :emfile, :enfile, :timeout] ->
        receive(do: (:never -> :ok), after: (20 -> accept(listening, listener)))

      {:error, reason} ->
        exit({:shutdown, reason})
    end
  end

  defp connection(socket, server, rules) do
    case Wire.read(socket, @idle_ms) do
      {:ok, %{path: path} = request, wire} when path in ["/mcp", "/mcp/"] ->
        {Wire, wire} = HTTP.serve(request, server, rules, {Wire, wire})
        if Wire.next?(wire), do: connection(socket, server, rules), else: Wire.close(wire)

      {:ok, _request, wire} ->
        wire = Wire.whole(wire, 404, [{"content-type", "text/plain"}], "the server is at /mcp\n")
        if Wire.next?(wire), do: connection(socket, server, rules), else: Wire.close(wire)

      {:error, :closed, _wire} ->
        :gen_tcp.close(socket)

      {:error, status, wire} ->
        %{wire | keep: false} |> Wire.whole(status, [], "") |> Wire.close()
    end
  end
end
