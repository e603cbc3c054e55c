defmodule Ambix.Tool.Answer do
  @moduledoc """
  What a tool says: `data` that `Ambix.JSON` can write, and `text` made from it.

  `truncated` tells that the budget did not hold all of it; `next` then says how to go on.
  """

  @enforce_keys [:data, :text]
  defstruct [:data, :text, truncated: false, next: nil]

  @type t :: %__MODULE__{data: map, text: iodata, truncated: boolean, next: String.t() | nil}
end
