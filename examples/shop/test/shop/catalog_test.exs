defmodule Shop.CatalogTest do
  use ExUnit.Case, async: true

  import Shop.Fixtures

  alias Shop.{Catalog, Money}

  setup do
    %{catalog: Catalog.new(Enum.map([:mug, :book, :tea, :lamp], &product/1))}
  end

  describe "fetch/2" do
    test "finds a product whatever the case of its SKU", %{catalog: catalog} do
      assert Catalog.fetch(catalog, "mug-01") == {:ok, product(:mug)}
    end

    test "says that there is none", %{catalog: catalog} do
      assert Catalog.fetch(catalog, "MUG-99") == {:error, :unknown_product}
    end
  end

  describe "list/2" do
    test "gives everything by name", %{catalog: catalog} do
      assert skus(Catalog.list(catalog)) == ~w(LAMP-01 TEA-01 MUG-01 BOOK-01)
    end

    test "ignores filters that are nil", %{catalog: catalog} do
      assert Catalog.list(catalog, text: nil, category: nil, max_price: nil) ==
               Catalog.list(catalog)
    end

    test "finds every word in names and tags", %{catalog: catalog} do
      assert skus(Catalog.list(catalog, text: "tea")) == ~w(TEA-01 BOOK-01)
      assert skus(Catalog.list(catalog, text: "Gift TEA")) == ~w(BOOK-01)
      assert skus(Catalog.list(catalog, text: "gift lamp")) == []
    end

    test "keeps to a category", %{catalog: catalog} do
      assert skus(Catalog.list(catalog, category: "food")) == ~w(TEA-01)
    end

    test "includes what costs exactly the limit", %{catalog: catalog} do
      assert skus(Catalog.list(catalog, max_price: Money.new(7_90), sort: :price)) ==
               ~w(TEA-01 MUG-01)
    end
  end

  test "counts products by category", %{catalog: catalog} do
    catalog = Catalog.put(catalog, %{product(:mug) | sku: "MUG-02"})
    assert Catalog.categories(catalog) == [{"books", 1}, {"food", 1}, {"home", 1}, {"kitchen", 2}]
  end

  test "similar products are of the same category, the nearest in price first", %{
    catalog: catalog
  } do
    catalog =
      for {sku, cents} <- [{"MUG-02", 12_00}, {"MUG-03", 7_00}, {"MUG-04", 3_00}],
          reduce: catalog do
        catalog -> Catalog.put(catalog, %{product(:mug) | sku: sku, price: Money.new(cents)})
      end

    assert skus(Catalog.similar(catalog, product(:mug), 2)) == ~w(MUG-03 MUG-02)
  end

  defp skus(products), do: Enum.map(products, & &1.sku)
end
