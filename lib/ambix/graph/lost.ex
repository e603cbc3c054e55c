defmodule Ambix.Graph.Lost do
  @moduledoc false
  # Calls of what a change took away: the name is called still, and nothing defines it.

  alias Ambix.Graph

  @typedoc "The definition that calls, the name that it calls, and the file that this was in."
  @type call :: {Graph.symbol(), String.t(), Path.t()}

  @doc """
  The calls among `edges` that lead nowhere, since the change has taken what they name (see `Ambix.Graph.Change`). `defined` gives the
  definitions of exactly a name.
  """
  @spec calls([tuple], [{Path.t(), :function | :module, String.t()}], (String.t() -> [Graph.symbol()])) :: [
          call
        ]
  def calls(edges, taken, defined) do
    functions = Enum.group_by(for({_, :function, _} = head <- taken, do: head), &elem(&1, 2), &elem(&1, 0))
    modules = for {path, :module, name} <- taken, do: {name, path}

    edges
    |> Enum.group_by(fn {_, _, _, module, name, arity} -> {module, name, arity} end)
    |> Enum.flat_map(fn {{module, name, arity}, edges} ->
      paths = Map.get(functions, name, [])

      gone =
        for {taken, path} <- modules, module == taken or String.ends_with?(module, "." <> taken), do: path

      with true <- paths != [] or gone != [],
           symbol = symbol(module, name, arity),
           [] <- defined.(symbol),
           file when file != nil <- place(paths, gone, defined.(module)) do
        callers = for {from, caller, arity, _, _, _} <- edges, uniq: true, do: symbol(from, caller, arity)
        for caller <- callers, found <- Enum.take(defined.(caller), 1), do: {found, symbol, file}
      else
        _ -> []
      end
    end)
    |> Enum.sort_by(fn {caller, symbol, _} -> {symbol, caller.file, caller.line} end)
  end

  # Of a module that is gone, all is; in one that is there, what had a head where it is, or was.
  defp place(_paths, gone, []), do: List.first(gone)

  defp place(paths, gone, modules),
    do: Enum.find(paths, &(&1 in gone or &1 in Enum.map(modules, fn m -> m.file end)))

  @doc "The name of a function as the graph has it; to ExUnit a test is a function."
  @spec symbol(String.t(), String.t() | nil, arity | nil) :: String.t()
  def symbol(module, nil, _arity), do: module
  def symbol(module, "test " <> name, 1), do: "#{module}.#{name}"
  def symbol(module, name, arity), do: "#{module}.#{name}/#{arity}"

  @doc "Who calls what is gone, as hits, without those that the change touched themselves."
  @spec callers([call], Graph.impact()) :: [Graph.hit()]
  def callers(calls, impact) do
    touched = MapSet.new(impact.touched, & &1.symbol)

    for {caller, symbol, _file} <- calls, caller.symbol not in touched do
      tie = %{depth: 1, via: symbol, how: "call", certain: true, why: "written", lines: []}
      caller |> Map.merge(tie) |> Map.put(:lines_in, caller.file)
    end
    |> Enum.uniq_by(& &1.symbol)
  end

  @doc "An impact together with those callers, and with what depends on them."
  @spec with_callers(Graph.impact(), [Graph.hit()], Graph.impact()) :: Graph.impact()
  def with_callers(impact, [], _theirs), do: impact

  def with_callers(impact, callers, theirs) do
    touched = MapSet.new(impact.touched, & &1.symbol)
    farther = for hit <- theirs.hits, hit.symbol not in touched, do: %{hit | depth: hit.depth + 1}
    hits = (impact.hits ++ callers ++ farther) |> Enum.sort_by(& &1.depth) |> Enum.uniq_by(& &1.symbol)
    both = fn key -> (impact[key] ++ theirs[key]) |> Enum.uniq() |> Enum.sort_by(&{&1.file, &1.line}) end

    %{
      impact
      | hits: hits,
        tests: both.(:tests),
        routes: both.(:routes),
        templates: both.(:templates),
        files: hits |> Enum.map(& &1.file) |> Enum.uniq() |> Enum.sort()
    }
  end
end
