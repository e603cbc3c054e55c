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

  @moduledoc """
  The tool that says what depends on what: callers, callees, uses, implementations, ways from one symbol to another, what a change
  touches, and the tests that reach it.

  Each tie says what it rests on: `compiler`, `source`, or `guess`, with what the guess rests on.

  ## Options
  #{Options.docs(@options)}
  """

  @behaviour Ambix.Tool

  alias Ambix.{Error, Index, Packages, Tool}
  alias Ambix.Tool.{Host, Outline, Paths, Results}

  @most_bytes 1_000
  @paths 3
  # What is longer is not said on two lines that follow one another.
  @long 20
  # So many tests at the most are told one by one, those that are so many steps at the most behind the nearest; of the rest the files.
  @near 20
  @behind 2
  # In so many lines behind its first attribute the head of a definition is looked for.
  @most_lines 400
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
      output: Results.schema(["place", "symbol"])
    }
  end

  @impl Tool
  def run(args, call) do
    with :ok <- fitting(args),
         {:ok, workspace, more} <- Host.workspace(call.host, args[:deps] == true) do
      if workspace, do: related(workspace, more, args, call), else: {:ok, building(call)}
    end
  end

  defp fitting(args) do
    relation = args[:relation]

    cond do
      Enum.any?([:of, :to, :since], &(byte_size(args[&1] || "") > @most_bytes)) ->
        invalid("a name is longer than #{@most_bytes} bytes; give a symbol, a path or a commit")

      args[:of] in [nil, ""] and relation not in [:impact, :tests] ->
        invalid("#{relation} needs of: a symbol such as Mod.fun/2")

      relation == :path and args[:to] in [nil, ""] ->
        invalid("path needs to: the symbol at which it ends")

      args[:since] != nil and (args[:of] != nil or relation not in [:impact, :tests]) ->
        invalid("since is for impact and tests of a git diff; leave out of, or since")

      args[:deps] == true and relation in [:path, :impact, :tests] ->
        invalid("#{relation} is of the project alone; leave out deps")

      true ->
        :ok
    end
  end

  defp invalid(sentence), do: {:error, Error.new(:invalid_argument, sentence)}

  defp building(call), do: Results.answer([], call, status: Host.status(call.host, %{}), head: "nothing yet")

  defp related(workspace, more, args, call) do
    skip = args[:skip] || 0

    with {:ok, found} <-
           args[:relation] |> find(workspace, args, call.host) |> Host.excused(call.host, more) do
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

  defp find(relation, workspace, args, _host) when relation in [:callers, :callees] do
    depth = args[:depth] || 1
    ask = if relation == :callers, do: &Graph.callers/3, else: &Graph.callees/3

    with {:error, %{kind: :not_found} = error} <-
           in_each(workspace, &ask.(&1, args[:of], depth: depth), &hit/2),
         do: outside(relation, workspace, args[:of], error)
  end

  defp find(:references, workspace, args, _host) do
    with {:error, %{kind: :not_found} = error} <-
           in_each(workspace, &Graph.references(&1, args[:of]), &use_of/2),
         do: outside(:callers, workspace, args[:of], error)
  end

  defp find(:implementations, workspace, args, _host) do
    with {:ok, []} <- in_each(workspace, &Graph.implementations(&1, args[:of]), &hit/2),
         [_, module, function] <- Regex.run(~r/\A([\w.]+)\.([a-z_]\w*[?!]?(?:\/\d{1,3})?)\z/, args[:of]) do
      in_each(workspace, &callback(&1, module, function), &hit/2)
    else
      nil -> {:ok, []}
      found -> found
    end
  end

  defp find(:path, workspace, args, _host) do
    with {:ok, paths} <- Graph.paths(workspace.index, args[:of], args[:to], limit: @paths) do
      {:ok, for({path, nth} <- Enum.with_index(paths, 1), step <- steps(path), do: Map.put(step, :way, nth))}
    end
  end

  defp find(relation, workspace, args, host) do
    case args[:of] do
      none when none in [nil, ""] ->
        with {:ok, change} <- Graph.diff(workspace.index, args[:since] || "HEAD"),
             do: {:ok, touched(relation, change, args[:depth])}

      of ->
        with {:ok, of} <- file(of, workspace, host),
             {:ok, hits} <- Graph.impact(workspace.index, of) do
          if relation == :impact,
            do: {:ok, hits |> within(args[:depth]) |> impact()},
            else: tests(workspace.index, of, hits, args[:depth])
        end
    end
  end

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

  defp tests(index, of, hits, depth),
    do: with({:ok, tests} <- Graph.tests(index, of), do: {:ok, tested(tests, hits, [], depth)})

  # The nearest first: those that changed themselves, then by the steps to them; of what a setup reaches these are not known.
  defp tested(tests, hits, changed, depth) do
    hits = Map.new(hits, &{&1.symbol, &1})
    changed = MapSet.new(changed, & &1.symbol)
    away = &if(&1.symbol in changed, do: 0, else: Map.get(hits, &1.symbol, %{depth: @unknown}).depth)

    tests = tests |> Enum.filter(&(depth == nil or away.(&1) <= depth)) |> Enum.sort_by(away)
    limit = if tests == [], do: 0, else: away.(hd(tests)) + @behind
    {near, far} = tests |> Enum.take(@near) |> Enum.split_while(&(away.(&1) <= limit))
    far = far ++ Enum.drop(tests, @near)

    Enum.map(near, &if(hit = hits[&1.symbol], do: hit(%{hit | lines: []}, nil), else: symbol(&1))) ++
      for {file, tests} <- far |> Enum.group_by(& &1.file) |> Enum.sort_by(&(elem(&1, 1) |> hd() |> away.())) do
        count = length(tests)
        said = if count == 1, do: "1 test", else: "#{count} tests"
        %{place: file, symbol: said, tests: count, depth: known(away.(hd(tests)))}
      end
  end

  defp known(depth), do: if(depth < @unknown, do: depth)

  defp touched(:tests, change, depth), do: tested(change.tests, change.hits, change.touched, depth)

  defp touched(:impact, change, depth) do
    deleted = for path <- change.deleted, do: %{place: path, symbol: path, how: "deleted"}
    touched = for symbol <- change.touched, do: Map.put(symbol(symbol), :how, "changed")
    deleted ++ touched ++ (change.hits |> within(depth) |> impact())
  end

  # Tests are told as by themselves: else they hide the functions that are farther away.
  defp impact(hits) do
    {tests, others} = Enum.split_with(hits, &(&1.kind == "test"))
    Enum.map(others, &hit(&1, nil)) ++ tested(tests, tests, [], nil)
  end

  # Of an impact all is told unless a depth is asked for.
  defp within(hits, nil), do: hits
  defp within(hits, depth), do: Enum.filter(hits, &(&1.depth <= depth))

  # In the project and, where they are asked for, in the sources of dependencies. Outlines of what is installed call nothing.
  defp in_each(workspace, ask, show) do
    packages = if workspace.packages, do: workspace.packages.entries, else: []
    sources = for {package, index} <- packages, package.source in [:hex, :git, :path], do: {package, index}

    [{nil, workspace.index} | sources]
    |> Enum.map(fn {package, index} -> {package, ask.(index)} end)
    |> Enum.split_with(&match?({_, {:ok, _}}, &1))
    |> case do
      {[], [{_, error} | _]} -> error
      {found, _} -> {:ok, for({package, {:ok, hits}} <- found, hit <- hits, do: show.(hit, package))}
    end
  end

  # Of a function of a dependency the graph of the project knows the calls, but no definition.
  defp outside(:callers, workspace, name, error) do
    with [_, module, function | arity] <-
           Regex.run(~r/\A:?([\w.]+)[.:]([a-z_]\w*[?!]?)(?:\/(\d{1,3}))?\z/, name),
         {:ok, edges} <- Graph.edges(workspace.index),
         [_ | _] = callers <- called(edges, module, function, arity) do
      {:ok, Enum.flat_map(callers, &caller(&1, workspace.index, name))}
    else
      _ -> {:error, error}
    end
  end

  defp outside(_relation, _workspace, _name, error), do: {:error, error}

  defp called(edges, module, function, arity) do
    for {from, caller, its_arity, ^module, ^function, callee_arity} <- edges,
        arity in [[], [Integer.to_string(callee_arity)]],
        uniq: true,
        do: if(caller, do: "#{from}.#{caller}/#{its_arity}", else: from)
  end

  defp caller(symbol, index, name) do
    with {:ok, [found | _]} <- Graph.definition(index, symbol),
         do: [Map.merge(symbol(found), %{how: "call", via: name, rests: "source"})],
         else: (_ -> [])
  end

  defp steps(%{symbols: [first | rest], links: links}),
    do: [symbol(first) | Enum.zip_with(rest, links, &step/2)]

  defp step(symbol, link) do
    place = "#{link.file}:#{Enum.at(link.lines, 0, symbol.line)}"
    %{place: place, symbol: symbol.symbol, how: link.how, rests: Results.rests(link), why: link.why}
  end

  defp hit(hit, package) do
    # What is tied to something by being defined stands where it is defined.
    own? = hit.lines == [] or {hit.lines_in, hd(hit.lines)} == {hit.file, hit.line}
    place = if own?, do: "#{hit.file}:#{hit.line}", else: "#{hit.lines_in}:#{hd(hit.lines)}"

    %{
      place: shown(package, place),
      begins: if(own? and package == nil, do: begins(hit)),
      symbol: hit.symbol,
      depth: hit.depth,
      via: hit.via,
      how: hit.how,
      rests: Results.rests(hit),
      why: hit.why
    }
  end

  defp use_of(use, package) do
    %{
      place: shown(package, "#{use.file}:#{use.line}"),
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

  # The head of a type or of a callback is an attribute itself.
  defp begins(%{kind: kind} = symbol) when kind in ["function", "macro", "test"],
    do: {symbol.file, symbol.line}

  defp begins(_symbol), do: nil

  defp shown(nil, place), do: place
  defp shown(package, place), do: "#{Packages.shown(package)}/#{place}"
end
