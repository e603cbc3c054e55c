# How often a reading of Elixir says wrongly that a text is Elixir, or is not, as Elixir's own parser judges.
#
#   mix run scripts/judge.exs [--each N] FOLDER ...
#
# Takes each file of the folders as it is, and N times (1) in each of many broken ways: a token of some kind left out or
# written twice, at a place that a fixed seed chooses. Takes the code in documentation, too: in Markdown between fences, and
# in doc strings what is indented, prompts of `iex` left out. Prints what was judged wrongly, and how often.
#
# A sigil of several letters is Elixir since 1.15; what an older parser says of one is not counted.

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
  @batch 1000
  @longest 60_000

  def run(folders, each) do
    :rand.seed(:exsss, {1, 2, 3})

    files =
      for folder <- folders,
          file <- Path.wildcard(folder <> "/**/*.{ex,exs,md,livemd}"),
          File.regular?(file),
          do: file

    counts =
      files
      |> Enum.sort()
      |> Stream.flat_map(&snippets(&1, each))
      |> Stream.chunk_every(@batch)
      |> Enum.reduce(%{}, fn batch, counts -> Map.merge(counts, judge(batch), fn _, a, b -> a + b end) end)

    for {truth, name} <- [ok: "valid", error: "invalid"] do
      {right, wrong} = {Map.get(counts, {truth, true}, 0), Map.get(counts, {truth, false}, 0)}
      IO.puts("#{name}: #{right + wrong}, judged wrongly: #{wrong}")
    end
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
        line = before |> String.split("\n") |> length()

        {"with #{inspect(word)} of line #{line} #{times} times",
         before <> List.to_string(List.duplicate(word <> space, times)) <> rest}
    end
  end

  defp judge(batch) do
    folder = Path.join(System.tmp_dir!(), "judge-#{System.pid()}")
    File.rm_rf!(folder)
    File.mkdir_p!(folder)
    named = for {{what, text}, at} <- Enum.with_index(batch), do: {"#{at}.exs", what, text}
    for {name, _, text} <- named, do: File.write!(Path.join(folder, name), text)
    {:ok, index} = Ambix.Index.build(folder)
    {:ok, diagnostics} = Ambix.Index.diagnostics(index)
    File.rm_rf!(folder)
    # What only the compiler refuses, such as a second `else`, the parser takes.
    faults = for %{code: "syntax"} = fault <- diagnostics, into: %{}, do: {fault.file, fault.message}

    for {name, what, text} <- named, (truth = truth(text)) != :unknown, reduce: %{} do
      counts ->
        right = Map.has_key?(faults, name) == (truth == :error)
        unless right, do: IO.puts("#{truth}: #{what}: #{faults[name]}")
        Map.update(counts, {truth, right}, 1, &(&1 + 1))
    end
  end

  # Names stay text: the parser would make atoms of them for good.
  defp truth(text) do
    case Code.string_to_quoted(text, emit_warnings: false, static_atoms_encoder: fn name, _ -> {:ok, name} end) do
      {:ok, _} ->
        :ok

      {:error, {_, message, _}} ->
        if inspect(message) =~ "invalid sigil delimiter", do: :unknown, else: :error
    end
  rescue
    _ -> :error
  end
end

{options, folders} = OptionParser.parse!(System.argv(), strict: [each: :integer])
Judge.run(folders, Keyword.get(options, :each, 1))
