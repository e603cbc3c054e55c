defmodule Ambix.Sandbox.Sources do
  @moduledoc false
  # What of the host's disk the sandbox of a project sees: the project, or the umbrella that it is an app of, and of each
  # dependency by path what is compiled. All of it is read off the syntax of mix.exs, which is code that is not trusted here.

  alias Ambix.{Error, Quoted, Umbrella}

  # What is compiled, or needed for it, by the habits of Mix and rebar.
  @compiled ~w(lib src c_src include priv native mibs asn1 mix.exs mix.lock rebar.config rebar.config.script
    rebar.lock Makefile)
  # What mix.exs names is seen too, but none of these.
  @never ~w(_build deps node_modules test)

  @enforce_keys [:tree, :app]
  defstruct [:tree, :app, binds: []]

  @typedoc "The folder that is seen whole, the project's folder inside of it, and paths of dependencies."
  @type t :: %__MODULE__{tree: Path.t(), app: Path.t(), binds: [Path.t()]}

  @doc """
  The sources of the project in `root`, an absolute path. Dependencies by path lie inside of the project, of its umbrella,
  or of a folder in `allowed`; any other is an error.
  """
  @spec of(Path.t(), [Path.t()]) :: {:ok, t()} | {:error, Error.t()}
  def of(root, allowed) do
    tree = Umbrella.around(root) || root
    allowed = Enum.map(allowed, &Path.expand/1)
    named = Enum.filter(allowed, &project?/1)
    roots = Enum.map([tree | allowed], &real/1)

    case outside([root | projects(root, tree)] ++ named, MapSet.new(), tree, roots) do
      {:ok, folders} ->
        binds = folders |> Enum.sort() |> Enum.flat_map(&compiled(&1, tree)) |> Enum.uniq()
        {:ok, %__MODULE__{tree: tree, app: Path.relative_to(root, tree), binds: binds}}

      {:refused, folder, named_by} ->
        message =
          "#{named_by} names a dependency in #{folder}, which lies outside of #{tree}: " <>
            "allow the sandbox to read it (the option allow_paths: [#{inspect(folder)}], or --allow-paths #{folder})"

        {:error, Error.new(:project, message, %{path: folder})}
    end
  end

  # Other apps of an umbrella may have dependencies by path as well.
  defp projects(root, root), do: for(app <- Umbrella.apps(root) || [], do: Path.expand(app, root))
  defp projects(_root, tree), do: [tree | projects(tree, tree)]

  # The folders of dependencies that are not inside of the tree, and theirs.
  defp outside([], seen, tree, _roots), do: {:ok, Enum.reject(seen, &within?(&1, tree))}

  defp outside([folder | rest], seen, tree, roots) do
    if folder in seen do
      outside(rest, seen, tree, roots)
    else
      named = for path <- paths(folder), project?(path), do: path

      case Enum.find(named, fn path -> not Enum.any?(roots, &within?(real(path), &1)) end) do
        nil -> outside(named ++ rest, MapSet.put(seen, folder), tree, roots)
        path -> {:refused, path, Path.join(folder, "mix.exs")}
      end
    end
  end

  # A folder that holds no project is no dependency, and not shown to the sandbox.
  defp project?(folder), do: Enum.any?(~w(mix.exs rebar.config), &File.regular?(Path.join(folder, &1)))

  defp paths(folder) do
    case Quoted.read(Path.join(folder, "mix.exs")) do
      {:ok, syntax} ->
        for path <- Quoted.values(syntax, "path"), is_binary(path), do: Path.expand(path, folder)

      :error ->
        []
    end
  end

  defp compiled(folder, tree) do
    wanted = MapSet.union(MapSet.new(@compiled), named(folder))
    home = real(folder)

    for name <- ls(folder),
        name in wanted and name not in @never and not String.starts_with?(name, "."),
        path = Path.join(folder, name),
        # A link may lead out of the folder.
        within?(real(path), home),
        # A dependency may lie above the project, which is seen in another way.
        not within?(tree, path),
        do: path
  end

  # `elixirc_paths: ["source"]` and the like.
  defp named(folder) do
    case Quoted.read(Path.join(folder, "mix.exs")) do
      {:ok, syntax} -> for text <- Quoted.strings(syntax), text != "", into: MapSet.new(), do: first(text)
      :error -> MapSet.new()
    end
  end

  defp first(text), do: text |> String.trim_leading("./") |> String.split("/", parts: 2) |> hd()

  defp ls(folder) do
    case File.ls(folder) do
      {:ok, names} -> Enum.sort(names)
      {:error, _} -> []
    end
  end

  @doc "Whether a path is a folder or lies inside of it."
  @spec within?(Path.t(), Path.t()) :: boolean()
  def within?(path, folder), do: path == folder or String.starts_with?(path, folder <> "/")

  # The path without symbolic links; of what does not exist, the path itself.
  defp real(path), do: path |> Path.split() |> real([], 40)

  defp real([], done, _left), do: join(done)
  defp real(names, done, 0), do: join(Enum.reverse(names) ++ done)

  defp real([name | rest], done, left) do
    case name != "/" and File.read_link(join([name | done])) do
      {:ok, target} -> real(Path.split(Path.expand(target, join(done))) ++ rest, [], left - 1)
      _ -> real(rest, [name | done], left)
    end
  end

  defp join(names), do: names |> Enum.reverse() |> Path.join()
end
