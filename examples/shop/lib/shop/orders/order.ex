defmodule Shop.Orders.Order do
  @moduledoc """
  Something that was bought, and how far it has come.

      placed ──► paid ──► shipped ──► delivered
         │         │                      │
         └──► cancelled                   └──► returned
  """

  alias Shop.Money
  alias Shop.Pricing.Quote

  @enforce_keys [:id, :customer, :quote, :history]
  defstruct [:id, :customer, :quote, :history]

  @type status :: :placed | :paid | :shipped | :delivered | :returned | :cancelled

  @typedoc "`history` has every status with its time, the latest first."
  @type t :: %__MODULE__{
          id: String.t(),
          customer: String.t(),
          quote: Quote.t(),
          history: [{status, DateTime.t()}, ...]
        }

  @next %{
    placed: [:paid, :cancelled],
    paid: [:shipped, :cancelled],
    shipped: [:delivered],
    delivered: [:returned],
    returned: [],
    cancelled: []
  }

  @doc "An order that was placed at `at`."
  @spec new(String.t(), String.t(), Quote.t(), DateTime.t()) :: t
  def new(id, customer, %Quote{} = quote, at) do
    %__MODULE__{id: id, customer: customer, quote: quote, history: [{:placed, at}]}
  end

  @doc "The current status."
  @spec status(t) :: status
  def status(%__MODULE__{history: history}) do
    {status, _at} = hd(history)
    status
  end

  @doc "When the order was placed."
  @spec placed_at(t) :: DateTime.t()
  def placed_at(%__MODULE__{history: history}) do
    {:placed, at} = List.last(history)
    at
  end

  @doc "When the order reached a status, or `nil` if it never did."
  @spec reached_at(t, status) :: DateTime.t() | nil
  def reached_at(%__MODULE__{history: history}, status) do
    Enum.find_value(history, fn {reached, at} -> if reached == status, do: at end)
  end

  @doc "Whether it was ever paid, whatever came after."
  @spec paid?(t) :: boolean
  def paid?(%__MODULE__{} = order), do: reached_at(order, :paid) != nil

  @doc "What the customer pays for it."
  @spec total(t) :: Money.t()
  def total(%__MODULE__{quote: quote}), do: quote.total

  @doc "What of each product was bought."
  @spec quantities(t) :: %{optional(String.t()) => pos_integer}
  def quantities(%__MODULE__{quote: quote}) do
    Map.new(quote.lines, fn {line, _net} -> {line.product.sku, line.quantity} end)
  end

  @doc "Takes the order to another status, if it may go there."
  @spec transition(t, status, DateTime.t()) :: {:ok, t} | {:error, {:not_allowed, status, status}}
  def transition(%__MODULE__{} = order, to, at) do
    from = status(order)

    if to in Map.fetch!(@next, from) do
      {:ok, %{order | history: [{to, at} | order.history]}}
    else
      {:error, {:not_allowed, from, to}}
    end
  end
end
