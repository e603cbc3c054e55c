defmodule Ambix.Graph do
  @moduledoc """
  The graph of code of an index: who calls whom, what a change touches, what belongs together.

  A symbol is written as people write it: `"Shop.Cart.add/2"`, `"Shop.Cart.add"`, `"add/2"`, `"add"` or a module,
  `"Shop.Cart"`, which stands for all that it defines. Where nothing has that name, the error names what is close to it.

  An index is given as itself or, as to `Ambix.Index.search/3`, by its name.

      {:ok, callers} = Ambix.Graph.callers(index, "Shop.Cart.add/2", depth: 2)
      {:ok, change} = Ambix.Graph.diff(index)
      Enum.map(change.tests, & &1.symbol)

  Symbols depend on one another in several ways, the kinds of `kinds/0`. Those along which control passes are the calls:
  `:call`, `:message` (to the clause that handles it), `:dispatch` (from a protocol or behaviour to what implements it),
  `:route`, `:plug`, `:render` and `:doctest`.

  A dependency is `certain` where the text of the code leaves no doubt or the compiler said so; `why` says which, or what
  the guess rests on, such as `"convention"` or `"by_name"`. `Ambix.Index.observe/2` adds what the compiler knows.
  """

  alias Ambix.{Error, Graph.Change, Graph.Lost, Index, Job, Native, Options, Telemetry}
  alias Ambix.Index.SearchOptions

  @kinds [
    :call,
    :message,
    :dispatch,
    :route,
    :plug,
    :render,
    :doctest,
    :supervise,
    :use,
    :import,
    :require,
    :alias,
    :behaviour,
    :implements,
    :struct,
    :module,
    :type,
    :schema,
    :config
  ]

  @typedoc "How one symbol depends on another."
  @type kind :: atom

  @typedoc "A definition. `generated_by` names the macro that makes it, where none of its text is in the module."
  @type symbol :: %{
          symbol: String.t(),
          kind: String.t(),
          module: String.t(),
          name: String.t(),
          arity: arity | nil,
          file: Path.t(),
          line: pos_integer,
          generated_by: String.t() | nil
        }

  @typedoc """
  A definition that was reached in `depth` steps. `how` it is tied to `via`, which is one step nearer to what was asked for;
  the tie is written in the `lines` of the file `lines_in`.
  """
  @type hit :: %{
          symbol: String.t(),
          kind: String.t(),
          module: String.t(),
          name: String.t(),
          arity: arity | nil,
          file: Path.t(),
          line: pos_integer,
          generated_by: String.t() | nil,
          depth: pos_integer,
          via: String.t(),
          how: String.t(),
          certain: boolean,
          why: String.t(),
          lines: [pos_integer],
          lines_in: Path.t()
        }

  @typedoc "A use of the symbol `to`: `file` and `line` are where it is written, `symbol` is what it is in."
  @type use_of :: %{
          symbol: String.t(),
          kind: String.t(),
          module: String.t(),
          name: String.t(),
          arity: arity | nil,
          file: Path.t(),
          line: pos_integer,
          generated_by: String.t() | nil,
          to: String.t(),
          how: String.t(),
          certain: boolean,
          why: String.t()
        }

  @typedoc "A tie of two symbols, with the places where it is written."
  @type link :: %{
          from: String.t(),
          to: String.t(),
          how: String.t(),
          certain: boolean,
          why: String.t(),
          file: Path.t(),
          lines: [pos_integer]
        }

  @typedoc """
  What a change `touched`, and what depends on that: the `hits`, nearest first; the `tests`, `routes` and `templates` among
  both, and the `files` of the hits.
  """
  @type impact :: %{
          touched: [symbol],
          hits: [hit],
          tests: [symbol],
          routes: [symbol],
          templates: [symbol],
          files: [Path.t()]
        }

  @doc "The kinds of dependencies, for the option `:kinds`."
  @spec kinds() :: [kind]
  def kinds, do: @kinds

  @calls [:call, :message, :dispatch, :route, :plug, :render, :doctest]

  @doc "Those of `kinds/0` along which control passes."
  @spec calls() :: [kind]
  def calls, do: @calls

  @kinds_option [
    type: {:list, {:in, @kinds}},
    default: nil,
    arg: "KIND,KIND",
    doc: "follow only dependencies of these kinds"
  ]

  @wait Index.wait_option()

  @reach [
    wait: @wait,
    depth: [type: :pos_integer, default: 1, arg: "N", doc: "how many steps away at the most"],
    kinds: @kinds_option
  ]

  @doc """
  Who calls `symbol`. Without `kinds`, by all kinds of calls.

  ## Options
  #{Options.docs(@reach)}
  """
  @spec callers(Index.t() | atom, String.t(), keyword) :: {:ok, [hit]} | {:error, Error.t()}
  def callers(index, symbol, opts \\ []), do: reach(index, symbol, :callers, opts)

  @doc """
  Whom `symbol` calls, within the project. Without `kinds`, by all kinds of calls.

  ## Options
  #{Options.docs(@reach)}
  """
  @spec callees(Index.t() | atom, String.t(), keyword) :: {:ok, [hit]} | {:error, Error.t()}
  def callees(index, symbol, opts \\ []), do: reach(index, symbol, :callees, opts)

  @doc """
  What depends on `symbol`. Without `kinds`, in any way; each is named once, with the first of its ways.

  ## Options
  #{Options.docs(@reach)}
  """
  @spec dependents(Index.t() | atom, String.t(), keyword) :: {:ok, [hit]} | {:error, Error.t()}
  def dependents(index, symbol, opts \\ []), do: reach(index, symbol, :dependents, opts)

  @doc """
  What `symbol` depends on, within the project. Without `kinds`, in any way; each is named once, with the first of its ways.

  ## Options
  #{Options.docs(@reach)}
  """
  @spec dependencies(Index.t() | atom, String.t(), keyword) :: {:ok, [hit]} | {:error, Error.t()}
  def dependencies(index, symbol, opts \\ []), do: reach(index, symbol, :dependencies, opts)

  defp reach(index, symbol, way, opts) do
    opts = Options.validate!(opts, @reach)
    near(index, opts, &Native.graph_reach(&1, &2, symbol, way, opts[:depth], names(opts[:kinds])))
  end

  @doc "What `symbol` stands for: where it is defined."
  @spec definition(Index.t() | atom, String.t()) :: {:ok, [symbol]} | {:error, Error.t()}
  def definition(index, symbol), do: near(index, [], &Native.graph_find(&1, &2, symbol))

  @doc "Every place where `symbol` is used, in every way."
  @spec references(Index.t() | atom, String.t()) :: {:ok, [use_of]} | {:error, Error.t()}
  def references(index, symbol), do: near(index, [], &Native.graph_references(&1, &2, symbol))

  @doc """
  What implements a protocol or behaviour: modules; of one of its functions or callbacks, functions.

  It may come from elsewhere, as `"GenServer"`, `"Plug"` or `"Enumerable.count/1"` do. The modules that have it by a macro
  of a dependency are known for certain only by the compiler (`Ambix.Index.observe/2`) or from the sources in `deps`; without
  either, `use Mod` is taken to give the behaviour `Mod`, and is marked as a guess.
  """
  @spec implementations(Index.t() | atom, String.t()) :: {:ok, [hit]} | {:error, Error.t()}
  def implementations(index, symbol), do: near(index, [], &Native.graph_implementations(&1, &2, symbol))

  @doc "What a change of a file or a symbol may touch: all that depends on it, tests included, nearest first."
  @spec impact(Index.t() | atom, String.t()) :: {:ok, [hit]} | {:error, Error.t()}
  def impact(index, file_or_symbol) do
    with {:ok, impact} <- whole_impact(index, file_or_symbol), do: {:ok, impact.hits}
  end

  @doc "The tests that a change of a file or a symbol may touch, in order of their places; doctests stand where their module is named."
  @spec tests(Index.t() | atom, String.t()) :: {:ok, [symbol]} | {:error, Error.t()}
  def tests(index, file_or_symbol) do
    with {:ok, impact} <- whole_impact(index, file_or_symbol), do: {:ok, impact.tests}
  end

  defp whole_impact(index, file_or_symbol) do
    with {:ok, impact} <- job(index, [], &Native.graph_impact(&1, &2, file_or_symbol)),
         do: with_doctests(index, impact)
  end

  # An example in documentation is a test in each module that says so.
  defp with_doctests(index, impact) do
    examples =
      for one <- impact.touched ++ impact.hits,
          one.kind == "doctest",
          uniq: true,
          do: {one.module, one.symbol}

    examples
    |> Enum.group_by(&elem(&1, 0), &elem(&1, 1))
    |> Enum.reduce_while([], fn {module, names}, tests ->
      case references(index, module) do
        {:ok, uses} -> {:cont, doctests(uses, names) ++ tests}
        {:error, %Error{kind: :not_found}} -> {:cont, tests}
        error -> {:halt, error}
      end
    end)
    |> case do
      {:error, _} = error -> error
      tests -> {:ok, %{impact | tests: Enum.sort_by(impact.tests ++ tests, &{&1.file, &1.line})}}
    end
  end

  # Named as ExUnit names them.
  defp doctests(uses, names) do
    for %{how: "doctest", kind: "module"} = use <- uses, name <- names do
      name = "doctest #{name}"

      use
      |> Map.drop([:to, :how, :certain, :why])
      |> Map.merge(%{kind: "test", name: name, symbol: "#{use.module}.#{name}"})
    end
  end

  @doc """
  What a change of lines may touch, each given as `{path, first, last}`: a path as the index names it, and lines from 1.

  Lines outside of all functions and tests, such as an alias or an attribute, stand for all of their module.
  """
  @spec impact_of_lines(Index.t() | atom, [{Path.t(), pos_integer, pos_integer}]) ::
          {:ok, impact} | {:error, Error.t()}
  def impact_of_lines(index, lines) do
    for line <- proper(lines), not lines?(line) do
      raise ArgumentError,
            "expected changed lines as {path, first, last} with lines from 1, got: #{inspect(line, limit: 5)}"
    end

    with {:ok, impact} <- job(index, [], &Native.graph_impact_of_lines(&1, &2, lines)),
         do: with_doctests(index, impact)
  end

  # What is no list is refused behind the border.
  defp proper(lines), do: if(is_list(lines) and not List.improper?(lines), do: lines, else: [])

  defp lines?({path, first, last}),
    do: is_binary(path) and String.valid?(path) and line?(first) and line?(last)

  defp lines?(_other), do: false

  defp line?(line), do: is_integer(line) and line > 0 and line < 0xFFFFFFFF

  @doc """
  What a git change touches: the files as they are, compared with the commit `ref`, below the root of the index.

  Files that git does not know yet, and does not ignore, count as new. The answer is that of `impact_of_lines/2`, with the
  files that `changed` and those that were `deleted`. Functions that the change took away, or renamed, and that are still
  called by name are `gone`, each with the `file` that it was in; who calls them is among the `hits`. The index must be up
  to date with the files: `Ambix.Index.update/1`.

  Errors: `:unavailable` without the program git, `:project` outside of a repository, `:not_found` for an unknown commit.
  """
  @spec diff(Index.t() | atom, String.t()) :: {:ok, map} | {:error, Error.t()}
  def diff(index, ref \\ "HEAD") do
    with {:ok, %{root: root} = index} <- Index.resolve(index),
         :ok <- SearchOptions.readable(ref, "commit"),
         {:ok, change} <- Change.since(root, ref),
         {:ok, impact} <- impact_of_lines(index, change.lines),
         {:ok, calls} <- lost_calls(index, change.taken),
         callers = Lost.callers(calls, impact),
         lines = for(hit <- callers, do: {hit.file, hit.line, hit.line}),
         {:ok, more} <- if(lines == [], do: {:ok, impact}, else: impact_of_lines(index, lines)) do
      gone = for {_, symbol, file, _} <- calls, uniq: true, do: %{symbol: symbol, file: file}

      {:ok,
       impact
       |> Lost.with_callers(callers, more)
       |> Map.merge(Map.take(change, [:changed, :deleted]))
       |> Map.put(:gone, gone)}
    end
  end

  # Nothing in the graph of the new text ties to a change what still calls by name what it took away.
  defp lost_calls(_index, []), do: {:ok, []}

  defp lost_calls(index, taken) do
    with {:ok, all} <- edges(index, guessed: true),
         [_ | _] = lost <- Lost.calls(all, taken, &exactly(index, &1)),
         {:ok, certain} <- edges(index) do
      {:ok, Lost.judged(lost, certain)}
    else
      [] -> {:ok, []}
      error -> error
    end
  end

  # What is only like it is another one.
  defp exactly(index, symbol) do
    case definition(index, symbol) do
      {:ok, found} -> Enum.filter(found, &(&1.symbol == symbol))
      {:error, _} -> []
    end
  end

  @paths [
    wait: @wait,
    kinds: @kinds_option,
    limit: [type: :pos_integer, default: 10, arg: "N", doc: "how many paths at the most"]
  ]

  @doc """
  The shortest ways on which `from` comes to depend on `to`, each as its `symbols` and the `links` between them; none where
  there is no way. Without `kinds`, by all kinds of calls.

  ## Options
  #{Options.docs(@paths)}
  """
  @spec paths(Index.t() | atom, String.t(), String.t(), keyword) ::
          {:ok, [%{symbols: [symbol], links: [link]}]} | {:error, Error.t()}
  def paths(index, from, to, opts \\ []) do
    opts = Options.validate!(opts, @paths)
    job(index, opts, &Native.graph_paths(&1, &2, from, to, names(opts[:kinds]), opts[:limit]))
  end

  @cycles [
    wait: @wait,
    kinds: @kinds_option,
    phase: [
      type: {:in, [:compile_time, :run_time]},
      default: nil,
      arg: "PHASE",
      doc: "only dependencies that are needed then"
    ]
  ]

  @doc """
  Modules that depend on each other in a circle: all of them, and as an `example` one of the shortest ways around, with the
  links that make each step. Without `kinds`, by all kinds but `:alias`.

  ## Options
  #{Options.docs(@cycles)}
  """
  @spec cycles(Index.t() | atom, keyword) ::
          {:ok, [%{modules: [String.t()], example: [map]}]} | {:error, Error.t()}
  def cycles(index, opts \\ []) do
    opts = Options.validate!(opts, @cycles)
    job(index, opts, &Native.graph_cycles(&1, &2, names(opts[:kinds]), opts[:phase] && "#{opts[:phase]}"))
  end

  @dead [
    wait: @wait,
    public: [
      type: :boolean,
      default: true,
      doc: "whether every public function counts as used, as in a library"
    ],
    tests: [type: :boolean, default: true, doc: "whether what only tests reach counts as used"],
    keep: [
      type: {:list, :string},
      default: [],
      arg: "SYMBOL,SYMBOL",
      doc: "symbols that are used from outside, such as functions that a release calls"
    ]
  ]

  @doc """
  Functions that nothing reaches. `doubt` says why one may be used after all, and is nil where nothing hints at it:
  `"module_is_named"`, `"module_is_extended"`, `"name_is_quoted"` or `"module_is_quoted"`.

  Tests, routes, callbacks, plugs and what a supervisor starts count as used, and what these reach.

  ## Options
  #{Options.docs(@dead)}
  """
  @spec dead(Index.t() | atom, keyword) :: {:ok, [map]} | {:error, Error.t()}
  def dead(index, opts \\ []) do
    opts = Options.validate!(opts, @dead)
    job(index, opts, &Native.graph_dead(&1, &2, opts[:public], opts[:tests], opts[:keep]))
  end

  @communities [
    wait: @wait,
    of: [type: {:in, [:modules, :symbols]}, default: :modules, arg: "WHAT", doc: "what is grouped"],
    kinds: @kinds_option,
    resolution: [type: :float, default: 1.0, arg: "X", doc: "the higher, the smaller the groups"],
    seed: [type: :non_neg_integer, default: 0, arg: "N", doc: "the seed of what is random"]
  ]

  @doc """
  What belongs together by its dependencies: groups of names, greatest first, by the Leiden algorithm (Traag, Waltman and
  van Eck, 2019). `modularity` is 0 where there is no structure, and at most 1. Without `kinds`, by all kinds but `:alias`.

  ## Options
  #{Options.docs(@communities)}
  """
  @spec communities(Index.t() | atom, keyword) ::
          {:ok, %{groups: [[String.t()]], modularity: float}} | {:error, Error.t()}
  def communities(index, opts \\ []) do
    opts = Options.validate!(opts, @communities)
    kinds = names(opts[:kinds])
    job(index, opts, &Native.graph_communities(&1, &2, opts[:of], kinds, opts[:resolution], opts[:seed]))
  end

  @rank [
    wait: @wait,
    limit: [type: :pos_integer, default: 20, arg: "N", doc: "how many definitions at the most"],
    seeds: [
      type: {:list, :string},
      default: [],
      arg: "SYMBOL,SYMBOL",
      doc: "symbols: rank by what matters to these"
    ]
  ]

  @doc """
  What matters most: definitions by PageRank (Brin and Page, 1998) over calls and mentions; with `seeds` personalised.

  ## Options
  #{Options.docs(@rank)}
  """
  @spec rank(Index.t() | atom, keyword) ::
          {:ok, [%{symbol: String.t(), kind: String.t(), file: Path.t(), line: pos_integer, score: float}]}
          | {:error, Error.t()}
  def rank(index, opts \\ []) do
    opts = Options.validate!(opts, @rank)
    job(index, opts, &Native.graph_rank(&1, &2, opts[:limit], opts[:seeds]))
  end

  @neighbourhood [wait: @wait] ++ Options.take(SearchOptions.packing(), [:tokens, :model])

  @doc """
  The surroundings of a symbol, or of several, as text for a prompt: a line for each symbol, how it is tied to what was
  asked for, and the head of its definition; nearest and most important first, within a budget of tokens.

  `omitted` is the number of symbols that are tied to it and did not fit.

  ## Options
  #{Options.docs(@neighbourhood)}
  """
  @spec neighbourhood(Index.t() | atom, String.t() | [String.t()], keyword) ::
          {:ok,
           %{
             text: String.t(),
             tokens: non_neg_integer,
             symbols: [symbol],
             omitted: non_neg_integer
           }}
          | {:error, Error.t()}
  def neighbourhood(index, symbols, opts \\ []) do
    opts = Options.validate!(opts, @neighbourhood)
    model = opts[:model] && opts[:model].resource
    job(index, opts, &Native.graph_neighbourhood(&1, &2, List.wrap(symbols), opts[:tokens], model))
  end

  @guessed [
    wait: @wait,
    guessed: [
      type: :boolean,
      default: false,
      doc: "also those that a macro or a value known only at run time may change"
    ]
  ]

  @doc """
  Every call from function to function, calls to functions outside the project included, as
  `{caller_module, caller, caller_arity, callee_module, callee, callee_arity}`. Calls in the body of a module have `nil` as
  caller and its arity.

  ## Options
  #{Options.docs(@guessed)}
  """
  @spec edges(Index.t() | atom, keyword) ::
          {:ok, [{String.t(), String.t() | nil, arity | nil, String.t(), String.t(), arity}]}
          | {:error, Error.t()}
  def edges(index, opts \\ []) do
    opts = Options.validate!(opts, @guessed)

    with {:ok, edges} <- job(index, opts, &Native.graph_edges(&1, &2, opts[:guessed])) do
      {:ok, Enum.map(edges, fn {caller, callee} -> flat(caller, callee) end)}
    end
  end

  defp flat({caller_module, caller, caller_arity}, {callee_module, callee, callee_arity}),
    do: {caller_module, caller, caller_arity, callee_module, callee, callee_arity}

  @part [
    wait: @wait,
    around: [
      type: :string,
      default: nil,
      arg: "SYMBOL",
      doc: "a symbol or a file: only what is tied to it; by default the whole graph"
    ],
    depth: [type: :pos_integer, default: 1, arg: "N", doc: "how many steps from there"],
    reach: [
      type: {:in, [:both, :dependents, :dependencies]},
      default: :both,
      arg: "WAY",
      doc: "which way to go from there"
    ],
    kinds: @kinds_option
  ]

  @export [
            format: [
              type: {:in, [:dot, :graphml, :json, :mermaid, :cypher]},
              default: :dot,
              arg: "FORMAT",
              doc: "`:dot` for Graphviz, `:cypher` for graph databases"
            ]
          ] ++ @part

  @doc """
  The graph, or a part of it, as text in the format of another program. Without `kinds`, with dependencies of all kinds.

  ## Options
  #{Options.docs(@export)}
  """
  @spec export(Index.t() | atom, keyword) :: {:ok, String.t()} | {:error, Error.t()}
  def export(index, opts \\ []) do
    opts = Options.validate!(opts, @export)
    job(index, opts, &Native.graph_export(&1, &2, "#{opts[:format]}", part(opts)))
  end

  @svg @part ++
         [
           modules: [
             type: :boolean,
             default: nil,
             doc:
               "whether a box is a module instead of a symbol; by default where nothing is named by `:around`"
           ],
           max_nodes: [
             type: :pos_integer,
             default: 150,
             arg: "N",
             doc: "the most boxes; a larger picture is refused"
           ]
         ]

  @doc """
  The graph, or a part of it, as an SVG picture. Without `kinds`, with all kinds of calls.

  ## Options
  #{Options.docs(@svg)}
  """
  @spec svg(Index.t() | atom, keyword) :: {:ok, String.t()} | {:error, Error.t()}
  def svg(index, opts \\ []) do
    opts = Options.validate!(opts, @svg)
    modules = if opts[:modules] == nil, do: opts[:around] == nil, else: opts[:modules]
    drawing = %{modules: modules, max_nodes: opts[:max_nodes]}
    job(index, opts, &Native.graph_picture(&1, &2, part(opts), drawing))
  end

  # What is only brought near changes nothing by itself.
  @touching @kinds -- [:alias, :import, :require]
  # More steps than any project has.
  @to_the_end 1_000_000

  @doc false
  # The options with which `svg/2` and `export/2` draw the answer of `callers/3`, `callees/3` or `impact/2`.
  @spec drawn(:callers | :callees | :impact, String.t(), keyword) :: keyword
  def drawn(:impact, symbol, _opts),
    do: [around: symbol, reach: :dependents, depth: @to_the_end, kinds: @touching]

  def drawn(verb, symbol, opts) do
    opts = Options.validate!(opts, @reach)
    reach = if verb == :callers, do: :dependents, else: :dependencies
    [around: symbol, reach: reach, depth: opts[:depth], kinds: opts[:kinds] || @calls]
  end

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas,
    do: [
      callers: @reach,
      callees: @reach,
      dependents: @reach,
      dependencies: @reach,
      paths: @paths,
      cycles: @cycles,
      dead: @dead,
      communities: @communities,
      rank: @rank,
      neighbourhood: @neighbourhood,
      edges: @guessed,
      export: @export,
      svg: @svg
    ]

  defp part(opts) do
    %{around: opts[:around], reach: opts[:reach], depth: opts[:depth], kinds: names(opts[:kinds])}
  end

  defp names(nil), do: nil
  defp names(kinds), do: Enum.map(kinds, &Atom.to_string/1)

  # What looks only around a symbol is answered at once, unless the graph is large or still has to be made.
  defp near(index, opts, ask), do: query(index, opts, fn resource -> Job.answer(&ask.(&1, resource)) end)

  # Jobs are for what looks at much of the graph.
  defp job(index, opts, start), do: query(index, opts, fn resource -> Job.run(&start.(&1, resource), nil) end)

  defp query(index, opts, ask) do
    with {:ok, %{resource: resource}} <- Index.resolve(index, opts[:wait] || 0),
         do: Telemetry.span([:ambix, :graph, :query], %{}, fn -> ask.(resource) end)
  end
end
