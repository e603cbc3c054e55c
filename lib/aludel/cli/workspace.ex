defmodule Aludel.CLI.Workspace do
  @moduledoc false
  # What the options of a command mean: which folder, which index, which encoder, which model.

  alias Aludel.CLI.Progress
  alias Aludel.{EmbeddingCache, Error, Index, Model, Models}

  @save_every_ms 20_000

  @doc """
  The index of the folder that the options name, up to date; with an encoder also with all its vectors.
  """
  @spec open(keyword, Model.Encoder.t() | nil) :: {:ok, Index.t()} | {:error, Error.t()}
  def open(opts, encoder \\ nil) do
    root = Path.expand(opts[:root])

    cond do
      File.dir?(root) ->
        Progress.run([quiet: opts[:quiet]], &open(root, opts[:index], encoder, &1))

      File.exists?(root) ->
        {:error, Error.new(:invalid_argument, "#{opts[:root]} is a file, --root expects a folder")}

      true ->
        {:error, Error.new(:not_found, "there is no folder #{opts[:root]}")}
    end
  end

  @doc """
  An index and the encoder to search it with, by what was asked for.

  `:lexical` needs no encoder. `:hybrid` and `:semantic` need one, and chunks without a vector get one first. Without a mode the
  answer comes at once: from vectors too where the index has some and the encoder is on this machine, else from words alone.
  """
  @spec open_for_search(keyword) :: {:ok, Index.t(), Model.Encoder.t() | nil, atom} | {:error, Error.t()}
  def open_for_search(opts) do
    case opts[:mode] do
      :lexical ->
        with {:ok, index} <- open(opts), do: {:ok, index, nil, :lexical}

      nil ->
        with {:ok, index} <- open(opts),
             {:ok, info} <- Index.info(index),
             {:ok, encoder} <- if(info.vectors > 0, do: encoder_if_any(opts), else: {:ok, nil}) do
          {:ok, index, encoder, if(encoder, do: :hybrid, else: :lexical)}
        end

      mode ->
        with {:ok, encoder} <- encoder(opts),
             {:ok, index} <- open(opts, encoder),
             do: {:ok, index, encoder, mode}
    end
  end

  @doc "The encoder that the options name, else one of the catalogue that was pulled."
  @spec encoder(keyword) :: {:ok, Model.Encoder.t()} | {:error, Error.t()}
  def encoder(opts) do
    with {:ok, path} <- chosen(opts[:encoder], :encoder) do
      Model.load_encoder(path, precision: opts[:precision] || :fp32, cache: EmbeddingCache.default())
    end
  end

  @doc "As `encoder/1`, but nil where none is named and none was pulled."
  @spec encoder_if_any(keyword) :: {:ok, Model.Encoder.t() | nil} | {:error, Error.t()}
  def encoder_if_any(opts) do
    case {opts[:encoder], Models.default(:encoder)} do
      {nil, {:error, %Error{kind: :unavailable}}} -> {:ok, nil}
      _ -> encoder(opts)
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

  @doc "What an answer was made from, in words."
  @spec made_from(map) :: String.t()
  def made_from(%{vectors: 0, chunks: chunks}), do: "from the words of #{chunks} chunks"

  def made_from(%{vectors: vectors, chunks: chunks} = made) do
    if Map.get(made, :semantic, true),
      do: "from the words of #{chunks} chunks and the vectors of #{vectors}",
      else: "from the words of #{chunks} chunks"
  end

  defp open(root, file, nil, progress), do: Index.open_or_build(root, index: file, progress: progress)

  defp open(root, file, encoder, progress) do
    with {:ok, index} <- open(root, file, nil, progress),
         file = file || Index.default_path(root),
         {:ok, made} <- Index.embed(index, encoder, progress: saving(index, file, progress)) do
      if made > 0, do: with(:ok <- Index.save(index, file), do: {:ok, index}), else: {:ok, index}
    end
  end

  # Vectors take minutes, and whoever ends the command meanwhile shall find those again that were made.
  defp saving(index, file, progress) do
    saved = :atomics.new(1, signed: true)
    :atomics.put(saved, 1, now())

    fn event ->
      progress.(event)

      if now() - :atomics.get(saved, 1) > @save_every_ms do
        with {:error, error} <- Index.save(index, file), do: raise(error)
        :atomics.put(saved, 1, now())
      end
    end
  end

  defp now, do: System.monotonic_time(:millisecond)

  defp chosen(nil, kind), do: Models.default(kind)
  defp chosen(name_or_path, _kind), do: Models.resolve(name_or_path)
end
