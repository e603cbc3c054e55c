defmodule Mix.Tasks.Ambix.UsageTest do
  # Standard output and error are captured for the whole VM.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Mix.Tasks.Ambix, as: Tasks

  @moduletag :tmp_dir

  @tasks [
    Tasks.Index,
    Tasks.Watch,
    Tasks.Status,
    Tasks.Search,
    Tasks.Lookup,
    Tasks.Grep,
    Tasks.Context,
    Tasks.Graph,
    Tasks.Ask,
    Tasks.Models,
    Tasks.Mcp,
    Tasks.Install,
    Tasks.Check,
    Tasks.Doctor,
    Tasks.Eval,
    Tasks.Fix
  ]

  # Standard error and the exit code of a task.
  defp run(task, argv) do
    test = self()

    error =
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

    assert_received {:code, code}
    {error, code}
  end

  for task <- @tasks do
    test "#{inspect(task)} refuses an unknown option with one sentence" do
      {error, code} = run(unquote(task), ["--no-such-thing"])
      assert code == 1
      assert ["ambix: unknown option --no-such-thing" <> _] = String.split(error, "\n", trim: true)
    end

    test "#{inspect(task)} has a short and a long documentation" do
      assert Mix.Task.shortdoc(unquote(task))
      help = capture_io(fn -> unquote(task).run(["--help"]) end)
      assert help =~ "## Options"
      assert help =~ "mix ambix."
    end
  end

  for {task, argv, sentence} <- [
        {Tasks.Index, ["x"], "mix ambix.index takes no argument, got x"},
        {Tasks.Watch, ["x"], "mix ambix.watch takes no argument, got x"},
        {Tasks.Watch, ["--root", "/no/such/folder"], "there is no folder /no/such/folder"},
        {Tasks.Status, ["x"], "mix ambix.status takes no argument, got x"},
        {Tasks.Status, ["--root", "mix.exs"], "mix.exs is a file, and the root is a folder"},
        {Tasks.Search, [], "mix ambix.search expects a query"},
        {Tasks.Search, ["--queries", "in.jsonl"], "--queries needs --out"},
        {Tasks.Search, ["a", "--queries", "in.jsonl", "--out", "o"], "give a query or --queries, not both"},
        {Tasks.Search, ["a", "--limit", "0"], "expected --limit to be a positive integer, got: 0"},
        {Tasks.Search, ["a", "--mode", "fuzzy"], "--mode expects one of hybrid, lexical, semantic"},
        {Tasks.Search, ["--queries", "/no/such.jsonl", "--out", "o"], "there is no file /no/such.jsonl"},
        {Tasks.Search, ["a", "--mode", "lexical", "--root", "/no/such/folder"],
         "there is no folder /no/such/folder"},
        {Tasks.Search, ["a", "--mode", "lexical", "--root", "mix.exs"],
         "mix.exs is a file, and the root is a folder"},
        {Tasks.Lookup, [], "mix ambix.lookup expects one name, such as Shop.Cart.add/2"},
        {Tasks.Lookup, ["a", "b"], "mix ambix.lookup expects one name, such as Shop.Cart.add/2, got a b"},
        {Tasks.Lookup, ["a", "--kinds", "none"],
         "expected --kinds to be words with commas between them, out of module, protocol, "},
        {Tasks.Lookup, ["a", "--root", "/no/such/folder"], "there is no folder /no/such/folder"},
        {Tasks.Grep, [], "mix ambix.grep expects a pattern, as in: "},
        {Tasks.Grep, ["a", "b"], "mix ambix.grep expects one pattern, in quotes if it has spaces, got a b"},
        {Tasks.Grep, ["a", "--case", "upper"], "--case expects one of sensitive, insensitive, smart"},
        {Tasks.Grep, ["a", "--languages", "cobol"],
         "expected --languages to be words with commas between them, out of elixir, heex, "},
        {Tasks.Grep, ["a", "--limit", "0"], "expected --limit to be a positive integer, got: 0"},
        {Tasks.Context, [], "mix ambix.context expects a query"},
        {Tasks.Graph, [], "mix ambix.graph expects callers, callees, references, "},
        {Tasks.Graph, ["callers"], "mix ambix.graph callers expects a symbol"},
        {Tasks.Graph, ["near", "A", "B"],
         "mix ambix.graph near expects a symbol, such as Shop.Cart.add/2, got A B"},
        {Tasks.Graph, ["impact"], "mix ambix.graph impact expects a path or a symbol"},
        {Tasks.Graph, ["path", "A"], "mix ambix.graph path expects two symbols"},
        {Tasks.Graph, ["cycles", "A"], "mix ambix.graph cycles expects no further argument, got A"},
        {Tasks.Graph, ["svg", "A", "B"], "mix ambix.graph svg expects at most one symbol"},
        {Tasks.Graph, ["diff", "--root", "/no/such/folder"], "there is no folder /no/such/folder"},
        {Tasks.Graph, ["callers", "A", "--kinds", "phone"],
         "expected --kinds to be words with commas between them, out of call, message,"},
        {Tasks.Graph, ["callers", "A", "--depth", "0"], "expected --depth to be a positive integer, got: 0"},
        {Tasks.Graph, ["rank", "--seeds", ","], "expected --seeds to be words with commas between them"},
        {Tasks.Graph, ["rank", "--kinds", "call"],
         "--kinds means nothing to rank; it is for callers, callees, path"},
        {Tasks.Graph, ["dead", "--svg", "a.svg"],
         "--svg means nothing to dead; it is for callers, callees, impact"},
        {Tasks.Graph, ["callers", "A", "--out", "a"],
         "--out means nothing to callers; it is for export, svg"},
        {Tasks.Graph, ["cycles", "--phase", "noon"], "--phase expects one of compile_time, run_time"},
        {Tasks.Graph, ["export", "--format", "png"], "--format expects one of edges, dot, graphml"},
        {Tasks.Graph, ["export", "--around", "A"], "--format edges exports every call"},
        {Tasks.Graph, ["export", "--format", "dot", "--trace"],
         "--trace exports the calls that the compiler sees"},
        {Tasks.Graph, ["near", "A", "--model", "/no/such.gguf"], "there is no /no/such.gguf"},
        {Tasks.Ask, [], "mix ambix.ask expects a question"},
        {Tasks.Ask, ["a", "--model", "/no/such.gguf"], "there is no /no/such.gguf"},
        {Tasks.Models, [], "mix ambix.models expects list, pull or path"},
        {Tasks.Models, ["path", "nothing-like-it"], "there is no model nothing-like-it"},
        {Tasks.Eval, ["programs", "x"], "the option --out is required"},
        {Tasks.Eval, ["programs", "/no/such.jsonl", "--out", "o"], "there is no file /no/such.jsonl"},
        {Tasks.Eval, ["programs", "x", "--out", "o", "--technique", "luck"],
         "--technique expects one of greedy"}
      ] do
    test "#{inspect(task)} #{Enum.join(argv, " ")}" do
      {error, code} = run(unquote(task), unquote(argv))
      assert code == 1
      assert ["ambix: " <> sentence] = String.split(error, "\n", trim: true)
      assert String.starts_with?(sentence, unquote(sentence))
    end
  end

  test "models are listed as a table and as JSON" do
    assert capture_io(fn -> Tasks.Models.run(["list"]) end) =~ ~r/^name +kind +here +package +path$/m

    assert [line] =
             capture_io(fn -> Tasks.Models.run(["list", "--json"]) end) |> String.split("\n", trim: true)

    assert {:ok, [%{"name" => _, "kind" => _, "pulled" => _} | _]} = Ambix.JSON.decode(line)
  end
end
