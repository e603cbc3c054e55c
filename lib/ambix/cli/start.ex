defmodule Ambix.CLI.Start do
  @moduledoc false
  # Begins a command in a VM of Erlang that has the compiled code in its path and nothing else: no Mix, and no project that has to be
  # read. `Ambix.CLI.ClientConfig` says how it is called; what stands behind `-extra` is the command and its arguments.

  alias Ambix.PathDependencies
  alias Mix.Tasks.Ambix, as: Tasks

  # The commands that a coding agent waits for.
  @tasks %{"mcp" => Tasks.Mcp, "check" => Tasks.Check}

  @doc "For `erl -s`, which goes on when this returns. The VM ends with the command, and with its code."
  @spec start() :: pid
  def start do
    {:ok, _} = :application.ensure_all_started(:elixir)
    [name | argv] = Enum.map(:init.get_plain_arguments(), &List.to_string/1)
    task = Map.fetch!(@tasks, name)
    spawn(fn -> System.halt(code(task, argv)) end)
  end

  # As Mix ends by them.
  defp code(task, argv) do
    # All of the configuration that counts here; Mix would have run it.
    if paths = PathDependencies.configured("."), do: Application.put_env(:ambix, :allow_paths, paths)
    task.run(argv)
    0
  catch
    :exit, {:shutdown, code} when is_integer(code) ->
      code

    kind, reason ->
      IO.puts(:stderr, Exception.format(kind, reason, __STACKTRACE__))
      1
  end
end
