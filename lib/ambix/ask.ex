defmodule Ambix.Ask do
  @moduledoc false
  # A question about a folder of code, answered by a model that is shown the places that matter.

  alias Ambix.{Context, Index, Model, Options}

  @options Options.take(Options.of(Index, :context), tokens: [default: 1024]) ++
             Options.take(Options.of(Model, :generate), [:max_tokens, :temperature, :seed])

  @system "You answer questions about a code base. Use only the code that you are shown. Answer briefly, name the functions and files that you mean, and cite the section that you rely on by its number, as in [1]."

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [stream: @options]

  @doc "The answer as `Ambix.Model.stream/3` gives it; the context is one of `Ambix.Index.context/3`."
  @spec stream(Model.t(), String.t(), map, keyword) :: Enumerable.t()
  def stream(model, question, context, opts) do
    messages = [
      %{role: "system", content: @system},
      %{role: "user", content: "#{context.text}\n\nQuestion: #{question}"}
    ]

    Model.stream(model, messages, Keyword.take(opts, [:max_tokens, :temperature, :seed]))
  end

  @doc "The places that the model was shown."
  @spec sources(map) :: [map]
  def sources(context),
    do: Enum.map(context.sections, &Map.take(&1, [:number, :title, :file, :line_start, :line_end]))

  @doc "What an answer cites, and whether that was shown."
  @spec citations(String.t(), map) :: [Context.citation()]
  def citations(answer, context), do: Context.citations(answer, context.sections)
end
