defmodule Ambix.MCP.HTTP.Admission do
  @moduledoc false
  # Who may talk to a server by HTTP. A page in a browser can send requests to the loopback interface, also under a name of its own that
  # it lets point there: it is known by the headers `Origin` and `Host`. Beyond loopback only a token counts.

  @loopback ["localhost", "127.0.0.1", "[::1]", "::1"]

  @type rules :: %{
          hosts: [String.t() | :any],
          origins: [String.t()],
          token: String.t() | nil,
          near: boolean
        }

  @doc """
  The rules of these options: `:hosts` and `:origins` that may stand in the headers beside those of loopback, and `:token`. `near` is whether
  the client is on this machine.
  """
  @spec rules(keyword, boolean) :: rules
  def rules(opts, near \\ true) do
    %{hosts: opts[:hosts] || [], origins: opts[:origins] || [], token: token(opts), near: near}
  end

  @doc "The token that the options name. An empty one is none: it comes of a variable that is not set."
  @spec token(keyword) :: String.t() | nil
  def token(opts), do: if(opts[:token] != "", do: opts[:token])

  @doc "Nil for a request that may come in, or the status and sentence with which it is refused."
  @spec refused(rules, %{String.t() => String.t()}) :: nil | {pos_integer, String.t()}
  def refused(rules, headers) do
    cond do
      # What it says of itself in a header proves nothing.
      rules.token == nil and not rules.near ->
        {403, "from other machines this server takes requests with a token only"}

      not host?(rules, headers["host"]) ->
        {403, "this server has another name than the header Host says"}

      not origin?(rules, headers["origin"]) ->
        {403, "pages of this origin may not use the server"}

      not token?(rules.token, headers["authorization"]) ->
        {401, "a bearer token is needed"}

      true ->
        nil
    end
  end

  @doc "Whether an address is reached from this machine only."
  @spec loopback?(:inet.ip_address() | {:local, term}) :: boolean
  def loopback?({:local, _}), do: true
  def loopback?({127, _, _, _}), do: true
  # The same as a socket for both kinds of addresses has it.
  def loopback?({0, 0, 0, 0, 0, 0xFFFF, high, _}) when high in 0x7F00..0x7FFF, do: true
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
