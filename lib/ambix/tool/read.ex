defmodule Ambix.Tool.Read do
  alias Ambix.{Options, Workspace}

  @options [
             targets: [
               type: {:list, :string},
               required: true,
               doc: "Mod.fun/2, Mod, path or path:10-40"
             ],
             detail: [
               type: {:in, [:outline, :signatures, :whole]}
             ],
             with: [type: {:list, {:in, [:callers, :needs]}}]
           ] ++ Options.take(Options.of(Workspace, :open), deps: [default: nil, doc: nil])

  @moduledoc """
  The tool that reads code by the name of what it defines, or by its place.

  Of a function of a package the first paragraph of its documentation is told, unless `detail` is `whole`.

  Texts come from the index, so nothing is read that is not in it: no file outside of the root or of a dependency, whatever links lead there.

  ## Options
  #{Options.docs(@options)}
  """

  @behaviour Ambix.Tool

  alias Ambix.{Error, Graph, JSON, Tool}
  alias Ambix.Tool.{Budget, Host, Outline, Results}
  alias Ambix.Tool.Read.Target

  @most_targets 20
  # What is shorter is read as a whole unless something else is asked for.
  @short 60
  @most_ties 12
  # So many lines of documentation are a paragraph, and so few more are not worth a fold.
  @most_doc 6
  @few 3
  # Nobody writes lines that are longer than this; a program does.
  @line_bytes 1_000

  # Named as `Ambix.Tool.Search` says.
  @impl Tool
  def tool do
    %Tool{
      name: "read",
      title: "Read code",
      description:
        "Reads the functions you name, with callers and needs, or the outline of a module: fewer tokens than opening files. " <>
          "To edit a short file, open it.",
      input: @options,
      output: Results.schema(["place", "text"])
    }
  end

  @impl Tool
  def run(args, call) do
    with :ok <- fitting(args[:targets]),
         {:ok, workspace, more} <- Host.workspace(call.host, args[:deps] == true),
         {:ok, parts} <- args |> parts(workspace, call.host) |> Host.excused(call.host, more) do
      {:ok, answer(parts, Host.status(call.host, more), call)}
    end
  end

  defp fitting([]),
    do: invalid("targets is empty; give symbols such as Mod.fun/2, or paths such as lib/a.ex:10-40")

  defp fitting(targets) do
    cond do
      length(targets) > @most_targets ->
        invalid("more than #{@most_targets} targets; give fewer at once")

      Enum.any?(targets, &(byte_size(&1) > 1_000)) ->
        invalid("a target is longer than 1000 bytes; give a symbol or a path")

      true ->
        :ok
    end
  end

  defp invalid(sentence), do: {:error, Error.new(:invalid_argument, sentence)}

  # What cannot be found is told beside what can, and is an error where nothing can.
  defp parts(args, workspace, host) do
    found = for target <- args[:targets], do: {target, Target.find(target, workspace, host)}

    case for({_, {:ok, _}} = one <- found, do: one) do
      [] ->
        {_, error} = hd(found)
        error

      _ ->
        {:ok,
         Enum.flat_map(found, fn
           {_, {:ok, places}} ->
             Enum.map(places, &part(&1, args, workspace))

           {target, {:error, error}} ->
             [
               %{
                 place: target,
                 symbol: nil,
                 lines: [{nil, error.message}],
                 before: [],
                 file: nil,
                 detail: :whole
               }
             ]
         end)}
    end
  end

  defp part(place, args, workspace) do
    detail = detail(args[:detail], place)
    heads = if detail == :whole, do: [], else: heads(place, detail)

    # A text without heads, such as configuration, has no outline.
    lines = if heads == [], do: place |> source() |> folded(args[:detail], place), else: heads
    detail = if heads == [], do: :whole, else: detail
    Map.merge(place, %{lines: lines, detail: detail, before: ties(place, args[:with] || [], workspace)})
  end

  defp detail(nil, %{kind: kind} = place) when kind in [:module, :file],
    do: if(place.last - place.first < @short, do: :whole, else: :outline)

  defp detail(nil, _place), do: :whole
  defp detail(detail, _place), do: detail

  defp source(place) do
    place.text
    |> String.split("\n")
    |> Enum.slice((place.first - 1)..(place.last - 1)//1)
    |> Enum.with_index(place.first)
    |> Enum.map(fn {text, line} -> {line, text} end)
  end

  # Who asks what a function of a package does wants its first paragraph and its code; the rest of its documentation is often longer.
  defp folded(lines, nil, %{kind: :definition, index: _}) do
    with at when at != nil <- Enum.find_index(lines, fn {_, text} -> text =~ opens_doc() end),
         {before, [{_, opening} = opens | behind]} = Enum.split(lines, at),
         delimiter = String.slice(String.trim_trailing(opening), -3, 3),
         size when size != nil <- Enum.find_index(behind, fn {_, text} -> String.trim(text) == delimiter end),
         {doc, code} = Enum.split(behind, size),
         {first, [{line, _} | _] = rest} <- Enum.split(doc, paragraph(doc)),
         true <- length(rest) > @few do
      indent = opening |> String.split("@") |> hd()
      before ++ [opens | first] ++ [{line, "#{indent}… #{length(rest)} more lines by detail: whole"} | code]
    else
      _ -> lines
    end
  end

  defp folded(lines, _detail, _place), do: lines

  defp paragraph(doc),
    do: min(Enum.find_index(doc, fn {_, text} -> String.trim(text) == "" end) || @most_doc, @most_doc)

  defp heads(place, detail) do
    for head <- Outline.of(place.text, place.file),
        head.line in place.first..place.last,
        detail == :signatures or head.kind != :type,
        detail == :outline or not head.private or place.kind == :definition,
        line <- head(head, detail) do
      {head.line, line}
    end
  end

  defp head(head, :signatures) when head.doc != nil,
    do: ["#{head.line}: #{head.text}  # #{head.doc}"]

  defp head(head, _detail), do: ["#{head.line}: #{head.text}"]

  defp ties(%{symbol: symbol} = place, ways, workspace) when symbol != nil do
    for way <- ways,
        {:ok, hits} <- [tied(way, place[:index] || workspace.index, symbol)],
        line <- ["#{way}:" <> if(hits == [], do: " none", else: "") | listed(way, hits)],
        do: line
  end

  defp ties(_place, _ways, _workspace), do: []

  defp listed(way, hits) do
    rest = length(hits) - @most_ties
    shown = for hit <- Enum.take(hits, @most_ties), do: "  #{tie(way, hit)}"
    if rest > 0, do: shown ++ ["  and #{rest} more, by relations"], else: shown
  end

  defp tied(:callers, index, symbol), do: Graph.callers(index, symbol)
  defp tied(:needs, index, symbol), do: Graph.callees(index, symbol)

  defp tie(:callers, hit), do: "#{hit.lines_in}:#{hd(hit.lines)}  #{hit.symbol}#{doubt(hit)}"
  defp tie(:needs, hit), do: "#{hit.file}:#{hit.line}  #{hit.symbol}#{doubt(hit)}"

  defp doubt(hit), do: if(hit.certain, do: "", else: "  (guess: #{hit.why})")

  # Parts are filled line by line. What is left is named as targets for the next call.
  defp answer(parts, status, call) do
    frame = [status: status]
    room = Results.room(call, frame)
    {entries, left, _} = Enum.reduce(parts, {[], [], room}, &fill/2)
    entries = Enum.reverse(entries)
    left = Enum.reverse(left)

    next = fn shown ->
      # What did not fit after all comes before what was left out.
      dropped = for {data, _} <- Enum.drop(entries, shown), do: {data["place"], :whole}
      if dropped != [] or left != [], do: further(dropped ++ left)
    end

    Results.answer(entries, call, [next: next] ++ frame)
  end

  # The sentence has a share of the answer that does not grow with the targets.
  defp further([{_, detail} | _] = left) do
    {few, _} =
      Enum.reduce_while(left, {[], 30}, fn {target, _}, {few, room} ->
        room = room - Budget.count(target) - 2
        if room < 0 and few != [], do: {:halt, {few, room}}, else: {:cont, {[target | few], room}}
      end)

    more = length(left) - length(few)
    behind = if more > 0, do: ", then the #{more} targets behind", else: ""
    "targets: #{few |> Enum.reverse() |> JSON.encode!()}, detail: #{detail}#{behind}"
  end

  # Who calls it comes before the text: a text that is cut goes on in the next answer, and they would be lost.
  defp fill(part, {entries, left, room}) do
    room = room - Results.cost(entry(part, []))
    {ties, after_ties} = if room > 0 and left == [], do: fitting_ties(part.before, room), else: {[], room}

    {shown, more, rest} =
      if left == [], do: take(part.lines, [], after_ties, entries == []), else: {[], part.lines, room}

    cond do
      shown == [] and part.lines != [] ->
        {entries, [rest(part, part.lines) | left], room}

      more == [] ->
        {[entry(part, ties ++ Enum.map(shown, &elem(&1, 1))) | entries], left, rest}

      true ->
        {last, _} = List.last(shown)
        cut = if last, do: %{part | place: "#{part.file}:#{part.first}-#{last}"}, else: part
        {[entry(cut, ties ++ Enum.map(shown, &elem(&1, 1))) | entries], [rest(part, more) | left], rest}
    end
  end

  defp take([], shown, room, _first?), do: {Enum.reverse(shown), [], room}

  defp take([{line, text} | more] = all, shown, room, first?) do
    text = short(text)
    left = room - cost(text)

    cond do
      left >= 0 -> take(more, [{line, text} | shown], left, first?)
      # A line that no answer would hold is cut, so that the next call gets behind it.
      first? and shown == [] and room > 20 -> {[{line, Budget.cut(text, div(room, 2) - 4) <> " …"}], more, 0}
      true -> {Enum.reverse(shown), all, room}
    end
  end

  defp short(text) when byte_size(text) <= @line_bytes, do: text
  defp short(text), do: Budget.cut(String.slice(text, 0, @line_bytes), 400) <> " … (#{byte_size(text)} bytes)"

  # A line of text, and what escapes add in JSON.
  defp cost(text), do: max(Budget.count(text), text |> JSON.encode!() |> Budget.count()) + 1

  # A third of the room is theirs.
  defp fitting_ties(ties, room) do
    share = div(room, 3)
    {shown, more, left} = ties |> Enum.map(&{nil, &1}) |> take([], share, false)
    cut = if more == [], do: [], else: ["  and #{length(more)} lines more, by relations"]
    {Enum.map(shown, &elem(&1, 1)) ++ cut, room - share + left - 12 * length(cut)}
  end

  defp rest(%{file: nil} = part, _lines), do: {part.place, :whole}
  defp rest(part, [{line, _} | _]) when line != nil, do: {"#{part.file}:#{line}-#{part.last}", part.detail}
  defp rest(part, _lines), do: {part.place, part.detail}

  defp entry(part, lines) do
    text = Enum.join(lines, "\n")
    data = %{"place" => part.place, "text" => text}
    data = if part.symbol, do: Map.put(data, "symbol", part.symbol), else: data

    {data,
     [[part.place, part.symbol] |> Enum.reject(&is_nil/1) |> Enum.join("  ") | lines] |> Enum.join("\n")}
  end

  # Regular expressions cannot be kept in attributes from OTP 28 on.
  defp opens_doc,
    do: ~r/\A\s*@doc\s+(?:~[sS])?(?:"""|\'\'\')\s*\z/
end
