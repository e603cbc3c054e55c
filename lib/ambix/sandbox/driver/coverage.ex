defmodule Ambix.Sandbox.Driver.Coverage do
  @moduledoc false
  # Which lines of the project each test runs, by OTP's cover.

  alias Ambix.Compat
  alias Ambix.Sandbox.Driver.{Formatter, Suite, Workspace}

  @doc """
  Runs tests once more with coverage, and emits `{:covered, ids, [{file, lines}]}`, with lines as `pack/1` writes them.

  The tests in `first` run one by one whatever it takes; those in `others` one by one until `budget_ms` is used up or `bytes`
  are said, then by module. Answers how many tests ran each way.
  """
  def run(state, options, emit) do
    first = Suite.select(state, options.first)
    others = Suite.select(state, options.others)
    sources = sources(state)
    Workspace.stop_application(state)
    start(Map.keys(sources))
    state = Workspace.start_application(state)

    try do
      deadline = System.monotonic_time(:millisecond) + options.budget_ms
      said = for test <- first, reduce: 0, do: (said -> said + cover([test], sources, options, emit, state))
      one = fn test -> cover([test], sources, options, emit, state) end
      {single, rest} = until(others, {deadline, options.bytes - said}, one, 0)
      groups = Enum.chunk_by(rest, &elem(&1, 0))
      for tests <- groups, do: cover(tests, sources, options, emit, state)
      %{one_by_one: length(first) + single, by_module: length(rest)}
    after
      tool(:stop)
      Workspace.stop_application(state)
    end
  end

  defp until([test | rest] = tests, {deadline, bytes}, cover, done) do
    if System.monotonic_time(:millisecond) < deadline and bytes > 0,
      do: until(rest, {deadline, bytes - cover.(test)}, cover, done + 1),
      else: {done, tests}
  end

  defp until([], _bounds, _cover, done), do: {done, []}

  defp start(modules) do
    :ok = Compat.ensure_application(:tools)
    {:ok, _} = tool(:start)
    if function_exported?(:cover, :local_only, 0), do: tool(:local_only)
    tool(:compile_beam, [for(module <- modules, path = beam(module), do: path)])
  end

  defp beam(module) do
    path = Path.join(Workspace.ebin(), "#{module}.beam")
    if File.regular?(path), do: String.to_charlist(path)
  end

  defp cover(tests, sources, options, emit, state) do
    tool(:reset)
    Suite.run_tests(tests, %{options | max_failures: :infinity}, fn _ -> :ok end, state)
    ids = Enum.map(tests, &Formatter.id/1)
    lines = lines(sources)
    emit.({:covered, ids, lines})
    :erlang.external_size(lines)
  end

  defp lines(sources) do
    {:result, counts, _} = tool(:analyse, [:calls, :line])

    counts
    |> Enum.flat_map(fn {{module, line}, calls} ->
      case sources do
        %{^module => {file, last}} when calls > 0 and line in 1..last//1 -> [{file, line}]
        _ -> []
      end
    end)
    |> Enum.group_by(&elem(&1, 0), &elem(&1, 1))
    |> Enum.map(fn {file, lines} -> {file, lines |> Enum.uniq() |> Enum.sort() |> pack()} end)
    |> Enum.sort()
  end

  @doc "Sorted lines as the distances between them, a byte each; where that is not enough, zeros of 255 stand before it."
  def pack(lines) do
    {bytes, _} = Enum.map_reduce(lines, 0, fn line, before -> {distance(line - before), line} end)
    IO.iodata_to_binary(bytes)
  end

  defp distance(lines),
    do: [:binary.copy(<<0>>, div(lines - 1, 255)), rem(lines - 1, 255) + 1]

  # The source of each module and its number of lines: macros can give a module lines of another file.
  defp sources(state) do
    for path <- Path.wildcard(Path.join(Workspace.ebin(), "*.beam")),
        module = path |> Path.basename(".beam") |> String.to_atom(),
        source = module.module_info(:compile)[:source],
        file = source |> List.to_string() |> Workspace.relative(state),
        into: %{} do
      {module, {file, file |> File.stream!() |> Enum.count() |> max(1)}}
    end
  end

  # OTP's tools are needed in the sandbox only, so Ambix does not list them among its applications.
  defp tool(function, arguments \\ []), do: apply(:cover, function, arguments)
end
