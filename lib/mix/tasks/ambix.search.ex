defmodule Mix.Tasks.Ambix.Search do
  @shortdoc "Searches a folder of code by words and meaning"

  alias Ambix.CLI
  alias Ambix.CLI.{Args, Batch, Snippet, Workspace}

  @options Args.common([:root, :index, :deps, :encoder, :precision, :json, :quiet]) ++
             [
               limit: [type: :pos_integer, default: 10, arg: "N", doc: "The most results."],
               mode: [
                 type: {:in, [:lexical, :semantic, :hybrid]},
                 default: :hybrid,
                 arg: "MODE",
                 doc: "By words, by meaning or by both."
               ],
               near: [
                 type: {:custom, Args, :list, []},
                 default: [],
                 arg: "PATHS",
                 doc:
                   "Files that you are at, with commas between them: what is near to them comes first among equals."
               ],
               paths: [
                 type: {:custom, Args, :list, []},
                 default: [],
                 arg: "PATTERNS",
                 doc:
                   "Only in these files and folders, with commas between them; `*` stands for anything but `/`, and what begins " <>
                     "with `!` is left out."
               ],
               kinds: [
                 type: {:custom, Args, :names, [Ambix.Index.definition_kinds()]},
                 default: [],
                 arg: "KINDS",
                 doc: "Only what defines one of these, such as `function,macro`."
               ],
               modules: [
                 type: {:custom, Args, :list, []},
                 default: [],
                 arg: "MODULES",
                 doc: "Only in these modules and those nested in them."
               ],
               rerank: [
                 type: :string,
                 arg: "MODEL",
                 doc:
                   "A GGUF file, a folder with an encoder, or the name of one that `mix ambix.models list` names, which judges the 20 " <>
                     "best places. It reads 800 bytes of each, which takes a language model on the CPU long; an encoder computes in INT8."
               ],
               explain: [
                 type: :boolean,
                 default: false,
                 doc: "Say of each place what speaks for it and against it, and how much."
               ],
               queries: [
                 type: :string,
                 arg: "IN.jsonl",
                 doc: "Answer the queries of a file: `query_id` and `query` a line."
               ],
               out: [type: :string, arg: "OUT.jsonl", doc: "Where the answers to `--queries` go."]
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
    cond do
      opts[:queries] ->
        CLI.usage("give a query or --queries, not both")

      opts[:deps] && Enum.any?([:near, :paths, :encoder, :rerank], &(opts[&1] not in [nil, false, []])) ->
        CLI.usage(
          "--deps goes with --kinds, --modules and --mode; leave out --near, --paths, --encoder and --rerank"
        )

      true ->
        one(Enum.join(words, " "), opts)
    end
  end

  defp one(query, opts) do
    with {:ok, index, encoder, mode} <- Workspace.open_for_search(opts),
         {:ok, packages} <- Workspace.packages(opts),
         {:ok, reranker} <- Workspace.reranker(opts),
         wishes = [limit: opts[:limit], mode: mode, encoder: encoder, rerank: reranker] ++ wishes(opts),
         {:ok, answer} <- answer(index, packages, query, wishes) do
      if opts[:json],
        do: CLI.say_json(%{answer | results: Snippet.plain(answer.results)}),
        else: print(answer, opts[:explain])
    end
  end

  defp answer(index, nil, query, opts), do: Ambix.Index.search(index, query, opts)

  defp answer(index, packages, query, opts) do
    opts = Keyword.take(opts, [:limit, :mode, :kinds, :modules])
    Ambix.Packages.search(packages, query, [index: index] ++ opts)
  end

  defp wishes(opts) do
    [near: opts[:near], paths: opts[:paths], kinds: opts[:kinds], modules: opts[:modules]]
  end

  defp batch(opts) do
    with {:ok, measured} <- Batch.run(opts) do
      if opts[:json],
        do: CLI.say_json(measured),
        else: measured |> Batch.lines() |> Enum.each(&CLI.say/1)
    end
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
