defmodule Shop.Pricing.Shipping do
  @moduledoc """
  What it costs to send a parcel.
  """

  alias Shop.Money

  # The heaviest parcel of each class, in grams, and its price in cents.
  @classes [{500, 290}, {2_000, 490}, {10_000, 790}, {31_500, 1690}]

  @free_from Money.new(50_00)

  @doc "Goods worth this much are sent for nothing."
  @spec free_from() :: Money.t()
  def free_from, do: @free_from

  @doc """
  The price for goods of `weight` grams that cost `goods`.

      iex> {:ok, cost} = Shop.Pricing.Shipping.cost(2_000, Shop.Money.new(19_90))
      iex> to_string(cost)
      "4.90 EUR"
  """
  @spec cost(non_neg_integer, Money.t()) :: {:ok, Money.t()} | {:error, :too_heavy}
  def cost(weight, goods) do
    cond do
      weight > heaviest() -> {:error, :too_heavy}
      Money.at_least?(goods, @free_from) -> {:ok, Money.zero()}
      true -> {:ok, class_price(weight)}
    end
  end

  defp class_price(weight) do
    {_heaviest, cents} = Enum.find(@classes, fn {heaviest, _cents} -> weight <= heaviest end)
    Money.new(cents)
  end

  defp heaviest do
    {heaviest, _cents} = List.last(@classes)
    heaviest
  end
end
