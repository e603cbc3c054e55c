defmodule Ambix.Fix.Session do
  @moduledoc false
  # A run of the fixer as a state machine: prepare → localise → propose → search → polish → confirm. One step is one of
  # these, and within the search one verdict, so whoever drives it can stop between any two and lose nothing.

  alias Ambix.{Error, Index, Job, Native, Search}
  alias Ambix.Fix.{Target, Workers}
  alias Ambix.Sandbox.Project

  @enforce_keys [:root, :opts]
  defstruct [
    :root,
    :opts,
    :target,
    :index,
    :search,
    :started,
    phase: :prepare,
    workers: nil,
    baseline: [],
    failing: [],
    suspects: [],
    candidates: %{},
    queue: [],
    aside: [],
    batch: 16,
    # Milliseconds, for how many candidates; to begin with, what is usual.
    costs: %{together: {200, 10}, alone: {400, 2}},
    solved: [],
    polish: [],
    executions: 0,
    tried: %{},
    drawn: 0
  ]

  # A tree is shown again when it has grown by this many verdicts.
  @tree_every 25
  # How many smaller candidates near a patch that works are tried before it is taken.
  @polish_most 24
  # Candidates that a sandbox gets at once. The first few are the likeliest, and are soon tried; later, what it costs to
  # compile a module once more is shared by many.
  @batch_most 64
  # What has to be compiled by itself comes in smaller batches, and as late as if it were as many times less likely as it
  # takes longer.
  @alone_most 4
  # What a test gets, above ten times what the slowest took: many mutants loop.
  @grace_ms 200
  # How long the failing tests may take that run even when one of them has failed again.
  @moment_us 30_000
  # Suspected lines that candidates are made for.
  @suspects_most 200

  @spec new(Path.t(), keyword) :: {:ok, %__MODULE__{}} | {:error, Error.t()}
  def new(root, opts) do
    root = Path.expand(root)

    with :ok <- mix_project(root), {:ok, target} <- Target.parse(root, opts[:target]) do
      {:ok, %__MODULE__{root: root, opts: opts, target: target}}
    end
  end

  defp mix_project(root) do
    if File.regular?(Path.join(root, "mix.exs")) do
      :ok
    else
      {:error, Error.new(:project, "#{root} is not a mix project: it holds no mix.exs", %{path: root})}
    end
  end

  def step(%__MODULE__{phase: :prepare} = session, emit) do
    session = %{session | started: System.monotonic_time(:millisecond)}

    with {:ok, workers} <- Workers.start(session.root, session.opts),
         session = %{session | workers: workers},
         {:ok, run} <- Workers.first(workers, &Project.run_tests(&1, only: :all, seed: 0)) do
      failing = Enum.filter(run.tests, &(failed?(&1) and Target.wants_test?(session.target, &1)))
      if failing != [], do: emit.({:failing, Enum.map(failing, &Map.take(&1, [:id, :file, :line, :message]))})
      session = %{session | baseline: run.tests, failing: failing, executions: 1}

      if failing == [],
        do: done(session, :nothing_failing, [], "every test passes"),
        else: go(session, :localise)
    else
      {:error, error} -> stop(session, error)
    end
  end

  def step(%__MODULE__{phase: :localise} = session, emit) do
    failing = MapSet.new(session.failing, & &1.id)

    with {:ok, workers} <- Workers.start_others(session.workers),
         session = %{session | workers: workers},
         {:ok, run} <- Workers.first(session.workers, &Project.run_tests(&1, coverage: :per_test, seed: 0)),
         {:ok, index} <- Index.build(session.root),
         observed = for(test <- run.tests, do: observation(test, failing)),
         {:ok, suspects} <- localise(index, Enum.reject(observed, &is_nil/1)) do
      suspects = Enum.filter(suspects, &Target.wants_place?(session.target, &1))
      emit.({:localised, suspects})
      session = %{session | index: index, suspects: suspects, executions: session.executions + 1}

      case suspects do
        [] ->
          done(
            session,
            :none,
            [],
            "no line of the project is run by the failing tests and by none of the passing ones"
          )

        _ ->
          go(session, :propose)
      end
    else
      {:error, error} -> stop(session, error)
    end
  end

  def step(%__MODULE__{phase: :propose} = session, emit) do
    opts = session.opts

    with {:ok, search} <-
           Search.new(
             policy: opts[:policy],
             max_nodes: opts[:max_candidates],
             max_seconds: opts[:budget],
             max_depth: opts[:depth],
             max_solutions: opts[:max_candidates],
             seed: opts[:seed]
           ),
         {:ok, [{:expand, root, _}]} <- Search.ask(search, 1),
         {:ok, session} <- propose(%{session | search: search}, root, nil) do
      emit.({:proposed, map_size(session.candidates)})
      go(session, :search)
    else
      {:error, error} -> stop(session, error)
    end
  end

  # All sandboxes have been asked to stop: what they have not tried may be the smaller patch.
  def step(%__MODULE__{phase: :search, solved: [_ | _]} = session, emit) do
    if Workers.busy?(session.workers) do
      go(collect(session, emit))
    else
      emit_tree(session, emit)
      go(%{session | polish: rivals(session), phase: :polish})
    end
  end

  def step(%__MODULE__{phase: :search} = session, emit) do
    :ok = Search.tick(session.search, elapsed(session))

    case fill(session) do
      {:ok, session} ->
        if Workers.busy?(session.workers),
          do: session |> collect(emit) |> draw(emit) |> go(),
          else: finish(session, emit)

      {:error, error} ->
        stop(session, error)
    end
  end

  def step(%__MODULE__{phase: :polish} = session, emit) do
    case fill_polish(session) do
      {:ok, session} ->
        if Workers.busy?(session.workers), do: go(collect(session, emit)), else: go(session, :confirm)

      {:error, error} ->
        stop(session, error)
    end
  end

  def step(%__MODULE__{phase: :confirm} = session, emit) do
    [best | rest] = Enum.sort_by(session.solved, &{&1.size, -&1.prior, &1.payload})

    case confirm(session, best) do
      {:ok, verdict} ->
        session = %{session | executions: session.executions + 1}

        cond do
          confirmed?(session, verdict) ->
            patches = patches(session, best)
            emit.({:mended, patches})
            done(session, :mended, patches, best.label)

          rest == [] ->
            go(%{session | solved: []}, :search)

          true ->
            go(%{session | solved: rest}, :confirm)
        end

      {:error, error} ->
        stop(session, error)
    end
  end

  defp localise(index, observed) do
    Job.run(&Native.propose_localise(&1, index.resource, observed, @suspects_most), nil)
  end

  # --- candidates

  # Candidates on top of what `parent` changed; at the root on the project as it is.
  defp propose(session, node, parent) do
    sources = if parent, do: parent.sources, else: %{}

    options = %{
      max: session.opts[:max_candidates],
      messages: Enum.map_join(session.failing, "\n", &"#{&1.id}\n#{&1.message}"),
      failing: Enum.map(session.failing, &{&1.file, &1.line})
    }

    index = session.index.resource
    model = session.opts[:model] && session.opts[:model].resource
    start = &Native.propose_candidates(&1, index, sources, session.suspects, options, model)

    with {:ok, found} <- Job.run(start, nil),
         candidates = number(found, map_size(session.candidates) + 1, parent),
         :ok <- Search.children(session.search, node, candidates) do
      {:ok, %{session | candidates: Enum.into(candidates, session.candidates, &{&1.payload, &1})}}
    end
  end

  defp number(found, base, parent) do
    {size, before} = if parent, do: {parent.size, parent.sources}, else: {0, %{}}

    for {candidate, nth} <- Enum.with_index(found, base) do
      Map.merge(candidate, %{
        payload: nth,
        size: candidate.size + size,
        before: before,
        sources: nil,
        node: nil,
        judged: false
      })
    end
  end

  # The changed files, by name. They are made when a candidate is tried: thousands of copies of a file are many megabytes.
  defp with_sources(session, candidate) do
    with {:ok, text} <- text(session, candidate.before, candidate.file),
         {:ok, changed} <- Native.edit_apply(text, candidate.edits) do
      {:ok, %{candidate | sources: Map.put(candidate.before, candidate.file, changed)}}
    end
  end

  defp text(session, sources, file) do
    case sources do
      %{^file => text} -> {:ok, text}
      _ -> Index.text(session.index, file)
    end
  end

  # Gives every free worker something to do, until there is nothing.
  defp fill(session) do
    if Workers.free?(session.workers) and elapsed(session) < session.opts[:budget] do
      with {:ok, session} <- gather(session) do
        case next_batch(session) do
          {session, []} -> {:ok, session}
          {session, batch} -> session |> give(batch) |> filled()
        end
      end
    else
      {:ok, session}
    end
  end

  defp filled({:ok, session}), do: fill(session)
  defp filled({:error, error}), do: {:error, error}

  # Asks the tree until the queue holds a batch, or the tree has nothing more.
  defp gather(session) do
    with wanted when wanted > 0 <- session.batch - length(session.queue),
         {:ok, [_ | _] = tasks} <- Search.ask(session.search, wanted),
         {:ok, session} <- Enum.reduce_while(tasks, {:ok, session}, &enter/2) do
      gather(session)
    else
      {:error, error} -> {:error, error}
      _ -> {:ok, session}
    end
  end

  defp enter({:evaluate, node, payload}, {:ok, session}) do
    candidate = %{session.candidates[payload] | node: node}
    session = put_in(session.candidates[payload], candidate)

    if candidate.within,
      do: {:cont, {:ok, %{session | queue: session.queue ++ [payload]}}},
      else: {:cont, {:ok, %{session | aside: session.aside ++ [payload]}}}
  end

  defp enter({:expand, node, payload}, {:ok, session}) do
    case propose(session, node, session.candidates[payload]) do
      {:ok, session} -> {:cont, {:ok, session}}
      {:error, error} -> {:halt, {:error, error}}
    end
  end

  # A batch shares what is changed before: the candidates on top of one parent.
  defp next_batch(%{queue: [], aside: []} = session), do: {session, []}

  defp next_batch(%{queue: queue, aside: aside} = session) do
    if queue == [] or (aside != [] and prior(session, aside) > prior(session, queue) * dearer(session)) do
      {batch, aside} = split(session, aside, @alone_most)
      {%{session | aside: aside}, batch}
    else
      {batch, queue} = split(session, queue, session.batch)
      {%{session | queue: queue, batch: min(2 * session.batch, @batch_most)}, batch}
    end
  end

  defp dearer(%{costs: %{together: {together, many}, alone: {alone, few}}}),
    do: alone / few / (together / many)

  defp learn_cost(session, {_way, _ms, 0}), do: session

  defp learn_cost(session, {way, ms, count}) do
    costs = Map.update!(session.costs, way, fn {sum, number} -> {sum + ms, number + count} end)
    %{session | costs: costs}
  end

  defp prior(session, [payload | _]), do: session.candidates[payload].prior

  defp split(session, [first | _] = payloads, most) do
    base = session.candidates[first].before
    {alike, others} = Enum.split_with(payloads, &(session.candidates[&1].before == base))
    {batch, later} = Enum.split(alike, most)
    {batch, later ++ others}
  end

  defp give(session, [first | _] = payloads) do
    base = session.candidates[first].before

    with {:ok, candidates} <- all_sources(session, payloads),
         mutants = Enum.map(candidates, &mutant(session, &1)),
         {:ok, workers} <- Workers.give(session.workers, base, mutants, verdict_opts(session)) do
      known = Enum.into(candidates, session.candidates, &{&1.payload, &1})
      {:ok, %{session | workers: workers, candidates: known}}
    end
  end

  defp all_sources(session, payloads) do
    payloads
    |> Enum.reduce_while({:ok, []}, fn payload, {:ok, done} ->
      case with_sources(session, session.candidates[payload]) do
        {:ok, candidate} -> {:cont, {:ok, [candidate | done]}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
    |> case do
      {:ok, candidates} -> {:ok, Enum.reverse(candidates)}
      {:error, error} -> {:error, error}
    end
  end

  defp mutant(session, %{file: file} = candidate) do
    changed = candidate.sources[file]
    %{id: candidate.payload, changes: %{file => changed}, within: within(session, candidate, changed)}
  end

  defp within(_session, %{within: nil}, _changed), do: nil

  defp within(session, %{within: {start, stop, first, last}} = candidate, changed) do
    {:ok, text} = text(session, candidate.before, candidate.file)
    length = stop - start + byte_size(changed) - byte_size(text)

    %{
      file: candidate.file,
      first: first,
      last: last,
      start: start,
      stop: stop,
      text: binary_part(changed, start, length)
    }
  end

  # The failing tests run first, all that are quick, so that a part that is mended can be seen; the others only when all of
  # those pass, until one fails.
  defp verdict_opts(session) do
    failing = Enum.sort_by(session.failing, &{&1.microseconds, &1.id})
    passed = for test <- session.baseline, test.state == :passed, do: test

    [
      failing: Enum.map(failing, & &1.id),
      quick: quick(failing),
      others: Enum.map(passed, & &1.id),
      timeout_per_test: timeout_per_test(session.failing, @grace_ms),
      timeout_others: timeout_per_test(passed, @grace_ms),
      timeout_ms: timeout(session),
      unfit: :tell,
      seed: 0
    ]
  end

  # As many as take a moment together, and at least one.
  defp quick(tests) do
    sums = tests |> Enum.map(& &1.microseconds) |> Enum.scan(&+/2)
    max(1, Enum.count(sums, &(&1 <= @moment_us)))
  end

  # Nothing that is tried may outlast the budget by more than two seconds.
  defp timeout(session) do
    left = round((session.opts[:budget] - elapsed(session)) * 1000)
    max(left, 2_000)
  end

  # A mutant may loop: a test gets ten times what the slowest took, and some time more.
  defp timeout_per_test(tests, grace_ms) do
    slowest = tests |> Enum.map(& &1.microseconds) |> Enum.max(fn -> 0 end)
    grace_ms + div(slowest * 10, 1_000)
  end

  # --- verdicts

  defp collect(session, emit) do
    case Workers.take(session.workers) do
      {:verdict, payload, verdict, workers} ->
        learn(%{session | workers: workers}, payload, {:ok, verdict}, emit)

      {:unfit, payload, workers} ->
        session = put_in(session.candidates[payload].within, nil)
        again(%{session | workers: workers}, [payload])

      {:free, left, nil, took, workers} ->
        %{session | workers: workers} |> learn_cost(took) |> again(left)

      # The search goes on over a sandbox that failed; a candidate that breaks its sandbox leads nowhere.
      {:free, [culprit | left], error, _took, workers} ->
        %{session | workers: workers} |> again(left) |> learn(culprit, {:error, error}, emit)

      {:free, [], _error, _took, workers} ->
        %{session | workers: workers}
    end
  end

  # What was not tried, unless it was only to see whether it is smaller than a patch that works.
  defp again(session, payloads) do
    waited_for = Enum.filter(payloads, &session.candidates[&1].node)
    {queue, aside} = Enum.split_with(waited_for, &session.candidates[&1].within)
    %{session | queue: queue ++ session.queue, aside: in_order(session, aside ++ session.aside)}
  end

  defp in_order(session, payloads), do: Enum.sort_by(payloads, &{-session.candidates[&1].prior, &1})

  defp learn(session, payload, outcome, emit) do
    candidate = session.candidates[payload]

    session = %{
      session
      | queue: List.delete(session.queue, payload),
        aside: List.delete(session.aside, payload)
    }

    judged = judge(session, outcome)
    tried = Map.update(session.tried, candidate.kind, 1, &(&1 + 1))
    candidates = %{session.candidates | payload => %{candidate | judged: true}}
    session = %{session | candidates: candidates, tried: tried, executions: session.executions + 1}

    # What is tried only because it is smaller than a patch that works is no node that the tree waits for.
    if candidate.node, do: :ok = Search.verdict(session.search, candidate.node, judged)
    emit.({:candidate, report(candidate, judged)})

    if judged.solved do
      Workers.enough(session.workers)
      %{session | solved: [candidate | session.solved]}
    else
      session
    end
  end

  defp report(candidate, judged) do
    candidate
    |> Map.take([:label, :file, :line, :kind])
    |> Map.merge(Map.take(judged, [:score, :solved, :note]))
  end

  defp judge(_session, {:error, error}),
    do: %{score: 0.0, dead: true, solved: false, note: error.message, seconds: 0.0}

  defp judge(session, {:ok, verdict}) do
    wanted = MapSet.new(session.failing, & &1.id)
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
  defp note(_, mended, wanted, 0), do: "#{mended} of #{wanted} mended"
  defp note(_, mended, wanted, broken), do: "#{mended} of #{wanted} mended, #{broken} broken"

  # --- after a verdict

  # Other single changes close to the first patch that are smaller.
  defp rivals(%{solved: [first | _]} = session) do
    session.candidates
    |> Map.values()
    |> Enum.filter(fn candidate ->
      not candidate.judged and candidate.before == %{} and candidate.file == first.file and
        abs(candidate.line - first.line) <= 3 and candidate.size < first.size
    end)
    |> Enum.sort_by(&{&1.size, -&1.prior, &1.payload})
    |> Enum.take(@polish_most)
    |> Enum.map(& &1.payload)
  end

  defp fill_polish(%{polish: [_ | _] = rivals} = session) do
    if Workers.free?(session.workers) and elapsed(session) < session.opts[:budget],
      do: give(%{session | polish: []}, rivals),
      else: {:ok, session}
  end

  defp fill_polish(session), do: {:ok, session}

  defp draw(session, emit) do
    drawn = session.executions - session.drawn

    if drawn >= @tree_every do
      emit_tree(session, emit)
      %{session | drawn: session.executions}
    else
      session
    end
  end

  defp emit_tree(session, emit) do
    with {:ok, text} <- Search.trace(session.search, :text), do: emit.({:tree, text})
  end

  defp finish(session, emit) do
    emit_tree(session, emit)
    {:ok, status} = Search.status(session.search)
    done(session, :none, [], status.reason)
  end

  # In a fresh VM, the whole suite in its own order: some tests fail only after others.
  defp confirm(session, best) do
    opts = [
      unsafe_without_isolation: session.opts[:unsafe_without_isolation],
      timeout_per_test: timeout_per_test(session.baseline, 2_000),
      seed: 0
    ]

    Project.verify(session.root, best.sources, opts)
  end

  defp confirmed?(session, verdict) do
    failed_before = for test <- session.baseline, failed?(test), into: MapSet.new(), do: test.id
    allowed = MapSet.difference(failed_before, MapSet.new(session.failing, & &1.id))
    verdict.compile == :ok and verdict.killed == nil and MapSet.subset?(MapSet.new(verdict.failed), allowed)
  end

  # --- results

  defp patches(session, best) do
    for {file, text} <- Enum.sort(best.sources) do
      {:ok, original} = Index.text(session.index, file)
      {:ok, diff} = Native.edit_diff(file, original, text)
      %{file: file, diff: diff, text: text, original: original}
    end
  end

  defp done(session, status, patches, reason) do
    Workers.stop(session.workers)

    result = %{
      status: status,
      patches: patches,
      localised: session.suspects,
      failing: Enum.map(session.failing, &Map.take(&1, [:id, :file, :line, :message])),
      executions: session.executions,
      candidates: map_size(session.candidates),
      seconds: elapsed(session),
      tried: session.tried,
      reason: reason,
      trace: trace(session, :text),
      mermaid: trace(session, :mermaid)
    }

    {:done, result, session}
  end

  defp trace(%{search: nil}, _form), do: ""

  defp trace(session, form) do
    {:ok, text} = Search.trace(session.search, form)
    text
  end

  defp stop(session, error) do
    if session.workers, do: Workers.stop(session.workers)
    {:error, error, session}
  end

  defp go(session), do: {:continue, session}
  defp go(session, phase), do: {:continue, %{session | phase: phase}}

  defp elapsed(session), do: (System.monotonic_time(:millisecond) - session.started) / 1000

  defp failed?(test), do: test.state in [:failed, :timeout, :invalid]

  # What a test says about the fault, for the localisation: whether it passed, what it ran, where it broke. Tests that
  # fail for other reasons than the ones that are to be mended say nothing.
  defp observation(test, failing) do
    cond do
      MapSet.member?(failing, test.id) -> observation(test, false, test.covered || [])
      test.state == :passed and test.covered != nil -> observation(test, true, test.covered)
      true -> nil
    end
  end

  defp observation(test, passed, covered) do
    %{
      id: test.id,
      passed: passed,
      covered: covered,
      frames: for(frame <- test.frames, do: {frame.file, frame.line}),
      text: if(passed, do: "", else: "#{test.id}\n#{test.message}")
    }
  end
end
