defmodule Ambix.PathDependencies do
  @moduledoc false
  # The dependencies by path that lie outside of a project, as far as each mix.exs names their folders literally. It is code that is
  # not trusted here, so it is read and never run, and a folder counts only where the caller or the host's configuration allowed it.

  alias Ambix.{Error, Quoted}

  # Where a project keeps its configuration for development, the last one first.
  @configuration ~w(config/dev.exs config/config.exs)

  @doc """
  The folders that are allowed, as absolute paths: those given, or where none are given those of `config :ambix, allow_paths: [...]`,
  which are relative to the folder that this VM was started in.
  """
  @spec allowed([Path.t()] | nil) :: {:ok, [Path.t()]} | {:error, Error.t()}
  def allowed(given \\ nil) do
    case given || Application.get_env(:ambix, :allow_paths, []) do
      {:computed, file} ->
        refuse(
          "in #{file} it is computed, and it is read without running that file; run it by mix, or write strings"
        )

      paths ->
        if is_list(paths) and not List.improper?(paths) and Enum.all?(paths, &path?/1),
          do: {:ok, Enum.map(paths, &Path.expand/1)},
          else: refuse("got: #{inspect(paths, limit: 5, printable_limit: 60)}")
    end
  end

  defp path?(path),
    do: is_binary(path) and path != "" and String.valid?(path) and not String.contains?(path, <<0>>)

  defp refuse(why) do
    sentence = "allow_paths of :ambix expects a list of folders, such as [\"../shared\"]; #{why}"
    {:error, Error.new(:invalid_argument, sentence)}
  end

  @doc """
  What the configuration of the project in `folder` sets `:allow_paths` of `:ambix` to, for a VM that Mix did not start: a list of strings as it
  is written, `{:computed, file}` for anything else, and nil where it sets nothing. An agent may have just written it, so it is not run.
  """
  @spec configured(Path.t()) :: [String.t()] | {:computed, Path.t()} | nil
  def configured(folder) do
    Enum.find_value(@configuration, fn file ->
      with {:ok, syntax} <- Quoted.read(Path.join(folder, file)),
           [_ | _] = settings <- Quoted.settings(syntax, "ambix", "allow_paths") do
        value = List.last(settings)
        if is_list(value) and Enum.all?(value, &is_binary/1), do: value, else: {:computed, file}
      else
        _ -> nil
      end
    end)
  end

  @doc """
  The folders of dependencies outside of `tree` that the projects in `folders` name, and theirs in turn, with `folders` that lie
  outside themselves. Those in no folder of `allowed` are refused, each with the mix.exs that names it.
  """
  @spec find([Path.t()], Path.t(), [Path.t()]) :: {[Path.t()], refused :: [{Path.t(), Path.t()}]}
  def find(folders, tree, allowed) do
    {seen, refused} = walk(folders, MapSet.new(), [], Enum.map([tree | allowed], &real/1))
    {seen |> Enum.reject(&within?(&1, tree)) |> Enum.sort(), Enum.reverse(refused)}
  end

  defp walk([], seen, refused, _roots), do: {seen, refused}

  defp walk([folder | rest], seen, refused, roots) do
    if folder in seen do
      walk(rest, seen, refused, roots)
    else
      named = for path <- named(folder), project?(path), do: path
      {found, outside} = Enum.split_with(named, fn path -> Enum.any?(roots, &within?(real(path), &1)) end)
      by = Path.join(folder, "mix.exs")
      refused = Enum.reduce(outside, refused, &[{&1, by} | &2])
      walk(found ++ rest, MapSet.put(seen, folder), refused, roots)
    end
  end

  @doc "Whether a folder holds a project. What holds none is no dependency."
  @spec project?(Path.t()) :: boolean
  def project?(folder),
    do: Enum.any?(~w(mix.exs rebar.config), &File.regular?(Path.join(folder, &1)))

  defp named(folder) do
    case Quoted.read(Path.join(folder, "mix.exs")) do
      {:ok, syntax} ->
        paths = Quoted.values(syntax, "path") -- elsewhere(syntax)
        for path <- paths, is_binary(path), do: Path.expand(path, folder)

      :error ->
        []
    end
  end

  # The paths of dependencies that tests are compiled without, such as this one.
  defp elsewhere(syntax) do
    for list <- Quoted.lists(syntax),
        {"path", path} <- list,
        {"only", only} <- list,
        is_binary(only) or (is_list(only) and Enum.all?(only, &is_binary/1)),
        "test" not in List.wrap(only),
        do: path
  end

  @doc "Whether a path is a folder or lies inside of it."
  @spec within?(Path.t(), Path.t()) :: boolean
  def within?(path, folder), do: path == folder or String.starts_with?(path, folder <> "/")

  @doc "The path without symbolic links; of what does not exist, the path itself."
  @spec real(Path.t()) :: Path.t()
  def real(path), do: path |> Path.split() |> real([], 40)

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
