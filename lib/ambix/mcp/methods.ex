defmodule Ambix.MCP.Methods do
  @moduledoc false
  # What each method does. Those that change a connection are the connection's.

  alias Ambix.MCP.{Call, Client, Fault, Gate, Request, Seal, Server, Tasks}

  @shared %{
    "tools/list" => :tools,
    "tools/call" => :tools,
    "resources/list" => :resources,
    "resources/templates/list" => :resources,
    "resources/read" => :resources,
    "prompts/list" => :prompts,
    "prompts/get" => :prompts,
    "completion/complete" => :prompts
  }
  @modern Map.merge(@shared, %{
            "server/discover" => :always,
            "subscriptions/listen" => :always,
            "tasks/get" => :tools,
            "tasks/update" => :tools,
            "tasks/cancel" => :tools
          })
  @legacy Map.merge(@shared, %{
            "initialize" => :always,
            "ping" => :always,
            "logging/setLevel" => :always,
            "resources/subscribe" => :resources,
            "resources/unsubscribe" => :resources
          })

  # What asks code of a host waits for its turn.
  @gated ~w(tools/call resources/list resources/templates/list resources/read prompts/get completion/complete)

  # A client may be asked more than once for one request, but not without end.
  @max_rounds 16

  @capabilities %{
    "elicitation/create" => "elicitation",
    "sampling/createMessage" => "sampling",
    "roots/list" => "roots"
  }

  @type channels :: %{
          progress: (map -> any) | nil | false,
          log: (String.t(), term -> any) | nil,
          ask: (map -> map) | false
        }

  @doc "Whether any client of the server can use the method."
  @spec known?(String.t(), Server.t()) :: boolean
  def known?(method, server), do: offered?(@modern[method] || @legacy[method], server)

  @doc "Whether a client of this era can."
  @spec known?(String.t(), Server.t(), Client.t()) :: boolean
  def known?(method, server, %{era: :modern}), do: offered?(@modern[method], server)
  def known?(method, server, %{era: :legacy}), do: offered?(@legacy[method], server)

  @doc "The result of a request."
  @spec answer(Request.t(), channels) :: {:result, map} | {:fault, Fault.t()}
  def answer(%{method: method, server: server} = request, channels) do
    if method in @gated do
      enter(server)
      method |> work(request) |> rounds(request, channels)
    else
      quick(method, request)
    end
  end

  defp offered?(nil, _server), do: false
  defp offered?(:always, _server), do: true
  defp offered?(feature, server), do: Map.fetch!(server, feature) != nil

  defp quick("server/discover", request), do: {:result, Server.discovered(request.server)}
  defp quick("ping", _request), do: {:result, %{}}
  defp quick("tools/list", request), do: listed(request, "tools", :tools, :list)
  defp quick("prompts/list", request), do: listed(request, "prompts", :prompts, :list)

  defp quick("tasks/" <> _ = method, request),
    do: Tasks.answer(method, request.params, request.client, request.server.tasks)

  defp listed(%{params: %{"cursor" => cursor}}, _key, _feature, _function) when cursor != nil,
    do: {:fault, Fault.invalid_params("there is no such cursor: lists come in one piece")}

  defp listed(request, key, feature, function) do
    {module, given} = Map.fetch!(request.server, feature)
    {:result, %{key => apply(module, function, [given])}}
  end

  # The work as a function of the call, which each round runs from the beginning.
  defp work("resources/list", request), do: fn _ -> listed(request, "resources", :resources, :list) end

  defp work("resources/templates/list", request),
    do: fn _ -> listed(request, "resourceTemplates", :resources, :templates) end

  defp work("tools/call", %{params: %{"name" => name} = params} = request) when is_binary(name) do
    {module, given} = request.server.tools
    arguments = object(params, "arguments")
    &module.call(name, arguments, &1, given)
  end

  defp work("prompts/get", %{params: %{"name" => name} = params} = request) when is_binary(name) do
    {module, given} = request.server.prompts
    arguments = object(params, "arguments")

    fn call ->
      with :unknown <- module.get(name, arguments, call, given),
           do: {:fault, Fault.invalid_params("there is no prompt #{inspect(name, printable_limit: 60)}")}
    end
  end

  defp work("resources/read", %{params: %{"uri" => uri}} = request) when is_binary(uri) do
    {module, given} = request.server.resources

    fn call ->
      with :unknown <- module.read(uri, call, given) do
        # The code that the revisions before 2026-07-28 have for it is not to be used any more.
        fault = Fault.invalid_params("there is no such resource", %{"uri" => uri})
        {:fault, if(request.client.era == :legacy, do: %{fault | code: -32_002}, else: fault)}
      end
    end
  end

  defp work("completion/complete", %{params: %{"ref" => %{} = ref, "argument" => %{} = argument}} = request) do
    {module, given} = request.server.prompts
    &module.complete(ref, argument, &1, given)
  end

  defp work(method, _request),
    do: throw({:fault, Fault.invalid_params("parameters of #{method} are missing or wrong")})

  defp rounds(work, request, channels) do
    {state, responses} = before(request)

    call = %Call{
      client: request.client,
      state: state,
      responses: responses,
      progress: channels.progress || nil,
      log: channels.log
    }

    rounds(work, call, request, channels.ask, 1)
  end

  defp rounds(work, call, request, ask, round) do
    case work.(call) do
      {:input, requests, state} ->
        :ok = may_ask(requests, request.client)

        cond do
          ask == false ->
            {:result, input_required(requests, state, request)}

          round == @max_rounds ->
            {:fault, Fault.invalid_params("the client was asked #{@max_rounds} times")}

          true ->
            responses = meanwhile(request.server, fn -> ask.(requests) end)
            rounds(work, %{call | responses: responses, state: state}, request, ask, round + 1)
        end

      {:task, work} ->
        if Client.tasks?(request.client),
          do: task(work, call, request),
          else: rounds(work, call, request, ask, round)

      {kind, _} = outcome when kind in [:result, :fault] ->
        outcome
    end
  end

  defp task(work, call, request) do
    run = fn progress, ask ->
      enter(request.server)
      rounds(work, %{call | progress: progress, log: nil, responses: %{}, state: nil}, request, ask, 1)
    end

    case Tasks.create(request.server.tasks, run) do
      {:ok, view} -> {:result, Map.put(view, "resultType", "task")}
      :full -> {:fault, Fault.busy("as many tasks as this server takes are running")}
    end
  end

  defp enter(server) do
    if Gate.enter(server.gate) == :full,
      do: throw({:fault, Fault.busy("more requests wait than this server takes, ask again later")})
  end

  # Who waits for a person lets others work.
  defp meanwhile(server, fun) do
    Gate.leave(server.gate)
    result = fun.()
    enter(server)
    result
  end

  defp may_ask(requests, client) do
    missing =
      for {_, %{"method" => method}} <- requests,
          name = @capabilities[method],
          not Client.can?(client, name),
          do: name

    if missing == [], do: :ok, else: throw({:fault, Fault.missing_capability(Map.new(missing, &{&1, %{}}))})
  end

  defp input_required(requests, state, request) do
    result = %{"resultType" => "input_required", "inputRequests" => requests}

    if state == nil,
      do: result,
      else: Map.put(result, "requestState", Seal.close(request.server.key, same(request), state))
  end

  # What the client brings of the round before.
  defp before(%{client: %{era: :legacy}}), do: {nil, %{}}

  defp before(%{params: params} = request) do
    state =
      case Map.fetch(params, "requestState") do
        :error ->
          nil

        {:ok, text} ->
          case Seal.open(request.server.key, same(request), text) do
            {:ok, state} ->
              state

            :error ->
              throw({:fault, Fault.invalid_params("requestState is not one of this request, or too old")})
          end
      end

    responses = object(params, "inputResponses")

    if Enum.all?(responses, fn {_, response} -> is_map(response) end),
      do: {state, responses},
      else: throw({:fault, Fault.invalid_params("each of inputResponses must be an object")})
  end

  # What two rounds of a request have in common.
  defp same(request),
    do: [request.method, Map.drop(request.params, ["_meta", "inputResponses", "requestState"])]

  defp object(params, key) do
    case Map.get(params, key, %{}) do
      %{} = object -> object
      nil -> %{}
      _ -> throw({:fault, Fault.invalid_params("#{key} must be an object")})
    end
  end
end
