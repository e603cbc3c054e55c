defmodule Ambix.MCP.Listen do
  @moduledoc false
  # Which changes a client wants to hear of, and the notifications that tell it. Changes are published to the registry of a server, where
  # connections that have somebody to tell are registered.

  alias Ambix.MCP.{Client, Fault, Server}

  @lists %{tools: "toolsListChanged", prompts: "promptsListChanged", resources: "resourcesListChanged"}
  # More than a client has in view.
  @max_names 1000

  @type change :: :tools | :prompts | :resources | {:resource, String.t()} | {:task, map}
  @type filter :: %{lists: [atom], uris: MapSet.t(String.t()), tasks: MapSet.t(String.t())}

  @doc "Tells all connections that listen of a change."
  @spec publish(atom, change) :: :ok
  def publish(registry, change) do
    Registry.dispatch(registry, :changes, fn listeners ->
      for {pid, _} <- listeners, do: send(pid, {:mcp_change, change})
    end)
  end

  @doc "The calling process hears of changes as `{:mcp_change, change}`."
  @spec register(atom) :: :ok
  def register(registry) do
    if Registry.keys(registry, self()) == [], do: Registry.register(registry, :changes, nil)
    :ok
  end

  @doc "What of the `notifications` of `subscriptions/listen` this server can tell."
  @spec filter(map, Server.t(), Client.t()) :: {:ok, filter} | {:error, Fault.t()}
  def filter(params, server, client) do
    wanted = Map.get(params, "notifications", %{})

    with true <- is_map(wanted) || {:error, Fault.invalid_params("notifications must be an object")},
         {:ok, uris} <- names(wanted, "resourceSubscriptions"),
         {:ok, tasks} <- names(wanted, "taskIds"),
         true <- tasks == [] or Client.tasks?(client) || {:error, Client.no_tasks()} do
      {:ok,
       %{
         lists: for({kind, key} <- @lists, kind in server.changes, wanted[key] == true, do: kind),
         uris: MapSet.new(if(:resource in server.changes, do: uris, else: [])),
         tasks: MapSet.new(tasks)
       }}
    end
  end

  @doc "The filter as it is acknowledged."
  @spec acknowledged(filter) :: map
  def acknowledged(filter) do
    for(kind <- filter.lists, into: %{}, do: {@lists[kind], true})
    |> put_names("resourceSubscriptions", filter.uris)
    |> put_names("taskIds", filter.tasks)
  end

  @doc "The notification for a change, nil for a listener that does not want it."
  @spec notification(filter, change) :: {String.t(), map} | nil
  def notification(filter, {:resource, uri}) do
    if uri in filter.uris, do: {"notifications/resources/updated", %{"uri" => uri}}
  end

  def notification(filter, {:task, task}) do
    if task["taskId"] in filter.tasks, do: {"notifications/tasks", task}
  end

  def notification(filter, kind) do
    if kind in filter.lists, do: {"notifications/#{kind}/list_changed", %{}}
  end

  @doc "What a legacy client hears of without asking: changes of the lists that the server says to change."
  @spec legacy(Server.t()) :: filter
  def legacy(server) do
    %{lists: Enum.filter(server.changes, &is_map_key(@lists, &1)), uris: MapSet.new(), tasks: MapSet.new()}
  end

  @doc "Adds or takes away a resource, as legacy clients do it one by one."
  @spec subscribe(filter, String.t()) :: {:ok, filter} | :full
  def subscribe(filter, uri) do
    if MapSet.size(filter.uris) < @max_names,
      do: {:ok, %{filter | uris: MapSet.put(filter.uris, uri)}},
      else: :full
  end

  @spec unsubscribe(filter, String.t()) :: filter
  def unsubscribe(filter, uri), do: %{filter | uris: MapSet.delete(filter.uris, uri)}

  defp names(wanted, key) do
    names = Map.get(wanted, key, [])

    if is_list(names) and length(names) <= @max_names and Enum.all?(names, &is_binary/1),
      do: {:ok, names},
      else: {:error, Fault.invalid_params("#{key} must be a list of #{@max_names} strings at most")}
  end

  defp put_names(map, key, names),
    do: if(MapSet.size(names) == 0, do: map, else: Map.put(map, key, Enum.sort(names)))
end
