defmodule Aludel.Fix.Workers do
  @moduledoc false
  # The sandboxes that try candidates, and what each is doing. The first one starts with the run; the others are started
  # when there is work for more than one.

  alias Aludel.Sandbox.Project

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

  @doc "Runs `fun` on the first sandbox and waits."
  def first(%__MODULE__{free: [project | _]}, fun), do: fun.(project)

  def busy?(workers), do: map_size(workers.busy) > 0
  def free?(workers), do: workers.free != [] or map_size(workers.busy) < workers.most

  @doc "Runs `fun` on a free sandbox, which is started if need be, and remembers `tag`."
  def give(%__MODULE__{free: [project | free]} = workers, tag, fun) do
    task = Task.async(fn -> {project, fun.(project)} end)
    %{workers | free: free, busy: Map.put(workers.busy, task.ref, tag)}
  end

  def give(%__MODULE__{free: []} = workers, tag, fun) do
    case open(workers) do
      {:ok, project} ->
        compile_first = fn project -> with {:ok, _} <- Project.compile(project), do: fun.(project) end
        give(%{workers | free: [project]}, tag, compile_first)

      {:error, error} ->
        task = Task.async(fn -> {nil, {:error, error}} end)
        %{workers | busy: Map.put(workers.busy, task.ref, tag)}
    end
  end

  @doc "Waits for the next verdict: `{tag, outcome, workers}`."
  def take(%__MODULE__{busy: busy} = workers) do
    receive do
      {ref, {project, outcome}} when is_map_key(busy, ref) ->
        Process.demonitor(ref, [:flush])
        {tag, busy} = Map.pop!(busy, ref)
        free = if project, do: [project | workers.free], else: workers.free
        {tag, outcome, %{workers | busy: busy, free: free}}
    end
  end

  def stop(nil), do: :ok

  def stop(workers) do
    for project <- workers.free, do: GenServer.stop(project)
    :ok
  end
end
