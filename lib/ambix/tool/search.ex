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

  @moduledoc """
  The tool that finds places: by words, meaning, a name, a regular expression or a form of code.

  ## Options
  #{Options.docs(@options)}
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

  @impl Tool
  def tool do
    %Tool{
      name: "search",
      title: "Search code",
      description:
        "Finds code by behaviour, part of a name or shape: better than grep unless you know a literal string. " <>
          "Lines of path:line, symbol, code.",
      input: @options,
      output: Results.schema(["place"])
    }
  end

  @impl Tool
  def run(args, call) do
    with :ok <- fitting(args),
         {:ok, workspace, more} <- Host.workspace(call.host, args[:deps] == true) do
      if workspace, do: search(workspace, more, args, call), else: {:ok, building(args, call)}
    end
  end

  defp fitting(args) do
    cond do
      String.trim(args[:query]) == "" ->
        invalid("the query is empty; say what to look for")

      byte_size(args[:query]) > @most_bytes ->
        invalid("the query is longer than #{@most_bytes} bytes; shorten it")

      true ->
        :ok
    end
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

  defp search(workspace, more, args, call) do
    kind = args[:kind] || Query.guess(args[:query])
    skip = args[:skip] || 0
    limit = args[:limit] || limit(kind)
    # One more than is shown tells whether there is more.
    wanted = skip + limit + 1

    with {:ok, kind, found} <- find(kind, args[:kind] == nil, workspace, args, wanted) do
      shown = found |> Enum.drop(skip) |> Enum.take(limit)
      count = length(shown)
      more? = length(found) > skip + count
      said = said(kind)

      parts = [
        status: Host.status(call.host, more),
        head: if(kind == :cut_pattern, do: @cut, else: head(said, found, shown)),
        data: %{"kind" => said},
        next: fn fit -> if fit < count or more?, do: "the same with skip: #{skip + fit}" end
      ]

      {:ok, shown |> Enum.map(&entry/1) |> Results.answer(call, parts)}
    end
  end

  # Who wants all lines that hold something wants more of them than of what is ranked.
  defp limit(kind), do: if(kind in [:regex, :pattern], do: 20, else: 10)

  defp said(:both), do: "words and meaning"
  defp said(:cut_pattern), do: "pattern"
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
    limit = if args[:paths], do: 1_000, else: wanted

    query = String.trim(args[:query])

    with {:ok, %{results: named}} <- Workspace.lookup(workspace, query, limit: limit) do
      case named |> Enum.filter(&Paths.named?(&1.file, args[:paths] || [])) |> meant(query) do
        [] when guessed? -> literally(workspace, args, wanted, fn _lines -> true end)
        found -> {:ok, :name, Enum.map(found, &named/1)}
      end
    end
  end

  defp find(:regex, _guessed?, workspace, args, wanted) do
    with {:ok, lines} <- in_each(workspace, wanted, &grep(&1, &2, args[:query], args, wanted)),
         do: {:ok, :regex, lines}
  end

  defp find(:pattern, _guessed?, workspace, args, wanted) do
    until = System.monotonic_time(:millisecond) + @parse_ms

    with {:ok, pattern} <- Pattern.compile(args[:query]),
         {:ok, found} <- in_each(workspace, wanted, &shaped(&1, &2, pattern, args, wanted, until)),
         do: {:ok, if(over?(until), do: :cut_pattern, else: :pattern), found}
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
    workspace = %{workspace | mode: mode(kind)}

    if workspace.packages && args[:paths] do
      invalid(
        "words and meaning are looked for in all of the dependencies (deps); leave out paths, or give kind: regex"
      )
    else
      opts = [limit: min(wanted, 500)] ++ if(args[:paths], do: [paths: args[:paths]], else: [])

      with {:ok, %{results: results}} <- Workspace.search(workspace, args[:query], opts),
           do: {:ok, kind, Enum.map(results, &ranked/1)}
    end
  end

  defp literally(workspace, args, wanted, meant?) do
    literal = Regex.escape(args[:query])

    case in_each(workspace, wanted, &grep(&1, &2, literal, args, wanted)) do
      {:ok, [_ | _] = lines} ->
        if meant?.(lines), do: {:ok, :literal, lines}, else: find(:both, false, workspace, args, wanted)

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

  defp in_each(workspace, wanted, find) do
    packages = if workspace.packages, do: workspace.packages.entries, else: []

    Enum.reduce_while([{nil, workspace.index} | packages], {:ok, []}, fn {package, index}, {:ok, found} ->
      case find.(index, package) do
        {:ok, more} when length(found) + length(more) >= wanted -> {:halt, {:ok, found ++ more}}
        {:ok, more} -> {:cont, {:ok, found ++ more}}
        error -> {:halt, error}
      end
    end)
  end

  defp grep(index, package, pattern, args, wanted) do
    with {:ok, %{lines: lines}} <- Index.grep(index, pattern, limit: wanted, paths: args[:paths] || []) do
      {:ok,
       for line <- lines do
         %{place: place(package, line.file, line.line), symbol: line.symbol, text: Results.line(line.text)}
       end}
    end
  end

  # Only files that have the longest name of the pattern are parsed.
  defp shaped(index, package, pattern, args, wanted, until) do
    options = [fixed: true, limit: @lines, languages: [:elixir], paths: args[:paths] || []]

    with {:ok, %{lines: lines}} <- Index.grep(index, pattern.word || " ", options) do
      symbols = Map.new(lines, &{{&1.file, &1.line}, &1.symbol})

      {:ok,
       lines
       |> Stream.map(& &1.file)
       |> Stream.dedup()
       |> Stream.take_while(fn _ -> not over?(until) end)
       |> Stream.flat_map(&shaped_in(index, package, pattern, &1, symbols))
       |> Enum.take(wanted)}
    end
  end

  defp over?(until), do: System.monotonic_time(:millisecond) >= until

  defp shaped_in(index, package, pattern, file, symbols) do
    with {:ok, text} <- Index.text(index, file) do
      lines = String.split(text, "\n")

      for line <- Pattern.lines(pattern, text) do
        text = lines |> Enum.at(line - 1, "") |> Results.line()
        %{place: place(package, file, line), symbol: symbols[{file, line}], text: text}
      end
    else
      _ -> []
    end
  end

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
