defmodule Mix.Tasks.Ambix.Graph do
  @shortdoc "Asks who calls whom, what a change touches and what matters most"

  alias Ambix.{CLI, Options}
  alias Ambix.CLI.Args
  alias Ambix.CLI.Graph.{Output, Project, Symbols}

  @verbs CLI.Graph.verbs()
  @words Enum.map(@verbs, fn {verb, _} -> Atom.to_string(verb) end)

  @options Args.common([:root, :index, :compiled, :nested_repositories, :any_root, :json, :quiet]) ++
             Args.union(@verbs)

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

  defp graph([verb, what], opts) when verb in ~w(callers callees impact),
    do: Symbols.reach(String.to_existing_atom(verb), what, opts)

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

  defp graph([verb | rest], _opts) when verb in @words,
    do: CLI.usage("mix ambix.graph #{verb} expects #{expected(verb)}" <> got(rest))

  defp graph(args, _opts) do
    {last, others} = List.pop_at(@words, -1)
    hint = if args == [], do: "", else: Options.did_you_mean(hd(args), @words)
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

  # What would be passed over, and then be missed.
  defp fitting([verb | _], opts) when verb in @words,
    do: Args.fitting(String.to_existing_atom(verb), opts, @verbs)

  defp fitting(_args, _opts), do: :ok
end
