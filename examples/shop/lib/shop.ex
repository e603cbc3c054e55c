defmodule Shop do
  @moduledoc """
  The back end of a small web shop.

  The contexts, in the order in which a purchase passes them:

    * `Shop.Catalog` - the products
    * `Shop.Cart` - what a customer wants
    * `Shop.Pricing` - what it costs, with coupons, shipping and tax
    * `Shop.Inventory` - what is in stock, and who holds it
    * `Shop.Orders` - what was bought
    * `Shop.Reports` - how business goes

  Amounts are `Shop.Money`, never floats.
  """
end
