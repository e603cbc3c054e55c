defmodule Ambix.CLI.Workspace do
  @moduledoc false
  # What the options of a command mean: which folder, which index, which encoder, which model.

  alias Ambix.CLI
  alias Ambix.CLI.Progress
  alias Ambix.{EmbeddingCache, Error, Index, Model, Models, Packages}

  @save_every_ms 20_000

  @doc """
  The index of the folder that the options name, up to date; with an encoder also with all its vectors.
  """
  @spec open(keyword, Model.Encoder.t() | nil) :: {:ok, Index.t()} | {:error, Error.t()}
  def open(opts, encoder \\ nil) do
    with {:ok, root} <- folder(opts),
         {:ok, index} <-
           Progress.run([quiet: opts[:quiet]], &open(root, opts[:index], encoder, ceilings(opts), &1)),
         {:ok, info} <- Index.info(index, edges: false) do
      if warning = Index.Root.warning(root, info.files), do: CLI.remark(["Note: ", warning])
      {:ok, index}
    end
  end

  @doc """
  As `open/2`, but of an index that was exported elsewhere, which becomes that of the folder.
  """
  @spec open_exported(Path.t(), keyword) :: {:ok, Index.t()} | {:error, Error.t()}
  def open_exported(file, opts) do
    {reading, writing} = Keyword.split(ceilings(opts), [:max_memory])

    with {:ok, root} <- folder(opts) do
      Progress.run([quiet: opts[:quiet]], fn progress ->
        with {:ok, index} <- Index.open(file, [root: root, progress: progress] ++ reading),
             {:ok, _} <- Index.update(index, progress: progress),
             :ok <- Index.save(index, opts[:index] || Index.default_path(root), writing),
             do: {:ok, index}
      end)
    end
  end

  # What is given in MiB, where it is given.
  defp ceilings(opts) do
    for {key, mib} <- Keyword.take(opts, [:max_memory, :max_disk]), mib != nil, do: {key, mib * 1024 * 1024}
  end

  @doc "The folder that the options name."
  @spec folder(keyword) :: {:ok, Path.t()} | {:error, Error.t()}
  def folder(opts) do
    root = Path.expand(opts[:root])

    cond do
      File.dir?(root) ->
        {:ok, root}

      File.exists?(root) ->
        {:error, Error.new(:invalid_argument, "#{opts[:root]} is a file, --root expects a folder")}

      true ->
        {:error, Error.new(:not_found, "there is no folder #{opts[:root]}")}
    end
  end

  @doc "The file in which the index of the folder is kept that the options name."
  @spec index_file(keyword) :: Path.t()
  def index_file(opts), do: opts[:index] || Index.default_path(opts[:root])

  @doc """
  An index, the encoder to search it with if it is not the index's own, and the mode.

  An encoder counts where one is named, and chunks without a vector of it get one first. An index whose vectors were made by an encoder
  before is searched with one that is on this machine.
  """
  @spec open_for_search(keyword) :: {:ok, Index.t(), Model.Encoder.t() | nil, atom} | {:error, Error.t()}
  def open_for_search(opts) do
    mode = opts[:mode] || :hybrid

    with {:ok, encoder} <- if(mode == :lexical, do: {:ok, nil}, else: named_encoder(opts)),
         {:ok, index} <- open(opts, encoder),
         {:ok, info} <- Index.info(index, edges: false),
         {:ok, encoder} <- if(encoder || info.own_vectors, do: {:ok, encoder}, else: encoder_if_any()),
         do: {:ok, index, encoder, mode}
  end

  @doc "The encoder that the options name, or nil."
  @spec named_encoder(keyword) :: {:ok, Model.Encoder.t() | nil} | {:error, Error.t()}
  def named_encoder(opts) do
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

  @doc "What judges places once more, a model or an encoder, if the options name it."
  @spec reranker(keyword) :: {:ok, Model.t() | Model.Encoder.t() | nil} | {:error, Error.t()}
  def reranker(opts) do
    case opts[:rerank] && Models.resolve(opts[:rerank]) do
      nil -> {:ok, nil}
      {:ok, path} -> if File.dir?(path), do: load(path, precision: :int8), else: Model.load(path)
      {:error, error} -> {:error, error}
    end
  end

  @doc "The model that the options name, else one of the catalogue that was pulled."
  @spec model(keyword) :: {:ok, Model.t()} | {:error, Error.t()}
  def model(opts) do
    with {:ok, path} <- chosen(opts[:model], :generator), do: Model.load(path)
  end

  @doc "As `model/1`, but nil where none is named and none was pulled."
  @spec model_if_any(keyword) :: {:ok, Model.t() | nil} | {:error, Error.t()}
  def model_if_any(opts) do
    case {opts[:model], Models.default(:generator)} do
      {nil, {:error, %Error{kind: :unavailable}}} -> {:ok, nil}
      _ -> model(opts)
    end
  end

  @doc "The packages that the folder uses, if the options ask for them."
  @spec packages(keyword) :: {:ok, Packages.t() | nil} | {:error, Error.t()}
  def packages(opts) do
    cond do
      !opts[:deps] ->
        {:ok, nil}

      opts[:encoder] ->
        message = "--deps goes with the built-in encoder; leave out --encoder"
        {:error, Error.new(:invalid_argument, message)}

      true ->
        Progress.run([quiet: opts[:quiet]], &Packages.open(opts[:root], progress: &1))
    end
  end

  @doc "A context from the index, and from packages if there are some, which have no vectors of an encoder."
  @spec context(Index.t(), Model.Encoder.t() | nil, Packages.t() | nil, String.t(), keyword) ::
          {:ok, map} | {:error, Error.t()}
  def context(index, encoder, nil, question, opts),
    do: Index.context(index, question, [encoder: encoder] ++ opts)

  def context(index, _encoder, packages, question, opts),
    do: Packages.context(packages, question, [index: index] ++ opts)

  @doc "What an answer was made from, in words."
  @spec made_from(map) :: String.t()
  def made_from(%{vectors: 0, chunks: chunks}), do: "from the words of #{chunks} chunks"

  def made_from(%{vectors: vectors, chunks: chunks} = made) do
    if Map.get(made, :semantic, true),
      do: "from the words of #{chunks} chunks and the vectors of #{vectors}",
      else: "from the words of #{chunks} chunks"
  end

  defp open(root, file, nil, ceilings, progress),
    do: Index.open_or_build(root, [index: file, progress: progress] ++ ceilings)

  defp open(root, file, encoder, ceilings, progress) do
    with {:ok, index} <- open(root, file, nil, ceilings, progress),
         file = file || Index.default_path(root),
         disk = Keyword.take(ceilings, [:max_disk]),
         {:ok, made} <- Index.embed(index, encoder, progress: saving(index, file, disk, progress)) do
      if made > 0, do: with(:ok <- Index.save(index, file, disk), do: {:ok, index}), else: {:ok, index}
    end
  end

  # Vectors take minutes, and whoever ends the command meanwhile shall find those again that were made.
  defp saving(index, file, disk, progress) do
    saved = :atomics.new(1, signed: true)
    :atomics.put(saved, 1, now())

    fn event ->
      progress.(event)

      if now() - :atomics.get(saved, 1) > @save_every_ms do
        with {:error, error} <- Index.save(index, file, disk), do: raise(error)
        :atomics.put(saved, 1, now())
      end
    end
  end

  defp now, do: System.monotonic_time(:millisecond)

  defp chosen(nil, kind), do: Models.default(kind)
  defp chosen(name_or_path, _kind), do: Models.resolve(name_or_path)
end
