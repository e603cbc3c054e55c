defmodule Mix.Tasks.Ambix.Search do
  @shortdoc "Searches a folder of code by words and meaning"

  alias Ambix.{CLI, Tool}
  alias Ambix.CLI.{Args, Files, Progress, Snippet, Table, Workspace}
  alias Ambix.Eval.Queries

  @places [:limit, :near, :paths, :kinds, :modules, :languages]
  @asking Ambix.Options.take(Ambix.Options.of(Ambix.Index, :search), [:mode | @places])

  # What the tool calls each mode.
  @kinds %{lexical: :words, semantic: :meaning, hybrid: :both}

  @options Args.common([
             :root,
             :index,
             :deps,
             :encoder,
             :precision,
             :rerank,
             :nested_repositories,
             :any_root,
             :json,
             :quiet
           ]) ++
             @asking ++
             [
               explain: [
                 type: :boolean,
                 default: false,
                 doc: "say of each place what speaks for it and against it, and how much"
               ],
               queries: [
                 type: :string,
                 arg: "IN.jsonl",
                 doc: "answer the queries of a file: `query_id` and `query` a line"
               ],
               out: [type: :string, arg: "OUT.jsonl", doc: "where the answers to `:queries` go"]
             ]

  @moduledoc """
  Finds the places of a folder of code that answer a question in words, a piece of code, a `Mod.fun/arity` or an error message.

      mix ambix.search QUERY [--root DIR] [--limit N] [--deps]
      mix ambix.search --queries IN.jsonl --out OUT.jsonl [--root DIR]

  The second form answers many queries and prints what it took. It writes a line `{"query_id", "results": [{"file", "line_start",
  "line_end", "score"}]}` for each, at most 20 results, best first.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &search/2)

  defp search([], opts) do
    case {opts[:queries], opts[:out]} do
      {nil, _} ->
        CLI.usage("mix ambix.search expects a query, as in: mix ambix.search where are prices rounded")

      {_, nil} ->
        CLI.usage("--queries needs --out, the file for the answers")

      _ ->
        batch(opts)
    end
  end

  defp search(words, opts) do
    if opts[:queries],
      do: CLI.usage("give a query or --queries, not both"),
      else: one(Enum.join(words, " "), opts)
  end

  defp one(query, opts) do
    asked = [query: query, kind: @kinds[opts[:mode]]] ++ Keyword.take(opts, [:deps | @places])

    with {:ok, host} <- Workspace.host(opts),
         {:ok, found} <- Tool.find(Tool.Search, asked, %Tool.Call{host: host}) do
      if opts[:json],
        do: found |> Map.delete(:kind) |> Snippet.plain() |> CLI.say_json(),
        else: print(found, opts[:explain])
    end
  end

  defp batch(opts) do
    with {:ok, queries} <- Files.read_lines(opts[:queries], ["query_id", "query"]),
         {:ok, answers, measured} <-
           Progress.run([quiet: opts[:quiet]], &Queries.run(queries, [progress: &1] ++ opts)),
         :ok <- Files.write_lines(opts[:out], answers) do
      if opts[:json],
        do: CLI.say_json(measured),
        else: measured |> measured() |> Enum.each(&CLI.say/1)
    end
  end

  defp measured(it) do
    Table.pairs([
      {"files", it.files},
      {"chunks", it.chunks},
      {"vectors", it.vectors},
      {"queries", "#{it.queries} (#{it.mode})"},
      {"to index", Table.seconds(it.index_seconds)},
      {"a query, p50", it.query_seconds_p50 && Table.seconds(it.query_seconds_p50)},
      {"a query, p99", it.query_seconds_p99 && Table.seconds(it.query_seconds_p99)},
      {"peak memory", it.peak_memory_bytes && Table.bytes(it.peak_memory_bytes)}
    ])
  end

  defp print(%{results: [], made_from: made}, _explain),
    do: CLI.remark("nothing found #{Workspace.made_from(made)}")

  defp print(%{results: results, made_from: made}, explain) do
    for result <- results do
      CLI.say(Snippet.render(result))
      if explain, do: CLI.say(["    ", reasons(result), "\n"])
    end

    CLI.remark("#{length(results)} places #{Workspace.made_from(made)}")
  end

  # What adds most first.
  defp reasons(result) do
    parts =
      for feature <- Enum.sort_by(result.features, &(-abs(&1.adds))), abs(feature.adds) >= 0.005 do
        "#{feature.name} #{signed(feature.adds)}"
      end

    Enum.join(["score #{:erlang.float_to_binary(result.score, decimals: 2)}" | parts], ", ")
  end

  defp signed(number) when number < 0, do: "−#{:erlang.float_to_binary(-number, decimals: 2)}"
  defp signed(number), do: "+#{:erlang.float_to_binary(number, decimals: 2)}"
end
