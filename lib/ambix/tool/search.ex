defmodule Ambix.Tool.Search do
  alias Ambix.{Index, Options, Workspace}

  @kinds [:words, :meaning, :name, :regex, :pattern]

  @options [
             query: [
               type: :string,
               required: true,
               doc: "words, error, name, regex or pattern: Repo.get!(_, _)"
             ],
             kind: [type: {:in, @kinds}, doc: "guessed if absent"]
           ] ++
             Options.take(Options.of(Index, :grep), paths: [default: nil, doc: "globs"]) ++
             Options.take(Options.of(Workspace, :open), deps: [default: nil, doc: "search dependencies too"]) ++
             Options.take(Options.of(Index, :search),
               limit: [type: {:integer, 1..99}, default: nil, doc: nil]
             ) ++
             [skip: [type: {:integer, 0..9_999}]]

  # Those of `Ambix.Index.search/3` and `Ambix.Index.grep/3` that a model is not told of.
  @of_places [:near, :kinds, :modules, :languages]
  @of_lines [:kinds, :languages, :fixed, :case, :word, :multiline, :context, :per_file, :count]

  @further [
             kind: [type: {:in, [:both | @kinds]}, doc: "guessed if absent; `:both`: words and meaning"],
             limit: [type: :pos_integer, arg: "N", doc: "how many places at the most"]
           ] ++
             Options.take(Options.of(Index, :search), @of_places) ++
             Options.take(Options.of(Index, :grep), @of_lines -- @of_places)

  @moduledoc """
  The tool that finds places: by words, meaning, a name, a regular expression or a form of code.

  ## Options
  #{Options.docs(@options)}

  ## Further options of `Ambix.Tool.find/3`
  #{Options.docs(@further)}
  """

  @behaviour Ambix.Tool

  alias Ambix.{Error, Packages, Tool}
  alias Ambix.Tool.{Host, Outline, Paths, Pattern, Query, Results}

  # A question may be a stack trace or a diff; a larger one is a mistake.
  @most_bytes 16_384
  # What parsing may take of the time of one question.
  @parse_ms 5_000
  @cut "by pattern, in as many files as could be read in time; give paths"
  # The lines that have a name of the pattern, at the most.
  @lines 20_000
  # Of so many definitions of a name those are taken that paths name.
  @most_named 1_000
  # Who leafs through more places than that is not looking for the best ones.
  @most_ranked 500

  @impl Tool
  def tool do
    %Tool{
      name: "search",
      title: "Search code",
      description:
        "Finds code by behaviour, part of a name or shape: better than grep unless you know a literal string. " <>
          "Lines of path:line, symbol, code.",
      input: @options,
      further: @further,
      output: Results.schema(["place"])
    }
  end

  @impl Tool
  def run(args, call) do
    with :ok <- fitting(args),
         :ok <- short(args),
         {:ok, workspace, more} <- Host.workspace(call.host, args[:deps] == true) do
      if workspace, do: told(workspace, more, args, call), else: {:ok, building(args, call)}
    end
  end

  # What is found depends on the `kind` that it has: places and names have `results`, as `Ambix.Index.search/3` and `lookup/3` give them,
  # the others `lines`, as `Ambix.Index.grep/3` gives them. What lies in a package has a `package`.
  @impl Tool
  def find(options, call) do
    kind = options[:kind] || Query.guess(options[:query])

    with :ok <- fitting(options),
         {:ok, workspace} <- Host.ready(call.host, options[:deps] == true),
         do: find(kind, options[:kind] == nil, workspace, options, options[:limit] || limit(kind))
  end

  # White space is something to look for by a regular expression alone.
  defp fitting(args) do
    if args[:query] == "" or (args[:kind] != :regex and String.trim(args[:query]) == ""),
      do: invalid("the query is empty; say what to look for"),
      else: :ok
  end

  # The library has limits of its own for who knows what they ask.
  defp short(args) do
    if byte_size(args[:query]) > @most_bytes,
      do: invalid("the query is longer than #{@most_bytes} bytes; shorten it"),
      else: :ok
  end

  defp invalid(sentence), do: {:error, Error.new(:invalid_argument, sentence)}

  defp building(args, call) do
    parts = [
      status: Host.status(call.host, %{}),
      head: "nothing yet",
      data: %{"query" => args[:query] |> shown()}
    ]

    Results.answer([], call, parts)
  end

  defp shown(query), do: Paths.shown(query)

  defp told(workspace, more, args, call) do
    kind = args[:kind] || Query.guess(args[:query])
    skip = args[:skip] || 0
    limit = args[:limit] || limit(kind)
    # One more than is shown tells whether there is more.
    wanted = skip + limit + 1

    with {:ok, found} <- find(kind, args[:kind] == nil, workspace, args, wanted) do
      places = places(found)
      shown = places |> Enum.drop(skip) |> Enum.take(limit)
      count = length(shown)
      more? = length(places) > skip + count
      said = said(found.kind)

      parts = [
        status: Host.status(call.host, more),
        head: if(found[:cut], do: @cut, else: head(said, places, shown)),
        data: %{"kind" => said},
        next: fn fit -> if fit < count or more?, do: "the same with skip: #{skip + fit}" end
      ]

      {:ok, shown |> Enum.map(&entry/1) |> Results.answer(call, parts)}
    end
  end

  # Who wants all lines that hold something wants more of them than of what is ranked.
  defp limit(kind), do: if(kind in [:regex, :pattern], do: 20, else: 10)

  defp said(:both), do: "words and meaning"
  defp said(kind), do: Atom.to_string(kind)

  defp head(said, [], _shown), do: "nothing found (by #{said}); try other words, or kind: words"
  defp head(said, _found, []), do: "no more (by #{said})"
  defp head(said, _found, _shown), do: "by #{said}:"

  defp entry(found) do
    data = for {key, value} <- found, value not in [nil, ""], into: %{}, do: {Atom.to_string(key), value}
    why = if found[:why], do: "(#{found.why})"

    {data,
     [found.place, found[:symbol], found[:text], why] |> Enum.reject(&(&1 in [nil, ""])) |> Enum.join("  ")}
  end

  # A name that nothing has may be that of a key, or have been words.
  defp find(:name, guessed?, workspace, args, wanted) do
    query = String.trim(args[:query])
    limit = if paths(args) == [], do: wanted, else: @most_named

    with {:ok, found} <- Workspace.lookup(workspace, query, [limit: limit] ++ Keyword.take(args, [:kinds])) do
      case found.results |> Enum.filter(&Paths.named?(&1.file, paths(args))) |> meant(query) do
        [] when guessed? -> literally(workspace, args, wanted, fn _lines -> true end)
        named -> {:ok, Map.merge(found, %{kind: :name, results: Enum.take(named, wanted)})}
      end
    end
  end

  defp find(:regex, _guessed?, workspace, args, wanted) do
    with {:ok, found} <- grep(workspace, args[:query], args, wanted), do: {:ok, Map.put(found, :kind, :regex)}
  end

  defp find(:pattern, _guessed?, workspace, args, wanted) do
    until = System.monotonic_time(:millisecond) + @parse_ms

    with {:ok, pattern} <- Pattern.compile(args[:query]),
         {:ok, lines} <- shaped(workspace, pattern, args, wanted, until),
         do: {:ok, %{kind: :pattern, lines: lines, cut: over?(until)}}
  end

  # Three words or more that stand in a text of the code are a message, not a question, and one with hyphens is a key.
  defp find(:both, true, workspace, args, wanted) do
    cond do
      args[:query] =~ ~r/\A\S+(?:[ ]\S+){2,}\z/ ->
        message? = fn lines -> Enum.any?(lines, &quoted?(&1.text, args[:query])) end
        literally(workspace, args, wanted, message?)

      args[:query] =~ ~r/\A\w+(?:-\w+)+\z/ ->
        literally(workspace, args, wanted, fn _lines -> true end)

      true ->
        find(:both, false, workspace, args, wanted)
    end
  end

  defp find(kind, _guessed?, workspace, args, wanted) do
    if workspace.packages && paths(args) != [] do
      invalid(
        "words and meaning are looked for in all of the dependencies (deps); leave out paths, or give kind: regex"
      )
    else
      limit = if args[:skip], do: min(wanted, @most_ranked), else: wanted
      options = [limit: limit] ++ Keyword.take(args, @of_places)
      options = if paths(args) == [], do: options, else: [paths: paths(args)] ++ options

      with {:ok, found} <- Workspace.search(%{workspace | mode: mode(kind)}, args[:query], options),
           do: {:ok, Map.put(found, :kind, kind)}
    end
  end

  defp paths(args), do: args[:paths] || []

  defp literally(workspace, args, wanted, meant?) do
    case grep(workspace, args[:query], Keyword.put(args, :fixed, true), wanted) do
      {:ok, %{lines: [_ | _] = lines} = found} ->
        if meant?.(lines),
          do: {:ok, Map.put(found, :kind, :literal)},
          else: find(:both, false, workspace, args, wanted)

      _ ->
        find(:both, false, workspace, args, wanted)
    end
  end

  defp quoted?(line, query) do
    case String.split(line, query, parts: 2) do
      # Behind an odd number of quotes a text is open.
      [before, _] -> before |> String.split("\"") |> length() |> rem(2) == 0
      _ -> false
    end
  end

  # Who gives an arity means what has it, if anything has.
  defp meant(named, query) do
    exact = if query =~ ~r/\/\d+\z/, do: Enum.filter(named, &(&1.fit == "exact")), else: []
    if exact == [], do: named, else: exact
  end

  defp mode(:words), do: :lexical
  defp mode(:meaning), do: :semantic
  defp mode(:both), do: :hybrid

  # The project, and what it depends on where that is asked for.
  defp sources(workspace) do
    packages = if workspace.packages, do: workspace.packages.entries, else: []
    [{nil, workspace.index} | packages]
  end

  defp grep(workspace, pattern, args, wanted) do
    options = [paths: paths(args)] ++ Keyword.take(args, @of_lines)

    workspace
    |> sources()
    |> Enum.reduce_while({:ok, nil}, fn {package, index}, {:ok, found} ->
      case wanted - length(if(found, do: found.lines, else: [])) do
        0 ->
          {:halt, {:ok, %{found | truncated: true}}}

        left ->
          with {:ok, more} <- Index.grep(index, pattern, [limit: left] ++ options),
               do: {:cont, {:ok, merged(found, of(more, package))}},
               else: (error -> {:halt, error})
      end
    end)
  end

  defp of(found, nil), do: found

  defp of(found, package) do
    own = fn places -> for place <- places, do: Map.put(place, :package, package) end
    %{found | lines: own.(found.lines), counts: own.(found.counts)}
  end

  defp merged(nil, more), do: more

  defp merged(found, more) do
    %{
      found
      | lines: found.lines ++ more.lines,
        counts: found.counts ++ more.counts,
        truncated: found.truncated or more.truncated,
        searched: found.searched + more.searched
    }
  end

  # Only files that have the longest name of the pattern are parsed.
  defp shaped(workspace, pattern, args, wanted, until) do
    options = [fixed: true, limit: @lines, languages: [:elixir], paths: paths(args)]

    workspace
    |> sources()
    |> Enum.reduce_while({:ok, []}, fn {package, index}, {:ok, found} ->
      with left when left > 0 <- wanted - length(found),
           {:ok, %{lines: lines}} <- Index.grep(index, pattern.word || " ", options) do
        symbols = Map.new(lines, &{{&1.file, &1.line}, &1.symbol})

        more =
          lines
          |> Stream.map(& &1.file)
          |> Stream.dedup()
          |> Stream.take_while(fn _ -> not over?(until) end)
          |> Stream.flat_map(&shaped_in(index, package, pattern, &1, symbols))
          |> Enum.take(left)

        {:cont, {:ok, found ++ more}}
      else
        0 -> {:halt, {:ok, found}}
        error -> {:halt, error}
      end
    end)
  end

  defp over?(until), do: System.monotonic_time(:millisecond) >= until

  defp shaped_in(index, package, pattern, file, symbols) do
    with {:ok, text} <- Index.text(index, file) do
      lines = String.split(text, "\n")

      for line <- Pattern.lines(pattern, text) do
        %{
          package: package,
          file: file,
          line: line,
          symbol: symbols[{file, line}],
          text: Enum.at(lines, line - 1, "")
        }
      end
    else
      _ -> []
    end
  end

  defp places(%{kind: :name, results: named}), do: Enum.map(named, &named/1)
  defp places(%{lines: lines}), do: Enum.map(lines, &line/1)
  defp places(%{results: ranked}), do: Enum.map(ranked, &ranked/1)

  defp line(line),
    do: %{
      place: place(line[:package], line.file, line.line),
      symbol: line.symbol,
      text: Results.line(line.text)
    }

  defp named(named) do
    %{
      place: place(named[:package], named.file, named.line),
      symbol: named.symbol,
      text: named.signature && Results.line(named.signature),
      why: if(named.fit == "exact", do: named.kind, else: "#{named.kind}, #{named.fit}")
    }
  end

  defp ranked(result) do
    {line, text} = Outline.first(result.text, result.line_start, result.file)

    %{
      place: place(result[:package], result.file, line),
      symbol: result.symbol,
      text: Results.line(text),
      why: why(result.features)
    }
  end

  # The two that add most.
  defp why(features) do
    features
    |> Enum.filter(&(&1.adds > 0.2))
    |> Enum.sort_by(&(-&1.adds))
    |> Enum.take(2)
    |> Enum.map_join(", ", & &1.name)
    |> then(&if(&1 == "", do: nil, else: &1))
  end

  defp place(nil, file, line), do: "#{file}:#{line}"
  defp place(package, file, line), do: "#{Packages.shown(package)}/#{file}:#{line}"
end
