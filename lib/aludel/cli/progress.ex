defmodule Aludel.CLI.Progress do
  @moduledoc false
  # Progress of long work on standard error: a bar that is drawn anew in a terminal, a line at the beginning and at the end of each phase
  # elsewhere. What is drawn is decided by a pure function of the events and the time; a process only holds the state.

  use GenServer

  alias Aludel.CLI.{Style, Table, Width}

  # Between two drawings of a bar, and before the first one: work that is done by then shows none.
  @interval_ms 100
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

    if state.mode == :bar and now - state.drawn >= @interval_ms,
      do: {draw(state, now), %{state | drawn: now}},
      else: {[], state}
  end

  def event(state, event, now) do
    {finished, state} = finish(state, now)
    state = take(%{state | phase: event.phase, began: now, drawn: now}, event)
    started = if state.mode == :lines, do: [words(event.phase), amount(state), "\n"], else: []
    {[finished, started], state}
  end

  @doc "What to write when the work is over, and the state then."
  @spec finish(%__MODULE__{}, integer) :: {iodata, %__MODULE__{}}
  def finish(%{phase: nil} = state, _now), do: {[], state}

  def finish(state, now) do
    took = now - state.began
    line = [words(state.phase), ": ", Table.number(state.done), " in ", Table.seconds(took / 1000), "\n"]

    text =
      case state.mode do
        :lines -> line
        :bar when took >= 10 * @interval_ms -> ["\r\e[K", line]
        :bar -> "\r\e[K"
      end

    {text, %{state | phase: nil}}
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

  defp draw(state, now) do
    line =
      if total?(state) do
        share = min(state.done / state.total, 1.0)
        filled = round(share * @bar)
        bar = [String.duplicate("█", filled), String.duplicate("░", @bar - filled)]
        counts = [Table.number(state.done), "/", Table.number(state.total)]
        IO.iodata_to_binary([words(state.phase), " ", bar, " ", counts, left(state, share, now)])
      else
        IO.iodata_to_binary([words(state.phase), " ", Table.number(state.done)])
      end

    ["\r", Width.cut(line, state.columns - 1), "\e[K"]
  end

  # A forecast from the first moments is a guess, so none is shown.
  defp left(state, share, now) do
    elapsed = now - state.began

    if elapsed > 1000 and share > 0.02,
      do: [", ", Table.seconds(max(round(elapsed * (1 - share) / share / 1000), 1)), " left"],
      else: []
  end

  defp amount(state), do: if(total?(state), do: [": ", Table.number(state.total)], else: [])
  defp total?(state), do: is_integer(state.total) and state.total > 0
  defp words(phase), do: phase |> to_string() |> String.replace("_", " ")
  defp now, do: System.monotonic_time(:millisecond)
end
