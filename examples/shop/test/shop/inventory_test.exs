defmodule Shop.InventoryTest do
  use ExUnit.Case, async: true

  alias Shop.Inventory
  alias Shop.Inventory.Stock

  setup do
    time = start_supervised!({Agent, fn -> 0 end})

    inventory =
      start_supervised!(
        {Inventory,
         name: nil,
         on_hand: %{"MUG-01" => 5, "TEA-01" => 1},
         hold_for: 60,
         clock: fn -> Agent.get(time, & &1) end}
      )

    %{inventory: inventory, wait: fn seconds -> Agent.update(time, &(&1 + seconds)) end}
  end

  test "reserves all or nothing", %{inventory: inventory} do
    assert Inventory.reserve(inventory, "a", %{"MUG-01" => 2, "TEA-01" => 2}) ==
             {:error, {:out_of_stock, ["TEA-01"]}}

    assert Inventory.available(inventory, "MUG-01") == 5
    assert Inventory.reserve(inventory, "a", %{"MUG-01" => 2, "TEA-01" => 1}) == :ok
    assert Inventory.available(inventory, "MUG-01") == 3
  end

  test "gives away the very last item, once", %{inventory: inventory} do
    assert Inventory.reserve(inventory, "a", %{"TEA-01" => 1}) == :ok

    assert Inventory.reserve(inventory, "b", %{"TEA-01" => 1}) ==
             {:error, {:out_of_stock, ["TEA-01"]}}
  end

  test "a second reservation of one customer replaces the first", %{inventory: inventory} do
    :ok = Inventory.reserve(inventory, "a", %{"MUG-01" => 4})
    assert Inventory.reserve(inventory, "a", %{"MUG-01" => 5}) == :ok
    assert Inventory.available(inventory, "MUG-01") == 0
  end

  test "what is committed is gone, and only once", %{inventory: inventory} do
    :ok = Inventory.reserve(inventory, "a", %{"MUG-01" => 2})
    assert Inventory.commit(inventory, "a") == :ok
    assert Inventory.commit(inventory, "a") == {:error, :no_reservation}
    assert Inventory.available(inventory, "MUG-01") == 3
  end

  test "what is released is available again", %{inventory: inventory} do
    :ok = Inventory.reserve(inventory, "a", %{"MUG-01" => 2})
    assert Inventory.release(inventory, "a") == :ok
    assert Inventory.release(inventory, "nobody") == :ok
    assert Inventory.available(inventory, "MUG-01") == 5
  end

  test "reservations expire when their time is over", %{inventory: inventory, wait: wait} do
    :ok = Inventory.reserve(inventory, "a", %{"MUG-01" => 2})
    wait.(59)
    assert Inventory.available(inventory, "MUG-01") == 3
    wait.(1)
    assert Inventory.available(inventory, "MUG-01") == 5
    assert Inventory.commit(inventory, "a") == {:error, :no_reservation}
  end

  test "unknown products are out of stock until they are delivered", %{inventory: inventory} do
    assert Inventory.available(inventory, "LAMP-01") == 0
    assert Inventory.restock(inventory, "LAMP-01", 3) == :ok
    assert Inventory.available(inventory, "LAMP-01") == 3
  end

  test "concurrent customers never get more than there is", %{inventory: inventory} do
    answers =
      1..20
      |> Task.async_stream(&Inventory.reserve(inventory, &1, %{"MUG-01" => 1}))
      |> Enum.map(fn {:ok, answer} -> answer end)

    assert Enum.count(answers, &(&1 == :ok)) == 5
  end

  test "lists what runs low, the scarcest first" do
    {:ok, stock} =
      %{"A" => 3, "B" => 9, "C" => 2}
      |> Stock.new()
      |> Stock.reserve("a", %{"A" => 2}, 60)

    assert Stock.low(stock, 2) == [{"A", 1}, {"C", 2}]
  end
end
