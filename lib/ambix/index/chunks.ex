defmodule Ambix.Index.Chunks do
  alias Ambix.Options

  @moduledoc """
  The chunks of an index, for those who do something of their own with all of them: put them into a database, have them
  described by a model, or plot them.

      index
      |> Ambix.Index.Chunks.stream()
      |> Task.async_stream(&MyApp.describe/1, max_concurrency: 4)
      |> Stream.run()

  A stream is lazy and takes its chunks page by page, so that a large tree never stands in the memory of a process as a whole, and
  whoever is slow holds it up. It shows one state of the index from beginning to end, whatever is updated meanwhile. A host that has
  Broadway uses `Ambix.Index.Producer`.
  """

  alias Ambix.{Error, Index, Job, Native, Tensor}

  @typedoc """
  A chunk: a function with its documentation, a section of a text, or another piece of a file that belongs together. `header` says
  where it stands and, on a second line, which aliases its code goes by. Lines count from 1 and include both ends.
  """
  @type chunk :: %{
          file: Path.t(),
          line_start: pos_integer,
          line_end: pos_integer,
          symbol: String.t(),
          kind: String.t() | nil,
          header: String.t(),
          text: String.t()
        }

  @stream_options [
    page: [
      type: :pos_integer,
      default: 100,
      doc: "how many chunks are taken from the index at once; at most 1000"
    ]
  ]

  @doc """
  All chunks in order of path and position.

  ## Options
  #{Options.docs(@stream_options)}
  """
  @spec stream(Index.t(), keyword) :: Enumerable.t()
  def stream(index, opts \\ []) do
    unless is_struct(index, Index), do: raise(ArgumentError, "expected an Ambix.Index")
    page = min(Options.validate!(opts, @stream_options)[:page], 1000)

    Stream.resource(
      fn -> {snapshot(index), 0} end,
      fn {index, first} ->
        case page(index, first, page) do
          [] -> {:halt, index}
          chunks -> {chunks, {index, first + length(chunks)}}
        end
      end,
      fn _ -> :ok end
    )
  end

  @doc """
  The vectors of all chunks that have one, as an `Nx` tensor of the shape `{rows, dimensions}`, and the number of each row's chunk,
  which counts from 0 in the order of `stream/2`. Raises if the host has no Nx.

  They are what the index searches with: of length 1, rounded to one byte a number, and turned back.
  """
  @spec vectors(Index.t()) ::
          {:ok, %{vectors: struct, chunks: [non_neg_integer]}} | {:error, Error.t()}
  def vectors(index) do
    Tensor.require!()

    with %Index{resource: resource} <- index,
         {:ok, %{vectors: matrix} = dense} <- Job.run(&Native.index_vectors(&1, resource), nil),
         do: {:ok, %{dense | vectors: Tensor.from(matrix)}},
         else:
           (
             {:error, error} -> {:error, error}
             _ -> {:error, Error.new(:invalid_argument, "expected an Ambix.Index")}
           )
  end

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [stream: @stream_options]

  @doc false
  # One state of an index.
  @spec snapshot(Index.t()) :: Index.t()
  def snapshot(index) do
    {:ok, resource} = Native.index_snapshot(index.resource)
    %{index | resource: resource}
  end

  @doc false
  @spec page(Index.t(), non_neg_integer, pos_integer) :: [chunk]
  def page(index, first, count) do
    {:ok, chunks} = Native.index_chunks(index.resource, first, count)
    chunks
  end
end
