# Writes the table of what the standard library defines: a line for each module, with its functions and macros.
#
#     elixir scripts/std_lib.exs crates/core/src/graph/build/std_lib.txt
#
# What the file holds already is kept, so that running it with several versions of Elixir gives what any of them has.
# `name/arity` is a function, `name/arity!` a macro, `name/arity=` a function that the compiler replaces by one of another
# name.

[path] = System.argv()

applications = [:elixir, :eex, :ex_unit, :iex, :logger, :mix]

erlang =
  ~w(array binary crypto dict erlang ets file filename gb_sets gb_trees io lists maps math ordsets os proplists queue
     rand re sets string timer unicode)a

elixir =
  for application <- applications,
      _ = Application.load(application),
      module <- Application.spec(application, :modules) || [],
      String.starts_with?(Atom.to_string(module), "Elixir."),
      Code.ensure_loaded?(module),
      do: module

mark = fn module, name, arity ->
  case :elixir_rewrite.inline(module, name, arity) do
    {_module, other} when other != name -> "="
    _ -> ""
  end
end

entry = fn name, arity, mark -> "#{name}/#{arity}#{mark}" end
operator? = fn name -> Macro.operator?(name, 1) or Macro.operator?(name, 2) or name == :"..//" end
plain? = fn name -> Atom.to_string(name) =~ ~r/^[a-z][A-Za-z0-9_]*[?!]?$/ or operator?.(name) end

now =
  for module <- elixir ++ erlang, into: %{} do
    functions = if module in elixir, do: module.__info__(:functions), else: module.module_info(:exports)
    macros = if module in elixir, do: module.__info__(:macros), else: []

    names =
      for({name, arity} <- functions, plain?.(name), do: entry.(name, arity, mark.(module, name, arity))) ++
        for {name, arity} <- macros, plain?.(name), do: entry.(name, arity, "!")

    {inspect(module), names}
  end

before =
  case File.read(path) do
    {:ok, text} ->
      for line <- String.split(text, "\n", trim: true), into: %{} do
        [module | names] = String.split(line, " ")
        {module, names}
      end

    {:error, _} ->
      %{}
  end

lines =
  now
  |> Map.merge(before, fn _module, new, old -> new ++ old end)
  |> Enum.reject(fn {_module, names} -> names == [] end)
  |> Enum.sort()
  |> Enum.map(fn {module, names} ->
    [module, " ", names |> Enum.uniq() |> Enum.sort() |> Enum.join(" "), "\n"]
  end)

File.write!(path, lines)
