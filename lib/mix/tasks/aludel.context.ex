defmodule Mix.Tasks.Aludel.Context do
  @shortdoc "Packs the code that answers a question into a budget of tokens"

  alias Aludel.CLI
  alias Aludel.CLI.{Args, Workspace}

  @options Args.common([:root, :index, :encoder, :precision, :model, :json, :quiet]) ++
             [
               tokens: [
                 type: :pos_integer,
                 default: 2048,
                 arg: "N",
                 doc: "The budget, which is never exceeded."
               ],
               mode: [
                 type: {:in, [:lexical, :semantic, :hybrid]},
                 arg: "MODE",
                 doc: "By words, by meaning or by both. Without it, with what the index has."
               ]
             ]

  @moduledoc """
  Prints the sections of code that belong into a prompt about a question.

      mix aludel.context QUERY --tokens N [--root DIR]

  Tokens are counted by the model's own tokenizer. Where no model is on this machine a token is taken to be two bytes, which counts too
  many rather than too few.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &context/2)

  defp context([], _opts),
    do: CLI.usage("mix aludel.context expects a query, as in: mix aludel.context how is an order paid")

  defp context(words, opts) do
    with {:ok, model} <- Workspace.model_if_any(opts),
         {:ok, index, encoder, mode} <- Workspace.open_for_search(opts),
         {:ok, context} <-
           Aludel.Index.context(index, Enum.join(words, " "),
             tokens: opts[:tokens],
             model: model,
             mode: mode,
             encoder: encoder
           ) do
      if opts[:json] do
        CLI.say_json(context)
      else
        CLI.say(context.text)
        counted = if model, do: "tokens of #{model.name}", else: "tokens, counted as two bytes each"

        CLI.remark(
          "#{length(context.sections)} sections, #{context.tokens} #{counted}, #{Workspace.made_from(context.made_from)}"
        )
      end
    end
  end
end
