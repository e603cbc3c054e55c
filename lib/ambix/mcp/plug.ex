defmodule Ambix.MCP.Plug do
  @moduledoc """
  A plug that serves `Ambix.MCP` by Streamable HTTP, for a host that has Plug, Phoenix among others:

      # in a router, before what parses bodies
      forward "/mcp", to: Ambix.MCP.Plug, init_opts: [server: MyApp.MCP, token: token]

  The server is a child of the host's supervisor, as `Ambix.MCP` shows; it works in a release too.

  Options: `:server`, the name of the server; `:token`, which clients send as a bearer token; `:hosts` and `:origins`, what the headers
  `Host` and `Origin` may say beside the names of the loopback interface.

  Without a token only clients on the same machine are served. Behind a proxy all seem to be there, so give a token.
  """

  @behaviour Ambix.MCP.HTTP.Reply

  alias Ambix.MCP
  alias Ambix.MCP.{Frame, HTTP}

  @read_ms 30_000

  @doc false
  def init(opts), do: opts

  @doc false
  # Plug may be compiled after this module, so nothing of it is known here but names.
  def call(conn, opts) do
    Ambix.Optional.require!(Plug.Conn, {:plug, "~> 1.14"})
    rules = HTTP.Admission.rules(opts, HTTP.Admission.loopback?(conn.remote_ip))
    {body, conn} = body(conn)
    request = %{method: conn.method, headers: headers(conn.req_headers), body: body}
    {__MODULE__, conn} = HTTP.serve(request, MCP.server(opts[:server] || MCP), rules, {__MODULE__, conn})
    conn |> Map.put(:halted, true)
  end

  @impl true
  def whole(conn, status, headers, body),
    do: conn |> put_headers(headers) |> Plug.Conn.send_resp(status, body)

  @impl true
  def open(conn, status, headers), do: {:ok, conn |> put_headers(headers) |> Plug.Conn.send_chunked(status)}

  @impl true
  def chunk(conn, data) do
    case Plug.Conn.chunk(conn, data) do
      {:ok, conn} -> {:ok, conn}
      {:error, _reason} -> {:closed, conn}
    end
  end

  @impl true
  def finish(conn), do: conn

  # The web server ends the process, or the next piece cannot be sent.
  @impl true
  def socket(_conn), do: nil

  defp body(%{method: "POST"} = conn) do
    case Plug.Conn.read_body(conn, length: Frame.max_bytes(), read_timeout: @read_ms) do
      # What stands before has read and parsed it.
      {:ok, "", %{body_params: %{"jsonrpc" => _} = object} = conn} -> {again(object), conn}
      {:ok, body, conn} -> {body, conn}
      {:more, _part, conn} -> {:too_long, conn}
      {:error, _reason} -> {"", conn}
    end
  end

  defp body(conn), do: {"", conn}

  # What was no JSON can hold what JSON cannot say.
  defp again(object) do
    case Ambix.JSON.encode(object) do
      {:ok, text} -> text
      {:error, _} -> ""
    end
  end

  # The first of those with one name. Some web servers leave blanks around values.
  defp headers(list),
    do: list |> Enum.reverse() |> Map.new(fn {name, value} -> {name, String.trim(value)} end)

  defp put_headers(conn, headers) do
    Enum.reduce(headers, conn, fn {name, value}, conn -> Plug.Conn.put_resp_header(conn, name, value) end)
  end
end
