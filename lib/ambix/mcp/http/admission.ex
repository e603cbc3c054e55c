defmodule Ambix.MCP.HTTP.Admission do
  @moduledoc false
  # Who may talk to a server by HTTP. A page in a browser can send requests to the loopback interface, also under a name of its own that
  # it lets point there: it is known by the headers `Origin` and `Host`. Beyond loopback only a token counts.

  @loopback ["localhost", "127.0.0.1", "[::1]", "::1"]

  @type rules :: %{hosts: [String.t() | :any], origins: [String.t()], token: String.t() | nil}

  @doc """
  The rules of these options: `:hosts` and `:origins` that may stand in the headers beside those of loopback, and `:token`.
  """
  @spec rules(keyword) :: rules
  def rules(opts) do
    %{hosts: opts[:hosts] || [], origins: opts[:origins] || [], token: opts[:token]}
  end

  @doc "Nil for a request that may come in, or the status and sentence with which it is refused."
  @spec refused(rules, %{String.t() => String.t()}) :: nil | {pos_integer, String.t()}
  def refused(rules, headers) do
    cond do
      not host?(rules, headers["host"]) -> {403, "this server has another name than the header Host says"}
      not origin?(rules, headers["origin"]) -> {403, "pages of this origin may not use the server"}
      not token?(rules.token, headers["authorization"]) -> {401, "a bearer token is needed"}
      true -> nil
    end
  end

  @doc "Whether an address is reached from this machine only."
  @spec loopback?(:inet.ip_address()) :: boolean
  def loopback?({127, _, _, _}), do: true
  def loopback?({0, 0, 0, 0, 0, 0, 0, 1}), do: true
  def loopback?(_address), do: false

  defp host?(%{hosts: [:any | _]}, _host), do: true
  defp host?(_rules, nil), do: false
  defp host?(rules, host), do: name(host) in @loopback or host in rules.hosts or name(host) in rules.hosts

  defp origin?(_rules, nil), do: true

  defp origin?(rules, origin) do
    case String.split(origin, "://", parts: 2) do
      [scheme, host] when scheme in ["http", "https"] -> name(host) in @loopback or origin in rules.origins
      _ -> false
    end
  end

  # Without the port.
  defp name(host), do: host |> String.downcase() |> String.replace(~r/:\d{1,5}\z/, "")

  defp token?(nil, _authorization), do: true
  defp token?(_token, nil), do: false

  defp token?(token, authorization) do
    # Of the same length whatever was sent, so that the time of the comparison tells nothing.
    case String.split(authorization, " ", parts: 2) do
      [scheme, given] ->
        String.downcase(scheme) == "bearer" and
          :crypto.hash_equals(:crypto.hash(:sha256, String.trim(given)), :crypto.hash(:sha256, token))

      _ ->
        false
    end
  end
end
