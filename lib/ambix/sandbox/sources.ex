defmodule Ambix.Sandbox.Sources do
  @moduledoc false
  # What of the host's disk the sandbox of a project sees: the project, or the umbrella that it is an app of, and of each
  # dependency by path what is compiled. All of it is read off the syntax of mix.exs, which is code that is not trusted here.

  import Ambix.PathDependencies, only: [real: 1, within?: 2]

  alias Ambix.{Error, PathDependencies, Quoted, Umbrella}

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
  or of a folder in `allowed`, absolute paths too; any other is an error.
  """
  @spec of(Path.t(), [Path.t()]) :: {:ok, t()} | {:error, Error.t()}
  def of(root, allowed) do
    tree = Umbrella.around(root) || root
    named = Enum.filter(allowed, &PathDependencies.project?/1)

    case PathDependencies.find([root | projects(root, tree)] ++ named, tree, allowed) do
      {folders, []} ->
        binds = folders |> Enum.flat_map(&compiled(&1, tree)) |> Enum.uniq()
        {:ok, %__MODULE__{tree: tree, app: Path.relative_to(root, tree), binds: binds}}

      {_, [{folder, named_by} | _] = refused} ->
        {:error, Error.new(:project, refusal(refused, named_by, tree), %{path: folder})}
    end
  end

  # What a refused one names in turn is not known yet, so the folder that holds them all may be the better one to give.
  defp refusal(refused, named_by, tree) do
    folders = for {folder, _} <- refused, uniq: true, do: folder

    "#{named_by} names a dependency in #{hd(folders)}, which lies outside of #{tree}: " <>
      "allow the sandbox to read it (config :ambix, allow_paths: #{inspect(folders, limit: :infinity)} in config/config.exs, the option " <>
      "of that name, or --allow-paths #{Enum.join(folders, ",")} of the mix task; a folder that holds several may be given)"
  end

  # Other apps of an umbrella may have dependencies by path as well.
  defp projects(root, root), do: for(app <- Umbrella.apps(root) || [], do: Path.expand(app, root))
  defp projects(_root, tree), do: [tree | projects(tree, tree)]

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
end
