defmodule Ambix.Graph.Lost do
  @moduledoc false
  # Calls of what a change took away: the name is called still, and nothing defines it.

  alias Ambix.Graph

  @typedoc "The definition that calls, the name that it calls, the file that this was in, and whether there is no doubt."
  @type call :: {Graph.symbol(), String.t(), Path.t(), boolean}

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
    # The files that each module was in, as far as it is gone from there, and those that it is in.
    called = for edge <- edges, uniq: true, do: elem(edge, 3)

    was_in =
      for module <- called,
          into: %{},
          do: {module, for({name, path} <- modules, within?(module, name, path, modules, defined), do: path)}

    found = for edge <- edges, is_map_key(functions, elem(edge, 4)) or was_in[elem(edge, 3)] != [], do: edge

    is_in =
      for module <- found |> Enum.map(&elem(&1, 3)) |> Enum.uniq(),
          into: %{},
          do: {module, for(one <- defined.(module), do: one.file)}

    found
    |> Enum.group_by(fn {_, _, _, module, name, arity} -> {module, name, arity} end)
    |> Enum.flat_map(fn {{module, name, arity}, edges} ->
      with file when file != nil <- place(Map.get(functions, name, []), was_in[module], is_in[module]),
           symbol = symbol(module, name, arity),
           [] <- defined.(symbol) do
        callers = for {from, caller, arity, _, _, _} <- edges, uniq: true, do: symbol(from, caller, arity)
        for caller <- callers, found <- Enum.take(defined.(caller), 1), do: {found, symbol, file, false}
      else
        _ -> []
      end
    end)
    |> Enum.sort_by(fn {caller, symbol, _, _} -> {symbol, caller.file, caller.line} end)
  end

  # A module may be written inside of another one, which is in the same file or was taken from it. Others end in the name by chance.
  defp within?(module, name, _path, _modules, _defined) when module == name, do: true

  defp within?(module, name, path, modules, defined) do
    String.ends_with?(module, "." <> name) and
      outer?(String.replace_suffix(module, "." <> name, ""), path, modules, defined)
  end

  defp outer?(outer, path, modules, defined) do
    Enum.any?(defined.(outer), &(&1.file == path)) or
      Enum.any?(modules, fn {name, from} -> from == path and within?(outer, name, path, modules, defined) end)
  end

  # Of a module that is gone, all is; in one that is there, what had a head where it is, or was.
  defp place(_functions, was_in, []), do: List.first(was_in)
  defp place(functions, was_in, is_in), do: Enum.find(functions, &(&1 in was_in or &1 in is_in))

  @doc "The calls, certain where they are among those that are: of a module that is gone nobody knows what an import brought in."
  @spec judged([call], [tuple]) :: [call]
  def judged(calls, certain) do
    certain =
      for {from, caller, its_arity, module, name, arity} <- certain,
          into: MapSet.new(),
          do: {symbol(from, caller, its_arity), symbol(module, name, arity)}

    for {caller, symbol, file, _} <- calls, do: {caller, symbol, file, {caller.symbol, symbol} in certain}
  end

  @doc "The name of a function as the graph has it; to ExUnit a test is a function."
  @spec symbol(String.t(), String.t() | nil, arity | nil) :: String.t()
  def symbol(module, nil, _arity), do: module
  def symbol(module, "test " <> name, 1), do: "#{module}.#{name}"
  def symbol(module, name, arity), do: "#{module}.#{name}/#{arity}"

  @doc "Who calls what is gone, as hits, without those that the change touched themselves."
  @spec callers([call], Graph.impact()) :: [Graph.hit()]
  def callers(calls, impact) do
    touched = MapSet.new(impact.touched, & &1.symbol)

    for {caller, symbol, _file, certain?} <- Enum.sort_by(calls, &(not elem(&1, 3))),
        caller.symbol not in touched do
      why = if certain?, do: "written", else: "by_name"
      tie = %{depth: 1, via: symbol, how: "call", certain: certain?, why: why, lines: []}
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
