defmodule Ambix.Sandbox.Batch do
  @moduledoc false
  # Verdicts on many mutants: those that fit are compiled together, the others by themselves. A mutant that ends its VM
  # costs a VM, and the rest go on in the next one.

  alias Ambix.Sandbox.Workbench

  # Time that a test gets beyond ten times what it took when it was last seen. A test that fails early says little about what it
  # takes when it passes.
  @grace_ms 5_000
  # So many are compiled together at most.
  @at_once 100

  @doc """
  Calls `each` with the number of every mutant and its verdict (see `Ambix.Sandbox.Project.verdicts/4`), and answers the
  numbers of those that were not tried, because time was up or `{:enough, enough}` came.
  """
  def run(bench, base, mutants, %{enough: _, deadline: _} = opts, each) do
    with {:ok, bench} <- prepared(bench, opts.deadline) do
      {failing, others} = Workbench.choose(bench, opts)

      plan =
        Map.merge(opts, %{
          base: base,
          failing: failing,
          quick: min(opts.quick, length(failing)),
          others: others,
          timeout: timeout(failing, bench, opts.timeout_per_test),
          timeout_others: timeout(others, bench, opts.timeout_others),
          each: each
        })

      {together, alone} = Enum.split_with(mutants, &(&1.within != nil))
      {alike, known} = Enum.split_with(together, &(&1.within.file not in bench.alone))
      together(bench, alike, unfit(known, ids(known), plan) ++ alone, plan)
    else
      {:error, error, bench} -> {:error, error, bench}
    end
  end

  # The tests are those of the project on disk; a change does not make the list stale.
  defp prepared(%{tests: tests} = bench, _deadline) when tests != %{}, do: {:ok, bench}

  defp prepared(bench, deadline) do
    case Workbench.prepare(bench, %{}, deadline) do
      {:ok, %{status: :ok}, bench} -> {:ok, bench}
      {:ok, outcome, bench} -> {:error, Workbench.compile_error(outcome), bench}
      {:died, death, bench} -> {:error, Workbench.death_error(death), bench}
      {:error, error, bench} -> {:error, error, bench}
    end
  end

  defp microseconds(nil), do: 0
  defp microseconds(test), do: test.microseconds

  defp timeout(_ids, _bench, given) when is_integer(given), do: given

  defp timeout(ids, bench, :auto) do
    slowest = ids |> Enum.map(&microseconds(bench.baseline[&1])) |> Enum.max(fn -> 0 end)
    if bench.baseline == %{}, do: 60_000, else: @grace_ms + div(slowest * 10, 1_000)
  end

  ## Together

  defp together(bench, [], alone, plan), do: alone(bench, alone, plan)

  defp together(bench, mutants, alone, plan) do
    {mutants, later} = Enum.split(mutants, @at_once)

    with {:ok, bench} <- Workbench.ensure_session(bench, plan.deadline) do
      # In the VM they are numbered from one: a number is part of the lines of what is compiled.
      numbered = mutants |> Enum.with_index(1) |> Map.new(fn {mutant, number} -> {number, mutant.id} end)

      request = %{
        base: plan.base,
        mutants:
          for({mutant, number} <- Enum.with_index(mutants, 1), do: Map.put(mutant.within, :id, number)),
        failing: plan.failing,
        quick: plan.quick,
        others: plan.others,
        timeout: plan.timeout,
        timeout_others: plan.timeout_others,
        seed: plan.seed
      }

      # What is said comes here as messages, for a request answers with what was said about one mutant only.
      me = self()
      tag = make_ref()

      tell = fn said ->
        with {:ok, id} <- Map.fetch(numbered, elem(said, 1)),
             do: said |> put_elem(1, id) |> tell(me, tag, plan)
      end

      options = [deadline: plan.deadline, each: tell, enough: plan.enough, hung_ms: hung(plan)]
      result = Workbench.request(%{bench | changes: :unknown}, {:mutants, request}, options)
      {judged, unfit} = told(tag, [], [])
      left = Enum.reject(mutants, &(&1.id in judged or &1.id in unfit))
      bench = set_alone(elem(result, tuple_size(result) - 1), mutants, unfit)
      alone = unfit(mutants, unfit, plan) ++ alone
      dead = if elem(result, 0) == :died, do: numbered[elem(result, 2).mutant]
      after_request(result, bench, dead, {left, later}, alone, plan)
    else
      {:died, death, bench} -> {:error, Workbench.death_error(death), bench}
      {:error, error, bench} -> {:error, error, bench}
    end
  end

  defp tell({:unfit, id}, me, tag, _plan), do: send(me, {tag, :unfit, id})

  defp tell({:broken, id, message}, me, tag, plan) do
    plan.each.(id, broken(message))
    send(me, {tag, :judged, id})
  end

  defp tell({:tried, id, microseconds, tests}, me, tag, plan) do
    plan.each.(id, tried(tests, microseconds, plan, nil))
    send(me, {tag, :judged, id})
  end

  defp told(tag, judged, unfit) do
    receive do
      {^tag, :judged, id} -> told(tag, [id | judged], unfit)
      {^tag, :unfit, id} -> told(tag, judged, [id | unfit])
    after
      0 -> {judged, unfit}
    end
  end

  defp unfit(_mutants, ids, %{unfit: :tell} = plan) do
    for id <- ids, do: plan.each.(id, :unfit)
    []
  end

  defp unfit(mutants, ids, _plan), do: Enum.filter(mutants, &(&1.id in ids))

  # Where nothing fits, other code depends on the file when it is compiled: it is not tried again.
  defp set_alone(bench, mutants, unfit) do
    files =
      for {file, own} <- Enum.group_by(mutants, & &1.within.file), Enum.all?(own, &(&1.id in unfit)), do: file

    %{bench | alone: MapSet.union(bench.alone, MapSet.new(files))}
  end

  defp after_request({:ok, _, _, _}, bench, _dead, {[], later}, alone, plan),
    do: next(bench, later, alone, plan)

  # Some are left: it was asked to stop.
  defp after_request({:ok, _, _, _}, bench, _dead, {left, later}, alone, _plan),
    do: {:ok, ids(left ++ later ++ alone), bench}

  defp after_request({:error, error, _}, bench, _dead, _left, _alone, _plan), do: {:error, error, bench}

  defp after_request({:died, death, said, _}, bench, dead, {left, later}, alone, plan) do
    cond do
      Workbench.reason(death) in [:forged, :cancelled] ->
        {:error, Workbench.death_error(death), bench}

      dead == nil and Workbench.now() >= plan.deadline ->
        {:ok, ids(left ++ later ++ alone), bench}

      # It died while it compiled them.
      dead == nil ->
        next(bench, later, left ++ alone, plan)

      true ->
        plan.each.(dead, tried(said.tests, 0, plan, killed(death, said.started)))
        next(bench, Enum.reject(left, &(&1.id == dead)) ++ later, alone, plan)
    end
  end

  defp next(bench, left, alone, plan) do
    if enough?(plan) or Workbench.now() >= plan.deadline,
      do: {:ok, ids(left ++ alone), bench},
      else: together(bench, left, alone, plan)
  end

  # A mutant whose tests cannot even be stopped when their time is over, as in the middle of arithmetic with enormous numbers.
  defp hung(plan), do: max(plan.timeout, plan.timeout_others) + 2_000

  ## Alone

  defp alone(bench, [], _plan), do: {:ok, [], bench}

  defp alone(bench, [mutant | rest] = mutants, plan) do
    left = plan.deadline - Workbench.now()

    if enough?(plan) or left <= 0 do
      {:ok, ids(mutants), bench}
    else
      opts = %{
        failing: plan.failing,
        others: plan.others,
        max_failures: length(plan.failing),
        timeout_per_test: max(plan.timeout, plan.timeout_others),
        timeout_ms: left,
        seed: plan.seed
      }

      started = System.monotonic_time(:microsecond)

      case Workbench.verdict(bench, mutant.changes, opts, plan.deadline) do
        {{:ok, verdict}, bench} ->
          took = System.monotonic_time(:microsecond) - started
          plan.each.(mutant.id, %{verdict | microseconds: took})
          alone(bench, rest, plan)

        {{:error, error}, bench} ->
          {:error, error, bench}
      end
    end
  end

  defp enough?(%{enough: enough}) do
    receive do
      {:enough, ^enough} -> true
    after
      0 -> false
    end
  end

  defp ids(mutants), do: Enum.map(mutants, & &1.id)

  ## Verdicts

  defp broken(message) do
    error = %{file: "", line: 0, column: 0, message: message, traces: []}
    %{Workbench.blank() | status: :compile_error, compile: {:error, [error]}}
  end

  # An honest driver runs the failing tests, and the others only when all of those pass.
  defp tried(tests, microseconds, plan, killed) do
    failed = for test <- tests, test.state in [:failed, :timeout, :invalid], do: test.id
    all? = failed == [] and killed == nil and MapSet.equal?(MapSet.new(tests, & &1.id), wanted(plan))

    %{
      Workbench.blank()
      | status: if(all?, do: :passed, else: :failed),
        tests: for(test <- tests, do: Map.put(test, :covered, nil)),
        failed: failed,
        passed_count: Enum.count(tests, &(&1.state == :passed)),
        timeouts: for(test <- tests, test.state == :timeout, do: test.id),
        killed: killed,
        microseconds: microseconds
    }
  end

  defp wanted(plan), do: MapSet.new(plan.failing ++ plan.others)

  defp killed(death, test), do: %{reason: Workbench.reason(death), test: test}
end
