defmodule Ambix.Tracer do
  @moduledoc """
  A compiler tracer that writes down which function calls which, macros included, for `Ambix.Index.observe/2`.

  A BEAM file says what a module calls once it is compiled, but not which macros were called on the way. With this tracer
  the code graph knows those too:

      mix compile --force --tracer Ambix.Tracer
      mix ambix.graph callers Shop.Cart.add/2 --compiled

  or, for every compilation, in `mix.exs`:

      def project do
        [..., elixirc_options: [tracers: [Ambix.Tracer]]]
      end

  For each source file that is compiled one file is replaced in the folder `ambix` of the build path (`_build/dev/ambix`),
  so that after a compilation of what changed the folder is as if all had been compiled. Tracing never stops a compilation:
  where a file cannot be written, nothing is.
  """

  @table __MODULE__
  @calls [:remote_function, :imported_function, :remote_macro, :imported_macro]

  @doc "Where traces are written: in the build path of the current mix project."
  @spec folder() :: Path.t()
  def folder, do: Path.join(Mix.Project.build_path(), "ambix")

  @doc false
  def trace(:start, env) do
    if enter(env.file, 1) == 1, do: :ets.match_delete(table(), {env.file, :_})
    :ok
  end

  def trace(:stop, env) do
    if enter(env.file, -1) == 0, do: flush(env.file)
    :ok
  end

  def trace({kind, meta, module, name, arity}, env) when kind in @calls,
    do: keep(env, meta, module, name, arity, kind in [:remote_macro, :imported_macro])

  def trace({kind, meta, name, arity}, env) when kind in [:local_function, :local_macro],
    do: keep(env, meta, env.module, name, arity, kind == :local_macro)

  def trace(_event, _env), do: :ok

  # A macro may compile more code under the name of the file that is being compiled: that is a part of the file, and neither
  # its beginning nor its end.
  defp enter(file, step) do
    key = {__MODULE__, file}
    depth = Process.get(key, 0) + step
    if depth > 0, do: Process.put(key, depth), else: Process.delete(key)
    depth
  end

  defp keep(%{module: nil}, _meta, _module, _name, _arity, _macro?), do: :ok

  defp keep(env, meta, module, name, arity, macro?) do
    line = Keyword.get(meta, :line, env.line)
    :ets.insert(table(), {env.file, {env.module, env.function, module, name, arity, line, macro?}})
    :ok
  end

  # Files are compiled by many short-lived processes: the table belongs to one that stays.
  defp table do
    if :ets.whereis(@table) == :undefined do
      parent = self()

      holder =
        spawn(fn ->
          try do
            :ets.new(@table, [:named_table, :public, :duplicate_bag, write_concurrency: true])
          rescue
            # Somebody else was faster.
            ArgumentError -> send(parent, {@table, self()})
          else
            _ ->
              send(parent, {@table, self()})
              Process.sleep(:infinity)
          end
        end)

      receive do: ({@table, ^holder} -> :ok)
    end

    @table
  end

  defp flush(file) do
    calls = table() |> :ets.take(file) |> Enum.map(&elem(&1, 1)) |> Enum.uniq() |> Enum.sort()
    # Without a project there is nowhere to write to.
    if Code.ensure_loaded?(Mix.Project) and Mix.Project.get() != nil, do: write(file, calls)
  end

  defp write(file, calls) do
    path = Path.join(folder(), trace_name(file))

    if calls == [] do
      _ = File.rm(path)
    else
      text = [~s({"source":), string(file), "}\n" | Enum.map(calls, &line/1)]
      temporary = "#{path}.#{System.unique_integer([:positive])}"

      with :ok <- File.mkdir_p(folder()),
           :ok <- File.write(temporary, text),
           do: File.rename(temporary, path)
    end
  end

  defp trace_name(file) do
    digest = :crypto.hash(:sha256, file) |> Base.encode16(case: :lower) |> binary_part(0, 16)
    "#{Path.basename(file)}-#{digest}.trace"
  end

  defp line({caller_module, function, module, name, arity, line, macro?}) do
    {caller, caller_arity} =
      case function do
        {caller, arity} -> {string("#{caller}"), "#{arity}"}
        nil -> {"null", "null"}
      end

    [
      [~s({"cm":), string(inspect(caller_module)), ~s(,"cf":), caller, ~s(,"ca":), caller_arity],
      [~s(,"m":), string(inspect(module)), ~s(,"f":), string("#{name}"), ~s(,"a":#{arity},"l":#{line})],
      if(macro?, do: ~s(,"k":1}\n), else: "}\n")
    ]
  end

  # The native library, which makes JSON elsewhere, may not be there yet when a project is compiled.
  defp string(text) do
    escaped =
      for <<char::utf8 <- text>>, into: "" do
        case char do
          ?" -> "\\\""
          ?\\ -> "\\\\"
          char when char < 0x20 -> "\\u" <> (char |> Integer.to_string(16) |> String.pad_leading(4, "0"))
          char -> <<char::utf8>>
        end
      end

    [?", escaped, ?"]
  end
end
