defmodule Ambix.IndexTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Setup, only: [write: 2]

  alias Ambix.{Error, Graph, Index, Native}

  @moduletag :tmp_dir

  defp project(dir) do
    write(Path.join(dir, "project"), %{
      "lib/cart.ex" => """
      defmodule Cart do
        @moduledoc "What a customer wants to buy."

        @doc "Puts an item into the cart."
        def add(cart, item), do: [item | cart]

        @doc "What the whole cart costs, with tax."
        def total(cart), do: cart |> Enum.map(& &1.price) |> Enum.sum() |> Tax.with_tax()
      end
      """,
      "lib/tax.ex" => """
      defmodule Tax do
        @rate 19
        def with_tax(amount), do: amount + div(amount * @rate, 100)
      end
      """,
      "test/cart_test.exs" => """
      defmodule CartTest do
        use ExUnit.Case
        test "adds up", do: assert Cart.total([%{price: 100}]) == 119
      end
      """
    })
  end

  test "what changed together with the file that one is at is near to it", %{tmp_dir: dir} do
    root = project(dir)
    write(root, %{"lib/apart/notes.ex" => "defmodule Notes do\n  def tax_of_cart(note), do: note\nend\n"})

    git = fn args ->
      who = ~w(-c user.name=Somebody -c user.email=somebody@localhost -c commit.gpgsign=false)
      {_, 0} = System.cmd("git", who ++ args, cd: root, stderr_to_stdout: true)
    end

    {:ok, index} = Index.build(root)

    near = fn ->
      {:ok, %{results: results}} = Index.search(index, "tax of a cart", near: ["lib/cart.ex"])

      for result <- results, uniq: true, into: %{} do
        {result.file, Enum.find_value(result.features, 0.0, &(&1.name == "near" && &1.value))}
      end
    end

    before = near.()
    assert %{"lib/cart.ex" => 1.0, "lib/apart/notes.ex" => +0.0} = before
    assert_in_delta before["lib/tax.ex"], 0.6, 1.0e-6

    git.(~w(init -q))

    for change <- 1..2 do
      write(root, %{"version" => "#{change}"})
      for path <- ~w(lib/cart.ex lib/apart/notes.ex), do: File.write!(Path.join(root, path), "\n", [:append])
      git.(~w(add -A))
      git.(~w(commit -q -m #{change}))
    end

    {:ok, _} = Index.update(index)
    assert_in_delta near.()["lib/apart/notes.ex"], 0.8, 1.0e-6
  end

  test "answers questions with places and text", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))

    assert {:ok, %{results: [best | _], made_from: from}} =
             Index.search(index, "what does the cart cost with tax")

    assert %{file: "lib/cart.ex", symbol: "Cart.total/1", kind: "function", line_start: 7} = best
    assert best.text =~ "def total(cart)"
    assert from == %{lexical: true, semantic: true, vectors: from.chunks, chunks: from.chunks}
    # What is printed as reasons adds up to the score.
    assert_in_delta best.score, Enum.sum(Enum.map(best.features, & &1.adds)), 1.0e-4

    assert {:ok, %{files: 3, diagnostics: 0, own_vectors: true}} = Index.info(index)
    assert {:ok, %{made_from: %{semantic: false}}} = Index.search(index, "tax", mode: :lexical)
    assert {:ok, "defmodule Tax" <> _} = Index.text(index, "lib/tax.ex")
    assert {:error, %Error{kind: :not_found}} = Index.text(index, "lib/none.ex")
    assert inspect(index) =~ ~r/\A#Ambix.Index<.*project>\z/
  end

  test "the graph knows callers, callees, impact and rank", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))
    assert {:ok, [%{symbol: "Cart.total/1", depth: 1}]} = Graph.callers(index, "Tax.with_tax/1")
    assert {:ok, callers} = Graph.callers(index, "with_tax", depth: 2)
    assert Enum.map(callers, &{&1.symbol, &1.depth}) == [{"Cart.total/1", 1}, {"CartTest.adds up", 2}]
    assert {:ok, [%{symbol: "Tax.with_tax/1"}]} = Graph.callees(index, "Cart.total/1")
    assert {:ok, impact} = Graph.impact(index, "lib/tax.ex")
    assert Enum.any?(impact, &(&1.file == "test/cart_test.exs"))
    assert {:ok, [%{score: score} | _]} = Graph.rank(index, limit: 1)
    assert score > 0
    assert {:ok, edges} = Graph.edges(index)
    assert {"Cart", "total", 1, "Tax", "with_tax", 1} in edges
    assert {"Cart", "total", 1, "Enum", "sum", 1} in edges
    assert {:error, %Error{kind: :not_found, message: message}} = Graph.callers(index, "Tax.with_tex/1")
    assert message =~ "Tax.with_tax/1"
  end

  test "a changed file updates only itself, and the index then equals a fresh one", %{tmp_dir: dir} do
    root = project(dir)
    {:ok, index} = Index.build(root)

    write(root, %{
      "lib/tax.ex" => "defmodule Tax do\n  def duty(amount), do: amount\nend\n",
      "lib/new.ex" => "defmodule New do\nend\n"
    })

    File.rm!(Path.join(root, "test/cart_test.exs"))
    assert {:ok, %{added: 1, changed: 1, removed: 1, unchanged: 1}} = Index.update(index)
    {:ok, fresh} = Index.build(root)

    for query <- ["tax", "duty", "cart", "Cart.total/1"],
        do: assert(Index.search(index, query) == Index.search(fresh, query))

    assert Graph.edges(index) == Graph.edges(fresh)
    assert {:ok, %{added: 0, changed: 0, removed: 0, unchanged: 3}} = Index.update(index)
  end

  test "what was saved is opened as it was", %{tmp_dir: dir} do
    root = project(dir)
    file = Path.join(dir, "index.ambix")
    {:ok, index} = Index.build(root)
    assert Index.save(index, file) == :ok
    {:ok, opened} = Index.open(file)
    assert Index.search(opened, "tax") == Index.search(index, "tax")
    assert Index.info(opened) == Index.info(index)
    {:ok, again} = Index.open_or_build(root, index: file)
    assert Index.info(again) == Index.info(index)
  end

  test "files that are no index are errors and stay as they are", %{tmp_dir: dir} do
    root = project(dir)
    {:ok, index} = Index.build(root)
    whole = Path.join(dir, "whole.ambix")
    :ok = Index.save(index, whole)
    bytes = File.read!(whole)

    for {name, content} <- [
          {"foreign", "this is a text"},
          {"empty-but-foreign", String.duplicate(<<0>>, 5000)},
          {"cut", binary_part(bytes, 0, div(byte_size(bytes), 2))}
        ] do
      file = Path.join(dir, name)
      File.write!(file, content)
      assert {:error, %Error{kind: kind, message: message}} = Index.open_or_build(root, index: file)
      assert kind in [:corrupt, :version]
      assert message =~ name
      assert File.read!(file) == content
    end

    assert {:error, %Error{kind: :not_found}} = Index.open(Path.join(dir, "none"))
    assert {:error, %Error{kind: kind}} = Index.save(index, "/proc/no/such/place")
    assert kind in [:io, :not_found]
  end

  test "bad folders are errors, bad files are diagnostics", %{tmp_dir: dir} do
    assert {:error, %Error{kind: :not_found}} = Index.build(Path.join(dir, "none"))
    root = project(dir)
    assert {:error, %Error{kind: :invalid_argument}} = Index.build(Path.join(root, "lib/tax.ex"))

    write(root, %{
      "lib/latin.ex" => <<"defmodule Latin do\n  # ", 228, "\n  def read, do: 1\nend\n">>,
      "lib/empty.ex" => "",
      "lib/broken.ex" => "defmodule Broken do\n  def fine(x), do: x\n  def open(x) do\n    case x do\n",
      "lib/large.ex" => String.duplicate("# a line\n", 200_000),
      "lib/binary.ex" => <<0, 1, 2, 3>>
    })

    File.ln_s!("self.ex", Path.join(root, "lib/self.ex"))
    {:ok, index} = Index.build(root)
    {:ok, diagnostics} = Index.diagnostics(index)
    codes = for d <- diagnostics, uniq: true, do: {d.file, d.code}
    assert {"lib/latin.ex", "encoding"} in codes
    assert {"lib/large.ex", "too_large"} in codes
    assert {"lib/binary.ex", "binary"} in codes
    assert {"lib/broken.ex", "syntax"} in codes
    assert {:ok, %{results: [%{symbol: "Broken.fine/1"} | _]}} = Index.search(index, "Broken.fine/1")
    assert {:ok, %{results: [%{symbol: "Latin.read/0"} | _]}} = Index.search(index, "Latin.read/0")
  end

  test "filters hold for words and for meaning", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))

    found = fn opts ->
      {:ok, answer} = Index.search(index, "what does the cart cost with tax", [limit: 50] ++ opts)
      for result <- answer.results, do: {result.file, result.kind}
    end

    all = found.([])
    assert Enum.all?(found.(paths: ["lib/tax.ex"]), &match?({"lib/tax.ex", _}, &1))
    assert found.(paths: ["lib/tax.ex"]) != []
    refute Enum.any?(found.(paths: ["!lib/cart.ex"]), &match?({"lib/cart.ex", _}, &1))
    assert Enum.all?(found.(kinds: [:function]), &match?({_, "function"}, &1))
    assert found.(modules: ["Cart"]) != all
    assert found.(languages: [:erlang]) == []
    assert Enum.sort(found.(public: nil)) == Enum.sort(all)
    assert_raise ArgumentError, ~r/:kinds/, fn -> Index.search(index, "tax", kinds: [:functon]) end
    assert {:error, %Error{kind: :invalid_argument}} = Index.search(index, "tax", paths: ["[a"])
  end

  test "queries that ask nothing are errors", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))
    assert {:error, %Error{kind: :invalid_argument}} = Index.search(index, "   ")
    assert_raise ArgumentError, ~r/:limit/, fn -> Index.search(index, "tax", limit: 0) end
    assert_raise ArgumentError, ~r/:encoder/, fn -> Index.search(index, "tax", encoder: :none) end
  end

  test "names are looked up whole, in part and with typos", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))

    fits = fn name, opts ->
      with {:ok, found} <- Index.lookup(index, name, opts),
           do: for(it <- found.results, do: {it.fit, it.symbol})
    end

    assert {:ok, %{results: [total], freshness: :unknown}} = Index.lookup(index, "Cart.total/1")

    assert %{file: "lib/cart.ex", line: 8, line_start: 7, line_end: 8} = total

    assert %{symbol: "Cart.total/1", kind: "function", public: true, fit: "exact", signature: "total(cart)"} =
             total

    assert fits.("with_tax", []) == [{"tail", "Tax.with_tax/1"}]
    assert fits.("TAX.With_Tax", []) == [{"case", "Tax.with_tax/1"}]
    assert fits.("wt", []) == [{"abbreviation", "Tax.with_tax/1"}]
    assert fits.("Cart.totla", []) == [{"typo", "Cart.total/1"}]
    assert fits.("Cart", []) == [{"exact", "Cart"}, {"prefix", "CartTest"}]
    assert fits.("Cart", limit: 1) == [{"exact", "Cart"}]
    assert fits.("Cart", kinds: [:function, :test]) == []
    assert fits.("nowhere_at_all", []) == []
  end

  test "patterns are found with the definition they are in", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))
    assert {:ok, %{lines: [line], truncated: false, counts: []}} = Index.grep(index, ~S"Tax\.\w+")
    assert %{file: "lib/cart.ex", line: 8, column: 70, symbol: "Cart.total/1", kind: "function"} = line
    assert [{start, 12}] = line.matches
    assert binary_part(line.text, start - line.text_start, 12) == "Tax.with_tax"

    places = fn pattern, opts ->
      with {:ok, found} <- Index.grep(index, pattern, opts),
           do: for(it <- found.lines, do: {it.file, it.line})
    end

    assert places.("tax", kinds: [:function]) == [{"lib/cart.ex", 7}, {"lib/cart.ex", 8}, {"lib/tax.ex", 3}]

    assert places.("TAX", case: :insensitive, kinds: [:attribute, :module], paths: ["lib/tax.ex"]) == [
             {"lib/tax.ex", 1},
             {"lib/tax.ex", 3}
           ]

    assert places.("TAX", case: :smart) == []
    assert places.("tax", word: true) == [{"lib/cart.ex", 7}]
    assert places.("(cart)", fixed: true, paths: ["*.ex"]) == [{"lib/cart.ex", 8}]
    assert places.("cart", languages: [:markdown]) == []
    assert places.("end", paths: ["!test"], limit: 1) == [{"lib/cart.ex", 9}]
    assert places.("do\n  use", multiline: true) == [{"test/cart_test.exs", 1}]
    assert {:ok, %{truncated: true}} = Index.grep(index, "a", per_file: 1)

    assert {:ok, %{lines: [], counts: [%{file: "lib/cart.ex", lines: 7} | _]}} =
             Index.grep(index, ".", count: true)

    assert {:ok, %{lines: [%{before: ["defmodule Tax do"], after: []}, %{before: [], after: ["end"]}]}} =
             Index.grep(index, "@rate", context: 2)

    # A file may be read for nothing, but not all of them.
    assert {:ok, %{lines: [], searched: searched}} = Index.grep(index, "zyzzyva")
    assert searched < 3
  end

  test "what was looked up is seen to change", %{tmp_dir: dir} do
    root = project(dir)
    {:ok, index} = Index.build(root)
    assert {:ok, %{results: [_]}} = Index.lookup(index, "with_tax")
    write(root, %{"lib/tax.ex" => "defmodule Tax do\n  def duty(amount), do: amount\nend\n"})
    {:ok, _} = Index.update(index, paths: ["lib/tax.ex"])
    assert {:ok, %{results: []}} = Index.lookup(index, "with_tax")
    assert {:ok, %{results: [%{symbol: "Tax.duty/1"}]}} = Index.lookup(index, "duty")
    assert {:ok, %{lines: [%{symbol: "Tax.duty/1"}]}} = Index.grep(index, "duty")
    assert {:ok, %{lines: []}} = Index.grep(index, "@rate")
  end

  test "names and patterns that are none are errors", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))
    assert {:error, %Error{kind: :invalid_argument}} = Index.lookup(index, " ")
    assert_raise ArgumentError, ~r/:limit/, fn -> Index.lookup(index, "a", limit: 0) end
    assert_raise ArgumentError, ~r/:kinds/, fn -> Index.lookup(index, "a", kinds: [:nothing]) end
    assert_raise ArgumentError, ~r/:case/, fn -> Index.grep(index, "a", case: :upper) end
    assert_raise ArgumentError, ~r/:paths/, fn -> Index.grep(index, "a", paths: "lib") end

    for {pattern, opts, kind, part} <- [
          {"", [], :invalid_argument, "empty"},
          {"a(", [], :invalid_argument, "unclosed group"},
          {"a\nb", [], :invalid_argument, "multiline"},
          {"a", [paths: ["a["]], :invalid_argument, "glob"},
          {"a", [context: 1000], :invalid_argument, "context"},
          {String.duplicate("x", 1_048_576), [], :limit, "65536"},
          {"(\\w{100}){100}", [], :limit, "too large"}
        ] do
      assert {:error, %Error{kind: ^kind, message: message}} = Index.grep(index, pattern, opts)
      assert message =~ part
      refute message =~ "\n"
    end

    # A name of any length is only one that nothing has.
    assert {:ok, %{results: []}} = Index.lookup(index, String.duplicate("x", 1_048_576))

    assert {:ok, %{results: []}} = Index.lookup(index, <<0>>)
    assert {:error, %Error{kind: :invalid_argument}} = Index.lookup(index, <<255, 254>>)
    assert {:ok, %{lines: []}} = Index.grep(index, <<0>>)
    assert {:error, %Error{kind: :invalid_argument}} = Index.grep(index, <<255, 254>>)
  end

  # The index is a good one; everything else is not, in every place.
  test "neither look-up is harmed by wrong arguments", %{tmp_dir: dir} do
    import Bitwise
    {:ok, %{resource: resource}} = Index.build(project(dir))
    good = %{fixed: false, case: :smart, word: false, multiline: false, paths: [], languages: [], kinds: []}
    good = Map.merge(good, %{context: 0, per_file: nil, limit: 1, count: false})

    wrong = [
      nil,
      :atom,
      -1,
      0,
      1 <<< 70,
      1.5,
      "",
      "[",
      <<255>>,
      ["x"],
      [1 | 2],
      {},
      %{},
      %{a: 1},
      make_ref(),
      self()
    ]

    options = for key <- Map.keys(good), value <- wrong, do: Map.put(good, key, value)

    # Other wrong arguments, to all native functions, are those of `Ambix.NativeTest`.
    for argument <- wrong ++ options do
      calls = [
        fn -> Native.index_lookup(resource, argument, argument, argument) end,
        fn -> Native.index_lookup(resource, "a", [], argument) end,
        fn -> Ambix.Job.run(&Native.index_grep(&1, resource, argument, good), nil) end,
        fn -> Ambix.Job.run(&Native.index_grep(&1, resource, "a", argument), nil) end
      ]

      for call <- calls do
        result = call.()
        refute match?({:error, %Error{kind: :panic}}, result), inspect({argument, result})
      end
    end
  end

  test "a context never exceeds its budget", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))

    for tokens <- [1, 10, 50, 100, 1000] do
      {:ok, context} = Index.context(index, "tax of a cart", tokens: tokens)
      assert context.tokens <= tokens
      assert context.tokens == Ambix.Tool.Budget.count(context.text)
      if context.sections == [], do: assert(context.note)
    end
  end

  test "sections are numbered and say which lines they show", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))

    for order <- [:ends, :best, :last, :path] do
      {:ok, context} = Index.context(index, "tax of a cart", tokens: 4000, order: order)
      assert Enum.map(context.sections, & &1.number) == Enum.to_list(1..length(context.sections))

      if order == :path,
        do: assert(Enum.map(context.sections, & &1.file) == Enum.sort(Enum.map(context.sections, & &1.file)))

      for section <- context.sections do
        {from, to} = hd(section.lines)
        first_lines = if from == to, do: "#{from}", else: "#{from}-#{to}"
        assert context.text =~ "### [#{section.number}] #{section.file}:#{first_lines}"

        assert [{first, _} | _] = section.lines
        assert {first, elem(List.last(section.lines), 1)} == {section.line_start, section.line_end}
        {:ok, text} = Index.text(index, section.file)
        lines = String.split(text, "\n")

        for {from, to} <- section.lines,
            number <- from..to,
            do: assert(section.text =~ Enum.at(lines, number - 1))
      end

      cited = Ambix.Context.citations("[1] and [99]", context.sections)
      assert Enum.map(cited, & &1.real) == [true, false]
    end

    assert_raise ArgumentError, fn -> Index.context(index, "tax", order: :best_first) end
    {:ok, few} = Index.context(index, "tax of a cart", tokens: 4000, limit: 1)
    {:ok, many} = Index.context(index, "tax of a cart", tokens: 4000)
    assert few.tokens < many.tokens
  end

  test "input nested 10 000 deep harms nobody", %{tmp_dir: dir} do
    deep = fn open, close -> String.duplicate(open, 10_000) <> "1" <> String.duplicate(close, 10_000) end

    root =
      write(Path.join(dir, "deep"), %{
        "lib/lists.ex" => "defmodule Lists do\n  def deep, do: #{deep.("[", "]")}\nend\n",
        "lib/calls.ex" => "defmodule Calls do\n  def deep, do: #{deep.("f(", ")")}\nend\n",
        "lib/open.ex" => String.duplicate("fn -> (", 10_000),
        "lib/modules.ex" => String.duplicate("defmodule M do\n", 10_000),
        "lib/strings.ex" => "x = " <> deep.("\"\#{", "}\"")
      })

    assert {:ok, index} = Index.build(root)
    assert {:ok, _} = Index.search(index, "Lists.deep")
    assert {:ok, _} = Graph.rank(index)
    assert {:ok, _} = Index.context(index, "deep", tokens: 500)
    file = Path.join(dir, "deep.ambix")
    assert Index.save(index, file) == :ok
    assert {:ok, _} = Index.open(file)
  end

  test "building reports progress", %{tmp_dir: dir} do
    root = project(dir)
    parent = self()
    {:ok, _} = Index.build(root, progress: &send(parent, {:progress, &1}))
    assert_received {:progress, %{phase: :analyse, done: 0, total: 3}}
  end

  test "two processes save to one file and both succeed", %{tmp_dir: dir} do
    root = project(dir)
    file = Path.join(dir, "shared.ambix")
    {:ok, index} = Index.build(root)

    results =
      1..8 |> Enum.map(fn _ -> Task.async(fn -> Index.save(index, file) end) end) |> Task.await_many(60_000)

    assert Enum.all?(results, &(&1 == :ok))
    assert {:ok, _} = Index.open(file)
  end

  test "a save that waits for another process holds up no question and nobody who opens the file", %{
    tmp_dir: dir
  } do
    {:ok, index} = Index.build(project(dir))
    path = Path.join(dir, "held.ambix")
    :ok = Index.save(index, path)
    other = Port.open({:spawn_executable, System.find_executable("sh")}, [:binary, args: ["-c", held(path)]])
    assert_receive {^other, {:data, "held\n"}}, 20_000

    save = Task.async(fn -> Index.save(index, path, wait: 60_000) end)
    assert {:ok, opened} = Index.open(path)
    for index <- [index, opened], do: assert({:ok, %{results: [_ | _]}} = Index.search(index, "Cart"))
    assert {:ok, %{}} = Index.status(index)
    # None of this has waited for the end of the save.
    assert Task.yield(save, 0) == nil
    assert {:error, %Error{kind: :locked, message: message}} = Index.export(opened, path, wait: 10)
    assert message =~ "another process is writing to this index"

    Port.command(other, "\n")
    assert Task.await(save, 60_000) == :ok
  end

  # Another program holds the lock until it gets a line.
  defp held(path), do: "exec 9<> '#{path}.lock'; flock 9; echo held; read line"

  test "an exported index is opened as that of another folder", %{tmp_dir: dir} do
    root = project(dir)
    {:ok, index} = Index.build(root)
    file = Path.join(dir, "exported.ambix")
    assert Index.export(index, file) == :ok
    assert {:error, %Error{kind: :invalid_argument, message: message}} = Index.open(file)
    assert message =~ "root"

    other = Path.join(dir, "other")
    File.cp_r!(root, other)
    write(other, %{"lib/tax.ex" => "defmodule Tax do\n  def duty(amount), do: amount\nend\n"})
    assert {:ok, opened} = Index.open(file, root: other)
    assert {:ok, %{results: [_]}} = Index.lookup(opened, "with_tax")
    assert {:ok, %{changed: 1, unchanged: 2, added: 0, removed: 0}} = Index.update(opened)
    assert {:ok, %{results: []}} = Index.lookup(opened, "with_tax")
    {:ok, built} = Index.build(other)

    for query <- ["duty", "what does the cart cost"],
        do: assert(Index.search(opened, query) == Index.search(built, query))

    assert {:error, %Error{kind: :not_found}} = Index.open(file, root: Path.join(dir, "none"))
  end

  test "ceilings of memory and disk are kept", %{tmp_dir: dir} do
    root = project(dir)
    {:ok, index} = Index.build(root)
    {:ok, %{memory: memory}} = Index.info(index)
    assert memory > 0
    limited = fn opts -> Index.open_or_build(root, [index: Path.join(dir, "kept.ambix")] ++ opts) end
    assert {:error, %Error{kind: :limit, message: message}} = limited.(max_memory: div(memory, 2))
    assert message =~ "max_memory"
    assert {:error, %Error{kind: :limit, message: message}} = limited.(max_disk: 1000)
    assert message =~ "max_disk"
    assert {:ok, _} = limited.(max_memory: 2 * memory, max_disk: 100_000)

    # What is opened keeps below it too, and a change that does not fit is not taken in.
    assert {:error, %Error{kind: :limit}} = limited.(max_memory: div(memory, 2))
    {:ok, index} = limited.(max_memory: 2 * memory)

    write(root, %{
      "lib/large.ex" => "defmodule Large do\n#{String.duplicate("  def a, do: :b\n", 20_000)}end\n"
    })

    assert {:error, %Error{kind: :limit}} = Index.update(index)
    assert {:ok, %{results: [_ | _]}} = Index.search(index, "tax")
    File.rm!(Path.join(root, "lib/large.ex"))
    assert {:ok, %{changed: 0}} = Index.update(index)
  end

  test "a question of any kind and length gets an answer or an error", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(dir))
    ask = fn query -> for f <- [&Index.search/2, &Index.context/2], do: f.(index, query) end

    for empty <- ["", " \n\t", <<0xE2, 0x80, 0x83>>],
        answer <- ask.(empty),
        do: assert({:error, %Error{kind: :invalid_argument}} = answer)

    long =
      for word <- [
            "cart ",
            "Cart.total/1 ",
            "lib/cart.ex:3 ",
            "zyx",
            "ü",
            "購物車 ",
            "@@ -1,2 +3,4 @@\n",
            "((((",
            "\\\\n"
          ],
          do: String.duplicate(word, div(1_048_576, byte_size(word)))

    scripts = [
      "корзина сумма",
      "عربة التسوق",
      "सामान की गाड़ी",
      "購物車 總計",
      "장바구니",
      "ตะกร้า",
      "καλάθι",
      "🛒 total",
      "e\u0301\u200D"
    ]

    for query <- long ++ scripts ++ [<<0>>, "a\0b", "\u202Etotal"],
        answer <- ask.(query),
        do: assert({:ok, _} = answer)

    # Bytes that are no text are refused as such, wherever they stand.
    for query <- [
          <<255>>,
          <<"cart ", 0xC3>>,
          :binary.copy(<<0x80>>, 1_048_576),
          :crypto.strong_rand_bytes(4096) <> <<255>>
        ],
        answer <- ask.(query),
        do: assert({:error, %Error{kind: :invalid_argument}} = answer)
  end
end
