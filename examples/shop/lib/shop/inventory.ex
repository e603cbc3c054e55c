defmodule Shop.Inventory do
  @moduledoc """
  The process that knows what is in stock.

  A customer who checks out reserves what is in the cart. The reservation holds for some minutes:
  it is then committed, by paying, or released, or it expires by itself.

  ## Options

    * `:name` - `Shop.Inventory` by default
    * `:on_hand` - what is in stock at first, a map from SKU to quantity
    * `:hold_for` - for how many seconds a reservation holds, 900 by default
    * `:clock` - a function that gives the current time in seconds, so that tests need not wait
  """

  use GenServer

  alias Shop.Inventory.Stock

  @hold_for 15 * 60

  @type server :: GenServer.server()

  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(options \\ []) do
    {name, options} = Keyword.pop(options, :name, __MODULE__)
    GenServer.start_link(__MODULE__, options, name: name)
  end

  @doc "Puts `quantity` more of a product on the shelf."
  @spec restock(server, Stock.sku(), pos_integer) :: :ok
  def restock(server \\ __MODULE__, sku, quantity) when is_integer(quantity) and quantity > 0 do
    GenServer.call(server, {:restock, sku, quantity})
  end

  @doc "How many of a product could be reserved now."
  @spec available(server, Stock.sku()) :: non_neg_integer
  def available(server \\ __MODULE__, sku), do: GenServer.call(server, {:available, sku})

  @doc "Holds `quantities` for `ref`: all of them, or none. A second call replaces the first."
  @spec reserve(server, Stock.ref(), Stock.quantities()) ::
          :ok | {:error, {:out_of_stock, [Stock.sku(), ...]}}
  def reserve(server \\ __MODULE__, ref, quantities) do
    GenServer.call(server, {:reserve, ref, quantities})
  end

  @doc "Gives back what `ref` holds, if anything."
  @spec release(server, Stock.ref()) :: :ok
  def release(server \\ __MODULE__, ref), do: GenServer.call(server, {:release, ref})

  @doc "Takes what `ref` holds off the shelf."
  @spec commit(server, Stock.ref()) :: :ok | {:error, :no_reservation}
  def commit(server \\ __MODULE__, ref), do: GenServer.call(server, {:commit, ref})

  @doc "The products of which no more than `threshold` are available, the scarcest first."
  @spec low(server, non_neg_integer) :: [{Stock.sku(), non_neg_integer}]
  def low(server \\ __MODULE__, threshold), do: GenServer.call(server, {:low, threshold})

  @impl true
  def init(options) do
    options = Keyword.validate!(options, on_hand: %{}, hold_for: @hold_for, clock: &now/0)
    {:ok, options |> Map.new() |> Map.put(:stock, Stock.new(options[:on_hand]))}
  end

  # Every request first drops what has expired: no timer is needed, and no answer is out of date.
  @impl true
  def handle_call(request, _from, state) do
    now = state.clock.()
    {reply, stock} = handle(request, Stock.expire(state.stock, now), now + state.hold_for)
    {:reply, reply, %{state | stock: stock}}
  end

  defp handle({:restock, sku, quantity}, stock, _expires_at) do
    {:ok, Stock.restock(stock, sku, quantity)}
  end

  defp handle({:available, sku}, stock, _expires_at), do: {Stock.available(stock, sku), stock}
  defp handle({:low, threshold}, stock, _expires_at), do: {Stock.low(stock, threshold), stock}
  defp handle({:release, ref}, stock, _expires_at), do: {:ok, Stock.release(stock, ref)}

  defp handle({:reserve, ref, quantities}, stock, expires_at) do
    case Stock.reserve(stock, ref, quantities, expires_at) do
      {:ok, stock} -> {:ok, stock}
      {:error, reason} -> {{:error, reason}, stock}
    end
  end

  defp handle({:commit, ref}, stock, _expires_at) do
    case Stock.commit(stock, ref) do
      {:ok, stock} -> {:ok, stock}
      {:error, reason} -> {{:error, reason}, stock}
    end
  end

  defp now, do: System.monotonic_time(:second)
end
