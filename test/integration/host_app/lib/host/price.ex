defmodule Host.Price do
  @moduledoc "What things cost."

  @doc "The price in cents after a discount given in percent."
  def discounted(cents, percent), do: cents - div(cents * percent, 100)
end
