defmodule Shop.Catalog do
  @moduledoc """
  The products on sale, by their stock keeping unit (SKU).
  """

  alias Shop.Catalog.{Import, Product}
  alias Shop.Money

  defstruct products: %{}

  @type t :: %__MODULE__{products: %{optional(String.t()) => Product.t()}}

  @type filter ::
          {:text, String.t() | nil}
          | {:category, String.t() | nil}
          | {:max_price, Money.t() | nil}
          | {:sort, :name | :price}

  @doc "A catalogue of `products`. Of two with the same SKU, the later one counts."
  @spec new([Product.t()]) :: t
  def new(products \\ []) do
    %__MODULE__{products: Map.new(products, &{&1.sku, &1})}
  end

  @doc "Reads a supplier's price list, see `Shop.Catalog.Import`."
  @spec import_csv(String.t()) :: {:ok, t} | {:error, [Import.problem()]}
  def import_csv(text) do
    with {:ok, products} <- Import.parse(text), do: {:ok, new(products)}
  end

  @doc "Adds a product, or replaces the one of the same SKU."
  @spec put(t, Product.t()) :: t
  def put(%__MODULE__{} = catalog, %Product{} = product) do
    %{catalog | products: Map.put(catalog.products, product.sku, product)}
  end

  @doc "Finds a product by its SKU, whatever its case."
  @spec fetch(t, String.t()) :: {:ok, Product.t()} | {:error, :unknown_product}
  def fetch(%__MODULE__{products: products}, sku) do
    case Map.fetch(products, String.upcase(sku)) do
      {:ok, product} -> {:ok, product}
      :error -> {:error, :unknown_product}
    end
  end

  @doc """
  Lists the products that pass every filter.

  A filter that is `nil` is not applied, so that a form's fields can be handed over as they are.

    * `:text` - every word of it must be in the product's name or among its tags
    * `:category` - the product's category
    * `:max_price` - the product costs this much or less
    * `:sort` - `:name`, which is the default, or `:price`, cheapest first
  """
  @spec list(t, [filter]) :: [Product.t()]
  def list(%__MODULE__{products: products}, filters \\ []) do
    filters = Keyword.validate!(filters, text: nil, category: nil, max_price: nil, sort: :name)

    products
    |> Map.values()
    |> with_text(filters[:text])
    |> in_category(filters[:category])
    |> up_to(filters[:max_price])
    |> sort(filters[:sort])
  end

  @doc "The categories, each with the number of its products."
  @spec categories(t) :: [{String.t(), pos_integer}]
  def categories(%__MODULE__{products: products}) do
    products
    |> Enum.frequencies_by(fn {_sku, product} -> product.category end)
    |> Enum.sort()
  end

  @doc "Other products of the same category, the nearest in price first."
  @spec similar(t, Product.t(), pos_integer) :: [Product.t()]
  def similar(%__MODULE__{} = catalog, %Product{} = product, limit \\ 3) do
    catalog
    |> list(category: product.category)
    |> Enum.reject(&(&1.sku == product.sku))
    |> Enum.sort_by(&{abs(&1.price.cents - product.price.cents), &1.sku})
    |> Enum.take(limit)
  end

  defp with_text(products, nil), do: products

  defp with_text(products, text) do
    words = text |> String.downcase() |> String.split()

    Enum.filter(products, fn product ->
      haystack = String.downcase(Enum.join([product.name | product.tags], " "))
      Enum.all?(words, &String.contains?(haystack, &1))
    end)
  end

  defp in_category(products, nil), do: products
  defp in_category(products, category), do: Enum.filter(products, &(&1.category == category))

  defp up_to(products, nil), do: products
  defp up_to(products, limit), do: Enum.filter(products, &Money.at_least?(limit, &1.price))

  defp sort(products, :name), do: Enum.sort_by(products, &{String.downcase(&1.name), &1.sku})
  defp sort(products, :price), do: Enum.sort_by(products, &{&1.price.cents, &1.sku})
end
