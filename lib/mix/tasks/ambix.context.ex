defmodule Mix.Tasks.Ambix.Context do
  @shortdoc "Packs the code that answers a question into a budget of tokens"

  alias Ambix.CLI
  alias Ambix.CLI.{Args, Sections, Snippet, Style, Workspace}

  @options Args.common([:root, :index, :deps, :encoder, :precision, :model, :json, :quiet]) ++
             [
               tokens: [
                 type: :pos_integer,
                 default: 2048,
                 arg: "N",
                 doc: "The budget, which is never exceeded."
               ],
               budget: [type: :pos_integer, arg: "N", doc: "The same as `--tokens`."],
               order: [
                 type: {:in, [:ends, :best, :last, :path]},
                 default: :ends,
                 arg: "ORDER",
                 doc:
                   "Which section stands where: `ends` has the best first and the second best last, `best` the best first, `last` " <>
                     "the best last, `path` goes by path."
               ],
               limit: [
                 type: :pos_integer,
                 arg: "N",
                 doc:
                   "How many places to choose from. Without it one for each 100 tokens of the budget, but 20 to 80."
               ],
               mode: [
                 type: {:in, [:lexical, :semantic, :hybrid]},
                 arg: "MODE",
                 doc: "By words, by meaning or by both. Without it, with what the index has."
               ]
             ]

  @moduledoc """
  Prints the sections of code that belong into a prompt about a question.

      mix ambix.context QUERY --tokens N [--root DIR] [--deps]

  In a terminal sections are shown with the numbers of their lines; elsewhere they are Markdown, as a model is to read them. A table
  of the sections goes to standard error.

  Tokens are counted by the model's own tokenizer. Where no model is on this machine a token is taken to be two bytes, which counts too
  many rather than too few.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &context/2)

  defp context([], _opts),
    do: CLI.usage("mix ambix.context expects a query, as in: mix ambix.context how is an order paid")

  defp context(words, opts) do
    wishes = for {key, value} <- Keyword.take(opts, [:order, :limit]), value != nil, do: {key, value}

    with {:ok, packages} <- Workspace.packages(opts),
         {:ok, model} <- Workspace.model_if_any(opts),
         {:ok, index, encoder, mode} <- Workspace.open_for_search(opts),
         search = [tokens: opts[:budget] || opts[:tokens], model: model, mode: mode] ++ wishes,
         {:ok, context} <- Workspace.context(index, encoder, packages, Enum.join(words, " "), search) do
      if opts[:json], do: CLI.say_json(encodable(context)), else: print(context, model)
    end
  end

  # JSON has no tuples.
  defp encodable(context) do
    lists = fn section ->
      Map.update!(section, :lines, &Enum.map(&1, fn range -> Tuple.to_list(range) end))
    end

    Map.update!(context, :sections, &(&1 |> Snippet.plain() |> Enum.map(lists)))
  end

  defp print(context, model) do
    if Style.terminal?(:stdio),
      do: Enum.each(context.sections, &CLI.say(Sections.render(&1))),
      else: CLI.say(context.text)

    for line <- Sections.table(context.sections, Style.columns(:stderr)),
        context.sections != [],
        do: CLI.remark(line)

    counted = if model, do: "tokens of #{model.name}", else: "tokens, counted as two bytes each"

    left_out =
      for {n, why} <- [{context.omitted, "did not fit"}, {context.unworthy, "are too far from the question"}],
          n > 0,
          do: ", #{n} places #{why}"

    CLI.remark(
      "#{length(context.sections)} sections, #{context.tokens} #{counted}, #{Workspace.made_from(context.made_from)}#{left_out}"
    )
  end
end
