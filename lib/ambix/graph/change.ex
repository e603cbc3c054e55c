defmodule Ambix.Graph.Change do
  @moduledoc false
  # What changed since a commit, as git tells it: which lines of which files.

  alias Ambix.{Error, Git}

  # Whatever the user's configuration says, the output has the one form that is read here.
  @diff ~w(diff --unified=0 --inter-hunk-context=0 --no-color --no-ext-diff --no-textconv --find-renames
           --ignore-submodules=all --src-prefix=a/ --dst-prefix=b/ --relative)

  # Of a file that is new all lines count, however many it has.
  @last_line 0xFFFFFFFE

  @type t :: %{
          lines: [{Path.t(), pos_integer, pos_integer}],
          changed: [Path.t()],
          deleted: [Path.t()]
        }

  @doc "What is different below `root` from the commit `ref`. Paths are relative to `root` and sorted."
  @spec since(Path.t(), String.t()) :: {:ok, t} | {:error, Error.t()}
  def since(root, ref) do
    with {:ok, git} <- program(),
         :ok <- repository(git, root),
         {:ok, commit} <- commit(git, root, ref),
         {:ok, patch} <- run(git, root, @diff ++ [commit, "--", "."]),
         {:ok, untracked} <- run(git, root, ~w(ls-files --others --exclude-standard -z)) do
      {lines, changed, deleted} = parse(patch)
      new = for path <- String.split(untracked, <<0>>, trim: true), String.valid?(path), do: path

      {:ok,
       %{
         lines: Enum.sort(lines ++ Enum.map(new, &{&1, 1, @last_line})),
         changed: Enum.sort(changed ++ new),
         deleted: Enum.sort(deleted)
       }}
    end
  end

  defp program do
    case Git.program() do
      nil ->
        {:error, Error.new(:unavailable, "git is not on the PATH; install it to ask what a change touches")}

      git ->
        {:ok, git}
    end
  end

  defp repository(git, root) do
    case Git.run(git, root, ~w(rev-parse --is-inside-work-tree), true) do
      {"true\n", 0} ->
        :ok

      {said, _} ->
        if said =~ "dubious ownership",
          do: {:error, refused(root, said)},
          else: {:error, Error.new(:project, "#{root} is not in the working tree of a git repository")}
    end
  end

  # A name that begins with a dash would be an option.
  defp commit(git, root, ref) do
    with false <- String.starts_with?(ref, "-") or ref =~ <<0>>,
         {commit, 0} <- Git.run(git, root, ["rev-parse", "--verify", "--quiet", ref <> "^{commit}"], true) do
      {:ok, String.trim(commit)}
    else
      _ ->
        {:error,
         Error.new(
           :not_found,
           "the git repository of #{root} has no commit #{inspect(ref)}; name one, such as HEAD or main"
         )}
    end
  end

  defp run(git, root, args) do
    case Git.run(git, root, args, false) do
      {output, 0} ->
        {:ok, output}

      {_, status} ->
        # Once more, for what it says.
        {said, _} = Git.run(git, root, args, true)
        {:error, refused(root, if(said == "", do: "it ended with #{status}", else: said))}
    end
  end

  defp refused(root, said) do
    line = said |> String.split("\n", trim: true) |> List.first()
    Error.new(:project, "git refuses to compare the files of #{root}: #{line}")
  end

  @doc """
  The lines of the new side, the files that changed and those that are gone, of a patch without context.

  A hunk that only takes lines away touches the line before and the line after.
  """
  @spec parse(binary) :: {[{Path.t(), pos_integer, pos_integer}], [Path.t()], [Path.t()]}
  def parse(patch) do
    patch
    |> String.split("\n")
    |> Enum.reduce(%{old: nil, path: nil, left: {0, 0}, lines: [], changed: [], deleted: []}, &line/2)
    |> then(&{Enum.reverse(&1.lines), Enum.reverse(&1.changed), Enum.reverse(&1.deleted)})
  end

  # The text of a hunk may look like anything, so its lines are counted.
  defp line("-" <> _, %{left: {old, new}} = state) when old > 0, do: %{state | left: {old - 1, new}}
  defp line("+" <> _, %{left: {old, new}} = state) when new > 0, do: %{state | left: {old, new - 1}}
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

    if String.starts_with?(path, prefix) and String.valid?(path),
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
end
