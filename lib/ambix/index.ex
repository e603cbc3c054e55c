defmodule Ambix.Index do
  alias Ambix.Options

  @moduledoc """
  An index of the code of one folder: what it defines, who calls whom, and what answers a question.

  The folder need not be a mix project and its code need not compile; it is never written to. An index answers by
  words and by meaning as soon as it is built: it carries a small encoder of its own, which needs no network and no model.
  `embed/3` puts the vectors of another encoder (`Ambix.Model.load_encoder/2`) in their place, in as many steps as it takes; each
  answer says in `made_from` how many of the chunks had one.

      {:ok, index} = Ambix.Index.build("path/to/project")
      {:ok, answer} = Ambix.Index.search(index, "where are prices rounded")
      hd(answer.results).file

  The handle may be shared between processes. `update/2` and `embed/3` change what it answers, from one whole state to
  the next; a search that runs meanwhile sees the state in which it began.

  ## An index that follows its folder

      children = [
        {Ambix.Index, name: MyApp.Code, root: ".", watch: true}
      ]

      {:ok, answer} = Ambix.Index.search(MyApp.Code, "where are prices rounded", wait: 5_000)
      answer.freshness

  A saved index answers at once and is brought up to date behind that. From then on the folder is watched, by the rules by
  which it is read: a file that is saved, a branch that is switched, however many files that touches, is one update. While
  that runs, queries are answered from the last whole state, and each answer says how it stands in `freshness`:

    * `:fresh`: it holds whatever was seen to happen in the folder
    * `:updating`: something happened that it does not hold yet
    * `:stale`: it cannot be brought up to date; `status/2` says why
    * `:unknown`: nobody watches the folder

  An event takes some milliseconds to be seen. `status/2` compares the files themselves and is right at once.

  ## Where it runs

  Ambix reads sources, so it belongs where they are: as a rule with `only: :dev` in `mix.exs`. A release has no sources beside it and is
  started in another folder; who wants an index there gives the absolute path of a checkout as `:root`, or an index file that was
  exported from one (`export/3`). The root of the file system, folders of the system and home folders that are no Mix project are
  refused unless `any_root: true` allows them. Below the root, folders that are repositories of their own are left out, with a diagnostic.

  #{Options.docs(Ambix.Index.Tree.options())}
  """

  alias Ambix.Index.{Cache, FolderOptions, History, Root, SearchOptions, Server, Status}
  alias Ambix.{Error, Files, Job, Model, Native, Shared, Telemetry}

  @enforce_keys [:resource, :root]
  defstruct [:resource, :root]

  @type t :: %__MODULE__{resource: reference, root: Path.t()}

  @typedoc """
  A place that was found. Lines count from 1 and include both ends. `features` say what the score is the sum of: what
  speaks for the place or against it, how much, and what this adds; `mix ambix.search --explain` prints them.
  """
  @type result :: %{
          file: Path.t(),
          line_start: pos_integer,
          line_end: pos_integer,
          symbol: String.t(),
          kind: String.t() | nil,
          score: float,
          text: String.t(),
          features: [%{name: String.t(), value: float, adds: float}]
        }

  @typedoc "What an answer was made from: how many of the `chunks` had a vector, and whether vectors were used."
  @type made_from :: %{
          lexical: boolean,
          semantic: boolean,
          vectors: non_neg_integer,
          chunks: non_neg_integer
        }

  @typedoc """
  A definition that was looked up: `line` is that of its first clause, the lines from `line_start` to `line_end` are all that
  belongs to it. `fit` says how its name is what was looked up: `"exact"`, `"tail"` (the end of it is the same), `"case"` (but
  for capitals), `"prefix"`, `"abbreviation"` or `"typo"`.
  """
  @type named :: %{
          file: Path.t(),
          line: pos_integer,
          line_start: pos_integer,
          line_end: pos_integer,
          symbol: String.t(),
          kind: String.t(),
          public: boolean,
          signature: String.t() | nil,
          fit: String.t()
        }

  @typedoc """
  A line that matches; of a match over several lines all of these, from `line` to `line_end`. `column` is the character at
  which the first match begins, counted from 1. `matches` are `{start, length}` in bytes of the file, and `text_start` is
  the byte at which `text` begins: of a long line `text` is the part around the first match. `before` and `after` are lines
  around it that are not in the answer already. `symbol` is the innermost definition that the first match is in.
  """
  @type line :: %{
          file: Path.t(),
          line: pos_integer,
          line_end: pos_integer,
          column: pos_integer,
          matches: [{non_neg_integer, non_neg_integer}],
          text: String.t(),
          text_start: non_neg_integer,
          before: [String.t()],
          after: [String.t()],
          symbol: String.t(),
          kind: String.t() | nil
        }

  @doc "The kinds of definitions, for the option `:kinds` of `lookup/3` and `grep/3`."
  @spec definition_kinds() :: [atom]
  def definition_kinds, do: SearchOptions.definition_kinds()

  @doc "The languages, for the option `:languages` of `grep/3`."
  @spec languages() :: [atom]
  def languages, do: SearchOptions.languages()

  @typedoc "Whether what was answered is what is on the disk."
  @type freshness :: :fresh | :updating | :stale | :unknown

  @doc "A child specification for `{Ambix.Index, name: MyApp.Code, root: \".\"}`; the options are listed above."
  @spec child_spec(keyword) :: Supervisor.child_spec()
  defdelegate child_spec(opts), to: Ambix.Index.Tree

  @wait [
    type: :milliseconds,
    default: 0,
    doc: "where the index is given by its name: milliseconds to wait for it to be opened or built"
  ]

  @doc false
  # The option of whatever takes an index or the name of one.
  def wait_option, do: @wait

  @fetch_options [wait: @wait]

  @doc """
  The index of that name, which `{Ambix.Index, name: name}` or `{Ambix, name: name}` keeps.

  Errors: `:unavailable` while there is none yet, `:timeout` if there is none after `:wait`, and those of `open_or_build/2`.

  ## Options
  #{Options.docs(@fetch_options)}
  """
  @spec fetch(atom, keyword) :: {:ok, t} | {:error, Error.t()}
  def fetch(name, opts \\ []), do: resolve(name, Options.validate!(opts, @fetch_options)[:wait])

  @doc false
  # An index that is given as itself or by its name.
  @spec resolve(t | atom, non_neg_integer) :: {:ok, t} | {:error, Error.t()}
  def resolve(index, wait \\ 0)
  def resolve(%__MODULE__{} = index, _wait), do: {:ok, index}
  def resolve(name, 0) when is_atom(name) and name != nil, do: Shared.get(name, :index)
  def resolve(name, wait) when is_atom(name) and name != nil, do: Server.await(name, wait)

  # The value is not told: it may be anything, a source too.
  def resolve(_other, _wait),
    do: {:error, Error.new(:invalid_argument, "expected an Ambix.Index, or the name of one")}

  @doc """
  From now on the calling process hears of the index of that name: it gets `{:ambix_index, name, event}`, where `event` is

    * `%{event: :ready}`: it can be asked; it may not be up to date yet
    * `%{event: :updated, changes: changes, ms: ms}`: it holds `changes`, a map of the paths `:added`, `:changed` and `:removed`
    * `%{event: :failed, error: error}`: it could not be opened, or not be brought up to date

  An update that found nothing to change tells nothing. A process that ends needs no `unsubscribe/1`. Errors: `:unavailable` if no
  index of that name is kept.
  """
  @spec subscribe(atom) :: :ok | {:error, Error.t()}
  defdelegate subscribe(name), to: Server

  @doc "The calling process hears no more of the index of that name."
  @spec unsubscribe(atom) :: :ok | {:error, Error.t()}
  defdelegate unsubscribe(name), to: Server

  @status_options [
    verify: [
      type: :boolean,
      default: true,
      doc:
        "compare the files of the folder with the index. Only files that look different, by size, times and inode, are read; " <>
          "the first time all are. Without it `state` is what answers say"
    ]
  ]

  @doc """
  How it stands with an index, given by its name or as a handle.

  | key | meaning |
  | --- | --- |
  | `:state` | one of those of an answer's `freshness`, `:building` before there is an index, or `:failed` if there is none |
  | `:phase`, `:progress` | what is being done, and how far it is: `%{phase: atom, done: n, total: n}`; nil when nothing is |
  | `:pending`, `:pending_ms` | how many paths are known to have changed and not taken in, `:all` if any may have, and for how long |
  | `:differing` | the paths that differ, nil if that was not looked at |
  | `:watching` | `:events`, `:polling` or nil |
  | `:last_update` | `%{ms: ms, changes: numbers}` of the last one, nil if there was none |
  | `:files`, `:bytes`, `:chunks`, `:vectors`, `:missing_vectors` | what it holds |
  | `:root`, `:store`, `:store_bytes` | the folder, and where the index is kept; `:store` is nil for a handle |
  | `:memory` | bytes of memory of the whole VM, nil where the system does not tell |
  | `:error` | what went wrong last, or nil |
  | `:warning` | what is to be looked at, such as a folder without any source, or nil |

  `:fresh` means that every file is as the index tells it. With `verify: true`, the default, this was just seen.

  ## Options
  #{Options.docs(@status_options)}
  """
  @spec status(t | atom, keyword) :: {:ok, map} | {:error, Error.t()}
  def status(index, opts \\ []) do
    verify? = Options.validate!(opts, @status_options)[:verify]
    Telemetry.span([:ambix, :index, :status], %{}, fn -> Status.of(index, verify?) end)
  end

  # How a folder is read, whether its index is opened or built.
  @reading [:progress, :max_file_bytes, :max_memory, :nested_repositories, :any_root]

  @build_options FolderOptions.take(@reading)

  @doc """
  Reads all the code below `root`.

  ## Options
  #{Options.docs(@build_options)}
  """
  @spec build(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def build(root, opts \\ []) do
    opts = Options.validate!(opts, @build_options)

    with {:ok, root} <- Files.expand(root, "root"),
         :ok <- Root.check(root, opts[:any_root]) do
      Telemetry.span([:ambix, :index, :build], %{}, fn ->
        run(&Native.index_build(&1, root, ceilings(opts)), opts[:progress]) |> wrap()
      end)
    end
  end

  @open_options [
                  root: [
                    type: :string,
                    default: nil,
                    doc: "the folder that the index is to be of, instead of that which it was saved with"
                  ]
                ] ++ FolderOptions.take(@reading)

  @doc """
  Opens an index file that `save/3` wrote.

  Errors: `:not_found`, `:corrupt` (truncated, damaged or no index), `:version` (written by a newer Ambix), `:outdated`
  (written by an older one), `:invalid_argument` (exported, and opened without `:root`).

  An index that was made somewhere else, by `export/3` on another machine or in another checkout, becomes that of the folder `:root`.
  It answers as it did there, until `update/2` has read the folder; only files with another content are analysed then.

      # on a machine that builds
      {:ok, index} = Ambix.Index.build(".")
      :ok = Ambix.Index.export(index, "code.ambix")

      # wherever the project is checked out
      {:ok, index} = Ambix.Index.open("code.ambix", root: "path/to/project")
      {:ok, changes} = Ambix.Index.update(index)

  ## Options
  #{Options.docs(@open_options)}
  """
  @spec open(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def open(path, opts \\ []) do
    opts = Options.validate!(opts, @open_options)
    root = opts[:root] && Path.expand(opts[:root])

    Telemetry.span([:ambix, :index, :open], %{}, fn ->
      with {:ok, path} <- Files.expand(path, "index file"),
           :ok <- if(root, do: Root.check(root, opts[:any_root]), else: :ok),
           {:ok, {resource, root}} <-
             run(&Native.index_open(&1, path, root, ceilings(opts)), opts[:progress]) do
        Cache.used(path)
        {:ok, %__MODULE__{resource: resource, root: root}}
      end
    end)
  end

  defp ceilings(opts) do
    %{
      max_file_bytes: opts[:max_file_bytes],
      max_memory: opts[:max_memory],
      nested_repositories: opts[:nested_repositories]
    }
  end

  @open_or_build_options FolderOptions.take([:index, :encoder, :wait, :max_disk, :max_cache] ++ @reading)

  @doc """
  Opens the saved index of `root` and brings it up to date, or builds one; saves it again where something changed. One of an
  older format is built again.

  An index file that is damaged or was written by a newer version is an error and stays as it is.

  ## Options
  #{Options.docs(@open_or_build_options)}
  """
  @spec open_or_build(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def open_or_build(root, opts \\ []) do
    opts = Options.validate!(opts, @open_or_build_options)

    with {:ok, root} <- Files.expand(root, "root"),
         path = opts[:index] || default_path(root),
         {:ok, index, how} <- open_last(root, opts),
         {:ok, changed?} <- up_to_date(index, how, opts),
         {:ok, embedded} <- embed_missing(index, opts),
         saving = Keyword.take(opts, [:wait, :max_disk, :max_cache]),
         :ok <- if(changed? or embedded > 0, do: save(index, path, saving), else: :ok) do
      {:ok, index}
    end
  end

  @doc false
  # The index as it was saved, or else a new one.
  @spec open_last(Path.t(), keyword) :: {:ok, t, :opened | :built} | {:error, Error.t()}
  def open_last(root, opts) do
    root = Path.expand(root)
    path = opts[:index] || default_path(root)

    with true <- File.exists?(path),
         {:ok, index} <- open(path, Keyword.take(opts, @reading)),
         true <- same_folder?(index.root, root) do
      {:ok, index, :opened}
    else
      {:error, %{kind: kind} = error} when kind != :outdated ->
        {:error, error}

      # There is no file, or it holds the index of another root or of an older version of Ambix.
      _ ->
        with {:ok, index} <- build(root, Keyword.take(opts, @reading)),
             do: {:ok, index, :built}
    end
  end

  defp up_to_date(_index, :built, _opts), do: {:ok, true}

  defp up_to_date(index, :opened, opts) do
    with {:ok, changes} <- update(index, Keyword.take(opts, [:progress])) do
      {:ok, changes.dependencies or changes.added + changes.changed + changes.removed > 0}
    end
  end

  @doc false
  # The index knows its root without symbolic links.
  @spec same_folder?(Path.t(), Path.t()) :: boolean
  def same_folder?(left, right) do
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
    Path.join(Cache.folder(), "#{Path.basename(root)}-#{digest}.ambix")
  end

  @update_options FolderOptions.take([:progress]) ++
                    [
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
  def update(index, opts \\ []) do
    opts = Options.validate!(opts, @update_options)

    with {:ok, %{root: root} = index} <- handle(index),
         paths = opts[:paths] && Enum.map(opts[:paths], &(&1 |> Path.expand(root) |> Path.relative_to(root))),
         {:ok, changes} <- take_in(index, paths, nil, opts[:progress]),
         do: {:ok, Map.merge(changes, counted(changes))}
  end

  @doc false
  # As `update/2`, with lists of paths for numbers. `seen` says how far the watch of the folder had come that told the paths.
  def take_in(%__MODULE__{resource: resource}, paths, seen, progress) do
    Telemetry.span([:ambix, :index, :update], %{}, fn ->
      run(&Native.index_update(&1, resource, paths, seen), progress)
    end)
  end

  defp counted(changes), do: Map.new([:added, :changed, :removed], &{&1, length(Map.fetch!(changes, &1))})

  @observe_options FolderOptions.take([:progress]) ++
                     [
                       folders: [
                         type: {:list, :string},
                         default: nil,
                         doc:
                           "folders with BEAM files and traces, absolute or relative to the root; by default those of the build that Mix made last"
                       ]
                     ]

  @doc """
  Takes in what the compiler left behind: the functions that macros made, and what each call was resolved to.

  Reads BEAM files, and the traces of `Ambix.Tracer`, which name the macros that were called too. A module counts only if
  its source has not changed since, and is in the index as it is on the disk (`update/2`); `stale` says of how many that is
  not so, and `foreign` how many have their source elsewhere. What the compiler said then goes before what the source seems
  to say, until that file changes.

  Only what changed since the last time is read: `read` says how many files that were, and `changed` whether the index has to
  be saved again. What is no more in the folders is forgotten; `folders: []` forgets everything. It is saved with
  the index.

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
             read: non_neg_integer,
             changed: boolean,
             diagnostics: [String.t()]
           }}
          | {:error, Error.t()}
  def observe(index, opts \\ []) do
    opts = Options.validate!(opts, @observe_options)

    with {:ok, %{resource: resource, root: root}} <- handle(index) do
      folders = Enum.map(opts[:folders] || build_folders(root), &Path.expand(&1, root))

      Telemetry.span([:ambix, :index, :observe], %{}, fn ->
        run(&Native.index_observe(&1, resource, folders), opts[:progress])
      end)
    end
  end

  # What Mix compiled last, without the dependencies, whose sources the index does not hold.
  defp build_folders(root) do
    case root |> Path.join("_build/*/lib") |> Path.wildcard() |> Enum.max_by(&newest/1, fn -> nil end) do
      nil -> []
      lib -> Enum.filter(ebins(lib), &own?(&1, root)) ++ Enum.filter([traces(lib)], &File.dir?/1)
    end
  end

  defp ebins(lib), do: lib |> Path.join("*/ebin") |> Path.wildcard()
  defp traces(lib), do: lib |> Path.dirname() |> Path.join("ambix")

  defp newest(lib) do
    modified = for ebin <- ebins(lib), {:ok, stat} <- [File.stat(ebin, time: :posix)], do: stat.mtime
    Enum.max(modified, fn -> 0 end)
  end

  defp own?(ebin, root) do
    application = ebin |> Path.dirname() |> Path.basename()
    not File.dir?(Path.join([root, "deps", application]))
  end

  @save_options FolderOptions.take([:wait, :max_disk, :max_cache])
  @export_options FolderOptions.take([:wait, :max_disk])

  @doc """
  Writes the index to `path`, which then holds either the whole new state or, after an error, the old one.

  Errors: `:io` (a read-only folder, a full disk), `:locked`, `:limit` (`:max_disk`).

  ## Options
  #{Options.docs(@save_options)}
  """
  @spec save(t, Path.t(), keyword) :: :ok | {:error, Error.t()}
  def save(index, path, opts \\ []),
    do: write(index, path, Options.validate!(opts, @save_options), false)

  @doc """
  Writes the index to `path` for other machines and other folders with the same project, as `open/2` with `:root` reads it: without the place
  of the folder and what its files look like.

  Errors: those of `save/3`.

  ## Options
  #{Options.docs(@export_options)}
  """
  @spec export(t, Path.t(), keyword) :: :ok | {:error, Error.t()}
  def export(index, path, opts \\ []),
    do: write(index, path, Options.validate!(opts, @export_options), true)

  defp write(index, path, opts, export?) do
    saving = %{wait: opts[:wait], max_disk: opts[:max_disk], export: export?}

    Telemetry.span([:ambix, :index, :save], %{}, fn ->
      # The folder in the cache is not there before the first index.
      with {:ok, %{resource: resource}} <- handle(index),
           {:ok, path} <- Files.expand(path, "index file"),
           :ok <- Ambix.Models.make_folder(Path.dirname(path)),
           {:ok, _bytes} <- run(&Native.index_save(&1, resource, path, saving), nil),
           do: Cache.prune(path, opts[:max_cache])
    end)
  end

  @embed_options FolderOptions.take([:progress]) ++
                   [
                     async: [
                       type: :boolean,
                       default: false,
                       doc: "return `{:ok, %Ambix.Job{}}` at once; the answer comes by message"
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
  def embed(index, encoder, opts \\ []) do
    opts = Options.validate!(opts, @embed_options)

    with {:ok, %{resource: resource}} <- handle(index),
         {:ok, %{resource: encoder, cache: cache}} <- encoder(encoder) do
      start = &Native.index_embed(&1, resource, encoder, cache && cache.resource)

      if opts[:async],
        do: Job.start(start),
        else: Telemetry.span([:ambix, :index, :embed], %{}, fn -> run(start, opts[:progress]) end)
    end
  end

  defp encoder(%Model.Encoder{} = encoder), do: {:ok, encoder}
  defp encoder(_other), do: {:error, Error.new(:invalid_argument, "expected an Ambix.Model.Encoder")}

  @asking SearchOptions.options() ++ [wait: @wait]

  @search_options [
                    limit: [
                      type: :pos_integer,
                      default: 10,
                      arg: "N",
                      doc: "how many results at the most"
                    ],
                    rerank: [
                      type: {:or, [{:struct, Model}, {:struct, Model.Encoder}]},
                      default: nil,
                      doc:
                        "an encoder or an `Ambix.Model` that judges the 20 best places: it reads 800 bytes of each, which takes a language model on the CPU long"
                    ]
                  ] ++ @asking

  @doc """
  The places that answer `query`, best first: words, code, `Mod.fun/arity` or an error message.

  ## Options
  #{Options.docs(@search_options)}
  """
  @spec search(t | atom, String.t(), keyword) ::
          {:ok, %{results: [result], made_from: made_from, freshness: freshness}} | {:error, Error.t()}
  def search(index, query, opts \\ []) do
    opts = Options.validate!(opts, @search_options)

    with {:ok, index} <- resolve(index, opts[:wait]) do
      Telemetry.span([:ambix, :index, :search], %{mode: opts[:mode]}, fn ->
        with :ok <- SearchOptions.readable(query, "question"),
             :ok <- History.know(index, opts),
             do: search(index.resource, query, opts, opts[:rerank])
      end)
    end
  end

  defp search(resource, query, opts, nil),
    do: Native.index_search(resource, query, SearchOptions.to_native(opts), SearchOptions.encoder(opts))

  defp search(resource, query, opts, %{resource: judge}) do
    {wanted, encoder} = {SearchOptions.to_native(opts), SearchOptions.encoder(opts)}
    Job.run(&Native.index_rerank(&1, resource, query, wanted, encoder, judge), nil)
  end

  @doc false
  # Several indexes as one; each result with the number of its index. `Ambix.Packages` is for everybody.
  @spec search_all([reference], String.t(), keyword) ::
          {:ok, %{results: [{non_neg_integer, result}], made_from: made_from}} | {:error, Error.t()}
  def search_all(resources, query, opts) do
    opts = Options.validate!(opts, Keyword.drop(@search_options, [:encoder, :rerank]))

    with :ok <- SearchOptions.readable(query, "question"),
         do: Native.index_search_all(resources, query, SearchOptions.to_native(opts))
  end

  @lookup_options SearchOptions.take([:kinds]) ++
                    [
                      limit: [
                        type: :pos_integer,
                        default: 20,
                        arg: "N",
                        doc: "how many definitions at the most"
                      ],
                      wait: @wait
                    ]

  @doc """
  The definitions of that name, best first.

  A name is written whole or in part: `"Shop.Cart.add/2"`, `"Cart.add"`, `"add/2"`, `"add"`, `"Cart"`, `"lists:map/2"`, the
  text of a test, the path of a template. Names that begin with it are found too; where nothing has the name, also those
  that it abbreviates (`"SC.rhu"` for `Shop.Cart.round_half_up`) and those that differ by a typo or two.

  Of definitions that fit alike, those of the project come before those of tests and examples, public ones before private
  ones, short names before long ones.

  ## Options
  #{Options.docs(@lookup_options)}
  """
  @spec lookup(t | atom, String.t(), keyword) ::
          {:ok, %{results: [named], freshness: freshness}} | {:error, Error.t()}
  def lookup(index, name, opts \\ []) do
    opts = Options.validate!(opts, @lookup_options)

    with {:ok, index} <- resolve(index, opts[:wait]) do
      Telemetry.span([:ambix, :index, :lookup], %{}, fn ->
        with :ok <- SearchOptions.readable(name, "name"),
             do: Native.index_lookup(index.resource, name, SearchOptions.names(opts[:kinds]), opts[:limit])
      end)
    end
  end

  @grep_options SearchOptions.take([
                  :languages,
                  kinds: [doc: "only matches in definitions of these kinds; anywhere, if empty"]
                ]) ++
                  [
                    fixed: [type: :boolean, default: false, doc: "whether the pattern stands for itself"],
                    case: [
                      type: {:in, [:sensitive, :insensitive, :smart]},
                      default: :sensitive,
                      arg: "CASE",
                      doc:
                        "whether capitals differ from small letters; `:smart`: if there is a capital in the pattern"
                    ],
                    word: [
                      type: :boolean,
                      default: false,
                      doc: "whether there must be no letter, digit or `_` beside a match"
                    ],
                    multiline: [
                      type: :boolean,
                      default: false,
                      doc: "whether a match may go over several lines"
                    ],
                    paths: [
                      type: {:list, :string},
                      default: [],
                      arg: "GLOB,GLOB",
                      doc:
                        "only files that these globs name, by the rules of `.gitignore` files, such as `lib` or `*.exs`; those that globs " <>
                          "behind `!` name are left out"
                    ],
                    context: [
                      type: :non_neg_integer,
                      default: 0,
                      arg: "N",
                      doc: "how many lines before and after each line are told; at most 100"
                    ],
                    per_file: [
                      type: :pos_integer,
                      default: nil,
                      arg: "N",
                      doc: "how many lines of a file at the most"
                    ],
                    limit: [type: :pos_integer, default: 100, arg: "N", doc: "how many lines at the most"],
                    count: [
                      type: :boolean,
                      default: false,
                      doc: "whether lines are only counted: all of them, whatever the limits"
                    ],
                    wait: @wait
                  ]

  @doc """
  The lines of all texts of the index that match a regular expression, or have a string in them: in order of path and line,
  each with the definition that it is in.

  The regular expressions are those of the Rust crate `regex`, not those of `Regex`: there is no look-around and no back
  reference, and no pattern takes longer than the texts are long. A pattern is matched with one line at a time, unless
  `multiline: true` is given.

  `truncated` says whether there is more than the limits allow; `searched` how many files were read to find out, the others
  being known not to match. With `count: true` there are no `lines`, and `counts` has the files.

      {:ok, found} = Ambix.Index.grep(index, "handle_(call|cast)", kinds: [:function], paths: ["lib"])
      for line <- found.lines, do: {line.file, line.line, line.symbol}

  Errors: `:invalid_argument` for what is no pattern or no glob, `:limit` for a pattern that is too large.

  ## Options
  #{Options.docs(@grep_options)}
  """
  @spec grep(t | atom, String.t(), keyword) ::
          {:ok,
           %{
             lines: [line],
             counts: [%{file: Path.t(), lines: pos_integer}],
             truncated: boolean,
             searched: non_neg_integer,
             freshness: freshness
           }}
          | {:error, Error.t()}
  def grep(index, pattern, opts \\ []) do
    {wait, opts} = opts |> Options.validate!(@grep_options) |> Keyword.pop!(:wait)

    wanted =
      opts
      |> Map.new()
      |> Map.merge(%{
        kinds: SearchOptions.names(opts[:kinds]),
        languages: SearchOptions.names(opts[:languages])
      })

    with {:ok, index} <- resolve(index, wait) do
      Telemetry.span([:ambix, :index, :grep], %{}, fn ->
        with :ok <- SearchOptions.readable(pattern, "pattern"),
             do: run(&Native.index_grep(&1, index.resource, pattern, wanted), nil)
      end)
    end
  end

  @context_options SearchOptions.packing() ++ @asking

  @typedoc """
  What is shown of one file. A model cites it by its `number`, or by the file with lines. `line_start` and `line_end` are the
  first and the last line that are shown; `lines` are the parts between which something is left out, each first and last line.
  `trimmed` says whether one of the places in it is not shown as a whole.
  """
  @type section :: %{
          number: pos_integer,
          title: String.t(),
          file: Path.t(),
          line_start: pos_integer,
          line_end: pos_integer,
          lines: [{pos_integer, pos_integer}],
          symbols: [String.t()],
          text: String.t(),
          trimmed: boolean,
          tokens: pos_integer
        }

  @doc """
  What a prompt about `query` should hold: the code that decides the answer as sections, within a budget of tokens.

  The search tells which files belong to the answer. In these functions are ranked by the words of their code, their file, and
  who calls them, and shown without their documentation, the best ones first, also those in other files that the best ones call.
  The best one has the two sentences of its documentation that match, its spec, and the aliases, imports and attributes that it
  needs. With `paths`, `kinds` or another filter nothing is shown but what the search found. Of a long function the clauses that match
  are shown. No line is there twice. What is worth too little is left out even
  if there is room (`unworthy` says how many places); `omitted` is how many did not fit. `Ambix.Context.citations/2` tells which
  citations in an answer are real.

  ## Options
  #{Options.docs(@context_options)}
  """
  @spec context(t | atom, String.t(), keyword) ::
          {:ok,
           %{
             text: String.t(),
             tokens: non_neg_integer,
             sections: [section],
             omitted: non_neg_integer,
             unworthy: non_neg_integer,
             note: String.t() | nil,
             made_from: made_from,
             freshness: freshness
           }}
          | {:error, Error.t()}
  def context(index, query, opts \\ []) do
    {opts, packing, model} = packing(opts)

    with {:ok, index} <- resolve(index, opts[:wait]) do
      Telemetry.span([:ambix, :index, :search], %{mode: opts[:mode]}, fn ->
        with :ok <- SearchOptions.readable(query, "question"),
             :ok <- History.know(index, opts),
             wishes = SearchOptions.to_native(opts),
             do:
               Native.index_context(
                 index.resource,
                 query,
                 wishes,
                 SearchOptions.encoder(opts),
                 packing,
                 model
               )
      end)
    end
  end

  @doc false
  # Of several indexes, each with the name that its paths are shown behind; each section with the number of its index.
  # `Ambix.Packages` is for everybody.
  @spec context_all([{reference, String.t()}], String.t(), keyword) ::
          {:ok, %{required(:sections) => [{non_neg_integer, section}], optional(atom) => term}}
          | {:error, Error.t()}
  def context_all(named, query, opts) do
    {opts, packing, model} = packing(opts)

    with :ok <- SearchOptions.readable(query, "question"),
         do: Native.index_context_all(named, query, SearchOptions.to_native(opts), packing, model)
  end

  defp packing(opts) do
    opts = Options.validate!(opts, @context_options)
    {opts, {opts[:tokens], Atom.to_string(opts[:order])}, SearchOptions.model(opts)}
  end

  @info_options [
    edges: [
      type: :boolean,
      default: true,
      doc: "whether to count the edges of the code graph, which has to be made for that"
    ]
  ]

  @doc """
  What the index holds: numbers of files, chunks, definitions, edges, vectors and diagnostics, and bytes of text and of `:memory`, about.

  ## Options
  #{Options.docs(@info_options)}
  """
  @spec info(t, keyword) :: {:ok, map} | {:error, Error.t()}
  def info(index, opts \\ []) do
    opts = Options.validate!(opts, @info_options)

    with {:ok, %{resource: resource}} <- handle(index),
         {:ok, info} <- Native.index_info(resource) do
      if opts[:edges] do
        with {:ok, edges} <- run(&Native.graph_count_edges(&1, resource), nil),
             do: {:ok, Map.put(info, :edges, edges)}
      else
        {:ok, info}
      end
    end
  end

  @doc "What could not be read, one map for each: `file`, `line`, `severity`, `code`, `message`."
  @spec diagnostics(t) :: {:ok, [map]} | {:error, Error.t()}
  def diagnostics(index),
    do: with({:ok, index} <- handle(index), do: Native.index_diagnostics(index.resource))

  @doc "The text of a file as the index holds it."
  @spec text(t, Path.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def text(index, file), do: with({:ok, index} <- handle(index), do: Native.index_text(index.resource, file))

  # What changes an index or looks into it takes the handle alone. What else was given is not told: it may be a source.
  defp handle(%__MODULE__{} = index), do: {:ok, index}
  defp handle(_other), do: {:error, Error.new(:invalid_argument, "expected an Ambix.Index")}

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas do
    [
      fetch: @fetch_options,
      status: @status_options,
      build: @build_options,
      open: @open_options,
      open_or_build: @open_or_build_options,
      update: @update_options,
      observe: @observe_options,
      save: @save_options,
      export: @export_options,
      embed: @embed_options,
      search: @search_options,
      lookup: @lookup_options,
      grep: @grep_options,
      context: @context_options,
      info: @info_options
    ]
  end

  defp run(start, progress), do: Job.run(start, progress)

  defp wrap({:ok, {resource, root}}), do: {:ok, %__MODULE__{resource: resource, root: root}}
  defp wrap({:error, error}), do: {:error, error}

  defimpl Inspect do
    def inspect(index, _opts), do: "#Ambix.Index<#{index.root}>"
  end
end
