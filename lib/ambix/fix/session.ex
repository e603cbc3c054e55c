defmodule Ambix.Fix.Session do
  @moduledoc false
  # A run of the fixer as a state machine: prepare → localise → propose → search → polish → confirm. One step is one of
  # these, and within the search one verdict. All of them have one deadline. The sandboxes belong to the process that makes
  # the steps, so it is one and the same for all steps of a run.

  alias Ambix.{Error, Index, Job, Native, Search}
  alias Ambix.Fix.{Candidate, Judgement, Target, Workers}
  alias Ambix.Sandbox.Project

  @enforce_keys [:root, :opts, :deadline]
  defstruct [
    :root,
    :opts,
    :target,
    # The native session: what is suspected, and the texts of candidates.
    :repair,
    :search,
    :started,
    # Milliseconds of the monotonic clock: the end of all, and the end of the search, which leaves time to confirm.
    :deadline,
    :search_until,
    phase: :prepare,
    workers: nil,
    baseline: [],
    failing: [],
    suspects: [],
    candidates: %{},
    # Numbers of candidates that were asked for: to be compiled together, by themselves, or once more with more time.
    queue: [],
    aside: [],
    patient: [],
    batch: 16,
    # Where the next page of candidates for the project as it is begins, and how many of them the tree still has.
    next_page: 0,
    ahead: 0,
    # Milliseconds, for how many candidates; to begin with, what is usual.
    costs: %{together: {200, 10}, alone: {400, 2}, patient: {0, 0}},
    solved: [],
    polish: [],
    polished: MapSet.new(),
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
  # What was too slow is tried again, as long as that takes no more than this part of the time, if it takes so long.
  @patient_most 1
  @patient_share 4
  @patient_ms 10_000
  # Suspected lines that candidates are made for.
  @suspects_most 200
  # Candidates for the project as it is come in pages, for what has been tried already is one.
  @first_page 200
  @later_page 1_000
  # Candidates on top of one that mends a part.
  @children_most 300
  # Macros give tests any line.
  @most_lines 10_000_000
  # A part of the budget at the most is kept for the run that confirms a patch.
  @reserve_share 2
  @moment_ms 500

  @spec new(Path.t(), keyword) :: {:ok, %__MODULE__{}} | {:error, Error.t()}
  def new(root, opts) do
    root = Path.expand(root)

    with :ok <- mix_project(root), {:ok, target} <- Target.parse(root, opts[:target]) do
      started = now()
      deadline = started + round(opts[:budget] * 1000)

      {:ok,
       %__MODULE__{
         root: root,
         opts: opts,
         target: target,
         started: started,
         deadline: deadline,
         search_until: deadline
       }}
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
    run =
      &Project.run_tests(&1,
        only: :all,
        seed: 0,
        timeout_ms: left(session),
        timeout_per_test: test_ms(session)
      )

    with {:time, true} <- {:time, time?(session)},
         {:ok, workers} <- Workers.start(session.root, session.opts, left(session)),
         session = %{session | workers: workers},
         {:ok, run} <- Workers.first(workers, run),
         session = %{session | baseline: run.tests, executions: 1} |> reserve(),
         {:time, true} <- {:time, time?(session)} do
      failing = Enum.filter(run.tests, &(Judgement.failed?(&1) and Target.wants_test?(session.target, &1)))
      if failing != [], do: emit.({:failing, Enum.map(failing, &Map.take(&1, [:id, :file, :line, :message]))})
      session = %{session | failing: failing}

      if failing == [],
        do: done(session, :nothing_failing, [], "every test passes"),
        else: go(session, :localise)
    else
      {:time, false} -> out_of_time(session, "the tests were being run")
      {:error, error} -> stop(session, error, "the project was being compiled and its tests run")
    end
  end

  def step(%__MODULE__{phase: :localise} = session, emit) do
    budget = max(div(left(session), 4), 1)
    cover = &Project.coverage(&1, coverage_budget_ms: min(budget, 20_000), timeout_ms: left(session))

    with {:ok, workers} <- Workers.start_others(session.workers),
         session = %{session | workers: workers},
         {:ok, run} <- Workers.first(workers, cover),
         {:ok, index} <- Index.build(session.root),
         {:ok, {repair, suspects}} <- localise(session, index, run.tests) do
      emit.({:localised, suspects})
      session = %{session | repair: repair, suspects: suspects, executions: session.executions + 1}

      case suspects do
        [] ->
          reason = "no line of the project is run by the failing tests and by none of the passing ones"
          done(session, :none, [], reason)

        _ ->
          go(session, :propose)
      end
    else
      {:error, error} -> stop(session, error, "it was found out which lines the tests run")
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
         {:ok, candidates, session} <- propose(%{session | search: search}, nil, 0, @first_page),
         :ok <- Search.children(search, root, thoughts(candidates)) do
      emit.({:proposed, map_size(session.candidates)})
      go(%{session | ahead: length(candidates)}, :search)
    else
      {:error, error} -> stop(session, error, "candidates were being made")
    end
  end

  # All sandboxes have been asked to stop: what they have not tried may be the smaller patch.
  def step(%__MODULE__{phase: :search, solved: [_ | _]} = session, emit) do
    if Workers.busy?(session.workers) and left(session, :search) > 0 do
      go(collect(session, emit))
    else
      go(session, :polish)
    end
  end

  def step(%__MODULE__{phase: :search} = session, emit) do
    :ok = Search.tick(session.search, elapsed(session))

    with true <- left(session, :search) > 0,
         {:ok, session} <- fill(session) do
      cond do
        Workers.busy?(session.workers) ->
          session |> collect(emit) |> draw(emit) |> go()

        Workers.free?(session.workers) ->
          finish(session, emit)

        true ->
          stop(session, Error.new(:sandbox, "every sandbox broke: run it again, or with fewer workers"), "")
      end
    else
      false -> finish(session, emit)
      {:error, error} -> stop(session, error, "candidates were being made")
    end
  end

  # Smaller changes beside the first patch, and the patch without one of its parts.
  def step(%__MODULE__{phase: :polish} = session, emit) do
    with true <- left(session, :search) > 0,
         {:ok, session} <- smaller(session),
         {:ok, session} <- fill_polish(session) do
      if Workers.busy?(session.workers), do: go(collect(session, emit)), else: go(session, :confirm)
    else
      false -> go(session, :confirm)
      {:error, error} -> stop(session, error, "a smaller patch was looked for")
    end
  end

  def step(%__MODULE__{phase: :confirm} = session, emit) do
    [best | rest] = Enum.sort_by(session.solved, &{&1.size, -&1.prior, &1.id})

    with {:ok, sources} <- Native.repair_texts(session.repair, best.id),
         {:ok, verdict} <- confirm(session, sources),
         {:ok, patches} <- Native.repair_patches(session.repair, best.id) do
      session = %{session | executions: session.executions + 1}

      cond do
        Judgement.confirmed?(verdict, session.baseline, wanted(session)) ->
          session = give_back(session)
          emit_tree(session, emit)
          emit.({:mended, patches})
          done(session, :mended, patches, best.label)

        not time?(session) ->
          out_of_time(session, "a patch was being confirmed")

        rest == [] ->
          go(%{session | solved: []}, :search)

        true ->
          go(%{session | solved: rest}, :confirm)
      end
    else
      {:error, error} -> stop(session, error, "a patch was being confirmed")
    end
  end

  defp wanted(session), do: MapSet.new(session.failing, & &1.id)

  defp localise(session, index, tests) do
    report = %{
      runs: Judgement.observations(tests, wanted(session)),
      messages: Enum.map_join(session.failing, "\n", &"#{&1.id}\n#{&1.message}"),
      failing: for(%{file: file, line: line} <- session.failing, line in 1..@most_lines, do: {file, line})
    }

    scope = Target.scope(session.target, session.baseline)
    Job.run(&Native.repair_start(&1, index.resource, report, scope, @suspects_most), nil)
  end

  # --- time

  defp now, do: System.monotonic_time(:millisecond)

  # Milliseconds until the end, at least one, for what cannot be asked to take no time.
  defp left(session), do: max(session.deadline - now(), 1)
  defp left(session, :search), do: session.search_until - now()
  defp time?(session), do: session.deadline > now()
  defp elapsed(session), do: (now() - session.started) / 1000

  # A test that hangs may not use up the time that is there to mend it.
  defp test_ms(session), do: session |> left() |> div(4) |> max(5_000) |> min(60_000)

  # To start, to compile and to run all tests once more takes about what it took the first time.
  defp reserve(session) do
    wanted = now() - session.started + @moment_ms
    most = div(session.deadline - session.started, @reserve_share)
    %{session | search_until: session.deadline - min(wanted, most)}
  end

  # --- candidates

  # A page of candidates on top of `parent`; nil is the project as it is.
  defp propose(session, parent, from, most) do
    max = min(most, session.opts[:max_candidates])
    model = session.opts[:model] && session.opts[:model].resource

    with {:ok, candidates, next} <- Candidate.page(session.repair, parent, from, max, model) do
      session = if parent, do: session, else: %{session | next_page: next}
      {:ok, candidates, known(session, candidates)}
    end
  end

  defp thoughts(candidates), do: Enum.map(candidates, &Candidate.thought/1)

  defp known(session, candidates),
    do: %{session | candidates: Enum.into(candidates, session.candidates, &{&1.id, &1})}

  # Gives every free worker something to do, until there is nothing.
  defp fill(session) do
    if Workers.free?(session.workers) and left(session, :search) > 0 do
      with {:ok, session} <- gather(session) do
        case next_batch(session) do
          {session, _way, []} -> {:ok, session}
          {session, way, batch} -> session |> give(way, batch) |> filled()
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
    wanted = session.batch - length(session.queue)

    with true <- wanted > 0,
         {:ok, session} <- next_page(session, wanted),
         {:ok, [_ | _] = tasks} <- Search.ask(session.search, wanted),
         {:ok, session} <- Enum.reduce_while(tasks, {:ok, session}, &enter/2) do
      gather(session)
    else
      {:error, error} -> {:error, error}
      {:ok, []} -> {:ok, session}
      false -> {:ok, session}
    end
  end

  # The likeliest of a page come before all of the next one, so that is made only when it is needed.
  defp next_page(%{next_page: from, ahead: ahead} = session, wanted) when from == nil or ahead >= wanted,
    do: {:ok, session}

  defp next_page(session, wanted) do
    with {:ok, candidates, session} <- propose(session, nil, session.next_page, @later_page),
         :ok <- Search.more(session.search, 0, thoughts(candidates)) do
      next_page(%{session | ahead: session.ahead + length(candidates)}, wanted)
    end
  end

  defp enter({:evaluate, node, id}, {:ok, session}) do
    candidate = %{session.candidates[id] | node: node}
    session = put_in(session.candidates[id], candidate)
    session = if candidate.parent, do: session, else: %{session | ahead: session.ahead - 1}

    if candidate.within,
      do: {:cont, {:ok, %{session | queue: session.queue ++ [id]}}},
      else: {:cont, {:ok, %{session | aside: session.aside ++ [id]}}}
  end

  defp enter({:expand, node, id}, {:ok, session}) do
    with {:ok, candidates, session} <- propose(session, id, 0, @children_most),
         :ok <- Search.children(session.search, node, thoughts(candidates)) do
      {:cont, {:ok, session}}
    else
      {:error, error} -> {:halt, {:error, error}}
    end
  end

  # A batch shares what is changed before: the candidates on top of one parent.
  defp next_batch(%{queue: [], aside: [], patient: []} = session), do: {session, :together, []}

  defp next_batch(%{queue: queue, aside: aside} = session) do
    cond do
      patient?(session) ->
        {batch, patient} = split(session, session.patient, @patient_most)
        {%{session | patient: patient}, :patient, batch}

      queue == [] or (aside != [] and prior(session, aside) > prior(session, queue) * dearer(session)) ->
        {batch, aside} = split(session, aside, @alone_most)
        {%{session | aside: aside}, :alone, batch}

      true ->
        {batch, queue} = split(session, queue, session.batch)
        {%{session | queue: queue, batch: min(2 * session.batch, @batch_most)}, :together, batch}
    end
  end

  defp patient?(%{patient: []}), do: false
  defp patient?(%{queue: [], aside: []}), do: true

  defp patient?(%{costs: %{patient: {spent, _}, together: {together, _}, alone: {alone, _}}}),
    do: (spent + @patient_ms) * @patient_share <= spent + together + alone

  defp dearer(%{costs: %{together: {together, many}, alone: {alone, few}}}),
    do: alone / few / (together / many)

  defp learn_cost(session, {_way, _ms, 0}), do: session

  defp learn_cost(session, {way, ms, count}) do
    costs = Map.update!(session.costs, way, fn {sum, number} -> {sum + ms, number + count} end)
    %{session | costs: costs}
  end

  defp prior(session, [id | _]), do: session.candidates[id].prior

  defp split(session, [first | _] = ids, most) do
    parent = session.candidates[first].parent
    {alike, others} = Enum.split_with(ids, &(session.candidates[&1].parent == parent))
    {batch, later} = Enum.split(alike, most)
    {batch, later ++ others}
  end

  defp give(session, way, ids) do
    passed = Enum.filter(session.baseline, &(&1.state == :passed))
    # The sandbox has said what it has not tried before the search ends.
    timeout = max(left(session, :search), 1)
    opts = Judgement.options(session.failing, passed, way == :patient, timeout)
    candidates = Enum.map(ids, &session.candidates[&1])

    with {:ok, {base, mutants}} <- Candidate.batch(session.repair, candidates),
         {:ok, workers} <- Workers.give(session.workers, way, base, mutants, opts),
         do: {:ok, %{session | workers: workers}}
  end

  # --- verdicts

  defp collect(session, emit) do
    case Workers.take(session.workers, max(left(session, :search), 0) + @moment_ms) do
      {:verdict, id, verdict, workers} ->
        learn(%{session | workers: workers}, id, {:ok, verdict}, emit)

      {:unfit, id, workers} ->
        session = put_in(session.candidates[id].within, false)
        again(%{session | workers: workers}, [id])

      {:free, left, nil, took, workers} ->
        %{session | workers: workers} |> learn_cost(took) |> again(left)

      # The search goes on over a sandbox that failed; a candidate that breaks its sandbox leads nowhere.
      {:free, [culprit | left], error, _took, workers} ->
        %{session | workers: workers} |> again(left) |> learn(culprit, {:error, error}, emit)

      {:free, [], _error, _took, workers} ->
        %{session | workers: workers}

      :timeout ->
        session
    end
  end

  # What was not tried, unless it was only to see whether it is smaller than a patch that works.
  defp again(session, ids) do
    candidates = for id <- ids, one = session.candidates[id], one.node, do: one
    {patient, others} = Enum.split_with(candidates, & &1.patient)
    {queue, aside} = Enum.split_with(others, & &1.within)
    numbers = fn candidates -> Enum.map(candidates, & &1.id) end

    %{
      session
      | queue: numbers.(queue) ++ session.queue,
        aside: in_order(session, numbers.(aside) ++ session.aside),
        patient: in_order(session, numbers.(patient) ++ session.patient)
    }
  end

  defp in_order(session, ids), do: Enum.sort_by(ids, &{-session.candidates[&1].prior, &1})

  defp learn(session, id, outcome, emit) do
    candidate = session.candidates[id]

    session = %{
      session
      | queue: List.delete(session.queue, id),
        aside: List.delete(session.aside, id)
    }

    if not candidate.patient and candidate.node != nil and Judgement.too_slow?(outcome) do
      session = put_in(session.candidates[id].patient, true)
      again(session, [id])
    else
      settle(session, candidate, Judgement.judge(outcome, wanted(session)), emit)
    end
  end

  defp settle(session, candidate, judged, emit) do
    tried = Map.update(session.tried, candidate.kind, 1, &(&1 + 1))
    session = put_in(session.candidates[candidate.id].judged, true)
    session = %{session | tried: tried, executions: session.executions + 1}

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

  # --- after a verdict

  # What may be smaller than a patch that works: other single changes close to the first one, and each patch with one of its
  # parts left out. Each patch is looked at once.
  defp smaller(session) do
    new = Enum.reject(session.solved, &(&1.id in session.polished))
    Enum.reduce_while(Enum.reverse(new), {:ok, session}, &smaller/2)
  end

  defp smaller(solved, {:ok, session}) do
    rivals = if MapSet.size(session.polished) == 0, do: rivals(session, solved), else: []

    case Candidate.reductions(session.repair, solved) do
      {:ok, reduced} ->
        polish = session.polish ++ Enum.map(reduced ++ rivals, & &1.id)
        polished = MapSet.put(session.polished, solved.id)
        {:cont, {:ok, known(%{session | polish: polish, polished: polished}, reduced)}}

      {:error, error} ->
        {:halt, {:error, error}}
    end
  end

  defp rivals(session, first) do
    session.candidates
    |> Map.values()
    |> Enum.filter(fn candidate ->
      not candidate.judged and candidate.parent == nil and candidate.file == first.file and
        abs(candidate.line - first.line) <= 3 and candidate.size < first.size
    end)
    |> Enum.sort_by(&{&1.size, -&1.prior, &1.id})
    |> Enum.take(@polish_most)
  end

  defp fill_polish(%{polish: [_ | _] = ids} = session) do
    way = if Enum.any?(session.solved, & &1.patient), do: :patient, else: :alone

    if Workers.free?(session.workers),
      do: give(%{session | polish: []}, way, ids),
      else: {:ok, session}
  end

  defp fill_polish(session), do: {:ok, session}

  defp draw(session, emit) do
    if session.executions - session.drawn >= @tree_every do
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
    session = give_back(session)
    emit_tree(session, emit)
    done(session, :none, [], reason(session))
  end

  # What was asked for and not tried waits, and does not run; what was too slow was tried.
  defp give_back(session) do
    given_back =
      for {id, %{node: node, judged: false} = candidate} when node != nil <- session.candidates do
        if candidate.patient,
          do: Search.verdict(session.search, node, %{score: 0.0, dead: true, note: "a test took too long"}),
          else: Search.untried(session.search, node)

        {id, %{candidate | node: nil}}
      end

    %{session | candidates: Enum.into(given_back, session.candidates)}
  end

  defp reason(session) do
    tried = session.tried |> Map.values() |> Enum.sum()
    most = session.opts[:max_candidates]
    more = if session.next_page, do: "at least ", else: ""

    cond do
      left(session, :search) <= 0 ->
        "the time is over: #{tried} of #{more}#{map_size(session.candidates)} candidates were tried"

      tried >= most ->
        "as many candidates were tried as allowed (#{most})"

      true ->
        "nothing is left to try: no single change that is known here mends the tests, nor a pair of those that mend a part"
    end
  end

  # In a fresh VM, the whole suite in its own order: some tests fail only after others.
  defp confirm(session, sources) do
    opts = [
      timeout_per_test: Judgement.confirming_ms(session.baseline),
      timeout_ms: left(session),
      within_ms: left(session),
      seed: 0
    ]

    Project.verify(session.root, sources, Workers.options(session.opts) ++ opts)
  end

  # --- results

  defp done(session, status, patches, reason) do
    session = give_back(session)
    Workers.stop(session.workers)
    {:done, result(session, status, patches, reason), %{session | workers: nil}}
  end

  # An error that came because the time was over is no error.
  defp stop(session, error, doing) do
    if doing != "" and not time?(session) do
      out_of_time(session, doing)
    else
      Workers.stop(session.workers)
      {:error, error, %{session | workers: nil}}
    end
  end

  defp out_of_time(session, doing), do: done(session, :none, [], "the time is over: it ended while #{doing}")

  @doc "The result of a run that did not keep to its time, with what it had told by then."
  def ended_by_force(opts, told) do
    tried = Map.get(told, :tried, %{})

    session = %__MODULE__{
      root: nil,
      opts: opts,
      deadline: now(),
      started: now() - round(opts[:budget] * 1000),
      failing: Map.get(told, :failing, []),
      suspects: Map.get(told, :localised, []),
      tried: tried,
      executions: tried |> Map.values() |> Enum.sum()
    }

    session
    |> result(:none, [], "the time is over, and the run did not end by itself")
    |> Map.merge(Map.take(told, [:candidates, :trace]))
  end

  defp result(session, status, patches, reason) do
    %{
      status: status,
      patches: patches,
      localised: session.suspects,
      failing: Enum.map(session.failing, &Map.take(&1, [:id, :file, :line, :message])),
      executions: session.executions,
      candidates: map_size(session.candidates),
      seconds: elapsed(session),
      tried: session.tried,
      reason: reason,
      trace: trace(session, :text, children: :all),
      mermaid: trace(session, :mermaid, [])
    }
  end

  defp trace(%{search: nil}, _form, _opts), do: ""

  defp trace(session, form, opts) do
    {:ok, text} = Search.trace(session.search, form, opts)
    text
  end

  defp go(session), do: {:continue, session}
  defp go(session, phase), do: {:continue, %{session | phase: phase}}
end
