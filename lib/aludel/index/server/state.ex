defmodule Aludel.Index.Server.State do
  @moduledoc false
  # What an index server does next, as a pure function of what has happened. Each function returns the new state and what is to be done:
  #
  #   {:run, work}          begin `:open`, `:update`, `:embed` or `:save`; one at a time
  #   :stop                 end the work that runs
  #   {:publish, result}    the answer for those who ask for the index
  #   {:reply, from, term}  the answer for one who waits
  #
  # Order: what callers wait for, then what is not yet on disk, then vectors. Vectors take minutes and are kept when they are
  # interrupted, so a refresh interrupts them.

  alias Aludel.Error

  defstruct index: nil,
            encoder: nil,
            error: nil,
            working: nil,
            waiting: [],
            refreshing: [],
            unsaved: false,
            bare: false

  @type work :: :open | :update | :embed | :save
  @type effect :: {:run, work} | :stop | {:publish, term} | {:reply, GenServer.from(), term}
  @type t :: %__MODULE__{}

  @doc "At the beginning the index is opened."
  @spec new(term) :: {t, [effect]}
  def new(encoder \\ nil) do
    error = Error.new(:unavailable, "the index is being opened or built, ask again in a moment")
    next(%__MODULE__{encoder: encoder, error: error}, [{:publish, {:error, error}}])
  end

  @doc "An encoder is there from now on."
  @spec encoder(t, term) :: {t, [effect]}
  def encoder(state, encoder), do: next(%{state | encoder: encoder, bare: true}, [])

  @doc "Somebody wants the index to be up to date with its folder, and waits for it."
  @spec refresh(t, GenServer.from()) :: {t, [effect]}
  def refresh(state, from) do
    state = %{state | waiting: [from | state.waiting]}
    if state.working == :embed, do: {state, [:stop]}, else: next(state, [])
  end

  @doc "The work that ran is over, with this result; `:stopped` if it was ended."
  @spec finished(t, {:ok, term} | :ok | {:error, Error.t()} | :stopped) :: {t, [effect]}
  def finished(%{working: work} = state, result), do: over(work, result, %{state | working: nil})

  @doc "What can be told of it."
  @spec status(t) :: %{state: :opening | :ready | :failed, working: work | nil, error: Error.t() | nil}
  def status(%{index: nil, working: :open} = state),
    do: %{state: :opening, working: :open, error: state.error}

  def status(%{index: nil} = state), do: %{state: :failed, working: state.working, error: state.error}
  def status(state), do: %{state: :ready, working: state.working, error: state.error}

  # Who waits when the index is opened is served by that, since opening reads the folder.
  defp over(:open, {:ok, index}, state) do
    {state, replies} = answer(%{state | index: index, error: nil, bare: true}, {:ok, :opened})
    next(state, [{:publish, {:ok, index}} | replies])
  end

  defp over(:open, {:error, error}, state) do
    {state, replies} = answer(%{state | error: error}, {:error, error})
    {state, [{:publish, {:error, error}} | replies]}
  end

  defp over(:update, {:ok, changes}, state) do
    changed = changes.added + changes.changed + changes.removed > 0
    state = %{state | error: nil, unsaved: state.unsaved or changed, bare: state.bare or changed}
    {state, replies} = answer(state, {:ok, changes})
    next(state, replies)
  end

  defp over(:update, {:error, error}, state) do
    {state, replies} = answer(%{state | error: error}, {:error, error})
    next(state, replies)
  end

  defp over(:embed, {:ok, count}, state),
    do: next(%{state | bare: false, unsaved: state.unsaved or count > 0}, [])

  defp over(:embed, :stopped, state), do: next(%{state | unsaved: true}, [])

  # The index answers without vectors; they are tried again when something else has changed.
  defp over(:embed, {:error, error}, state), do: next(%{state | bare: false, error: error}, [])

  defp over(:save, :ok, state), do: next(%{state | unsaved: false}, [])
  defp over(:save, {:error, error}, state), do: next(%{state | unsaved: false, error: error}, [])

  defp next(%{working: nil, index: nil} = state, effects),
    do: run(%{state | refreshing: state.waiting, waiting: []}, :open, effects)

  defp next(%{working: nil, waiting: [_ | _]} = state, effects),
    do: run(%{state | refreshing: state.waiting, waiting: []}, :update, effects)

  defp next(%{working: nil, unsaved: true} = state, effects), do: run(state, :save, effects)

  defp next(%{working: nil, bare: true, encoder: encoder} = state, effects) when encoder != nil,
    do: run(state, :embed, effects)

  defp next(state, effects), do: {state, effects}

  defp run(state, work, effects), do: {%{state | working: work}, effects ++ [{:run, work}]}

  # Who came while the work ran has to wait for the next one: the folder may have changed since it was read.
  defp answer(state, result) do
    {%{state | refreshing: []}, for(from <- Enum.reverse(state.refreshing), do: {:reply, from, result})}
  end
end
