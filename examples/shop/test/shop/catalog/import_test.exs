defmodule Shop.Catalog.ImportTest do
  use ExUnit.Case, async: true
  doctest Shop.Catalog.Import

  import Shop.Fixtures

  alias Shop.{Catalog, Money}
  alias Shop.Catalog.Import

  test "reads a price list" do
    text = """
    # spring
    sku,name,price,category,weight,tags
    mug-01,"Mug, large",7.90,Kitchen,350,gift coffee

    TEA-01,Green Tea,4.50,food,100,
    """

    assert Import.parse(text) == {:ok, [product(:mug), product(:tea)]}
  end

  test "takes columns in any order and leaves out optional ones" do
    assert {:ok, [pen]} = Import.parse("name,price,sku\r\nPen,1.20,P-1\r\n")
    assert {pen.sku, pen.price, pen.category, pen.weight} == {"P-1", Money.new(1_20), "other", 0}
  end

  test "reports every problem with its line" do
    text = """
    sku,name,price,weight
    A-1,Pen,free,10
    A-2,,1.00,10
    A-3,Cap,1.00,10
    A-4,Ink,1.00,heavy
    A-5,Nib,1.00
    """

    assert Import.parse(text) ==
             {:error,
              [
                {2, ~s(not a price: "free")},
                {3, "name is empty"},
                {5, ~s(not a weight in grams: "heavy")},
                {6, "expected 4 fields, found 3"}
              ]}
  end

  test "needs its columns and knows no others" do
    assert Import.parse("sku,name\n") == {:error, [{1, "missing columns: price"}]}
    assert Import.parse("sku,name,price,size\n") == {:error, [{1, "unknown columns: size"}]}
    assert Import.parse("\n\n") == {:error, [{1, "the file is empty"}]}
  end

  test "a catalogue can be made of it" do
    {:ok, catalog} = Catalog.import_csv("sku,name,price\nP-1,Pen,1.20\nP-1,Pen,1.50\n")
    assert {:ok, %{price: price}} = Catalog.fetch(catalog, "P-1")
    assert price == Money.new(1_50)
  end

  describe "split_line/1" do
    test "keeps commas and doubled quotes inside of quotes" do
      assert Import.split_line(~s("a,b","say ""hi""")) == {:ok, ["a,b", ~s(say "hi")]}
    end

    test "keeps empty fields, also the last" do
      assert Import.split_line("a,,") == {:ok, ["a", "", ""]}
    end

    test "refuses text behind a closing quote" do
      assert Import.split_line(~s("a" b)) == {:error, "text follows a closing quote"}
    end
  end
end
