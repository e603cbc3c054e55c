defmodule Ambix.MCP.Seal do
  @moduledoc false
  # State that a client keeps for the server between two rounds of one request. It comes back from anybody: it is signed, holds for a
  # while, and for the same request only.

  alias Ambix.JSON

  @valid_ms 3_600_000

  @doc "A string for the client. `request` is a term that JSON can say, the same in the next round."
  @spec close(binary, term, term, integer) :: String.t()
  def close(key, request, state, now_ms \\ now()) do
    payload = JSON.encode!(%{"until" => now_ms + @valid_ms, "state" => state})
    Base.url_encode64(mac(key, request, payload) <> payload, padding: false)
  end

  @spec open(binary, term, term, integer) :: {:ok, term} | :error
  def open(key, request, text, now_ms \\ now()) do
    with true <- is_binary(text),
         {:ok, <<mac::binary-size(32), payload::binary>>} <- Base.url_decode64(text, padding: false),
         true <- :crypto.hash_equals(mac, mac(key, request, payload)),
         {:ok, %{"until" => until, "state" => state}} when until > now_ms <- JSON.decode(payload) do
      {:ok, state}
    else
      _ -> :error
    end
  end

  # Two parts whose border cannot be moved: the digest has a fixed length.
  defp mac(key, request, payload) do
    :crypto.mac(:hmac, :sha256, key, :crypto.hash(:sha256, JSON.encode!(request)) <> payload)
  end

  defp now, do: System.system_time(:millisecond)
end
