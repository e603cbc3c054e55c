defmodule Ambix.Graph.Trace.Tracer do
  @moduledoc false
  # A compiler tracer (see `Code`) that keeps each call from a function to a function. It runs in a VM of its own, in the sandbox, whose
  # working directory is the project; the native library is not there.

  @table __MODULE__

  @doc "Compiles the project of the working directory and prints its call edges, each line after the mark that is the first argument."
  def main do
    [mark] = System.argv()
    :ets.new(@table, [:named_table, :public, :set, write_concurrency: true])
    Mix.start()
    Code.compile_file("mix.exs")
    # The dependencies are compiled first, and without a tracer.
    Mix.Task.run("deps.loadpaths", ["--no-deps-check"])
    Mix.Task.run("compile", ["--force", "--tracer", inspect(__MODULE__)])
    # Before the first edge the compiler may have left a line open.
    IO.puts(["\n" | @table |> :ets.tab2list() |> Enum.sort() |> Enum.map(&[mark, line(&1)])])
  end

  @doc false
  def trace({kind, _meta, module, name, arity}, env) when kind in [:remote_function, :imported_function],
    do: keep(env, module, name, arity)

  def trace({:local_function, _meta, name, arity}, env), do: keep(env, env.module, name, arity)
  def trace(_event, _env), do: :ok

  # A call in the body of a module belongs to no function.
  defp keep(%{function: {name, arity}, module: module}, callee_module, callee, callee_arity)
       when module != nil do
    :ets.insert(
      @table,
      {{inspect(module), "#{name}", arity, inspect(callee_module), "#{callee}", callee_arity}}
    )

    :ok
  end

  defp keep(_env, _module, _name, _arity), do: :ok

  defp line({{caller_module, caller, caller_arity, callee_module, callee, callee_arity}}) do
    [
      ~s({"caller_module":),
      string(caller_module),
      ~s(,"caller_fun":),
      string(caller),
      ~s(,"caller_arity":#{caller_arity},"callee_module":),
      string(callee_module),
      ~s(,"callee_fun":),
      string(callee),
      ~s(,"callee_arity":#{callee_arity}}\n)
    ]
  end

  # Names have neither line breaks nor control characters.
  defp string(text), do: [?", text |> String.replace("\\", "\\\\") |> String.replace("\"", "\\\""), ?"]
end
