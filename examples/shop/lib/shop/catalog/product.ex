defmodule Shop.Catalog.Product do
  @moduledoc "Something that is sold."

  alias Shop.Money

  @enforce_keys [:sku, :name, :price]
  defstruct [:sku, :name, :price, category: "other", weight: 0, tags: []]

  @typedoc "`weight` is in grams, `price` without tax."
  @type t :: %__MODULE__{
          sku: String.t(),
          name: String.t(),
          price: Money.t(),
          category: String.t(),
          weight: non_neg_integer,
          tags: [String.t()]
        }
end
