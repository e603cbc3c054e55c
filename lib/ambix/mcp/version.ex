defmodule Ambix.MCP.Version do
  @moduledoc false
  # The revisions of the protocol that are spoken. Modern ones tell their version in each request, legacy ones in a handshake.

  @modern ["2026-07-28"]
  @legacy ["2025-11-25", "2025-06-18"]

  @spec all() :: [String.t()]
  def all, do: @modern ++ @legacy

  @spec modern?(term) :: boolean
  def modern?(version), do: version in @modern

  @spec legacy?(term) :: boolean
  def legacy?(version), do: version in @legacy

  @doc "What a handshake agrees on: what the client asks for, or the newest that it may know."
  @spec agreed(term) :: String.t()
  def agreed(version), do: if(legacy?(version), do: version, else: hd(@legacy))
end
