defmodule Mix.Tasks.Ambix.Ask do
  @shortdoc "Answers a question about a folder of code by a local model"

  alias Ambix.{CLI, Context, Model}
  alias Ambix.CLI.{Args, Style, Workspace}

  @options Args.common([:root, :index, :deps, :encoder, :precision, :model, :json, :quiet, :seed]) ++
             [
               tokens: [type: :pos_integer, default: 1024, arg: "N", doc: "How much code the model is shown."],
               max_tokens: [type: :pos_integer, default: 256, arg: "N", doc: "The longest answer."],
               temperature: [
                 type: :float,
                 default: 0.0,
                 arg: "T",
                 doc: "0 takes the likeliest token each time."
               ]
             ]

  @moduledoc """
  Answers a question about the code of a folder: finds the places that matter, shows them to a model that runs on this machine, and
  prints its answer as it comes, with the places it was shown. Of the places that the answer cites, those are named that it was not shown.

      mix ambix.ask QUESTION [--root DIR] [--model PATH] [--deps]

  Small models make mistakes; the places are there so that the answer can be checked.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @system "You answer questions about a code base. Use only the code that you are shown. Answer briefly, name the functions and files that you mean, and cite the section that you rely on by its number, as in [1]."

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &ask/2)

  defp ask([], _opts),
    do: CLI.usage("mix ambix.ask expects a question, as in: mix ambix.ask how is a cart emptied")

  defp ask(words, opts) do
    question = Enum.join(words, " ")

    with {:ok, packages} <- Workspace.packages(opts),
         {:ok, model} <- Workspace.model(opts),
         {:ok, index, encoder, mode} <- Workspace.open_for_search(opts),
         search = [tokens: opts[:tokens], model: model, mode: mode],
         {:ok, context} <- Workspace.context(index, encoder, packages, question, search) do
      answer(model, question, context, opts)
    end
  end

  defp answer(model, question, context, opts) do
    messages = [
      %{role: "system", content: @system},
      %{role: "user", content: "#{context.text}\n\nQuestion: #{question}"}
    ]

    generation = Keyword.take(opts, [:max_tokens, :temperature, :seed])
    sources = Enum.map(context.sections, &Map.take(&1, [:number, :title, :file, :line_start, :line_end]))

    {texts, stats} =
      Enum.reduce(Model.stream(model, messages, generation), {[], %{}}, fn
        {:text, text}, {texts, stats} ->
          unless opts[:json], do: IO.write(CLI.harmless(text))
          {[texts, text], stats}

        {:done, stats}, {texts, _} ->
          {texts, stats}
      end)

    text = IO.iodata_to_binary(texts)
    citations = Context.citations(text, context.sections)

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
