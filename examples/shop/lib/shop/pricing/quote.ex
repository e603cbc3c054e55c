defmodule Shop.Pricing.Quote do
  @moduledoc """
  The offer for a cart, made by `Shop.Pricing.quote/2`.
  """

  alias Shop.Cart.Line
  alias Shop.Money

  @enforce_keys [:lines, :subtotal, :discount, :shipping, :taxes, :total]
  defstruct [:lines, :subtotal, :discount, :shipping, :taxes, :total]

  @typedoc """
  `lines` go with their net amounts after the discount, `taxes` with their rates. `subtotal` is
  before the discount, `total` is what the customer pays.
  """
  @type t :: %__MODULE__{
          lines: [{Line.t(), Money.t()}],
          subtotal: Money.t(),
          discount: Money.t(),
          shipping: Money.t(),
          taxes: [{Money.basis_points(), Money.t()}],
          total: Money.t()
        }

  @doc "All taxes together."
  @spec tax(t) :: Money.t()
  def tax(%__MODULE__{taxes: taxes}) do
    taxes |> Enum.map(fn {_rate, tax} -> tax end) |> Money.sum()
  end
end
