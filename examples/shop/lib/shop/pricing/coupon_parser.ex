defmodule Shop.Pricing.CouponParser do
  @moduledoc """
  Reads coupons as the marketing team writes them, one a line:

      SPRING10: 10% off
      BOOKWORM: 12.5% off on books over 20.00
      TENNER: 10.00 off over 60.00 until 2024-06-30
      MUGS: buy 3 pay 2 on kitchen
      POST: free shipping over 30.00

  In full:

      coupon    = code ":" benefit { condition }
      benefit   = percent "off" | amount "off" | "buy" number "pay" number | "free" "shipping"
      condition = "on" category | "over" amount | "until" date

  A code is made of letters, digits and dashes, and is upcased. Conditions come in any order, each
  once.
  """

  alias Shop.Money
  alias Shop.Pricing.Coupon

  @doc """
  Reads one coupon.

      iex> {:ok, coupon} = Shop.Pricing.CouponParser.parse("tea: 5% off on food")
      iex> {coupon.code, coupon.benefit, coupon.category}
      {"TEA", {:percent, 500}, "food"}
      iex> Shop.Pricing.CouponParser.parse("TEA: 5 percent")
      {:error, "expected a benefit, found: 5 percent"}
  """
  @spec parse(String.t()) :: {:ok, Coupon.t()} | {:error, String.t()}
  def parse(text) do
    with {:ok, code, rule} <- split_code(text),
         {:ok, benefit, rest} <- rule |> String.downcase() |> String.split() |> benefit() do
      conditions(rest, %Coupon{code: code, benefit: benefit})
    end
  end

  @doc "Reads many coupons, by code. Empty lines are skipped; the first mistake ends the reading."
  @spec parse_all(String.t()) ::
          {:ok, %{optional(String.t()) => Coupon.t()}}
          | {:error, {line :: pos_integer, String.t()}}
  def parse_all(text) do
    text
    |> String.split("\n")
    |> Enum.with_index(1)
    |> Enum.reject(fn {line, _number} -> String.trim(line) == "" end)
    |> Enum.reduce_while({:ok, %{}}, fn {line, number}, {:ok, coupons} ->
      case parse(line) do
        {:ok, %{code: code}} when is_map_key(coupons, code) ->
          {:halt, {:error, {number, "#{code} is there already"}}}

        {:ok, coupon} ->
          {:cont, {:ok, Map.put(coupons, coupon.code, coupon)}}

        {:error, message} ->
          {:halt, {:error, {number, message}}}
      end
    end)
  end

  defp split_code(text) do
    with [code, rule] <- String.split(text, ":", parts: 2),
         code = code |> String.trim() |> String.upcase(),
         true <- code =~ ~r/\A[A-Z0-9-]+\z/ do
      {:ok, code, rule}
    else
      _other -> {:error, "expected a code and a colon, found: #{String.trim(text)}"}
    end
  end

  defp benefit(["free", "shipping" | rest]), do: {:ok, :free_shipping, rest}

  defp benefit(["buy", buy, "pay", pay | rest]) do
    with {buy, ""} <- Integer.parse(buy),
         {pay, ""} <- Integer.parse(pay),
         true <- 0 < pay and pay < buy do
      {:ok, {:bundle, buy, pay}, rest}
    else
      _other -> {:error, "a bundle must cost less than its items: buy #{buy} pay #{pay}"}
    end
  end

  defp benefit([value, "off" | rest]) do
    case String.split_at(value, -1) do
      {number, "%"} -> with {:ok, points} <- percent(number), do: {:ok, {:percent, points}, rest}
      _other -> with {:ok, amount} <- amount(value), do: {:ok, {:amount, amount}, rest}
    end
  end

  defp benefit(words), do: {:error, "expected a benefit, found: #{Enum.join(words, " ")}"}

  defp conditions([], coupon), do: {:ok, coupon}

  defp conditions(["on", category | rest], %{category: nil} = coupon) do
    conditions(rest, %{coupon | category: category})
  end

  defp conditions(["over", text | rest], %{minimum: nil} = coupon) do
    with {:ok, minimum} <- amount(text), do: conditions(rest, %{coupon | minimum: minimum})
  end

  defp conditions(["until", text | rest], %{expires_on: nil} = coupon) do
    case Date.from_iso8601(text) do
      {:ok, date} -> conditions(rest, %{coupon | expires_on: date})
      {:error, _reason} -> {:error, "not a date: #{text}"}
    end
  end

  defp conditions(words, _coupon),
    do: {:error, "expected a condition, found: #{Enum.join(words, " ")}"}

  # "12.5" are 1250 basis points.
  defp percent(text) do
    with [whole | decimals] <-
           Regex.run(~r/\A(\d{1,3})(?:\.(\d{1,2}))?\z/, text, capture: :all_but_first),
         points = String.to_integer(whole) * 100 + hundredths(decimals),
         true <- points in 1..10_000 do
      {:ok, points}
    else
      _other -> {:error, "not a percentage: #{text}%"}
    end
  end

  defp hundredths([]), do: 0
  defp hundredths([digits]), do: digits |> String.pad_trailing(2, "0") |> String.to_integer()

  defp amount(text) do
    case Money.parse(text) do
      {:ok, %Money{cents: cents} = amount} when cents > 0 -> {:ok, amount}
      _other -> {:error, "not an amount: #{text}"}
    end
  end
end
