defmodule Ambix.Tool.Host do
  alias Ambix.{Fix, Index, Options, Packages}

  @options Options.take(Index.Tree.options(), [
             :root,
             {:name, required: nil, default: Ambix.Tool.Host, doc: "what the host is called"},
             :index,
             :max_memory,
             :max_disk,
             :nested_repositories,
             :any_root,
             :encoder,
             {:watch, default: true},
             :quiet,
             :max_delay,
             :poll,
             :save_after
           ]) ++
             Options.take(Options.of(Packages, :open), [:elixir]) ++
             Options.take(Options.of(Fix, :run),
               allow_paths: [
                 doc:
                   "folders outside of the project that hold dependencies by path, which tools may read and sandboxes see, by default " <>
                     "those of `config :ambix, allow_paths: [...]`"
               ]
             ) ++
             [
               wait: [
                 type: :milliseconds,
                 default: 1_000,
                 doc: "milliseconds that a question waits for an index that is not there yet"
               ]
             ]

  @moduledoc """
  What tools work on: a folder of code, its index, and the sources of what it depends on.

      {:ok, host} = Ambix.Tool.Host.open(".")
      Ambix.Tool.call(Ambix.Tool.Search, %{"query" => "Shop.Cart.add/2"}, %Ambix.Tool.Call{host: host})

  The index is opened or built in the background and follows its folder; dependencies are read when a question first asks for them. A
  question meanwhile is answered with what there is, and the answer says what is still being built. A handle is small, and may be
  copied to any process.

  ## Options
  #{Options.docs(@options)}
  """

  use Supervisor

  alias Ambix.{Error, Native, PathDependencies, Workspace}
  alias Ambix.Tool.Host.Keeper

  @enforce_keys [:root, :index]
  defstruct [:root, :index, :packages, :encoder, :reranker, :allow_paths, wait: 0]

  @typedoc "`index` is a handle or the name of an index; `packages` likewise, or nil: then each question opens them."
  @type t :: %__MODULE__{
          root: Path.t(),
          index: Index.t() | atom,
          packages: Packages.t() | atom | nil,
          encoder: Ambix.Model.Encoder.t() | nil,
          reranker: Ambix.Model.t() | Ambix.Model.Encoder.t() | nil,
          wait: non_neg_integer,
          allow_paths: [Path.t()] | nil
        }

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [start_link: @options]

  @doc "Starts a host of the folder `root`, linked to the calling process, and gives its handle. The options are listed above."
  @spec open(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def open(root, opts \\ []) do
    opts = [root: root] ++ opts

    case start_link(opts) do
      {:ok, _pid} ->
        {:ok, of(opts)}

      {:error, {:already_started, _}} ->
        {:error, Error.new(:locked, "a host of this name runs already; give another :name")}

      {:error, %Error{} = error} ->
        {:error, error}

      {:error, _reason} ->
        {:error, Error.new(:project, "the index of the folder could not be started")}
    end
  end

  @doc "The handle of a host that a supervisor starts with these options."
  @spec of(keyword) :: t
  def of(opts) do
    opts = Options.validate!(opts, @options)

    %__MODULE__{
      root: Path.expand(opts[:root]),
      index: code(opts[:name]),
      packages: packages_of(opts[:name]),
      encoder: opts[:encoder],
      wait: opts[:wait],
      allow_paths: whole(opts[:allow_paths])
    }
  end

  @doc "The handle of a host without processes, of an index that is open. It does not follow the folder unless the index does."
  @spec new(Index.t(), keyword) :: t
  def new(%Index{} = index, fields \\ []), do: struct!(%__MODULE__{root: index.root, index: index}, fields)

  @doc "A child specification; two hosts of different names can be children of one supervisor."
  @spec child_spec(keyword) :: Supervisor.child_spec()
  def child_spec(opts),
    do: %{id: opts[:name] || __MODULE__, start: {__MODULE__, :start_link, [opts]}, type: :supervisor}

  @doc "Starts a host. The index is opened after it is up."
  @spec start_link(keyword) :: Supervisor.on_start() | {:error, Error.t()}
  def start_link(opts) do
    opts = Options.validate!(opts, @options)

    with {:ok, root} <- Workspace.folder(opts),
         do: Supervisor.start_link(__MODULE__, Keyword.put(opts, :root, root), name: opts[:name])
  end

  @impl Supervisor
  def init(opts) do
    {own, index} = Keyword.split(opts, [:name, :wait, :elixir, :allow_paths])

    Supervisor.init(
      [
        {Index, [name: code(own[:name])] ++ index},
        {Keeper,
         name: packages_of(own[:name]),
         root: opts[:root],
         options: [elixir: own[:elixir], allow_paths: whole(own[:allow_paths])]}
      ],
      strategy: :one_for_one
    )
  end

  # The VM may go to another folder later. Those of the configuration are read when they are needed, so that a mistake in it is told then.
  defp whole(nil), do: with({:ok, paths} <- PathDependencies.allowed(), do: paths, else: (_ -> nil))
  defp whole(paths), do: Enum.map(paths, &Path.expand/1)

  defp code(name), do: Module.concat(name, Code)
  defp packages_of(name), do: Module.concat(name, Packages)

  @doc "The index, or `:building` while there is none yet."
  @spec index(t) :: {:ok, Index.t()} | :building | {:error, Error.t()}
  def index(%__MODULE__{index: index, wait: wait}) do
    with {:error, _} <- Index.resolve(index),
         {:error, error} <- Index.resolve(index, wait) do
      case Index.status(index, verify: false) do
        {:ok, %{state: :building}} -> :building
        {:ok, %{error: %Error{} = error}} -> {:error, error}
        # It may have come just after the wait.
        _ -> with {:error, _} <- Index.resolve(index), do: {:error, error}
      end
    end
  end

  def index(_other), do: {:error, Error.new(:invalid_argument, "the tools have no project to work on")}

  @doc "The indexes of what the project depends on, or how far they are."
  @spec packages(t) :: {:ok, Packages.t()} | {:opening, map} | {:error, Error.t()}
  def packages(%__MODULE__{packages: %Packages{} = packages}), do: {:ok, packages}
  def packages(%__MODULE__{packages: nil} = host), do: Packages.open(host.root, allow_paths: host.allow_paths)
  def packages(%__MODULE__{packages: name, wait: wait}), do: Keeper.get(name, wait)

  @doc """
  All that a question needs: the index, with packages if they are asked for and there. What is not there yet is told in the second
  part, for `status/2`.
  """
  @spec workspace(t, boolean) :: {:ok, Workspace.t() | nil, map} | {:error, Error.t()}
  def workspace(host, deps?) do
    case index(host) do
      {:ok, index} ->
        workspace = %Workspace{index: index, encoder: host.encoder, reranker: host.reranker}
        if deps?, do: with_packages(host, workspace), else: {:ok, workspace, %{}}

      :building ->
        {:ok, nil, %{}}

      error ->
        error
    end
  end

  @doc "As `workspace/2`, for who has no use for a part of an answer: what is not there yet is an error."
  @spec ready(t, boolean) :: {:ok, Workspace.t()} | {:error, Error.t()}
  def ready(host, deps?) do
    case workspace(host, deps?) do
      {:ok, %Workspace{} = workspace, more} when more == %{} -> {:ok, workspace}
      {:ok, _, _} -> {:error, Error.new(:unavailable, "the index is still being built; ask again")}
      error -> error
    end
  end

  defp with_packages(host, workspace) do
    case packages(host) do
      {:ok, packages} ->
        {:ok, %{workspace | packages: packages}, %{}}

      {:opening, progress} ->
        {:ok, %{workspace | packages: %Packages{entries: []}}, %{"packages" => progress}}

      error ->
        error
    end
  end

  @doc """
  How it stands with what was asked: `"state"` is that of `Ambix.Index.status/2`; while something is made, `"phase"`, `"done"` and
  `"total"` say how far it is, and `"pending"` how many files changed since.
  """
  @spec status(t, map) :: map
  def status(%__MODULE__{index: index}, more) do
    with {:ok, %{resource: resource}} <- Index.resolve(index),
         {:ok, :fresh} <- Native.index_freshness(resource) do
      Map.put(more, "state", "fresh")
    else
      # Of an index that nobody watches only a look at the files tells.
      _ -> index |> Index.status(verify: is_struct(index)) |> told(more)
    end
  end

  defp told({:ok, status}, more) do
    said = %{"state" => Atom.to_string(status.state)}
    pending = if status.pending in [0, nil], do: %{}, else: %{"pending" => status.pending}
    progress = if status.phase, do: progress(status.progress || %{phase: status.phase}), else: %{}
    more |> Map.merge(pending) |> Map.merge(progress) |> Map.merge(said)
  end

  defp told({:error, error}, more), do: Map.merge(more, %{"state" => "failed", "error" => error.message})

  @doc false
  @spec progress(map) :: map
  def progress(progress) do
    for key <- [:phase, :done, :total], value = progress[key], into: %{}, do: {"#{key}", value}
  end

  @doc "A line that says what is not as it should be; nil where the answer is fresh and whole."
  @spec remark(map) :: String.t() | nil
  def remark(%{"state" => "fresh"} = status) when not is_map_key(status, "packages"), do: nil

  def remark(%{"state" => state} = status) do
    index =
      case state do
        "fresh" -> nil
        "building" -> "index is being built#{far(status)}: this answer is not whole, ask again"
        "updating" -> "index is being updated#{pending(status)}: lines may have moved"
        "stale" -> "index is older than the files#{pending(status)}"
        "failed" -> "index failed: #{status["error"]}"
        _ -> "index: #{state}"
      end

    packages =
      with %{} = progress <- status["packages"],
           do: "dependencies are being read#{far(progress)}: ask again for what is in them"

    case Enum.reject([index, packages], &is_nil/1) do
      [] -> nil
      said -> "[" <> Enum.join(said, "; ") <> "]"
    end
  end

  @doc "What was not found may be in what is not there yet: then the error says so."
  @spec excused({:ok, term} | {:error, Error.t()}, t, map) :: {:ok, term} | {:error, Error.t()}
  def excused({:error, %Error{kind: :not_found} = error}, host, more) do
    case host |> status(more) |> remark() do
      nil -> {:error, error}
      remark -> {:error, %{error | message: "#{error.message} #{remark}"}}
    end
  end

  def excused(result, _host, _more), do: result

  defp far(%{"done" => done, "total" => total}), do: " (#{done} of #{total})"
  defp far(_status), do: ""

  defp pending(%{"pending" => count}) when is_integer(count), do: " (#{count} files)"
  defp pending(_status), do: ""
end
