defmodule Ambix.MCP do
  @options [
    name: [
      type: :atom,
      default: Ambix.MCP,
      doc: "what the server is called; its processes are named after it"
    ],
    tools: [
      type: {:list, :atom},
      default: [],
      doc: "modules with the behaviour `Ambix.Tool`, in the order in which they are listed"
    ],
    host: [type: :any, default: nil, doc: "what the tools work on; each call gets it"],
    budget: [type: :pos_integer, default: 4000, doc: "how many tokens an answer of a tool may have"],
    features: [
      type: :any,
      default: nil,
      doc: "instead of `:tools`: `{module, term}` that offers tools as the protocol has them"
    ],
    resources: [type: :any, default: nil, doc: "`{module, term}` with the behaviour `Ambix.MCP.Resources`"],
    prompts: [type: :any, default: nil, doc: "`{module, term}` with the behaviour `Ambix.MCP.Prompts`"],
    changes: [
      type: {:list, {:in, [:tools, :prompts, :resources, :resource]}},
      default: [],
      doc: "what `changed/2` will be called for: the lists, and single resources"
    ],
    instructions: [
      type: {:or, [:string, {:in, [nil]}]},
      default: nil,
      doc: "what a model is to know of the server"
    ],
    server_name: [type: :string, default: "ambix", doc: "what the server calls itself"],
    title: [type: :string, default: "Ambix", doc: "the same for people"],
    version: [type: {:or, [:string, {:in, [nil]}]}, default: nil, doc: "the version it tells; that of Ambix"],
    logging: [type: :boolean, default: false, doc: "whether the tools write to the client's log"],
    at_once: [type: :pos_integer, default: 8, doc: "how many requests work at once"],
    waiting: [type: :non_neg_integer, default: 256, doc: "how many more may wait; one more gets an error"],
    tasks: [type: :pos_integer, default: 4, doc: "how many tasks run at once"],
    kept_tasks: [type: :pos_integer, default: 64, doc: "how many tasks are kept, with their results"],
    task_ttl: [type: :pos_milliseconds, default: 6 * 3_600_000, doc: "how long a task is kept"],
    sessions: [type: :pos_integer, default: 64, doc: "how many legacy clients HTTP may have"]
  ]

  @moduledoc """
  A server of the Model Context Protocol, which gives tools to coding agents.

  It speaks the revision 2026-07-28 and, for older clients, 2025-11-25 and 2025-06-18; which of them, each request decides. This module
  is a supervisor of what all clients of a server share; `Ambix.MCP.Stdio` and `Ambix.MCP.Plug` bring the clients:

      tools = [name: MyApp.Tools, root: "/path/to/checkout"]

      children = [
        {Ambix.Tool.Host, tools},
        {Ambix.MCP,
         name: MyApp.MCP,
         tools: Ambix.Tool.all(),
         instructions: Ambix.Tool.instructions(),
         host: Ambix.Tool.Host.of(tools)}
      ]

  ## Options
  #{Ambix.Options.docs(@options)}
  """

  use Supervisor

  alias Ambix.MCP.{Gate, Listen, Server, Tasks, ToolModules}
  alias Ambix.Options

  @doc false
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [start_link: @options]

  @doc "A child specification; two servers of different names can be children of one supervisor."
  @spec child_spec(keyword) :: Supervisor.child_spec()
  def child_spec(opts),
    do: %{id: opts[:name] || __MODULE__, start: {__MODULE__, :start_link, [opts]}, type: :supervisor}

  @doc "Starts what the clients of a server share."
  @spec start_link(keyword) :: Supervisor.on_start()
  def start_link(opts) do
    opts = Options.validate!(opts, @options)
    Supervisor.start_link(__MODULE__, opts, name: opts[:name])
  end

  @doc """
  Tells clients that listen of a change: of a list, or of a resource as `{:resource, uri}`.
  """
  @spec changed(atom, :tools | :prompts | :resources | {:resource, String.t()}) :: :ok
  def changed(name \\ __MODULE__, change), do: Listen.publish(child(name, "Registry"), change)

  @doc false
  # What the server of this name offers.
  @spec server(atom) :: Server.t()
  def server(name) do
    {:ok, server} = Registry.meta(child(name, "Registry"), :server)
    server
  end

  @impl true
  def init(opts) do
    name = opts[:name]
    registry = child(name, "Registry")
    gate = child(name, "Gate")
    tasks = child(name, "Tasks")
    sessions = child(name, "Sessions")
    limits = [running: opts[:tasks], kept: opts[:kept_tasks], ttl_ms: opts[:task_ttl]]

    server = %Server{
      registry: registry,
      gate: gate,
      tasks: tasks,
      sessions: sessions,
      key: :crypto.strong_rand_bytes(32),
      name: opts[:server_name],
      title: opts[:title],
      version: opts[:version],
      instructions: opts[:instructions],
      tools: opts[:features] || modules(opts),
      resources: opts[:resources],
      prompts: opts[:prompts],
      changes: opts[:changes],
      logging: opts[:logging]
    }

    children = [
      {Registry, keys: :duplicate, name: registry, meta: [server: server]},
      {Gate, name: gate, at_once: opts[:at_once], waiting: opts[:waiting]},
      {Tasks, name: tasks, registry: registry, limits: limits},
      {Ambix.MCP.HTTP.Sessions, name: sessions, max: opts[:sessions]}
    ]

    Supervisor.init(children, strategy: :one_for_one)
  end

  defp modules(opts) do
    {ToolModules, %{modules: opts[:tools], host: opts[:host], budget: opts[:budget]}}
  end

  defp child(name, part), do: Module.concat(name, part)
end
