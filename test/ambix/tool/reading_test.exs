defmodule Ambix.Tool.ReadingTest do
  use ExUnit.Case, async: true

  alias Ambix.{Error, Index, JSON, Packages, Tool}
  alias Ambix.MCP.ToolModules
  alias Ambix.Test.{JSONSchema, Setup, ToolProject}
  alias Ambix.Tool.{Budget, Call, Host, Read, Relations, Search}

  @moduletag :tmp_dir
  @tools [Search, Read, Relations]

  setup %{tmp_dir: tmp} do
    root = ToolProject.write(tmp, %{"lib/shop/long.ex" => ToolProject.long(120)})
    {:ok, index} = Index.build(root)
    {:ok, root: root, host: Host.new(index)}
  end

  # The answer, whose data is as its schema says.
  defp ask(host, tool, arguments, budget \\ 4000) do
    with {:ok, answer} <- Tool.call(tool, arguments, %Call{host: host, budget: budget}) do
      json = JSON.encode!(answer.data)
      assert JSONSchema.errors(JSON.decode!(json), tool.tool().output) == []
      assert answer.data["truncated"] == answer.truncated
      assert Budget.count(answer.text) <= budget
      assert Budget.count(json) <= max(budget, 120)
      answer
    end
  end

  defp places(answer), do: Enum.map(answer.data["results"], & &1["place"])

  test "they are listed in order, and their definitions are small" do
    assert Enum.take(Tool.all(), 3) == @tools

    shown =
      for definition <- ToolModules.list(%{modules: @tools}) do
        assert String.length(definition["description"]) <= 300
        assert JSONSchema.errors(%{}, definition["inputSchema"]) != []
        definition |> Map.take(["name", "description", "inputSchema"]) |> JSON.encode!()
      end

    assert Budget.count(Enum.join(shown, "\n")) <= 800
  end

  test "search by each kind says which it was", %{host: host} do
    assert %{data: %{"kind" => "name", "results" => [%{"symbol" => "Shop.Cart.add/2"} | _]}} =
             ask(host, Search, %{"query" => "Cart.add"})

    # Who gives an arity means that function alone.
    assert [%{"symbol" => "Shop.Cart.add/2"}] = ask(host, Search, %{"query" => "Cart.add/2"}).data["results"]
    assert length(places(ask(host, Search, %{"query" => "one step of the long way"}))) == 10
    assert length(places(ask(host, Search, %{"query" => "def step_\\d+"}))) == 20

    pattern = ask(host, Search, %{"query" => "Repo.get!(_, id)"})
    assert pattern.data["kind"] == "pattern"
    assert places(pattern) == ["lib/shop/cart.ex:22", "lib/shop/cart.ex:23"]
    assert hd(pattern.data["results"])["symbol"] == "Shop.Cart.load/1"

    regex = ask(host, Search, %{"query" => "def (add|load)\\b"})
    assert {regex.data["kind"], length(places(regex))} == {"regex", 2}

    words = ask(host, Search, %{"query" => "amount with tax of the country", "limit" => 3})
    assert words.data["kind"] == "words and meaning"
    assert hd(words.data["results"])["symbol"] == "Shop.Tax.with_tax/1"
    assert hd(places(words)) == "lib/shop/tax.ex:4"

    for kind <- ["words", "meaning"] do
      answer = ask(host, Search, %{"query" => "tax of the country", "kind" => kind, "limit" => 2})
      assert answer.data["kind"] == kind and length(places(answer)) == 2
    end
  end

  test "search within paths, and a name that nothing has", %{host: host} do
    assert places(
             ask(host, Search, %{"query" => "with_tax", "paths" => ["lib/shop/cart.ex"], "kind" => "name"})
           ) == []

    assert [_ | _] = places(ask(host, Search, %{"query" => "with_tax", "paths" => ["lib", "!*.exs"]}))
    assert ask(host, Search, %{"query" => "country_tax_of"}).data["kind"] == "words and meaning"
    assert ask(host, Search, %{"query" => "zzz(_, _)"}).text =~ "nothing found"
  end

  test "read gives what a symbol is, who calls it and what it needs", %{host: host} do
    answer = ask(host, Read, %{"targets" => ["Shop.Cart.total/1"], "with" => ["callers", "needs"]})

    assert [%{"place" => "lib/shop/cart.ex:14-20", "symbol" => "Shop.Cart.total/1", "text" => text}] =
             answer.data["results"]

    assert text =~ "|> Tax.with_tax()" and not (text =~ "def add")
    assert text =~ "test/cart_test.exs:3  Shop.CartTest.adds up"

    assert text =~ "lib/shop/tax.ex:4  Shop.Tax.with_tax/1" or
             text =~ "lib/shop/tax.ex:3  Shop.Tax.with_tax/1"
  end

  test "read gives outlines and signatures", %{host: host} do
    outline = ask(host, Read, %{"targets" => ["Shop.Cart"], "detail" => "outline"})
    assert outline.text =~ "12:   def add(cart, item)"
    assert outline.text =~ "24:   defp hidden(cart)"
    refute outline.text =~ "@spec"

    signatures = ask(host, Read, %{"targets" => ["lib/shop/cart.ex"], "detail" => "signatures"})
    assert signatures.text =~ "@spec add(list, map) :: list"
    assert signatures.text =~ "def add(cart, item)  # Puts an item into the cart."
    refute signatures.text =~ "hidden"

    # Of what is long the outline, unless all is wanted.
    assert ask(host, Read, %{"targets" => ["Shop.Long"]}, 20_000).text =~ "step_120(value)\n" or
             ask(host, Read, %{"targets" => ["Shop.Long"]}, 20_000).text =~ "def step_120(value)"
  end

  test "read gives spans, and tells what it cannot find beside what it can", %{host: host, root: root} do
    assert %{text: "lib/shop/tax.ex:2-2\n  @rate 19"} = ask(host, Read, %{"targets" => ["lib/shop/tax.ex:2"]})
    assert ask(host, Read, %{"targets" => [Path.join(root, "lib/shop/tax.ex") <> ":2"]}).text =~ "@rate"
    assert places(ask(host, Read, %{"targets" => ["lib/shop/tax.ex:2-999"]})) == ["lib/shop/tax.ex:2-5"]

    both = ask(host, Read, %{"targets" => ["Shop.Cart.ad/2", "Shop.Tax.with_tax/1"]})
    assert both.text =~ "did you mean Shop.Cart.add/2" and both.text =~ "div(amount"

    assert {:error, %Error{kind: :not_found, message: message}} =
             ask(host, Read, %{"targets" => ["Shop.Cart.ad/2"]})

    assert message =~ "did you mean Shop.Cart.add/2"

    assert {:error, %Error{kind: :not_found, message: message}} =
             ask(host, Read, %{"targets" => ["lib/shop/tax.ex:90"]})

    assert message =~ "5 lines"
  end

  test "nothing outside of the root can be read", %{host: host, root: root, tmp_dir: tmp} do
    File.write!(Path.join(tmp, "secret.ex"), "defmodule Secret do\n  def word, do: :open\nend\n")
    File.ln_s!(Path.join(tmp, "secret.ex"), Path.join(root, "lib/link.ex"))
    File.ln_s!(tmp, Path.join(root, "lib/folder"))
    {:ok, _} = Index.update(host.index)

    for path <- [
          "../secret.ex",
          "lib/../../secret.ex",
          "lib/link.ex",
          "lib/folder/secret.ex",
          Path.join(tmp, "secret.ex"),
          "/etc/passwd",
          "~/.ssh/id_rsa",
          ".env",
          "lib/shop/tax.ex\0",
          "\0",
          "deps/tea/lib/tea.ex",
          root
        ],
        target <- [path, path <> ":1", path <> ":1-5"] do
      assert {:error, %Error{} = error} = ask(host, Read, %{"targets" => [target]}), inspect(target)
      refute error.message =~ ":open"
    end

    # A host without an index reads from the disk.
    bare = %{host | index: :no_such_index_here}
    assert {:error, %Error{}} = ask(bare, Read, %{"targets" => ["lib/link.ex"]})

    for path <- ["lib/link.ex", "lib/folder/secret.ex", ".env", "../secret.ex", "lib"],
        do: assert(Ambix.Tool.Paths.read(root, path) == :error)

    assert {:ok, "defmodule Shop.Tax" <> _} = Ambix.Tool.Paths.read(root, "lib/shop/tax.ex")
  end

  test "relations say what they rest on", %{host: host} do
    callers = ask(host, Relations, %{"relation" => "callers", "of" => "Shop.Tax.with_tax/1", "depth" => 3})
    assert Enum.map(callers.data["results"], & &1["symbol"]) == ["Shop.Cart.total/1", "Shop.CartTest.adds up"]
    assert Enum.all?(callers.data["results"], &(&1["rests"] in ["source", "compiler", "guess"]))
    assert callers.text =~ "lib/shop/cart.ex:19  Shop.Cart.total/1  (call, source)"

    callees = ask(host, Relations, %{"relation" => "callees", "of" => "Shop.Cart.total/1"})
    assert Enum.map(callees.data["results"], & &1["symbol"]) == ["Shop.Tax.with_tax/1"]

    assert places(ask(host, Relations, %{"relation" => "references", "of" => "Shop.Tax.with_tax/1"})) == [
             "lib/shop/cart.ex:19"
           ]

    path =
      ask(host, Relations, %{"relation" => "path", "of" => "Shop.CartTest", "to" => "Shop.Tax.with_tax/1"})

    assert Enum.map(path.data["results"], & &1["symbol"]) == [
             "Shop.CartTest.adds up",
             "Shop.Cart.total/1",
             "Shop.Tax.with_tax/1"
           ]

    implementations = ask(host, Relations, %{"relation" => "implementations", "of" => "Shop.Repo"})
    assert [%{"symbol" => "Shop.Memory"}] = implementations.data["results"]

    for of <- ["lib/shop/tax.ex", "Shop.Tax.with_tax/1"] do
      assert [%{"symbol" => "Shop.CartTest.adds up"}] =
               ask(host, Relations, %{"relation" => "tests", "of" => of}).data["results"]

      assert length(places(ask(host, Relations, %{"relation" => "impact", "of" => of}))) == 2
    end

    near = %{"relation" => "impact", "of" => "Shop.Tax.with_tax/1", "depth" => 1}
    assert [%{"symbol" => "Shop.Cart.total/1"}] = ask(host, Relations, near).data["results"]
    assert ask(host, Relations, %{near | "relation" => "tests"}).data["results"] == []

    # Of what is defined elsewhere the calls are known.
    assert [%{"symbol" => "Shop.Cart.total/1"}] =
             ask(host, Relations, %{"relation" => "callers", "of" => "Enum.sum/1"}).data["results"]
  end

  test "doctests are tests of what their examples reach", %{tmp_dir: tmp} do
    root =
      ToolProject.write(Path.join(tmp, "doctests"), %{
        "lib/shop/tax.ex" => ~S'''
        defmodule Shop.Tax do
          @doc """
              iex> Shop.Tax.with_tax(100)
              119
          """
          def with_tax(amount), do: amount + part(amount)
          defp part(amount), do: div(amount * 19, 100)
        end
        ''',
        "test/tax_test.exs" =>
          "defmodule Shop.TaxTest do\n  use ExUnit.Case\n  doctest Shop.Tax\n  test \"no\", do: :ok\nend\n"
      })

    {:ok, index} = Index.build(root)

    assert %{"results" => [found | _]} =
             ask(Host.new(index), Relations, %{"relation" => "tests", "of" => "Shop.Tax.part/1"}).data

    assert %{
             "place" => "test/tax_test.exs:3",
             "symbol" => "Shop.TaxTest.doctest Shop.Tax.with_tax/1 (1)",
             "depth" => 2
           } = found
  end

  test "a message or a key that stands in the code is found as it is", %{tmp_dir: tmp} do
    root =
      ToolProject.write(Path.join(tmp, "literal"), %{
        "lib/pay.ex" => """
        defmodule Pay do
          @moduledoc "Payments."
          # the card was refused by the bank (why is unknown)
          def pay(card), do: if(card, do: raise("the card was refused (code 3)"), else: {:error, :no_card})
          def limit, do: Application.get_env(:pay, :upper_bound_of_payments)
          def header, do: "x-pay-limit"
        end
        """
      })

    {:ok, index} = Index.build(root)
    find = &ask(Host.new(index), Search, %{"query" => &1})
    message = find.("the card was refused (code 3)")
    assert {message.data["kind"], places(message)} == {"literal", ["lib/pay.ex:4"]}
    key = find.(":upper_bound_of_payments")
    assert {key.data["kind"], places(key)} == {"literal", ["lib/pay.ex:5"]}

    assert %{"kind" => "literal", "results" => [%{"symbol" => "Pay.header/0"}]} = find.("x-pay-limit").data

    # What stands in a comment alone may be a question, and words that are given as such are one.
    assert find.("refused by the bank").data["kind"] == "words and meaning"
    words = %{"query" => "the card was refused (code 3)", "kind" => "words"}
    assert ask(Host.new(index), Search, words).data["kind"] == "words"
  end

  test "of many tests the nearest are told one by one, and of the others the files", %{tmp_dir: tmp} do
    far = for n <- 1..30, do: "  test \"far #{n}\", do: Far.far(#{n})\n"
    near = for n <- 1..3, do: "  test \"near #{n}\", do: Near.near(#{n})\n"

    root =
      ToolProject.write(Path.join(tmp, "tests"), %{
        "lib/near.ex" => "defmodule Near do\n  def near(n), do: n\nend\n",
        "lib/far.ex" => "defmodule Far do\n  def far(n), do: Near.near(n)\nend\n",
        "test/a_far_test.exs" => "defmodule FarTest do\n  use ExUnit.Case\n#{far}end\n",
        "test/near_test.exs" => "defmodule NearTest do\n  use ExUnit.Case\n#{near}end\n"
      })

    {:ok, index} = Index.build(root)
    answer = ask(Host.new(index), Relations, %{"relation" => "tests", "of" => "Near.near/1"})
    assert answer.data["total"] == 33
    assert ["test/near_test.exs:3", "test/near_test.exs:4", "test/near_test.exs:5" | far] = places(answer)
    assert length(far) == 18 and hd(far) == "test/a_far_test.exs:3"

    assert %{"place" => "test/a_far_test.exs", "symbol" => "13 tests", "depth" => 2} =
             List.last(answer.data["results"])

    # A long reason is said once.
    assert answer.text =~ "FarTest.far 1  (call of Far.far/1, depth 2, source)"
    assert answer.text =~ "FarTest.far 2  (as above)"
    assert answer.text =~ "NearTest.near 2  (call, source)"
    assert answer.text =~ "tests, 33:" and answer.text =~ "test/a_far_test.exs  13 tests  (depth 2)"

    # In an impact they come behind what is no test, and in the same way.
    impact = ask(Host.new(index), Relations, %{"relation" => "impact", "of" => "Near.near/1"})
    assert ["lib/far.ex:2" | tests] = places(impact)
    assert Enum.sort(tests) == Enum.sort(places(answer))

    near = ask(Host.new(index), Relations, %{"relation" => "tests", "of" => "Near.near/1", "depth" => 1})
    assert length(places(near)) == 3
  end

  test "a callback that the behaviour has as a function too", %{tmp_dir: tmp} do
    root =
      ToolProject.write(Path.join(tmp, "callback"), %{
        "lib/parser.ex" => """
        defmodule Parser do
          @callback parse(String.t()) :: term
          def parse(text), do: Parser.Fast.parse(text)
        end
        """,
        "lib/fast.ex" => """
        defmodule Parser.Fast do
          @behaviour Parser
          @impl true
          def parse(text), do: text
        end
        """
      })

    {:ok, index} = Index.build(root)
    of = %{"relation" => "implementations", "of" => "Parser.parse/1"}

    assert [%{"place" => "lib/fast.ex:4", "symbol" => "Parser.Fast.parse/1"}] =
             ask(Host.new(index), Relations, of).data["results"]

    assert ask(Host.new(index), Relations, %{of | "of" => "Parser.Fast"}).text =~ "none"
  end

  test "what a change in git touches", %{host: host, root: root} do
    git = fn args ->
      who = ~w(-c user.name=Somebody -c user.email=somebody@localhost -c commit.gpgsign=false)
      {_, 0} = System.cmd("git", who ++ args, cd: root, stderr_to_stdout: true)
    end

    git.(["init", "-q"])
    git.(["add", "."])
    git.(["commit", "-q", "-m", "all"])
    assert ask(host, Relations, %{"relation" => "impact"}).text =~ "none"

    path = Path.join(root, "lib/shop/tax.ex")
    File.write!(path, String.replace(File.read!(path), "amount + div", "0 + amount + div"))
    stale = ask(host, Relations, %{"relation" => "callers", "of" => "Shop.Tax.with_tax/1"})
    assert stale.data["status"]["state"] == "stale" and stale.text =~ "older than the files"
    {:ok, _} = Index.update(host.index)

    impact = ask(host, Relations, %{"relation" => "impact"})
    assert impact.data["status"]["state"] == "fresh" and not (impact.text =~ "index")
    assert impact.text =~ "Shop.Tax.with_tax/1  (changed)" and impact.text =~ "Shop.Cart.total/1"

    assert ["test/cart_test.exs" <> _] =
             places(ask(host, Relations, %{"relation" => "tests", "since" => "HEAD"}))

    # What is gone is told, with what calls it still.
    tests = ask(host, Relations, %{"relation" => "tests"}).text
    File.write!(path, String.replace(File.read!(path), "with_tax(", "taxed("))
    {:ok, _} = Index.update(host.index)
    gone = ask(host, Relations, %{"relation" => "impact"})
    assert gone.text =~ "lib/shop/tax.ex  Shop.Tax.with_tax/1  (gone)"
    assert gone.text =~ "Shop.Cart.total/1  (call of Shop.Tax.with_tax/1, source)"
    assert ask(host, Relations, %{"relation" => "tests"}).text == tests

    assert {:error, %Error{kind: :not_found, message: message}} =
             ask(host, Relations, %{"relation" => "impact", "since" => "nowhere"})

    assert message =~ "no commit"
  end

  test "dependencies are reached where they are asked for", %{host: host, root: root, tmp_dir: tmp} do
    {:ok, packages} = Packages.open(root, elixir: false)
    host = %{host | packages: packages}
    assert {:error, %Error{message: message}} = ask(host, Read, %{"targets" => ["Tea.brew/1"]})
    assert message =~ "deps: true"

    answer = ask(host, Read, %{"targets" => ["Tea.brew/1"], "deps" => true, "with" => ["needs"]})
    assert ["tea-1.2.3/lib/tea.ex:2-3"] = places(answer)
    assert answer.text =~ "Tea.warm/1"

    for path <- ["tea-1.2.3/lib/tea.ex:4", "deps/tea/lib/tea.ex:4"],
        do: assert(ask(host, Read, %{"targets" => [path], "deps" => true}).text =~ "defp warm")

    for path <- ["tea-1.2.3/../../mix.exs", "deps/tea/../../../secret.ex", Path.join(tmp, "x")],
        do: assert({:error, %Error{}} = ask(host, Read, %{"targets" => [path], "deps" => true}))

    for query <- ["Tea.brew", "def brew\\(", "warm(_)", "pours hot water over leaves"] do
      answer = ask(host, Search, %{"query" => query, "deps" => true})
      assert Enum.any?(places(answer), &(&1 =~ "tea-1.2.3/lib/tea.ex")), query
    end

    callers = ask(host, Relations, %{"relation" => "callers", "of" => "Tea.warm/1", "deps" => true})
    assert [%{"place" => "tea-1.2.3/lib/tea.ex:3"}] = callers.data["results"]
  end

  test "of a function of a package the first paragraph of its documentation is told", %{host: host} do
    long = "  @doc ~S\"\"\"\n  Pours.\n  Slowly.\n\n  ## Options\n\n    * `:a`\n    * `:b`\n  \"\"\"\n"
    short = "  @doc \"\"\"\n  Warms.\n\n  Slowly.\n  \"\"\"\n"
    one = "  @doc \"Cools.\"\n"
    line = "  @doc \"\"\"\n  Fills.\n  \"\"\"\n"
    empty = "  @doc ~S\"\"\"\n  \"\"\"\n"
    endless = "  @doc \"\"\"\n" <> String.duplicate("  More.\n", 30) <> "  \"\"\"\n"

    functions =
      for {doc, name} <- [
            {long, "brew"},
            {short, "warm"},
            {one, "cool"},
            {line, "fill"},
            {empty, "void"},
            {endless, "pour"}
          ],
          do: "#{doc}  def #{name}(x), do: x\n"

    root = Path.join(host.root, "deps/pot")
    Setup.write(root, %{"lib/pot.ex" => "defmodule Pot do\n#{functions}end\n", "mix.exs" => ""})
    {:ok, packages} = Packages.open(host.root, elixir: false)
    host = %{host | packages: packages}

    read = fn name, more ->
      ask(host, Read, Map.merge(%{"targets" => ["Pot.#{name}/1"], "deps" => true}, more)).text
    end

    folded = read.("brew", %{})
    assert folded =~ "  Pours.\n  Slowly.\n  … 5 more lines by detail: whole\n  \"\"\"\n  def brew(x), do: x"
    refute folded =~ "Options"
    assert read.("brew", %{"detail" => "whole"}) =~ "  * `:b`\n  \"\"\""
    assert read.("warm", %{}) =~ "Warms.\n\n  Slowly.\n"
    assert read.("cool", %{}) =~ "Cools."
    assert read.("fill", %{}) =~ "  Fills.\n  \"\"\"\n  def fill(x)"
    assert read.("void", %{}) =~ "def void(x)"
    assert read.("pour", %{}) =~ "… 24 more lines by detail: whole"
    # What belongs to the project may be edited, and is told as it stands.
    Setup.write(host.root, %{"lib/pan.ex" => "defmodule Pan do\n#{functions}end\n"})
    {:ok, _} = Index.update(host.index)
    assert ask(host, Read, %{"targets" => ["Pan.brew/1"]}).text =~ "Options"
  end

  test "what depends on a function of a dependency is found, with and without its sources", %{
    host: host,
    root: root
  } do
    {:ok, packages} = Packages.open(root, elixir: false)
    host = %{host | packages: packages}
    symbols = fn answer -> Enum.map(answer.data["results"], & &1["symbol"]) end
    related = &ask(host, Relations, Map.merge(%{"relation" => &1, "of" => "Tea.brew/1"}, &2))

    for more <- [%{}, %{"deps" => true}] do
      assert symbols.(related.("callers", more)) == ["Shop.Cart.hidden/1"]

      assert symbols.(related.("callers", Map.put(more, "depth", 2))) == [
               "Shop.Cart.hidden/1",
               "Shop.Cart.shown/1"
             ]

      assert symbols.(related.("references", more)) == ["Shop.Cart.hidden/1"]

      assert [%{"depth" => 2, "symbol" => "Shop.Cart.shown/1"}] =
               Enum.filter(related.("impact", more).data["results"], & &1["depth"])

      path = Map.merge(more, %{"of" => "Shop.Cart.shown/1", "to" => "Tea.brew/1"})

      assert symbols.(related.("path", path)) == ["Shop.Cart.shown/1", "Shop.Cart.hidden/1", "Tea.brew/1"]
      assert related.("tests", more).data["total"] == 0
    end

    # What the package does behind it is known from its sources.
    path = %{"of" => "Shop.Cart.shown/1", "to" => "Tea.warm/1"}
    assert {:error, %Error{kind: :not_found}} = related.("path", path)

    assert symbols.(related.("path", Map.put(path, "deps", true))) ==
             ["Shop.Cart.shown/1", "Shop.Cart.hidden/1", "Tea.brew/1", "Tea.warm/1"]

    assert symbols.(related.("impact", %{"of" => "Tea.warm/1", "deps" => true})) ==
             ["Tea.brew/1", "Shop.Cart.hidden/1", "Shop.Cart.shown/1"]

    assert {:error, %Error{kind: :not_found}} = related.("impact", %{"of" => "Tea.pour/1", "deps" => true})
  end

  @questions [
    {Search, %{"query" => "step"}},
    {Search, %{"query" => "def \\w+", "limit" => 99}},
    {Search, %{"query" => "def step_1(_)", "kind" => "pattern"}},
    {Search, %{"query" => "a step of a long way"}},
    {Read, %{"targets" => ["Shop.Long"]}},
    {Read, %{"targets" => ["lib/shop/long.ex", "Shop.Cart"], "detail" => "whole"}},
    {Read,
     %{"targets" => ["Shop.Long.step_1/1", "Shop.Cart.total/1", "nowhere"], "with" => ["callers", "needs"]}},
    {Relations, %{"relation" => "callers", "of" => "Shop.Long.step_1/1", "depth" => 9}},
    {Relations, %{"relation" => "impact", "of" => "lib/shop/long.ex"}},
    {Relations, %{"relation" => "tests", "of" => "Shop.Tax"}}
  ]

  test "no budget is exceeded", %{host: host} do
    for {tool, arguments} <- @questions,
        budget <- [1, 5, 20, 50, 100, 130, 160, 200, 301, 450, 700, 1000, 2000, 8000],
        do: ask(host, tool, arguments, budget)
  end

  test "answers about our own sources fit any budget, and their schemas" do
    {:ok, index} = Index.build("lib")
    host = Host.new(index)
    :rand.seed(:exsss, {1, 2, 3})

    {:ok, %{results: named}} = Index.lookup(index, "Ambix.Index", limit: 40)
    symbols = ["Ambix.Graph", "Ambix.Error.new/3" | Enum.map(named, & &1.symbol)]

    for symbol <- Enum.take_random(symbols, 12),
        budget = 1 + :rand.uniform(3_000),
        do: about(host, symbol, budget)
  end

  defp about(host, symbol, budget) do
    for {tool, arguments} <- [
          {Search, %{"query" => symbol}},
          {Search, %{"query" => "where is #{symbol} made and what for"}},
          {Search, %{"query" => "#{symbol |> String.split("/") |> hd()}(...)", "kind" => "pattern"}},
          {Read, %{"targets" => [symbol], "with" => ["callers", "needs"]}},
          {Read, %{"targets" => [symbol, "ambix/graph.ex"], "detail" => "signatures"}},
          {Relations, %{"relation" => "callers", "of" => symbol, "depth" => 3}},
          {Relations, %{"relation" => "references", "of" => symbol}},
          {Relations, %{"relation" => "impact", "of" => symbol}}
        ] do
      told(ask(host, tool, arguments, budget), {tool, arguments, budget})
    end
  end

  test "an answer that is cut says how to get the rest", %{host: host} do
    all = places(ask(host, Search, %{"query" => "def step_\\d+", "limit" => 99}, 100_000))
    assert length(all) == 99

    paged =
      Stream.unfold(0, fn
        nil ->
          nil

        skip ->
          answer = ask(host, Search, %{"query" => "def step_\\d+", "limit" => 99, "skip" => skip}, 500)

          next =
            if answer.next, do: answer.next |> String.split("skip: ") |> List.last() |> String.to_integer()

          {places(answer), next}
      end)
      |> Enum.take(40)

    assert length(paged) > 4 and List.flatten(paged) |> Enum.take(99) == all
    assert length(List.flatten(paged)) == 120

    read =
      Stream.unfold(%{"targets" => ["lib/shop/long.ex", "lib/shop/tax.ex"], "detail" => "whole"}, fn
        nil ->
          nil

        arguments ->
          answer = ask(host, Read, arguments, 600)
          {Enum.map(answer.data["results"], & &1["text"]), answer.next && next(answer.next)}
      end)
      |> Enum.take(60)

    assert length(read) > 3
    lines = read |> List.flatten() |> Enum.join("\n") |> String.trim_trailing()
    files = for file <- ["long", "tax"], do: Path.join([host.root, "lib/shop", file <> ".ex"]) |> File.read!()
    assert lines == files |> Enum.map_join("\n", &String.trim_trailing/1)
  end

  # What the sentence says, as the arguments that it stands for.
  defp next("targets: " <> rest) do
    [targets, detail] = String.split(rest, ", detail: ")
    %{"targets" => JSON.decode!(targets), "detail" => detail |> String.split(",") |> hd()}
  end

  test "hostile arguments are sentences, or answers, and never crashes", %{host: host} do
    huge = String.duplicate("a", 1_000_000)
    regex = String.duplicate("(a|b)*[^c]{1,9}", 1_400)

    for text <- [
          "",
          " ",
          "\0",
          "a\0b",
          huge,
          regex,
          "../..",
          "(",
          "[",
          "%{",
          "_",
          "...",
          "\u202E",
          "\n",
          ":",
          "/",
          "a/99999999999"
        ],
        {tool, arguments} <-
          [
            {Search, %{"query" => text}},
            {Read, %{"targets" => [text]}},
            {Relations, %{"relation" => "callers", "of" => text}},
            {Relations, %{"relation" => "path", "of" => "Shop.Cart", "to" => text}},
            {Relations, %{"relation" => "impact", "of" => text}},
            {Relations, %{"relation" => "tests", "since" => text}}
          ] ++
            for(
              kind <- ~w(words meaning name regex pattern),
              do: {Search, %{"query" => text, "kind" => kind}}
            ) do
      told(ask(host, tool, arguments), {tool, arguments})
    end

    for {tool, arguments} <- [
          {Search, nil},
          {Search, []},
          {Search, %{}},
          {Search, %{"query" => 1}},
          {Search, %{"query" => <<255>>}},
          {Search, %{"query" => "a", "limit" => 0}},
          {Search, %{"query" => "a", "limit" => 1.0e30}},
          {Search, %{"query" => "a", "skip" => -1}},
          {Search, %{"query" => "a", "kind" => "other"}},
          {Search, %{"query" => "a", "paths" => "lib"}},
          {Search, %{"query" => "a", "nonsense" => true}},
          {Read, %{"targets" => "Shop.Cart"}},
          {Read, %{"targets" => []}},
          {Read, %{"targets" => [["Shop.Cart"]]}},
          {Read, %{"targets" => List.duplicate("Shop.Cart", 1_000)}},
          {Read, %{"targets" => ["lib/shop/tax.ex:5-2"]}},
          {Relations, %{"relation" => "callers"}},
          {Relations, %{"relation" => "path", "of" => "Shop.Cart"}},
          {Relations, %{"relation" => "callers", "of" => "Shop.Cart", "since" => "HEAD"}},
          {Relations, %{"relation" => "callers", "of" => "Shop.Cart", "depth" => 10}},
          {Relations, %{"relation" => "impact", "of" => "Shop.Nobody", "deps" => true}}
        ] do
      assert {:error, %Error{} = error} = told(ask(host, tool, arguments), {tool, arguments})
      assert error.kind in [:invalid_argument, :not_found, :limit]
    end

    for tool <- @tools, host <- [nil, %{}, "host"] do
      arguments = %{
        Search => %{"query" => "a"},
        Read => %{"targets" => ["a"]},
        Relations => %{"relation" => "impact"}
      }

      assert {:error, %Error{kind: :invalid_argument}} = Tool.call(tool, arguments[tool], %Call{host: host})
    end
  end

  defp told({:error, %Error{} = error} = told, asked) do
    assert error.kind != :panic, "#{inspect(asked, printable_limit: 80)}: #{error.message}"
    assert byte_size(error.message) < 1_000, inspect(asked, printable_limit: 80)
    told
  end

  defp told(answer, _asked), do: answer

  test "they only read" do
    for tool <- @tools, do: assert(tool.tool().effect == :read)
  end
end
