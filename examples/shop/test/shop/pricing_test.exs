defmodule Shop.PricingTest do
  use ExUnit.Case, async: true
  doctest Shop.Pricing.Tax
  doctest Shop.Pricing.Shipping

  import Shop.Fixtures

  alias Shop.{Cart, Money, Pricing}
  alias Shop.Pricing.{CouponParser, Quote, Shipping, Tax}

  @today ~D[2024-05-02]

  describe "quote/2" do
    test "adds shipping and tax by rate" do
      quote = quote!(mug: 1, book: 1)

      # 19 % on the mug and the shipping, 7 % on the book
      assert quote.subtotal == Money.new(31_90)
      assert quote.shipping == Money.new(4_90)
      assert quote.taxes == [{700, Money.new(1_68)}, {1900, Money.new(2_43)}]
      assert Quote.tax(quote) == Money.new(4_11)
      assert quote.total == Money.new(40_91)
    end

    test "taxes by the country that is shipped to" do
      assert {:ok, quote} = Pricing.quote(cart(book: 1), country: "FR")
      assert {550, Money.new(1_32)} in quote.taxes
      assert Pricing.quote(cart(book: 1), country: "XX") == {:error, :unknown_country}
    end

    test "refuses an empty cart" do
      assert Pricing.quote(Cart.new()) == {:error, :empty_cart}
    end

    test "refuses what no carrier takes" do
      assert Pricing.quote(cart(lamp: 22)) == {:error, :too_heavy}
    end

    test "spreads a discount over the lines without losing a cent" do
      quote = quote!([mug: 1, book: 1, tea: 1], ["TEN: 10.00 off"])
      nets = Enum.map(quote.lines, fn {line, net} -> {line.product.sku, net.cents} end)

      assert nets == [{"BOOK-01", 17_41}, {"MUG-01", 5_73}, {"TEA-01", 3_26}]
      assert quote.discount == Money.new(10_00)
    end

    test "takes the discount of a category from its lines alone" do
      quote = quote!([mug: 2, book: 1], ["BOOKS: 50% off on books"])
      assert [{_book, book}, {_mugs, mugs}] = quote.lines
      assert {book, mugs} == {Money.new(12_00), Money.new(15_80)}
    end

    test "takes the coupon that gives most" do
      quote = quote!([book: 2], ["A: 5.00 off", "B: 20% off", "C: 10% off"])
      assert quote.discount == Money.new(9_60)
    end

    test "free shipping goes with another coupon" do
      quote = quote!([book: 1], ["POST: free shipping", "A: 5.00 off"])
      assert quote.shipping == Money.zero()
      assert quote.discount == Money.new(5_00)
    end

    test "refuses a coupon that does not hold" do
      assert Pricing.quote(cart(tea: 1), coupons: [coupon!("BIG: 5% off over 10.00")]) ==
               {:error, {:coupon, "BIG", :minimum_not_met}}
    end
  end

  describe "shipping" do
    test "is free from a value on, which is counted after the discount" do
      assert Shipping.cost(400, Shipping.free_from()) == {:ok, Money.zero()}
      assert quote!(lamp: 1, mug: 2).shipping == Money.zero()
      assert quote!([lamp: 1, mug: 2], ["A: 10.00 off"]).shipping == Money.new(7_90)
    end

    test "goes by weight" do
      costs = for weight <- [500, 501, 10_000, 10_001], do: Shipping.cost(weight, Money.new(1))
      assert costs == for(cents <- [2_90, 4_90, 7_90, 16_90], do: {:ok, Money.new(cents)})
    end

    test "says how much is missing until it is free" do
      assert Pricing.missing_for_free_shipping(cart(lamp: 1)) == Money.new(11_00)
      assert Pricing.missing_for_free_shipping(cart(lamp: 2)) == nil
    end
  end

  describe "tax" do
    test "is rounded once for each rate" do
      # Line by line it would be 3 times 0.02.
      amounts = List.duplicate({"kitchen", Money.new(8)}, 3)
      assert Tax.on(amounts, "DE") == {:ok, [{1900, Money.new(5)}]}
    end

    test "is known for every country that we ship to" do
      for country <- Tax.countries() do
        assert {:ok, reduced} = Tax.rate(country, "food")
        assert {:ok, standard} = Tax.rate(country, "home")
        assert reduced < standard
      end
    end
  end

  defp quote!(items, coupons \\ []) do
    coupons = Enum.map(coupons, &coupon!/1)
    {:ok, quote} = Pricing.quote(cart(items), coupons: coupons, today: @today)
    quote
  end

  defp coupon!(text) do
    {:ok, coupon} = CouponParser.parse(text)
    coupon
  end
end
