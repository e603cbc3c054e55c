defmodule Ambix.Tool.Projects do
  @moduledoc false
  # The sandboxes in which tools compile and test a project, or each app of an umbrella. They end with the process that runs `fun`.

  alias Ambix.{Error, PathDependencies, Quoted, Umbrella}
  alias Ambix.Packages.Listing
  alias Ambix.Sandbox.Project
  alias Ambix.Tool.Change

  # What Mix has compiled for tests.
  @built "_build/test/lib"

  @doc "The folders of the projects in `root`, in an order in which each comes after those that it needs: `[\".\"]` if there is one."
  @spec apps(Path.t()) :: [Path.t()]
  def apps(root) do
    case Umbrella.apps(root) do
      nil -> ["."]
      apps -> Umbrella.in_order(root, apps)
    end
  end

  @doc "Those of `apps` that a change of these files may concern: the apps that hold them, and those that need one of these."
  @spec touched(Path.t(), [Path.t()], [Path.t()]) :: [Path.t()]
  def touched(root, apps, paths) do
    if Enum.all?(paths, fn path -> Enum.any?(apps, &holds?(&1, path)) end) do
      Enum.reduce(apps, [], fn app, touched ->
        needed = Umbrella.needs(root, app)

        if Enum.any?(paths, &holds?(app, &1)) or Enum.any?(touched, &(Path.basename(&1) in needed)),
          do: touched ++ [app],
          else: touched
      end)
    else
      # The configuration, say, is of all apps.
      apps
    end
  end

  @doc "Whether the file lies in the app."
  @spec holds?(Path.t(), Path.t()) :: boolean
  def holds?(".", _path), do: true
  def holds?(app, path), do: String.starts_with?(path, app <> "/")

  @doc "The path, in the project of the tool, of a file of the app."
  @spec place(Path.t(), Path.t()) :: Path.t()
  def place(_app, ""), do: ""
  def place(".", path), do: path
  def place(app, path), do: Path.join(app, path)

  @doc "Calls `fun` with a sandbox of the app, in which the files of the change have its texts."
  @spec with_sandbox(map, Path.t(), Change.texts(), (pid -> result)) :: result | {:error, Error.t()}
        when result: term
  def with_sandbox(%{root: root} = host, app, texts, fun) do
    options = [root: Path.expand(app, root), overlay: overlay(root, texts), allow_paths: allowed(host)]

    with {:ok, server} <- Project.start_link(options) do
      try do
        fun.(server)
      after
        Project.stop(server)
      end
    end
  end

  @doc "The folders outside of the project that sandboxes may see, as the host says; nil where that is for the configuration to say."
  @spec allowed(map) :: [Path.t()] | nil
  def allowed(host), do: Map.get(host, :allow_paths)

  @doc """
  What is to be said of the time that sandboxes took; nil where nothing is. What was never compiled for tests outside of the sandbox, it
  compiles anew each time.
  """
  @spec remark(map) :: String.t() | nil
  def remark(%{root: root} = host) do
    tree = Umbrella.around(root) || root

    with true <- File.ls(Path.join(tree, @built)) in [{:ok, []}, {:error, :enoent}],
         {:ok, allowed} <- PathDependencies.allowed(allowed(host)),
         names = for(package <- Listing.dependencies(tree, allowed), do: package.name),
         true <- Enum.any?(apps(tree), &needs_any?(Path.join([tree, &1, "mix.exs"]), names)) do
      "[dependencies were compiled for this; to compile them once: MIX_ENV=test mix deps.compile]"
    else
      _ -> nil
    end
  end

  # Whether a mix.exs names one of the dependencies, and for tests too.
  defp needs_any?(mix_exs, names) do
    with {:ok, syntax} <- Quoted.read(mix_exs) do
      Enum.any?(Quoted.dependencies(syntax), fn {name, options} ->
        name in names and Enum.all?(for({"only", only} <- options, do: only), &("test" in List.wrap(&1)))
      end)
    else
      :error -> false
    end
  end

  # An overlay names its files as the umbrella around the project does.
  defp overlay(root, texts) do
    case Umbrella.around(root) do
      nil -> texts
      tree -> Map.new(texts, fn {path, text} -> {root |> Path.relative_to(tree) |> Path.join(path), text} end)
    end
  end
end
