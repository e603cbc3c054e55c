defmodule Shop.Pricing do
  @moduledoc """
  What a cart costs: goods, less coupons, plus shipping, plus tax.
  """

  alias Shop.Cart
  alias Shop.Cart.Line
  alias Shop.Money
  alias Shop.Pricing.{Coupon, Quote, Shipping, Tax}

  @type refusal ::
          :empty_cart | :unknown_country | :too_heavy | {:coupon, String.t(), atom}

  @doc """
  Makes the offer for a cart.

  Of several coupons that take something off, the one that takes off most counts; a coupon for
  free shipping goes with any other. A coupon that does not hold is refused, not ignored: the
  customer typed it and wants to know.

  ## Options

    * `:country` - where to ship to, `"DE"` by default
    * `:coupons` - a list of `Shop.Pricing.Coupon`
    * `:today` - the day to judge coupons by, by default the current one (UTC)
  """
  @spec quote(Cart.t(), keyword) :: {:ok, Quote.t()} | {:error, refusal}
  def quote(%Cart{} = cart, options \\ []) do
    options = Keyword.validate!(options, country: "DE", coupons: [], today: Date.utc_today())
    lines = Cart.lines(cart)

    with :ok <- not_empty(cart),
         :ok <- check_coupons(options[:coupons], lines, options[:today]),
         {coupon, discount} = best_discount(options[:coupons], lines),
         nets = net_amounts(lines, coupon, discount),
         goods = nets |> Enum.map(fn {_line, net} -> net end) |> Money.sum(),
         {:ok, shipping} <- shipping(cart, goods, options[:coupons]),
         {:ok, taxes} <- taxes(nets, shipping, options[:country]) do
      {:ok,
       %Quote{
         lines: nets,
         subtotal: Cart.subtotal(cart),
         discount: discount,
         shipping: shipping,
         taxes: taxes,
         total: Money.sum([goods, shipping | Enum.map(taxes, fn {_rate, tax} -> tax end)])
       }}
    end
  end

  @doc "How much more must go into the cart for free shipping, or `nil` if it is free already."
  @spec missing_for_free_shipping(Cart.t()) :: Money.t() | nil
  def missing_for_free_shipping(%Cart{} = cart) do
    subtotal = Cart.subtotal(cart)

    if Money.at_least?(subtotal, Shipping.free_from()) do
      nil
    else
      Money.subtract(Shipping.free_from(), subtotal)
    end
  end

  defp not_empty(cart), do: if(Cart.empty?(cart), do: {:error, :empty_cart}, else: :ok)

  defp check_coupons(coupons, lines, today) do
    Enum.find_value(coupons, :ok, fn coupon ->
      case Coupon.check(coupon, lines, today) do
        :ok -> nil
        {:error, reason} -> {:error, {:coupon, coupon.code, reason}}
      end
    end)
  end

  defp best_discount(coupons, lines) do
    coupons
    |> Enum.map(&{&1, Coupon.discount(&1, lines)})
    |> Enum.max_by(fn {_coupon, discount} -> discount.cents end, fn -> {nil, Money.zero()} end)
  end

  # The discount is spread over the lines that earned it, in proportion to what they cost, so that
  # each part of it is taxed at the rate of its line.
  defp net_amounts(lines, nil, _discount), do: Enum.map(lines, &{&1, Line.total(&1)})

  defp net_amounts(lines, coupon, discount) do
    eligible = Coupon.eligible(coupon, lines)
    weights = Enum.map(eligible, &Line.total(&1).cents)
    shares = eligible |> Enum.zip(Money.allocate(discount, weights)) |> Map.new()

    Enum.map(lines, fn line ->
      share = Map.get(shares, line, Money.zero())
      {line, Money.subtract(Line.total(line), share)}
    end)
  end

  defp shipping(cart, goods, coupons) do
    with {:ok, cost} <- Shipping.cost(Cart.weight(cart), goods) do
      free? = Enum.any?(coupons, &(&1.benefit == :free_shipping))
      {:ok, if(free?, do: Money.zero(), else: cost)}
    end
  end

  # Shipping is taxed like the goods of the standard rate.
  defp taxes(nets, shipping, country) do
    goods = Enum.map(nets, fn {line, net} -> {line.product.category, net} end)
    Tax.on(goods ++ [{"shipping", shipping}], country)
  end
end
