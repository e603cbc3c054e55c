defmodule Ambix.Eval.Queries do
  @moduledoc false
  # Many queries against one index, timed: what measuring uses.

  alias Ambix.{Error, Index, Memory, Workspace}

  @limit 20

  @doc """
  Answers queries, maps with `"query_id"` and `"query"`, with the workspace that the options name. Each answer is a map of `query_id` and
  of what `answer` gives for the workspace and the text of a query: by default `results`, the places that are found.

  What was measured: files, chunks, vectors, queries, seconds to have the index, seconds of a query (median and 99th percentile) and the
  peak of the memory of this process.
  """
  @spec run([map], keyword, (Workspace.t(), String.t() -> {:ok, map} | {:error, Error.t()})) ::
          {:ok, [map], map} | {:error, Error.t()}
  def run(queries, opts, answer \\ &found/2) do
    began = now()

    with {:ok, workspace} <- Workspace.open(opts),
         indexed = now(),
         {:ok, answers} <- answers(workspace, queries, answer, opts[:progress] || fn _ -> :ok end),
         {:ok, info} <- Index.info(workspace.index, edges: false) do
      times = answers |> Enum.map(&elem(&1, 1)) |> Enum.sort()

      {:ok, Enum.map(answers, &elem(&1, 0)),
       %{
         files: info.files,
         chunks: info.chunks,
         vectors: info.vectors,
         mode: workspace.mode,
         queries: length(queries),
         index_seconds: (indexed - began) / 1_000_000,
         query_seconds_p50: percentile(times, 50),
         query_seconds_p99: percentile(times, 99),
         peak_memory_bytes: Memory.peak()
       }}
    end
  end

  @doc "The value below or at which `percent` of the sorted values lie (nearest rank); nil where there is none."
  @spec percentile([number], 1..100) :: number | nil
  def percentile([], _percent), do: nil

  def percentile(sorted, percent) do
    rank = ceil(length(sorted) * percent / 100)
    Enum.at(sorted, rank - 1)
  end

  defp answers(workspace, queries, answer, progress) do
    total = length(queries)

    queries
    |> Enum.with_index(1)
    |> Enum.reduce_while([], fn {query, n}, done ->
      began = now()

      case answer.(workspace, query["query"]) do
        {:ok, answered} ->
          took = (now() - began) / 1_000_000
          progress.(%{phase: :searching, done: n, total: total})
          {:cont, [{Map.put(answered, :query_id, query["query_id"]), took} | done]}

        {:error, error} ->
          {:halt, {:error, error}}
      end
    end)
    |> case do
      {:error, error} -> {:error, error}
      done -> {:ok, Enum.reverse(done)}
    end
  end

  defp found(workspace, query) do
    with {:ok, %{results: results}} <- Workspace.search(workspace, query, limit: @limit),
         do: {:ok, %{results: Enum.map(results, &place/1)}}
  end

  defp place(result), do: Map.take(result, [:file, :line_start, :line_end, :score])

  defp now, do: System.monotonic_time(:microsecond)
end
