defmodule Shop.Orders do
  @moduledoc """
  Buys carts, and takes orders through their life.

  Orders are values: the caller keeps them. What is in stock is kept by the inventory; the
  functions that touch it take the option `:inventory`. Times are the caller's too, as the option
  `:at`, which is the current time by default.
  """

  alias Shop.{Cart, Inventory, Money, Pricing}
  alias Shop.Orders.Order

  # Goods may be sent back within two weeks of their delivery.
  @return_days 14

  @type refusal ::
          Pricing.refusal()
          | {:out_of_stock, [String.t(), ...]}
          | {:not_allowed, Order.status(), Order.status()}
          | {:wrong_amount, Money.t()}
          | :no_reservation
          | :too_late

  @doc """
  Makes an order of a cart and reserves its goods.

  Takes the options of `Shop.Pricing.quote/2` as `:pricing`.
  """
  @spec place(String.t(), String.t(), Cart.t(), keyword) :: {:ok, Order.t()} | {:error, refusal}
  def place(id, customer, %Cart{} = cart, options \\ []) do
    {pricing, options} = Keyword.pop(options, :pricing, [])
    options = defaults(options)

    with {:ok, quote} <- Pricing.quote(cart, pricing),
         order = Order.new(id, customer, quote, options[:at]),
         :ok <- Inventory.reserve(options[:inventory], id, Order.quantities(order)) do
      {:ok, order}
    end
  end

  @doc "Takes a payment, which must be of exactly the order's total, and the goods off the shelf."
  @spec pay(Order.t(), Money.t(), keyword) :: {:ok, Order.t()} | {:error, refusal}
  def pay(%Order{} = order, amount, options \\ []) do
    options = defaults(options)

    with {:ok, paid} <- Order.transition(order, :paid, options[:at]),
         :ok <- exact(amount, Order.total(order)),
         :ok <- Inventory.commit(options[:inventory], order.id) do
      {:ok, paid}
    end
  end

  @doc "Hands the goods to the carrier."
  @spec ship(Order.t(), keyword) :: {:ok, Order.t()} | {:error, refusal}
  def ship(%Order{} = order, options \\ []) do
    Order.transition(order, :shipped, defaults(options)[:at])
  end

  @doc "Notes that the goods have arrived."
  @spec deliver(Order.t(), keyword) :: {:ok, Order.t()} | {:error, refusal}
  def deliver(%Order{} = order, options \\ []) do
    Order.transition(order, :delivered, defaults(options)[:at])
  end

  @doc """
  Cancels an order that was not shipped yet.

  What was reserved becomes available again; what was paid for goes back on the shelf.
  """
  @spec cancel(Order.t(), keyword) :: {:ok, Order.t()} | {:error, refusal}
  def cancel(%Order{} = order, options \\ []) do
    options = defaults(options)

    with {:ok, cancelled} <- Order.transition(order, :cancelled, options[:at]) do
      if Order.paid?(order) do
        put_back(order, options[:inventory])
      else
        Inventory.release(options[:inventory], order.id)
      end

      {:ok, cancelled}
    end
  end

  @doc "Takes the goods back, within #{@return_days} days of their delivery."
  @spec return(Order.t(), keyword) :: {:ok, Order.t()} | {:error, refusal}
  def return(%Order{} = order, options \\ []) do
    options = defaults(options)

    with {:ok, returned} <- Order.transition(order, :returned, options[:at]),
         :ok <- in_time(Order.reached_at(order, :delivered), options[:at]) do
      put_back(order, options[:inventory])
      {:ok, returned}
    end
  end

  @doc """
  What has to be paid back to the customer.

  All of it when the order was cancelled after it was paid; for a return, the goods and their tax
  but not the shipping.
  """
  @spec refund_due(Order.t()) :: Money.t()
  def refund_due(%Order{} = order) do
    case Order.status(order) do
      :cancelled -> if Order.paid?(order), do: Order.total(order), else: Money.zero()
      :returned -> Money.subtract(Order.total(order), order.quote.shipping)
      _other -> Money.zero()
    end
  end

  defp put_back(order, inventory) do
    for {sku, quantity} <- Order.quantities(order),
        do: Inventory.restock(inventory, sku, quantity)

    :ok
  end

  defp exact(amount, amount), do: :ok
  defp exact(_amount, total), do: {:error, {:wrong_amount, total}}

  defp in_time(delivered_at, now) do
    deadline = DateTime.add(delivered_at, @return_days * 24 * 60 * 60)
    if DateTime.compare(now, deadline) == :gt, do: {:error, :too_late}, else: :ok
  end

  defp defaults(options) do
    Keyword.validate!(options, inventory: Inventory, at: DateTime.utc_now())
  end
end
