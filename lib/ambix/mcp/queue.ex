defmodule Ambix.MCP.Queue do
  @moduledoc false
  # Who works and who waits: so many at once, so many behind them, no more.

  @enforce_keys [:at_once, :waiting]
  defstruct [:at_once, :waiting, running: MapSet.new(), line: :queue.new(), size: 0]

  @type t :: %__MODULE__{}

  @spec new(pos_integer, non_neg_integer) :: t
  def new(at_once, waiting), do: %__MODULE__{at_once: at_once, waiting: waiting}

  @doc "Who comes may start, has to wait, or is one too many."
  @spec enter(t, term) :: {:start | :wait | :full, t}
  def enter(queue, who) do
    cond do
      MapSet.size(queue.running) < queue.at_once ->
        {:start, %{queue | running: MapSet.put(queue.running, who)}}

      queue.size < queue.waiting ->
        {:wait, %{queue | line: :queue.in(who, queue.line), size: queue.size + 1}}

      true ->
        {:full, queue}
    end
  end

  @doc "Who goes, working or waiting, makes room for those that may start now."
  @spec leave(t, term) :: {[term], t}
  def leave(queue, who) do
    if MapSet.member?(queue.running, who) do
      next(%{queue | running: MapSet.delete(queue.running, who)})
    else
      line = :queue.delete(who, queue.line)
      {[], %{queue | line: line, size: :queue.len(line)}}
    end
  end

  defp next(queue) do
    case :queue.out(queue.line) do
      {{:value, who}, line} ->
        {[who], %{queue | line: line, size: queue.size - 1, running: MapSet.put(queue.running, who)}}

      {:empty, _line} ->
        {[], queue}
    end
  end
end
