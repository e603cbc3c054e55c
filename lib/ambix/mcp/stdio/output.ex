defmodule Ambix.MCP.Stdio.Output do
  @moduledoc false
  # Writes frames to standard output, past the process that does so for everybody else: it waits where the client does not read, and
  # then hears nothing of standard input either.

  alias Ambix.MCP.Outbox

  @doc "Starts the process. It ends, and with it the caller, when the client has closed its end."
  @spec start_link() :: Outbox.t()
  def start_link do
    caller = self()

    pid =
      spawn_link(fn ->
        port = Port.open({:fd, 1, 1}, [:out, :binary])
        outbox = Outbox.new(self())
        send(caller, {__MODULE__, self(), outbox})
        write(port, outbox)
      end)

    receive do
      {__MODULE__, ^pid, outbox} -> outbox
    end
  end

  @doc "Waits until all is written, but not for longer than `ms`."
  @spec drain(Outbox.t(), non_neg_integer) :: :ok
  def drain(%{pid: pid}, ms) do
    Process.unlink(pid)
    monitor = Process.monitor(pid)
    send(pid, {__MODULE__, :close})

    receive do
      {:DOWN, ^monitor, :process, _, _} -> :ok
    after
      ms -> Process.exit(pid, :kill) && :ok
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
