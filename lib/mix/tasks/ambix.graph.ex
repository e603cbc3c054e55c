defmodule Mix.Tasks.Ambix.Graph do
  @shortdoc "Asks who calls whom, what a change touches and what matters most"

  alias Ambix.{CLI, Options}
  alias Ambix.CLI.Args
  alias Ambix.CLI.Graph.{Output, Project, Symbols}

  @verbs ~w(callers callees references definition tests implementations impact diff path cycles dead communities rank
            near export svg)

  @common Args.common([:root, :index, :json, :quiet]) ++
            [
              compiled: [
                type: :boolean,
                default: nil,
                doc:
                  "Take in what the compiler left behind, in the build that mix made last, and keep it in the index. With " <>
                    "`--no-compiled` what is kept there is passed over."
              ]
            ]

  @own [
    depth: [
      type: :pos_integer,
      default: 1,
      arg: "N",
      doc: "How many steps away (callers, callees; export --around, svg)."
    ],
    kinds: [
      type: {:custom, Ambix.CLI.Graph, :kinds, []},
      default: nil,
      arg: "KIND,KIND",
      doc:
        "Follow only these dependencies: #{Enum.join(Ambix.Graph.kinds(), ", ")} (callers, callees, path, cycles, " <>
          "communities, export, svg)."
    ],
    limit: [
      type: :pos_integer,
      default: 20,
      arg: "N",
      doc: "The most definitions (rank) or paths (path)."
    ],
    seeds: [
      type: {:custom, Ambix.CLI.Graph, :symbols, []},
      default: nil,
      arg: "SYMBOL,SYMBOL",
      doc: "Rank by what matters to these (rank)."
    ],
    tokens: [type: :pos_integer, default: 2048, arg: "N", doc: "The budget, which is never exceeded (near)."],
    model: [
      type: :string,
      default: nil,
      arg: "PATH",
      doc: "The model whose tokenizer counts; without one, two bytes are a token (near)."
    ],
    phase: [
      type: {:in, [:compile_time, :run_time]},
      default: nil,
      arg: "PHASE",
      doc: "Only dependencies that are needed then (cycles)."
    ],
    public: [
      type: :boolean,
      default: true,
      doc: "Count every public function as used, as in a library; not with `--no-public` (dead)."
    ],
    tests: [
      type: :boolean,
      default: true,
      doc: "Count what only tests reach as used; not with `--no-tests` (dead)."
    ],
    keep: [
      type: {:custom, Ambix.CLI.Graph, :symbols, []},
      default: nil,
      arg: "SYMBOL,SYMBOL",
      doc: "What is used from outside (dead)."
    ],
    symbols: [
      type: :boolean,
      default: false,
      doc: "Group functions and all else, not modules (communities)."
    ],
    resolution: [
      type: :float,
      default: 1.0,
      arg: "X",
      doc: "The higher, the smaller the groups (communities)."
    ],
    seed: [type: :non_neg_integer, default: 0, arg: "N", doc: "The seed of what is random (communities)."],
    format: [
      type: {:in, [:edges, :dot, :graphml, :json, :mermaid, :cypher]},
      default: :edges,
      arg: "FORMAT",
      doc: "What to export."
    ],
    around: [
      type: :string,
      default: nil,
      arg: "SYMBOL",
      doc: "Export only what is tied to a symbol or a file (export)."
    ],
    out: [
      type: :string,
      arg: "FILE",
      doc: "Where to write to. By default standard output (export, svg)."
    ],
    trace: [
      type: :boolean,
      default: false,
      doc: "Export the calls that the compiler sees: compiles the mix project in the sandbox."
    ],
    modules: [
      type: :boolean,
      default: nil,
      doc: "Draw modules, or symbols with `--no-modules`. By default symbols where one is named (svg)."
    ],
    max_nodes: [type: :pos_integer, default: 150, arg: "N", doc: "The most boxes of a picture."],
    svg: [
      type: :string,
      default: nil,
      arg: "FILE",
      doc: "Write a picture of the answer (callers, callees, impact)."
    ],
    dot: [
      type: :string,
      default: nil,
      arg: "FILE",
      doc: "Write the answer for Graphviz (callers, callees, impact)."
    ]
  ]

  @options @common ++ @own

  # Options that would be passed over by other verbs, and then be missed.
  @only [
    kinds: ~w(callers callees path cycles communities export svg),
    seeds: ~w(rank),
    model: ~w(near),
    phase: ~w(cycles),
    keep: ~w(dead),
    around: ~w(export),
    out: ~w(export svg),
    modules: ~w(svg),
    svg: ~w(callers callees impact),
    dot: ~w(callers callees impact)
  ]

  @moduledoc """
  Asks the graph of the code: functions, modules, tests, routes and templates, and how they depend on each other.

      mix ambix.graph callers SYMBOL [--depth N]    who calls it
      mix ambix.graph callees SYMBOL [--depth N]    whom it calls
      mix ambix.graph references SYMBOL             every place where it is used
      mix ambix.graph definition SYMBOL             where it is defined
      mix ambix.graph implementations SYMBOL        what implements a protocol or behaviour, or one of its functions;
                                                     also one from elsewhere, such as GenServer
      mix ambix.graph tests PATH|SYMBOL             the tests that a change of it may touch
      mix ambix.graph impact PATH|SYMBOL            what a change of it may touch
      mix ambix.graph diff [REF]                    what the changes since a git commit, by default HEAD, may touch
      mix ambix.graph path SYMBOL SYMBOL            how the one comes to call the other
      mix ambix.graph cycles                        modules that depend on each other in a circle
      mix ambix.graph dead [--no-public]            functions that nothing reaches
      mix ambix.graph communities                   modules that belong together
      mix ambix.graph rank [--limit N]              what matters most
      mix ambix.graph near SYMBOL [--tokens N]      its surroundings as text for a prompt
      mix ambix.graph export --format edges --out OUT.jsonl
      mix ambix.graph export --format dot|graphml|json|mermaid|cypher [--around SYMBOL --depth N] --out FILE
      mix ambix.graph svg [SYMBOL] --out FILE       a picture

  A symbol is written `Mod.fun/arity`, `Mod.fun`, `fun/arity`, `fun` or `Mod`. The export of edges has a line for each call: `caller_module`,
  `caller_fun`, `caller_arity`, `callee_module`, `callee_fun`, `callee_arity`.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv) do
    CLI.main(argv, __MODULE__, @options, fn args, opts ->
      with :ok <- fitting(args, opts), do: graph(args, opts)
    end)
  end

  defp graph([verb, what], opts) when verb in ~w(callers callees impact), do: Symbols.reach(verb, what, opts)
  defp graph(["references", symbol], opts), do: Symbols.references(symbol, opts)
  defp graph(["definition", symbol], opts), do: Symbols.definition(symbol, opts)
  defp graph(["tests", what], opts), do: Symbols.tests(what, opts)
  defp graph(["implementations", symbol], opts), do: Symbols.implementations(symbol, opts)
  defp graph(["diff"], opts), do: Symbols.diff("HEAD", opts)
  defp graph(["diff", ref], opts), do: Symbols.diff(ref, opts)
  defp graph(["path", from, to], opts), do: Project.path(from, to, opts)
  defp graph(["cycles"], opts), do: Project.cycles(opts)
  defp graph(["dead"], opts), do: Project.dead(opts)
  defp graph(["communities"], opts), do: Project.communities(opts)
  defp graph(["rank"], opts), do: Project.rank(opts)
  defp graph(["near", symbol], opts), do: Project.near(symbol, opts)
  defp graph(["export"], opts), do: Output.export(opts)
  defp graph(["svg"], opts), do: Output.svg(nil, opts)
  defp graph(["svg", symbol], opts), do: Output.svg(symbol, opts)

  defp graph([verb | rest], _opts) when verb in @verbs,
    do: CLI.usage("mix ambix.graph #{verb} expects #{expected(verb)}" <> got(rest))

  defp graph(args, _opts) do
    {last, others} = List.pop_at(@verbs, -1)
    hint = if args == [], do: "", else: Options.did_you_mean(hd(args), @verbs)
    CLI.usage("mix ambix.graph expects #{Enum.join(others, ", ")} or #{last}" <> got(args) <> hint)
  end

  defp got([]), do: ""
  defp got(args), do: ", got #{Enum.join(args, " ")}"

  defp expected(verb) when verb in ~w(impact tests), do: "a path or a symbol, such as Shop.Cart.add/2"
  defp expected("path"), do: "two symbols, such as Shop.Till.close/1 Shop.Cart.add/2"
  defp expected("diff"), do: "at most one commit, such as HEAD or main"
  defp expected("svg"), do: "at most one symbol, such as Shop.Cart.add/2"
  defp expected(verb) when verb in ~w(cycles dead communities rank export), do: "no further argument"
  defp expected(_verb), do: "a symbol, such as Shop.Cart.add/2"

  defp fitting([verb | _], opts) when verb in @verbs do
    case Enum.find(@only, fn {key, verbs} -> opts[key] != nil and verb not in verbs end) do
      nil ->
        :ok

      {key, verbs} ->
        flag = "--" <> String.replace("#{key}", "_", "-")
        CLI.usage("#{flag} means nothing to #{verb}; it is for #{Enum.join(verbs, ", ")}")
    end
  end

  defp fitting(_args, _opts), do: :ok
end
