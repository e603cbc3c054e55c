defmodule Mix.Tasks.Ambix.Ask do
  @shortdoc "Answers a question about a folder of code by a local model"

  alias Ambix.{Ask, CLI}
  alias Ambix.CLI.{Args, Style, Workspace}

  @options Args.packing() ++ Ambix.Options.of(Ask, :stream)

  @moduledoc """
  Answers a question about the code of a folder: finds the places that matter, shows them to a model that runs on this machine, and
  prints its answer as it comes, with the places it was shown. Of the places that the answer cites, those are named that it was not shown.

      mix ambix.ask QUESTION [--root DIR] [--model PATH] [--deps]

  Small models make mistakes; the places are there so that the answer can be checked.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &ask/2)

  defp ask([], _opts),
    do: CLI.usage("mix ambix.ask expects a question, as in: mix ambix.ask how is a cart emptied")

  defp ask(words, opts) do
    question = Enum.join(words, " ")

    with {:ok, model} <- Ambix.Workspace.model(opts),
         {:ok, workspace} <- Workspace.open(opts),
         {:ok, context} <-
           Ambix.Workspace.context(workspace, question, tokens: opts[:tokens], model: model) do
      answer(model, question, context, opts)
    end
  end

  defp answer(model, question, context, opts) do
    {texts, stats} =
      Enum.reduce(Ask.stream(model, question, context, opts), {[], %{}}, fn
        {:text, text}, {texts, stats} ->
          unless opts[:json], do: IO.write(CLI.harmless(text))
          {[texts, text], stats}

        {:done, stats}, {texts, _} ->
          {texts, stats}
      end)

    text = IO.iodata_to_binary(texts)
    citations = Ask.citations(text, context)
    sources = Ask.sources(context)

    if opts[:json] do
      answer = %{
        answer: text,
        citations: citations,
        sources: sources,
        made_from: context.made_from,
        model: model.name
      }

      CLI.say_json(Map.merge(Map.delete(stats, :text), answer))
    else
      CLI.say(["\n\n", Style.paint("shown to the model:", :bright)])

      for source <- sources, do: CLI.say(["  ", Style.paint(source.title, :cyan)])
      unreal = for citation <- citations, not citation.real, do: citation.text
      if unreal != [], do: CLI.remark("cited, but not shown to the model: #{Enum.join(unreal, ", ")}")
      :ok
    end
  end
end
