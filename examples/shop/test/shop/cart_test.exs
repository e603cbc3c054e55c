defmodule Shop.CartTest do
  use ExUnit.Case, async: true

  import Shop.Fixtures

  alias Shop.{Cart, Money}

  describe "add/3" do
    test "adds to the line of the product" do
      {:ok, cart} = Cart.add(cart(mug: 2), product(:mug), 3)
      assert Cart.quantity(cart, "MUG-01") == 5
      assert length(Cart.lines(cart)) == 1
    end

    test "goes up to the limit and not past it" do
      assert {:ok, cart} = Cart.add(cart(mug: 98), product(:mug))
      assert Cart.quantity(cart, "MUG-01") == Cart.max_quantity()
      assert Cart.add(cart, product(:mug)) == {:error, :quantity_limit}
    end

    test "refuses quantities that are none" do
      for quantity <- [0, -1, 1.5, nil] do
        assert Cart.add(Cart.new(), product(:mug), quantity) == {:error, :invalid_quantity}
      end
    end
  end

  describe "update/3" do
    test "sets the quantity" do
      {:ok, cart} = Cart.update(cart(mug: 2, tea: 1), "MUG-01", 7)
      assert Cart.count(cart) == 8
    end

    test "takes the product out at zero" do
      {:ok, cart} = Cart.update(cart(mug: 2), "MUG-01", 0)
      assert Cart.empty?(cart)
    end

    test "refuses products that are not there" do
      assert Cart.update(cart(mug: 2), "TEA-01", 1) == {:error, :not_in_cart}
    end
  end

  describe "merge/2" do
    test "adds up and keeps the newer product" do
      dearer = %{product(:mug) | price: Money.new(8_90)}
      {:ok, visitor} = Cart.add(Cart.new(), dearer, 2)
      merged = Cart.merge(cart(mug: 1, tea: 1), visitor)

      assert Enum.map(Cart.lines(merged), &{&1.product.sku, &1.quantity}) ==
               [{"MUG-01", 3}, {"TEA-01", 1}]

      assert Cart.subtotal(merged) == Money.new(3 * 8_90 + 4_50)
    end

    test "stops at the limit" do
      merged = Cart.merge(cart(mug: 60), cart(mug: 60))
      assert Cart.quantity(merged, "MUG-01") == Cart.max_quantity()
    end
  end

  test "adds up prices and weights" do
    cart = cart(mug: 2, book: 1)
    assert Cart.subtotal(cart) == Money.new(39_80)
    assert Cart.weight(cart) == 1_300
  end

  test "an empty cart costs and weighs nothing" do
    assert Cart.subtotal(Cart.new()) == Money.zero()
    assert Cart.weight(Cart.new()) == 0
  end
end
