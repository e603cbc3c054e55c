defmodule Ambix.Umbrella do
  @moduledoc false
  # Umbrella projects, as far as mix.exs says literally what they consist of. Nothing is run for it.

  alias Ambix.Quoted

  @doc "The folders of an umbrella's apps, relative to its root; nil for what is no umbrella."
  @spec apps(Path.t()) :: [Path.t()] | nil
  def apps(root) do
    with {:ok, syntax} <- Quoted.read(Path.join(root, "mix.exs")),
         [folder | _] when is_binary(folder) <- Quoted.values(syntax, "apps_path"),
         true <- Path.type(folder) == :relative and ".." not in Path.split(folder),
         {:ok, names} <- File.ls(Path.join(root, folder)) do
      chosen = syntax |> Quoted.values("apps") |> Enum.find(&names?/1)

      for name <- Enum.sort(names),
          chosen == nil or name in chosen,
          app = Path.join(folder, name),
          File.regular?(Path.join([root, app, "mix.exs"])),
          do: app
    else
      _ -> nil
    end
  end

  defp names?(value), do: is_list(value) and Enum.all?(value, &is_binary/1)

  @doc "The root of the umbrella that the project in `root` is an app of, or nil."
  @spec around(Path.t()) :: Path.t() | nil
  def around(root) do
    root
    |> ancestors()
    |> Enum.find(fn folder -> Enum.any?(apps(folder) || [], &(Path.expand(&1, folder) == root)) end)
  end

  defp ancestors(folder) do
    folder
    |> Path.dirname()
    |> Stream.iterate(&Path.dirname/1)
    |> Enum.take(3)
    |> Enum.reject(&(&1 == "/"))
    |> Enum.uniq()
  end

  @doc """
  The apps in an order in which each comes after those that it depends on.
  Cycles, which Mix refuses, are cut somewhere.
  """
  @spec in_order(Path.t(), [Path.t()]) :: [Path.t()]
  def in_order(root, apps) do
    by_name = Map.new(apps, &{Path.basename(&1), &1})
    apps |> Enum.reduce([], &visit(&1, by_name, root, &2)) |> Enum.reverse()
  end

  defp visit(app, by_name, root, done) do
    if app in done do
      done
    else
      needed = root |> needs(app) |> Enum.flat_map(&List.wrap(by_name[&1])) |> Enum.reject(&(&1 == app))
      # Without the app itself among those that are left, a cycle ends.
      done = Enum.reduce(needed, done, &visit(&1, Map.delete(by_name, Path.basename(app)), root, &2))
      if app in done, do: done, else: [app | done]
    end
  end

  @doc "The names of the apps that an app depends on, itself left out."
  @spec needs(Path.t(), Path.t()) :: [String.t()]
  def needs(root, app) do
    case Quoted.read(Path.join([root, app, "mix.exs"])) do
      {:ok, syntax} -> syntax |> dependencies() |> Enum.uniq()
      :error -> []
    end
  end

  # `{:name, in_umbrella: true}` is a pair of a name and a keyword list.
  defp dependencies(syntax) do
    {_, found} =
      Macro.prewalk(syntax, [], fn
        {name, opts} = node, found when is_binary(name) and is_list(opts) ->
          {node, if({"in_umbrella", true} in opts, do: [name | found], else: found)}

        {:{}, _, [name, _version, opts]} = node, found when is_binary(name) and is_list(opts) ->
          {node, if({"in_umbrella", true} in opts, do: [name | found], else: found)}

        node, found ->
          {node, found}
      end)

    Enum.reverse(found)
  end
end
