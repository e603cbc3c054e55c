defmodule Mix.Tasks.Ambix.TasksTest do
  # Standard output and error are captured for the whole VM, and the environment says where indexes are kept.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Ambix.{JSON, Models}
  alias Mix.Tasks.Ambix, as: Tasks

  @moduletag :tmp_dir

  @cart """
  defmodule Cart do
    @moduledoc "What somebody wants to buy."

    @doc "Takes every line out of the cart."
    def empty(cart), do: put(cart, [])

    @doc "Adds a product."
    def add(cart, product), do: put(cart, [product | cart.lines])

    defp put(cart, lines), do: %{cart | lines: lines}
  end
  """

  @till """
  defmodule Till do
    @doc "Rounds an amount to whole cents, half up."
    def round_cents(amount), do: Float.round(amount, 2)

    def close(cart), do: Cart.empty(cart)
  end
  """

  # A folder that is no mix project, with a file that does not parse, and a cache of its own that has the machine's models.
  setup %{tmp_dir: tmp} do
    root = Path.join(tmp, "code")
    cache = Path.join(tmp, "cache")
    File.mkdir_p!(Path.join(root, "src"))
    File.mkdir_p!(cache)
    File.write!(Path.join(root, "src/cart.ex"), @cart)
    File.write!(Path.join(root, "src/till.ex"), @till)
    File.write!(Path.join(root, "src/broken.ex"), "defmodule Broken do\n  def half(x), do: (\n")

    models = Path.join(Models.cache_dir(), "models")
    Ambix.Test.Setup.put_env(%{"AMBIX_CACHE" => cache})

    %{root: root, cache: cache, models: models}
  end

  defp with_models(%{models: models, cache: cache}), do: File.ln_s!(models, Path.join(cache, "models"))

  # Standard output of a task that ends well. What it remarks on standard error is not looked at.
  defp out(task, argv), do: capture_io(fn -> capture_io(:stderr, fn -> assert task.run(argv) == :ok end) end)

  defp json(task, argv) do
    [line] = task |> out(argv ++ ["--json"]) |> String.split("\n", trim: true)
    {:ok, term} = JSON.decode(line)
    term
  end

  # The sentence of a task that fails. What took more than a second says so before.
  defp failure(task, argv) do
    lines =
      capture_io(:stderr, fn -> assert catch_exit(task.run(argv)) == {:shutdown, 1} end)
      |> String.split("\n", trim: true)

    assert [sentence] = Enum.reject(lines, &(&1 =~ ~r/^\w.* in [\d.]+ s$/))
    sentence
  end

  defp lines(path) do
    for line <- path |> File.read!() |> String.split("\n", trim: true) do
      {:ok, row} = JSON.decode(line)
      row
    end
  end

  defp tree(root) do
    for path <- Path.wildcard(Path.join(root, "**"), match_dot: true),
        # To read a file may set the time of its last access.
        do: {path, %{File.stat!(path, time: :posix) | atime: nil}}
  end

  test "index counts what it read, keeps it in the cache and leaves the folder as it is", %{
    root: root,
    cache: cache
  } do
    before = tree(root)
    info = json(Tasks.Index, ["--root", root])
    assert %{"files" => 3, "vectors" => vectors, "chunks" => vectors, "diagnostics" => diagnostics} = info
    assert info["definitions"] >= 6
    assert diagnostics >= 1
    assert String.starts_with?(info["index"], cache)
    assert File.regular?(info["index"])
    assert tree(root) == before

    assert %{"diagnostics" => [%{"file" => "src/broken.ex", "message" => _} | _]} =
             json(Tasks.Index, ["--root", root, "--diagnostics"])

    assert out(Tasks.Index, ["--root", root]) =~ ~r/^files +3$/m
  end

  test "repositories below the root are read where that is asked for", %{
    root: root
  } do
    nested = Path.join(root, "vendor")
    File.mkdir_p!(Path.join(nested, ".git"))
    File.write!(Path.join(nested, ".git/HEAD"), "ref: refs/heads/main\n")
    File.write!(Path.join(nested, "inner.ex"), "defmodule Inner do\n  def zebra, do: 1\nend\n")
    # What a root of its own is, is not decided by what it lies in.
    assert %{"files" => 3} = json(Tasks.Index, ["--root", root])
    assert %{"files" => 4} = json(Tasks.Index, ["--root", root, "--nested-repositories"])

    search = ["zebra", "--root", root, "--mode", "lexical"]

    assert %{"results" => [%{"file" => "vendor/inner.ex"}]} =
             json(Tasks.Search, search ++ ["--nested-repositories"])

    assert %{"results" => []} = json(Tasks.Search, search)

    assert failure(Tasks.Index, ["--root", "/proc/self", "--quiet"]) =~
             "allow it (any_root: true, --any-root)"
  end

  test "index keeps the index where it is told to", %{root: root, tmp_dir: tmp} do
    file = Path.join(tmp, "my.ambix")
    assert json(Tasks.Index, ["--root", root, "--index", file])["index"] == file
    assert File.regular?(file)
    assert Path.wildcard(Path.join(tmp, "cache/indexes/*")) == []
  end

  test "an index that is damaged is a sentence, and stays as it is", %{root: root, tmp_dir: tmp} do
    file = Path.join(tmp, "damaged.ambix")
    File.write!(file, "this is no index")
    assert failure(Tasks.Search, ["rounding", "--root", root, "--index", file]) =~ "damaged.ambix"
    assert File.read!(file) == "this is no index"
  end

  test "search finds by words, and sees a change at once", %{root: root} do
    assert %{"results" => [best | _], "made_from" => made} =
             json(Tasks.Search, ["rounds an amount", "--root", root])

    assert %{"file" => "src/till.ex", "line_start" => first, "line_end" => last, "score" => _} = best
    assert 3 in first..last
    assert %{"lexical" => true, "semantic" => true} = made

    File.write!(Path.join(root, "src/new.ex"), "defmodule New do\n  def zebra_crossing(x), do: x\nend\n")

    assert %{"results" => [%{"file" => "src/new.ex"} | _]} =
             json(Tasks.Search, ["zebra crossing", "--root", root])

    assert out(Tasks.Search, ["zebra", "crossing", "--root", root]) =~ ~r/^src\/new\.ex:\d/
    assert out(Tasks.Search, ["zebra", "--root", root, "--paths", "src/till.ex"]) =~ ~r/^src\/till\.ex:\d/
    assert out(Tasks.Search, ["zebra", "--root", root, "--explain"]) =~ ~r/score \d+\.\d\d, \w+ [+−]\d/
  end

  # Standard output and the code of a task that need not end well.
  defp ended(task, argv) do
    test = self()

    output =
      capture_io(fn ->
        capture_io(:stderr, fn ->
          code =
            try do
              task.run(argv)
              0
            catch
              :exit, {:shutdown, code} -> code
            end

          send(test, {:code, code})
        end)
      end)

    assert_received {:code, code}
    {output, code}
  end

  test "lookup finds definitions by name, and says how", %{root: root} do
    assert %{
             "results" => [
               %{"symbol" => "Cart.empty/1", "file" => "src/cart.ex", "line" => 5, "fit" => "exact"}
             ],
             "freshness" => "unknown"
           } = json(Tasks.Lookup, ["Cart.empty", "--root", root])

    assert out(Tasks.Lookup, ["Cart.emtpy", "--root", root]) ==
             "symbol        kind      place\nCart.empty/1  function  src/cart.ex:5  typo\n"

    assert out(Tasks.Lookup, ["cart", "--kinds", "module", "--root", root]) =~
             ~r/^Cart +module +src\/cart\.ex:1 +other capitals$/m

    assert ended(Tasks.Lookup, ["nothing_of_this", "--root", root]) == {"", 1}

    assert ended(Tasks.Lookup, ["nothing_of_this", "--root", root, "--json"]) ==
             {~s({"freshness":"unknown","results":[]}\n), 1}
  end

  test "an index is exported, and imported in another checkout", %{root: root, tmp_dir: tmp} do
    file = Path.join(tmp, "exported.ambix")
    out(Tasks.Index, ["--root", root, "--export", file])
    other = Path.join(tmp, "other")
    File.cp_r!(root, other)
    File.write!(Path.join(other, "src/till.ex"), "defmodule Till do\n  def open(cart), do: cart\nend\n")

    imported = json(Tasks.Index, ["--root", other, "--import", file])
    assert imported["index"] == Ambix.Index.default_path(other)
    # It is the index that a build of this folder is, and was saved as such.
    built = json(Tasks.Index, ["--root", other, "--index", Path.join(tmp, "built.ambix")])
    same = ["files", "bytes", "chunks", "definitions", "references", "vectors", "diagnostics", "edges"]
    assert Map.take(imported, same) == Map.take(built, same)

    for query <- ["Till.open/1", "round whole cents"] do
      search = fn argv -> json(Tasks.Search, [query, "--root", other | argv])["results"] end
      assert search.([]) == search.(["--index", Path.join(tmp, "built.ambix")])
    end

    assert failure(Tasks.Index, ["--root", root, "--import", Path.join(root, "src/cart.ex")]) =~
             "cannot be read as an index"
  end

  test "an index that would be too large is refused, and says what to do", %{root: root, tmp_dir: tmp} do
    File.write!(
      Path.join(root, "src/large.ex"),
      "defmodule Large do\n#{Enum.map_join(1..20_000, &"  def a#{&1}, do: :b#{&1}\n")}end\n"
    )

    assert failure(Tasks.Index, ["--root", root, "--max-memory", "1"]) =~ "raise max_memory"
    file = Path.join(tmp, "small.ambix")
    assert failure(Tasks.Index, ["--root", root, "--max-disk", "1", "--index", file]) =~ "raise max_disk"
    refute File.exists?(file)
    File.rm!(Path.join(root, "src/large.ex"))
    out(Tasks.Index, ["--root", root, "--max-memory", "1", "--max-disk", "1", "--index", file])
  end

  test "grep prints lines below the definitions they are in", %{root: root} do
    assert out(Tasks.Grep, ["put\\(", "--root", root]) == """
           src/cart.ex  Cart.empty/1
            5:   def empty(cart), do: put(cart, [])
           src/cart.ex  Cart.add/2
            8:   def add(cart, product), do: put(cart, [product | cart.lines])
           src/cart.ex  Cart.put/2
           10:   defp put(cart, lines), do: %{cart | lines: lines}
           """

    assert out(Tasks.Grep, ["half up", "--context", "1", "--root", root]) == """
           src/till.ex  Till.round_cents/1
           1- defmodule Till do
           2:   @doc "Rounds an amount to whole cents, half up."
           3-   def round_cents(amount), do: Float.round(amount, 2)
           """

    assert out(Tasks.Grep, ["cart", "--count", "--kinds", "function", "--root", root]) ==
             "file         lines\nsrc/cart.ex      4\nsrc/till.ex      1\n"

    assert %{
             "lines" => [%{"matches" => [[_, 3]], "line" => 2, "symbol" => "Broken.half/1"}],
             "truncated" => false
           } = json(Tasks.Grep, ["def", "--word", "--root", root, "--paths", "src/b*,src/c*,!src/cart.ex"])

    assert ended(Tasks.Grep, ["zyzzyva", "--root", root]) == {"", 1}
    assert {"{" <> _, 1} = ended(Tasks.Grep, ["zyzzyva", "--root", root, "--json"])
    assert failure(Tasks.Grep, ["a(", "--root", root, "--quiet"]) =~ "unclosed group"
  end

  test "a file of queries is answered line by line and measured", %{root: root, tmp_dir: tmp} do
    queries = Path.join(tmp, "in.jsonl")
    answers = Path.join(tmp, "out.jsonl")

    File.write!(queries, """
    {"query_id": "q1", "query": "Takes every line out"}
    {"query_id": "q2", "query": "Till.round_cents/1", "more": 1}
    """)

    measured =
      json(Tasks.Search, ["--root", root, "--queries", queries, "--out", answers, "--mode", "lexical"])

    assert %{"files" => 3, "queries" => 2, "chunks" => chunks} = measured
    assert chunks > 0

    for key <- ~w(index_seconds query_seconds_p50 query_seconds_p99 peak_memory_bytes),
        do: assert(measured[key] > 0)

    assert [%{"query_id" => "q1", "results" => first}, %{"query_id" => "q2", "results" => second}] =
             lines(answers)

    assert hd(first)["file"] == "src/cart.ex"
    assert hd(second)["file"] == "src/till.ex"

    for results <- [first, second] do
      assert length(results) <= 20
      assert Enum.map(results, & &1["score"]) == Enum.sort(Enum.map(results, & &1["score"]), :desc)
      assert Enum.all?(results, &(Map.keys(&1) == ~w(file line_end line_start score)))
    end
  end

  test "context is never over its budget", %{root: root} do
    for tokens <- [1, 20, 100, 1000] do
      context = json(Tasks.Context, ["empty the cart", "--tokens", "#{tokens}", "--root", root])
      assert context["tokens"] <= tokens
      assert is_list(context["sections"])
    end

    assert out(Tasks.Context, ["empty the cart", "--root", root]) =~ "Takes every line out of the cart."
    assert json(Tasks.Context, ["empty the cart", "--tokens", "40", "--root", root])["tokens"] <= 40
    text = out(Tasks.Context, ["cart", "--order", "path", "--limit", "20", "--root", root])
    places = for [_, path] <- Regex.scan(~r/^### \[\d+\] (.*?):[\d,-]+/m, text), do: path
    assert length(places) > 1 and places == Enum.sort(places)
    assert failure(Tasks.Context, ["cart", "--order", "size", "--root", root]) =~ "order"
  end

  test "the graph tells callers, callees, impact and rank", %{root: root} do
    symbols = fn argv -> Enum.map(json(Tasks.Graph, argv ++ ["--root", root]), & &1["symbol"]) end
    assert symbols.(["callers", "Cart.empty/1"]) == ["Till.close/1"]
    assert symbols.(["callees", "Till.close/1"]) == ["Cart.empty/1"]
    assert Enum.sort(symbols.(["callees", "Till.close/1", "--depth", "2"])) == ["Cart.empty/1", "Cart.put/2"]
    assert "Till.close/1" in symbols.(["impact", "src/cart.ex"])
    assert length(symbols.(["rank", "--limit", "2"])) == 2

    assert out(Tasks.Graph, ["callers", "Cart.empty/1", "--root", root]) =~
             ~r/^Till\.close\/1 +function +1 +src\/till\.ex:\d+$/m

    assert failure(Tasks.Graph, ["callers", "Cart.emty/1", "--root", root]) =~ "Cart.emty/1"
  end

  test "the graph's edges are exported in the form that measuring reads", %{root: root, tmp_dir: tmp} do
    path = Path.join(tmp, "edges.jsonl")
    before = tree(root)
    out(Tasks.Graph, ["export", "--root", root, "--format", "edges", "--out", path])

    assert %{
             "caller_module" => "Till",
             "caller_fun" => "close",
             "caller_arity" => 1,
             "callee_module" => "Cart",
             "callee_fun" => "empty",
             "callee_arity" => 1
           } in lines(path)

    assert tree(root) == before
  end

  describe "with the models of the catalogue" do
    setup context, do: with_models(context)

    test "search by meaning says that vectors took part", %{root: root} do
      assert %{"results" => [best | _], "made_from" => made} =
               json(Tasks.Search, ["discard all items", "--mode", "semantic", "--root", root])

      assert best["file"] == "src/cart.ex"
      assert %{"vectors" => n, "chunks" => n} = made
      # From now on vectors are there, so they are used unasked.
      assert %{"made_from" => %{"semantic" => true}} = json(Tasks.Search, ["discard", "--root", root])
    end

    test "ask streams an answer and names what the model was shown", %{root: root} do
      argv = ["how", "is", "a", "cart", "emptied", "--root", root, "--max-tokens", "8", "--tokens", "200"]
      assert %{"answer" => answer, "sources" => sources, "tokens" => tokens} = json(Tasks.Ask, argv)
      assert answer != ""
      assert tokens in 1..8
      assert "src/cart.ex" in Enum.map(sources, & &1["file"])

      text = out(Tasks.Ask, argv)
      assert String.starts_with?(text, answer)
      assert text =~ ~r/^shown to the model:$/m
    end

    test "programs are answered and their hidden tests run once", %{tmp_dir: tmp} do
      problems = Path.join(tmp, "problems.jsonl")
      results = Path.join(tmp, "results.jsonl")

      {:ok, line} =
        JSON.encode(%{
          name: "first",
          prompt: "defmodule P do\n  # The first element of a list.\n  def first(list), do: ",
          tests:
            "ExUnit.start()\ndefmodule T do\n  use ExUnit.Case\n  test \"it\", do: assert(P.first([1]) == 1)\nend",
          stop_tokens: ["\n"]
        })

      File.write!(problems, [line, "\n", line, "\n"])

      summary =
        json(Tasks.Eval, ["programs", problems, "--technique", "greedy", "--out", results, "--limit", "1"])

      assert %{"problems" => 1, "executions" => 1, "technique" => "greedy"} = summary
      assert [%{"name" => "first", "executions" => 1} = result] = lines(results)
      assert Enum.sort(Map.keys(result)) == ~w(answer executions name passed seconds tokens)
      # The prompt leaves the module open, so no completion of one line can pass.
      assert result["passed"] == false
      refute result["answer"] =~ "\n"
    end
  end

  test "without models, what needs one says how to get it", %{root: root} do
    assert failure(Tasks.Ask, ["a question", "--root", root]) =~
             "run mix ambix.models pull SmolLM2-135M-Instruct"

    assert failure(Tasks.Search, ["x", "--encoder", "all-MiniLM-L6-v2", "--root", root]) =~
             "run mix ambix.models pull all-MiniLM-L6-v2"
  end
end
