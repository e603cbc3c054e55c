defmodule Shop.Reports do
  @moduledoc """
  Figures about orders.

  Only orders that count as sales are looked at: those that were paid and not cancelled or
  returned since. Revenue is net, after coupons, without shipping and tax.
  """

  alias Shop.Money
  alias Shop.Orders.Order

  @doc "Revenue of all sales."
  @spec revenue([Order.t()]) :: Money.t()
  def revenue(orders), do: orders |> sales() |> Enum.map(&net/1) |> Money.sum()

  @doc "Revenue of each day on which something was paid for, in order."
  @spec revenue_by_day([Order.t()]) :: [{Date.t(), Money.t()}]
  def revenue_by_day(orders) do
    orders
    |> sales()
    |> Enum.group_by(&(&1 |> Order.reached_at(:paid) |> DateTime.to_date()), &net/1)
    |> Enum.map(fn {day, nets} -> {day, Money.sum(nets)} end)
    |> Enum.sort_by(fn {day, _revenue} -> day end, Date)
  end

  @doc "Revenue of each category, the largest first."
  @spec revenue_by_category([Order.t()]) :: [{String.t(), Money.t()}]
  def revenue_by_category(orders) do
    orders
    |> sales()
    |> Enum.flat_map(& &1.quote.lines)
    |> Enum.group_by(fn {line, _net} -> line.product.category end, fn {_line, net} -> net end)
    |> Enum.map(fn {category, nets} -> {category, Money.sum(nets)} end)
    |> Enum.sort_by(fn {category, revenue} -> {-revenue.cents, category} end)
  end

  @doc "The products that were sold most often, with their quantities."
  @spec best_sellers([Order.t()], pos_integer) :: [{String.t(), pos_integer}]
  def best_sellers(orders, limit \\ 5) do
    orders
    |> sales()
    |> Enum.map(&Order.quantities/1)
    |> Enum.reduce(%{}, &Map.merge(&1, &2, fn _sku, a, b -> a + b end))
    |> Enum.sort_by(fn {sku, quantity} -> {-quantity, sku} end)
    |> Enum.take(limit)
  end

  @doc "What a sale brings on average, or `nil` when there was none."
  @spec average_sale([Order.t()]) :: Money.t() | nil
  def average_sale(orders) do
    case sales(orders) do
      [] -> nil
      sales -> sales |> revenue() |> Money.mean(length(sales))
    end
  end

  @doc "The customers with at least two sales, with the number of them."
  @spec returning_customers([Order.t()]) :: [{String.t(), pos_integer}]
  def returning_customers(orders) do
    orders
    |> sales()
    |> Enum.frequencies_by(& &1.customer)
    |> Enum.filter(fn {_customer, count} -> count >= 2 end)
    |> Enum.sort()
  end

  defp sales(orders) do
    Enum.filter(orders, &(Order.paid?(&1) and Order.status(&1) not in [:cancelled, :returned]))
  end

  defp net(order), do: order.quote.lines |> Enum.map(fn {_line, net} -> net end) |> Money.sum()
end
