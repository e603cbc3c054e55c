defmodule Ambix.Packages.Listing do
  @moduledoc false
  # Which packages there are: those in `deps` with what `mix.lock` pins, those that `mix.exs` names by path in folders that are
  # allowed, and what is installed with Elixir and Erlang/OTP.
  # Nothing of the project is compiled or run for it.

  alias Ambix.{Files, PathDependencies, Quoted, Umbrella}
  alias Ambix.Packages.Package

  @elixir [:elixir, :eex, :ex_unit, :iex, :logger, :mix]

  @doc """
  The dependencies of the project in `root`, by name; an app without a folder for them has those of its umbrella. One
  that the lock names and that is not in `deps` is left out, and so is one by path outside of the project that lies in none of `allowed`.
  """
  @spec dependencies(Path.t(), [Path.t()]) :: [Package.t()]
  def dependencies(root, allowed) do
    root = holder(Path.expand(root))
    folder = Path.join(root, "deps")
    locked = locked(Path.join(root, "mix.lock"))

    fetched =
      for name <- ls(folder), path = Path.join(folder, name), File.dir?(path) do
        {source, version} = Map.get_lazy(locked, name, fn -> {:path, own_version(path)} end)
        %Package{name: name, version: version, source: source, path: path}
      end

    Enum.sort_by(fetched ++ by_path(root, allowed), & &1.name)
  end

  # One that lies in the project is in the index of the project.
  defp by_path(root, allowed) do
    {folders, _refused} = PathDependencies.find([root], root, allowed)

    for path <- folders,
        do: %Package{name: own_name(path), version: own_version(path), source: :path, path: path}
  end

  defp own_name(path) do
    with {:ok, syntax} <- Quoted.read(Path.join(path, "mix.exs")),
         [name | _] when is_binary(name) <- Quoted.values(syntax, "app") do
      name
    else
      _ -> Path.basename(path)
    end
  end

  defp holder(root) do
    if File.dir?(Path.join(root, "deps")), do: root, else: Umbrella.around(root) || root
  end

  @doc "The applications of Elixir that are installed, and of Erlang/OTP those that are named."
  @spec installed([atom]) :: [Package.t()]
  def installed(otp) do
    for app <- @elixir ++ otp, path = app_path(app), path != nil do
      source = if app in @elixir, do: :elixir, else: :otp
      %Package{name: Atom.to_string(app), version: app_version(app, path), source: source, path: path}
    end
  end

  # A lock is a literal that anybody may have written: it is parsed and never evaluated.
  defp locked(path) do
    with {:ok, {:%{}, _, entries}} <- Quoted.read(path) do
      for {name, entry} <- entries, is_binary(name), pin = pin(entry), into: %{}, do: {name, pin}
    else
      _ -> %{}
    end
  end

  defp pin({:{}, _, ["hex", _package, version | _]}) when is_binary(version), do: {:hex, version}
  defp pin({:{}, _, ["git", _url, commit | _]}) when is_binary(commit), do: {:git, commit}
  defp pin(_), do: nil

  # What a package of Hex says of itself, or else what its mix.exs says in so many words.
  defp own_version(path) do
    written_version(Path.join(path, "hex_metadata.config"), ~r/\{<<"version">>,\s*<<"([^"]+)">>\}/) ||
      written_version(Path.join(path, "mix.exs"), ~r/(?:version:|@version)\s*"([^"]+)"/)
  end

  defp written_version(path, pattern) do
    with {:ok, text} <- Files.read(path),
         true <- String.valid?(text),
         [_, version] <- Regex.run(pattern, text) do
      version
    else
      _ -> nil
    end
  end

  defp app_path(app) do
    case :code.lib_dir(app) do
      {:error, :bad_name} -> nil
      path -> List.to_string(path)
    end
  end

  defp app_version(app, path) do
    with {:ok, [{:application, ^app, keys}]} <- :file.consult(Path.join([path, "ebin", "#{app}.app"])),
         {:ok, version} <- Keyword.fetch(keys, :vsn) do
      to_string(version)
    else
      _ -> nil
    end
  end

  defp ls(folder) do
    case File.ls(folder) do
      {:ok, names} -> Enum.sort(names)
      {:error, _} -> []
    end
  end
end
