defmodule Ambix.MCP.Progress do
  @moduledoc false
  # What is told of the progress of a request: values that only rise, though each phase of the work counts from the beginning, and not
  # more often than somebody could look.

  @interval_ms 25

  defstruct phase: nil, base: 0, last: -1

  @opaque t :: %__MODULE__{}

  @spec new() :: t
  def new, do: %__MODULE__{}

  @doc "The parameters of a notification, or `:old` where the value would not be higher than the one before."
  @spec step(t, map) :: {:ok, map, t} | {:old, t}
  def step(progress, event) do
    done = number(event[:done])
    progress = phase(progress, event[:phase])
    value = progress.base + done

    if value > progress.last do
      {:ok, params(value, progress.base, event), %{progress | last: value}}
    else
      {:old, progress}
    end
  end

  @doc "A function that hands on to `tell` what comes at least #{@interval_ms} ms after what came before, and the end of a phase."
  @spec limited((map -> any)) :: (map -> :ok)
  def limited(tell) do
    last = :atomics.new(1, signed: true)
    :atomics.put(last, 1, now() - @interval_ms)

    fn event ->
      before = :atomics.get(last, 1)
      due = now() - before >= @interval_ms and is_map(event)

      # Of those that come at once one is told.
      if due and :atomics.compare_exchange(last, 1, before, now()) == :ok, do: tell.(plain(event))
      :ok
    end
  end

  # Whatever a tool says, whoever hears of it can say it in words.
  defp plain(event) do
    phase = if is_atom(event[:phase]), do: event[:phase]
    %{phase: phase, done: number(event[:done]), total: if(is_number(event[:total]), do: event[:total])}
  end

  @doc "The event as words."
  @spec words(map) :: String.t()
  def words(event) do
    total = if is_number(event[:total]), do: " of #{event[:total]}", else: ""

    if event[:phase],
      do: "#{event[:phase]}: #{number(event[:done])}#{total}",
      else: "#{number(event[:done])}#{total}"
  end

  defp phase(%{phase: phase} = progress, phase), do: progress
  defp phase(progress, phase), do: %{progress | phase: phase, base: max(progress.last, 0)}

  defp params(value, base, event) do
    params = %{"progress" => value, "message" => words(event)}
    total = event[:total]
    if is_number(total) and total + base >= value, do: Map.put(params, "total", total + base), else: params
  end

  defp number(value) when is_number(value) and value >= 0, do: value
  defp number(_value), do: 0

  defp now, do: System.monotonic_time(:millisecond)
end
