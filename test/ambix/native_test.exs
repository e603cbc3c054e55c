defmodule Ambix.NativeTest do
  # What lives is looked at for the whole VM, and some calls fill lanes of jobs.
  use ExUnit.Case, async: false

  alias Ambix.{Error, Index, Job, Models, Native}
  alias Ambix.Test.Hostile

  @stubs Native.__info__(:functions) |> Enum.reject(fn {name, _} -> name == :load end) |> Enum.sort()

  test "every native function has a stub, and every stub a native function" do
    natives = for {name, arity} <- Native.nif_functions(), do: {String.to_atom(name), arity}
    assert Enum.sort(natives) == @stubs
  end

  test "the kinds of error are the same on both sides, and in the documentation" do
    assert Native.error_kinds() == Error.kinds()
    {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(Error)

    assert Enum.map(Regex.scan(~r/^\| `:(\w+)`/m, doc), fn [_, kind] -> String.to_atom(kind) end) ==
             Error.kinds()
  end

  test "a panic becomes an error that keeps its text" do
    assert {:error, %Error{kind: :panic, message: message}} = Native.panic_on_purpose("the text of it")
    assert message =~ "the text of it"
    assert message =~ "guard.rs"
  end

  describe "arguments" do
    setup :handles

    test "are known for every function", %{right: right} do
      assert right |> Map.keys() |> Enum.sort() == Enum.filter(@stubs, fn {_, arity} -> arity > 0 end)
      for {{name, arity}, arguments} <- right, do: assert({name, length(arguments)} == {name, arity})
    end

    # Each native function is called with right arguments but for one, which is each hostile term in turn, and with the term
    # in every place. It may answer an error or, where the term happens to fit, a value. What it may not do is raise, for what
    # is raised shows the arguments; panic; take long; or end the VM.
    @tag timeout: 300_000
    test "that are wrong, in any way and place, are answered with an error", context do
      %{right: right, handles: handles} = context
      assert length(Hostile.terms(handles)) >= 95

      for {{name, arity}, arguments} <- right do
        # Its jobs end with the process. The terms are made there, for some are too large to be sent.
        in_a_process(fn ->
          for {described, term} <- Hostile.terms(handles), place <- [:all | Enum.to_list(0..(arity - 1))] do
            given =
              if place == :all, do: List.duplicate(term, arity), else: List.replace_at(arguments, place, term)

            what = "#{name}/#{arity} with #{described} in place #{place}"
            {microseconds, result} = :timer.tc(fn -> called(name, given, what) end)

            refute match?({:error, %Error{kind: :panic}}, result) and name != :panic_on_purpose,
                   "#{what} panicked: #{inspect(result)}"

            with {:error, error} <- result, do: assert(%Error{} = error, what)

            # Machines that do other work stop for a second now and then; without bounds it is minutes, or for ever.
            assert microseconds < 20_000_000, "#{what} took #{div(microseconds, 1000)} ms"
          end
        end)
      end

      Native.signal_interrupt(false)
      assert Job.run(&Native.job_wait(&1, 1), nil) == {:ok, 1}
    end

    test "that are too large to be walked through are refused", %{right: right} do
      for {function, place} <- [{{:tree_children, 3}, 2}, {{:index_lookup, 4}, 2}, {{:json_encode, 1}, 0}] do
        arguments = List.replace_at(right[function], place, Hostile.doubled())
        assert {:error, %Error{kind: :limit}} = apply(Native, elem(function, 0), arguments)
      end
    end

    test "that are wrong are named, but what they are is not told", %{right: right} do
      told = fn function, place, value ->
        arguments = List.replace_at(right[function], place, value)
        assert {:error, %Error{kind: kind, message: message}} = apply(Native, elem(function, 0), arguments)
        refute message =~ "secret"
        {kind, message}
      end

      sentence = "the argument symbol has a wrong type or is out of range"
      assert told.({:graph_find, 3}, 2, {"secret"}) == {:invalid_argument, sentence}

      assert told.({:index_lookup, 4}, 3, 1.5) ==
               {:invalid_argument, String.replace(sentence, "symbol", "limit")}

      sentence = "the argument kinds holds an improper list"
      assert told.({:index_lookup, 4}, 2, ["secret" | "secret"]) == {:invalid_argument, sentence}

      wishes = %{Enum.at(right[{:index_search, 4}], 2) | limit: "secret"}
      sentence = ":limit of the argument wishes has a wrong type or is out of range"
      assert told.({:index_search, 4}, 2, wishes) == {:invalid_argument, sentence}

      # Two millions of folders' names are more than a function on a normal scheduler takes.
      sentence = "the argument kinds is larger than can be taken"
      assert told.({:graph_cycles, 4}, 2, List.duplicate("secret", 10_000)) == {:limit, sentence}
    end
  end

  defp called(name, arguments, what) do
    apply(Native, name, arguments)
  catch
    kind, reason -> flunk("#{what} raised #{kind}: #{inspect(reason, limit: 5)}")
  end

  defp in_a_process(work), do: work |> Task.async() |> Task.await(:infinity)

  # Right arguments of every function, and hostile ones.
  defp handles(context) do
    dir = Path.join(System.tmp_dir!(), "ambix-native-#{System.unique_integer([:positive])}-#{System.pid()}")
    File.mkdir_p!(dir)
    # Where a text happens to name a file that can be made.
    before = File.cwd!()
    File.cd!(dir)

    on_exit(fn ->
      File.cd!(before)
      File.rm_rf!(dir)
    end)

    File.write!(Path.join(dir, "cart.ex"), "defmodule Cart do\n  def total(cart), do: Enum.sum(cart)\nend\n")
    {:ok, %Index{resource: index}} = Index.build(dir)
    {:ok, tree} = Native.tree_new(tree_options())
    {:ok, cache} = Native.embedding_cache_open(nil, 1000)
    {:ok, watch} = Job.run(&Native.watch_start(&1, dir, watch_options()), nil)
    {:ok, job} = Native.job_wait(make_ref(), 0)
    repair = repair(index)
    handles = %{index: index, tree: tree, cache: cache, watch: watch, job: job, repair: repair, dir: dir}
    handles = Map.merge(handles, models())
    known = Map.take(handles, [:index, :tree, :cache, :watch, :job, :repair])
    Map.merge(context, %{right: right(handles), handles: known})
  end

  # With candidates, so that there is a first one.
  defp repair(index) do
    scope = %{file: nil, line: nil, outside: []}
    {:ok, {repair, [_ | _]}} = Job.run(&Native.repair_start(&1, index, report(), scope, 3), nil)
    options = %{parent: nil, from: 0, max: 3}
    {:ok, %{candidates: [%{id: 1} | _]}} = Job.run(&Native.repair_page(&1, repair, options, nil), nil)
    repair
  end

  defp report do
    run = %{id: "a", passed: false, covered: [{"cart.ex", [2]}], frames: [{"cart.ex", 2}], text: ""}
    %{runs: [run], messages: "", failing: [{"cart.ex", 1}]}
  end

  # Without models on this machine, other resources stand in their places: what is wrong is refused all the same.
  defp models do
    with {:ok, path} <- Models.path("SmolLM2-135M-Instruct"),
         {:ok, folder} <- Models.path("all-MiniLM-L6-v2"),
         {:ok, model} <- Ambix.Model.load(path),
         {:ok, encoder} <- Ambix.Model.load_encoder(folder) do
      %{model: model.resource, encoder: encoder.resource, gguf: path}
    else
      _ -> %{model: make_ref(), encoder: make_ref(), gguf: "none.gguf"}
    end
  end

  defp right(h) do
    ref = make_ref()
    ceilings = %{max_file_bytes: nil, max_memory: nil, nested_repositories: false}
    load = %{threads: 1, device: :cpu, max_bytes: 1000, precision: :fp32}

    wishes = %{
      limit: 3,
      mode: :hybrid,
      near: [],
      paths: [],
      kinds: [],
      modules: [],
      languages: [],
      public: nil,
      modified_since: nil
    }

    grep = %{
      fixed: false,
      case: :smart,
      word: false,
      multiline: false,
      paths: [],
      languages: [],
      kinds: [],
      context: 0,
      per_file: nil,
      limit: 3,
      count: false
    }

    generation = %{
      max_tokens: 1,
      temperature: 0.0,
      top_k: 0,
      top_p: 1.0,
      min_p: 0.0,
      repetition_penalty: 1.0,
      stop: [],
      seed: 0,
      timeout: 1000
    }

    verdict = %{score: 0.5, solved: false, dead: false, tokens: 0, seconds: 0.0, note: ""}
    part = %{around: nil, reach: :both, depth: 1, kinds: nil}
    scope = %{file: nil, line: nil, outside: []}

    Map.new(
      signal_interrupt: [true],
      panic_on_purpose: ["text"],
      job_cancel: [h.job],
      job_wait: [ref, 0],
      # No lane: a thread that is held for long is of no use here.
      job_hang: [ref, :nowhere, 0],
      index_build: [ref, h.dir, ceilings],
      index_open: [ref, "none", nil, ceilings],
      index_update: [ref, h.index, nil, nil],
      index_differences: [ref, h.index],
      index_freshness: [h.index],
      index_follow: [h.index, h.watch, 0],
      index_observe: [ref, h.index, []],
      index_save: [ref, h.index, "/proc/none", %{wait: 0, max_disk: nil, export: false}],
      index_embed: [ref, h.index, h.encoder, h.cache],
      index_info: [h.index],
      index_counts: [h.index],
      index_diagnostics: [h.index],
      index_text: [h.index, "cart.ex"],
      index_history_tip: [h.index],
      index_history: [h.index, "tip", ""],
      index_search: [h.index, "cart", wishes, nil],
      index_rerank: [ref, h.index, "cart", wishes, nil, h.encoder],
      index_search_all: [[h.index], "cart", wishes],
      index_lookup: [h.index, "Cart", [], 3],
      index_grep: [ref, h.index, "cart", grep],
      count_tokens: ["def add(cart), do: cart"],
      index_context: [h.index, "cart", wishes, nil, {100, "ends"}, nil],
      index_context_all: [[{h.index, "a"}], "cart", wishes, {100, "ends"}, nil],
      index_snapshot: [h.index],
      index_chunks: [h.index, 0, 3],
      index_vectors: [ref, h.index],
      watch_start: [ref, h.dir, watch_options()],
      watch_stop: [h.watch],
      watch_state: [h.watch],
      graph_find: [ref, h.index, "Cart"],
      graph_reach: [ref, h.index, "Cart", :callers, 1, nil],
      graph_references: [ref, h.index, "Cart"],
      graph_implementations: [ref, h.index, "Cart"],
      graph_impact: [ref, h.index, "Cart"],
      graph_impact_of_lines: [ref, h.index, [{"cart.ex", 1, 2}]],
      graph_paths: [ref, h.index, "Cart", "Cart", nil, 3],
      graph_cycles: [ref, h.index, nil, nil],
      graph_dead: [ref, h.index, true, true, []],
      graph_communities: [ref, h.index, :modules, nil, 1.0, 0],
      graph_rank: [ref, h.index, 3, []],
      graph_neighbourhood: [ref, h.index, ["Cart"], 100, nil],
      graph_count_edges: [ref, h.index],
      graph_edges: [ref, h.index, false],
      graph_export: [ref, h.index, "dot", part],
      graph_picture: [ref, h.index, part, %{modules: false, max_nodes: 10}],
      model_load: [ref, h.gguf, load],
      model_generate: [ref, h.model, "a", generation],
      model_score: [ref, h.model, "a", ["b"]],
      model_count_tokens: [h.model, "a"],
      model_info: [h.model],
      encoder_load: [ref, h.dir, load],
      encoder_embed: [ref, h.encoder, ["a"]],
      encoder_matrix: [ref, h.encoder, ["a"]],
      file_read: [Path.join(h.dir, "cart.ex"), 1000],
      file_name: ["cart.ex"],
      file_path: [h.dir, "cart.ex"],
      embedding_cache_open: [nil, 1000],
      embedding_cache_stats: [h.cache],
      repair_start: [ref, h.index, report(), scope, 3],
      repair_page: [ref, h.repair, %{parent: nil, from: 0, max: 3}, nil],
      repair_reductions: [h.repair, 1],
      repair_batch: [h.repair, [{1, true}]],
      repair_texts: [h.repair, 1],
      repair_patches: [h.repair, 1],
      tree_new: [tree_options()],
      tree_ask: [h.tree, 1],
      tree_children: [h.tree, 0, [{"1", 0.5, "a"}]],
      tree_more: [h.tree, 0, [{"1", 0.5, "a"}]],
      tree_untried: [h.tree, 0],
      tree_verdict: [h.tree, 0, verdict],
      tree_tick: [h.tree, 0.5],
      tree_status: [h.tree],
      tree_trace: [h.tree, :text, 12],
      sandbox_files: ["/proc/none"],
      json_decode: ["[1]"],
      json_encode: [[1]]
    )
    |> Map.new(fn {name, arguments} -> {{name, length(arguments)}, arguments} end)
  end

  defp tree_options do
    %{
      policy: :best_first,
      width: 1,
      prune_below: 0.0,
      max_nodes: 3,
      max_tokens: nil,
      max_seconds: nil,
      max_depth: 3,
      max_solutions: 1,
      seed: 0
    }
  end

  defp watch_options,
    do: %{
      quiet: 50,
      max_delay: 1000,
      poll: 60_000,
      only_poll: true,
      max_file_bytes: 1000,
      nested_repositories: false
    }
end
