defmodule Ambix.Tool.Read.Target do
  @moduledoc false
  # What a caller means that names a symbol, a file or lines of one: places, with the texts that the index has of them.

  alias Ambix.{Error, Graph, Index, Packages, Workspace}
  alias Ambix.Tool.{Host, Paths}

  @typedoc "`first` and `last` are lines of `text`, the whole file. `index` is the index of a package."
  @type place :: %{
          required(:place) => String.t(),
          required(:symbol) => String.t() | nil,
          required(:kind) => :module | :file | :span | :definition,
          required(:file) => Path.t(),
          required(:first) => pos_integer,
          required(:last) => pos_integer,
          required(:text) => String.t(),
          optional(:index) => Index.t()
        }

  # More have the same name only where the name says nothing.
  @most 5

  @spec find(String.t(), Workspace.t() | nil, Host.t()) :: {:ok, [place]} | {:error, Error.t()}
  def find(target, workspace, host) do
    case {Regex.run(~r/\A(.+?):(\d{1,7})(?:-(\d{1,7}))?\z/s, target), String.trim(target)} do
      {_, ""} -> {:error, Error.new(:invalid_argument, "a target is empty; give a symbol or a path")}
      {[_, path | lines], _} -> span(path, Enum.map(lines, &String.to_integer/1), workspace, host)
      {nil, target} -> named(target, workspace, host)
    end
  end

  defp span(path, lines, workspace, host) do
    with {:ok, file, text, index} <- text(path, workspace, host) do
      count = count(text)
      first = lines |> hd() |> max(1)
      last = lines |> List.last() |> min(count)

      if first > last,
        do: {:error, Error.new(:not_found, "#{file} has #{count} lines; give lines among them")},
        else: {:ok, [place(file, nil, :span, {first, last}, text, index)]}
    end
  end

  defp named(target, workspace, host) do
    case text(target, workspace, host) do
      {:ok, file, text, index} ->
        {:ok, [place(file, nil, :file, {1, count(text)}, text, index)]}

      {:error, error} ->
        if path?(target) or workspace == nil, do: {:error, error}, else: symbol(target, workspace)
    end
  end

  # `Shop.Cart.add/2` is none.
  defp path?(target), do: target =~ ~r/\/(?!\d{1,3}\z)|\A\.|\A~|\x00/ and not (target =~ ~r/\s/)

  defp symbol(target, workspace) do
    with {:ok, %{results: named}} <- Workspace.lookup(workspace, target, limit: 50) do
      named = Enum.filter(named, &(&1.fit in ["exact", "tail"]))
      exact = Enum.filter(named, &(&1.fit == "exact"))

      case if(exact == [], do: named, else: exact) do
        [] -> missing(target, workspace)
        named -> {:ok, named |> Enum.take(@most) |> Enum.flat_map(&defined(&1, workspace))}
      end
    end
  end

  # The graph knows what is close by name.
  defp missing(target, workspace) do
    case Graph.definition(workspace.index, target) do
      {:ok, symbols} ->
        {:ok,
         for symbol <- Enum.take(symbols, @most), {:ok, text} <- [Index.text(workspace.index, symbol.file)] do
           place(symbol.file, symbol.symbol, :definition, {symbol.line, symbol.line}, text, nil)
         end}

      {:error, %{kind: :not_found} = error} ->
        hint = if workspace.packages, do: "", else: "; for what is in a dependency give deps: true"
        {:error, %{error | message: error.message <> hint}}

      error ->
        error
    end
  end

  defp defined(named, workspace) do
    index = index(named[:package], workspace)
    kind = if named.kind in ["module", "protocol", "implementation"], do: :module, else: :definition

    with {:ok, text} <- Index.text(index, named.file) do
      file = shown(named[:package], named.file)
      of_package = if named[:package], do: index
      [place(file, named.symbol, kind, {named.line_start, named.line_end}, text, of_package)]
    else
      _ -> []
    end
  end

  defp index(nil, workspace), do: workspace.index

  defp index(package, workspace),
    do: Enum.find_value(workspace.packages.entries, fn {it, index} -> if it == package, do: index end)

  defp shown(nil, file), do: file
  defp shown(package, file), do: "#{Packages.shown(package)}/#{file}"

  defp place(file, symbol, kind, {first, last}, text, index) do
    place = %{
      place: "#{file}:#{first}-#{last}",
      symbol: symbol,
      kind: kind,
      file: file,
      first: first,
      last: last,
      text: text
    }

    if index, do: Map.put(place, :index, index), else: place
  end

  # The text of a file of the project or of a package, with the path by which it is shown.
  defp text(path, nil, host) do
    with {:ok, path} <- Paths.inside(host.root, path) do
      case Paths.read(host.root, path) do
        {:ok, text} ->
          {:ok, path, text, nil}

        :error ->
          {:error,
           unknown(path, "while the index is being built only sources can be read by their paths; ask again")}
      end
    end
  end

  defp text(path, workspace, host) do
    with {:error, error} <- of_project(path, workspace, host), do: of_package(path, workspace, error)
  end

  defp of_project(path, workspace, host) do
    root =
      if Path.type(path) == :absolute and within?(path, workspace.index.root),
        do: workspace.index.root,
        else: host.root

    with {:ok, path} <- Paths.inside(root, path) do
      case Index.text(workspace.index, path) do
        {:ok, text} ->
          {:ok, path, text, nil}

        {:error, _} ->
          {:error,
           unknown(path, "the index has no such file: it is ignored, too large, no text, or not there")}
      end
    end
  end

  defp within?(path, root), do: String.starts_with?(path, root <> "/")

  defp of_package(_path, %{packages: nil}, error), do: {:error, error}

  # `ecto-3.12.1/lib/ecto.ex`, as places are shown, and `deps/ecto/lib/ecto.ex`, as it is on the disk.
  defp of_package(path, %{packages: packages}, error) do
    Enum.find_value(packages.entries, {:error, error}, fn {package, index} ->
      shown = Packages.shown(package)

      with [_, file] <-
             Regex.run(~r{\A(?:#{Regex.escape(shown)}|deps/#{Regex.escape(package.name)})/(.+)\z}s, path),
           {:ok, text} <- Index.text(index, file) do
        {:ok, "#{shown}/#{file}", text, index}
      else
        _ -> nil
      end
    end)
  end

  defp unknown(path, sentence), do: Error.new(:not_found, "#{Paths.shown(path)}: #{sentence}")

  defp count(text), do: text |> String.trim_trailing("\n") |> String.split("\n") |> length()
end
