defmodule Ambix.Sandbox.Driver.Suite do
  @moduledoc false
  # Loads the project's test files and runs tests of them, again and again in the same VM.

  alias Ambix.Compat
  alias Ambix.Sandbox.Driver.{Formatter, Tracer, Workspace}

  @doc """
  Starts the application and loads what is not loaded yet or not any more: of all test files, or of those that
  hold tests with certain ids. The first time it is all of them.
  """
  def load(%{suite: nil} = state, _ids) do
    config = Mix.Project.config()
    selection = follow_alias(config)
    state = Workspace.start_application(state)
    folders = config[:test_paths] || Enum.filter(["test"], &File.dir?/1)
    files = folders |> Mix.Utils.extract_files(config[:test_pattern] || "*_test.exs") |> Enum.sort()

    if files == [],
      do: Workspace.refuse("the project has no tests (no file #{pattern(config)} in #{paths(config)})")

    configure(seed: 0)
    for folder <- folders, do: require_helper(folder, selection)
    suite = %{files: files, stale: files, modules: %{}}
    require_files(%{state | suite: suite}, files)
  end

  def load(state, ids) do
    state = Workspace.start_application(state)
    files = if ids == :all, do: state.suite.stale, else: files_of(ids, state)
    if files == [], do: state, else: require_files(state, files)
  end

  # What an alias of `test` does before the tests, and the options that it gives them. A step may need what is not in the
  # sandbox, such as a database; whether the tests do too, they tell.
  defp follow_alias(config) do
    steps = List.wrap(config[:aliases][:test])
    {before, rest} = Enum.split_while(steps, &(not test_step?(&1)))
    if rest != [], do: Enum.each(before, &attempt/1)
    rest |> Enum.take(1) |> Enum.flat_map(fn step -> step |> OptionParser.split() |> tl() end) |> selection()
  end

  defp test_step?(step), do: is_binary(step) and match?(["test" | _], OptionParser.split(step))

  defp attempt(step) do
    case step do
      step when is_function(step, 1) -> step.([])
      step when is_binary(step) -> step |> OptionParser.split() |> run_task()
      _ -> :ok
    end
  rescue
    _ -> :ok
  catch
    _, _ -> :ok
  end

  defp run_task([task | arguments]), do: Mix.Task.run(task, arguments)
  defp run_task([]), do: :ok

  defp selection(arguments) do
    {options, _, _} =
      OptionParser.parse(arguments,
        switches: [include: :keep, exclude: :keep, only: :keep],
        allow_nonexistent_atoms: true
      )

    filters = fn key -> options |> Keyword.get_values(key) |> ExUnit.Filters.parse() end
    only = filters.(:only)

    [
      include: filters.(:include) ++ only,
      exclude: filters.(:exclude) ++ if(only == [], do: [], else: [:test])
    ]
  end

  # Modules keep their names, so what was loaded before tells where a test is.
  defp files_of(ids, state) do
    wanted = MapSet.new(ids, fn id -> id |> String.split(": ", parts: 2) |> hd() end)
    found = for {file, modules} <- state.suite.modules, Enum.any?(modules, &(inspect(&1) in wanted)), do: file
    known = state.suite.modules |> Map.values() |> List.flatten() |> MapSet.new(&inspect/1)

    if MapSet.subset?(wanted, known),
      do: Enum.filter(state.suite.stale, &(&1 in found)),
      else: state.suite.stale
  end

  @doc "After a compilation: which test files must be loaded again."
  def forget_changed(%{suite: nil} = state, _outcome), do: state

  def forget_changed(%{suite: suite} = state, _outcome) do
    stale =
      for file <- suite.files,
          file in suite.stale or Tracer.affected?(Path.expand(file), state.compiled, state.macros),
          do: file

    %{state | suite: %{suite | stale: stale}}
  end

  @doc "All tests: id, module, name, file, line."
  def list(state) do
    for {_file, modules} <- Enum.sort(state.suite.modules),
        module <- modules,
        test <- module.__ex_unit__().tests,
        do: Formatter.describe(test, state)
  end

  @doc """
  Runs tests one after the other and emits each result; answers with the time taken in microseconds.
  Options: `ids` (list or `:all`), `seed`, `timeout`, `max_failures`.
  """
  def run(state, options, emit) do
    tests = select(state, options.ids)
    started = System.monotonic_time(:microsecond)
    run_tests(tests, options, emit, state)
    System.monotonic_time(:microsecond) - started
  end

  @doc "Runs tests, given as `{module, name}`."
  def run_tests(tests, options, emit, state) do
    modules = tests |> Enum.map(&elem(&1, 0)) |> Enum.uniq()

    configure(
      formatters: [Formatter],
      only_test_ids: MapSet.new(tests),
      seed: options.seed,
      timeout: options.timeout,
      max_failures: options.max_failures,
      ambix: %{emit: emit, state: state}
    )

    try do
      ExUnit.run(modules)
    after
      Application.delete_env(:ex_unit, :ambix)
    end
  end

  @doc "The tests with these ids as `{module, name}`, in the order of files and lines."
  def select(state, ids) do
    all =
      for {_file, modules} <- Enum.sort(state.suite.modules),
          module <- modules,
          test <- module.__ex_unit__().tests,
          do: {Formatter.id(test), {test.module, test.name}}

    case ids do
      :all ->
        Enum.map(all, &elem(&1, 1))

      ids ->
        wanted = MapSet.new(ids)
        found = for {id, test} <- all, id in wanted, do: {id, test}
        missing = MapSet.difference(wanted, MapSet.new(found, &elem(&1, 0)))

        unless Enum.empty?(missing) do
          throw({:refused, :not_found, "the project has no test #{inspect(Enum.min(missing))}", []})
        end

        Enum.map(found, &elem(&1, 1))
    end
  end

  defp require_helper(folder, selection) do
    helper = Path.join(folder, "test_helper.exs")
    if File.regular?(helper), do: Code.require_file(helper), else: Workspace.refuse("#{helper} is missing")

    # As with `mix test`, what is given on the command line adds to what the helper says.
    for {key, tags} <- selection, tags != [] do
      Application.put_env(:ex_unit, key, tags ++ Application.get_env(:ex_unit, key, []))
    end

    configure([])
  end

  defp require_files(state, files) do
    for file <- files, do: Code.unrequire_files([Path.expand(file)])
    {:ok, modules} = Agent.start_link(fn -> [] end)

    each_module = fn file, module, _ ->
      Agent.update(modules, &[{Path.relative_to_cwd(file), module} | &1])
    end

    paths = Enum.map(files, &Path.expand/1)

    result =
      Kernel.ParallelCompiler.require(paths, Compat.diagnostics_options() ++ [each_module: each_module])

    found = Agent.get(modules, & &1)
    Agent.stop(modules)

    with {:error, errors, _warnings} <- result do
      Workspace.refuse("the test files do not compile", Workspace.diagnostics(errors, state))
    end

    drain()
    # A file that was loaded again has replaced its modules.
    tests =
      for {file, module} <- Enum.sort(found), function_exported?(module, :__ex_unit__, 0), do: {file, module}

    loaded = Enum.group_by(tests, &elem(&1, 0), &elem(&1, 1))
    kept = Map.drop(state.suite.modules, files)
    Tracer.take_compiled()
    %{state | suite: %{state.suite | stale: state.suite.stale -- files, modules: Map.merge(kept, loaded)}}
  end

  # ExUnit enters every module that it loads into the next run; this is that run, and it runs no test.
  defp drain do
    configure(formatters: [], only_test_ids: MapSet.new())
    ExUnit.run()
  end

  # One test at a time, so that a run is the same each time and what was printed or covered belongs to one test.
  defp configure(options) do
    ExUnit.configure([autorun: false, max_cases: 1, colors: [enabled: false], trace: false] ++ options)
  end

  defp pattern(config), do: config[:test_pattern] || "*_test.exs"
  defp paths(config), do: Enum.join(config[:test_paths] || ["test"], ", ")
end
