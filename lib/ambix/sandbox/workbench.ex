defmodule Ambix.Sandbox.Workbench do
  @moduledoc false
  # What the server of a project does, as functions on a value: starts its VM when there is none, asks it to compile
  # and to run tests, and makes verdicts of what comes back, also when the VM dies of it.

  alias Ambix.Error
  alias Ambix.Sandbox.Session

  # After so many dead VMs in one run the remaining tests are not tried.
  @most_deaths 5
  @listing_ms 300_000

  # The project lies in the folder `app` of `tree`, which is an umbrella or the project itself.
  @enforce_keys [:tree, :app, :limits, :session_options]
  defstruct [
    :tree,
    :app,
    :limits,
    :session_options,
    :session,
    :caller,
    :owner,
    overlay: %{},
    changes: :unknown,
    tests: %{},
    baseline: %{},
    # Tests that ended their VM in the last full run.
    deadly: MapSet.new(),
    # Files whose mutants cannot be compiled together.
    alone: MapSet.new()
  ]

  @type t :: %__MODULE__{}

  @doc "Compiles the project as it is on disk with `changes`."
  @spec compile(t(), map(), integer()) :: {:ok, map(), t()} | {:error, Error.t(), t()} | {:died, map(), t()}
  def compile(bench, changes, deadline) do
    with {:ok, bench} <- ensure_session(bench, deadline) do
      if bench.changes == changes do
        {:ok, %{status: :ok, errors: [], warnings: []}, bench}
      else
        bench = %{bench | changes: :unknown}

        with {:ok, outcome, _said, bench} <- request(bench, {:compile, changes}, deadline: deadline) do
          {:ok, outcome, if(outcome.status == :ok, do: %{bench | changes: changes}, else: bench)}
        else
          {:died, death, _said, bench} -> {:died, death, bench}
          other -> other
        end
      end
    end
  end

  @doc "Compiles with `changes`, and if that goes well loads the test files and learns which tests there are."
  @spec prepare(t(), map(), integer()) :: {:ok, map(), t()} | {:error, Error.t(), t()} | {:died, map(), t()}
  def prepare(bench, changes, deadline) do
    with {:ok, %{status: :ok} = outcome, bench} <- compile(bench, changes, deadline) do
      case request(bench, :load, deadline: deadline) do
        {:ok, %{tests: tests}, _said, bench} -> {:ok, outcome, %{bench | tests: Map.new(tests, &{&1.id, &1})}}
        {:died, death, _said, bench} -> {:died, death, bench}
        {:error, error, bench} -> {:error, error, bench}
      end
    end
  end

  @doc "See `Ambix.Sandbox.Project.run_tests/2`. Expects a prepared workbench."
  @spec run_tests(t(), map(), integer()) :: {{:ok, map()} | {:error, Error.t()}, t()}
  def run_tests(bench, opts, deadline) do
    plan = plan(opts, opts.timeout_per_test, deadline)
    Session.output(bench.session)

    with {:ok, result, bench} <- run(bench, opts.only, plan),
         deadly = MapSet.new(result.deaths, & &1.test),
         {:ok, how, covered, bench} <- maybe_cover(bench, result.tests, deadly, opts, plan) do
      tests = for test <- result.tests, do: Map.put(test, :covered, covered[test.id])
      known = %{bench | baseline: Map.new(tests, &{&1.id, &1}), deadly: deadly}
      bench = if opts.only == :all, do: known, else: bench
      suite = %{tests: tests, microseconds: 0, output: result.output, coverage: how, killed: result.deaths}
      {{:ok, suite}, bench}
    else
      {:error, error, bench} -> {{:error, error}, bench}
    end
  end

  @doc "See `Ambix.Sandbox.Project.coverage/2`. Expects a prepared workbench."
  @spec coverage(t(), map(), integer()) :: {{:ok, map()} | {:error, Error.t()}, t()}
  def coverage(bench, opts, deadline) do
    tests = bench.baseline |> Map.values() |> Enum.sort_by(&{&1.file, &1.line, &1.id})
    opts = Map.merge(opts, %{coverage: :per_test, max_failures: :infinity})
    plan = plan(opts, opts.timeout_per_test, deadline)

    case maybe_cover(bench, tests, bench.deadly, opts, plan) do
      {:ok, how, covered, bench} ->
        tests = for test <- tests, do: Map.put(test, :covered, covered[test.id])
        {{:ok, %{tests: tests, coverage: how}}, bench}

      {:error, error, bench} ->
        {{:error, error}, bench}
    end
  end

  @doc "See `Ambix.Sandbox.Project.verdict/3`. The start of the VM counts for `end_of_all` only."
  @spec verdict(t(), map(), map(), integer() | :infinity) :: {{:ok, map()} | {:error, Error.t()}, t()}
  def verdict(bench, changes, opts, end_of_all) do
    blank = blank()

    # An atom is greater than any number.
    with {:ok, bench} <- warm(bench, min(listing_deadline(), end_of_all)),
         deadline = min(now() + opts.timeout_ms, end_of_all),
         {:ok, %{status: :ok} = outcome, bench} <- compile_and_list(bench, changes, deadline),
         blank = %{blank | warnings: outcome.warnings},
         {failing, others} = choose(bench, opts),
         plan = plan(opts, time_for(bench, failing, others, opts), deadline),
         {:ok, first, bench} <- run(bench, failing, plan),
         {:ok, then, bench} <-
           if(passed?(first, failing), do: run(bench, others, plan), else: {:ok, nothing(), bench}) do
      missing? =
        passed?(first, failing) and length(others) > length(then.tests) and
          not Enum.any?(then.tests, &failed?/1)

      {{:ok, summary(blank, [first, then], missing?)}, bench}
    else
      {:ok, %{status: :error} = outcome, bench} ->
        verdict = %{
          blank
          | status: :compile_error,
            compile: {:error, outcome.errors},
            warnings: outcome.warnings
        }

        {{:ok, verdict}, bench}

      {:died, %{reason: reason} = death, bench} when reason not in [:forged, :cancelled] ->
        killed = %{reason: reason(death), test: nil}
        {{:ok, %{blank | status: :killed, killed: killed, output: death.output}}, bench}

      {:died, death, bench} ->
        {{:error, death_error(death)}, bench}

      {:error, %Error{kind: :project, details: %{diagnostics: [_ | _] = diagnostics}}, bench} ->
        {{:ok, %{blank | status: :compile_error, compile: {:error, diagnostics}}}, bench}

      # The application does not start any more.
      {:error, %Error{kind: :project, message: message}, bench} ->
        {{:ok, %{blank | status: :failed, output: message}}, bench}

      {:error, error, bench} ->
        {{:error, error}, bench}
    end
  end

  @doc "The verdict on what compiles without a warning and passes all tests of none."
  @spec blank() :: map()
  def blank do
    %{
      status: :passed,
      compile: :ok,
      warnings: [],
      tests: [],
      failed: [],
      passed_count: 0,
      timeouts: [],
      killed: nil,
      output: "",
      microseconds: 0
    }
  end

  # The tests are those of the project on disk; a change does not make the list stale.
  defp compile_and_list(%{tests: tests} = bench, changes, deadline) when tests != %{},
    do: compile(bench, changes, deadline)

  defp compile_and_list(bench, changes, deadline), do: prepare(bench, changes, deadline)

  defp warm(bench, deadline) do
    # What was printed between two calls belongs to neither.
    if bench.session, do: Session.output(bench.session)

    case ensure_session(bench, deadline) do
      {:died, death, bench} -> {:error, death_error(death), bench}
      other -> other
    end
  end

  @doc "The tests that a verdict is about: those that are to pass, in the order of the options, and the others."
  @spec choose(t(), map()) :: {[String.t()], [String.t()]}
  def choose(bench, opts) do
    known = Map.values(bench.baseline)

    failing =
      if opts.failing == :known,
        do: Enum.sort(for(test <- known, failed?(test), do: test.id)),
        else: opts.failing

    others =
      cond do
        opts.others == :known and known != [] -> for test <- known, test.state == :passed, do: test.id
        opts.others in [:known, :all] -> Map.keys(bench.tests)
        true -> opts.others
      end

    {failing, Enum.sort(others -- failing)}
  end

  defp time_for(bench, failing, others, %{timeout_per_test: :auto}) do
    times =
      for id <- failing ++ others, test = bench.baseline[id], test.state == :passed, do: test.microseconds

    if bench.baseline == %{}, do: 60_000, else: 5_000 + div(Enum.max([0 | times]), 100)
  end

  defp time_for(_bench, _failing, _others, opts), do: opts.timeout_per_test

  defp passed?(result, ids),
    do: not Enum.any?(result.tests, &failed?/1) and length(result.tests) == length(ids)

  defp summary(blank, results, missing?) do
    tests = Enum.flat_map(results, & &1.tests)
    failed = Enum.filter(tests, &failed?/1)

    status =
      cond do
        failed != [] -> :failed
        missing? -> :killed
        true -> :passed
      end

    deaths = Enum.flat_map(results, & &1.deaths)
    deaths = if status == :killed, do: deaths ++ [%{reason: :wall_clock, test: nil}], else: deaths

    %{
      blank
      | status: status,
        tests: for(test <- tests, do: Map.put(test, :covered, nil)),
        failed: Enum.map(failed, & &1.id),
        passed_count: Enum.count(tests, &(&1.state == :passed)),
        timeouts: for(test <- failed, test.state == :timeout, do: test.id),
        killed: List.first(deaths),
        output: Enum.map_join(results, & &1.output)
    }
  end

  ## Running

  defp plan(opts, timeout, deadline) do
    %{
      deadline: deadline,
      timeout: timeout,
      seed: opts.seed,
      max_failures: opts.max_failures,
      changes: nil,
      one_by_one: false
    }
  end

  defp nothing, do: %{tests: [], deaths: [], output: ""}

  # Runs tests of what was compiled last, in one request as long as the VM lives. A test that ends the VM counts as failed
  # (or timed out); the others go on in a new VM, until `max_failures` is reached.
  defp run(bench, ids, plan) do
    ids = if ids == :all, do: bench.tests |> Map.keys() |> Enum.sort(), else: ids
    run(bench, ids, %{plan | changes: bench.changes}, nothing())
  end

  defp run(bench, ids, plan, result) do
    failures = Enum.count(result.tests, &failed?/1)

    if ids == [] or failures >= plan.max_failures or length(result.deaths) >= @most_deaths or
         now() >= plan.deadline do
      {:ok, finish(result), bench}
    else
      with {:ok, bench} <- ensure_compiled(bench, plan), do: run_batch(bench, ids, plan, failures, result)
    end
  end

  defp run_batch(bench, ids, plan, failures, result) do
    {batch, later} = if plan.one_by_one, do: Enum.split(ids, 1), else: {ids, []}
    left = if plan.max_failures == :infinity, do: :infinity, else: plan.max_failures - failures
    request = {:run, %{ids: batch, seed: plan.seed, timeout: plan.timeout, max_failures: left}}

    case request(bench, request, deadline: plan.deadline, silence_ms: 2 * plan.timeout + 5_000) do
      {:ok, _, said, bench} ->
        run(bench, later, plan, add(result, said.tests, Session.output(bench.session)))

      {:died, death, said, bench} ->
        ids = ids -- Enum.map(said.tests, & &1.id)
        after_death(bench, ids, plan, death, said.started, add(result, said.tests, death.output))

      {:error, error, bench} ->
        {:error, error, bench}
    end
  end

  # The VM can die before it could say which test it had begun: then they are tried one by one.
  defp after_death(bench, ids, plan, death, started, result) do
    culprit = started || if(plan.one_by_one, do: List.first(ids))

    cond do
      death.reason in [:cancelled, :forged] ->
        {:error, death_error(death), bench}

      culprit == nil ->
        run(bench, ids, %{plan | one_by_one: true}, result)

      true ->
        one = %{reason: reason(death), test: culprit}
        result = %{result | deaths: [one | result.deaths], tests: [killed(bench, one) | result.tests]}
        run(bench, ids -- [culprit], %{plan | one_by_one: false}, result)
    end
  end

  defp ensure_compiled(%{session: session} = bench, _plan) when session != nil, do: {:ok, bench}

  defp ensure_compiled(bench, plan) do
    with {:ok, bench} <- warm(bench, plan.deadline) do
      case compile(bench, plan.changes, plan.deadline) do
        {:ok, %{status: :ok}, bench} -> {:ok, bench}
        {:ok, outcome, bench} -> {:error, compile_error(outcome), bench}
        {:died, death, bench} -> {:error, death_error(death), bench}
        other -> other
      end
    end
  end

  defp add(result, tests, output) do
    %{result | tests: Enum.reverse(tests) ++ result.tests, output: result.output <> output}
  end

  defp finish(result) do
    %{
      result
      | tests: Enum.sort_by(result.tests, &{&1.file, &1.line, &1.id}),
        deaths: Enum.reverse(result.deaths)
    }
  end

  defp killed(bench, death) do
    blank = %{id: death.test, module: "", name: "", file: "", line: 0}

    Map.merge(Map.get(bench.tests, death.test, blank), %{
      state: if(death.reason == :wall_clock, do: :timeout, else: :failed),
      message: "the test ended its VM: " <> say(death.reason),
      frames: [],
      microseconds: 0
    })
  end

  defp failed?(test), do: test.state in [:failed, :timeout, :invalid]

  # Tests that end their VM would end it again. What a dying VM had told before is kept.
  defp maybe_cover(bench, _tests, _deadly, %{coverage: false}, _plan), do: {:ok, nil, %{}, bench}

  defp maybe_cover(bench, tests, deadly, opts, plan) do
    first = for test <- tests, failed?(test), test.id not in deadly, do: test.id
    others = for test <- tests, test.state == :passed, do: test.id

    options = %{
      first: first,
      others: others,
      budget_ms: opts.coverage_budget_ms,
      seed: plan.seed,
      timeout: plan.timeout,
      max_failures: :infinity
    }

    with {:ok, bench} <- ensure_compiled(bench, %{plan | changes: %{}}) do
      case request(bench, {:cover, options}, deadline: plan.deadline) do
        {:ok, how, said, bench} -> {:ok, how, by_test(said), bench}
        {:died, %{reason: :forged} = death, _said, bench} -> {:error, death_error(death), bench}
        {:died, _death, said, bench} -> {:ok, told(said), by_test(said), bench}
        {:error, error, bench} -> {:error, error, bench}
      end
    end
  end

  defp by_test(said), do: for({ids, lines} <- said.covered, id <- ids, into: %{}, do: {id, lines})

  defp told(said) do
    {single, grouped} = said.covered |> Enum.map(&length(elem(&1, 0))) |> Enum.split_with(&(&1 == 1))
    %{one_by_one: length(single), by_module: Enum.sum(grouped)}
  end

  @doc "Starts the VM if there is none, or if it is worn out."
  @spec ensure_session(t(), integer()) :: {:ok, t()} | {:error, Error.t(), t()} | {:died, map(), t()}
  def ensure_session(%{session: nil} = bench, deadline) do
    case Session.start(bench.tree, bench.session_options) do
      {:ok, session} ->
        bench = %{bench | session: session, changes: :unknown}
        options = %{source: session.source, work: session.work, app: bench.app, overlay: bench.overlay}

        case request(bench, {:boot, options}, deadline: deadline) do
          {:ok, _, _said, bench} -> {:ok, bench}
          {:error, error, bench} -> {:error, error, stop(bench)}
          {:died, death, _said, bench} -> {:died, death, bench}
        end

      {:error, error} ->
        {:error, error, bench}
    end
  end

  def ensure_session(bench, deadline) do
    if Session.worn_out?(bench.session, bench.limits),
      do: bench |> stop() |> ensure_session(deadline),
      else: {:ok, bench}
  end

  @doc "Ends the VM."
  @spec stop(t()) :: t()
  def stop(%{session: nil} = bench), do: bench

  def stop(bench) do
    Session.stop(bench.session)
    %{bench | session: nil, changes: :unknown}
  end

  @doc "Sends a request to the VM: see `Ambix.Sandbox.Session.request/3`."
  @spec request(t(), term(), keyword()) ::
          {:ok, term(), map(), t()} | {:error, Error.t(), t()} | {:died, map(), map(), t()}
  def request(bench, request, opts) do
    case Session.request(bench.session, request, [caller: bench.caller] ++ opts) do
      {:ok, answer, said, session} -> {:ok, answer, said, %{bench | session: session}}
      {:refused, error, session} -> {:error, error, %{bench | session: session}}
      {:died, death, said} -> {:died, death, said, %{bench | session: nil, changes: :unknown}}
    end
  end

  @doc "An error for a project that does not compile."
  @spec compile_error(map()) :: Error.t()
  def compile_error(%{errors: errors}) do
    first = List.first(errors) || %{file: "", line: 0, message: "unknown error"}
    message = "the project does not compile: #{first.file}:#{first.line}: #{first.message}"
    %Error{kind: :project, message: message, details: %{diagnostics: errors}}
  end

  @doc "An error for a VM that died where it should not."
  @spec death_error(map()) :: Error.t()
  def death_error(death) do
    kind =
      case reason(death) do
        :wall_clock -> :timeout
        :cancelled -> :cancelled
        reason when reason in [:memory, :cpu, :output, :files] -> :limit
        _ -> :sandbox
      end

    message = "the sandboxed VM ended: " <> say(reason(death))
    %Error{kind: kind, message: message, details: %{reason: reason(death), output: death.output}}
  end

  @doc "What ended a VM, in one word: `:halted` when it ended by itself."
  @spec reason(map()) :: atom()
  def reason(%{reason: :exited}), do: :halted
  def reason(%{reason: reason}), do: reason

  defp say(:halted), do: "the code called System.halt or the like, or crashed the VM"
  defp say(:wall_clock), do: "it took too long"
  defp say(:cpu), do: "it used too much processor time"
  defp say(:memory), do: "it used too much memory"
  defp say(:output), do: "it printed too much"
  defp say(:files), do: "it made too many files"
  defp say(:not_started), do: "bubblewrap could not start it"
  defp say(:forged), do: "it sent what no honest driver sends"
  defp say(:cancelled), do: "the caller is gone"

  @doc "Milliseconds of the clock that deadlines are on."
  @spec now() :: integer()
  def now, do: System.monotonic_time(:millisecond)

  @doc "How long a start, compilation and listing of the tests may take."
  @spec listing_deadline() :: integer()
  def listing_deadline, do: now() + @listing_ms
end
