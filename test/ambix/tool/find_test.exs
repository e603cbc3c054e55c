defmodule Ambix.Tool.FindTest do
  # What programs and command lines get of a tool: all that was found, as the library gives it.
  use ExUnit.Case, async: true

  alias Ambix.{Error, Graph, Index, Packages, Tool}
  alias Ambix.Test.ToolProject
  alias Ambix.Tool.{Call, Fix, Host, Relations, Search}

  @moduletag :tmp_dir

  setup %{tmp_dir: tmp} do
    root = ToolProject.write(tmp, %{"lib/shop/long.ex" => ToolProject.long(120)})
    {:ok, index} = Index.build(root)
    {:ok, packages} = Packages.open(root, elixir: false)
    {:ok, root: root, index: index, host: Host.new(index, packages: packages)}
  end

  defp found(host, tool, options) do
    {:ok, found} = Tool.find(tool, options, %Call{host: host, budget: 1})
    found
  end

  test "places and names are those of the library, whatever the budget", %{host: host, index: index} do
    options = [limit: 3, modules: ["Shop.Cart"], kinds: [:function]]
    {:ok, expected} = Index.search(index, "cart with tax", options ++ [mode: :lexical])
    assert %{kind: :words} = words = found(host, Search, [query: "cart with tax", kind: :words] ++ options)
    assert words.results == expected.results and words.results != []

    # Also in what the project depends on.
    modes =
      for kind <- [:words, :meaning, :both],
          do: found(host, Search, query: "cart with tax", kind: kind, deps: true).made_from

    assert [%{semantic: false}, %{lexical: false}, %{lexical: true, semantic: true}] = modes

    {:ok, named} = Index.lookup(index, "step_1", limit: 50)
    assert %{kind: :name, results: results} = found(host, Search, query: "step_1", limit: 50)
    assert results == named.results and length(results) > 20
  end

  test "what is longer than a model may ask is looked for", %{host: host} do
    pattern = Enum.map_join(1..3_000, "|", &"name_#{&1}") <> "|brew"
    assert %{lines: [%{symbol: "Shop.Cart.hidden/1"}]} = found(host, Search, query: pattern, kind: :regex)

    assert {:error, %Error{message: "the query is longer" <> _}} =
             Tool.call(Search, %{"query" => pattern, "kind" => "regex"}, %Call{host: host})
  end

  test "lines are those of the library, and have a package in those of dependencies", context do
    %{host: host, index: index} = context
    options = [context: 1, per_file: 2, case: :insensitive]
    {:ok, expected} = Index.grep(index, "DEF ", options)
    lines = found(host, Search, [query: "DEF ", kind: :regex, limit: 100] ++ options)
    assert Map.delete(lines, :kind) == expected

    assert %{lines: [own, tea], truncated: false} =
             found(host, Search, query: "brew\\(", kind: :regex, deps: true)

    assert own.symbol == "Shop.Cart.hidden/1" and not is_map_key(own, :package)
    assert %{symbol: "Tea.brew/1", package: %{name: "tea", version: "1.2.3"}} = tea

    # A text of the code is looked for as it stands, whatever options say of patterns.
    for fixed <- [true, false] do
      assert %{kind: :literal, lines: [%{symbol: "Shop.Cart.total/1"}]} =
               found(host, Search, query: "costs, with tax.", fixed: fixed)
    end

    assert %{lines: [_], truncated: true} =
             found(host, Search, query: "brew\\(", kind: :regex, deps: true, limit: 1)

    assert %{kind: :pattern, lines: [%{package: %{name: "tea"}, line: 3}], cut: false} =
             found(host, Search, query: "warm(leaves)", kind: :pattern, deps: true, limit: 1)
  end

  test "ties are those of the graph", %{host: host, index: index} do
    of = "Shop.Tax.with_tax/1"

    for relation <- [:callers, :callees, :references, :implementations, :impact, :tests] do
      {:ok, expected} = apply(Graph, relation, [index, of])
      assert found(host, Relations, relation: relation, of: of) == expected, "#{relation}"
    end

    {:ok, expected} = Graph.callers(index, of, depth: 3, kinds: [:call])
    assert found(host, Relations, relation: :callers, of: of, depth: 3, kinds: [:call]) == expected
    assert found(host, Relations, relation: :callers, of: of, kinds: [:alias]) == []

    {:ok, paths} = Graph.paths(index, "Shop.CartTest", of)
    assert found(host, Relations, relation: :path, of: "Shop.CartTest", to: of) == paths
  end

  test "ties to what the project does not define", %{host: host} do
    assert [%{symbol: "Shop.Cart.hidden/1"}] = found(host, Relations, relation: :callers, of: "Tea.brew/1")

    # No other tie of it is known than calls.
    assert {:error, %Error{kind: :not_found}} =
             Tool.find(Relations, [relation: :callers, of: "Tea.brew/1", kinds: [:alias]], %Call{host: host})

    assert [%{symbols: symbols, links: links}] =
             found(host, Relations, relation: :path, of: "Shop.Cart.shown/1", to: "Tea.brew/1")

    assert Enum.map(symbols, & &1.symbol) == ["Shop.Cart.shown/1", "Shop.Cart.hidden/1", "Tea.brew/1"]
    assert List.last(symbols).file == nil

    assert [%{from: "Shop.Cart.shown/1"}, %{from: "Shop.Cart.hidden/1", to: "Tea.brew/1"}] = links
    assert [%{to: "Tea.brew/1"}] = found(host, Relations, relation: :references, of: "Tea.brew/1")

    assert [%{symbols: symbols}] =
             found(host, Relations, relation: :path, of: "Shop.Cart.shown/1", to: "Tea.warm/1", deps: true)

    assert [nil, nil, "tea", "tea"] = for(symbol <- symbols, do: symbol[:package] && symbol.package.name)
  end

  test "what is asked wrongly, or too early, is an error", %{host: host, root: root} do
    call = %Call{host: host}

    assert {:error, %Error{kind: :invalid_argument, message: message}} =
             Tool.find(Search, [kind: :name], call)

    assert message =~ ":query"
    assert {:error, %Error{message: message}} = Tool.find(Search, [query: "x", limt: 3], call)
    assert message =~ "limit"
    assert {:error, %Error{kind: :invalid_argument}} = Tool.find(Relations, [relation: :callers], call)

    for relation <- [:callers, :impact, :tests],
        do:
          assert(
            {:error, %Error{message: "of is empty" <> _}} =
              Tool.find(Relations, [relation: relation, of: ""], call)
          )

    assert {:error, %Error{message: message}} = Tool.find(Search, [query: "x", skip: 1], call)
    assert message =~ "skip"

    assert {:error, %Error{message: "read finds nothing by itself" <> _}} =
             Tool.find(Tool.Read, [targets: ["x"]], call)

    early = %Call{host: %{host | index: Host.of(root: root, name: __MODULE__.Early).index}}

    for {tool, options} <- [{Search, [query: "tax"]}, {Relations, [relation: :callers, of: "tax"]}],
        do: assert({:error, %Error{}} = Tool.find(tool, options, early))
  end

  test "models are told of no further option", %{host: host} do
    for tool <- [Search, Relations, Fix],
        {key, _} <- tool.tool().further,
        key not in Keyword.keys(tool.tool().input) do
      assert {:error, %Error{kind: :invalid_argument, message: message}} =
               Tool.call(tool, %{"query" => "x", "#{key}" => 1}, %Call{host: host})

      assert message =~ "#{key}" or message =~ "query"
    end
  end
end
