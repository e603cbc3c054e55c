defmodule Ambix.MCP.Frame do
  @moduledoc false
  # Messages of JSON-RPC 2.0, from and to bytes. What comes in is anybody's: it is bounded in size here and in depth by the reader of
  # JSON, which makes no atoms.

  alias Ambix.JSON
  alias Ambix.MCP.Fault

  @max_bytes 1024 * 1024
  # Ids and tokens are kept and sent back, so nobody needs long ones.
  @max_id_bytes 256

  @type id :: String.t() | integer
  @type t ::
          {:request, id, method :: String.t(), params :: map}
          | {:notification, method :: String.t(), params :: map}
          | {:response, id, {:ok, map} | {:error, map}}

  @doc "The most bytes that a message may have."
  @spec max_bytes() :: pos_integer
  def max_bytes, do: @max_bytes

  @doc "The message, or the fault and the id of the request that has it, where that can be read."
  @spec decode(binary) :: {:ok, t} | {:error, id | nil, Fault.t()}
  def decode(text) when byte_size(text) > @max_bytes, do: {:error, nil, too_long()}

  def decode(text) do
    case JSON.decode(text) do
      {:ok, object} -> read(object)
      {:error, error} -> {:error, nil, Fault.parse(error.message)}
    end
  end

  @doc "What is answered to a message that is too long to be read."
  @spec too_long() :: Fault.t()
  def too_long, do: %{Fault.parse("a message has more than #{@max_bytes} bytes") | status: 413}

  @doc "Whether it can be the id of a request, or a token of progress."
  @spec id?(term) :: boolean
  def id?(id) when is_integer(id), do: true
  def id?(id), do: is_binary(id) and byte_size(id) <= @max_id_bytes

  @doc "A response as bytes; what cannot be written as JSON is a fault of the server."
  @spec result(id, map) :: binary
  def result(id, result) do
    case JSON.encode(%{"jsonrpc" => "2.0", "id" => id, "result" => result}) do
      {:ok, text} -> text
      {:error, _} -> fault(id, Fault.internal())
    end
  end

  @spec fault(id | nil, Fault.t()) :: binary
  def fault(id, fault) do
    JSON.encode!(%{"jsonrpc" => "2.0", "id" => id, "error" => Fault.to_map(fault)} |> drop_nil("id"))
  end

  @spec notification(String.t(), map) :: binary
  def notification(method, params),
    do: JSON.encode!(%{"jsonrpc" => "2.0", "method" => method, "params" => params})

  @spec request(id, String.t(), map) :: binary
  def request(id, method, params),
    do: JSON.encode!(%{"jsonrpc" => "2.0", "id" => id, "method" => method, "params" => params})

  defp read(%{"jsonrpc" => "2.0", "method" => method} = object) when is_binary(method) do
    case {Map.fetch(object, "id"), Map.get(object, "params", %{})} do
      {:error, %{} = params} -> {:ok, {:notification, method, params}}
      {:error, _params} -> {:error, nil, Fault.invalid_request("params must be an object")}
      {{:ok, id}, params} -> request_of(id, method, params)
    end
  end

  defp read(%{"jsonrpc" => "2.0", "id" => id, "result" => %{} = result}), do: response(id, {:ok, result})
  defp read(%{"jsonrpc" => "2.0", "id" => id, "error" => %{} = error}), do: response(id, {:error, error})

  defp read(%{} = object) do
    id = if id?(object["id"]), do: object["id"]
    {:error, id, Fault.invalid_request("this is no message of JSON-RPC 2.0")}
  end

  defp read(_other), do: {:error, nil, Fault.invalid_request("a message is one JSON object")}

  defp request_of(id, method, params) do
    cond do
      not id?(id) ->
        {:error, nil,
         Fault.invalid_request("an id is an integer or a string of #{@max_id_bytes} bytes at most")}

      not is_map(params) ->
        {:error, id, Fault.invalid_request("params must be an object")}

      true ->
        {:ok, {:request, id, method, params}}
    end
  end

  defp response(id, outcome) do
    if id?(id),
      do: {:ok, {:response, id, outcome}},
      else: {:error, nil, Fault.invalid_request("this answers no request")}
  end

  defp drop_nil(map, key), do: if(map[key] == nil, do: Map.delete(map, key), else: map)
end
