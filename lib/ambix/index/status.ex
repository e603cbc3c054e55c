defmodule Ambix.Index.Status do
  @moduledoc false
  # What is told of an index: what it holds, what its server does, and whether its files are those on the disk.

  alias Ambix.{Error, Index, Job, Memory, Native}
  alias Ambix.Index.{Root, Server}

  # Where no server is at work.
  @nothing %{phase: nil, progress: nil, pending: 0, pending_ms: 0, watching: nil, last_update: nil}

  @doc "The status of an index or of the name of one."
  @spec of(Index.t() | atom, boolean) :: {:ok, map} | {:error, Error.t()}
  def of(%Index{} = index, verify?) do
    with {:ok, told} <- state(index, verify?, nil) do
      {:ok, whole(index, Map.merge(@nothing, %{root: index.root, store: nil, error: nil}), told)}
    end
  end

  def of(name, verify?) when is_atom(name) do
    case Server.status(name) do
      %{index: nil} = served ->
        {:ok, whole(nil, kept(served), unbuilt(served))}

      %{index: index} = served ->
        with {:ok, told} <- state(index, verify?, served), do: {:ok, whole(index, kept(served), told)}

      {:error, error} ->
        {:error, error}
    end
  end

  @doc "The status of the index of `root` in the file `path`, with options of `Ambix.Index.open/2`; the state is `:missing` if there is none."
  @spec saved(Path.t(), Path.t(), keyword) :: {:ok, map} | {:error, Error.t()}
  def saved(root, path, opts \\ []) do
    with true <- File.exists?(path),
         {:ok, index} <- Index.open(path, opts),
         true <- Index.same_folder?(index.root, root),
         {:ok, status} <- Index.status(index) do
      {:ok, %{status | store: path, store_bytes: bytes(path)}}
    else
      {:error, %{kind: kind} = error} when kind != :outdated ->
        {:error, error}

      _ ->
        kept = Map.merge(@nothing, %{root: root, store: path, error: nil})
        {:ok, whole(nil, kept, %{state: :missing, differing: nil})}
    end
  end

  defp unbuilt(%{state: state}),
    do: %{state: if(state == :opening, do: :building, else: :failed), differing: nil}

  # What is known before anything is looked at counts, and a look can only make it less.
  defp state(index, verify?, served) do
    {:ok, seen} = Native.index_freshness(index.resource)
    # What could not be taken in is pending too, until it can.
    seen = if served != nil and served.pending != 0 and seen != :stale, do: :updating, else: seen

    if verify?, do: verified(index, seen, served), else: {:ok, %{state: seen, differing: nil}}
  end

  defp verified(index, seen, served) do
    case Job.run(&Native.index_differences(&1, index.resource), nil) do
      {:ok, []} when seen in [:fresh, :unknown] ->
        {:ok, %{state: :fresh, differing: []}}

      {:ok, paths} when seen in [:fresh, :unknown] ->
        # What the watch has not told, it may never tell: on some file systems events get lost.
        if following?(served), do: Server.changed(served.name, paths)
        {:ok, %{state: if(following?(served), do: :updating, else: :stale), differing: paths}}

      {:ok, paths} ->
        {:ok, %{state: seen, differing: paths}}

      {:error, %{kind: kind}} when kind in [:not_found, :invalid_argument] ->
        {:ok, %{state: :stale, differing: nil}}

      {:error, error} ->
        {:error, error}
    end
  end

  defp following?(served), do: served != nil and served.watched != nil and served.watched.means != nil

  defp kept(served) do
    watched = served.watched || %{means: nil, pending: 0, pending_ms: 0}

    %{
      phase: served.working,
      progress: served.progress,
      pending: if(served.pending == :all, do: :all, else: served.pending + watched.pending),
      pending_ms: watched.pending_ms,
      watching: watched.means,
      last_update: served.last,
      root: served.root,
      store: served.store,
      error: served.error
    }
  end

  defp whole(index, kept, told) do
    kept
    |> Map.merge(counts(index))
    |> Map.merge(told)
    |> Map.merge(%{store_bytes: bytes(kept.store), memory: Memory.now()})
    |> then(&Map.put(&1, :warning, index && Root.warning(&1.root, &1.files)))
  end

  defp counts(nil), do: %{files: 0, bytes: 0, chunks: 0, vectors: 0, missing_vectors: 0}

  defp counts(index) do
    {:ok, counts} = Native.index_counts(index.resource)
    counts
  end

  defp bytes(nil), do: nil

  defp bytes(path) do
    case File.stat(path) do
      {:ok, stat} -> stat.size
      {:error, _} -> nil
    end
  end
end
