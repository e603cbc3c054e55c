defmodule Ambix.Sandbox.Driver.Formatter do
  @moduledoc false
  # The ExUnit formatter that turns events into plain data and emits them.
  #
  # How to emit comes with ExUnit's options, which are an application's environment for all to read: it is taken out of
  # there before any test runs, and kept where no other process looks, so not in the server's state.

  use GenServer

  alias Ambix.Sandbox.Driver.Workspace

  @part 1200
  @before 60

  @doc "`\"Module: test name\"`, unique in a project."
  def id(%ExUnit.Test{module: module, name: name}), do: id({module, name})
  def id({module, name}), do: "#{inspect(module)}: #{name}"

  @doc "Which test it is, as plain data."
  def describe(%ExUnit.Test{} = test, state) do
    %{
      id: id(test),
      module: inspect(test.module),
      name: Atom.to_string(test.name),
      file: Path.relative_to(test.tags.file, state.work),
      line: Workspace.line(test.tags.line)
    }
  end

  @impl true
  def init(options) do
    Process.flag(:sensitive, true)
    Process.put(:context, Keyword.fetch!(options, :ambix))
    Application.delete_env(:ex_unit, :ambix)
    {:ok, nil}
  end

  @impl true
  def handle_cast({:test_started, test}, nil) do
    emit({:started, id(test)})
    {:noreply, nil}
  end

  def handle_cast({:test_finished, test}, nil) do
    emit_result(test)
    {:noreply, nil}
  end

  # Tests of a module whose setup_all has died get no event of their own.
  def handle_cast({:module_finished, %{state: {:failed, failures}, tests: tests}}, nil) do
    for test <- tests, test.state == nil do
      emit_result(%{test | state: {:invalid, %{state: {:failed, failures}}}})
    end

    {:noreply, nil}
  end

  def handle_cast(_event, nil), do: {:noreply, nil}

  defp emit(message), do: Process.get(:context).emit.(message)
  defp emit_result(test), do: emit({:test, result(test, Process.get(:context).state)})

  defp result(test, state) do
    {outcome, failures} = outcome(test.state)

    Map.merge(describe(test, state), %{
      state: outcome,
      message: failures |> Enum.map_join("\n\n", &message/1) |> Workspace.text(),
      frames: failures |> Enum.flat_map(&stack/1) |> Enum.flat_map(&frame(&1, state)) |> Enum.take(50),
      microseconds: test.time
    })
  end

  defp outcome(nil), do: {:passed, []}
  defp outcome({:excluded, _}), do: {:excluded, []}
  defp outcome({:skipped, _}), do: {:skipped, []}
  defp outcome({:invalid, %{state: {:failed, failures}}}), do: {:invalid, failures}
  defp outcome({:invalid, _}), do: {:invalid, []}

  defp outcome({:failed, failures}) do
    timeout? = Enum.any?(failures, &match?({_, %ExUnit.TimeoutError{}, _}, &1))
    {if(timeout?, do: :timeout, else: :failed), failures}
  end

  defp message({kind, reason, stack}) do
    kind |> Exception.format_banner(reason, stack) |> parts()
  rescue
    _ -> "#{inspect(kind)} that cannot be shown"
  end

  # A large left side must not push the right side out of the message, nor what both begin with the difference.
  defp parts(message) when byte_size(message) <= @part, do: message

  defp parts(message) do
    parts = String.split(message, ~r/^(?=(?:code|left|right): )/m)

    sides =
      for part <- parts,
          String.starts_with?(part, ["left: ", "right: "]),
          do: binary_part(part, 7, byte_size(part) - 7)

    same = if length(sides) == 2, do: max(:binary.longest_common_prefix(sides) - @before, 0), else: 0

    Enum.map_join(parts, fn part ->
      part = if String.starts_with?(part, ["left: ", "right: "]), do: later(part, same), else: part
      if String.length(part) > @part, do: String.slice(part, 0, @part) <> "…\n", else: part
    end)
  end

  defp later(part, 0), do: part

  defp later(<<label::binary-size(7), rest::binary>>, same) do
    # Half a character at the beginning is none.
    rest = rest |> binary_part(same, byte_size(rest) - same) |> whole()
    label <> "…" <> rest
  end

  defp whole(<<byte, rest::binary>>) when byte in 0x80..0xBF, do: whole(rest)
  defp whole(text), do: text

  defp stack({{:EXIT, _}, {_, [_ | _] = stack}, []}), do: stack
  defp stack({_, %ExUnit.MultiError{errors: errors}, _}), do: Enum.flat_map(errors, &stack/1)
  defp stack({_, _, stack}), do: stack

  defp frame({module, function, arity, location}, state) when is_atom(module) and is_list(location) do
    with [_ | _] = file <- Keyword.get(location, :file),
         true <- project?(module),
         relative when relative != nil <- file |> List.to_string() |> Workspace.relative(state) do
      arity = if is_list(arity), do: length(arity), else: arity

      [
        %{
          file: relative,
          line: Workspace.line(Keyword.get(location, :line, 0)),
          module: inspect(module),
          function: Atom.to_string(function),
          arity: arity
        }
      ]
    else
      _ -> []
    end
  end

  defp frame(_other, _state), do: []

  # Modules of the project have their beam in its build folder; those of test files have none.
  defp project?(module) do
    case :code.which(module) do
      [] ->
        true

      path when is_list(path) ->
        path |> List.to_string() |> String.starts_with?(Path.dirname(Workspace.ebin()))

      other ->
        other in [:non_existing, :cover_compiled]
    end
  end
end
