defmodule Shop.OrdersTest do
  use ExUnit.Case, async: true

  import Shop.Fixtures

  alias Shop.{Cart, Inventory, Money, Orders}
  alias Shop.Orders.Order

  setup do
    %{
      inventory:
        start_supervised!({Inventory, name: nil, on_hand: %{"MUG-01" => 3, "TEA-01" => 2}})
    }
  end

  describe "place/4" do
    test "reserves the goods", %{inventory: inventory} do
      order = place!(inventory, mug: 2)
      assert Order.status(order) == :placed
      assert Order.placed_at(order) == at(1)
      assert Inventory.available(inventory, "MUG-01") == 1
    end

    test "refuses what is not in stock", %{inventory: inventory} do
      assert Orders.place("1", "ada", cart(mug: 4, tea: 1), inventory: inventory) ==
               {:error, {:out_of_stock, ["MUG-01"]}}

      assert Inventory.available(inventory, "TEA-01") == 2
    end

    test "passes on what pricing says", %{inventory: inventory} do
      assert Orders.place("1", "ada", Cart.new(), inventory: inventory) == {:error, :empty_cart}

      options = [inventory: inventory, pricing: [country: "XX"]]
      assert Orders.place("1", "ada", cart(tea: 1), options) == {:error, :unknown_country}
    end
  end

  describe "pay/3" do
    test "takes the exact amount, and the goods off the shelf", %{inventory: inventory} do
      order = place!(inventory, mug: 2)
      total = Order.total(order)

      assert Orders.pay(order, Money.new(1), inventory: inventory) ==
               {:error, {:wrong_amount, total}}

      assert {:ok, paid} = Orders.pay(order, total, inventory: inventory, at: at(2))
      assert Order.reached_at(paid, :paid) == at(2)
      assert Inventory.commit(inventory, order.id) == {:error, :no_reservation}
      assert Inventory.available(inventory, "MUG-01") == 1
    end

    test "cannot be done twice", %{inventory: inventory} do
      order = pay!(place!(inventory, tea: 1), inventory)

      assert Orders.pay(order, Order.total(order), inventory: inventory) ==
               {:error, {:not_allowed, :paid, :paid}}
    end
  end

  describe "cancel/2" do
    test "of an unpaid order releases the goods and owes nothing", %{inventory: inventory} do
      assert {:ok, order} = Orders.cancel(place!(inventory, mug: 2), inventory: inventory)
      assert Inventory.available(inventory, "MUG-01") == 3
      assert Orders.refund_due(order) == Money.zero()
    end

    test "of a paid order puts the goods back and owes everything", %{inventory: inventory} do
      order = pay!(place!(inventory, mug: 2), inventory)
      assert {:ok, cancelled} = Orders.cancel(order, inventory: inventory)
      assert Inventory.available(inventory, "MUG-01") == 3
      assert Orders.refund_due(cancelled) == Order.total(order)
    end

    test "is too late once it was shipped", %{inventory: inventory} do
      {:ok, order} = inventory |> place!(mug: 1) |> pay!(inventory) |> Orders.ship()

      assert Orders.cancel(order, inventory: inventory) ==
               {:error, {:not_allowed, :shipped, :cancelled}}
    end
  end

  describe "return/2" do
    setup %{inventory: inventory} do
      {:ok, shipped} = inventory |> place!(mug: 2) |> pay!(inventory) |> Orders.ship(at: at(3))
      {:ok, delivered} = Orders.deliver(shipped, at: at(5))
      %{order: delivered}
    end

    test "is possible for two weeks after the delivery", %{order: order, inventory: inventory} do
      assert {:ok, _order} = Orders.return(order, inventory: inventory, at: at(19))
      assert Orders.return(order, inventory: inventory, at: at(20)) == {:error, :too_late}
    end

    test "puts the goods back, and owes all but the shipping", %{
      order: order,
      inventory: inventory
    } do
      {:ok, returned} = Orders.return(order, inventory: inventory, at: at(6))
      assert Inventory.available(inventory, "MUG-01") == 3

      # 15.80 and 4.90 with 19 % tax are 24.63
      assert Order.total(order) == Money.new(24_63)
      assert Orders.refund_due(returned) == Money.new(19_73)
    end
  end

  describe "history" do
    test "knows when each status was reached" do
      order = order("1", "ada", [tea: 1], [:paid, :shipped, :delivered])
      assert Order.status(order) == :delivered
      assert Order.placed_at(order) == at(1)
      assert Order.reached_at(order, :shipped) == at(3)
      assert Order.reached_at(order, :returned) == nil
    end
  end

  defp place!(inventory, items) do
    {:ok, order} = Orders.place("1", "ada", cart(items), inventory: inventory, at: at(1))
    order
  end

  defp pay!(order, inventory) do
    {:ok, order} = Orders.pay(order, Order.total(order), inventory: inventory, at: at(2))
    order
  end
end
