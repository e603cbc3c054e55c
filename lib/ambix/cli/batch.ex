defmodule Ambix.CLI.Batch do
  @moduledoc false
  # Many queries against one index, timed: what measuring uses.

  alias Ambix.CLI.{Files, Progress, Table, Workspace}
  alias Ambix.{Error, Index}

  @limit 20

  @doc """
  Answers each query of the file `opts[:queries]` and writes the answers to `opts[:out]`, both JSON lines.

  Returns what was measured: files, chunks, vectors, queries, seconds to have the index (and of them, those for reading the folder),
  seconds of a query (median and 99th percentile) and the peak of the memory of this process.
  """
  @spec run(keyword) :: {:ok, map} | {:error, Error.t()}
  def run(opts) do
    with {:ok, queries} <- Files.read_lines(opts[:queries], ["query_id", "query"]),
         began = now(),
         {:ok, index, encoder, mode} <- Workspace.open_for_search(opts),
         indexed = now(),
         {:ok, reranker} <- Workspace.reranker(opts),
         search = [limit: @limit, mode: mode, encoder: encoder, rerank: reranker],
         {:ok, answers} <- answers(index, queries, search, opts),
         :ok <- Files.write_lines(opts[:out], Enum.map(answers, &elem(&1, 0))),
         {:ok, info} <- Index.info(index, edges: false) do
      times = answers |> Enum.map(&elem(&1, 1)) |> Enum.sort()

      {:ok,
       %{
         files: info.files,
         chunks: info.chunks,
         vectors: info.vectors,
         mode: mode,
         queries: length(queries),
         index_seconds: (indexed - began) / 1_000_000,
         query_seconds_p50: percentile(times, 50),
         query_seconds_p99: percentile(times, 99),
         peak_memory_bytes: peak_memory()
       }}
    end
  end

  @doc "The measurements as lines for a person."
  @spec lines(map) :: [String.t()]
  def lines(m) do
    Table.pairs([
      {"files", m.files},
      {"chunks", m.chunks},
      {"vectors", m.vectors},
      {"queries", "#{m.queries} (#{m.mode})"},
      {"to index", Table.seconds(m.index_seconds)},
      {"a query, p50", m.query_seconds_p50 && Table.seconds(m.query_seconds_p50)},
      {"a query, p99", m.query_seconds_p99 && Table.seconds(m.query_seconds_p99)},
      {"peak memory", m.peak_memory_bytes && Table.bytes(m.peak_memory_bytes)}
    ])
  end

  @doc "The value below or at which `percent` of the sorted values lie (nearest rank); nil where there is none."
  @spec percentile([number], 1..100) :: number | nil
  def percentile([], _percent), do: nil

  def percentile(sorted, percent) do
    rank = ceil(length(sorted) * percent / 100)
    Enum.at(sorted, rank - 1)
  end

  defp answers(index, queries, search, opts) do
    total = length(queries)

    Progress.run([quiet: opts[:quiet]], fn progress ->
      queries
      |> Enum.with_index(1)
      |> Enum.reduce_while([], fn {query, n}, done ->
        began = now()

        case Index.search(index, query["query"], search) do
          {:ok, %{results: results}} ->
            took = (now() - began) / 1_000_000
            progress.(%{phase: :searching, done: n, total: total})
            {:cont, [{%{query_id: query["query_id"], results: Enum.map(results, &place/1)}, took} | done]}

          {:error, error} ->
            {:halt, {:error, error}}
        end
      end)
    end)
    |> case do
      {:error, error} -> {:error, error}
      done -> {:ok, Enum.reverse(done)}
    end
  end

  defp place(result), do: Map.take(result, [:file, :line_start, :line_end, :score])

  # The high-water mark of the whole VM, native memory included, as Linux keeps it.
  defp peak_memory do
    with {:ok, status} <- File.read("/proc/self/status"),
         [_, kib] <- Regex.run(~r/^VmHWM:\s+(\d+) kB$/m, status) do
      String.to_integer(kib) * 1024
    else
      _ -> nil
    end
  end

  defp now, do: System.monotonic_time(:microsecond)
end
