defmodule Ambix.Tool.RunTests do
  @moduledoc """
  The tool that runs tests in the sandbox, with or without edits that are not on the disk, and tells of the failures only.

  Failures with one cause are told as one in the text. In an umbrella the tests of all apps are run, or of those that hold tests that are meant.
  """

  @behaviour Ambix.Tool

  alias Ambix.Error
  alias Ambix.Sandbox.Project
  alias Ambix.Tool
  alias Ambix.Tool.{Answer, Call, Change, Failure, Fit, Projects, Selection}

  @input [
    tests: [type: {:list, :string}, doc: "files, file:line, parts of names"],
    changed: [type: :boolean, default: false, doc: "those that edits reach"],
    since: [type: :string, doc: "commit, else HEAD"],
    stale: [type: :boolean, default: false, doc: "those not run since they changed"],
    change: Change.option()
  ]

  @output %{
    "type" => "object",
    "properties" => %{
      "status" => %{"enum" => ["passed", "failed", "no_tests", "not_compiled"]},
      "failures" => %{"type" => "array"}
    }
  }

  # A client that does not wait so long cancels the call.
  @most_ms 1_800_000
  @test_ms 60_000
  # A sentence holds no more.
  @most_words 5

  @impl true
  def tool do
    %Tool{
      name: "run_tests",
      title: "Run tests",
      description:
        "Use instead of `mix test`: only the failures, with code, left, right and first frame; with changed, only the tests that your edits reach. Writes nothing.",
      input: @input,
      output: @output,
      effect: :run
    }
  end

  @impl true
  def run(args, %Call{host: %{root: root} = host} = call) do
    with {:ok, texts} <- Change.texts(root, args[:change]),
         {:ok, selection} <- Selection.of(host, args, texts),
         apps = Enum.filter(Projects.apps(root), &Selection.concerns?(selection, &1)),
         {:ok, results} <- run_all(host, apps, texts, selection, call),
         :ok <- some(results, args[:tests] || []),
         do: {:ok, answer(results, args[:changed] == true, Projects.remark(host), call.budget)}
  end

  defp run_all(host, apps, texts, selection, call) do
    deadline = now() + @most_ms

    apps
    |> Enum.with_index()
    |> Enum.reduce_while({:ok, []}, fn {app, nth}, {:ok, done} ->
      if call.progress, do: call.progress.(%{phase: :testing, done: nth, total: length(apps)})

      case Projects.with_sandbox(host, app, texts, &suite(&1, app, selection, deadline)) do
        {:ok, result} -> {:cont, {:ok, done ++ [result]}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
  end

  defp suite(server, app, selection, deadline) do
    with {:ok, tests} <- Project.tests(server, timeout_ms: left(deadline)),
         {ids, _} when ids != [] <- {Selection.ids(selection, app, tests), tests},
         wanted = if(ids == :all, do: length(tests), else: length(ids)),
         opts = [only: ids, timeout_ms: left(deadline), timeout_per_test: @test_ms],
         {:ok, suite} <- Project.run_tests(server, opts) do
      {:ok,
       %{
         app: app,
         tests: suite.tests,
         files: [],
         missing: wanted - length(suite.tests),
         broken: [],
         seconds: suite.microseconds / 1_000_000
       }}
    else
      {[], tests} -> {:ok, %{nothing(app) | files: files(app, tests)}}
      {:error, %Error{kind: :project, message: "the project has no tests" <> _}} -> {:ok, nothing(app)}
      {:error, %Error{details: %{diagnostics: [_ | _] = broken}}} -> {:ok, %{nothing(app) | broken: broken}}
      error -> error
    end
  end

  # `files` are those of the tests among which none is meant.
  defp nothing(app), do: %{app: app, tests: [], files: [], missing: 0, broken: [], seconds: 0.0}

  defp files(app, tests), do: for(test <- tests, uniq: true, do: Projects.place(app, test.file))

  defp some(results, named) do
    if named != [] and Enum.all?(results, &(&1.tests == [] and &1.broken == [])) do
      words = named |> Enum.take(@most_words) |> Enum.map_join(", ", &inspect(&1, printable_limit: 60))
      files = Enum.flat_map(results, & &1.files)

      sentence =
        case for(word <- named, word != "", file <- Selection.called(word, files), uniq: true, do: file) do
          [] ->
            "no test is meant by #{words}: give test files, file:line, or parts of names"

          files ->
            "#{words} may mean several files, name one: #{files |> Enum.take(@most_words) |> Enum.join(", ")}"
        end

      {:error, Error.new(:not_found, sentence)}
    else
      :ok
    end
  end

  defp answer(results, changed?, remark, budget) do
    tests = for %{app: app, tests: tests} <- results, test <- tests, do: {app, test}
    broken = for %{app: app, broken: broken} <- results, one <- broken, do: broken(one, app)

    failures =
      for {app, test} <- tests, test.state in [:failed, :timeout, :invalid], do: Failure.new(test, app)

    groups = failures |> Enum.group_by(&Failure.cause/1) |> Map.values() |> Enum.sort_by(&hd(&1).file)

    data = %{
      status: status(tests, failures, broken),
      total: length(tests),
      passed: count(tests, [:passed]),
      failed: length(failures),
      skipped: count(tests, [:skipped, :excluded]),
      not_run: results |> Enum.map(& &1.missing) |> Enum.sum(),
      seconds: results |> Enum.map(& &1.seconds) |> Enum.sum() |> Kernel./(1) |> Float.round(1),
      remark: remark,
      failures: [],
      broken: []
    }

    blocks =
      Enum.map(broken, &{&1, &1}) ++
        Enum.map(groups, fn [first | others] -> {Failure.text(first, others), first} end)

    {text, count} = Fit.blocks(Fit.lines([title(data, changed?), remark]), blocks, budget, data)
    data = %{data | broken: Enum.take(broken, count)}
    told = Enum.take(groups, max(count - length(broken), 0))
    # Those with the cause of one that is told, as far as there is room: the text has their places.
    shown = Fit.terms(Enum.map(told, &hd/1) ++ Enum.flat_map(told, &tl/1), budget - Fit.tokens(data))
    left = length(failures) - (told |> Enum.map(&length/1) |> Enum.sum())

    %Answer{
      data: %{data | failures: shown},
      text: text,
      truncated: count < length(blocks),
      next:
        if(count < length(blocks), do: "mend these first, or name tests: #{left} more failures are left out")
    }
  end

  defp count(tests, states), do: Enum.count(tests, fn {_, test} -> test.state in states end)

  defp status(_tests, _failures, [_ | _]), do: "not_compiled"
  defp status([], _failures, _broken), do: "no_tests"
  defp status(_tests, [], _broken), do: "passed"
  defp status(_tests, _failures, _broken), do: "failed"

  # A green light it is not.
  defp title(%{status: "no_tests"}, true) do
    "no test is known to reach what changed: check says whether it compiles, or run all tests"
  end

  defp title(%{status: "no_tests"}, _changed?), do: "no tests are meant"

  defp title(data, _changed?) do
    head = if data.status == "not_compiled", do: "does not compile (check says more); ", else: ""
    skipped = if data.skipped > 0, do: ", #{data.skipped} skipped", else: ""
    missing = if data.not_run > 0, do: ", #{data.not_run} not reached in time", else: ""
    "#{head}#{data.total} tests, #{data.failed} failed#{skipped}#{missing}"
  end

  defp broken(one, app) do
    Fit.cut("#{Projects.place(app, one.file)}:#{one.line} #{Fit.line(one.message)}", 400)
  end

  defp left(deadline), do: max(deadline - now(), 1)
  defp now, do: System.monotonic_time(:millisecond)
end
