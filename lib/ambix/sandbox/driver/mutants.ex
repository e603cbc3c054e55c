defmodule Ambix.Sandbox.Driver.Mutants do
  @moduledoc false
  # Compiles many mutants at once and runs the tests on each of them.

  alias Ambix.Sandbox.Driver.{Formatter, Schemata, Suite, Workspace}

  # What does not compile may hide more of its kind.
  @rounds 3

  @doc """
  Emits, for every mutant, one of `{:unfit, id}` (it must be compiled by itself), `{:broken, id, message}` (it does not
  compile), or `{:mutant, id}`, the results of its tests and `{:tried, id, microseconds}`; until `stop?` says so.

  `base` is what the files look like that all mutants share; `failing` and `others` are ids of tests. The others run only
  when all that failed pass, until one of them fails. Of those that failed, the first `quick` run even when one fails again,
  unless the first of them hangs.
  """
  def run(state, %{base: base, mutants: mutants} = options, emit, stop?) do
    state = if state.suite, do: state, else: loaded(state, base)
    place = options.failing |> Enum.with_index() |> Map.new()
    failing = state |> Suite.select(options.failing) |> Enum.sort_by(&place[Formatter.id(&1)])
    others = Suite.select(state, options.others)
    options = Map.merge(options, %{failing: failing, others: others, max_failures: :infinity})
    {state, alive} = compile(state, base, mutants, emit, @rounds)

    options =
      Map.put(
        options,
        :loaded,
        for(one <- state.compiled.modules, Code.ensure_loaded?(one), do: {one, one.module_info(:md5)})
      )

    state = Enum.reduce_while(alive, state, &try_one(&1, &2, options, emit, stop?))
    Workspace.stop_application(state)
    state
  after
    Schemata.choose(0)
  end

  # The first thing that a fresh VM is asked.
  defp loaded(state, base) do
    {outcome, state} = Workspace.compile(state, base)
    if outcome.status == :error, do: Workspace.refuse("the project does not compile", outcome.errors)
    Suite.load(state, :all)
  end

  defp compile(state, _base, [], _emit, _rounds), do: {state, []}

  defp compile(state, base, mutants, emit, rounds) do
    {files, unfit} = prepare(state, base, mutants)
    for id <- unfit, do: emit.({:unfit, id})
    mutants = Enum.reject(mutants, &(&1.id in unfit))
    Schemata.choose(:watch)
    {outcome, state} = Workspace.compile(state, Map.merge(base, files))
    state = Suite.forget_changed(state, outcome)
    # A test that compiles the file once more would find the same again.
    broken = Enum.uniq_by(Schemata.take_broken() ++ reported(outcome), &elem(&1, 0))
    broken = for {id, message} <- broken, Enum.any?(mutants, &(&1.id == id)), do: {id, message}
    for {id, message} <- broken, do: emit.({:broken, id, Workspace.text(message)})
    rest = Enum.reject(mutants, &List.keymember?(broken, &1.id, 0))

    cond do
      outcome.status == :ok ->
        fit(state, rest, emit)

      outcome.status == :error and broken != [] and rounds > 1 ->
        compile(state, base, rest, emit, rounds - 1)

      true ->
        for mutant <- rest, do: emit.({:unfit, mutant.id})
        {state, []}
    end
  end

  defp prepare(state, base, mutants) do
    mutants
    |> Enum.group_by(& &1.file)
    |> Enum.reduce({%{}, []}, fn {file, mutants}, {files, unfit} ->
      text = text(state, base, file)
      batch = System.unique_integer([:positive])
      {stub, misfits} = Schemata.prepare(Path.join(state.work, file), text, mutants, batch)
      files = if length(misfits) == length(mutants), do: files, else: Map.put(files, file, stub)
      {files, misfits ++ unfit}
    end)
  end

  defp text(state, base, file),
    do: Map.get_lazy(base, file, fn -> state |> Workspace.original(file) |> elem(1) end)

  # A test may compile the file that it finds, which holds one mutant only.
  defp reload(loaded) do
    for {module, md5} <- loaded, not Code.ensure_loaded?(module) or module.module_info(:md5) != md5 do
      :code.purge(module)
      :code.load_file(module)
    end
  end

  defp reported(%{errors: errors}) do
    for %{line: line, message: message} <- errors, id = Schemata.owner(line), do: {id, message}
  end

  # A function that runs while other code is compiled has left its traces there: a mutant of it needs that code compiled again.
  # So everything that depends on the changed files is compiled now, and is watched.
  defp fit(state, mutants, emit) do
    state = if state.suite.stale == [], do: state, else: Suite.load(state, :all)
    called = Schemata.take_called()
    {unfit, fit} = Enum.split_with(mutants, &(&1.id in called))
    for mutant <- unfit, do: emit.({:unfit, mutant.id})
    {state, fit}
  end

  defp try_one(mutant, state, options, emit, stop?) do
    if stop?.() do
      {:halt, state}
    else
      emit.({:mutant, mutant.id})
      started = System.monotonic_time(:microsecond)
      Workspace.stop_application(state)
      Schemata.choose(mutant.id)
      Workspace.show(state, mutant.file, Schemata.changed(mutant, text(state, options.base, mutant.file)))
      state = test(state, options, emit)
      reload(options.loaded)
      emit.({:tried, mutant.id, System.monotonic_time(:microsecond) - started})
      {:cont, state}
    end
  end

  # An application that does not start any more leaves all tests without a result.
  defp test(state, options, emit) do
    state = Workspace.start_application(state)

    if mended?(options.failing, options, emit, state),
      do: passed?(options.others, %{options | max_failures: 1}, options.timeout_others, emit, state)

    state
  rescue
    _ -> state
  catch
    _, _ -> state
  end

  # First one alone: where that hangs the others would hang too. Then those that are quick, so that a part that is mended can
  # be seen, and the rest if all of them pass.
  defp mended?(tests, options, emit, state) do
    {first, rest} = Enum.split(tests, 1)
    {quick, slow} = Enum.split(rest, options.quick - 1)
    run = &passed?(&1, options, options.timeout, emit, state)

    with one when one != :hung <- run.(first),
         true <- run.(quick) == true and one,
         do: run.(slow) == true,
         else: (_ -> false)
  end

  defp passed?([], _options, _timeout, _emit, _state), do: true

  defp passed?(tests, options, timeout, emit, state) do
    started = System.monotonic_time(:millisecond)
    result = Suite.run_tests(tests, Map.put(options, :timeout, timeout), emit, state)
    hung? = System.monotonic_time(:millisecond) - started >= timeout

    cond do
      result.failures == 0 -> true
      hung? -> :hung
      true -> false
    end
  end
end
