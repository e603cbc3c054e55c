defmodule Ambix.MCP.Server do
  @moduledoc false
  # What a server offers, the same for all its connections, and the processes that these share.

  alias Ambix.MCP.{Client, Version}

  @minute_ms 60_000

  @enforce_keys [:registry, :gate, :tasks, :sessions, :key]
  defstruct [
    :registry,
    :gate,
    :tasks,
    :sessions,
    :key,
    name: "ambix",
    title: "Ambix",
    version: nil,
    instructions: nil,
    tools: nil,
    resources: nil,
    prompts: nil,
    changes: [],
    logging: false
  ]

  @typedoc "A module with the callbacks of a feature, and what is given to them."
  @type feature :: {module, term} | nil

  @type t :: %__MODULE__{
          registry: atom,
          gate: atom,
          tasks: atom,
          sessions: atom,
          key: binary,
          name: String.t(),
          title: String.t(),
          version: String.t() | nil,
          instructions: String.t() | nil,
          tools: feature,
          resources: feature,
          prompts: feature,
          changes: [:tools | :prompts | :resources | :resource],
          logging: boolean
        }

  @doc "The answer to `initialize`."
  @spec initialized(t, Client.t()) :: map
  def initialized(server, client) do
    with_instructions(server, %{
      "protocolVersion" => client.version,
      "capabilities" => capabilities(server, :legacy),
      "serverInfo" => info(server)
    })
  end

  @doc "The answer to `server/discover`."
  @spec discovered(t) :: map
  def discovered(server) do
    with_instructions(server, %{
      "supportedVersions" => Version.all(),
      "capabilities" => capabilities(server, :modern)
    })
  end

  @doc "A result as a client of this era expects it."
  @spec dressed(t, Client.t(), String.t(), map) :: map
  def dressed(_server, %{era: :legacy}, _method, result), do: result

  def dressed(server, _client, method, result) do
    meta = Map.put_new(Map.get(result, "_meta", %{}), Client.key("serverInfo"), info(server))
    result = result |> Map.put("_meta", meta) |> Map.put_new("resultType", "complete")
    if result["resultType"] == "complete", do: Map.merge(fresh(method), result), else: result
  end

  # How long an answer may be kept, and by whom.
  defp fresh("server/discover"), do: kept(60 * @minute_ms, "public")
  defp fresh("resources/read"), do: kept(0, "private")
  defp fresh("resources/list"), do: kept(0, "private")

  defp fresh(method) when method in ["tools/list", "prompts/list", "resources/templates/list"],
    do: kept(5 * @minute_ms, "public")

  defp fresh(_method), do: %{}

  defp kept(ms, scope), do: %{"ttlMs" => ms, "cacheScope" => scope}

  defp info(server),
    do: %{"name" => server.name, "title" => server.title, "version" => server.version || version()}

  # The application is not loaded where a mix task runs.
  @ambix Keyword.fetch!(Mix.Project.config(), :version)
  defp version, do: @ambix

  defp with_instructions(%{instructions: nil}, result), do: result
  defp with_instructions(server, result), do: Map.put(result, "instructions", server.instructions)

  defp capabilities(server, era) do
    for {name, settings} <- [
          {"tools", server.tools && listed(server, :tools)},
          {"resources", server.resources && Map.merge(listed(server, :resources), subscribed(server))},
          {"prompts", server.prompts && listed(server, :prompts)},
          {"completions", server.prompts && %{}},
          {"logging", server.logging && %{}},
          {"extensions", era == :modern && server.tools && %{Client.key("tasks") => %{}}}
        ],
        settings,
        into: %{},
        do: {name, settings}
  end

  defp listed(server, kind), do: if(kind in server.changes, do: %{"listChanged" => true}, else: %{})
  defp subscribed(server), do: if(:resource in server.changes, do: %{"subscribe" => true}, else: %{})
end
