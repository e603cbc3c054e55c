defmodule Ambix.Test.FakePlug do
  @moduledoc "A stand-in for `Plug.Conn`, in which a connection is a map that remembers what was sent."

  @doc "Defines the module for as long as the test runs."
  def install do
    Code.compile_quoted(
      quote do
        defmodule Plug.Conn do
          def read_body(conn, opts) do
            if byte_size(conn.body) <= opts[:length], do: {:ok, conn.body, conn}, else: {:more, "", conn}
          end

          def put_resp_header(conn, name, value), do: put_in(conn.sent[name], value)

          def send_resp(conn, status, body),
            do: Map.merge(conn, %{status: status, answer: IO.iodata_to_binary(body)})

          def send_chunked(conn, status), do: Map.merge(conn, %{status: status, chunks: []})

          def chunk(%{closed_after: n, chunks: chunks}, _data) when length(chunks) == n, do: {:error, :closed}
          def chunk(conn, data), do: {:ok, %{conn | chunks: conn.chunks ++ [IO.iodata_to_binary(data)]}}
        end
      end
    )

    ExUnit.Callbacks.on_exit(fn ->
      :code.purge(Plug.Conn)
      :code.delete(Plug.Conn)
      :persistent_term.erase({Ambix.Optional, Plug.Conn})
    end)
  end

  @doc "A connection with a request."
  def conn(method, headers, body) do
    %{
      method: method,
      req_headers: headers,
      body: body,
      body_params: %{},
      remote_ip: {127, 0, 0, 1},
      sent: %{},
      halted: false,
      closed_after: nil
    }
  end
end
