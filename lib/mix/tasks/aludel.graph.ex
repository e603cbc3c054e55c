defmodule Mix.Tasks.Aludel.Graph do
  @shortdoc "Asks who calls whom, what a change touches and what matters most"

  alias Aludel.{CLI, Graph}
  alias Aludel.CLI.{Args, Files, Style, Table, Trace, Workspace}

  @options Args.common([:root, :index, :json, :quiet]) ++
             [
               depth: [
                 type: :pos_integer,
                 default: 1,
                 arg: "N",
                 doc: "How many calls away (callers and callees)."
               ],
               limit: [type: :pos_integer, default: 20, arg: "N", doc: "The most definitions (rank)."],
               format: [type: {:in, [:edges]}, default: :edges, arg: "FORMAT", doc: "What to export."],
               out: [type: :string, arg: "OUT.jsonl", doc: "Where to export to. By default standard output."],
               trace: [
                 type: :boolean,
                 default: false,
                 doc: "Export the calls that the compiler sees: compiles the mix project in the sandbox."
               ]
             ]

  @moduledoc """
  Asks the graph of the code: functions and modules, and the calls between them.

      mix aludel.graph callers SYMBOL [--depth N]    who calls it
      mix aludel.graph callees SYMBOL [--depth N]    whom it calls
      mix aludel.graph impact PATH|SYMBOL            what a change of it may touch
      mix aludel.graph rank [--limit N]              what matters most
      mix aludel.graph export --format edges --out OUT.jsonl

  A symbol is written `Mod.fun/arity`, `Mod.fun`, `fun/arity`, `fun` or `Mod`. The export has a line for each call: `caller_module`,
  `caller_fun`, `caller_arity`, `callee_module`, `callee_fun`, `callee_arity`.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &graph/2)

  defp graph(["callers", symbol], opts), do: hits(opts, &Graph.callers(&1, symbol, depth: opts[:depth]))
  defp graph(["callees", symbol], opts), do: hits(opts, &Graph.callees(&1, symbol, depth: opts[:depth]))
  defp graph(["impact", what], opts), do: hits(opts, &Graph.impact(&1, what))
  defp graph(["rank"], opts), do: rank(opts)
  defp graph(["export"], opts), do: export(opts)

  defp graph([verb], _opts) when verb in ~w(callers callees impact),
    do: CLI.usage("mix aludel.graph #{verb} expects a symbol, such as Shop.Cart.add/2")

  defp graph(args, _opts) do
    got = if args == [], do: "", else: ", got #{Enum.join(args, " ")}"
    CLI.usage("mix aludel.graph expects callers, callees, impact, rank or export" <> got)
  end

  defp hits(opts, ask) do
    with {:ok, index} <- Workspace.open(opts),
         {:ok, hits} <- ask.(index) do
      cond do
        opts[:json] -> CLI.say_json(hits)
        hits == [] -> CLI.remark("none found")
        true -> print([{"symbol", :left}, {"kind", :left}, {"depth", :right}, {"place", :left}], hits, &row/1)
      end
    end
  end

  defp row(hit), do: [hit.symbol, hit.kind, hit.depth, "#{hit.file}:#{hit.line}"]

  defp rank(opts) do
    with {:ok, index} <- Workspace.open(opts),
         {:ok, ranked} <- Graph.rank(index, limit: opts[:limit]) do
      if opts[:json] do
        CLI.say_json(ranked)
      else
        # Shares of all calls are small numbers; the best one is set to 100.
        best = ranked |> Enum.map(& &1.score) |> Enum.max(fn -> 1.0 end)

        row =
          &[&1.symbol, :erlang.float_to_binary(100 * &1.score / best, decimals: 1), "#{&1.file}:#{&1.line}"]

        print([{"symbol", :left}, {"rank", :right}, {"place", :left}], ranked, row)
      end
    end
  end

  defp print(columns, rows, row) do
    width = if Style.terminal?(:stdio), do: Style.columns(:stdio)
    columns |> Table.render(Enum.map(rows, row), width: width) |> Enum.each(&CLI.say/1)
  end

  defp export(opts) do
    with {:ok, edges} <- edges(opts) do
      lines =
        for {caller_module, caller_fun, caller_arity, callee_module, callee_fun, callee_arity} <- edges do
          %{
            caller_module: caller_module,
            caller_fun: caller_fun,
            caller_arity: caller_arity,
            callee_module: callee_module,
            callee_fun: callee_fun,
            callee_arity: callee_arity
          }
        end

      case opts[:out] do
        nil ->
          Enum.each(lines, &CLI.say_json/1)

        out ->
          with :ok <- Files.write_lines(out, lines) do
            if opts[:json],
              do: CLI.say_json(%{edges: length(lines), out: out}),
              else: CLI.say("#{Table.number(length(lines))} edges in #{out}")
          end
      end
    end
  end

  defp edges(opts) do
    if opts[:trace] do
      Trace.edges(opts[:root], opts)
    else
      with {:ok, index} <- Workspace.open(opts), do: Graph.edges(index)
    end
  end
end
