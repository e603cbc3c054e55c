defmodule Ambix.Tool.Change do
  @moduledoc false
  # A change that is not on the disk: the texts of files by their paths, or a diff in the unified format. Whoever calls a tool made
  # it, so a path leads nowhere outside of the project, and what it costs to apply a diff is bounded.

  alias Ambix.{Error, Files}

  # What a person would not write.
  @most_files 500
  @most_bytes 4 * 1024 * 1024
  # A hunk may have moved by so many lines.
  @drift 500

  @typedoc "The texts of the files that differ. A file that is gone has an empty one, which compiles to nothing."
  @type texts :: %{Path.t() => String.t()}

  @doc "The option by which tools take a change."
  @spec option() :: keyword
  def option do
    [type: {:or, [:string, {:map, :string}]}, doc: "unsaved edits: unified diff, or texts by path"]
  end

  @doc "The texts that a change gives to files of the project in `root`."
  @spec texts(Path.t(), nil | String.t() | texts) :: {:ok, texts} | {:error, Error.t()}
  def texts(_root, nil), do: {:ok, %{}}

  def texts(root, change) do
    with :ok <- bounded(change), do: changed(root, change)
  end

  @doc "The lines of the project's files that differ, as `{path, first, last}`. Of a new file there are none."
  @spec lines(Path.t(), texts) :: [{Path.t(), pos_integer, pos_integer}]
  def lines(root, texts) do
    for {path, text} <- texts, {:ok, before} <- [original(root, path)], before != text do
      {old, new} = {split(before), split(text)}
      first = common(old, new)

      last =
        length(old) -
          common(old |> Enum.drop(first) |> Enum.reverse(), new |> Enum.drop(first) |> Enum.reverse())

      # What is only added touches the lines on both sides of it.
      if last > first, do: {path, first + 1, last}, else: {path, max(first, 1), first + 1}
    end
  end

  @doc "The text of a file of the project. Nothing is read through a link."
  @spec original(Path.t(), Path.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def original(root, path) do
    with {:ok, path} <- inside(root, path),
         :ok <- unlinked(root, Path.split(path)),
         do: Files.read(Path.join(root, path))
  end

  defp bounded(texts) when is_map(texts) do
    bytes = Enum.reduce(texts, 0, fn {path, text}, sum -> sum + byte_size(path) + byte_size(text) end)
    if map_size(texts) <= @most_files and bytes <= @most_bytes, do: :ok, else: too_much()
  end

  defp bounded(diff), do: if(byte_size(diff) <= @most_bytes, do: :ok, else: too_much())

  defp too_much do
    refuse(
      "the change is too large: at most #{@most_files} files and #{div(@most_bytes, 1_048_576)} MiB are taken"
    )
  end

  defp changed(root, texts) when is_map(texts) do
    reduce(Map.to_list(texts), %{}, fn {path, text}, done ->
      with {:ok, path} <- inside(root, path), do: {:ok, Map.put(done, path, text)}
    end)
  end

  defp changed(root, diff) do
    with {:ok, files} <- parse(split(diff), []) do
      if files == [],
        do: refuse("the change is no unified diff: it has no lines --- and +++"),
        else: reduce(files, %{}, &apply_file(root, &1, &2))
    end
  end

  defp reduce(items, first, fun) do
    Enum.reduce_while(items, {:ok, first}, fn item, {:ok, done} ->
      case fun.(item, done) do
        {:ok, done} -> {:cont, {:ok, done}}
        error -> {:halt, error}
      end
    end)
  end

  # Agents name files by their absolute paths.
  defp inside(root, path) do
    below = String.replace_prefix(path, String.trim_trailing(root, "/") <> "/", "")
    parts = below |> Path.split() |> Enum.reject(&(&1 == "."))

    if parts != [] and not String.contains?(below, <<0>>) and Path.type(below) == :relative and
         ".." not in parts and ".git" not in parts,
       do: {:ok, Path.join(parts)},
       else:
         refuse(
           "a change is of files inside of the project, got the path #{inspect(path, printable_limit: 60)}"
         )
  end

  defp unlinked(root, parts) do
    parts
    |> Enum.scan(&Path.join(&2, &1))
    |> Enum.find(&match?({:ok, %{type: :symlink}}, File.lstat(Path.join(root, &1))))
    |> case do
      nil -> :ok
      link -> refuse("#{link} is a link, and a change follows none")
    end
  end

  ## Diffs

  # Files as `%{old, new, hunks}`, the last one first.
  defp parse([], files),
    do: {:ok, files |> Enum.reverse() |> Enum.map(&%{&1 | hunks: Enum.reverse(&1.hunks)})}

  defp parse(["--- " <> old, "+++ " <> new | rest], files) do
    {old, new} = paths(name(old), name(new))
    parse(rest, [%{old: old, new: new, hunks: []} | files])
  end

  defp parse(["@@ -" <> _ = title | rest], [file | files]) do
    case Regex.run(~r/^@@ -(\d{1,8})(?:,(\d{1,8}))? \+\d{1,8}(?:,(\d{1,8}))? @@/, title) do
      [_, first | counts] ->
        [old, new] = Enum.map([Enum.at(counts, 0), Enum.at(counts, 1)], &count/1)

        with {:ok, lines, rest} <- hunk(rest, old, new, []) do
          hunk = %{first: String.to_integer(first), lines: lines, title: hd(Regex.run(~r/^@@.*?@@/, title))}
          parse(rest, [%{file | hunks: [hunk | file.hunks]} | files])
        end

      nil ->
        refuse("a hunk of the diff begins with #{inspect(title, printable_limit: 60)}")
    end
  end

  defp parse(["rename " <> _ | _], _files),
    do: refuse("a diff that renames files is not understood: give the texts by path")

  defp parse([line | _], _files) when line in ["GIT binary patch\n"],
    do: refuse("a diff of binary files is not understood")

  defp parse([_other | rest], files), do: parse(rest, files)

  defp count(digits) when digits in [nil, ""], do: 1
  defp count(digits), do: String.to_integer(digits)

  defp name(text),
    do: text |> String.trim_trailing("\n") |> String.trim_trailing("\r") |> String.split("\t") |> hd()

  # The prefixes are git's habit, not part of the format.
  defp paths("/dev/null", new), do: {nil, String.replace_prefix(new, "b/", "")}
  defp paths(old, "/dev/null"), do: {String.replace_prefix(old, "a/", ""), nil}
  defp paths("a/" <> old, "b/" <> new), do: {old, new}
  defp paths(old, new), do: {old, new}

  # Lines may look like anything, so they are counted.
  defp hunk(["\\" <> _ | rest], old, new, [{sign, text} | lines]),
    do: hunk(rest, old, new, [{sign, String.trim_trailing(text, "\n")} | lines])

  defp hunk(rest, 0, 0, lines), do: {:ok, Enum.reverse(lines), rest}
  defp hunk([" " <> text | rest], old, new, lines), do: hunk(rest, old - 1, new - 1, [{:keep, text} | lines])
  defp hunk(["-" <> text | rest], old, new, lines), do: hunk(rest, old - 1, new, [{:drop, text} | lines])
  defp hunk(["+" <> text | rest], old, new, lines), do: hunk(rest, old, new - 1, [{:add, text} | lines])
  # Editors take the blank of an empty line away.
  defp hunk(["\n" | rest], old, new, lines), do: hunk(rest, old - 1, new - 1, [{:keep, "\n"} | lines])
  defp hunk(_rest, _old, _new, _lines), do: refuse("a hunk of the diff has other lines than its title counts")

  defp apply_file(root, %{old: old, new: new, hunks: hunks}, done) do
    with {:ok, old} <- maybe_inside(root, old),
         {:ok, new} <- maybe_inside(root, new),
         {:ok, before} <- before(root, old, done),
         {:ok, text} <- apply_hunks(hunks, before, old || new) do
      gone = if old in [nil, new], do: done, else: Map.put(done, old, "")
      {:ok, if(new, do: Map.put(gone, new, text), else: gone)}
    end
  end

  defp maybe_inside(_root, nil), do: {:ok, nil}
  defp maybe_inside(root, path), do: inside(root, path)

  defp before(_root, nil, _done), do: {:ok, ""}

  defp before(root, path, done) do
    case done do
      %{^path => text} -> {:ok, text}
      _ -> original(root, path)
    end
  end

  defp apply_hunks(hunks, before, path) do
    lines = before |> split() |> List.to_tuple()

    hunks
    |> reduce({[], 0}, fn hunk, {text, at} ->
      wanted = for {sign, line} <- hunk.lines, sign != :add, do: line
      # A hunk without old lines comes behind the line that it names.
      place = if wanted == [], do: hunk.first, else: hunk.first - 1

      case found(lines, wanted, place, at) do
        nil -> refuse("the hunk #{hunk.title} of #{path} does not fit the file")
        place -> {:ok, {[added(hunk, lines, place), slice(lines, at, place) | text], place + length(wanted)}}
      end
    end)
    |> case do
      {:ok, {text, at}} ->
        {:ok, [slice(lines, at, tuple_size(lines)) | text] |> Enum.reverse() |> IO.iodata_to_binary()}

      error ->
        error
    end
  end

  # Kept lines are the file's own: only the end of the last one may differ.
  defp added(hunk, lines, place) do
    {text, _} =
      Enum.flat_map_reduce(hunk.lines, place, fn
        {:keep, _}, at -> {[elem(lines, at)], at + 1}
        {:drop, _}, at -> {[], at + 1}
        {:add, line}, at -> {[line], at}
      end)

    text
  end

  defp slice(lines, from, to), do: for(at <- from..(to - 1)//1, do: elem(lines, at))

  # The nearest place, not before what is done already.
  defp found(lines, wanted, place, least) do
    0..@drift
    |> Stream.flat_map(fn
      0 -> [place]
      by -> [place - by, place + by]
    end)
    |> Enum.find(&(&1 >= least and fits?(lines, wanted, &1)))
  end

  defp fits?(lines, [], at), do: at <= tuple_size(lines)

  defp fits?(lines, [line | rest], at) do
    at < tuple_size(lines) and same?(elem(lines, at), line) and (rest == [] or fits?(lines, rest, at + 1))
  end

  defp same?(line, line), do: true
  defp same?(one, other), do: String.trim_trailing(one, "\n") == String.trim_trailing(other, "\n")

  # With their ends, as the last one may have none.
  defp split(text), do: Regex.split(~r/(?<=\n)/, text, trim: true)

  defp common(old, new), do: old |> Enum.zip(new) |> Enum.take_while(fn {a, b} -> a == b end) |> length()

  defp refuse(sentence), do: {:error, Error.new(:invalid_argument, sentence)}
end
