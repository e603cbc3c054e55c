defmodule Ambix.Test.Setup do
  @moduledoc "What many tests begin with: files, an environment, an umbrella."

  @doc "Writes files, given by path below `root`, and returns `root`."
  def write(root, files) do
    for {path, text} <- files do
      path = Path.join(root, path)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, text)
    end

    root
  end

  @doc "Sets variables of the environment until the test ends; nil takes one away. For tests that run alone."
  def put_env(variables) do
    before = Map.new(variables, fn {name, _} -> {name, System.get_env(name)} end)
    set(variables)
    ExUnit.Callbacks.on_exit(fn -> set(before) end)
  end

  defp set(variables) do
    for {name, value} <- variables,
        do: if(value, do: System.put_env(name, value), else: System.delete_env(name))

    :ok
  end

  @doc """
  An umbrella with `files`, in a folder that is deleted when the test ends, and with a mix.exs for each of `apps`, given with the
  source of its dependencies.
  """
  def umbrella(apps, files) do
    name = "ambix-umbrella-#{System.unique_integer([:positive])}-#{System.pid()}"
    root = Path.join(System.tmp_dir!(), name)
    ExUnit.Callbacks.on_exit(fn -> File.rm_rf!(root) end)

    write(root, %{
      "mix.exs" => """
      defmodule U.MixProject do
        use Mix.Project
        def project, do: [apps_path: "apps", version: "0.1.0", deps: []]
      end
      """
    })

    write(root, Map.new(apps, fn {app, deps} -> {"apps/#{app}/mix.exs", mix(app, deps)} end))
    write(root, files)
  end

  defp mix(app, deps) do
    """
    defmodule #{Macro.camelize(app)}.MixProject do
      use Mix.Project
      def project, do: [app: :#{app}, version: "0.1.0", build_path: "../../_build", deps_path: "../../deps", lockfile: "../../mix.lock", deps: #{deps}]
    end
    """
  end
end
