defmodule Ambix.MCP.HTTP.Wire do
  @moduledoc false
  # HTTP/1.1 on a socket, no more of it than a server of one path needs. What comes in is bounded in number, size and time.

  @behaviour Ambix.MCP.HTTP.Reply

  alias Ambix.MCP.Frame

  @max_headers 100
  @max_head_bytes 32 * 1024
  @head_ms 10_000
  @body_ms 30_000
  @linger_ms 1000

  @reasons %{
    200 => "OK",
    202 => "Accepted",
    204 => "No Content",
    400 => "Bad Request",
    401 => "Unauthorized",
    403 => "Forbidden",
    404 => "Not Found",
    405 => "Method Not Allowed",
    406 => "Not Acceptable",
    408 => "Request Timeout",
    411 => "Length Required",
    413 => "Content Too Large",
    415 => "Unsupported Media Type",
    431 => "Request Header Fields Too Large",
    500 => "Internal Server Error",
    503 => "Service Unavailable"
  }

  @enforce_keys [:socket, :version]
  defstruct [:socket, :version, keep: true, open: false]

  @type t :: %__MODULE__{
          socket: :gen_tcp.socket(),
          version: {non_neg_integer, non_neg_integer},
          keep: boolean,
          open: boolean
        }

  @doc """
  Reads a request, for whose first line `idle_ms` are waited. An error is the status to answer with, or `:closed`.
  """
  @spec read(:gen_tcp.socket(), pos_integer) ::
          {:ok, %{method: String.t(), path: String.t(), headers: map, body: binary | :too_long}, t}
          | {:error, :closed | pos_integer, t}
  def read(socket, idle_ms) do
    wire = %__MODULE__{socket: socket, version: {1, 1}}

    with :ok <- :inet.setopts(socket, packet: :http_bin, active: false),
         {:ok, {:http_request, method, {:abs_path, path}, version}} <- :gen_tcp.recv(socket, 0, idle_ms),
         wire = %{wire | version: version},
         {:ok, headers} <- headers(socket, %{}, 0, 0, now() + @head_ms),
         wire = %{wire | keep: version == {1, 1} and connection(headers) != "close"},
         :ok <- :inet.setopts(socket, packet: :raw),
         {:ok, body} <- body(socket, headers, method) do
      # From now on it is heard when the client goes.
      :inet.setopts(socket, active: :once)
      wire = if body == :too_long, do: %{wire | keep: false}, else: wire
      [path | _] = String.split(path, "?", parts: 2)
      {:ok, %{method: to_string(method), path: path, headers: headers, body: body}, wire}
    else
      {:error, status} when is_integer(status) -> {:error, status, wire}
      {:error, :emsgsize} -> {:error, 431, wire}
      {:error, _reason} -> {:error, :closed, wire}
      {:ok, _no_request} -> {:error, 400, wire}
    end
  end

  @impl true
  def whole(wire, status, headers, body) do
    body = if status in [202, 204], do: "", else: body
    length = [{"content-length", Integer.to_string(IO.iodata_length(body))}]
    sent(wire, [head(wire, status, headers ++ length), body])
  end

  @impl true
  def open(wire, status, headers) do
    chunked = if wire.version == {1, 1}, do: [{"transfer-encoding", "chunked"}], else: []
    # A client of HTTP/1.0 knows the end by the end of the connection.
    wire = if chunked == [], do: %{wire | keep: false}, else: wire
    how(sent(%{wire | open: true}, head(wire, status, headers ++ chunked)))
  end

  @impl true
  def chunk(wire, data), do: wire |> sent(piece(wire, data)) |> how()

  @impl true
  def finish(%{open: true, version: {1, 1}, keep: true} = wire), do: %{sent(wire, "0\r\n\r\n") | open: false}
  # Before a word was answered there is nobody to answer.
  def finish(wire), do: %{wire | keep: false}

  @impl true
  def socket(wire), do: wire.socket

  @doc "Takes back that the end of the connection is heard of. Whether another request may come."
  @spec next?(t) :: boolean
  def next?(%{keep: false}), do: false

  def next?(%{socket: socket}) do
    :inet.setopts(socket, active: false)

    receive do
      {:tcp_closed, ^socket} -> false
      {:tcp_error, ^socket, _reason} -> false
      # The next request came as soon as the answer was there, or before: it is read as if nobody had looked.
      {:tcp, ^socket, bytes} -> :gen_tcp.unrecv(socket, bytes) == :ok
    after
      0 -> true
    end
  end

  @doc """
  Closes the connection. What the client still sends is read for a moment: an end with bytes unread would take the answer from it.
  """
  @spec close(t) :: :ok
  def close(%{socket: socket}) do
    :inet.setopts(socket, active: false, packet: :raw)
    :gen_tcp.shutdown(socket, :write)
    drain(socket, now() + @linger_ms)
    :gen_tcp.close(socket)
  end

  defp drain(socket, deadline) do
    with {:ok, _data} <- :gen_tcp.recv(socket, 0, max(deadline - now(), 0)), do: drain(socket, deadline)
  end

  defp headers(socket, headers, count, bytes, deadline) do
    case :gen_tcp.recv(socket, 0, max(deadline - now(), 0)) do
      {:ok, {:http_header, _, name, _, value}} ->
        name = name |> to_string() |> String.downcase()
        value = String.trim(value)
        bytes = bytes + byte_size(name) + byte_size(value)

        cond do
          count >= @max_headers or bytes > @max_head_bytes -> {:error, 431}
          # Two readers could believe different ones.
          is_map_key(headers, name) and single?(name) -> {:error, 400}
          true -> headers(socket, Map.put(headers, name, value), count + 1, bytes, deadline)
        end

      {:ok, :http_eoh} ->
        {:ok, headers}

      {:ok, _error} ->
        {:error, 400}

      {:error, :timeout} ->
        {:error, 408}

      error ->
        error
    end
  end

  defp single?("mcp-" <> _), do: true

  defp single?(name),
    do: name in ~w(host origin authorization content-length content-type transfer-encoding accept)

  defp body(_socket, %{"transfer-encoding" => _}, _method), do: {:error, 411}

  defp body(socket, %{"content-length" => length} = headers, _method) do
    case Integer.parse(length) do
      {0, ""} ->
        {:ok, ""}

      {length, ""} when length > 0 ->
        cond do
          length > Frame.max_bytes() -> {:ok, :too_long}
          headers["expect"] != nil and continue(socket) != :ok -> {:error, :closed}
          true -> received(:gen_tcp.recv(socket, length, @body_ms))
        end

      _ ->
        {:error, 400}
    end
  end

  defp body(_socket, _headers, :POST), do: {:error, 411}
  defp body(_socket, _headers, _method), do: {:ok, ""}

  defp received({:error, :timeout}), do: {:error, 408}
  defp received(received), do: received

  defp continue(socket), do: :gen_tcp.send(socket, "HTTP/1.1 100 Continue\r\n\r\n")

  defp connection(headers), do: headers |> Map.get("connection", "") |> String.downcase()

  defp head(wire, status, headers) do
    connection = if wire.keep, do: "keep-alive", else: "close"
    lines = for {name, value} <- headers ++ [{"connection", connection}], do: [name, ": ", value, "\r\n"]
    ["HTTP/1.1 ", Integer.to_string(status), " ", Map.get(@reasons, status, "Error"), "\r\n", lines, "\r\n"]
  end

  defp piece(%{version: {1, 1}}, data),
    do: [Integer.to_string(IO.iodata_length(data), 16), "\r\n", data, "\r\n"]

  defp piece(_wire, data), do: data

  defp sent(wire, data) do
    case :gen_tcp.send(wire.socket, data) do
      :ok -> wire
      {:error, _reason} -> %{wire | keep: false, version: :closed}
    end
  end

  defp how(%{version: :closed} = wire), do: {:closed, wire}
  defp how(wire), do: {:ok, wire}

  defp now, do: System.monotonic_time(:millisecond)
end
