defmodule Ambix.Tool.Relations do
  alias Ambix.{Graph, Options, Workspace}

  @relations [:callers, :callees, :references, :implementations, :path, :impact, :tests]

  @options [
             relation: [type: {:in, @relations}, required: true],
             of: [type: :string, doc: "symbol or file; none: the git diff (impact, tests)"],
             to: [type: :string, doc: "for path"],
             since: [type: :string, doc: "commit to diff with"]
           ] ++
             Options.take(Options.of(Graph, :callers),
               depth: [type: {:integer, 1..9}, default: nil, doc: nil]
             ) ++
             Options.take(Options.of(Workspace, :open), deps: [default: nil, doc: nil]) ++
             [skip: [type: {:integer, 0..9_999}]]

  @further Options.take(Options.of(Graph, :callers), [:kinds, depth: [default: nil]]) ++
             Options.take(Options.of(Graph, :paths), limit: [default: nil, doc: "how many paths at the most"])

  @moduledoc """
  The tool that says what depends on what: callers, callees, uses, implementations, ways from one symbol to another, what a change
  touches, and the tests that reach it.

  Each tie says what it rests on: `compiler`, `source`, or `guess`, with what the guess rests on.

  ## Options
  #{Options.docs(@options)}

  ## Further options of `Ambix.Tool.find/3`
  #{Options.docs(@further)}
  """

  @behaviour Ambix.Tool

  alias Ambix.{Error, Index, Packages, Tool}
  alias Ambix.Tool.{Host, Outline, Paths, Results}
  alias Ambix.Tool.Relations.Outside

  @most_bytes 1_000
  @paths 3
  # What is longer is not said on two lines that follow one another.
  @long 20
  # So many tests at the most are told one by one, those that are so many steps at the most behind the nearest; of the rest the files.
  @near 20
  @behind 2
  # In so many lines behind its first attribute the head of a definition is looked for.
  @most_lines 400
  # So many functions of a package are tried that a way may lead through.
  @entries 5
  # Of a package so many names are looked for in the project.
  @most_names 200
  # More than any way has.
  @unknown 1_000_000

  # Named as `Ambix.Tool.Search` says.
  @impl Tool
  def tool do
    %Tool{
      name: "relations",
      title: "Relations of code",
      description:
        "Who calls a function, what a change breaks, which tests reach it. Better than grep: aliases, imports, routes and " <>
          "behaviours are resolved; only ties that rest on a guess need a look.",
      input: @options,
      further: @further,
      output: Results.schema(["place", "symbol"])
    }
  end

  @impl Tool
  def run(args, call) do
    # Models write an empty text for what they leave out.
    args = Enum.reject(args, fn {key, value} -> key in [:of, :to, :since] and value == "" end)

    with :ok <- fitting(args),
         {:ok, workspace, more} <- Host.workspace(call.host, args[:deps] == true) do
      if workspace, do: told(workspace, more, args, call), else: {:ok, building(call)}
    end
  end

  # What `Ambix.Graph` answers: hits, uses, paths, tests or, for the impact of a git diff, the change. What lies in a package has a `package`,
  # and the end of a path that nothing here defines has no `file`.
  @impl Tool
  def find(options, call) do
    with :ok <- fitting(options),
         {:ok, workspace} <- Host.ready(call.host, options[:deps] == true),
         {:ok, found} <- find(options[:relation], workspace, options, call.host) do
      case {found, options[:relation]} do
        {{:change, change}, :tests} -> {:ok, change.tests}
        {{:tests, tests, _hits}, _} -> {:ok, tests}
        {{_, found}, _} -> {:ok, found}
      end
    end
  end

  defp fitting(args) do
    relation = args[:relation]

    cond do
      Enum.any?([:of, :to, :since], &(byte_size(args[&1] || "") > @most_bytes)) ->
        invalid("a name is longer than #{@most_bytes} bytes; give a symbol, a path or a commit")

      args[:of] == "" ->
        invalid("of is empty; give a symbol such as Mod.fun/2, or a path")

      args[:of] == nil and relation not in [:impact, :tests] ->
        invalid("#{relation} needs of: a symbol such as Mod.fun/2")

      relation == :path and args[:to] in [nil, ""] ->
        invalid("path needs to: the symbol at which it ends")

      args[:since] != nil and (args[:of] != nil or relation not in [:impact, :tests]) ->
        invalid("since is for impact and tests of a git diff; leave out of, or since")

      true ->
        :ok
    end
  end

  defp invalid(sentence), do: {:error, Error.new(:invalid_argument, sentence)}

  defp building(call), do: Results.answer([], call, status: Host.status(call.host, %{}), head: "nothing yet")

  defp told(workspace, more, args, call) do
    skip = args[:skip] || 0

    with {:ok, found} <-
           args[:relation] |> find(workspace, args, call.host) |> Host.excused(call.host, more) do
      found = ties(found, args)
      shown = Enum.drop(found, skip)
      total = found |> Enum.map(&(&1[:tests] || 1)) |> Enum.sum()

      parts = [
        status: Host.status(call.host, more),
        head: if(found == [], do: "none", else: "#{args[:relation]}, #{total}:"),
        data: %{"total" => total},
        next: fn fit -> if skip + fit < length(found), do: "the same with skip: #{skip + fit}" end
      ]

      {entries, _} = shown |> headed(workspace.index) |> Enum.map_reduce("", &entry(&1, args[:of], &2))
      {:ok, Results.answer(entries, call, parts)}
    end
  end

  # To the graph a definition begins with its attributes, documentation among them; a reader wants the line of its head.
  defp headed(found, index) do
    {found, _texts} =
      Enum.map_reduce(found, %{}, fn one, texts ->
        case Map.pop(one, :begins) do
          {nil, one} ->
            {one, texts}

          {{file, line}, one} ->
            texts = Map.put_new_lazy(texts, file, fn -> lines(index, file) end)
            {%{one | place: "#{file}:#{head(texts[file], line, file)}"}, texts}
        end
      end)

    found
  end

  defp lines(index, file) do
    case Index.text(index, file) do
      {:ok, text} -> String.split(text, "\n")
      _ -> []
    end
  end

  defp head(lines, line, file) do
    lines = Enum.slice(lines, line - 1, @most_lines)

    with [first | _] <- lines, true <- String.starts_with?(String.trim_leading(first), ["@", "#"]) do
      {line, _text} = lines |> Enum.join("\n") |> Outline.first(line, file)
      line
    else
      _ -> line
    end
  end

  # What goes without saying is not said: the symbol that was asked for, one step, why there is no doubt, and what the line above says.
  defp entry(found, of, above) do
    guess? = found[:rests] == "guess"
    dull = if guess?, do: [], else: [:why]
    dull = if found[:depth] == 1, do: [:depth | dull], else: dull
    dull = if found[:via] == of, do: [:via | dull], else: dull
    found = found |> Map.drop(dull) |> Enum.reject(fn {_, value} -> value in [nil, ""] end) |> Map.new()

    how = [found[:how], found[:via] && "of #{found.via}"] |> Enum.reject(&is_nil/1) |> Enum.join(" ")
    rests = if guess?, do: "guess: #{found.why}", else: found[:rests]
    notes = [found[:way] && "way #{found.way}", how, found[:depth] && "depth #{found.depth}", rests]
    notes = notes |> Enum.reject(&(&1 in [nil, ""])) |> Enum.join(", ")

    said = if notes == above and byte_size(notes) > @long, do: "as above", else: notes
    text = Enum.join([found.place, found.symbol] ++ if(said == "", do: [], else: ["(#{said})"]), "  ")
    {{Map.new(found, fn {key, value} -> {Atom.to_string(key), value} end), text}, notes}
  end

  defp find(:callees, workspace, args, _host),
    do: in_each(workspace, :hits, &Graph.callees(&1, args[:of], walk(args)))

  defp find(:callers, workspace, args, _host) do
    walk = walk(args)

    in_each(workspace, :hits, fn index ->
      or_outside(Graph.callers(index, args[:of], walk), fn ->
        if calls?(args), do: Outside.callers(index, args[:of], walk[:depth]), else: :none
      end)
    end)
  end

  defp find(:references, workspace, args, _host) do
    in_each(workspace, :uses, fn index ->
      or_outside(Graph.references(index, args[:of]), fn ->
        with {:ok, hits} <- Outside.callers(index, args[:of]),
             do: {:ok, Enum.map(hits, &Map.put(&1, :to, &1.via))}
      end)
    end)
  end

  defp find(:implementations, workspace, args, _host) do
    with {:ok, {:hits, []}} <- in_each(workspace, :hits, &Graph.implementations(&1, args[:of])),
         [_, module, function] <- Regex.run(~r/\A([\w.]+)\.([a-z_]\w*[?!]?(?:\/\d{1,3})?)\z/, args[:of]) do
      in_each(workspace, :hits, &callback(&1, module, function))
    else
      nil -> {:ok, {:hits, []}}
      found -> found
    end
  end

  defp find(:path, %{index: index} = workspace, args, _host) do
    limit = args[:limit] || @paths

    case Graph.paths(index, args[:of], args[:to], limit: limit, kinds: args[:kinds]) do
      {:ok, paths} ->
        {:ok, {:paths, paths}}

      {:error, %{kind: :not_found}} = error ->
        with :none <- if(calls?(args), do: ways_out(workspace, args[:of], args[:to], limit), else: :none),
             do: error

      error ->
        error
    end
  end

  defp find(relation, workspace, args, host) do
    case args[:of] do
      nil ->
        with {:ok, change} <- Graph.diff(workspace.index, args[:since] || "HEAD"),
             do: {:ok, {:change, change}}

      of ->
        with {:ok, of} <- file(of, workspace, host), do: reached(relation, workspace, of, args[:depth])
    end
  end

  defp walk(args), do: [depth: args[:depth] || 1, kinds: args[:kinds]]

  # Of what the project does not define, the calls are all that is known.
  defp calls?(args), do: args[:kinds] in [nil, []] or :call in args[:kinds]

  defp reached(relation, %{index: index} = workspace, of, depth) do
    case Graph.impact(index, of) do
      {:ok, hits} when relation == :impact ->
        {:ok, {:impact, within(hits, depth)}}

      {:ok, hits} ->
        with {:ok, tests} <- Graph.tests(index, of), do: {:ok, {:tests, tests, hits}}

      {:error, %{kind: :not_found}} = error ->
        with :none <- reached_outside(relation, workspace, of, depth), do: error

      error ->
        error
    end
  end

  # What of a package depends on it leads into the project too. Its tests are not part of what is installed of it.
  defp reached_outside(relation, workspace, of, depth) do
    of_packages =
      for {package, index} <- sources(workspace),
          {:ok, hits} <- [Graph.impact(index, of)],
          do: {package, hits}

    names = [
      {of, 0}
      | for({_, hits} <- of_packages, hit <- Enum.take(hits, @most_names), do: {hit.symbol, hit.depth})
    ]

    case {Outside.impact(workspace.index, names), of_packages} do
      {:none, []} ->
        :none

      {:none, _} when relation == :tests ->
        {:ok, {:tests, [], []}}

      {:none, _} ->
        {:ok, {:impact, of_packages(of_packages, depth)}}

      {{:ok, hits}, _} when relation == :impact ->
        {:ok, {:impact, of_packages(of_packages, depth) ++ within(hits, depth)}}

      {{:ok, hits}, _} ->
        with {:ok, tests} <- Outside.tests(workspace.index, names), do: {:ok, {:tests, tests, hits}}
    end
  end

  defp of_packages(found, depth),
    do: for({package, hits} <- found, hit <- within(hits, depth), do: Map.put(hit, :package, package))

  defp or_outside({:error, %{kind: :not_found}} = error, ask), do: with(:none <- ask.(), do: error)
  defp or_outside(found, _ask), do: found

  # From the project to a function that it calls and does not define, or that one calls in turn which it does not define.
  defp ways_out(workspace, from, to, limit) do
    case Outside.paths(workspace.index, from, to, limit) do
      {:ok, paths} -> {:ok, {:paths, Enum.map(paths, &continued(&1, outside(to)))}}
      :none -> through(workspace, from, to)
    end
  end

  # By a function of the package that is near to the end, of those that the project calls.
  defp through(workspace, from, to) do
    case sources(workspace) do
      [] ->
        :none

      sources ->
        called = Outside.called(workspace.index)
        Enum.find_value(sources, :none, &through(&1, workspace.index, called, {from, to}))
    end
  end

  defp through({package, of_package}, index, called, {from, to}) do
    with {:ok, hits} <- Graph.callers(of_package, to, depth: 9) do
      hits
      |> Enum.filter(&(&1.symbol in called))
      |> Enum.take(@entries)
      |> Enum.find_value(fn hit ->
        with {:ok, [way | _]} <- Outside.paths(index, from, hit.symbol, 1),
             {:ok, [inside | _]} <- Graph.paths(of_package, hit.symbol, to, limit: 1) do
          symbols = for symbol <- inside.symbols, do: Map.put(symbol, :package, package)
          {:ok, {:paths, [continued(way, %{inside | symbols: symbols})]}}
        else
          _ -> nil
        end
      end)
    else
      _ -> nil
    end
  end

  # A way that goes on outside of the project, by a call whose line is not known.
  defp continued(way, further) do
    ends = %{from: List.last(way.symbols).symbol, to: hd(further.symbols).symbol}
    step = Map.merge(ends, %{how: "call", certain: true, why: "written", file: nil, lines: []})
    %{symbols: way.symbols ++ further.symbols, links: way.links ++ [step | further.links]}
  end

  defp outside(name),
    do: %{symbols: [%{symbol: name, kind: "function", file: nil, line: nil}], links: []}

  # A behaviour may have a function of the name of its callback, which nothing implements.
  defp callback(index, module, function) do
    with {:ok, modules} <- Graph.implementations(index, module) do
      {:ok,
       for hit <- modules, {:ok, [found | _]} <- [Graph.definition(index, "#{hit.symbol}.#{function}")] do
         hit |> Map.merge(Map.take(found, [:symbol, :kind, :file, :line])) |> Map.put(:lines, [])
       end}
    end
  end

  # A file may be given as it is on the disk.
  defp file(of, workspace, host) do
    if String.starts_with?(of, ["/", "./", "../"]) do
      root =
        if String.starts_with?(of, workspace.index.root <> "/"), do: workspace.index.root, else: host.root

      Paths.inside(root, of)
    else
      {:ok, of}
    end
  end

  # What was found as ties, each with its place in words.
  defp ties({:hits, hits}, _args), do: Enum.map(hits, &hit/1)
  defp ties({:uses, uses}, _args), do: Enum.map(uses, &use_of/1)
  defp ties({:impact, hits}, _args), do: impact(hits)
  defp ties({:tests, tests, hits}, args), do: tested(tests, hits, [], args[:depth])

  defp ties({:paths, paths}, _args),
    do: for({path, nth} <- Enum.with_index(paths, 1), step <- steps(path), do: Map.put(step, :way, nth))

  defp ties({:change, change}, args) do
    if args[:relation] == :tests do
      tested(change.tests, change.hits, change.touched, args[:depth])
    else
      deleted = for path <- change.deleted, do: %{place: path, symbol: path, how: "deleted"}
      gone = for gone <- change.gone, do: %{place: gone.file, symbol: gone.symbol, how: "gone"}
      touched = for symbol <- change.touched, do: Map.put(symbol(symbol), :how, "changed")
      deleted ++ gone ++ touched ++ (change.hits |> within(args[:depth]) |> impact())
    end
  end

  # The nearest first: those that changed themselves, then by the steps to them; of what a setup reaches these are not known.
  defp tested(tests, hits, changed, depth) do
    hits = Map.new(hits, &{&1.symbol, &1})
    changed = MapSet.new(changed, & &1.symbol)
    # A doctest is reached by the example in the documentation.
    hit_of = &(hits[&1.symbol] || hits[String.replace_prefix(&1.name, "doctest ", "")])
    away = &if(&1.symbol in changed, do: 0, else: (hit_of.(&1) || %{depth: @unknown}).depth)

    tests = tests |> Enum.filter(&(depth == nil or away.(&1) <= depth)) |> Enum.sort_by(away)
    limit = if tests == [], do: 0, else: away.(hd(tests)) + @behind
    {near, far} = tests |> Enum.take(@near) |> Enum.split_while(&(away.(&1) <= limit))
    far = far ++ Enum.drop(tests, @near)

    Enum.map(
      near,
      &if(hit = hit_of.(&1), do: hit |> Map.merge(&1) |> Map.put(:lines, []) |> hit(), else: symbol(&1))
    ) ++
      for {file, tests} <-
            far |> Enum.group_by(& &1.file) |> Enum.sort_by(fn {file, tests} -> {away.(hd(tests)), file} end) do
        count = length(tests)
        said = if count == 1, do: "1 test", else: "#{count} tests"
        %{place: file, symbol: said, tests: count, depth: known(away.(hd(tests)))}
      end
  end

  defp known(depth), do: if(depth < @unknown, do: depth)

  # Tests are told as by themselves: else they hide the functions that are farther away.
  defp impact(hits) do
    {tests, others} = Enum.split_with(hits, &(&1.kind == "test"))
    Enum.map(others, &hit/1) ++ tested(tests, tests, [], nil)
  end

  # Of an impact all is told unless a depth is asked for.
  defp within(hits, nil), do: hits
  defp within(hits, depth), do: Enum.filter(hits, &(&1.depth <= depth))

  # In the project and, where they are asked for, in the sources of dependencies. Outlines of what is installed call nothing.
  defp in_each(workspace, as, ask) do
    own = if workspace.index, do: [{nil, workspace.index}], else: []

    (own ++ sources(workspace))
    |> Enum.map(fn {package, index} -> {package, ask.(index)} end)
    |> Enum.split_with(&match?({_, {:ok, _}}, &1))
    |> case do
      {[], [{_, error} | _]} when own != [] -> error
      {found, _} -> {:ok, {as, for({package, {:ok, hits}} <- found, hit <- hits, do: of(hit, package))}}
    end
  end

  defp of(hit, nil), do: hit
  defp of(hit, package), do: Map.put(hit, :package, package)

  defp sources(%{packages: nil}), do: []

  defp sources(%{packages: packages}) do
    for {package, index} <- packages.entries, package.source in [:hex, :git, :path], do: {package, index}
  end

  defp steps(%{symbols: [first | rest], links: links}),
    do: [symbol(first) | Enum.zip_with(rest, links, &step/2)]

  # Where the one before comes to it; where that is not known, where it is defined.
  defp step(symbol, link) do
    place =
      cond do
        symbol.file == nil -> "outside"
        link.file == nil -> "#{symbol.file}:#{symbol.line}"
        true -> "#{link.file}:#{Enum.at(link.lines, 0, symbol.line)}"
      end

    %{
      place: shown(symbol[:package], place),
      symbol: symbol.symbol,
      how: link.how,
      rests: Results.rests(link),
      why: link.why
    }
  end

  defp hit(hit) do
    # What is tied to something by being defined stands where it is defined.
    own? = hit.lines == [] or {hit.lines_in, hd(hit.lines)} == {hit.file, hit.line}
    place = if own?, do: "#{hit.file}:#{hit.line}", else: "#{hit.lines_in}:#{hd(hit.lines)}"

    %{
      place: shown(hit[:package], place),
      begins: if(own?, do: begins(hit)),
      symbol: hit.symbol,
      depth: hit.depth,
      via: hit.via,
      how: hit.how,
      rests: Results.rests(hit),
      why: hit.why
    }
  end

  defp use_of(use) do
    %{
      place: shown(use[:package], "#{use.file}:#{use.line}"),
      symbol: use.symbol,
      how: use.how,
      via: use.to,
      rests: Results.rests(use),
      why: use.why
    }
  end

  defp symbol(symbol),
    do: %{
      place: "#{symbol.file}:#{symbol.line}",
      begins: begins(symbol),
      symbol: symbol.symbol
    }

  # The head of a type or of a callback is an attribute itself; the texts of packages are not at hand.
  defp begins(%{kind: kind} = symbol)
       when kind in ["function", "macro", "test"] and not is_map_key(symbol, :package),
       do: {symbol.file, symbol.line}

  defp begins(_symbol), do: nil

  defp shown(nil, place), do: place
  defp shown(package, place), do: "#{Packages.shown(package)}/#{place}"
end
