# How often a reading of Elixir says wrongly that a text is Elixir, or is not, as Elixir's own parser judges.
#
#   cargo build --locked --release -p ambix-benches --no-default-features --bin judge
#   elixir scripts/judge.exs [--each N] [--sample N] [--judge PROGRAM] FOLDER ...
#
# Takes each file of the folders as it is, and N times (1) in each of many broken ways: a token of some kind left out or
# written twice, at a place that a fixed seed chooses. Takes the code in documentation, too: in Markdown between fences, and
# in doc strings what is indented, prompts of `iex` left out. With `--sample`, takes N files, which a fixed seed chooses.
#
# Prints what was judged wrongly, and how often. Ends with status 1 if that is more than one in a thousand of either the
# valid or the invalid texts. `PROGRAM` is target/release/judge if no other is named; it reads each text as an index does.
#
# Sigils of several letters and names whose parts are of several scripts are Elixir since 1.15: what an older parser rejects
# because of one is not counted.

defmodule Judge do
  @tokens [
    ~r/\bend\b/,
    ~r/\bdo\b/,
    ~r/[()]/,
    ~r/[\[\]]/,
    ~r/[{}]/,
    ~r/"""/,
    ~r/"/,
    ~r/'/,
    ~r/~[a-zA-Z]/,
    ~r/,/,
    ~r/->/,
    ~r/\bfn\b/,
    ~r/<<|>>/,
    ~r/\belse\b|\brescue\b|\bafter\b/,
    ~r/\#\{/,
    ~r/[a-z]: /,
    ~r/=|\|>|<>|\+\+/,
    ~r/%/,
    ~r/\./
  ]
  @longest 60_000
  @seed 1
  @old_parser Version.match?(System.version(), "< 1.15.0")

  def run(folders, options) do
    files = sample(Enum.flat_map(folders, &files/1), options[:sample])
    if files == [], do: raise("no files to judge")
    shows_progress = match?({:ok, _}, :io.columns())

    counts =
      files
      |> Task.async_stream(&judge(&1, options), ordered: false, timeout: :infinity)
      |> Stream.with_index(1)
      |> Enum.reduce(%{}, fn {{:ok, {counts, wrong}}, done}, all ->
        Enum.each(wrong, &IO.puts/1)
        if shows_progress, do: IO.write("\r#{done} of #{length(files)} files\r")
        Map.merge(all, counts, fn _, a, b -> a + b end)
      end)

    results =
      for {truth, name} <- [ok: "valid", error: "invalid"] do
        {right, wrong} = {Map.get(counts, {truth, true}, 0), Map.get(counts, {truth, false}, 0)}
        IO.puts("#{name}: #{right + wrong}, judged wrongly: #{wrong}")
        wrong * 1000 <= right + wrong
      end

    unknown = for {{:unknown, _}, count} <- counts, do: count
    IO.puts("not counted: #{Enum.sum(unknown)}")
    unless Enum.all?(results), do: exit({:shutdown, 1})
  end

  # Each with its name below the folder.
  defp files(folder) do
    for file <- folder |> Path.join("**/*.{ex,exs,md,livemd}") |> Path.wildcard() |> Enum.sort(),
        File.regular?(file),
        do: {file, Path.relative_to(file, folder)}
  end

  defp sample(files, nil), do: files

  defp sample(files, count) do
    :rand.seed(:exsss, @seed)
    Enum.take_random(files, count)
  end

  defp snippets(file, each) do
    text = File.read!(file)

    if Path.extname(file) in [".md", ".livemd"] do
      for text <- fenced(text), String.valid?(text), do: {"#{file} between fences", text}
    else
      snippets_of_code(file, text, each)
    end
  end

  defp fenced(text) do
    for [_, code] <- Regex.scan(~r/^```elixir\s*\n(.*?)^```/ms, text), do: code
  end

  defp documented(text) do
    for [_, margin, doc] <- Regex.scan(~r/@(?:module|type)?doc (?:~S)?"""\n( *)(.*?)"""/s, text),
        Regex.match?(~r/^ *$/, margin),
        part <- doc |> unindented(margin) |> String.split(~r/\n(?=\S)/),
        code = indented(part),
        code != "",
        do: code
  end

  defp unindented(doc, margin) do
    String.replace(doc, ~r/^#{margin}/m, "")
  end

  # The lines that Markdown takes as code, as Elixir would be given them.
  defp indented(part) do
    lines = for "    " <> line <- String.split(part, "\n"), do: line
    prompt = ~r/^(?:iex|\.\.\.)(?:\(\d+\))?> ?/

    if Enum.any?(lines, &(&1 =~ prompt)) do
      for(line <- lines, line =~ prompt, do: Regex.replace(prompt, line, "")) |> Enum.join("\n")
    else
      Enum.join(lines, "\n")
    end
  end

  defp snippets_of_code(file, text, each) do
    broken =
      for token <- @tokens,
          times <- [0, 2],
          _ <- 1..each,
          byte_size(text) < @longest,
          do: break(text, token, times)

    documented =
      for code <- documented(text), do: {"in documentation #{inspect(String.slice(code, 0, 60))}", code}

    for {what, text} <- [{"as it is", text} | documented ++ List.flatten(broken)],
        String.valid?(text),
        do: {"#{file} #{what}", text}
  end

  defp break(text, token, times) do
    case Regex.scan(token, text, return: :index) do
      [] ->
        []

      places ->
        [{at, length} | _] = Enum.random(places)
        <<before::binary-size(at), word::binary-size(length), rest::binary>> = text
        space = if word =~ ~r/^\w/, do: " ", else: ""
        line = length(:binary.matches(before, "\n")) + 1

        {"with #{inspect(word)} of line #{line} #{times} times",
         before <> List.to_string(List.duplicate(word <> space, times)) <> rest}
    end
  end

  # How many of the snippets of a file were judged how, and what to say of those that were judged wrongly.
  defp judge({file, name}, options) do
    # The same snippets, whatever other files there are.
    :rand.seed(:exsss, {@seed, :erlang.phash2(name), 0})
    program = Port.open({:spawn_executable, options[:judge]}, [:binary, :exit_status, packet: 4])

    judged =
      for {what, text} <- snippets(file, options[:each]) do
        # A template in a sigil is read, too, which the parser takes as text: this makes it text for both.
        text = Regex.replace(~r/~[EHL](?=[^\w\s])/, text, "~X")
        {truth, fault} = {truth(text), fault(program, text)}
        judgement = if fault == "", do: :ok, else: :error
        {truth, judgement == truth, "#{truth}: #{what}: #{fault}"}
      end

    Port.close(program)
    counts = Enum.frequencies_by(judged, fn {truth, right, _} -> {truth, right} end)
    {counts, for({truth, false, line} <- judged, truth != :unknown, do: line)}
  end

  defp fault(program, text) do
    Port.command(program, text)

    receive do
      {^program, {:data, fault}} -> fault
      {^program, {:exit_status, status}} -> raise "the judge ended with status #{status}"
    end
  end

  # Names stay text: the parser would make atoms of them for good.
  defp truth(text) do
    options = [emit_warnings: false, warnings: false, static_atoms_encoder: fn name, _ -> {:ok, name} end]

    case Code.string_to_quoted(text, options) do
      {:ok, _} ->
        :ok

      {:error, {_, message, _}} ->
        is_newer = @old_parser and inspect(message) =~ ~r/invalid (sigil delimiter|mixed-script)/
        if is_newer, do: :unknown, else: :error
    end
  rescue
    _ -> :error
  end
end

{options, folders} =
  OptionParser.parse!(System.argv(), strict: [each: :integer, sample: :integer, judge: :string])

judge = Path.expand("../target/release/judge", __DIR__)
Judge.run(folders, Keyword.merge([each: 1, judge: judge], options))
