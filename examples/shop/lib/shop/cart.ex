defmodule Shop.Cart do
  @moduledoc """
  What a customer wants to buy.

  A cart holds one line for a product. Its functions that may refuse answer `{:ok, cart}` or
  `{:error, reason}`.
  """

  alias Shop.Cart.Line
  alias Shop.Catalog.Product
  alias Shop.Money

  @max_quantity 99

  defstruct lines: %{}

  @type t :: %__MODULE__{lines: %{optional(String.t()) => Line.t()}}
  @type refusal :: :invalid_quantity | :quantity_limit | :not_in_cart

  @doc "A cart with nothing in it."
  @spec new() :: t
  def new, do: %__MODULE__{}

  @doc "The largest quantity that a line may have."
  @spec max_quantity() :: pos_integer
  def max_quantity, do: @max_quantity

  @doc "Puts `quantity` more of `product` into the cart."
  @spec add(t, Product.t(), pos_integer) :: {:ok, t} | {:error, refusal}
  def add(cart, product, quantity \\ 1)

  def add(%__MODULE__{} = cart, %Product{} = product, quantity)
      when is_integer(quantity) and quantity > 0 do
    put_quantity(cart, product, quantity(cart, product.sku) + quantity)
  end

  def add(%__MODULE__{}, %Product{}, _quantity), do: {:error, :invalid_quantity}

  @doc "Sets the quantity of a product that is in the cart. Zero takes it out."
  @spec update(t, String.t(), non_neg_integer) :: {:ok, t} | {:error, refusal}
  def update(%__MODULE__{} = cart, sku, 0), do: {:ok, remove(cart, sku)}

  def update(%__MODULE__{} = cart, sku, quantity) when is_integer(quantity) and quantity > 0 do
    case Map.fetch(cart.lines, sku) do
      {:ok, line} -> put_quantity(cart, line.product, quantity)
      :error -> {:error, :not_in_cart}
    end
  end

  def update(%__MODULE__{}, _sku, _quantity), do: {:error, :invalid_quantity}

  @doc "Takes a product out, if it is there."
  @spec remove(t, String.t()) :: t
  def remove(%__MODULE__{} = cart, sku), do: %{cart | lines: Map.delete(cart.lines, sku)}

  @doc """
  Joins the cart of a visitor with the one that was saved for the customer, when they log in.

  Quantities add up, to the limit at most: nobody should lose a cart because of it. Where the
  product differs, say in its price, the visitor's is the newer one.
  """
  @spec merge(saved :: t, visitor :: t) :: t
  def merge(%__MODULE__{} = saved, %__MODULE__{} = visitor) do
    lines =
      Map.merge(saved.lines, visitor.lines, fn _sku, old, new ->
        %Line{product: new.product, quantity: min(old.quantity + new.quantity, @max_quantity)}
      end)

    %__MODULE__{lines: lines}
  end

  @doc "The lines, by SKU."
  @spec lines(t) :: [Line.t()]
  def lines(%__MODULE__{lines: lines}) do
    lines |> Enum.sort() |> Enum.map(fn {_sku, line} -> line end)
  end

  @doc "How much of a product is in the cart."
  @spec quantity(t, String.t()) :: non_neg_integer
  def quantity(%__MODULE__{lines: lines}, sku) do
    case lines do
      %{^sku => line} -> line.quantity
      %{} -> 0
    end
  end

  @doc "The number of items in all lines."
  @spec count(t) :: non_neg_integer
  def count(%__MODULE__{} = cart), do: cart |> lines() |> Enum.map(& &1.quantity) |> Enum.sum()

  @doc "Whether there is nothing in it."
  @spec empty?(t) :: boolean
  def empty?(%__MODULE__{lines: lines}), do: lines == %{}

  @doc "What all lines cost, before coupons, shipping and tax."
  @spec subtotal(t) :: Money.t()
  def subtotal(%__MODULE__{} = cart),
    do: cart |> lines() |> Enum.map(&Line.total/1) |> Money.sum()

  @doc "What it weighs, in grams."
  @spec weight(t) :: non_neg_integer
  def weight(%__MODULE__{} = cart) do
    cart |> lines() |> Enum.map(&(&1.product.weight * &1.quantity)) |> Enum.sum()
  end

  defp put_quantity(_cart, _product, quantity) when quantity > @max_quantity do
    {:error, :quantity_limit}
  end

  defp put_quantity(cart, product, quantity) do
    line = %Line{product: product, quantity: quantity}
    {:ok, %{cart | lines: Map.put(cart.lines, product.sku, line)}}
  end
end
