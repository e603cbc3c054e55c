defmodule Shop.MoneyTest do
  use ExUnit.Case, async: true
  doctest Shop.Money

  alias Shop.Money

  describe "parse/2" do
    test "reads units with two decimals or none" do
      assert Money.parse("0.05") == {:ok, Money.new(5)}
      assert Money.parse(" 7 ") == {:ok, Money.new(700)}
      assert Money.parse("-12.34", :USD) == {:ok, Money.new(-1234, :USD)}
    end

    test "refuses everything else" do
      for text <- ["", "1,50", "1.", ".50", "1.505", "ten", "1 000"] do
        assert Money.parse(text) == :error, "took #{inspect(text)}"
      end
    end
  end

  describe "arithmetic" do
    test "subtracts below zero" do
      assert Money.subtract(Money.new(100), Money.new(250)) == Money.new(-150)
    end

    test "an empty sum is nothing" do
      assert Money.sum([]) == Money.zero()
    end

    test "refuses to mix currencies" do
      assert_raise ArgumentError, ~r/currencies differ/, fn ->
        Money.add(Money.new(1), Money.new(1, :USD))
      end

      assert_raise ArgumentError, ~r/currencies differ/, fn ->
        Money.compare(Money.new(1), Money.new(1, :USD))
      end
    end
  end

  describe "percent/3" do
    test "rounds halves as asked" do
      # 2.5 cents and 3.5 cents
      for {rounding, expected} <- [down: [2, 3], up: [3, 4], half_up: [3, 4], half_even: [2, 4]] do
        assert Enum.map([250, 350], &Money.percent(Money.new(&1), 100, rounding).cents) ==
                 expected
      end
    end

    test "rounds what is not a half to the nearest" do
      # 1.9 cents and 2.1 cents
      assert Money.percent(Money.new(10), 1900, :half_even) == Money.new(2)
      assert Money.percent(Money.new(10), 2100, :half_up) == Money.new(2)
    end

    test "rounds debts as it rounds claims" do
      assert Money.percent(Money.new(-250), 100) == Money.new(-3)
      assert Money.percent(Money.new(-250), 100, :down) == Money.new(-2)
    end
  end

  describe "allocate/2" do
    test "gives left-over cents to the largest fractions" do
      # Exact shares are 4.55, 2.73 and 2.73 cents.
      assert cents(Money.allocate(Money.new(10), [5, 3, 3])) == [4, 3, 3]
    end

    test "never loses a cent" do
      for total <- [0, 1, 99, 100, 10_001], weights <- [[1], [1, 1, 1], [0, 7], [3, 5, 11, 2]] do
        shares = Money.allocate(Money.new(total), weights)
        assert Money.sum(shares) == Money.new(total)
        assert length(shares) == length(weights)
      end
    end

    test "divides a debt like a claim" do
      assert cents(Money.allocate(Money.new(-100), [1, 2])) == [-33, -67]
    end

    test "needs a positive weight" do
      assert_raise ArgumentError, fn -> Money.allocate(Money.new(100), [0, 0]) end
      assert_raise ArgumentError, fn -> Money.allocate(Money.new(100), []) end
    end
  end

  test "prints two decimals and the sign" do
    assert to_string(Money.new(1905)) == "19.05 EUR"
    assert to_string(Money.new(-5)) == "-0.05 EUR"
  end

  defp cents(amounts), do: Enum.map(amounts, & &1.cents)
end
