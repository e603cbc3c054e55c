defmodule Shop.Pricing.CouponTest do
  use ExUnit.Case, async: true
  doctest Shop.Pricing.CouponParser

  import Shop.Fixtures

  alias Shop.{Cart, Money}
  alias Shop.Pricing.{Coupon, CouponParser}

  @today ~D[2024-05-02]

  describe "parse/1" do
    test "reads every benefit" do
      assert coupon!("A: 12.5% off").benefit == {:percent, 1250}
      assert coupon!("A: 12.05% off").benefit == {:percent, 1205}
      assert coupon!("A: 10.00 off").benefit == {:amount, Money.new(10_00)}
      assert coupon!("A: buy 3 pay 2").benefit == {:bundle, 3, 2}
      assert coupon!("A: free shipping").benefit == :free_shipping
    end

    test "reads conditions in any order" do
      coupon = coupon!("tenner : 10 OFF until 2024-06-30 over 60 on Books")
      assert coupon.code == "TENNER"
      assert coupon.category == "books"
      assert coupon.minimum == Money.new(60_00)
      assert coupon.expires_on == ~D[2024-06-30]
    end

    test "explains mistakes" do
      for {text, message} <- [
            {"10% off", "expected a code and a colon, found: 10% off"},
            {"A B: 10% off", "expected a code and a colon, found: A B: 10% off"},
            {"A: 0% off", "not a percentage: 0%"},
            {"A: 101% off", "not a percentage: 101%"},
            {"A: x off", "not an amount: x"},
            {"A: buy 2 pay 2", "a bundle must cost less than its items: buy 2 pay 2"},
            {"A: 5% off until May", "not a date: may"},
            {"A: 5% off on food on books", "expected a condition, found: on books"}
          ] do
        assert CouponParser.parse(text) == {:error, message}
      end
    end

    test "reads many, and finds the line of a mistake" do
      assert {:ok, coupons} = CouponParser.parse_all("A: 5% off\n\nB: 3.00 off\n")
      assert Map.keys(coupons) == ["A", "B"]

      assert CouponParser.parse_all("A: 5% off\n\na: 1.00 off") ==
               {:error, {3, "A is there already"}}

      assert {:error, {2, _message}} = CouponParser.parse_all("A: 5% off\nB")
    end
  end

  describe "check/3" do
    test "holds up to and on the last day" do
      lines = Cart.lines(cart(tea: 1))
      coupon = coupon!("A: 5% off until 2024-05-02")
      assert Coupon.check(coupon, lines, ~D[2024-05-01]) == :ok
      assert Coupon.check(coupon, lines, ~D[2024-05-02]) == :ok
      assert Coupon.check(coupon, lines, ~D[2024-05-03]) == {:error, :expired}
    end

    test "holds at exactly the minimum, of the category if there is one" do
      coupon = coupon!("A: 5% off on books over 48.00")
      assert Coupon.check(coupon, Cart.lines(cart(book: 2)), @today) == :ok

      assert Coupon.check(coupon, Cart.lines(cart(book: 1, lamp: 1)), @today) ==
               {:error, :minimum_not_met}
    end

    test "needs something to apply to" do
      assert Coupon.check(coupon!("A: 5% off on books"), Cart.lines(cart(tea: 1)), @today) ==
               {:error, :nothing_eligible}
    end
  end

  describe "discount/2" do
    test "never takes off more than the goods cost" do
      assert Coupon.discount(coupon!("A: 10.00 off"), Cart.lines(cart(tea: 2))) == Money.new(9_00)
    end

    test "counts whole bundles of each product" do
      coupon = coupon!("A: buy 3 pay 2")
      assert Coupon.discount(coupon, Cart.lines(cart(mug: 2, tea: 2))) == Money.zero()

      assert Coupon.discount(coupon, Cart.lines(cart(mug: 7, tea: 3))) ==
               Money.new(2 * 7_90 + 4_50)
    end

    test "looks at its category alone" do
      coupon = coupon!("A: 10% off on food")
      assert Coupon.discount(coupon, Cart.lines(cart(mug: 1, tea: 2))) == Money.new(90)
    end
  end

  defp coupon!(text) do
    {:ok, coupon} = CouponParser.parse(text)
    coupon
  end
end
