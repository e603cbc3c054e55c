defmodule Aludel.Index do
  @moduledoc """
  An index of the code of one folder: what it defines, who calls whom, and what answers a question.

  The folder need not be a mix project and its code need not compile; it is never written to. An index answers from its
  words as soon as it is built. With an encoder (`Aludel.Model.load_encoder/2`) `embed/3` adds vectors, in as many steps
  as it takes; each answer says in `made_from` how many of the chunks had one.

      {:ok, index} = Aludel.Index.build("path/to/project")
      {:ok, answer} = Aludel.Index.search(index, "where are prices rounded")
      hd(answer.results).file

  The handle may be shared between processes. `update/2` and `embed/3` change what it answers, from one whole state to
  the next; a search that runs meanwhile sees the state in which it began.
  """

  alias Aludel.{Error, Job, Model, Native, Options, Telemetry}

  @enforce_keys [:resource, :root]
  defstruct [:resource, :root]

  @type t :: %__MODULE__{resource: reference, root: Path.t()}

  @typedoc "A place that was found. Lines count from 1 and include both ends."
  @type result :: %{
          file: Path.t(),
          line_start: pos_integer,
          line_end: pos_integer,
          symbol: String.t(),
          kind: String.t() | nil,
          score: float,
          text: String.t()
        }

  @typedoc "What an answer was made from: how many of the `chunks` had a vector, and whether vectors were used."
  @type made_from :: %{
          lexical: boolean,
          semantic: boolean,
          vectors: non_neg_integer,
          chunks: non_neg_integer
        }

  @progress [
    type: {:fun, 1},
    default: nil,
    doc: "called in the calling process with `%{phase: atom, done: n, total: n}` while the work goes on"
  ]

  @build_options [
    progress: @progress,
    max_file_bytes: [type: :pos_integer, default: 1_048_576, doc: "larger files give a diagnostic"]
  ]

  @doc """
  Reads all the code below `root`.

  ## Options
  #{Options.docs(@build_options)}
  """
  @spec build(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def build(root, opts \\ []) do
    opts = Options.validate!(opts, @build_options)
    root = Path.expand(root)

    Telemetry.span([:aludel, :index, :build], %{}, fn ->
      run(&Native.index_build(&1, root, opts[:max_file_bytes]), opts[:progress]) |> wrap()
    end)
  end

  @doc """
  Opens an index file that `save/3` wrote.

  Errors: `:not_found`, `:corrupt` (truncated, damaged or no index), `:version` (written by a newer Aludel), `:outdated`
  (written by an older one whose indexes are no more read).

  ## Options
  #{Options.docs(progress: @progress)}
  """
  @spec open(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def open(path, opts \\ []) do
    opts = Options.validate!(opts, progress: @progress)

    Telemetry.span([:aludel, :index, :open], %{}, fn ->
      run(&Native.index_open(&1, Path.expand(path)), opts[:progress]) |> wrap()
    end)
  end

  @open_or_build_options [
    progress: @progress,
    index: [
      type: :string,
      default: nil,
      doc: "the index file; by default one in the cache folder for each root"
    ],
    encoder: [
      type: :any,
      default: nil,
      doc: "an encoder: chunks without a vector get one before this returns"
    ],
    max_file_bytes: [type: :pos_integer, default: 1_048_576, doc: "larger files give a diagnostic"],
    wait: [
      type: :non_neg_integer,
      default: 5_000,
      doc: "milliseconds to wait while another process writes it"
    ]
  ]

  @doc """
  Opens the saved index of `root` and brings it up to date, or builds one; saves it again where something changed. One that
  an older Aludel wrote is built again.

  An index file that is damaged or was written by a newer version is an error and stays as it is.

  ## Options
  #{Options.docs(@open_or_build_options)}
  """
  @spec open_or_build(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def open_or_build(root, opts \\ []) do
    opts = Options.validate!(opts, @open_or_build_options)
    root = Path.expand(root)
    path = opts[:index] || default_path(root)

    with {:ok, index, changed?} <- open_fresh(root, path, opts),
         {:ok, embedded} <- embed_missing(index, opts),
         :ok <- if(changed? or embedded > 0, do: save(index, path, wait: opts[:wait]), else: :ok) do
      {:ok, index}
    end
  end

  defp open_fresh(root, path, opts) do
    shared = Keyword.take(opts, [:progress])

    with true <- File.exists?(path),
         {:ok, index} <- open(path, shared),
         true <- same_folder?(index.root, root),
         {:ok, changes} <- update(index, shared) do
      {:ok, index, changes.dependencies or changes.added + changes.changed + changes.removed > 0}
    else
      {:error, %{kind: kind} = error} when kind != :outdated ->
        {:error, error}

      # There is no file, or it holds the index of another root or of an older version of Aludel.
      _ ->
        with {:ok, index} <- build(root, Keyword.take(opts, [:progress, :max_file_bytes])),
             do: {:ok, index, true}
    end
  end

  # The index knows its root without symbolic links.
  defp same_folder?(left, right) do
    case {File.stat(left), File.stat(right)} do
      {{:ok, left}, {:ok, right}} -> {left.major_device, left.inode} == {right.major_device, right.inode}
      _ -> false
    end
  end

  defp embed_missing(index, opts) do
    if opts[:encoder], do: embed(index, opts[:encoder], progress: opts[:progress]), else: {:ok, 0}
  end

  @doc "Where the index of `root` is kept when no other file is named: in the cache folder, one for each root."
  @spec default_path(Path.t()) :: Path.t()
  def default_path(root) do
    root = Path.expand(root)
    digest = :crypto.hash(:sha256, root) |> Base.encode16(case: :lower) |> binary_part(0, 16)
    Path.join([Aludel.Models.cache_dir(), "indexes", "#{Path.basename(root)}-#{digest}.aludel"])
  end

  @update_options [
    progress: @progress,
    paths: [
      type: {:list, :string},
      default: nil,
      doc:
        "only files at or below these paths, which are absolute or relative to the root; those that are gone are fine"
    ]
  ]

  @doc """
  Reads the folder again and takes in what changed; files that did not change are not analysed again.

  `dependencies` says whether those have changed: what they bring into the project by `use` and `import` is read from `deps`.

  With `paths`, as a file watcher tells them, nothing else is looked at, and the time it takes does not grow with the folder.

  ## Options
  #{Options.docs(@update_options)}
  """
  @spec update(t, keyword) ::
          {:ok,
           %{
             added: non_neg_integer,
             changed: non_neg_integer,
             removed: non_neg_integer,
             unchanged: non_neg_integer,
             dependencies: boolean
           }}
          | {:error, Error.t()}
  def update(%__MODULE__{resource: resource, root: root}, opts \\ []) do
    opts = Options.validate!(opts, @update_options)
    paths = opts[:paths] && Enum.map(opts[:paths], &(&1 |> Path.expand(root) |> Path.relative_to(root)))

    Telemetry.span([:aludel, :index, :update], %{}, fn ->
      run(&Native.index_update(&1, resource, paths), opts[:progress])
    end)
  end

  @observe_options [
    progress: @progress,
    folders: [
      type: {:list, :string},
      default: nil,
      doc:
        "folders with BEAM files and traces, absolute or relative to the root; by default those of the build that Mix made last"
    ]
  ]

  @doc """
  Takes in what the compiler left behind: the functions that macros made, and what each call was resolved to.

  Reads BEAM files, and the traces of `Aludel.Tracer`, which name the macros that were called too. A module counts only if
  its source has not changed since; `stale` says how many have, and `foreign` how many have their source elsewhere. What
  the compiler said then goes before what the source seems to say, until a file changes. It is not saved with the index.

  ## Options
  #{Options.docs(@observe_options)}
  """
  @spec observe(t, keyword) ::
          {:ok,
           %{
             modules: non_neg_integer,
             files: non_neg_integer,
             stale: non_neg_integer,
             foreign: non_neg_integer,
             diagnostics: [String.t()]
           }}
          | {:error, Error.t()}
  def observe(%__MODULE__{resource: resource, root: root}, opts \\ []) do
    opts = Options.validate!(opts, @observe_options)
    folders = Enum.map(opts[:folders] || build_folders(root), &Path.expand(&1, root))

    Telemetry.span([:aludel, :index, :observe], %{}, fn ->
      run(&Native.index_observe(&1, resource, folders), opts[:progress])
    end)
  end

  # What Mix compiled last, without the dependencies, whose sources the index does not hold.
  defp build_folders(root) do
    case root |> Path.join("_build/*/lib") |> Path.wildcard() |> Enum.max_by(&newest/1, fn -> nil end) do
      nil -> []
      lib -> Enum.filter(ebins(lib), &own?(&1, root)) ++ Enum.filter([traces(lib)], &File.dir?/1)
    end
  end

  defp ebins(lib), do: lib |> Path.join("*/ebin") |> Path.wildcard()
  defp traces(lib), do: lib |> Path.dirname() |> Path.join("aludel")

  defp newest(lib) do
    modified = for ebin <- ebins(lib), {:ok, stat} <- [File.stat(ebin, time: :posix)], do: stat.mtime
    Enum.max(modified, fn -> 0 end)
  end

  defp own?(ebin, root) do
    application = ebin |> Path.dirname() |> Path.basename()
    not File.dir?(Path.join([root, "deps", application]))
  end

  @save_options [
    wait: [
      type: :non_neg_integer,
      default: 5_000,
      doc: "milliseconds to wait while another process uses the file"
    ]
  ]

  @doc """
  Writes the index to `path`, which then holds either the whole new state or, after an error, the old one.

  Errors: `:io` (a read-only folder, a full disk), `:locked`.

  ## Options
  #{Options.docs(@save_options)}
  """
  @spec save(t, Path.t(), keyword) :: :ok | {:error, Error.t()}
  def save(%__MODULE__{resource: resource}, path, opts \\ []) do
    opts = Options.validate!(opts, @save_options)
    path = Path.expand(path)

    Telemetry.span([:aludel, :index, :save], %{}, fn ->
      # The folder in the cache is not there before the first index.
      with :ok <- Aludel.Models.make_folder(Path.dirname(path)),
           {:ok, _} <- run(&Native.index_save(&1, resource, path, opts[:wait]), nil),
           do: :ok
    end)
  end

  @embed_options [
    progress: @progress,
    async: [
      type: :boolean,
      default: false,
      doc: "return `{:ok, %Aludel.Job{}}` at once; the answer comes by message"
    ]
  ]

  @doc """
  Gives every chunk that has none a vector by `encoder`, and returns how many were made.

  Answers improve as it goes: vectors are used from the moment they exist. Where the encoder was loaded with a cache, vectors
  that it holds are not made again; they count all the same.

  ## Options
  #{Options.docs(@embed_options)}
  """
  @spec embed(t, Model.Encoder.t(), keyword) :: {:ok, non_neg_integer} | {:ok, Job.t()} | {:error, Error.t()}
  def embed(%__MODULE__{resource: resource}, %Model.Encoder{resource: encoder, cache: cache}, opts \\ []) do
    opts = Options.validate!(opts, @embed_options)
    start = &Native.index_embed(&1, resource, encoder, cache && cache.resource)

    if opts[:async] do
      Job.start(start)
    else
      Telemetry.span([:aludel, :index, :embed], %{}, fn -> run(start, opts[:progress]) end)
    end
  end

  @search_options [
    limit: [type: :pos_integer, default: 10, doc: "how many results at the most"],
    mode: [
      type: {:in, [:hybrid, :lexical, :semantic]},
      default: :hybrid,
      doc: "what to rank by; `:hybrid` without an encoder is lexical, and says so"
    ],
    encoder: [type: :any, default: nil, doc: "the encoder whose vectors are in the index; needed to use them"]
  ]

  @doc """
  The places that answer `query`, best first: words, code, `Mod.fun/arity` or an error message.

  ## Options
  #{Options.docs(@search_options)}
  """
  @spec search(t, String.t(), keyword) ::
          {:ok, %{results: [result], made_from: made_from}} | {:error, Error.t()}
  def search(%__MODULE__{resource: resource}, query, opts \\ []) when is_binary(query) do
    opts = Options.validate!(opts, @search_options)

    Telemetry.span([:aludel, :index, :search], %{mode: opts[:mode]}, fn ->
      Native.index_search(resource, query, opts[:limit], opts[:mode], encoder(opts))
    end)
  end

  @context_options [
    tokens: [type: :pos_integer, default: 2048, doc: "the budget, which the text never exceeds"],
    model: [
      type: :any,
      default: nil,
      doc:
        "the model whose tokenizer counts; without one a token is taken to be two bytes, which counts too many"
    ],
    limit: [type: :pos_integer, default: 20, doc: "how many places to choose from"],
    encoder: [type: :any, default: nil, doc: "as for `search/3`"],
    mode: [type: {:in, [:hybrid, :lexical, :semantic]}, default: :hybrid, doc: "as for `search/3`"]
  ]

  @doc """
  What a prompt about `query` should hold: the best places as sections, within a budget of tokens.

  ## Options
  #{Options.docs(@context_options)}
  """
  @spec context(t, String.t(), keyword) ::
          {:ok, %{text: String.t(), tokens: non_neg_integer, sections: [map], made_from: made_from}}
          | {:error, Error.t()}
  def context(%__MODULE__{resource: resource}, query, opts \\ []) when is_binary(query) do
    opts = Options.validate!(opts, @context_options)
    model = opts[:model] && opts[:model].resource

    Telemetry.span([:aludel, :index, :search], %{mode: opts[:mode]}, fn ->
      Native.index_context(resource, query, opts[:limit], opts[:mode], encoder(opts), opts[:tokens], model)
    end)
  end

  @doc "What the index holds: numbers of files, chunks, definitions, edges, vectors and diagnostics, and bytes of text."
  @spec info(t) :: {:ok, map} | {:error, Error.t()}
  def info(%__MODULE__{resource: resource}), do: Native.index_info(resource)

  @doc "What could not be read, one map for each: `file`, `line`, `severity`, `code`, `message`."
  @spec diagnostics(t) :: {:ok, [map]} | {:error, Error.t()}
  def diagnostics(%__MODULE__{resource: resource}), do: Native.index_diagnostics(resource)

  @doc "The text of a file as the index holds it."
  @spec text(t, Path.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def text(%__MODULE__{resource: resource}, file), do: Native.index_text(resource, file)

  defp run(start, progress), do: Job.run(start, progress)

  defp wrap({:ok, {resource, root}}), do: {:ok, %__MODULE__{resource: resource, root: root}}
  defp wrap({:error, error}), do: {:error, error}

  defp encoder(opts) do
    case opts[:encoder] do
      nil -> nil
      %Model.Encoder{resource: resource} -> resource
      other -> raise ArgumentError, "expected :encoder to be an Aludel.Model.Encoder, got: #{inspect(other)}"
    end
  end

  defimpl Inspect do
    def inspect(index, _opts), do: "#Aludel.Index<#{index.root}>"
  end
end
