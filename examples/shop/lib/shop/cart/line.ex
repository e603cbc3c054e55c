defmodule Shop.Cart.Line do
  @moduledoc "A product and how many of it."

  alias Shop.Catalog.Product
  alias Shop.Money

  @enforce_keys [:product, :quantity]
  defstruct [:product, :quantity]

  @type t :: %__MODULE__{product: Product.t(), quantity: pos_integer}

  @doc "What the line costs."
  @spec total(t) :: Money.t()
  def total(%__MODULE__{product: product, quantity: quantity}) do
    Money.multiply(product.price, quantity)
  end
end
