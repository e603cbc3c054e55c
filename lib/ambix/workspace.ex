defmodule Ambix.Workspace do
  @moduledoc false
  # What a question about a folder needs, by the names that a person gives: the folder's index, brought up to date; its packages; encoder,
  # reranker and model by name or path. Command lines are views of it.

  alias Ambix.{EmbeddingCache, Error, Index, Model, Models, Options, Packages}

  @enforce_keys [:index]
  defstruct [:index, :packages, :encoder, :reranker, mode: :hybrid]

  @type t :: %__MODULE__{
          index: Index.t(),
          packages: Packages.t() | nil,
          encoder: Model.Encoder.t() | nil,
          reranker: Model.t() | Model.Encoder.t() | nil,
          mode: :hybrid | :lexical | :semantic
        }

  @save_every_ms 20_000
  # What packages are searched by.
  @of_packages [:limit, :mode, :kinds, :modules]

  @options [
             root: [
               type: :string,
               default: ".",
               arg: "DIR",
               doc: "the folder of code. It need not be a mix project, and is not written to"
             ],
             deps: [
               type: :boolean,
               default: false,
               doc:
                 "also in dependencies, Elixir and Erlang/OTP, in the versions that the folder uses. The first time they are indexed, for all projects"
             ],
             compiled: [
               type: :boolean,
               default: nil,
               doc:
                 "take in what the compiler left behind, in the build that mix made last, and keep it in the index; else what is kept " <>
                   "there counts, unless this is false"
             ],
             model: [
               type: :string,
               default: nil,
               arg: "PATH",
               doc: "a GGUF file, or the name of a model that `mix ambix.models list` names"
             ],
             encoder: [
               type: :string,
               default: nil,
               arg: "PATH",
               doc:
                 "a folder with a BERT encoder, or the name of one that `mix ambix.models list` names, instead of the built-in one"
             ],
             rerank: [
               type: :string,
               default: nil,
               arg: "PATH",
               doc:
                 "a GGUF file, a folder with an encoder, or the name of one that `mix ambix.models list` names, which judges the 20 " <>
                   "best places. It reads 800 bytes of each, which takes a language model on the CPU long; an encoder computes in INT8"
             ]
           ] ++
             Options.take(
               Options.of(Index, :open_or_build),
               [:index, :max_memory, :max_disk, :nested_repositories, :any_root, :progress]
             ) ++
             Options.take(Options.of(Model, :load_encoder), [:precision])

  # Those of an index that is opened or built.
  @reading [:max_memory, :nested_repositories, :any_root, :progress]

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [open: @options]

  @doc """
  All that a search needs. An encoder counts where one is named, and chunks without a vector of it get one first. An index whose vectors
  were made by an encoder before is searched with one that is on this machine.
  """
  @spec open(keyword) :: {:ok, t} | {:error, Error.t()}
  def open(opts) do
    mode = opts[:mode] || :hybrid

    with :ok <- fitting(opts),
         {:ok, encoder} <- if(mode == :lexical, do: {:ok, nil}, else: encoder(opts)),
         {:ok, index} <- open_index(opts, encoder),
         {:ok, info} <- Index.info(index, edges: false),
         {:ok, encoder} <- if(encoder || info.own_vectors, do: {:ok, encoder}, else: encoder_if_any()),
         {:ok, packages} <- packages(opts),
         {:ok, reranker} <- reranker(opts),
         do:
           {:ok,
            %__MODULE__{index: index, packages: packages, encoder: encoder, reranker: reranker, mode: mode}}
  end

  # What would be passed over, and then be missed.
  defp fitting(opts) do
    given = for key <- [:near, :paths, :languages, :encoder, :rerank], opts[key] not in [nil, []], do: key

    if opts[:deps] && given != [] do
      kept = Enum.join(@of_packages -- [:limit], ", ")
      sentence = "packages (deps) are searched by #{kept}; leave out #{Enum.join(given, ", ")}"
      {:error, Error.new(:invalid_argument, sentence)}
    else
      :ok
    end
  end

  @doc "The index of the folder that the options name, up to date; with an encoder also with all its vectors."
  @spec open_index(keyword, Model.Encoder.t() | nil) :: {:ok, Index.t()} | {:error, Error.t()}
  def open_index(opts, encoder \\ nil) do
    with {:ok, root} <- folder(opts),
         reading = Keyword.take(opts, [:index, :max_disk | @reading]),
         {:ok, index} <- Index.open_or_build(root, reading),
         do: if(encoder, do: embedded(index, encoder, opts), else: {:ok, index})
  end

  @doc "As `open_index/1`, but of an index that was exported elsewhere, which becomes that of the folder."
  @spec import_index(Path.t(), keyword) :: {:ok, Index.t()} | {:error, Error.t()}
  def import_index(file, opts) do
    with {:ok, root} <- folder(opts),
         {:ok, index} <- Index.open(file, [root: root] ++ Keyword.take(opts, @reading)),
         {:ok, _} <- Index.update(index, Keyword.take(opts, [:progress])),
         :ok <- Index.save(index, index_file(opts), Keyword.take(opts, [:max_disk])),
         do: {:ok, index}
  end

  @doc """
  Takes in what the compiler left behind, and keeps it in the index file, or passes over what is kept there, as the option `:compiled`
  says; nil where it says nothing.
  """
  @spec observe(Index.t(), keyword) :: {:ok, map | nil} | {:error, Error.t()}
  def observe(index, opts) do
    case opts[:compiled] do
      nil ->
        {:ok, nil}

      false ->
        with {:ok, _} <- Index.observe(index, folders: []), do: {:ok, nil}

      true ->
        with {:ok, observed} <- Index.observe(index),
             :ok <- if(observed.changed, do: Index.save(index, index_file(opts)), else: :ok),
             do: {:ok, observed}
    end
  end

  @doc "What is to be said of an index; nil if nothing is."
  @spec warning(Index.t()) :: String.t() | nil
  def warning(index) do
    with {:ok, info} <- Index.info(index, edges: false), do: Index.Root.warning(index.root, info.files)
  end

  @doc "The folder that the options name."
  @spec folder(keyword) :: {:ok, Path.t()} | {:error, Error.t()}
  def folder(opts) do
    root = Path.expand(opts[:root])

    cond do
      File.dir?(root) ->
        {:ok, root}

      File.exists?(root) ->
        {:error, Error.new(:invalid_argument, "#{opts[:root]} is a file, and the root is a folder")}

      true ->
        {:error, Error.new(:not_found, "there is no folder #{opts[:root]}")}
    end
  end

  @doc "The file in which the index of the folder is kept that the options name."
  @spec index_file(keyword) :: Path.t()
  def index_file(opts), do: opts[:index] || Index.default_path(opts[:root])

  @doc "As `Ambix.Index.search/3` and `Ambix.Packages.search/3`, in all that is open."
  @spec search(t, String.t(), keyword) :: {:ok, map} | {:error, Error.t()}
  def search(%{packages: nil} = workspace, query, opts),
    do: Index.search(workspace.index, query, [rerank: workspace.reranker] ++ asking(workspace, opts))

  def search(workspace, query, opts) do
    opts = opts |> Keyword.put(:mode, workspace.mode) |> Keyword.take(@of_packages)
    Packages.search(workspace.packages, query, [index: workspace.index] ++ opts)
  end

  @doc "As `Ambix.Index.context/3` and `Ambix.Packages.context/3`, in all that is open."
  @spec context(t, String.t(), keyword) :: {:ok, map} | {:error, Error.t()}
  def context(%{packages: nil} = workspace, query, opts),
    do: Index.context(workspace.index, query, asking(workspace, opts))

  def context(workspace, query, opts),
    do: Packages.context(workspace.packages, query, [index: workspace.index] ++ opts)

  @doc "As `Ambix.Index.lookup/3` and `Ambix.Packages.lookup/3`, in all that is open."
  @spec lookup(t, String.t(), keyword) :: {:ok, map} | {:error, Error.t()}
  def lookup(%{packages: nil} = workspace, name, opts), do: Index.lookup(workspace.index, name, opts)

  def lookup(workspace, name, opts),
    do: Packages.lookup(workspace.packages, name, [index: workspace.index] ++ opts)

  defp asking(workspace, opts), do: Keyword.merge(opts, mode: workspace.mode, encoder: workspace.encoder)

  @doc "The packages that the folder uses, if the options ask for them."
  @spec packages(keyword) :: {:ok, Packages.t() | nil} | {:error, Error.t()}
  def packages(opts),
    do: if(opts[:deps], do: Packages.open(opts[:root], Keyword.take(opts, [:progress])), else: {:ok, nil})

  @doc "The encoder that the options name, or nil."
  @spec encoder(keyword) :: {:ok, Model.Encoder.t() | nil} | {:error, Error.t()}
  def encoder(opts) do
    case opts[:encoder] do
      nil -> {:ok, nil}
      name_or_path -> with {:ok, path} <- Models.resolve(name_or_path), do: load(path, opts)
    end
  end

  defp load(path, opts),
    do: Model.load_encoder(path, precision: opts[:precision] || :fp32, cache: EmbeddingCache.default())

  defp encoder_if_any do
    case Models.default(:encoder) do
      {:ok, path} -> load(path, [])
      {:error, %Error{kind: :unavailable}} -> {:ok, nil}
      {:error, error} -> {:error, error}
    end
  end

  defp reranker(opts) do
    case opts[:rerank] && Models.resolve(opts[:rerank]) do
      nil -> {:ok, nil}
      {:ok, path} -> if File.dir?(path), do: load(path, precision: :int8), else: Model.load(path)
      {:error, error} -> {:error, error}
    end
  end

  @doc "The model that the options name, or nil. It takes a while to load, so where it only helps none is chosen."
  @spec named_model(keyword) :: {:ok, Model.t() | nil} | {:error, Error.t()}
  def named_model(opts), do: if(opts[:model], do: model(opts), else: {:ok, nil})

  @doc "The model that the options name, else one of the catalogue that was pulled."
  @spec model(keyword) :: {:ok, Model.t()} | {:error, Error.t()}
  def model(opts) do
    path = if opts[:model], do: Models.resolve(opts[:model]), else: Models.default(:generator)
    with {:ok, path} <- path, do: Model.load(path)
  end

  @doc "As `model/1`, but nil where none is named and none was pulled."
  @spec model_if_any(keyword) :: {:ok, Model.t() | nil} | {:error, Error.t()}
  def model_if_any(opts) do
    case {opts[:model], Models.default(:generator)} do
      {nil, {:error, %Error{kind: :unavailable}}} -> {:ok, nil}
      _ -> model(opts)
    end
  end

  defp embedded(index, encoder, opts) do
    save = fn -> Index.save(index, index_file(opts), Keyword.take(opts, [:max_disk])) end

    with {:ok, made} <- Index.embed(index, encoder, progress: saving(save, opts[:progress])),
         :ok <- if(made > 0, do: save.(), else: :ok),
         do: {:ok, index}
  end

  # Vectors take minutes, and whoever ends the work meanwhile shall find those again that were made.
  defp saving(save, progress) do
    saved = :atomics.new(1, signed: true)
    :atomics.put(saved, 1, now())

    fn event ->
      if progress, do: progress.(event)

      if now() - :atomics.get(saved, 1) > @save_every_ms do
        with {:error, error} <- save.(), do: raise(error)
        :atomics.put(saved, 1, now())
      end
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
