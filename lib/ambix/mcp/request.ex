defmodule Ambix.MCP.Request do
  @moduledoc false
  # One request in a process of its own, which is linked to its connection: cancelled is killed. Its frames go by the connection, which drops
  # those of a request that is no more.

  require Logger

  alias Ambix.Contained
  alias Ambix.MCP.{Client, Connection, Fault, Frame, Methods, Progress, Server}

  @enforce_keys [:id, :method, :params, :client, :server]
  defstruct [:id, :method, :params, :client, :server]

  @type t :: %__MODULE__{
          id: Frame.id(),
          method: String.t(),
          params: map,
          client: Client.t(),
          server: Server.t()
        }

  @doc "Starts the process. To be called by the connection."
  @spec start(t) :: pid
  def start(request) do
    connection = self()

    spawn_link(fn ->
      Ambix.Compat.set_label({__MODULE__, request.method})

      answered = fn -> {:framed, frame(request, Methods.answer(request, channels(request, connection)))} end

      {frame, status} =
        with {:framed, framed} <- contained(answered), do: framed, else: (fault -> frame(request, fault))

      Connection.out(connection, {:final, status}, frame)
    end)
  end

  @doc "What `fun` returns; what it raises is a fault without any text of its own, since that may hold sources."
  @spec contained((() -> outcome)) :: outcome | {:fault, Fault.t()} when outcome: term
  def contained(fun) do
    fun.()
  catch
    :throw, {:fault, %Fault{} = fault} ->
      {:fault, fault}

    kind, reason ->
      Logger.error("a request to the MCP server failed: #{Contained.summary(kind, reason, __STACKTRACE__)}")
      {:fault, Fault.internal()}
  end

  defp frame(request, {:result, result}) do
    {Frame.result(request.id, Server.dressed(request.server, request.client, request.method, result)), 200}
  end

  # To a legacy client a status other than 200 says that its session is gone, or that the server is no such server.
  defp frame(%{client: %{era: :legacy}} = request, {:fault, fault}), do: {Frame.fault(request.id, fault), 200}
  defp frame(request, {:fault, fault}), do: {Frame.fault(request.id, fault), fault.status}

  defp channels(%{client: client}, connection) do
    me = self()
    token = client.progress_token

    %{
      progress: token != nil && Progress.limited(&Connection.progress(connection, me, token, &1)),
      log: log(client, connection, me),
      ask: client.era == :legacy && (&ask(&1, connection))
    }
  end

  defp log(%{log_level: nil}, _connection, _me), do: nil

  defp log(client, connection, me) do
    fn level, data ->
      if Client.hears?(client, level) do
        frame =
          Frame.notification("notifications/message", %{"level" => level, "logger" => "ambix", "data" => data})

        Connection.out(connection, me, :notification, frame)
      end

      :ok
    end
  end

  # One after the other: they are questions to one person.
  defp ask(requests, connection) do
    # What cannot be written is to fail here, and not in the connection.
    Ambix.JSON.encode!(requests)

    for {key, %{"method" => method} = asked} <- Enum.sort(requests), into: %{} do
      case Connection.ask(connection, method, asked["params"] || %{}) do
        {:ok, result} -> {key, result}
        {:error, error} -> {key, %{"error" => error}}
      end
    end
  end
end
