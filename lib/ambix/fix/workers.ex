defmodule Ambix.Fix.Workers do
  @moduledoc false
  # The sandboxes that try candidates, and what each is doing. The first one starts with the run; the others start when the
  # first has found that there is something to mend.

  alias Ambix.Sandbox.Project

  @enforce_keys [:root, :opts, :most]
  defstruct [:root, :opts, :most, free: [], busy: %{}]

  def start(root, opts) do
    most = opts[:workers] || min(System.schedulers_online(), 4)
    workers = %__MODULE__{root: root, opts: opts, most: most}

    with {:ok, project} <- open(workers), {:ok, _} <- Project.compile(project) do
      {:ok, %{workers | free: [project]}}
    end
  end

  defp open(workers) do
    Project.start_link(root: workers.root, unsafe_without_isolation: workers.opts[:unsafe_without_isolation])
  end

  @doc "Starts all other sandboxes, which get ready by themselves."
  def start_others(workers) do
    Enum.reduce_while(2..workers.most//1, {:ok, workers}, fn _, {:ok, workers} ->
      case open(workers) do
        {:ok, project} ->
          Project.warm_up(project)
          {:cont, {:ok, %{workers | free: workers.free ++ [project]}}}

        {:error, error} ->
          {:halt, {:error, error}}
      end
    end)
  end

  @doc "Runs `fun` on the first sandbox and waits."
  def first(%__MODULE__{free: [project | _]}, fun), do: fun.(project)

  def busy?(workers), do: map_size(workers.busy) > 0
  def free?(workers), do: workers.free != []

  @doc "Has a free sandbox try mutants on top of `base`."
  def give(%__MODULE__{free: [project | free]} = workers, base, mutants, opts) do
    with {:ok, ref} <- Project.verdicts(project, base, mutants, opts) do
      way = if Enum.all?(mutants, &(&1.within == nil)), do: :alone, else: :together
      left = MapSet.new(mutants, & &1.id)
      batch = %{project: project, left: left, size: length(mutants), way: way, started: now()}
      busy = Map.put(workers.busy, ref, batch)
      {:ok, %{workers | free: free, busy: busy}}
    end
  end

  @doc "Asks all sandboxes to stop after what they are trying now."
  def enough(workers) do
    for {ref, %{project: project}} <- workers.busy, do: Project.enough(project, ref)
    :ok
  end

  @doc """
  Waits for what happens next: `{:verdict, id, verdict, workers}`, `{:unfit, id, workers}` (it must be tried alone), or `{:free, ids, error, took, workers}` when a sandbox is done:
  with what it has not tried, why if that was no wish, and
  `{way, milliseconds, count}` of what it has, together or alone.
  """
  def take(%__MODULE__{busy: busy} = workers) do
    receive do
      {ref, {:verdict, id, verdict}} when is_map_key(busy, ref) ->
        {:verdict, id, verdict, without(workers, ref, id)}

      {ref, {:unfit, id}} when is_map_key(busy, ref) ->
        {:unfit, id, without(workers, ref, id)}

      {ref, {:done, _ids}} when is_map_key(busy, ref) ->
        free(workers, ref, nil)

      {ref, {:error, error}} when is_map_key(busy, ref) ->
        free(workers, ref, error)

      {:DOWN, ref, :process, _, reason} when is_map_key(busy, ref) ->
        exit({:sandbox, reason})
    end
  end

  defp without(workers, ref, id), do: update_in(workers.busy[ref].left, &MapSet.delete(&1, id))

  defp free(workers, ref, error) do
    Process.demonitor(ref, [:flush])
    {batch, busy} = Map.pop!(workers.busy, ref)
    took = {batch.way, now() - batch.started, batch.size - MapSet.size(batch.left)}
    workers = %{workers | free: [batch.project | workers.free], busy: busy}
    {:free, Enum.sort(batch.left), error, took, workers}
  end

  defp now, do: System.monotonic_time(:millisecond)

  def stop(nil), do: :ok

  def stop(workers) do
    for project <- workers.free, do: GenServer.stop(project)
    :ok
  end
end
