defmodule Ambix.Sandbox.Driver.Macros do
  @moduledoc false
  # What the macros of a module depend on, read from the debug information in its beam: so that changing a function does
  # not look like changing the macros of the same module.

  @typedoc "A hash of the macros and of the module's functions they may call, and the other modules they may call."
  @type t :: %{hash: binary(), modules: [module()]}

  @doc "`nil` for a module without macros, or whose beam does not tell."
  def read(module, path) do
    with [_ | _] <- module.__info__(:macros),
         {:ok, {_, [debug_info: {:debug_info_v1, _, {:elixir_v1, %{definitions: definitions}, _}}]}} <-
           :beam_lib.chunks(String.to_charlist(path), [:debug_info]) do
      {roots, others} =
        Enum.split_with(definitions, fn {_, kind, _, _} -> kind in [:defmacro, :defmacrop] end)

      reached = reach(roots, others, [])
      syntax = for {id, kind, _meta, clauses} <- reached, do: {id, kind, strip(clauses)}
      %{hash: :erlang.md5(:erlang.term_to_binary(Enum.sort(syntax))), modules: modules(reached)}
    else
      _ -> nil
    end
  end

  # By name alone: more than is called, and never less.
  defp reach([], _others, reached), do: reached

  defp reach([definition | rest], others, reached) do
    names = names(definition)
    {called, others} = Enum.split_with(others, fn {{name, _}, _, _, _} -> name in names end)
    reach(called ++ rest, others, [definition | reached])
  end

  defp names(definition) do
    collect(definition, fn
      {name, meta, _} when is_atom(name) and is_list(meta) -> name
      _ -> nil
    end)
  end

  defp modules(definitions) do
    definitions
    |> Enum.flat_map(
      &collect(&1, fn
        {{:., _, [module, _function]}, _, _} when is_atom(module) -> module
        _ -> nil
      end)
    )
    |> Enum.uniq()
  end

  defp collect({_id, _kind, _meta, clauses}, fun) do
    {_, found} =
      Macro.prewalk(bodies(clauses), [], fn node, found ->
        if name = fun.(node), do: {node, [name | found]}, else: {node, found}
      end)

    Enum.uniq(found)
  end

  defp strip(clauses), do: Macro.prewalk(bodies(clauses), &Macro.update_meta(&1, fn _ -> [] end))

  defp bodies(clauses), do: for({_meta, arguments, guards, body} <- clauses, do: [arguments, guards, body])
end
