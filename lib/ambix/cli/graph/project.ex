defmodule Ambix.CLI.Graph.Project do
  @moduledoc false
  # The verbs of `mix ambix.graph` that look at the whole project.

  import Ambix.CLI.Graph, only: [answer: 3, how: 1, own: 2, place: 1, related: 2, show: 3, table: 3]

  alias Ambix.{CLI, Error, Graph, Workspace}
  alias Ambix.CLI.Snippet

  @spec path(String.t(), String.t(), keyword) :: :ok | {:error, Error.t()}
  def path(from, to, opts) do
    asked = [relation: :path, of: from, to: to] ++ Keyword.take(own(:path, opts), [:kinds, :limit])
    with {:ok, _index, paths} <- related(asked, opts), do: show(opts, paths, &paths/1)
  end

  defp paths(paths) do
    for {path, nth} <- Enum.with_index(paths) do
      if nth > 0, do: CLI.say("")
      columns = [{"symbol", :left}, {"by", :left}, {"place", :left}]
      table(columns, steps(path), &[&1.symbol, &1.how, &1.place])
    end
  end

  # Each symbol, and how and where the one before it comes to it.
  defp steps(%{symbols: [first | rest], links: links}) do
    [%{symbol: first.symbol, how: "", place: place(first)} | Enum.zip_with(rest, links, &step/2)]
  end

  # Where a call leads out of the project its line is not known.
  defp step(symbol, %{file: nil} = link),
    do: %{symbol: symbol.symbol, how: word(link), place: place(symbol)}

  defp step(symbol, link) do
    at = Map.put(symbol, :file, link.file)
    %{symbol: symbol.symbol, how: word(link), place: "#{Snippet.file(at)}:#{Enum.join(link.lines, ",")}"}
  end

  defp word(%{how: "call", certain: true}), do: "call"
  defp word(link), do: how(link)

  @spec cycles(keyword) :: :ok | {:error, Error.t()}
  def cycles(opts) do
    answer(opts, &Graph.cycles(&1, own(:cycles, opts)), fn cycles ->
      for {cycle, nth} <- Enum.with_index(cycles) do
        if nth > 0, do: CLI.say("")
        CLI.say(Enum.join(cycle.modules, ", "))
        columns = [{"from", :left}, {"to", :left}, {"when", :left}, {"by", :left}, {"place", :left}]
        table(columns, cycle.example, &cycle_row/1)
      end

      CLI.remark("#{length(cycles)} cycles")
    end)
  end

  defp cycle_row(%{links: [link | more]} = step) do
    rest = if more == [], do: "", else: " and #{length(more)} more"
    place = "#{link.file}:#{List.first(link.lines)}#{rest}"
    [step.from, step.to, String.replace(step.phase, "_", " "), word(link), place]
  end

  @spec dead(keyword) :: :ok | {:error, Error.t()}
  def dead(opts) do
    answer(opts, &Graph.dead(&1, own(:dead, opts)), fn dead ->
      columns = [{"symbol", :left}, {"kind", :left}, {"place", :left}, {"doubt", :left}]
      row = &[&1.symbol, &1.kind, place(&1), &1.doubt && String.replace(&1.doubt, "_", " ")]
      table(columns, dead, row)
    end)
  end

  @spec communities(keyword) :: :ok | {:error, Error.t()}
  def communities(opts) do
    answer(opts, &Graph.communities(&1, own(:communities, opts)), fn found ->
      columns = [{"group", :right}, {"size", :right}, {"members", :left}]
      rows = Enum.with_index(found.groups, 1)
      table(columns, rows, fn {group, nth} -> [nth, length(group), Enum.join(group, ", ")] end)
      modularity = :erlang.float_to_binary(found.modularity, decimals: 2)
      CLI.remark("#{length(found.groups)} groups, modularity #{modularity}")
    end)
  end

  @spec rank(keyword) :: :ok | {:error, Error.t()}
  def rank(opts) do
    answer(opts, &Graph.rank(&1, own(:rank, opts)), fn ranked ->
      # Shares of all calls are small numbers; the best one is set to 100.
      best = ranked |> Enum.map(& &1.score) |> Enum.max(fn -> 1.0 end)
      row = &[&1.symbol, :erlang.float_to_binary(100 * &1.score / best, decimals: 1), place(&1)]
      table([{"symbol", :left}, {"rank", :right}, {"place", :left}], ranked, row)
    end)
  end

  @spec near(String.t(), keyword) :: :ok | {:error, Error.t()}
  def near(symbol, opts) do
    with {:ok, model} <- Workspace.named_model(opts) do
      options = [model: model] ++ Keyword.delete(own(:near, opts), :model)

      answer(opts, &Graph.neighbourhood(&1, symbol, options), fn near ->
        CLI.say(String.trim_trailing(near.text))
        counted = CLI.Workspace.counted_by(model)
        CLI.remark("#{length(near.symbols)} symbols, #{near.omitted} left out, #{near.tokens} #{counted}")
      end)
    end
  end
end
