defmodule Ambix.CLI.Graph do
  @moduledoc false
  # What the verbs of `mix ambix.graph` share: their options, the index they ask, tables.

  alias Ambix.{CLI, Error, Graph, Index, Options, Tool, Workspace}
  alias Ambix.CLI.{Args, Snippet, Style, Table}

  @out [out: [type: :string, arg: "FILE", doc: "where to write to; by default standard output"]]
  @drawn [
           svg: [type: :string, arg: "FILE", doc: "write a picture of the answer"],
           dot: [type: :string, arg: "FILE", doc: "write the answer for Graphviz"]
         ] ++ Options.take(Options.of(Graph, :svg), [:max_nodes])

  @deps Args.common([:deps])

  @formats Options.of(Graph, :export)[:format]

  @verbs [
    callers: Options.of(Graph, :callers) ++ @deps ++ @drawn,
    callees: Options.of(Graph, :callees) ++ @deps ++ @drawn,
    references: @deps,
    definition: [],
    tests: @deps,
    implementations: @deps,
    impact: @deps ++ @drawn,
    diff: [],
    path: Options.of(Graph, :paths) ++ @deps,
    cycles: Options.of(Graph, :cycles),
    dead: Options.of(Graph, :dead),
    communities: Options.of(Graph, :communities),
    rank: Options.of(Graph, :rank),
    near: Keyword.delete(Options.of(Graph, :neighbourhood), :model) ++ Args.common([:model]),
    export:
      [
        format: [
          type: {:in, [:edges | elem(@formats[:type], 1)]},
          default: :edges,
          arg: "FORMAT",
          doc: "what to export"
        ]
      ] ++
        Options.take(Options.of(Graph, :export), [:around, :depth, :reach, :kinds]) ++
        [
          trace: [
            type: :boolean,
            default: false,
            doc: "export the calls that the compiler sees: compiles the mix project in the sandbox"
          ]
        ] ++ @out,
    svg: Options.take(Options.of(Graph, :svg), [:modules, :depth, :reach, :kinds, :max_nodes]) ++ @out
  ]

  @doc "The verbs, each with its options."
  @spec verbs() :: [{atom, Options.schema()}]
  def verbs, do: for({verb, schema} <- @verbs, do: {verb, Keyword.delete(schema, :wait)})

  @doc "Those of the options that the verb takes."
  @spec own(atom, keyword) :: keyword
  def own(verb, opts), do: Keyword.take(opts, Keyword.keys(verbs()[verb]))

  @doc "The index that the options name, with what the compiler knows if they ask for it."
  @spec open(keyword) :: {:ok, Index.t()} | {:error, Error.t()}
  def open(opts) do
    with {:ok, index} <- CLI.Workspace.index(opts),
         {:ok, observed} <- Workspace.observe(index, opts) do
      if observed do
        CLI.remark(compiled(observed))
        for diagnostic <- observed.diagnostics, do: CLI.remark(diagnostic)
      end

      {:ok, index}
    end
  end

  defp compiled(%{modules: 0, stale: 0}), do: "no compiled modules of this folder were found; run mix compile"

  defp compiled(%{modules: modules, stale: stale}),
    do:
      "compiled modules: #{modules} taken in, #{stale} stale" <>
        if(stale > 0, do: "; run mix compile", else: "")

  @doc "What the tool `relations` finds, and the index that it was found in. `asked` are options of the tool."
  @spec related(keyword, keyword) :: {:ok, Index.t(), term} | {:error, Error.t()}
  def related(asked, opts) do
    with {:ok, index} <- open(opts),
         {:ok, host} <- CLI.Workspace.host_of(index, opts),
         {:ok, found} <-
           Tool.find(Tool.Relations, asked ++ Keyword.take(opts, [:deps]), %Tool.Call{host: host}),
         do: {:ok, index, found}
  end

  @doc "Opens the index, asks, and prints the answer: as JSON, or by `print`."
  @spec answer(keyword, (Index.t() -> {:ok, term} | {:error, Error.t()}), (term -> any)) ::
          :ok | {:error, Error.t()}
  def answer(opts, ask, print) do
    with {:ok, index} <- open(opts),
         {:ok, answer} <- ask.(index) do
      show(opts, answer, print)
    end
  end

  @doc "Prints an answer: as JSON, or by `print`; where there is nothing, says so."
  @spec show(keyword, term, (term -> any)) :: :ok
  def show(opts, answer, print) do
    cond do
      opts[:json] -> answer |> Snippet.plain() |> CLI.say_json()
      answer == [] -> CLI.remark("none found")
      true -> print.(answer)
    end

    :ok
  end

  @doc "Prints a table, cut to the width of a terminal."
  @spec table([{String.t(), :left | :right}], [term], (term -> [term])) :: :ok
  def table(columns, rows, row) do
    width = if Style.terminal?(:stdio), do: Style.columns(:stdio)
    columns |> Table.render(Enum.map(rows, row), width: width) |> Enum.each(&CLI.say/1)
  end

  @doc "Where something is."
  @spec place(map) :: String.t()
  def place(%{file: nil}), do: "outside"
  def place(%{line: line} = symbol), do: "#{Snippet.file(symbol)}:#{line}"

  @doc "How two symbols are tied, and what a guess rests on. A call that leaves no doubt is not worth a word."
  @spec how(map) :: String.t()
  def how(%{how: "call", certain: true}), do: ""
  def how(%{how: how, certain: true}), do: how
  def how(%{how: how, why: why}), do: "#{how} (guess: #{why})"
end
