defmodule Ambix.Graph.Change do
  @moduledoc false
  # What changed since a commit, as git tells it: which lines of which files.

  alias Ambix.{Error, Files, Git}

  # Whatever the user's configuration says, the output has the one form that is read here.
  @diff ~w(diff --unified=0 --inter-hunk-context=0 --no-color --no-ext-diff --no-textconv --find-renames
           --ignore-submodules=all --src-prefix=a/ --dst-prefix=b/ --relative)

  # Of a file that is new all lines count, however many it has.
  @last_line 0xFFFFFFFE

  @type t :: %{
          lines: [{Path.t(), pos_integer, pos_integer}],
          changed: [Path.t()],
          deleted: [Path.t()],
          taken: [{Path.t(), :function | :module, String.t()}]
        }

  # Git has read a large repository long before.
  @limits [ms: 60_000, bytes: 256 * 1024 * 1024]

  @doc """
  What is different below `root` from the commit `ref`. Paths are relative to `root` and sorted. `taken` are the names of modules and
  functions of Elixir of which a head is gone or is another one, each with its file. `limits`: `ms` and `bytes` of git.
  """
  @spec since(Path.t(), String.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def since(root, ref, limits \\ []) do
    limits = Keyword.merge(@limits, limits)

    with {:ok, program} <- program(),
         {:ok, place} <- locate(program, root, limits),
         {:ok, commit} <- commit(program, root, ref) do
      Git.view(place, fn ask ->
        with {:ok, patch} <- run(root, ask, @diff ++ [commit, "--", "."], limits),
             {:ok, untracked} <- run(root, ask, ~w(ls-files --others --exclude-standard -z), limits) do
          {:ok, change(parse(patch), String.split(untracked, <<0>>, trim: true))}
        end
      end)
    end
  end

  defp change({lines, changed, deleted, taken}, untracked) do
    new = Enum.map(untracked, &Files.name/1)
    lines = for {path, first, last} <- lines, do: {Files.name(path), first, last}

    %{
      lines: Enum.sort(lines ++ Enum.map(new, &{&1, 1, @last_line})),
      changed: Enum.sort(Enum.map(changed, &Files.name/1) ++ new),
      deleted: Enum.sort(Enum.map(deleted, &Files.name/1)),
      taken: for({path, kind, name} <- taken, do: {Files.name(path), kind, name})
    }
  end

  defp program do
    case Git.program() do
      nil ->
        {:error, Error.new(:unavailable, "git is not on the PATH; install it to ask what a change touches")}

      program ->
        {:ok, program}
    end
  end

  defp locate(program, root, limits) do
    case Git.locate(program, root, Keyword.take(limits, [:ms])) do
      {:ok, place} ->
        {:ok, place}

      {:failed, said} ->
        if said =~ "dubious ownership" or said =~ "in time",
          do: {:error, refused(root, said)},
          else: {:error, Error.new(:project, "#{root} is not in the working tree of a git repository")}
    end
  end

  defp commit(program, root, ref) do
    with :none <- Git.commit(program, root, ref) do
      message = "the git repository of #{root} has no commit #{inspect(ref)}; name one, such as HEAD or main"
      {:error, Error.new(:not_found, message)}
    end
  end

  defp run(root, ask, args, limits) do
    case ask.(args, limits) do
      {:ok, output} -> {:ok, output}
      {:failed, said} -> {:error, refused(root, said)}
      {:cut, _} -> {:error, refused(root, "it took too long, or said too much")}
    end
  end

  defp refused(root, said) do
    line = said |> String.split("\n", trim: true) |> List.first("it gave no reason")
    Error.new(:project, "git refuses to compare the files of #{root}: #{line}")
  end

  @doc """
  The lines of the new side, the files that changed, those that are gone, and the names whose heads are taken, of a patch without context.

  A hunk that only takes lines away touches the line before and the line after.
  """
  @spec parse(binary) ::
          {[{Path.t(), pos_integer, pos_integer}], [Path.t()], [Path.t()],
           [{Path.t(), :function | :module, String.t()}]}
  def parse(patch) do
    patch
    |> String.split("\n")
    |> Enum.reduce(
      %{old: nil, path: nil, left: {0, 0}, lines: [], changed: [], deleted: [], heads: %{}},
      &line/2
    )
    |> then(&{Enum.reverse(&1.lines), Enum.reverse(&1.changed), Enum.reverse(&1.deleted), taken(&1.heads)})
  end

  # What stands once more in the new text is there still, elsewhere in its file.
  defp taken(heads),
    do:
      for({{path, kind, name, _}, count} <- heads, count < 0, uniq: true, do: {path, kind, name})
      |> Enum.sort()

  # The text of a hunk may look like anything, so its lines are counted.
  defp line("-" <> text, %{left: {old, new}} = state) when old > 0,
    do: counted(text, -1, %{state | left: {old - 1, new}})

  defp line("+" <> text, %{left: {old, new}} = state) when new > 0,
    do: counted(text, 1, %{state | left: {old, new - 1}})

  defp line("diff --git " <> _, state), do: %{state | old: nil, path: nil}
  defp line("--- " <> path, state), do: %{state | old: path(path, "a/")}

  defp line("+++ " <> path, state) do
    case path(path, "b/") do
      nil when state.old != nil -> %{state | path: nil, deleted: [state.old | state.deleted]}
      nil -> %{state | path: nil}
      path -> %{state | path: path, changed: [path | state.changed]}
    end
  end

  defp line("@@ -" <> ranges, state) do
    case Regex.run(~r/^\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/, ranges) do
      [_, old, first | new] ->
        {old, first, count} = {number(old), String.to_integer(first), number(List.first(new) || "")}
        %{state | left: {old, count}, lines: touched(state, first, count)}

      nil ->
        state
    end
  end

  defp line(_other, state), do: state

  defp counted(text, by, state) do
    path = state.path || state.old

    with true <- path != nil and Path.extname(path) in [".ex", ".exs"],
         [_ | head] <- Regex.run(head_of_definition(), text) do
      %{state | heads: Map.update(state.heads, head(path, head), by, &(&1 + by))}
    else
      _ -> state
    end
  end

  # A function of another arity is another one; a body on the same line does not count.
  defp head(path, [name, rest]),
    do: {path, :function, name, rest |> String.split([" do", ",do:", ", do:", " when "], parts: 2) |> hd()}

  defp head(path, ["", "", name]), do: {path, :module, name, ""}

  defp touched(%{path: nil, lines: lines}, _first, _count), do: lines
  defp touched(%{path: path, lines: lines}, first, 0), do: [{path, max(first, 1), first + 1} | lines]
  defp touched(%{path: path, lines: lines}, first, count), do: [{path, first, first + count - 1} | lines]

  defp number(""), do: 1
  defp number(digits), do: String.to_integer(digits)

  # A name with a space has a tab behind it, one with a character that could be misread is quoted as in C.
  defp path(text, prefix) do
    path =
      case text do
        "\"" <> quoted -> unquoted(quoted, "")
        plain -> String.trim_trailing(plain, "\t")
      end

    if String.starts_with?(path, prefix),
      do: binary_part(path, byte_size(prefix), byte_size(path) - byte_size(prefix))
  end

  @escapes %{?a => 7, ?b => 8, ?t => 9, ?n => 10, ?v => 11, ?f => 12, ?r => 13}

  defp unquoted(<<?\\, a, b, c, rest::binary>>, done) when a in ?0..?3 and b in ?0..?7 and c in ?0..?7,
    do: unquoted(rest, <<done::binary, (a - ?0) * 64 + (b - ?0) * 8 + (c - ?0)>>)

  defp unquoted(<<?\\, char, rest::binary>>, done),
    do: unquoted(rest, <<done::binary, Map.get(@escapes, char, char)>>)

  defp unquoted(<<?", _::binary>>, done), do: done
  defp unquoted(<<char, rest::binary>>, done), do: unquoted(rest, <<done::binary, char>>)
  defp unquoted("", done), do: done

  # Regular expressions cannot be kept in attributes from OTP 28 on.
  defp head_of_definition,
    do:
      ~r/\A\s*def(?:(?:p|macro|macrop|delegate|guard|guardp)?\s+([a-z_]\w*[?!]?)(.*)|(?:module|protocol)\s+([A-Z][\w.]*))/
end
