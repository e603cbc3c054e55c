defmodule Mix.Tasks.Aludel.Search do
  @shortdoc "Searches a folder of code by words and meaning"

  alias Aludel.CLI
  alias Aludel.CLI.{Args, Batch, Snippet, Workspace}

  @options Args.common([:root, :index, :encoder, :precision, :json, :quiet]) ++
             [
               limit: [type: :pos_integer, default: 10, arg: "N", doc: "The most results."],
               mode: [
                 type: {:in, [:lexical, :semantic, :hybrid]},
                 arg: "MODE",
                 doc:
                   "By words, by meaning or by both. Without it, a query is answered at once with what the index has, " <>
                     "and a file of queries by both if an encoder is on this machine."
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

      mix aludel.search QUERY [--root DIR] [--limit N]
      mix aludel.search --queries IN.jsonl --out OUT.jsonl [--root DIR]

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
        CLI.usage("mix aludel.search expects a query, as in: mix aludel.search where are prices rounded")

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
    with {:ok, index, encoder, mode} <- Workspace.open_for_search(opts),
         {:ok, answer} <- Aludel.Index.search(index, query, limit: opts[:limit], mode: mode, encoder: encoder) do
      if opts[:json], do: CLI.say_json(answer), else: print(answer)
    end
  end

  defp batch(opts) do
    with {:ok, mode} <- batch_mode(opts),
         {:ok, measured} <- Batch.run(Keyword.put(opts, :mode, mode)) do
      if opts[:json],
        do: CLI.say_json(measured),
        else: measured |> Batch.lines() |> Enum.each(&CLI.say/1)
    end
  end

  # The answers of a file must not depend on how far vectors happen to have got.
  defp batch_mode(opts) do
    cond do
      opts[:mode] -> {:ok, opts[:mode]}
      opts[:encoder] || match?({:ok, _}, Aludel.Models.default(:encoder)) -> {:ok, :hybrid}
      true -> {:ok, :lexical}
    end
  end

  defp print(%{results: [], made_from: made}), do: CLI.remark("nothing found #{Workspace.made_from(made)}")

  defp print(%{results: results, made_from: made}) do
    Enum.each(results, &CLI.say(Snippet.render(&1)))
    CLI.remark("#{length(results)} places #{Workspace.made_from(made)}")
  end
end
