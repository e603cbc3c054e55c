defmodule Shop.Fixtures do
  @moduledoc "Products, carts and orders for tests."

  alias Shop.Cart
  alias Shop.Catalog.Product
  alias Shop.Money
  alias Shop.Orders.Order
  alias Shop.Pricing

  @doc "A mug for 7.90, a book for 24.00, a tea for 4.50, or a lamp for 39.00."
  def product(:mug) do
    %Product{
      sku: "MUG-01",
      name: "Mug, large",
      price: Money.new(7_90),
      category: "kitchen",
      weight: 350,
      tags: ["gift", "coffee"]
    }
  end

  def product(:book) do
    %Product{
      sku: "BOOK-01",
      name: "Tea and Its Rites",
      price: Money.new(24_00),
      category: "books",
      weight: 600,
      tags: ["gift"]
    }
  end

  def product(:tea) do
    %Product{
      sku: "TEA-01",
      name: "Green Tea",
      price: Money.new(4_50),
      category: "food",
      weight: 100
    }
  end

  def product(:lamp) do
    %Product{
      sku: "LAMP-01",
      name: "Desk Lamp",
      price: Money.new(39_00),
      category: "home",
      weight: 1_500
    }
  end

  @doc "A cart of `[mug: 2, tea: 1]` and the like."
  def cart(items) do
    Enum.reduce(items, Cart.new(), fn {name, quantity}, cart ->
      {:ok, cart} = Cart.add(cart, product(name), quantity)
      cart
    end)
  end

  @doc "An order of `items` that went through `statuses`, one a day from the first of May."
  def order(id, customer, items, statuses \\ []) do
    {:ok, quote} = Pricing.quote(cart(items))

    statuses
    |> Enum.with_index(2)
    |> Enum.reduce(Order.new(id, customer, quote, at(1)), fn {status, day}, order ->
      {:ok, order} = Order.transition(order, status, at(day))
      order
    end)
  end

  @doc "Noon of a day in May 2024."
  def at(day), do: DateTime.new!(Date.new!(2024, 5, day), ~T[12:00:00])
end
