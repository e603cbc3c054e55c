defmodule Ambix.MCP.Tasks do
  @moduledoc false
  # Work that goes on after its request was answered, by the extension `io.modelcontextprotocol/tasks`. Whoever knows the id, which cannot be
  # guessed, may ask for it. A task and its result are kept for so long from its creation, and so many of them.

  use GenServer
  use Ambix.Redact

  alias Ambix.MCP.{Client, Fault, Frame, Listen, Progress, Request}

  @poll_ms 1000

  @type outcome :: {:result, map} | {:fault, Fault.t()}

  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: opts[:name])

  @doc """
  Starts a task. `work` gets a function for progress and one that asks the client: it takes the requests and returns the responses.
  The answer is the task as clients see it.
  """
  @spec create(GenServer.server(), ((map -> any), (map -> map) -> outcome)) :: {:ok, map} | :full
  def create(tasks, work), do: GenServer.call(tasks, {:create, work, Process.group_leader()})

  @spec get(GenServer.server(), String.t()) :: {:ok, map} | :unknown
  def get(tasks, id), do: GenServer.call(tasks, {:get, id})

  @doc "Hands over what the client answered; what nobody asked for is passed over."
  @spec update(GenServer.server(), String.t(), map) :: :ok | :unknown
  def update(tasks, id, responses), do: GenServer.call(tasks, {:update, id, responses})

  @spec cancel(GenServer.server(), String.t()) :: :ok | :unknown
  def cancel(tasks, id), do: GenServer.call(tasks, {:cancel, id})

  @impl true
  def init(opts) do
    Process.flag(:trap_exit, true)
    {:ok, %{tasks: %{}, by_pid: %{}, registry: opts[:registry], limits: Map.new(opts[:limits])}}
  end

  @impl true
  def handle_call({:create, work, leader}, _from, state) do
    state = forget_oldest(state)
    running = Enum.count(state.tasks, fn {_, task} -> task.pid end)

    if running < state.limits.running and map_size(state.tasks) < state.limits.kept do
      id = Base.url_encode64(:crypto.strong_rand_bytes(24), padding: false)
      Process.send_after(self(), {:expire, id}, state.limits.ttl_ms)
      now = now()

      task = %{
        id: id,
        pid: start(id, work, leader),
        status: "working",
        message: nil,
        created: now,
        updated: now,
        requests: %{},
        responses: %{},
        asked: 0,
        end: %{}
      }

      state = %{state | by_pid: Map.put(state.by_pid, task.pid, id), tasks: Map.put(state.tasks, id, task)}
      {:reply, {:ok, view(task, state)}, state}
    else
      {:reply, :full, state}
    end
  end

  def handle_call({verb, id}, _from, state) when not is_map_key(state.tasks, id) and verb in [:get, :cancel],
    do: {:reply, :unknown, state}

  def handle_call({:update, id, _}, _from, state) when not is_map_key(state.tasks, id),
    do: {:reply, :unknown, state}

  def handle_call({:get, id}, _from, state), do: {:reply, {:ok, view(state.tasks[id], state)}, state}

  def handle_call({:cancel, id}, _from, state) do
    case state.tasks[id] do
      %{pid: nil} -> {:reply, :ok, state}
      task -> {:reply, :ok, ended(state, task, %{status: "cancelled", end: %{}})}
    end
  end

  def handle_call({:update, id, responses}, _from, state) do
    task = state.tasks[id]
    answered = Map.take(responses, Map.keys(task.requests))

    task = %{
      task
      | requests: Map.drop(task.requests, Map.keys(answered)),
        responses: Map.merge(task.responses, answered)
    }

    if task.requests == %{} and answered != %{} do
      send(task.pid, {:responses, task.responses})
      {:reply, :ok, changed(state, %{task | status: "working", responses: %{}})}
    else
      {:reply, :ok, changed(state, task)}
    end
  end

  @impl true
  # What comes from a process that was ended meanwhile is late.
  def handle_info({:task, pid, what}, %{by_pid: by_pid} = state) when is_map_key(by_pid, pid) do
    task = state.tasks[by_pid[pid]]

    case what do
      {:progress, event} ->
        {:noreply, changed(state, %{task | message: Progress.words(event)})}

      {:ask, requests} ->
        # A key is never used twice during the life of a task.
        requests = Map.new(requests, fn {key, request} -> {"#{task.asked}.#{key}", request} end)
        task = %{task | status: "input_required", requests: requests, asked: task.asked + 1}
        {:noreply, changed(state, task)}

      {:end, {:result, result}} ->
        {:noreply, ended(state, task, %{status: "completed", end: %{"result" => result}})}

      {:end, {:fault, fault}} ->
        {:noreply, failed(state, task, fault)}
    end
  end

  def handle_info({:EXIT, pid, _reason}, %{by_pid: by_pid} = state) when is_map_key(by_pid, pid),
    do: {:noreply, failed(state, state.tasks[by_pid[pid]], Fault.internal())}

  def handle_info({:expire, id}, state) do
    {:noreply, if(state.tasks[id], do: forget(state, id), else: state)}
  end

  def handle_info(_late, state), do: {:noreply, state}

  # In a process that ends with this one, and that knows neither state nor messages of it.
  defp start(id, work, leader) do
    tasks = self()

    spawn_link(fn ->
      Process.group_leader(self(), leader)
      Ambix.Compat.set_label({__MODULE__, id})
      tell = &send(tasks, {:task, self(), &1})
      me = self()
      progress = Progress.limited(&send(tasks, {:task, me, {:progress, &1}}))

      ask = fn requests ->
        Ambix.JSON.encode!(requests)
        tell.({:ask, requests})

        receive do
          {:responses, responses} ->
            Map.new(responses, fn {key, response} ->
              {key |> String.split(".", parts: 2) |> Enum.at(1), response}
            end)
        end
      end

      tell.({:end, Request.contained(fn -> writable(work.(progress, ask)) end)})
    end)
  end

  # What cannot be written as JSON is to fail here, and not in those that tell of it.
  defp writable({:result, result} = outcome) do
    Ambix.JSON.encode!(result)
    outcome
  end

  defp writable(outcome), do: outcome

  defp failed(state, task, fault) do
    ended(state, task, %{status: "failed", message: fault.message, end: %{"error" => Fault.to_map(fault)}})
  end

  defp ended(state, task, change) do
    stop(task.pid)
    state = %{state | by_pid: Map.delete(state.by_pid, task.pid)}
    changed(state, Map.merge(%{task | pid: nil, requests: %{}}, change))
  end

  defp stop(pid) do
    Process.unlink(pid)
    Process.exit(pid, :kill)
  end

  defp changed(state, task) do
    task = %{task | updated: now()}
    state = %{state | tasks: Map.put(state.tasks, task.id, task)}
    Listen.publish(state.registry, {:task, view(task, state)})
    state
  end

  defp forget_oldest(state) do
    done = for {_, %{pid: nil} = task} <- state.tasks, do: task

    if map_size(state.tasks) >= state.limits.kept and done != [],
      do: forget(state, Enum.min_by(done, & &1.updated, DateTime).id),
      else: state
  end

  defp forget(state, id) do
    {task, tasks} = Map.pop(state.tasks, id)
    if task.pid, do: stop(task.pid)
    %{state | tasks: tasks, by_pid: Map.delete(state.by_pid, task.pid)}
  end

  defp view(task, state) do
    %{
      "taskId" => task.id,
      "status" => task.status,
      "createdAt" => DateTime.to_iso8601(task.created),
      "lastUpdatedAt" => DateTime.to_iso8601(task.updated),
      "ttlMs" => state.limits.ttl_ms,
      "pollIntervalMs" => @poll_ms
    }
    |> Map.merge(task.end)
    |> Map.merge(if(task.message, do: %{"statusMessage" => task.message}, else: %{}))
    |> Map.merge(if(task.status == "input_required", do: %{"inputRequests" => task.requests}, else: %{}))
  end

  defp now, do: DateTime.utc_now()

  @doc "The methods of the extension, which only those may use that declare it."
  @spec answer(String.t(), map, Client.t(), GenServer.server()) :: {:result, map} | {:fault, Fault.t()}
  def answer(method, params, client, tasks) do
    id = params["taskId"]

    cond do
      not Client.tasks?(client) -> {:fault, Client.no_tasks()}
      not Frame.id?(id) or not is_binary(id) -> {:fault, Fault.invalid_params("taskId must be a string")}
      true -> method |> asked(id, params, tasks) |> answered()
    end
  end

  defp asked("tasks/get", id, _params, tasks), do: get(tasks, id)
  defp asked("tasks/cancel", id, _params, tasks), do: cancel(tasks, id)
  defp asked("tasks/update", id, %{"inputResponses" => %{} = given}, tasks), do: update(tasks, id, given)
  defp asked("tasks/update", _id, _params, _tasks), do: :invalid

  defp answered({:ok, view}), do: {:result, view}
  defp answered(:ok), do: {:result, %{}}
  defp answered(:unknown), do: {:fault, Fault.invalid_params("there is no such task, or not any more")}
  defp answered(:invalid), do: {:fault, Fault.invalid_params("inputResponses must be an object")}
end
