defmodule Shop.Pricing.Coupon do
  @moduledoc """
  A coupon: what it gives, and on which conditions.

  Coupons are written in a small language, see `Shop.Pricing.CouponParser`.
  """

  alias Shop.Cart.Line
  alias Shop.Money

  @enforce_keys [:code, :benefit]
  defstruct [:code, :benefit, :category, :minimum, :expires_on]

  @typedoc """
  `{:percent, basis_points}` and `{:amount, money}` take something off; `{:bundle, buy, pay}` makes
  every `buy` items of a product cost as much as `pay` of them.
  """
  @type benefit ::
          {:percent, Money.basis_points()}
          | {:amount, Money.t()}
          | {:bundle, pos_integer, pos_integer}
          | :free_shipping

  @typedoc "A condition that is `nil` always holds. The coupon is good up to and on `expires_on`."
  @type t :: %__MODULE__{
          code: String.t(),
          benefit: benefit,
          category: String.t() | nil,
          minimum: Money.t() | nil,
          expires_on: Date.t() | nil
        }

  @doc "Whether the coupon holds for these lines today, and if not, why."
  @spec check(t, [Line.t()], Date.t()) ::
          :ok | {:error, :expired | :minimum_not_met | :nothing_eligible}
  def check(%__MODULE__{} = coupon, lines, today) do
    eligible = eligible(coupon, lines)

    cond do
      expired?(coupon, today) -> {:error, :expired}
      eligible == [] -> {:error, :nothing_eligible}
      not minimum_met?(coupon, eligible) -> {:error, :minimum_not_met}
      true -> :ok
    end
  end

  @doc "What the coupon takes off these lines: never more than they cost."
  @spec discount(t, [Line.t()]) :: Money.t()
  def discount(%__MODULE__{} = coupon, lines) do
    eligible = eligible(coupon, lines)
    goods = total(eligible)

    case coupon.benefit do
      {:percent, basis_points} -> Money.percent(goods, basis_points)
      {:amount, amount} -> Money.min(amount, goods)
      {:bundle, buy, pay} -> eligible |> Enum.map(&bundle_discount(&1, buy, pay)) |> Money.sum()
      :free_shipping -> Money.zero()
    end
  end

  @doc "The lines to which the coupon applies."
  @spec eligible(t, [Line.t()]) :: [Line.t()]
  def eligible(%__MODULE__{category: nil}, lines), do: lines

  def eligible(%__MODULE__{category: category}, lines) do
    Enum.filter(lines, &(&1.product.category == category))
  end

  defp bundle_discount(line, buy, pay) do
    bundles = div(line.quantity, buy)
    Money.multiply(line.product.price, bundles * (buy - pay))
  end

  defp expired?(%{expires_on: nil}, _today), do: false
  defp expired?(%{expires_on: last_day}, today), do: Date.compare(today, last_day) == :gt

  defp minimum_met?(%{minimum: nil}, _lines), do: true
  defp minimum_met?(%{minimum: minimum}, lines), do: Money.at_least?(total(lines), minimum)

  defp total(lines), do: lines |> Enum.map(&Line.total/1) |> Money.sum()
end
