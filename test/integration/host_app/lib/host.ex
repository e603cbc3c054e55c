defmodule Host do
  @moduledoc "An application that embeds Aludel, with a little code of its own to be found."

  @doc "The price in cents after a discount given in percent."
  def discounted(cents, percent), do: cents - div(cents * percent, 100)
end
