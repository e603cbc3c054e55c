defmodule Ambix.Tool.Relations.Outside do
  @moduledoc false
  # What of an index depends on a function that it does not define, of a dependency, Elixir or OTP. The graph has the calls of such a
  # function, but no definition from which it could be asked.

  alias Ambix.{Graph, Graph.Lost, Index}

  # A function that more call is one of the language; what depends on it is everything.
  @most 50
  @most_callers 1_000

  @doc "Who calls it, as hits of `Ambix.Graph.callers/3`; `:none` where nobody does, or where the name is none of a function."
  @spec callers(Index.t(), String.t(), pos_integer) :: {:ok, [Graph.hit()]} | :none
  def callers(index, name, depth \\ 1) do
    with {:ok, direct} <- direct(index, name) do
      further =
        if depth == 1,
          do: [],
          else: farther(direct, &Graph.callers(index, &1, depth: depth - 1))

      {:ok, nearest(direct ++ further)}
    end
  end

  @doc """
  What depends on one of some functions, directly or not, as hits of `Ambix.Graph.impact/3`. Each is given with how many steps it is away
  from what was asked for.
  """
  @spec impact(Index.t(), [{String.t(), non_neg_integer}]) :: {:ok, [Graph.hit()]} | :none
  def impact(index, names) do
    with {:ok, direct} <- directs(index, names),
         do: {:ok, nearest(direct ++ farther(direct, &Graph.impact(index, &1)))}
  end

  @doc "The tests that reach one of them."
  @spec tests(Index.t(), [{String.t(), non_neg_integer}]) :: {:ok, [Graph.symbol()]} | :none
  def tests(index, names) do
    with {:ok, direct} <- directs(index, names) do
      found =
        for hit <- Enum.take(direct, @most),
            {:ok, tests} <- [Graph.tests(index, hit.symbol)],
            test <- tests,
            do: test

      {:ok, Enum.uniq_by(found, & &1.symbol)}
    end
  end

  @doc """
  The shortest ways from a function of the index to those that call it, at most `limit`, each with the caller at its end; `:none` where no
  way leads there.
  """
  @spec paths(Index.t(), String.t(), String.t(), pos_integer) ::
          {:ok, [%{symbols: [Graph.symbol()], links: [Graph.link()]}]} | :none
  def paths(index, from, name, limit) do
    with {:ok, direct} <- direct(index, name),
         {:ok, [start | _]} <- Graph.definition(index, from),
         [_ | _] = ways <- direct |> Enum.take(@most) |> Enum.flat_map(&ways(index, start, &1)) do
      {:ok, ways |> Enum.sort_by(&length(&1.symbols)) |> Enum.take(limit)}
    else
      _ -> :none
    end
  end

  @doc "Every function that the index calls, by its name: `Mod.fun/arity`."
  @spec called(Index.t()) :: MapSet.t(String.t())
  def called(index) do
    case Graph.edges(index) do
      {:ok, edges} ->
        for {_, _, _, module, name, arity} <- edges, into: MapSet.new(), do: "#{module}.#{name}/#{arity}"

      _ ->
        MapSet.new()
    end
  end

  defp ways(_index, start, %{symbol: symbol}) when start.symbol == symbol,
    do: [%{symbols: [start], links: []}]

  defp ways(index, start, hit) do
    case Graph.paths(index, start.symbol, hit.symbol, limit: 1) do
      {:ok, ways} -> ways
      _ -> []
    end
  end

  defp direct(index, name), do: directs(index, [{name, 0}])

  defp directs(index, names) do
    with [_ | _] = known <- for({name, away} <- names, parts = parts(name), do: {name, parts, away}),
         {:ok, edges} <- Graph.edges(index),
         [_ | _] = hits <- Enum.flat_map(known, &hits(&1, index, edges)) do
      {:ok, nearest(hits)}
    else
      _ -> :none
    end
  end

  defp hits({name, parts, away}, index, edges) do
    for caller <- edges |> called(parts) |> Enum.take(@most_callers),
        hit <- hit(caller, index, name),
        do: %{hit | depth: away + 1}
  end

  # Modules of Erlang are written with a colon before or behind them.
  defp parts(name) do
    case Regex.run(~r/\A(:?)([\w.]+)([.:])([a-z_]\w*[?!]?)(?:\/(\d{1,3}))?\z/, name) do
      [_, "", module, ".", function | arity] -> {module, function, arity}
      [_, _, module, _, function | arity] -> {":" <> module, function, arity}
      nil -> nil
    end
  end

  defp called(edges, {module, function, arity}) do
    for {from, caller, its_arity, ^module, ^function, callee_arity} <- edges,
        arity in [[], [Integer.to_string(callee_arity)]],
        uniq: true,
        do: Lost.symbol(from, caller, its_arity)
  end

  defp hit(symbol, index, name) do
    case Graph.definition(index, symbol) do
      {:ok, [found | _]} ->
        tie = %{depth: 1, via: name, how: "call", certain: true, why: "written", lines: []}
        [found |> Map.merge(tie) |> Map.put(:lines_in, found.file)]

      _ ->
        []
    end
  end

  defp farther(direct, ask) do
    for from <- Enum.take(direct, @most), {:ok, hits} <- [ask.(from.symbol)], hit <- hits do
      %{hit | depth: hit.depth + from.depth}
    end
  end

  defp nearest(hits), do: hits |> Enum.sort_by(& &1.depth) |> Enum.uniq_by(& &1.symbol)
end
