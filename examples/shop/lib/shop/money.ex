defmodule Shop.Money do
  @moduledoc """
  An amount of money, in integer cents of one currency.

  Nothing here uses floats, and nothing loses a cent: what is divided is divided with `allocate/2`
  or `split/2`, whose shares always add up to the whole.

      iex> total = Shop.Money.new(1000)
      iex> total |> Shop.Money.split(3) |> Enum.map(&to_string/1)
      ["3.34 EUR", "3.33 EUR", "3.33 EUR"]
  """

  @enforce_keys [:cents, :currency]
  defstruct [:cents, :currency]

  @type t :: %__MODULE__{cents: integer, currency: atom}

  @typedoc """
  What to do with fractions of a cent. `:half_up` rounds halves away from zero, as invoices do;
  `:half_even` rounds them to the even neighbour, as statistics do.
  """
  @type rounding :: :down | :up | :half_up | :half_even

  @typedoc "Hundredths of a percent: 1950 are 19.5 %."
  @type basis_points :: non_neg_integer

  @default_currency :EUR

  @doc """
  Makes an amount of `cents`.

      iex> Shop.Money.new(1999)
      %Shop.Money{cents: 1999, currency: :EUR}
  """
  @spec new(integer, atom) :: t
  def new(cents, currency \\ @default_currency) when is_integer(cents) and is_atom(currency) do
    %__MODULE__{cents: cents, currency: currency}
  end

  @doc "Nothing, in `currency`."
  @spec zero(atom) :: t
  def zero(currency \\ @default_currency), do: new(0, currency)

  @doc """
  Reads an amount as people write it: units, and two decimals or none.

      iex> Shop.Money.parse("12.50")
      {:ok, Shop.Money.new(1250)}
      iex> Shop.Money.parse("-3")
      {:ok, Shop.Money.new(-300)}
      iex> Shop.Money.parse("1.5")
      :error
  """
  @spec parse(String.t(), atom) :: {:ok, t} | :error
  def parse(text, currency \\ @default_currency) when is_binary(text) do
    case Regex.run(~r/\A(-?)(\d+)(?:\.(\d\d))?\z/, String.trim(text), capture: :all_but_first) do
      [sign, units | decimals] ->
        cents = String.to_integer(units) * 100 + decimals_to_cents(decimals)
        {:ok, new(if(sign == "-", do: -cents, else: cents), currency)}

      nil ->
        :error
    end
  end

  defp decimals_to_cents([]), do: 0
  defp decimals_to_cents([digits]), do: String.to_integer(digits)

  @doc """
  Adds two amounts of the same currency.

      iex> Shop.Money.add(Shop.Money.new(150), Shop.Money.new(275))
      Shop.Money.new(425)
  """
  @spec add(t, t) :: t
  def add(%__MODULE__{} = a, %__MODULE__{} = b) do
    currency = same_currency!(a, b)
    new(a.cents + b.cents, currency)
  end

  @doc "Takes `b` from `a`. The result may be negative."
  @spec subtract(t, t) :: t
  def subtract(%__MODULE__{} = a, %__MODULE__{} = b) do
    currency = same_currency!(a, b)
    new(a.cents - b.cents, currency)
  end

  @doc """
  Adds up a list of amounts. An empty list makes nothing.

      iex> Shop.Money.sum([Shop.Money.new(1), Shop.Money.new(2)])
      Shop.Money.new(3)
  """
  @spec sum([t]) :: t
  def sum([]), do: zero()
  def sum([first | rest]), do: Enum.reduce(rest, first, &add/2)

  @doc "Multiplies by a whole number, such as a quantity."
  @spec multiply(t, integer) :: t
  def multiply(%__MODULE__{} = money, factor) when is_integer(factor) do
    %{money | cents: money.cents * factor}
  end

  @doc """
  The part of `money` that `basis_points` stand for.

      iex> Shop.Money.percent(Shop.Money.new(1050), 1900)
      Shop.Money.new(200)
      iex> Shop.Money.percent(Shop.Money.new(1050), 1900, :down)
      Shop.Money.new(199)
  """
  @spec percent(t, basis_points, rounding) :: t
  def percent(%__MODULE__{} = money, basis_points, rounding \\ :half_up)
      when is_integer(basis_points) and basis_points >= 0 do
    %{money | cents: divide(money.cents * basis_points, 10_000, rounding)}
  end

  @doc """
  One `count`th of `money`, rounded: for averages. To hand money out, use `split/2`.

      iex> Shop.Money.mean(Shop.Money.new(100), 3)
      Shop.Money.new(33)
  """
  @spec mean(t, pos_integer, rounding) :: t
  def mean(%__MODULE__{} = money, count, rounding \\ :half_even)
      when is_integer(count) and count > 0 do
    %{money | cents: divide(money.cents, count, rounding)}
  end

  @doc """
  Divides `money` in proportion to `weights`, without losing a cent.

  Each share is rounded down; the cents that remain go to the shares that lost the largest
  fractions, and among equals to the first (the method of Hare and Niemeyer). At least one weight
  must be positive.

      iex> Shop.Money.allocate(Shop.Money.new(100), [1, 1, 2])
      [Shop.Money.new(25), Shop.Money.new(25), Shop.Money.new(50)]
  """
  @spec allocate(t, [non_neg_integer, ...]) :: [t]
  def allocate(%__MODULE__{cents: cents} = money, weights) when cents < 0 do
    %{money | cents: -cents}
    |> allocate(weights)
    |> Enum.map(&multiply(&1, -1))
  end

  def allocate(%__MODULE__{} = money, weights) do
    total = Enum.sum(weights)

    if total <= 0 do
      raise ArgumentError, "cannot allocate #{money} by weights that add up to #{total}"
    end

    shares = Enum.map(weights, &{div(money.cents * &1, total), rem(money.cents * &1, total)})
    left_over = money.cents - Enum.sum(Enum.map(shares, &elem(&1, 0)))

    lucky =
      shares
      |> Enum.with_index()
      |> Enum.sort_by(fn {{_share, fraction}, index} -> {-fraction, index} end)
      |> Enum.take(left_over)
      |> MapSet.new(fn {_share, index} -> index end)

    shares
    |> Enum.with_index()
    |> Enum.map(fn {{share, _fraction}, index} ->
      extra = if index in lucky, do: 1, else: 0
      %{money | cents: share + extra}
    end)
  end

  @doc "Divides `money` in `parts` that differ by a cent at most, larger ones first."
  @spec split(t, pos_integer) :: [t]
  def split(%__MODULE__{} = money, parts) when is_integer(parts) and parts > 0 do
    allocate(money, List.duplicate(1, parts))
  end

  @doc """
  Compares, for `Enum.sort/2` and its kin.

      iex> Enum.max([Shop.Money.new(5), Shop.Money.new(7)], Shop.Money)
      Shop.Money.new(7)
  """
  @spec compare(t, t) :: :lt | :eq | :gt
  def compare(%__MODULE__{} = a, %__MODULE__{} = b) do
    same_currency!(a, b)

    cond do
      a.cents < b.cents -> :lt
      a.cents > b.cents -> :gt
      true -> :eq
    end
  end

  @doc "Whether `a` is as much as `b`, or more."
  @spec at_least?(t, t) :: boolean
  def at_least?(a, b), do: compare(a, b) != :lt

  @doc "The smaller amount."
  @spec min(t, t) :: t
  def min(a, b), do: if(compare(a, b) == :gt, do: b, else: a)

  @doc "Whether it is exactly nothing."
  @spec zero?(t) :: boolean
  def zero?(%__MODULE__{cents: cents}), do: cents == 0

  defp divide(numerator, denominator, rounding) when numerator < 0 do
    -divide(-numerator, denominator, rounding)
  end

  defp divide(numerator, denominator, rounding) do
    quotient = div(numerator, denominator)
    remainder = rem(numerator, denominator)

    if away_from_zero?(rounding, quotient, 2 * remainder, denominator) do
      quotient + 1
    else
      quotient
    end
  end

  defp away_from_zero?(:down, _quotient, _doubled, _denominator), do: false
  defp away_from_zero?(:up, _quotient, doubled, _denominator), do: doubled > 0
  defp away_from_zero?(:half_up, _quotient, doubled, denominator), do: doubled >= denominator

  defp away_from_zero?(:half_even, quotient, doubled, denominator) do
    doubled > denominator or (doubled == denominator and rem(quotient, 2) == 1)
  end

  defp same_currency!(%{currency: currency}, %{currency: currency}), do: currency

  defp same_currency!(a, b) do
    raise ArgumentError, "cannot combine #{a} with #{b}: the currencies differ"
  end

  defimpl String.Chars do
    def to_string(%{cents: cents, currency: currency}) do
      sign = if cents < 0, do: "-", else: ""
      units = cents |> abs() |> div(100)
      decimals = cents |> abs() |> rem(100) |> Integer.to_string() |> String.pad_leading(2, "0")
      "#{sign}#{units}.#{decimals} #{currency}"
    end
  end
end
