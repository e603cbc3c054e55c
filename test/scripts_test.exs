defmodule Ambix.ScriptsTest do
  # What the Makefile calls before anything is built, and what scores and makes questions.
  use ExUnit.Case, async: true

  @root Path.expand("..", __DIR__)

  setup do
    cache = Path.join(System.tmp_dir!(), "ambix-scripts-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(cache) end)
    %{cache: cache, models: Path.join(cache, "models")}
  end

  describe "scripts/models.py --check" do
    test "says that models are missing, and writes nothing", %{cache: cache} do
      assert models(cache, ["--check"]) == {"", 1}
      refute File.exists?(cache)
    end

    test "goes by names and sizes", %{cache: cache, models: models} do
      files = catalogue(models)
      for {path, bytes} <- files, do: sparse(path, bytes)
      assert models(cache, ["--check"]) == {"", 0}

      {path, bytes} = hd(files)
      sparse(path, bytes - 1)
      assert models(cache, ["--check"]) == {"", 1}
    end

    test "with --verify goes by content", %{cache: cache, models: models} do
      for {path, bytes} <- catalogue(models), do: sparse(path, bytes)
      assert models(cache, ["--check", "--verify"]) == {"", 1}
    end
  end

  test "scripts/setup says and does nothing where all is there" do
    assert System.cmd(Path.join(@root, "scripts/setup"), [], stderr_to_stdout: true) == {"", 0}
  end

  test "make help lists the two commands" do
    {help, 0} = System.cmd("make", ["--no-print-directory", "help"], cd: @root)
    assert help =~ ~r/^  make demo  +\S/m
    assert help =~ ~r/^  make test  +\S/m
  end

  test "the doctests of the scripts that measure" do
    for name <- ["growth.py", "ndcg.py", "perturb.py"] do
      assert System.cmd("python3", ["-m", "doctest", Path.join(@root, "scripts/#{name}")],
               stderr_to_stdout: true
             ) == {"", 0}
    end
  end

  describe "scripts/ndcg.py" do
    setup %{cache: cache} do
      File.mkdir_p!(cache)
      :ok
    end

    test "scores distinct files by corpus and kind, and a question without results as 0", %{cache: cache} do
      questions =
        jsonl(cache, "questions", [
          question("a", "shop", "symbol", ["lib/a.ex"], ["lib/b.ex"]),
          question("b", "shop", "error", ["lib/b.ex"], []),
          question("c", "bank", "error", ["lib/c.ex"], [])
        ])

      results =
        jsonl(cache, "results", [
          ~s({"query_id": "a", "results": [{"file": "lib/a.ex"}, {"file": "lib/a.ex"}, {"file": "lib/b.ex"}]}),
          ~s({"query_id": "b", "results": [{"file": "lib/x.ex"}, {"file": "lib/b.ex"}]})
        ])

      assert {output, 0} = ndcg(["score", results, "--questions", questions, "--json"])
      ["1 of 3 questions have no results and score 0" | lines] = String.split(output, "\n", trim: true)

      rows =
        for line <- lines, into: %{} do
          {:ok, row} = Ambix.JSON.decode(line)
          {{row["corpus"], row["kind"]}, row}
        end

      assert_in_delta rows[{"shop", "symbol"}]["ndcg@10"], 1.0, 1.0e-9
      assert_in_delta rows[{"shop", "error"}]["ndcg@10"], 0.6309, 1.0e-4
      assert_in_delta rows[{"bank", "all"}]["ndcg@10"], 0.0, 1.0e-9
      assert_in_delta rows[{"all", "error"}]["ndcg@10"], 0.6309 / 2, 1.0e-4

      all = rows[{"all", "all"}]
      assert all["questions"] == 3
      assert all["low"] <= all["ndcg@10"] and all["ndcg@10"] <= all["high"]
    end

    test "says what is wrong with questions", %{cache: cache} do
      questions =
        jsonl(cache, "questions", [
          question("a", "shop", "riddle", ["lib/a.ex"], ["lib/a.ex"]),
          question("a", "shop", "error", [], []),
          ~s({"query_id": "b"})
        ])

      assert {output, 1} = ndcg(["check", questions])
      assert output =~ "a has the kind 'riddle'"
      assert output =~ "a names lib/a.ex 2 times"
      assert output =~ "a has no primary answer"
      assert output =~ "a is given twice"
      assert output =~ "b lacks corpus, kind, primary, query, secondary, split"

      questions = jsonl(cache, "questions", [question("a", "shop", "error", ["lib/gone.ex"], [])])
      assert {output, 1} = ndcg(["check", questions, "--corpora", cache])
      assert output =~ "a names lib/gone.ex, which is not in #{Path.join(cache, "shop")}"
    end

    test "finds nothing wrong with those in benches/questions, whose halves are alike" do
      files = Path.wildcard(Path.join(@root, "benches/questions/{elixir,credo,tesla}*.jsonl"))
      assert length(files) == 6
      assert ndcg(["check" | files]) == {"", 0}

      counts =
        for file <- files do
          rows = for line <- File.stream!(file), {:ok, row} = Ambix.JSON.decode(line), do: row
          split = if file =~ ".kept.", do: "kept", else: "dev"
          assert Enum.all?(rows, &(&1["split"] == split))
          Enum.frequencies_by(rows, & &1["kind"])
        end

      assert [%{"architecture" => 7, "behaviour" => 8, "error" => 7, "symbol" => 7}] = Enum.uniq(counts)
    end
  end

  describe "scripts/token_proof" do
    test "its doctests" do
      # It has no name that Python would import.
      load = "loader = SourceFileLoader('token_proof', sys.argv[1])"
      make = "module = module_from_spec(spec_from_loader(loader.name, loader)); loader.exec_module(module)"

      python =
        "import doctest, sys\nfrom importlib.machinery import SourceFileLoader\n" <>
          "from importlib.util import module_from_spec, spec_from_loader\n" <>
          "#{load}\n#{make}\nfailed, tried = doctest.testmod(module)\nsys.exit(failed or tried == 0)"

      assert System.cmd("python3", ["-B", "-c", python, token_proof()], stderr_to_stdout: true) == {"", 0}
    end

    test "--check says what is wrong with questions", %{cache: cache} do
      File.mkdir_p!(Path.join(cache, "shop/lib"))
      File.write!(Path.join(cache, "shop/lib/a.ex"), "defmodule A do\n  def b(x), do: c(x)\n\nend\n")
      caller = %{fun: "A.b/1", file: "lib/a.ex", lines: [2], heads: [2]}
      right = agent_question("a", [caller, %{place: "lib/a.ex", lines: [1]}, %{text: "lib/a.ex", line: 2}])
      assert token_proof(cache, [right]) == {"", 0}

      wrong = [
        agent_question("b", [%{caller | heads: [1]}, %{place: "lib/a.ex", lines: [3]}]),
        %{agent_question("c", [%{text: "lib/gone.ex", line: 1}]) | structural: true, greppable: true},
        %{agent_question("d", [caller]) | kind: "riddle", grep: []},
        %{id: "e"}
      ]

      assert {output, 1} = token_proof(cache, [right | wrong])
      refute output =~ "a:"
      assert output =~ "b: lib/a.ex:1 is no head of A.b/1"
      assert output =~ "b: lib/a.ex:3 is empty, or is not there"
      assert output =~ "c: is both structural and for grep"
      assert output =~ "c: lib/gone.ex:1 is empty, or is not there"
      assert output =~ "d: has the kind 'riddle'"
      assert output =~ "d: has no pattern for grep"
      assert output =~ "e: lacks corpus, facts, grep, greppable, kind, question, split, structural, tools"
    end

    test "has questions enough, of corpora enough, and halves that are alike" do
      path = Path.join(@root, "benches/questions/tokens.jsonl")
      rows = for line <- File.stream!(path), {:ok, row} = Ambix.JSON.decode(line), do: row
      assert length(rows) >= 60
      assert rows |> Enum.map(& &1["corpus"]) |> Enum.uniq() |> length() >= 6

      for {kind, rows} <- Enum.group_by(rows, & &1["kind"]) do
        halves = Enum.frequencies_by(rows, & &1["split"])
        assert (halves["dev"] - halves["kept"]) in 0..1, kind
      end
    end
  end

  describe "scripts/perturb.py" do
    setup %{cache: cache} do
      File.mkdir_p!(cache)

      queries =
        jsonl(cache, "queries", [
          ~s({"query_id": "q:1", "query": "opens a connection to the server", "name": "connect", "name_overlap": 1.0}),
          ~s({"query_id": "q:2", "query": "closes every connection", "name": "stop", "name_overlap": 0.0})
        ])

      %{queries: queries, out: Path.join(cache, "out.jsonl")}
    end

    test "misspells the same way for the same seed", %{queries: queries, out: out} do
      [first, second] = perturb(["typos", queries, out, "--seed", "3"], out)
      assert [first, second] == perturb(["typos", queries, out, "--seed", "3"], out)
      refute [first, second] == perturb(["typos", queries, out, "--seed", "4"], out)

      assert first["original"] == "opens a connection to the server"
      assert first["query"] != first["original"]
      assert length(String.split(first["query"])) == 6
      assert first["name_overlap"] == 1.0
      assert second["query_id"] == "q:2"
    end

    test "joins paraphrases and counts the overlap anew", %{cache: cache, queries: queries, out: out} do
      words = jsonl(cache, "words", [~s({"query_id": "q:1", "query": "dial the other side"})])
      assert [row] = perturb(["paraphrases", queries, out, "--paraphrases", words], out)
      assert row["query"] == "dial the other side"
      assert row["name_overlap"] == 0.0

      words = jsonl(cache, "words", [~s({"query_id": "q:9", "query": "dial the other side"})])
      script = Path.join(@root, "scripts/perturb.py")
      arguments = [script, "paraphrases", queries, out, "--paraphrases", words]
      assert {message, 1} = System.cmd("python3", arguments, stderr_to_stdout: true)
      assert message =~ "has a paraphrase"
    end
  end

  defp question(id, corpus, kind, primary, secondary) do
    lists = for files <- [primary, secondary], do: "[" <> Enum.map_join(files, ", ", &~s("#{&1}")) <> "]"
    [primary, secondary] = lists

    ~s({"query_id": "#{id}", "corpus": "#{corpus}", "kind": "#{kind}", "query": "where", ) <>
      ~s("primary": #{primary}, "secondary": #{secondary}, "split": "dev"})
  end

  defp jsonl(folder, name, lines) do
    path = Path.join(folder, name <> ".jsonl")
    File.write!(path, Enum.map(lines, &[&1, ?\n]))
    path
  end

  defp token_proof, do: Path.join(@root, "scripts/token_proof")

  defp token_proof(cache, questions) do
    rows = Enum.map(questions, &Ambix.JSON.encode!/1)
    arguments = ["--check", "--corpora", cache, "--questions", jsonl(cache, "agent", rows)]
    System.cmd("python3", ["-B", token_proof() | arguments], stderr_to_stdout: true)
  end

  defp agent_question(id, facts) do
    %{
      id: id,
      kind: "who_calls",
      corpus: "shop",
      split: "dev",
      structural: true,
      greppable: false,
      question: "Which functions call A.c/1?",
      grep: ["c\\("],
      tools: [%{tool: "relations", relation: "callers", of: "A.c/1"}],
      facts: facts
    }
  end

  defp ndcg(arguments) do
    System.cmd("python3", [Path.join(@root, "scripts/ndcg.py") | arguments], stderr_to_stdout: true)
  end

  # The rows that the script writes to `out`.
  defp perturb(arguments, out) do
    {_, 0} =
      System.cmd("python3", [Path.join(@root, "scripts/perturb.py") | arguments], stderr_to_stdout: true)

    for line <- File.stream!(out), {:ok, row} = Ambix.JSON.decode(line), do: row
  end

  defp models(cache, arguments) do
    script = Path.join(@root, "scripts/models.py")
    System.cmd("python3", [script | arguments], env: [{"AMBIX_CACHE", cache}], stderr_to_stdout: true)
  end

  # Every file of the catalogue, with its size.
  defp catalogue(folder) do
    {:ok, %{"models" => models}} =
      @root |> Path.join("lib/ambix/models.json") |> File.read!() |> Ambix.JSON.decode()

    for model <- models, file <- model["files"] do
      {Path.join([folder, model["name"], file["to"]]), file["bytes"]}
    end
  end

  # A file of zeros that takes no room on the disk.
  defp sparse(path, bytes) do
    File.mkdir_p!(Path.dirname(path))
    file = File.open!(path, [:write])
    {:ok, _} = :file.position(file, bytes)
    :ok = :file.truncate(file)
    File.close(file)
  end
end
