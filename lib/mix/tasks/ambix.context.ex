defmodule Mix.Tasks.Ambix.Context do
  @shortdoc "Packs the code that answers a question into a budget of tokens"

  alias Ambix.CLI
  alias Ambix.CLI.{Args, Files, Progress, Sections, Snippet, Style, Workspace}
  alias Ambix.Eval.Queries
  alias Ambix.Tool.Budget

  @packing Ambix.Options.take(Ambix.Options.of(Ambix.Index, :context), [:tokens, :order, :limit, :mode])

  @options Args.packing() ++
             @packing ++
             [
               queries: [
                 type: :string,
                 arg: "IN.jsonl",
                 doc: "pack a context for each query of a file: `query_id` and `query` a line"
               ],
               out: [type: :string, arg: "OUT.jsonl", doc: "where the contexts for `:queries` go"]
             ]

  @moduledoc """
  Prints the sections of code that belong into a prompt about a question.

      mix ambix.context QUERY --tokens N [--root DIR] [--deps]
      mix ambix.context --queries IN.jsonl --out OUT.jsonl --tokens N [--root DIR]

  In a terminal sections are shown with the numbers of their lines; elsewhere they are Markdown, as a model is to read them. A table
  of the sections goes to standard error.

  The second form writes a line `{"query_id", "sections": [{"file", "line_start", "line_end", "tokens"}], "tokens"}` for each query: what is
  shown of a file in one piece is a section, with its tokens as they are estimated.

  Tokens are counted by the model's own tokenizer; where no model is on this machine they are estimated.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &context/2)

  defp context([], opts) do
    case {opts[:queries], opts[:out]} do
      {nil, _} ->
        CLI.usage("mix ambix.context expects a query, as in: mix ambix.context how is an order paid")

      {_, nil} ->
        CLI.usage("--queries needs --out, the file for the contexts")

      _ ->
        batch(opts)
    end
  end

  defp context(words, opts) do
    if opts[:queries], do: CLI.usage("give a query or --queries, not both"), else: one(words, opts)
  end

  defp batch(opts) do
    with {:ok, queries} <- Files.read_lines(opts[:queries], ["query_id", "query"]),
         {:ok, model} <- Ambix.Workspace.model_if_any(opts),
         packing = [model: model] ++ Keyword.take(opts, Keyword.keys(@packing)),
         pack = &packed(&1, &2, packing),
         {:ok, contexts, measured} <-
           Progress.run([quiet: opts[:quiet]], &Queries.run(queries, [progress: &1] ++ opts, pack)),
         :ok <- Files.write_lines(opts[:out], contexts) do
      if opts[:json],
        do: CLI.say_json(measured),
        else: CLI.remark("#{length(contexts)} contexts, in #{Workspace.counted_by(model)}")
    end
  end

  defp packed(workspace, query, packing) do
    with {:ok, context} <- Ambix.Workspace.context(workspace, query, packing),
         do: {:ok, %{sections: Enum.flat_map(context.sections, &pieces/1), tokens: context.tokens}}
  end

  # What is shown in one piece.
  defp pieces(section) do
    lines = for {number, line} <- Sections.numbered(section), number, into: %{}, do: {number, line}

    for {first, last} <- section.lines do
      text = for number <- first..last//1, do: [Map.get(lines, number, ""), "\n"]
      %{file: section.file, line_start: first, line_end: last, tokens: Budget.count(text)}
    end
  end

  defp one(words, opts) do
    with {:ok, model} <- Ambix.Workspace.model_if_any(opts),
         {:ok, workspace} <- Workspace.open(opts),
         packing = [model: model] ++ Keyword.take(opts, Keyword.keys(@packing)),
         {:ok, context} <- Ambix.Workspace.context(workspace, Enum.join(words, " "), packing) do
      if opts[:json], do: context |> Snippet.plain() |> CLI.say_json(), else: print(context, model)
    end
  end

  defp print(context, model) do
    if Style.terminal?(:stdio),
      do: Enum.each(context.sections, &CLI.say(Sections.render(&1))),
      else: CLI.say(context.text)

    for line <- Sections.table(context.sections, Style.columns(:stderr)),
        context.sections != [],
        do: CLI.remark(line)

    left_out =
      for {n, why} <- [{context.omitted, "did not fit"}, {context.unworthy, "are too far from the question"}],
          n > 0,
          do: ", #{n} places #{why}"

    CLI.remark(
      "#{length(context.sections)} sections, #{context.tokens} #{Workspace.counted_by(model)}, #{Workspace.made_from(context.made_from)}#{left_out}"
    )
  end
end
