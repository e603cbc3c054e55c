defmodule Shop.Inventory.Stock do
  @moduledoc """
  What lies in the warehouse, and what of it is held for whom.

  Plain data without a process: `Shop.Inventory` owns one and serialises access to it. Times are
  integers, in seconds, from whatever clock the caller uses.
  """

  defmodule Reservation do
    @moduledoc false
    @enforce_keys [:quantities, :expires_at]
    defstruct [:quantities, :expires_at]
  end

  defstruct on_hand: %{}, reservations: %{}

  @type sku :: String.t()
  @type quantities :: %{optional(sku) => pos_integer}
  @type ref :: term
  @type t :: %__MODULE__{
          on_hand: %{optional(sku) => non_neg_integer},
          reservations: %{optional(ref) => %Reservation{}}
        }

  @doc "A warehouse that holds `on_hand`, none of it reserved."
  @spec new(%{optional(sku) => non_neg_integer}) :: t
  def new(on_hand \\ %{}), do: %__MODULE__{on_hand: on_hand}

  @doc "Puts `quantity` more on the shelf."
  @spec restock(t, sku, pos_integer) :: t
  def restock(%__MODULE__{} = stock, sku, quantity) when is_integer(quantity) and quantity > 0 do
    %{stock | on_hand: Map.update(stock.on_hand, sku, quantity, &(&1 + quantity))}
  end

  @doc "How many could be reserved now."
  @spec available(t, sku) :: non_neg_integer
  def available(%__MODULE__{} = stock, sku) do
    Map.get(stock.on_hand, sku, 0) - reserved(stock, sku)
  end

  @doc "How many are held by reservations."
  @spec reserved(t, sku) :: non_neg_integer
  def reserved(%__MODULE__{reservations: reservations}, sku) do
    reservations
    |> Map.values()
    |> Enum.map(&Map.get(&1.quantities, sku, 0))
    |> Enum.sum()
  end

  @doc """
  Holds `quantities` for `ref` until `expires_at`: all of them, or none.

  What `ref` held before is given back first, so that a changed cart can be reserved again.
  """
  @spec reserve(t, ref, quantities, integer) :: {:ok, t} | {:error, {:out_of_stock, [sku, ...]}}
  def reserve(%__MODULE__{} = stock, ref, quantities, expires_at) do
    free = release(stock, ref)

    case for {sku, quantity} <- quantities, available(free, sku) < quantity, do: sku do
      [] ->
        reservation = %Reservation{quantities: quantities, expires_at: expires_at}
        {:ok, %{free | reservations: Map.put(free.reservations, ref, reservation)}}

      missing ->
        {:error, {:out_of_stock, Enum.sort(missing)}}
    end
  end

  @doc "Gives back what `ref` holds, if anything."
  @spec release(t, ref) :: t
  def release(%__MODULE__{} = stock, ref) do
    %{stock | reservations: Map.delete(stock.reservations, ref)}
  end

  @doc "Takes what `ref` holds off the shelf: it was bought."
  @spec commit(t, ref) :: {:ok, t} | {:error, :no_reservation}
  def commit(%__MODULE__{} = stock, ref) do
    case Map.pop(stock.reservations, ref) do
      {nil, _reservations} ->
        {:error, :no_reservation}

      {reservation, reservations} ->
        on_hand =
          Map.merge(stock.on_hand, reservation.quantities, fn _sku, had, sold -> had - sold end)

        {:ok, %{stock | on_hand: on_hand, reservations: reservations}}
    end
  end

  @doc "Drops the reservations that ended at `now` or earlier."
  @spec expire(t, integer) :: t
  def expire(%__MODULE__{} = stock, now) do
    live = Map.filter(stock.reservations, fn {_ref, held} -> held.expires_at > now end)
    %{stock | reservations: live}
  end

  @doc "The products of which no more than `threshold` are available, the scarcest first."
  @spec low(t, non_neg_integer) :: [{sku, non_neg_integer}]
  def low(%__MODULE__{on_hand: on_hand} = stock, threshold) do
    on_hand
    |> Map.keys()
    |> Enum.map(&{&1, available(stock, &1)})
    |> Enum.filter(fn {_sku, available} -> available <= threshold end)
    |> Enum.sort_by(fn {sku, available} -> {available, sku} end)
  end
end
