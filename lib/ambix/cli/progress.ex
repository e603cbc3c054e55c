defmodule Ambix.CLI.Progress do
  @moduledoc false
  # Progress of long work on standard error: a bar that is drawn anew in a terminal, now and then a line elsewhere. What is drawn is decided by a pure function of the events and the time; a process only holds the state.

  use GenServer

  alias Ambix.CLI.{Style, Table, Width}

  # Between two drawings of a bar or two lines, and before the first one: work that is done by then shows none.
  @interval_ms %{bar: 100, lines: 10_000}
  # A phase that took so long is told when it is over.
  @worth_telling_ms 1000
  @bar 24

  defstruct [:mode, :columns, :phase, :began, :drawn, done: 0, total: nil]

  @doc """
  Runs `fun` with a function that takes the events `%{phase: atom, done: n, total: n | nil}`.

  `quiet: true` shows nothing.
  """
  @spec run(keyword, ((map -> any) -> result)) :: result when result: term
  def run(opts, fun) do
    if opts[:quiet] do
      fun.(fn _ -> :ok end)
    else
      {:ok, pid} = GenServer.start_link(__MODULE__, opts)

      try do
        fun.(&GenServer.cast(pid, {:event, &1, now()}))
      after
        # The bar must be gone before anything else is written.
        GenServer.call(pid, {:finish, now()})
        GenServer.stop(pid)
      end
    end
  end

  @doc "The state before any event, for `mode` `:bar` or `:lines`."
  @spec new(:bar | :lines, pos_integer) :: %__MODULE__{}
  def new(mode, columns), do: %__MODULE__{mode: mode, columns: columns}

  @doc "What to write after an event at a time in milliseconds, and the state then."
  @spec event(%__MODULE__{}, map, integer) :: {iodata, %__MODULE__{}}
  def event(%{phase: phase} = state, %{phase: phase} = event, now) do
    state = take(state, event)

    if now - state.drawn >= @interval_ms[state.mode],
      do: {draw(state, now), %{state | drawn: now}},
      else: {[], state}
  end

  def event(state, event, now) do
    {finished, state} = finish(state, now)
    {finished, take(%{state | phase: event.phase, began: now, drawn: now}, event)}
  end

  @doc "What to write when the work is over, and the state then."
  @spec finish(%__MODULE__{}, integer) :: {iodata, %__MODULE__{}}
  def finish(%{phase: nil} = state, _now), do: {[], state}

  def finish(state, now) do
    took = now - state.began
    count = if state.done > 0, do: [": ", Table.number(state.done)], else: []

    line =
      if took >= @worth_telling_ms,
        do: [words(state.phase), count, " in ", Table.seconds(took / 1000), "\n"],
        else: []

    {if(state.mode == :bar, do: ["\r\e[K", line], else: line), %{state | phase: nil}}
  end

  @impl GenServer
  def init(opts) do
    mode = if opts[:mode], do: opts[:mode], else: if(Style.terminal?(:stderr), do: :bar, else: :lines)
    {:ok, {new(mode, Style.columns(:stderr)), opts[:write] || (&IO.write(:stderr, &1))}}
  end

  @impl GenServer
  def handle_cast({:event, event, now}, {state, write}) do
    {text, state} = event(state, event, now)
    write(text, write)
    {:noreply, {state, write}}
  end

  @impl GenServer
  def handle_call({:finish, now}, _from, {state, write}) do
    {text, state} = finish(state, now)
    write(text, write)
    {:reply, :ok, {state, write}}
  end

  defp write([], _write), do: :ok
  defp write(text, write), do: write.(text)

  defp take(state, event), do: %{state | done: event[:done] || 0, total: event[:total]}

  defp draw(%{mode: :lines} = state, now),
    do: [words(state.phase), " ", counts(state), left(state, now), "\n"]

  defp draw(%{mode: :bar} = state, now) do
    line = IO.iodata_to_binary([words(state.phase), " ", bar(state), counts(state), left(state, now)])
    ["\r", Width.cut(line, state.columns - 1), "\e[K"]
  end

  defp bar(state) do
    case share(state) do
      nil ->
        []

      share ->
        filled = round(share * @bar)
        [String.duplicate("█", filled), String.duplicate("░", @bar - filled), " "]
    end
  end

  defp counts(%{done: done} = state),
    do: if(share(state), do: [Table.number(done), "/", Table.number(state.total)], else: Table.number(done))

  # A forecast from the first moments is a guess, so none is shown.
  defp left(state, now) do
    elapsed = now - state.began
    share = share(state)

    if share != nil and elapsed > 1000 and share > 0.02,
      do: [", ", Table.seconds(max(round(elapsed * (1 - share) / share / 1000), 1)), " left"],
      else: []
  end

  defp share(%{total: total, done: done}) when is_integer(total) and total > 0, do: min(done / total, 1.0)
  defp share(_), do: nil

  defp words(phase), do: phase |> to_string() |> String.replace("_", " ")
  defp now, do: System.monotonic_time(:millisecond)
end
