defmodule Demo.Engine do
  @moduledoc false
  # All that the demo asks of the library.

  alias Ambix.{Fix, Graph, Index, Model, Models}

  @encoder "all-MiniLM-L6-v2"
  @model "SmolLM2-135M-Instruct"

  # What the small model can read without losing the thread, and how much it may say.
  @context_tokens 900
  @answer_tokens 120

  @instructions "You answer questions about a code base, in at most three sentences, from the excerpts that you are given."

  def encoder do
    with {:ok, path} <- Models.path(@encoder), do: Model.load_encoder(path)
  end

  def model do
    with {:ok, path} <- Models.path(@model), do: Model.load(path)
  end

  @doc "Without a file to keep it in, the index goes where all indexes are kept."
  def index(root, file, encoder, progress) do
    Index.open_or_build(root, index: file, encoder: encoder, progress: progress)
  end

  @doc "Names and numbers for a table."
  def info(index) do
    with {:ok, info} <- Index.info(index) do
      {:ok, for({name, number} when is_integer(number) <- Enum.sort(info), do: {to_string(name), number})}
    end
  end

  @doc "The symbols that most calls lead to."
  def central(index) do
    with {:ok, ranked} <- Graph.rank(index, limit: 5), do: {:ok, Enum.map(ranked, & &1.symbol)}
  end

  def search(index, encoder, query), do: Index.search(index, query, limit: 5, encoder: encoder)

  @doc "The places that the answer is made from, and the answer as a stream."
  def ask(index, encoder, model, question) do
    with {:ok, context} <-
           Index.context(index, question, tokens: @context_tokens, model: model, encoder: encoder) do
      messages = [
        %{role: "system", content: @instructions},
        %{role: "user", content: "#{context.text}\n\nQuestion: #{question}"}
      ]

      {:ok, context.sections, Model.stream(model, messages, max_tokens: @answer_tokens)}
    end
  end

  @doc "Whether there are tests that could fail."
  def tests?(root) do
    File.regular?(Path.join(root, "mix.exs")) and
      Enum.any?(["test", "apps/*/test"], &(Path.wildcard(Path.join([root, &1, "**/*_test.exs"])) != []))
  end

  def fix(root, seconds, on_event), do: Fix.run(root, budget: seconds, seed: 0, on_event: on_event)
  def apply_patches(root, result), do: Fix.apply_patches(root, result)
end
