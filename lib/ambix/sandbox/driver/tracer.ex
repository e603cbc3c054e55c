defmodule Ambix.Sandbox.Driver.Tracer do
  @moduledoc false
  # A compiler tracer: remembers which file refers to which module, and how, so that only those test files are
  # loaded again whose compilation depends on what has changed.

  @table __MODULE__

  def start do
    :ets.new(@table, [:named_table, :public, :set])
    Code.put_compiler_option(:tracers, [__MODULE__ | Code.get_compiler_option(:tracers)])
  end

  @doc "The files and the modules that were compiled since the last call."
  def take_compiled do
    compiled = :ets.select(@table, [{{{:compiled, :"$1", :"$2"}}, [], [{{:"$1", :"$2"}}]}])
    :ets.match_delete(@table, {{:compiled, :_, :_}})
    {MapSet.new(compiled, &elem(&1, 0)), Enum.map(compiled, &elem(&1, 1))}
  end

  @doc """
  Whether compiling `file` again could give something else: given the files that were compiled, the modules whose outside
  or whose macros have changed by that, and what the macros of each module depend on.
  """
  def affected?(file, %{files: files, different: different, different_macros: different_macros}, macros) do
    used = references(file, :macro)

    Enum.any?(references(file, :export), &(&1 in different)) or
      Enum.any?(used, &(&1 in different_macros)) or
      used |> Enum.flat_map(&macro_modules(macros[&1])) |> reaches?(MapSet.new(), files) or
      reaches?(references(file, :compile), MapSet.new(), files)
  end

  defp macro_modules(nil), do: []
  defp macro_modules(%{modules: modules}), do: modules

  # A module that runs at compile time may run everything that it refers to.
  defp reaches?([], _seen, _changed), do: false

  defp reaches?([module | rest], seen, changed) do
    file = file_of(module)

    cond do
      file == nil or file in seen -> reaches?(rest, seen, changed)
      file in changed -> true
      true -> reaches?(references(file, :_) ++ rest, MapSet.put(seen, file), changed)
    end
  end

  defp references(file, kind), do: :ets.match(@table, {{file, kind, :"$1"}}) |> List.flatten()

  defp file_of(module) do
    case :ets.lookup(@table, {:module, module}) do
      [{_, file}] -> file
      [] -> nil
    end
  end

  def trace({:on_module, _binary, _}, env) do
    :ets.insert(@table, [{{:module, env.module}, env.file}, {{:compiled, env.file, env.module}}])
    :ok
  end

  def trace({kind, _, module, _, _}, env) when kind in [:remote_macro, :imported_macro],
    do: refer(env, :macro, module)

  def trace({kind, _, module, _, _}, env) when kind in [:remote_function, :imported_function],
    do: refer(env, by_place(env), module)

  # A module that is only named in a body, as in `doctest Name`, is not called there, unless dynamically.
  def trace({:alias_reference, _, module}, %{function: nil} = env), do: refer(env, :export, module)
  def trace({:alias_reference, _, module}, env), do: refer(env, :runtime, module)
  def trace({:struct_expansion, _, module, _}, env), do: refer(env, :export, module)
  def trace({:import, _, module, _}, env), do: refer(env, :export, module)
  def trace(_event, _env), do: :ok

  # What a module's body calls, it calls at compile time.
  defp by_place(%{function: nil}), do: :compile
  defp by_place(_env), do: :runtime

  defp refer(env, kind, module) do
    :ets.insert(@table, {{env.file, kind, module}})
    :ok
  end
end
