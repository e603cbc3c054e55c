defmodule Ambix.Fix.Workers do
  @moduledoc false
  # The sandboxes that try candidates, and what each is doing. The first one starts with the run; the others start when the
  # first has found that there is something to mend. They belong to the process that started them.

  alias Ambix.Error
  alias Ambix.Sandbox.Project

  @enforce_keys [:root, :opts, :most]
  defstruct [:root, :opts, :most, free: [], busy: %{}]

  @doc "With the first sandbox, and the project compiled in it. `opts` are those of `Ambix.Fix.run/2` and `:overlay`."
  def start(root, opts, timeout_ms) do
    most = opts[:workers] || min(System.schedulers_online(), 4)
    workers = %__MODULE__{root: root, opts: opts, most: most}

    with {:ok, project} <- open(workers) do
      case Project.compile(project, timeout_ms: timeout_ms) do
        {:ok, _} ->
          {:ok, %{workers | free: [project]}}

        {:error, error} ->
          Project.kill(project)
          {:error, error}
      end
    end
  end

  defp open(workers), do: Project.start_link([root: workers.root] ++ options(workers.opts))

  @doc "What every sandbox of a run is started with."
  def options(opts), do: Keyword.take(opts, [:unsafe_without_isolation, :allow_paths, :overlay])

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

  @doc "Has a free sandbox try mutants on top of `base`. `way` comes back with what it took."
  def give(%__MODULE__{free: [project | free]} = workers, way, base, mutants, opts) do
    with {:ok, ref} <- Project.verdicts(project, base, mutants, opts) do
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
  Waits for what happens next: `{:verdict, id, verdict, workers}`, `{:unfit, id, workers}` (it must be tried alone), or
  `{:free, ids, error, took, workers}` when a sandbox is done or gone: with what it has not tried, why if that was no wish, and
  `{way, milliseconds, count}` of what it has. `:timeout` if nothing happens.
  """
  def take(%__MODULE__{busy: busy} = workers, timeout_ms) do
    receive do
      {ref, {:verdict, id, verdict}} when is_map_key(busy, ref) ->
        {:verdict, id, verdict, without(workers, ref, id)}

      {ref, {:unfit, id}} when is_map_key(busy, ref) ->
        {:unfit, id, without(workers, ref, id)}

      {ref, {:done, _ids}} when is_map_key(busy, ref) ->
        free(workers, ref, nil)

      {ref, {:error, error}} when is_map_key(busy, ref) ->
        free(workers, ref, error)

      {:DOWN, ref, :process, _, _reason} when is_map_key(busy, ref) ->
        error = Error.new(:sandbox, "the server of a sandbox ended in the middle of its work")
        {:free, left, error, took, workers} = free(workers, ref, error)
        {:free, left, error, took, %{workers | free: tl(workers.free)}}
    after
      timeout_ms -> :timeout
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

  @doc "Ends all sandboxes; those that are at work, by force."
  def stop(nil), do: :ok

  def stop(workers) do
    for {_, %{project: project}} <- workers.busy, do: Project.kill(project)
    for project <- workers.free, do: Project.stop(project)
    :ok
  end
end
