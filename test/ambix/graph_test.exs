defmodule Ambix.GraphTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Setup, only: [write: 2]

  alias Ambix.{Error, Graph, Index, JSON, Native}

  @moduletag :tmp_dir

  # An application as Phoenix has them, in text alone: nothing of it is compiled.
  @shop %{
    "lib/shop/catalog.ex" => """
    defmodule Shop.Catalog do
      alias Shop.Catalog.Product
      alias Shop.Stock

      def list, do: Enum.map(Shop.Repo.all(Product), &priced/1)

      def get(id), do: priced(%Product{id: id, left: Stock.left(id)})

      defp priced(product), do: Shop.Price.round(product)

      defp forgotten(x), do: x
    end
    """,
    "lib/shop/catalog/product.ex" => """
    defmodule Shop.Catalog.Product do
      use Ecto.Schema

      schema "products" do
        field :left, :integer
      end
    end
    """,
    "lib/shop/price.ex" => """
    defmodule Shop.Price do
      @callback discount(integer) :: integer

      def round(product) do
        Shop.Label.text(product)
        product
      end
    end
    """,
    "lib/shop/label.ex" => """
    defprotocol Shop.Label do
      def text(thing)
    end

    defimpl Shop.Label, for: Shop.Catalog.Product do
      def text(product), do: "\#{product.id}"
    end
    """,
    "lib/shop/sale.ex" => """
    defmodule Shop.Sale do
      @behaviour Shop.Price

      @impl true
      def discount(cents), do: div(cents, 2)

      def ask, do: Shop.Stock.left(1)
    end
    """,
    "lib/shop/stock.ex" => """
    defmodule Shop.Stock do
      use GenServer

      def left(id), do: GenServer.call(__MODULE__, {:left, id})

      @impl true
      def init(_), do: {:ok, %{}}

      @impl true
      def handle_call({:left, id}, _from, stock), do: {:reply, count(stock, id), stock}

      defp count(stock, id), do: Map.get(stock, id, Shop.Sale.discount(0))
    end
    """,
    "lib/shop_web/router.ex" => """
    defmodule ShopWeb.Router do
      use ShopWeb, :router

      scope "/", ShopWeb do
        get "/products", ProductController, :index
        live "/cart", CartLive
      end
    end
    """,
    "lib/shop_web/controllers/product_controller.ex" => """
    defmodule ShopWeb.ProductController do
      use ShopWeb, :controller

      def index(conn, _params), do: render(conn, :index, products: Shop.Catalog.list())
    end
    """,
    "lib/shop_web/controllers/product_html.ex" => """
    defmodule ShopWeb.ProductHTML do
      use ShopWeb, :html
      embed_templates "product_html/*"
    end
    """,
    "lib/shop_web/controllers/product_html/index.html.heex" => """
    <ul><li :for={p <- @products}><%= Shop.Label.text(p) %></li></ul>
    """,
    "lib/shop_web/live/cart_live.ex" => """
    defmodule ShopWeb.CartLive do
      use ShopWeb, :live_view

      def mount(_params, _session, socket), do: {:ok, assign(socket, product: Shop.Catalog.get(1))}

      def render(assigns) do
        ~H\"\"\"
        <p><%= Shop.Label.text(@product) %></p>
        \"\"\"
      end
    end
    """,
    "test/catalog_test.exs" => """
    defmodule Shop.CatalogTest do
      use ExUnit.Case

      test "a product is found", do: assert Shop.Catalog.get(1)
      test "nothing is true", do: assert true
    end
    """
  }

  setup %{tmp_dir: tmp} do
    root = write(Path.join(tmp, "shop"), @shop)
    {:ok, index} = Index.build(root)
    %{root: root, index: index}
  end

  defp names({:ok, symbols}), do: Enum.map(symbols, & &1.symbol)

  test "callers, callees, dependents and dependencies follow what they are told to", %{index: index} do
    assert {:ok, [hit]} = Graph.callers(index, "Shop.Price.round/1")

    assert hit == %{
             symbol: "Shop.Catalog.priced/1",
             kind: "function",
             module: "Shop.Catalog",
             name: "priced",
             arity: 1,
             file: "lib/shop/catalog.ex",
             line: 9,
             generated_by: nil,
             depth: 1,
             via: "Shop.Price.round/1",
             how: "call",
             certain: true,
             why: "written",
             lines: [9],
             lines_in: "lib/shop/catalog.ex"
           }

    assert names(Graph.callers(index, "Shop.Price.round/1", depth: 2)) ==
             ["Shop.Catalog.priced/1", "Shop.Catalog.list/0", "Shop.Catalog.get/1"]

    # A message is a guess, and no plain call.
    assert {:ok,
            [%{symbol: "Shop.Stock.handle_call/3", how: "message", certain: false, why: "message"} = sent]} =
             Graph.callees(index, "Shop.Stock.left/1")

    assert {sent.lines, sent.lines_in} == {[4], "lib/shop/stock.ex"}
    assert {:ok, []} = Graph.callees(index, "Shop.Stock.left/1", kinds: [:call])

    assert {:ok, [%{how: "dispatch", why: "dispatch", lines_in: "lib/shop/sale.ex", lines: [4]}]} =
             Graph.callees(index, "Shop.Price.discount/1")

    assert names(Graph.dependencies(index, "Shop.Catalog.list/0")) ==
             ["Shop.Catalog.priced/1", "Shop.Catalog.Product"]

    assert names(Graph.dependencies(index, "Shop.Catalog.list/0", kinds: [:module])) == [
             "Shop.Catalog.Product"
           ]

    assert names(Graph.dependents(index, "Shop.Price", kinds: [:behaviour])) == ["Shop.Sale"]
  end

  test "references are places, definitions too", %{index: index} do
    {:ok, references} = Graph.references(index, "Shop.Label.text/1")

    assert Enum.sort(for r <- references, do: {r.file, r.line, r.symbol, r.how}) == [
             {"lib/shop/price.ex", 5, "Shop.Price.round/1", "call"},
             {"lib/shop_web/controllers/product_html/index.html.heex", 1,
              "lib/shop_web/controllers/product_html/index.html.heex", "call"},
             {"lib/shop_web/live/cart_live.ex", 8, "ShopWeb.CartLive.render/1", "call"}
           ]

    assert Enum.all?(references, &(&1.to == "Shop.Label.text/1" and &1.certain))
    {:ok, of_module} = Graph.references(index, "Shop.Catalog.Product")
    ways = for r <- of_module, do: {r.symbol, r.how, r.line}
    assert {"Shop.Catalog", "alias", 2} in ways
    assert {"Shop.Catalog.get/1", "struct", 7} in ways

    assert {:ok, [%{symbol: "Shop.Stock", kind: "module", file: "lib/shop/stock.ex", line: 1}]} =
             Graph.definition(index, "Shop.Stock")

    assert {:error, %Error{kind: :not_found, message: message}} = Graph.definition(index, "Shop.Stack")
    assert message =~ "Shop.Stock"
  end

  test "implementations are modules, or functions of one function", %{index: index} do
    assert names(Graph.implementations(index, "Shop.Label")) == ["Shop.Label.Shop.Catalog.Product"]

    assert names(Graph.implementations(index, "Shop.Label.text/1")) == [
             "Shop.Label.Shop.Catalog.Product.text/1"
           ]

    assert names(Graph.implementations(index, "Shop.Price")) == ["Shop.Sale"]
    assert names(Graph.implementations(index, "Shop.Price.discount/1")) == ["Shop.Sale.discount/1"]
  end

  test "implementations of what comes from elsewhere are known by who has it", %{index: index} do
    assert {:ok, [%{symbol: "Shop.Stock", via: "GenServer", how: "behaviour", certain: true, lines: [1]}]} =
             Graph.implementations(index, "GenServer")

    assert names(Graph.implementations(index, "GenServer.init/1")) == ["Shop.Stock.init/1"]

    assert {:ok, [%{symbol: "Shop.Catalog.Product", certain: false, why: "convention"}]} =
             Graph.implementations(index, "Ecto.Schema")

    assert {:ok, []} = Graph.implementations(index, "Supervisor")
    assert {:error, %Error{kind: :not_found}} = Graph.implementations(index, "GenServr")
  end

  test "a live route leads to the functions of the view", %{index: index} do
    assert {:ok, callees} = Graph.callees(index, "ShopWeb.Router.GET /cart")

    assert Enum.map(callees, &{&1.symbol, &1.how, &1.why}) == [
             {"ShopWeb.CartLive", "route", "convention"},
             {"ShopWeb.CartLive.mount/3", "route", "convention"},
             {"ShopWeb.CartLive.render/1", "route", "convention"}
           ]
  end

  # What may take long is done by jobs: no scheduler of the BEAM makes a graph, or looks at all of a large one.
  describe "a scheduler" do
    @part %{around: nil, reach: :both, depth: 1, kinds: nil}
    @near [
      graph_find: ["Shop.Stock"],
      graph_reach: ["Shop.Stock", :callers, 1, nil],
      graph_references: ["Shop.Stock"],
      graph_implementations: ["Shop.Price"]
    ]
    @whole [
      graph_impact: ["Shop.Stock"],
      graph_impact_of_lines: [[{"lib/shop/stock.ex", 1, 2}]],
      graph_paths: ["Shop.Stock", "Shop.Sale", nil, 1],
      graph_cycles: [nil, nil],
      graph_dead: [true, true, []],
      graph_communities: [:modules, nil, 1.0, 0],
      graph_rank: [1, []],
      graph_neighbourhood: [["Shop.Stock"], 100, nil],
      graph_edges: [true],
      graph_count_edges: [],
      graph_export: ["dot", @part],
      graph_picture: [@part, %{modules: true, max_nodes: 99}]
    ]

    defp start(name, index, arguments) do
      ref = make_ref()
      {:ok, result} = apply(Native, name, [ref, index.resource | arguments])
      {result, ref}
    end

    test "never makes the graph of an index", %{root: root} do
      asked = Keyword.keys(@near ++ @whole)

      for {name, _} <- Native.nif_functions(),
          String.starts_with?(name, "graph_"),
          name != "graph_link_kinds",
          do: assert(String.to_atom(name) in asked)

      for {name, arguments} <- @near ++ @whole do
        {:ok, index} = Index.build(root)
        assert {job, ref} = start(name, index, arguments)
        assert is_reference(job), "#{name} answered from a graph that it made"
        assert_receive {^ref, {:ok, _}}
      end
    end

    test "answers at once from a graph that is made, if that is small", %{index: index} do
      {:ok, _} = Graph.definition(index, "Shop.Stock")

      for {name, arguments} <- @near do
        assert {answer, _} = start(name, index, arguments)
        assert is_list(answer), "#{name} took a job"
      end

      for {name, arguments} <- @whole do
        assert {job, ref} = start(name, index, arguments)
        assert is_reference(job)
        assert_receive {^ref, {:ok, _}}
      end
    end

    test "asks a job about a large graph", %{tmp_dir: tmp} do
      functions = Enum.map_join(1..1_050, "\n", &"def f#{&1}, do: #{&1}")

      files =
        for n <- 1..50,
            into: @shop,
            do: {"lib/large/m#{n}.ex", "defmodule Large.M#{n} do\n#{functions}\nend\n"}

      {:ok, index} = Index.build(write(Path.join(tmp, "large"), files))
      assert {:ok, [_]} = Graph.definition(index, "Large.M1.f1/0")

      for {name, arguments} <- @near do
        assert {job, ref} = start(name, index, arguments)
        assert is_reference(job)
        assert_receive {^ref, {:ok, [_ | _]}}
      end
    end
  end

  test "impact of symbols, files and lines names tests, routes and templates", %{index: index} do
    {:ok, hits} = Graph.impact(index, "Shop.Price.round/1")
    assert "ShopWeb.ProductController.index/2" in Enum.map(hits, & &1.symbol)
    assert {:ok, hits} == Graph.impact(index, "lib/shop/price.ex") |> without("Shop.Sale")
    assert names(Graph.tests(index, "Shop.Price.round/1")) == ["Shop.CatalogTest.a product is found"]
    assert names(Graph.tests(index, "lib/shop/price.ex")) == ["Shop.CatalogTest.a product is found"]

    {:ok, impact} = Graph.impact_of_lines(index, [{"lib/shop/price.ex", 5, 5}])
    assert names({:ok, impact.touched}) == ["Shop.Price.round/1"]
    assert names({:ok, impact.tests}) == ["Shop.CatalogTest.a product is found"]
    assert names({:ok, impact.routes}) == ["ShopWeb.Router.GET /products", "ShopWeb.Router.GET /cart"]
    assert "lib/shop_web/router.ex" in impact.files
    {:ok, impact} = Graph.impact_of_lines(index, [{"lib/shop/label.ex", 2, 2}])
    assert [%{file: "lib/shop_web/controllers/product_html/index.html.heex"}] = impact.templates
    assert {:ok, %{touched: [], hits: []}} = Graph.impact_of_lines(index, [{"nowhere.ex", 1, 2}])
    assert_raise ArgumentError, ~r/lines from 1/, fn -> Graph.impact_of_lines(index, [{"lib/a.ex", 0, 1}]) end
    assert {:error, %Error{kind: :not_found}} = Graph.impact(index, "lib/none.ex")
  end

  defp without({:ok, hits}, module), do: {:ok, Enum.reject(hits, &String.starts_with?(&1.module, module))}

  test "paths lead from module to module", %{index: index} do
    assert {:ok, [path]} = Graph.paths(index, "ShopWeb.CartLive", "Shop.Stock")

    assert names({:ok, path.symbols}) == [
             "ShopWeb.CartLive.mount/3",
             "Shop.Catalog.get/1",
             "Shop.Stock.left/1"
           ]

    assert [%{how: "call", file: "lib/shop_web/live/cart_live.ex", lines: [4]}, %{lines: [7]}] = path.links
    assert {:ok, []} = Graph.paths(index, "Shop.Stock", "ShopWeb.CartLive")
    assert {:ok, []} = Graph.paths(index, "ShopWeb.CartLive", "Shop.Stock", kinds: [:render])
    assert {:ok, [_]} = Graph.paths(index, "Shop.Catalog", "Shop.Price", limit: 1)
  end

  test "cycles, dead code, communities and rank", %{index: index} do
    assert {:ok, [%{modules: ["Shop.Sale", "Shop.Stock"]}]} = Graph.cycles(index, kinds: [:call])
    assert {:ok, []} = Graph.cycles(index, kinds: [:struct])
    {:ok, [_ | _] = cycles} = Graph.cycles(index)
    cycle = Enum.find(cycles, &("Shop.Stock" in &1.modules))
    assert cycle.modules == ["Shop.Sale", "Shop.Stock"]
    assert [%{from: from, phase: "run_time", links: [%{how: _, file: _, lines: _} | _]} | _] = cycle.example
    assert List.last(cycle.example).to == from
    assert {:ok, []} = Graph.cycles(index, phase: :compile_time)

    assert {:ok, [%{symbol: "Shop.Catalog.forgotten/1", doubt: nil, line: 11}]} = Graph.dead(index)
    assert "Shop.Sale.ask/0" in names(Graph.dead(index, public: false))
    refute "Shop.Sale.ask/0" in names(Graph.dead(index, public: false, keep: ["Shop.Sale.ask/0"]))
    assert "Shop.Sale.ask/0" in names(Graph.dead(index, public: false, tests: false))

    {:ok, %{groups: groups, modularity: modularity}} = Graph.communities(index)
    assert modularity > 0.2
    assert Enum.any?(groups, &("Shop.Catalog" in &1 and "Shop.CatalogTest" in &1))
    assert Graph.communities(index, seed: 3) == Graph.communities(index, seed: 3)
    {:ok, %{groups: [[symbol | _] | _]}} = Graph.communities(index, of: :symbols, kinds: [:call])
    assert symbol =~ "/"
    assert {:error, %Error{kind: :invalid_argument}} = Graph.communities(index, resolution: 0)

    {:ok, [%{score: most, kind: _} | _] = ranked} = Graph.rank(index, limit: 3)
    assert length(ranked) == 3
    assert most >= List.last(ranked).score
    near = names(Graph.rank(index, seeds: ["Shop.Sale"], limit: 8))
    assert "Shop.Stock.left/1" in near
    refute "ShopWeb.ProductController.index/2" in near
  end

  test "a neighbourhood is text within its budget", %{index: index} do
    for tokens <- [1, 40, 200] do
      {:ok, near} = Graph.neighbourhood(index, "Shop.Stock.left/1", tokens: tokens)
      assert near.tokens <= tokens
      assert near.tokens == Ambix.Tool.Budget.count(near.text)
    end

    {:ok, near} = Graph.neighbourhood(index, ["Shop.Stock.left/1", "Shop.Price"], tokens: 4000)
    assert near.text =~ "lib/shop/stock.ex:4 Shop.Stock.left/1  (asked for)\n  def left(id)"
    assert near.text =~ "lib/shop/price.ex:1 Shop.Price  (asked for)"
    assert [%{symbol: _, file: _} | _] = near.symbols
    assert {:error, %Error{kind: :not_found}} = Graph.neighbourhood(index, "Shop.None")
  end

  test "exports come in every format, of all or of a part", %{index: index} do
    for {format, start} <- [
          dot: "digraph",
          graphml: "<?xml",
          json: "{\"nodes\"",
          mermaid: "graph LR",
          cypher: "CREATE"
        ] do
      {:ok, text} = Graph.export(index, format: format)

      assert String.trim_leading(text) |> String.starts_with?(start),
             "#{format}: #{String.slice(text, 0, 60)}"

      assert text =~ "forgotten"
      {:ok, part} = Graph.export(index, format: format, around: "Shop.Stock.left/1")
      refute part =~ "forgotten"
      assert part =~ "handle_call"
    end

    ids = fn opts ->
      {:ok, text} = Graph.export(index, [format: :json] ++ opts)
      {:ok, %{"nodes" => nodes}} = JSON.decode(text)
      Enum.map(nodes, & &1["id"])
    end

    assert ids.(around: "Shop.Price.round/1", reach: :dependents) ==
             ["Shop.Catalog.priced/1", "Shop.Price.round/1"]

    assert "ShopWeb.CartLive.mount/3" in ids.(around: "Shop.Price.round/1", reach: :dependents, depth: 3)

    assert ids.(around: "lib/shop/sale.ex", reach: :dependencies, kinds: [:call]) ==
             ["Shop.Sale.ask/0", "Shop.Stock.left/1"]
  end

  test "pictures are SVG, and one that cannot be read is refused", %{index: index} do
    {:ok, svg} = Graph.svg(index, modules: true)
    assert svg =~ "<svg xmlns="
    assert svg =~ "Shop.Catalog"
    {:ok, part} = Graph.svg(index, around: "Shop.Price.round/1", kinds: [:call])
    assert part =~ "priced/1"
    refute part =~ "handle_call"
    assert {:error, %Error{kind: :limit, message: message}} = Graph.svg(index, max_nodes: 2)
    assert message =~ "ask for fewer"
  end

  test "options are checked", %{index: index} do
    assert_raise ArgumentError, ~r/:kinds/, fn -> Graph.callers(index, "left", kinds: [:phone]) end
    assert_raise ArgumentError, ~r/:depth/, fn -> Graph.callers(index, "left", depth: 0) end
    assert_raise ArgumentError, ~r/:format/, fn -> Graph.export(index, format: :png) end
    assert_raise ArgumentError, ~r/:model/, fn -> Graph.neighbourhood(index, "left", model: "gpt") end
  end

  # The index is a good one; everything else is not, in every place.
  test "no function of a graph is harmed by wrong arguments", %{index: %{resource: resource}} do
    wrong = [
      nil,
      :atom,
      -1,
      0,
      1.0e308,
      1.5,
      "",
      "/",
      ".",
      <<255>>,
      [],
      ["x"],
      [1 | 2],
      [{"a", 1, 2}],
      {},
      %{},
      make_ref()
    ]

    part = %{around: nil, reach: :both, depth: 1, kinds: nil}
    parts = for key <- Map.keys(part), value <- wrong, do: Map.put(part, key, value)

    natives =
      for {name, arity} <- Native.nif_functions(),
          String.starts_with?(name, "graph_"),
          do: {String.to_atom(name), arity}

    near = [:graph_find, :graph_reach, :graph_references, :graph_implementations]
    assert near -- Keyword.keys(natives) == []

    for {name, arity} <- natives, name != :graph_link_kinds, argument <- wrong ++ parts do
      result =
        try do
          arguments = List.duplicate(argument, arity - 2)

          if name in near,
            do: Ambix.Job.answer(&apply(Native, name, [&1, resource | arguments])),
            else: Ambix.Job.run(&apply(Native, name, [&1, resource | arguments]), nil)
        rescue
          # A map whose values are wrong is named by the exception, so it is not an ArgumentError.
          error in [ArgumentError, ErlangError] -> error
        end

      refute match?({:error, %Error{kind: :panic}}, result),
             "#{name} #{inspect(argument)}: #{inspect(result)}"
    end

    run = fn name, arguments -> Ambix.Job.run(&apply(Native, name, [&1, resource | arguments]), nil) end

    for part <- parts do
      results =
        for {name, arguments} <- [
              graph_export: ["dot", part],
              graph_picture: [part, %{modules: true, max_nodes: 9}]
            ] do
          try do
            run.(name, arguments)
          rescue
            error in ErlangError -> {:error, error}
          end
        end

      assert Enum.all?(results, &(match?({:ok, _}, &1) or match?({:error, %{}}, &1)))
      refute Enum.any?(results, &match?({:error, %Error{kind: :panic}}, &1))
    end

    reach = fn arguments -> Ambix.Job.answer(&apply(Native, :graph_reach, [&1, resource | arguments])) end
    assert {:error, %Error{kind: :invalid_argument}} = reach.(["left", :up, 1, nil])
    assert {:error, %Error{kind: :invalid_argument}} = reach.(["left", :callers, 1, ["phone"]])

    assert {:error, %Error{kind: :invalid_argument}} = run.(:graph_export, ["png", part])
    assert {:error, %Error{kind: :invalid_argument}} = run.(:graph_cycles, [nil, "noon"])
    assert {:error, %Error{kind: :invalid_argument}} = run.(:graph_communities, [:cats, nil, 1.0, 0])
    assert {:ok, [_ | _]} = reach.(["Shop.Stock", :dependents, 0xFFFFFFFFFFFFFFFF, nil])
  end
end
