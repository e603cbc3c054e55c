defmodule Mix.Tasks.Ambix.Context do
  @shortdoc "Packs the code that answers a question into a budget of tokens"

  alias Ambix.CLI
  alias Ambix.CLI.{Args, Sections, Snippet, Style, Workspace}

  @packing Ambix.Options.take(Ambix.Options.of(Ambix.Index, :context), [:tokens, :order, :limit, :mode])

  @options Args.packing() ++ @packing

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
    with {:ok, model} <- Ambix.Workspace.model_if_any(opts),
         {:ok, workspace} <- Workspace.open(opts),
         packing = [model: model] ++ Keyword.take(opts, Keyword.keys(@packing)),
         {:ok, context} <- Ambix.Workspace.context(workspace, Enum.join(words, " "), packing) do
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

    left_out =
      for {n, why} <- [{context.omitted, "did not fit"}, {context.unworthy, "are too far from the question"}],
          n > 0,
          do: ", #{n} places #{why}"

    CLI.remark(
      "#{length(context.sections)} sections, #{context.tokens} #{Workspace.counted_by(model)}, #{Workspace.made_from(context.made_from)}#{left_out}"
    )
  end
end
