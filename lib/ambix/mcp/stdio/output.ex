defmodule Ambix.MCP.Stdio.Output do
  @moduledoc false
  # Writes frames to standard output, past the process that does so for everybody else: it waits where the client does not read, and
  # then hears nothing of standard input either.

  alias Ambix.MCP.Outbox

  @doc """
  Starts the process, and monitors it. It ends when the client has closed its end or reads nothing any more, and with the caller.
  """
  @spec start() :: {Outbox.t(), reference}
  def start do
    caller = self()

    {pid, monitor} =
      spawn_monitor(fn ->
        end_with(caller, self())
        port = Port.open({:fd, 1, 1}, [:out, :binary])
        outbox = Outbox.new(self())
        send(caller, {__MODULE__, self(), outbox})
        write(port, outbox)
      end)

    receive do
      {__MODULE__, ^pid, outbox} -> {outbox, monitor}
    end
  end

  # It waits where the client does not read, and hears of nothing then.
  defp end_with(caller, writer) do
    spawn(fn ->
      monitors = Enum.map([caller, writer], &Process.monitor/1)

      receive do
        {:DOWN, monitor, :process, _, _} -> if monitor == hd(monitors), do: Process.exit(writer, :kill)
      end
    end)
  end

  @doc "Waits until all is written, but not for longer than `ms`. `:unread` where the client did not take it."
  @spec drain(Outbox.t(), non_neg_integer) :: :ok | :unread
  def drain(%{pid: pid}, ms) do
    monitor = Process.monitor(pid)
    send(pid, {__MODULE__, :close})

    receive do
      {:DOWN, ^monitor, :process, _, :normal} -> :ok
      {:DOWN, ^monitor, :process, _, _} -> :unread
    after
      ms -> Process.exit(pid, :kill) && :unread
    end
  end

  defp write(port, outbox) do
    receive do
      {Outbox, _kind, frame} ->
        # Waits while the pipe is full.
        Port.command(port, [frame, "\n"])
        Outbox.taken(outbox, frame)
        write(port, outbox)

      {__MODULE__, :close} ->
        flush(port)
        Port.close(port)
    end
  end

  # What the port has taken is not yet written.
  defp flush(port) do
    case Port.info(port, :queue_size) do
      {:queue_size, size} when size > 0 ->
        receive(do: (:never -> :ok), after: (5 -> flush(port)))

      _ ->
        :ok
    end
  end
end
