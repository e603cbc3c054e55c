defmodule Ambix.Fix.Judgement do
  @moduledoc false
  # What a verdict of a sandbox means for a candidate, and how long tests may take.

  # What a test gets above ten times what the slowest took: many mutants loop.
  @grace_ms 200
  # A test that failed at once may take long when it passes. What was too slow is tried again with this much at least.
  @patience_ms 10_000
  # What ExUnit gives a test.
  @most_ms 60_000
  # How long the failing tests may take that run even when one of them has failed again.
  @moment_us 30_000

  # Macros give any line.
  @most_lines 10_000_000

  def failed?(test), do: test.state in [:failed, :timeout, :invalid]

  @doc """
  Options of `Ambix.Sandbox.Project.verdicts/4`. The failing tests run first, all that are quick, so that a part that is
  mended can be seen; the others only when all of those pass, until one fails.
  """
  def options(failing, passed, patient?, timeout_ms) do
    failing = Enum.sort_by(failing, &{&1.microseconds, &1.id})
    # What one of them takes says how slow this suite's tests can be.
    patience = max(@patience_ms, ten_times(failing ++ passed))
    limit = fn tests -> if patient?, do: patience, else: @grace_ms + ten_times(tests) end

    [
      failing: Enum.map(failing, & &1.id),
      quick: quick(failing),
      others: Enum.map(passed, & &1.id),
      timeout_per_test: min(limit.(failing), @most_ms),
      timeout_others: min(limit.(passed), @most_ms),
      timeout_ms: timeout_ms,
      unfit: :tell,
      seed: 0
    ]
  end

  @doc "Milliseconds that a test gets in the run that confirms a patch."
  def confirming_ms(tests), do: max(@most_ms, ten_times(tests))

  # One that was stopped says nothing about what it takes.
  defp ten_times(tests) do
    tests
    |> Enum.reject(&(&1.state == :timeout))
    |> Enum.map(&div(&1.microseconds, 100))
    |> Enum.max(fn -> 0 end)
  end

  # As many as take a moment together, and at least one.
  defp quick(tests) do
    sums = tests |> Enum.map(& &1.microseconds) |> Enum.scan(&+/2)
    max(1, Enum.count(sums, &(&1 <= @moment_us)))
  end

  @doc "Whether a candidate may only have been too slow."
  def too_slow?({:ok, %{timeouts: [_ | _], killed: nil, compile: :ok}}), do: true
  def too_slow?(_outcome), do: false

  @doc "What the tree is told of a verdict. `wanted` are the ids of the tests that are to be mended."
  def judge({:error, error}, _wanted),
    do: %{score: 0.0, dead: true, solved: false, note: error.message, seconds: 0.0}

  def judge({:ok, verdict}, wanted) do
    passed = for test <- verdict.tests, test.state == :passed, into: MapSet.new(), do: test.id
    mended = wanted |> MapSet.intersection(passed) |> MapSet.size()
    broken = Enum.count(verdict.failed, &(not MapSet.member?(wanted, &1)))
    solved = verdict.status == :passed

    %{
      score: if(solved, do: 1.0, else: mended / MapSet.size(wanted) * 0.9 / (1 + broken)),
      solved: solved,
      # Only what mends a part of the failures and breaks nothing is worth building on.
      dead: not solved and (mended == 0 or broken > 0 or verdict.killed != nil),
      note: note(verdict, mended, MapSet.size(wanted), broken),
      seconds: verdict.microseconds / 1_000_000
    }
  end

  defp note(%{status: :passed}, _, _, _), do: "all tests pass"
  defp note(%{status: :compile_error}, _, _, _), do: "does not compile"
  defp note(%{killed: %{reason: reason}}, _, _, _), do: "stopped: #{reason}"
  defp note(%{timeouts: [_ | _]}, 0, _, 0), do: "a test took too long"
  defp note(_, mended, wanted, 0), do: "#{mended} of #{wanted} mended"
  defp note(_, mended, wanted, broken), do: "#{mended} of #{wanted} mended, #{broken} broken"

  @doc "Whether the whole suite, with a candidate, fails no test that did not fail before."
  def confirmed?(verdict, baseline, wanted) do
    failed_before = for test <- baseline, failed?(test), into: MapSet.new(), do: test.id
    allowed = MapSet.difference(failed_before, wanted)
    verdict.compile == :ok and verdict.killed == nil and MapSet.subset?(MapSet.new(verdict.failed), allowed)
  end

  @doc """
  What tests say about the fault, for the localisation: whether they passed, what they ran, where they broke. Tests that fail
  for other reasons than the ones that are to be mended say nothing.
  """
  def observations(tests, wanted), do: Enum.flat_map(tests, &observation(&1, wanted))

  defp observation(test, wanted) do
    cond do
      MapSet.member?(wanted, test.id) -> [observation(test, false, test.covered || [])]
      test.state == :passed and test.covered != nil -> [observation(test, true, test.covered)]
      true -> []
    end
  end

  defp observation(test, passed, covered) do
    %{
      id: test.id,
      passed: passed,
      covered: covered,
      frames: for(%{file: file, line: line} <- test.frames, line in 1..@most_lines, do: {file, line}),
      text: if(passed, do: "", else: "#{test.id}\n#{test.message}")
    }
  end
end
