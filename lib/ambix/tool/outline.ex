defmodule Ambix.Tool.Outline do
  @moduledoc false
  # What a text defines, line by line, without parsing: sources that are being written do not parse, and an outline is wanted all the same.

  @typedoc "A head: `doc` is the first sentence of the documentation before it, `private` whether only its module sees it."
  @type head :: %{
          line: pos_integer,
          text: String.t(),
          doc: String.t() | nil,
          private: boolean,
          kind: :module | :definition | :type
        }

  @modules ~w(defmodule defprotocol defimpl describe)
  @types ~w(@spec @callback @macrocallback @type @typep @opaque)

  # As functions, for OTP 28 keeps no regular expression in an attribute.
  defp heads,
    do:
      ~r/\A\s*(defmodule|defprotocol|defimpl|defp?|defmacrop?|defguardp?|defdelegate|defstruct|defexception|test|describe|property|schema|embedded_schema|@spec|@callback|@macrocallback|@typep?|@opaque)\b/

  defp erlang,
    do: ~r/\A(?:-(?:module|record|spec|type|callback)\b|[a-z]\w*\([^"]*\)\s*(?:when\b.*)?->)/

  defp markdown,
    do: ~r/\A\#{1,6}\s/

  @doc "The heads of a file, in order; of a function with several clauses the first."
  @spec of(String.t(), Path.t()) :: [head]
  def of(text, file) do
    lines = text |> String.split("\n") |> Enum.with_index(1)

    case Path.extname(file) do
      ext when ext in [".ex", ".exs"] -> elixir(lines)
      ext when ext in [".erl", ".hrl"] -> plain(lines, erlang())
      ext when ext in [".md", ".livemd"] -> plain(lines, markdown())
      _ -> []
    end
  end

  @doc "The first line of a text that is a head, else the first that is not empty, with its number."
  @spec first(String.t(), pos_integer, Path.t()) :: {pos_integer, String.t()}
  def first(text, line_start, file) do
    lines = text |> String.split("\n") |> Enum.with_index(line_start)
    definition = text |> of(file) |> Enum.find(&(&1.kind == :definition))

    if definition do
      {line_start + definition.line - 1, definition.text}
    else
      {text, line} = Enum.find(lines, {"", line_start}, fn {text, _} -> String.trim(text) != "" end)
      {line, text}
    end
  end

  defp plain(lines, head) do
    for {text, line} <- lines, text =~ head do
      %{line: line, text: String.trim_trailing(text), doc: nil, private: false, kind: :definition}
    end
  end

  defp elixir(lines) do
    {heads, _} = Enum.reduce(lines, {[], %{quoted: nil, of_doc: false, doc: nil}}, &line/2)
    heads |> Enum.reverse() |> Enum.reduce([], &clause/2) |> Enum.reverse()
  end

  # Clauses that follow one another are one definition.
  defp clause(%{doc: nil} = head, [last | _] = heads) do
    name = name(head)
    if name != nil and name == name(last), do: heads, else: [head | heads]
  end

  defp clause(head, heads), do: [head | heads]

  defp name(%{text: text}) do
    with [_, name] <- Regex.run(~r/\A\s*def(?!module|protocol|impl)\w*\s+([\w?!]+)/, text), do: name
  end

  # Inside of a text in three quotes.
  defp line({text, _line}, {heads, %{quoted: quotes} = state}) when quotes != nil do
    trimmed = String.trim(text)

    cond do
      String.starts_with?(trimmed, quotes) -> {heads, %{state | quoted: nil, of_doc: false}}
      state.of_doc and state.doc == nil and trimmed != "" -> {heads, %{state | doc: sentence(trimmed)}}
      true -> {heads, state}
    end
  end

  defp line({text, line}, {heads, state}) do
    state = if text =~ ~r/\A\s*@(?:doc|moduledoc|typedoc)\b/, do: doc(text, state), else: quoted(text, state)

    case Regex.run(heads(), text) do
      # What documents a function may stand before its types.
      [_, "@spec"] -> {[head(text, line, "@spec", nil) | heads], state}
      [_, word] -> {[head(text, line, word, state.doc) | heads], %{state | doc: nil}}
      nil -> {heads, state}
    end
  end

  defp doc(text, state) do
    case Regex.run(~r/@\w+\s+(?:~[sS])?("""|'''|"(?:[^"\\]|\\.)*")/, text) do
      [_, quotes] when quotes in ["\"\"\"", "'''"] -> %{state | quoted: quotes, of_doc: true, doc: nil}
      [_, said] -> %{state | doc: said |> String.trim("\"") |> sentence()}
      nil -> state
    end
  end

  defp quoted(text, state) do
    case Regex.run(~r/("""|''')[a-z]*\s*\z/, text) do
      [_, quotes] -> if text =~ ~r/\A\s*("""|''')/, do: state, else: %{state | quoted: quotes}
      nil -> state
    end
  end

  defp head(text, line, word, doc) do
    %{
      line: line,
      text: text |> String.trim_trailing() |> String.replace(~r/(?:\s+do|,\s*do:.*|,)\z/, ""),
      doc: doc,
      private: word in ~w(defp defmacrop defguardp @typep),
      kind: kind(word)
    }
  end

  defp kind(word) when word in @modules, do: :module
  defp kind(word) when word in @types, do: :type
  defp kind(_word), do: :definition

  defp sentence(text) do
    case Regex.run(~r/\A.{1,160}?[.:](?=\s|\z)/u, text) do
      [sentence] -> sentence
      nil -> String.slice(text, 0, 160)
    end
  end
end
