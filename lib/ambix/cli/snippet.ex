defmodule Ambix.CLI.Snippet do
  @moduledoc false
  # A found place for a person: where it is, what it is, how it begins.

  alias Ambix.CLI.{Style, Width}
  alias Ambix.Packages.Package

  @lines 4

  @doc "Lines for a result of `Ambix.Index.search/3`."
  @spec render(map, pos_integer) :: iodata
  def render(result, columns \\ Style.columns(:stdio)) do
    symbol = if result.symbol in [nil, ""], do: [], else: ["  ", Style.paint(result.symbol, :yellow)]
    text = for line <- excerpt(result.text), do: ["    ", Width.cut(line, max(columns - 4, 10)), "\n"]
    [Style.paint(place(result), [:cyan, :bright]), symbol, "\n", text]
  end

  @doc "Where a result is, in the form that editors and terminals make a link of."
  @spec place(map) :: String.t()
  def place(%{line_start: first, line_end: last} = result) when last > first,
    do: "#{file(result)}:#{first}-#{last}"

  def place(%{line_start: first} = result), do: "#{file(result)}:#{first}"

  @doc "The file of a result; of one in a package with the package and its version before it."
  @spec file(map) :: String.t()
  def file(%{package: %Package{} = package, file: file}), do: "#{package}: #{file}"
  def file(%{file: file}), do: file

  @doc "What was found as JSON shows it: a package is its name, version and source, and a tuple a list."
  @spec plain(term) :: term
  def plain(%Package{} = package), do: Map.take(package, [:name, :version, :source])
  def plain(%_{} = struct), do: struct
  def plain(%{} = map), do: Map.new(map, fn {key, value} -> {key, plain(value)} end)
  def plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  def plain(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> plain()
  def plain(other), do: other

  @doc "The first lines of a text that are not empty, moved to the left together."
  @spec excerpt(String.t(), pos_integer) :: [String.t()]
  def excerpt(text, count \\ @lines) do
    lines = text |> String.split("\n") |> Enum.reject(&(String.trim(&1) == "")) |> Enum.take(count)
    margin = lines |> Enum.map(&indentation/1) |> Enum.min(fn -> 0 end)
    Enum.map(lines, &(&1 |> String.slice(margin..-1//1) |> String.trim_trailing()))
  end

  defp indentation(line), do: String.length(line) - String.length(String.trim_leading(line))
end
