defmodule Ambix.Supervisor do
  @moduledoc false
  # The tree that `{Ambix, name: …}` starts. A later child uses the earlier ones, hence `:rest_for_one`:
  #
  #   tasks     work of the model server and the index server, so that they can answer meanwhile
  #   models    loads encoder and model
  #   index     opens the index, fills it with vectors of the encoder
  #   agents    what `start_agent/4` starts; they use index and model

  use Supervisor

  alias Ambix.{Error, Index, Model, Options, Shared}
  alias Ambix.Index.FolderOptions

  @options [
             name: [
               type: :atom,
               required: true,
               doc: "what the tree is called, such as `MyApp.Ambix`; its processes are named after it"
             ],
             root: [
               type: :string,
               default: nil,
               doc: "the folder of code to index; without one there is no index"
             ],
             encoder: [
               type: {:or, [:string, {:struct, Model.Encoder}]},
               default: nil,
               doc: "for search by meaning: a folder, a name of `Ambix.Models`, or a loaded one"
             ],
             model: [
               type: {:or, [:string, {:struct, Model}]},
               default: nil,
               doc: "a GGUF file, a name of `Ambix.Models`, or a loaded one"
             ]
           ] ++
             FolderOptions.take([:index]) ++
             Options.take(Options.of(Model, :load_encoder), [:precision]) ++ Index.Tree.watch_options()

  @doc "The options, for the documentation of `Ambix`."
  @spec options() :: Options.schema()
  def options, do: @options

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [start_link: @options]

  @doc "A child specification; two trees of different names can be children of one supervisor."
  @spec child_spec(keyword) :: Supervisor.child_spec()
  def child_spec(opts),
    do: %{id: opts[:name] || Ambix, start: {__MODULE__, :start_link, [opts]}, type: :supervisor}

  @doc "Starts a tree. Index and models are opened after it is up."
  @spec start_link(keyword) :: Supervisor.on_start()
  def start_link(opts) do
    unless is_list(opts) and opts[:name] do
      raise ArgumentError,
            "the :name option is required to start Ambix, as in {Ambix, name: MyApp.Ambix, root: \".\"}"
    end

    opts = Options.validate!(opts, @options)
    Supervisor.start_link(__MODULE__, opts, name: opts[:name])
  end

  @doc "The index of the tree; an error of the kind `:unavailable` until it is open."
  @spec index(atom) :: {:ok, Index.t()} | {:error, Error.t()}
  def index(name), do: Shared.get(name, :index)

  @doc "The model of the tree; an error of the kind `:unavailable` until it is loaded. Options as for `Ambix.Model.fetch/2`."
  @spec model(atom, keyword) :: {:ok, Model.t()} | {:error, Error.t()}
  defdelegate model(name, opts \\ []), to: Model, as: :fetch

  @doc "The encoder of the tree; an error of the kind `:unavailable` until it is loaded. Options as for `Ambix.Model.fetch/2`."
  @spec encoder(atom, keyword) :: {:ok, Model.Encoder.t()} | {:error, Error.t()}
  defdelegate encoder(name, opts \\ []), to: Model, as: :fetch_encoder

  @doc "Starts an `Ambix.Agent` under the tree; it is not restarted when it ends."
  @spec start_agent(atom, module, term, keyword) :: DynamicSupervisor.on_start_child()
  def start_agent(name, module, argument, opts \\ []),
    do: DynamicSupervisor.start_child(agents(name), {Ambix.Agent, {module, argument, opts}})

  @impl Supervisor
  def init(opts) do
    tasks = Module.concat(opts[:name], Tasks)
    index = if opts[:root], do: [{Index.Server, Keyword.put(opts, :tasks, tasks)}], else: []

    children =
      [{Task.Supervisor, name: tasks}, {Model.Server, Keyword.put(opts, :tasks, tasks)}] ++
        index ++ [{DynamicSupervisor, name: agents(opts[:name]), strategy: :one_for_one}]

    Supervisor.init(children, strategy: :rest_for_one)
  end

  defp agents(name), do: Module.concat(name, Agents)
end
