defmodule Ambix.EmbeddingCache do
  @moduledoc """
  Keeps embeddings by encoder and content, so that a text that several indexes or branches have is encoded once.

      {:ok, cache} = Ambix.EmbeddingCache.open()
      {:ok, encoder} = Ambix.Model.load_encoder(folder, cache: cache)
      {:ok, vectors} = Ambix.Index.embed(index, encoder)

  A cache holds up to a ceiling of memory; what was not used for longest goes first. Its file is kept up to date and has
  the same ceiling; it may be used by several programs at once, and damage costs no more than encoding again. All that
  open the same file in a VM share one cache.
  """

  alias Ambix.{Error, Models, Native, Options}

  @enforce_keys [:resource, :path]
  defstruct [:resource, :path]

  @type t :: %__MODULE__{resource: reference, path: Path.t() | nil}

  @options [
    path: [
      type: :string,
      default: nil,
      doc: "the file; by default `default_path/0`"
    ],
    memory: [type: :boolean, default: false, doc: "keep no file, so that the cache ends with its last holder"],
    max_bytes: [
      type: :pos_integer,
      default: 64 * 1024 * 1024,
      unit: :bytes,
      doc: "the ceiling, of memory and of the file"
    ]
  ]

  @doc """
  Opens a cache. Errors: `:io`, `:not_found` if its file cannot be used.

  ## Options
  #{Options.docs(@options)}
  """
  @spec open(keyword) :: {:ok, t} | {:error, Error.t()}
  def open(opts \\ []) do
    opts = Options.validate!(opts, @options)
    path = unless opts[:memory], do: Path.expand(opts[:path] || default_path())

    with :ok <- if(path, do: make_folder(Path.dirname(path)), else: :ok),
         {:ok, resource} <- Native.embedding_cache_open(path, opts[:max_bytes]) do
      {:ok, %__MODULE__{resource: resource, path: path}}
    end
  end

  # What the tree and the commands use. Whoever cannot write there encodes again.
  @doc false
  @spec default() :: t | nil
  def default do
    case open() do
      {:ok, cache} -> cache
      {:error, _} -> nil
    end
  end

  @doc "The cache's file in the cache folder, which all programs of the user share."
  @spec default_path() :: Path.t()
  def default_path, do: Path.join(Models.cache_dir(), "embeddings")

  @doc """
  What it holds and has done: `entries`, `bytes`, `hits`, `misses`, and in `file_error` why the file is no longer written,
  if so.
  """
  @spec stats(t) :: {:ok, map} | {:error, Error.t()}
  def stats(%__MODULE__{resource: resource}), do: Native.embedding_cache_stats(resource)
  def stats(_other), do: {:error, Error.new(:invalid_argument, "expected an Ambix.EmbeddingCache")}

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [open: @options]

  defp make_folder(folder) do
    with {:error, reason} <- File.mkdir_p(folder) do
      {:error, Error.new(:io, "the folder #{folder} cannot be made: #{:file.format_error(reason)}")}
    end
  end

  defimpl Inspect do
    def inspect(cache, _opts), do: "#Ambix.EmbeddingCache<#{cache.path || "in memory"}>"
  end
end
