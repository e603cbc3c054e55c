defmodule Shop.Pricing.Tax do
  @moduledoc """
  Value added tax, by the country that is shipped to and the product's category.
  """

  alias Shop.Money

  # In basis points.
  @rates %{
    "AT" => %{standard: 2000, reduced: 1000},
    "DE" => %{standard: 1900, reduced: 700},
    "FR" => %{standard: 2000, reduced: 550}
  }

  @reduced_categories ~w(books food)

  @doc "The countries that we ship to."
  @spec countries() :: [String.t()]
  def countries, do: @rates |> Map.keys() |> Enum.sort()

  @doc """
  The rate for a category in a country.

      iex> Shop.Pricing.Tax.rate("DE", "books")
      {:ok, 700}
      iex> Shop.Pricing.Tax.rate("XX", "books")
      {:error, :unknown_country}
  """
  @spec rate(String.t(), String.t()) :: {:ok, Money.basis_points()} | {:error, :unknown_country}
  def rate(country, category) do
    case @rates do
      %{^country => rates} when category in @reduced_categories -> {:ok, rates.reduced}
      %{^country => rates} -> {:ok, rates.standard}
      %{} -> {:error, :unknown_country}
    end
  end

  @doc """
  Tax on net amounts, each given with its category, by rate.

  It is computed once for each rate and not for each line, as an invoice shows it: rounding line
  by line would drift. Rates at which nothing is due are left out.
  """
  @spec on([{String.t(), Money.t()}], String.t()) ::
          {:ok, [{Money.basis_points(), Money.t()}]} | {:error, :unknown_country}
  def on(amounts, country) do
    with {:ok, rated} <- with_rates(amounts, country) do
      {:ok,
       rated
       |> Enum.group_by(fn {rate, _net} -> rate end, fn {_rate, net} -> net end)
       |> Enum.map(fn {rate, nets} -> {rate, Money.percent(Money.sum(nets), rate)} end)
       |> Enum.reject(fn {_rate, tax} -> Money.zero?(tax) end)
       |> Enum.sort_by(fn {rate, _tax} -> rate end)}
    end
  end

  defp with_rates(amounts, country) do
    Enum.reduce_while(amounts, {:ok, []}, fn {category, net}, {:ok, rated} ->
      case rate(country, category) do
        {:ok, rate} -> {:cont, {:ok, [{rate, net} | rated]}}
        {:error, reason} -> {:halt, {:error, reason}}
      end
    end)
  end
end
