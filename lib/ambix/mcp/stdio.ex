defmodule Ambix.MCP.Stdio do
  @moduledoc """
  A server of the Model Context Protocol for the program that started this VM: messages are lines of standard input and output.

  Nothing else is written to standard output: what code prints, and what is logged, goes to standard error. The end of standard input ends
  everything that was started for it; what takes a moment only is still answered.
  """

  alias Ambix.MCP
  alias Ambix.MCP.{Connection, Frame, Lines, Outbox}
  alias Ambix.MCP.Stdio.{Input, Output}

  # How long what was asked last may take: a person who tries the server out writes a message into a pipe that ends there.
  @settle_ms 500
  # How long what is written already may take to get out at the end.
  @drain_ms 1000

  @doc """
  Serves until standard input ends, or until the client takes nothing any more. The options are those of `Ambix.MCP`.

  It returns `:unread` where the client has not taken all that was written. A VM that ends then must not wait for its output, as
  `System.halt/1` does: that takes as long as the client keeps the pipe open.
  """
  @spec run(keyword) :: :ok | :unread
  def run(options) do
    keep_output_clean()
    {:ok, supervisor} = MCP.start_link(options)
    server = MCP.server(options[:name] || MCP)
    {outbox, writer} = Output.start()
    {:ok, connection} = Connection.start_link(server: server, outbox: outbox)

    :ok = Input.open()
    read(Lines.new(Frame.max_bytes()), connection, outbox, writer)

    Connection.settle(connection, @settle_ms)
    stop(connection)
    stop(supervisor)
    Output.drain(outbox, @drain_ms)
  end

  defp read(lines, connection, outbox, writer) do
    case Input.read(writer) do
      :eof ->
        :ok

      bytes ->
        {found, lines} = Lines.feed(lines, bytes)
        Enum.each(found, &line(&1, connection, outbox))
        read(lines, connection, outbox, writer)
    end
  end

  defp line(:too_long, _connection, outbox),
    do: Outbox.put(outbox, {:final, 200}, Frame.fault(nil, Frame.too_long()))

  defp line(text, connection, outbox) do
    case Frame.decode(text) do
      {:ok, frame} -> Connection.deliver(connection, frame, outbox)
      {:error, id, fault} -> Outbox.put(outbox, {:final, 200}, Frame.fault(id, fault))
    end
  end

  defp stop(pid) do
    monitor = Process.monitor(pid)
    Process.unlink(pid)
    Process.exit(pid, :shutdown)

    receive do
      {:DOWN, ^monitor, :process, _, _} -> :ok
    end
  end

  # What is started from here on inherits the group leader.
  defp keep_output_clean do
    Process.group_leader(self(), Process.whereis(:standard_error))
    Enum.each(:logger.get_handler_config(), &to_stderr/1)
    Ambix.Compat.log_to_stderr()
  end

  # Where a handler writes to is decided when it is added.
  defp to_stderr(%{id: id, module: :logger_std_h, config: %{type: :standard_io}} = handler) do
    with :ok <- :logger.remove_handler(id) do
      config = Map.take(handler, [:level, :filters, :filter_default, :formatter])
      :logger.add_handler(id, :logger_std_h, Map.put(config, :config, %{type: :standard_error}))
    end
  end

  defp to_stderr(_handler), do: :ok
end
