defmodule Ambix.Index.Server.State do
  @moduledoc false
  # What an index server does next, as a pure function of what has happened. Each function returns the new state and what is to be done:
  #
  #   {:run, work}          begin `:watch`, `:open`, `{:update, paths | :all, seen}`, `:embed` or `:save`; one at a time
  #   :stop                 end the work that runs
  #   {:publish, result}    the answer for those who ask for the index
  #   {:reply, from, term}  the answer for one who waits
  #   {:tell, event}        what subscribers hear
  #   {:after, ms}          call `quiet/1` then
  #
  # Order: what callers wait for, then what changed, then what is not yet on disk, then vectors. Vectors take minutes and are
  # kept when they are interrupted, so all else interrupts them.

  alias Ambix.Error

  defstruct index: nil,
            encoder: nil,
            error: nil,
            working: nil,
            # Those who want the folder read again, those whom the work that runs will serve, and those who want the index.
            waiting: [],
            refreshing: [],
            awaiting: [],
            # Whether a watch is to be started, and how long after a change the index is saved.
            watch: false,
            save_after: 0,
            # What a watch has told and no update has begun to take in: `{paths | :all, seen}`.
            changed: nil,
            # What an update could not take in.
            failed: nil,
            # Whether the index is as it was saved, and not yet compared with the folder.
            behind: false,
            unsaved: false,
            bare: false,
            last: nil

  @type paths :: :all | MapSet.t(Path.t())
  @type work :: :watch | :open | {:update, :all | [Path.t()], non_neg_integer | nil} | :embed | :save
  @type effect ::
          {:run, work}
          | :stop
          | {:publish, term}
          | {:reply, GenServer.from(), term}
          | {:tell, map}
          | {:after, pos_integer}
  @type t :: %__MODULE__{}

  @doc """
  At the beginning the index is opened. Options: `:encoder`, `:watch` (whether to watch the folder first) and `:save_after`, the
  milliseconds from a change to the file on disk.
  """
  @spec new(keyword) :: {t, [effect]}
  def new(opts \\ []) do
    error = Error.new(:unavailable, "the index is being opened or built, ask again in a moment")
    next(struct!(%__MODULE__{error: error}, opts), [{:publish, {:error, error}}])
  end

  @doc "An encoder is there from now on."
  @spec encoder(t, term) :: {t, [effect]}
  def encoder(state, encoder), do: next(%{state | encoder: encoder, bare: true}, [])

  @doc "Somebody wants the index to be up to date with its folder, and waits for it."
  @spec refresh(t, GenServer.from()) :: {t, [effect]}
  def refresh(state, from), do: urgent(%{state | waiting: [from | state.waiting]})

  @doc "Somebody waits for the index to be there, up to date or not."
  @spec await(t, GenServer.from()) :: {t, [effect]}
  def await(%{index: nil, working: nil} = state, from), do: {state, [{:reply, from, {:error, state.error}}]}
  def await(%{index: nil} = state, from), do: {%{state | awaiting: [from | state.awaiting]}, []}
  def await(state, from), do: {state, [{:reply, from, {:ok, state.index}}]}

  @doc "Files at or below these paths have changed. `seen` is how far the watch had come that told it, nil if none did."
  @spec changed(t, :all | [Path.t()], non_neg_integer | nil) :: {t, [effect]}
  def changed(state, paths, seen) do
    told = {if(paths == :all, do: :all, else: MapSet.new(paths)), seen}
    # What failed is tried again when there is reason to believe that it may go better.
    urgent(%{state | changed: state.failed |> joined(state.changed) |> joined(told), failed: nil})
  end

  @doc "The time that `{:after, ms}` named is over."
  @spec quiet(t) :: {t, [effect]}
  def quiet(%{unsaved: :waiting} = state), do: next(%{state | unsaved: true}, [])
  def quiet(state), do: {state, []}

  @doc "The work that ran is over, with this result; `:stopped` if it was ended."
  @spec finished(t, {:ok, term} | {:ok, term, term} | :ok | {:error, Error.t()} | :stopped) :: {t, [effect]}
  def finished(%{working: work} = state, result), do: over(work, result, %{state | working: nil})

  @doc "What can be told of it. `pending` is what waits for an update: a number of paths, or `:all`."
  @spec status(t) :: map
  def status(state) do
    %{
      state: phase(state),
      working: if(is_tuple(state.working), do: elem(state.working, 0), else: state.working),
      error: state.error,
      pending: pending(state),
      last: state.last
    }
  end

  defp phase(%{index: nil, working: nil}), do: :failed
  defp phase(%{index: nil}), do: :opening
  defp phase(_state), do: :ready

  defp pending(%{index: nil}), do: 0
  defp pending(%{behind: true}), do: :all

  defp pending(state) do
    running = with {:update, paths, seen} <- state.working, do: {paths(paths), seen}
    running = if is_tuple(running), do: running

    case state.failed |> joined(state.changed) |> joined(running) do
      nil -> 0
      {:all, _} -> :all
      {paths, _} -> MapSet.size(paths)
    end
  end

  defp paths(:all), do: :all
  defp paths(paths), do: MapSet.new(paths)

  # Without a watch the index is of use too.
  defp over(:watch, {:error, error}, state), do: next(%{state | watch: false, error: error}, [])
  defp over(:watch, _result, state), do: next(%{state | watch: false}, [])

  # A saved index answers before it is compared with the folder; one that was built has just been.
  defp over(:open, {:ok, index, how}, state) do
    built? = how == :built
    state = %{state | index: index, error: nil, bare: true, behind: not built?, unsaved: built?}
    {state, replies} = if built?, do: answer(state, {:ok, :opened}), else: again(state)
    {state, awaited} = awaited(state, {:ok, index})
    next(state, [{:publish, {:ok, index}} | awaited] ++ replies ++ [{:tell, %{event: :ready}}])
  end

  defp over(:open, {:error, error}, state) do
    # It is tried again when somebody asks, so nobody is left waiting for that.
    everyone = state.waiting ++ state.refreshing
    {state, replies} = answer(%{state | error: error, waiting: [], refreshing: everyone}, {:error, error})
    {state, awaited} = awaited(state, {:error, error})
    {state, [{:publish, {:error, error}} | awaited] ++ replies ++ [{:tell, failure(error)}]}
  end

  defp over({:update, _paths, _seen}, {:ok, changes}, state) do
    changed? = changes.added != [] or changes.changed != [] or changes.removed != []
    {ms, changes} = Map.pop(changes, :ms, 0)
    last = %{ms: ms, changes: count(changes)}
    state = %{state | error: nil, bare: state.bare or changed?, behind: false, last: last}
    {state, replies} = answer(state, {:ok, count(changes)})
    {state, saving} = if changed? or changes.dependencies, do: unsaved(state), else: {state, []}
    told = if changed?, do: [{:tell, %{event: :updated, changes: changes, ms: ms}}], else: []
    next(state, replies ++ told ++ saving)
  end

  defp over({:update, paths, seen}, {:error, error}, state) do
    failed = joined(state.failed, {paths(paths), seen})
    {state, replies} = answer(%{state | error: error, failed: failed, behind: false}, {:error, error})
    next(state, replies ++ [{:tell, failure(error)}])
  end

  defp over(:embed, {:ok, count}, state) do
    {state, saving} = if count > 0, do: unsaved(state), else: {state, []}
    next(%{state | bare: false}, saving)
  end

  defp over(:embed, :stopped, state) do
    {state, saving} = unsaved(state)
    next(state, saving)
  end

  # The index answers without vectors; they are tried again when something else has changed.
  defp over(:embed, {:error, error}, state), do: next(%{state | bare: false, error: error}, [])

  defp over(:save, :ok, state), do: next(state, [])
  defp over(:save, {:error, error}, state), do: next(%{state | error: error}, [])

  defp failure(error), do: %{event: :failed, error: error}

  defp count(changes) do
    Map.new(changes, fn {key, value} -> {key, if(is_list(value), do: length(value), else: value)} end)
  end

  defp joined(nil, other), do: other
  defp joined(other, nil), do: other
  defp joined({:all, left}, {_, right}), do: {:all, later(left, right)}
  defp joined({_, left}, {:all, right}), do: {:all, later(left, right)}
  defp joined({some, left}, {more, right}), do: {MapSet.union(some, more), later(left, right)}

  defp later(left, right), do: Enum.max([left || 0, right || 0])

  defp urgent(%{working: :embed} = state), do: {state, [:stop]}
  defp urgent(state), do: next(state, [])

  defp unsaved(%{save_after: 0} = state), do: {%{state | unsaved: true}, []}
  defp unsaved(%{unsaved: false} = state), do: {%{state | unsaved: :waiting}, [{:after, state.save_after}]}
  defp unsaved(state), do: {state, []}

  defp next(%{working: nil, watch: true} = state, effects), do: run(state, :watch, effects)

  defp next(%{working: nil, index: nil} = state, effects),
    do: run(%{state | refreshing: state.waiting, waiting: []}, :open, effects)

  defp next(%{working: nil, waiting: waiting, behind: behind} = state, effects) when waiting != [] or behind,
    do: everything(state, effects)

  defp next(%{working: nil, changed: {:all, _}} = state, effects), do: everything(state, effects)

  defp next(%{working: nil, changed: {paths, seen}} = state, effects),
    do: run(%{state | changed: nil}, {:update, Enum.sort(paths), seen}, effects)

  defp next(%{working: nil, unsaved: true} = state, effects),
    do: run(%{state | unsaved: false}, :save, effects)

  defp next(%{working: nil, bare: true, encoder: encoder} = state, effects) when encoder != nil,
    do: run(state, :embed, effects)

  defp next(state, effects), do: {state, effects}

  # This takes in whatever was told and whatever failed.
  defp everything(state, effects) do
    state = %{state | refreshing: state.waiting, waiting: [], changed: nil, failed: nil}
    run(state, {:update, :all, nil}, effects)
  end

  defp run(state, work, effects), do: {%{state | working: work}, effects ++ [{:run, work}]}

  # Who came while the work ran has to wait for the next one: the folder may have changed since it was read.
  defp answer(state, result) do
    {%{state | refreshing: []}, for(from <- Enum.reverse(state.refreshing), do: {:reply, from, result})}
  end

  # Opening a saved index has not read the folder.
  defp again(state), do: {%{state | waiting: state.waiting ++ state.refreshing, refreshing: []}, []}

  defp awaited(state, result) do
    {%{state | awaiting: []}, for(from <- Enum.reverse(state.awaiting), do: {:reply, from, result})}
  end
end
