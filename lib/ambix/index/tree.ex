defmodule Ambix.Index.Tree do
  @moduledoc false
  # The tree that `{Ambix.Index, name: …}` starts: an index server and the supervisor of its work. Its options are also those of `Ambix`.

  use Supervisor

  alias Ambix.{Index, Options}
  alias Ambix.Index.FolderOptions

  @options [
             name: [
               type: :atom,
               required: true,
               doc: "what the index is called, such as `MyApp.Code`; its processes are named after it"
             ],
             root: [type: :string, required: true, doc: "the folder of code"]
           ] ++
             FolderOptions.take([
               :index,
               :max_memory,
               :max_disk,
               :nested_repositories,
               :any_root,
               encoder: [doc: "for search by meaning"]
             ])

  @watch_options [
    watch: [
      type: {:in, [true, false, :poll]},
      default: false,
      doc:
        "whether the index follows its folder; `:poll` looks for changes even where the system would tell them, as is " <>
          "always done on file systems of the network"
    ],
    quiet: [
      type: :milliseconds,
      default: 75,
      doc: "changes are taken in when there was none for so many milliseconds"
    ],
    max_delay: [
      type: :pos_milliseconds,
      default: 1000,
      doc: "or so many milliseconds after the first of them; an operation of git is waited for"
    ],
    poll: [
      type: :pos_milliseconds,
      default: 2000,
      doc:
        "milliseconds between two looks at whether the root is still there, and at all files where there are no events"
    ],
    save_after: [
      type: :pos_milliseconds,
      default: 5000,
      doc: "an index that follows its folder is saved so many milliseconds after a change"
    ]
  ]

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [start_link: options()]

  @doc "The options, for the documentation of `Ambix.Index`."
  @spec options() :: Options.schema()
  def options, do: @options ++ @watch_options

  @doc "Those of them that say how the folder is followed."
  @spec watch_options() :: Options.schema()
  def watch_options, do: @watch_options

  @doc "A child specification; two indexes of different names can be children of one supervisor."
  @spec child_spec(keyword) :: Supervisor.child_spec()
  def child_spec(opts),
    do: %{id: opts[:name] || Ambix.Index, start: {__MODULE__, :start_link, [opts]}, type: :supervisor}

  @doc "Starts the tree. The index is opened after it is up."
  @spec start_link(keyword) :: Supervisor.on_start()
  def start_link(opts) do
    opts = Options.validate!(opts, options())
    Supervisor.start_link(__MODULE__, opts, name: opts[:name])
  end

  @impl Supervisor
  def init(opts) do
    tasks = Module.concat(opts[:name], Tasks)
    children = [{Task.Supervisor, name: tasks}, {Index.Server, Keyword.put(opts, :tasks, tasks)}]
    Supervisor.init(children, strategy: :rest_for_one)
  end
end
