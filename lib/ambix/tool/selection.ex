defmodule Ambix.Tool.Selection do
  @moduledoc false
  # Which tests a caller means: all, those that a change reaches, those whose sources changed since `mix test --stale` ran, and those
  # that are named. A selection is nil for all, or the files of which all tests are meant, the places of single ones, and names.

  alias Ambix.{Error, Graph, Index, Umbrella}
  alias Ambix.Tool.{Change, Projects}

  @enforce_keys [:files, :places, :names]
  defstruct [:files, :places, :names]

  @sources "**/*.{ex,exs,erl,hrl,eex,heex,leex}"
  @folders ~w(lib test src config priv web)
  # Made by `mix test --stale`.
  @manifest "_build/test/lib/*/.mix/compile.test_stale"

  @doc "The selection that the options `:tests`, `:changed`, `:since` and `:stale` make, given the texts of a change."
  @spec of(map, keyword, Change.texts()) :: {:ok, %__MODULE__{} | nil} | {:error, Error.t()}
  def of(host, args, texts) do
    wanted = [{args[:changed], &changed(&1, args[:since], texts)}, {args[:stale], &stale/1}]
    wanted = for {true, fun} <- wanted, do: fun
    named = Enum.flat_map(args[:tests] || [], &located(&1, host.root))

    if wanted == [] and named == [] do
      {:ok, nil}
    else
      Enum.reduce_while(wanted, {:ok, named(named)}, fn fun, {:ok, selection} ->
        case fun.(host) do
          {:ok, :all} -> {:halt, {:ok, nil}}
          {:ok, more} -> {:cont, {:ok, both(selection, more)}}
          error -> {:halt, error}
        end
      end)
    end
  end

  # A path may be whole, or one in an app of the umbrella.
  defp located(word, root) do
    {path, line} =
      case Regex.run(~r/\A(.+\.exs)(:\d{1,9})\z/, word, capture: :all_but_first) do
        [path, line] -> {path, line}
        nil -> {word, ""}
      end

    path = if String.starts_with?(path, root <> "/"), do: Path.relative_to(path, root), else: path

    with true <- String.contains?(path, "/") and not String.contains?(path, <<0>>),
         false <- File.exists?(Path.join(root, path)),
         [_ | _] = apps <- Umbrella.apps(root) || [],
         [_ | _] = found <-
           for(app <- apps, File.exists?(Path.join([root, app, path])), do: Path.join(app, path)) do
      for path <- found, do: path <> line
    else
      _ -> [path <> line]
    end
  end

  @doc "Whether tests of the app may be among those that are meant."
  @spec concerns?(%__MODULE__{} | nil, Path.t()) :: boolean
  def concerns?(nil, _app), do: true
  def concerns?(%{names: [_ | _]}, _app), do: true

  def concerns?(selection, app) do
    paths = Enum.map(selection.places, &elem(&1, 0)) ++ Enum.to_list(selection.files)
    Enum.any?(paths, &(Projects.holds?(app, &1) or app == &1 or String.starts_with?(app, &1 <> "/")))
  end

  @doc "The ids of those tests of the app that are meant, or `:all`."
  @spec ids(%__MODULE__{} | nil, Path.t(), [map]) :: [String.t()] | :all
  def ids(nil, _app, _tests), do: :all

  def ids(selection, app, tests) do
    by_file = Enum.group_by(tests, &Projects.place(app, &1.file))

    chosen =
      for {file, tests} <- by_file,
          test <- if(whole?(selection, file), do: tests, else: placed(selection, file, tests)),
          do: test.id

    named = for word <- selection.names, id <- named(word, by_file, tests), do: id
    Enum.uniq(chosen ++ named)
  end

  # A word that no test's name has may be of a file's.
  defp named(word, by_file, tests) do
    case for(test <- tests, String.contains?(test.id, word), do: test.id) do
      [] ->
        with [file] <- called(word, Map.keys(by_file)), do: Enum.map(by_file[file], & &1.id), else: (_ -> [])

      ids ->
        ids
    end
  end

  @doc "Those of the files whose name has the word in it; only the one whose whole name it is, where there is one."
  @spec called(String.t(), [Path.t()]) :: [Path.t()]
  def called(word, files) do
    name = if String.contains?(word, "/"), do: & &1, else: &Path.basename/1
    found = Enum.filter(files, &String.contains?(name.(&1), word))

    case Enum.filter(
           found,
           &(Path.basename(&1) in for(ending <- ["", ".exs", "_test.exs"], do: Path.basename(word) <> ending))
         ) do
      [file] -> [file]
      _ -> Enum.sort(found)
    end
  end

  defp whole?(selection, file) do
    file in selection.files or Enum.any?(selection.files, &String.starts_with?(file, &1 <> "/"))
  end

  # A line in a test is its own, as with `mix test`. A macro may have made tests that no line leads to.
  defp placed(selection, file, tests) do
    lines = for {^file, line} <- selection.places, do: line
    firsts = tests |> Enum.map(& &1.line) |> Enum.uniq()
    wanted = for line <- lines, do: firsts |> Enum.filter(&(&1 <= line)) |> Enum.max(fn -> nil end)

    if nil in wanted,
      do: tests,
      else: Enum.filter(tests, &(&1.line in wanted))
  end

  defp named(words) do
    Enum.reduce(words, empty(), fn word, selection ->
      word = String.replace_prefix(word, "./", "")

      cond do
        place = Regex.run(~r/\A(.+\.exs):(\d{1,9})\z/, word, capture: :all_but_first) ->
          [file, line] = place
          %{selection | places: [{file, String.to_integer(line)} | selection.places]}

        String.ends_with?(word, ".exs") or (String.contains?(word, "/") and not String.contains?(word, " ")) ->
          # A name may hold a slash too, such as that of a function with its arity.
          %{
            selection
            | files: MapSet.put(selection.files, String.trim_trailing(word, "/")),
              names: names(selection, word)
          }

        true ->
          %{selection | names: names(selection, word)}
      end
    end)
  end

  defp names(selection, word) do
    if word == "" or (String.ends_with?(word, ".exs") and String.contains?(word, "/")),
      do: selection.names,
      else: [word | selection.names]
  end

  defp empty, do: %__MODULE__{files: MapSet.new(), places: [], names: []}

  defp both(one, other) do
    %{one | files: MapSet.union(one.files, other.files), places: one.places ++ other.places}
  end

  defp changed(host, since, texts) when map_size(texts) > 0 do
    with {:ok, index} <- index(host),
         {:ok, impact} <- Graph.impact_of_lines(index, Change.lines(host.root, texts)),
         {:ok, unsaved} <- if(since, do: since(index, since), else: {:ok, empty()}) do
      {:ok, impact.tests |> places() |> with_files(Map.keys(texts)) |> both(unsaved)}
    end
  end

  defp changed(host, since, _texts) do
    with {:ok, index} <- index(host), do: since(index, since || "HEAD")
  end

  defp since(index, ref) do
    with {:ok, change} <- Graph.diff(index, ref),
         do: {:ok, change.tests |> places() |> with_files(change.changed)}
  end

  # What git cannot tell: what is newer than the last run of `mix test --stale`.
  defp stale(%{root: root} = host) do
    apps =
      for app <- Umbrella.apps(root) || ["."],
          folder <- @folders,
          do: Path.join([root, app, folder, @sources])

    written = for path <- Path.wildcard(Path.join(root, @manifest), match_dot: true), do: written(path)

    new =
      for path <- Enum.flat_map(apps, &Path.wildcard/1),
          written(path) > Enum.min(written, fn -> 0 end),
          do: path

    with true <- written != [] || {:ok, :all}, {:ok, index} <- index(host) do
      new = Enum.map(new, &(&1 |> Path.relative_to(root) |> String.replace_prefix("./", "")))

      Enum.reduce_while(new, {:ok, with_files(empty(), new)}, fn path, {:ok, selection} ->
        case Graph.tests(index, path) do
          {:ok, tests} -> {:cont, {:ok, both(selection, places(tests))}}
          # A file without definitions.
          {:error, %Error{kind: :not_found}} -> {:cont, {:ok, selection}}
          error -> {:halt, error}
        end
      end)
    end
  end

  defp written(path) do
    case File.stat(path, time: :posix) do
      {:ok, %{mtime: time}} -> time
      _ -> 0
    end
  end

  defp places(tests), do: %{empty() | places: for(test <- tests, do: {test.file, test.line})}

  # Tests that are new, or of which only a helper changed, are in no graph yet.
  defp with_files(selection, paths) do
    tests = for path <- paths, String.ends_with?(path, "_test.exs"), do: path
    %{selection | files: MapSet.union(selection.files, MapSet.new(tests))}
  end

  defp index(%{index: %Index{} = index}), do: with({:ok, _} <- Index.update(index), do: {:ok, index})
  defp index(%{index: name}) when is_atom(name) and name != nil, do: {:ok, name}

  defp index(_host) do
    {:error,
     Error.new(:unavailable, "there is no index yet that tells what a change reaches: name tests, or run all")}
  end
end
