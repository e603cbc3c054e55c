defmodule Ambix.Sandbox.Box do
  @moduledoc false
  # One running sandbox: owns the port, keeps what is printed up to the limit, watches time and memory, and kills.
  #
  # The owner gets {Box, pid, %Result{}} when the sandbox has ended. Nothing outlives a box: killing bubblewrap's
  # process ends the sandbox's pid namespace and all in it, and that is done when the owner dies, when the box itself is
  # killed (by the reaper), and when this VM dies (bubblewrap's --die-with-parent).

  use GenServer, restart: :temporary

  alias Ambix.Sandbox.Result

  @memory_interval_ms 100

  @doc "Starts `command` for the calling process. `:clean_up` is a folder to delete when all has ended."
  @spec start(Ambix.Sandbox.Command.t(), Ambix.Sandbox.Limits.t(), keyword()) :: {:ok, pid()}
  def start(command, limits, opts \\ []) do
    GenServer.start(__MODULE__, {self(), command, limits, opts})
  end

  @doc "Kills the sandbox; the owner still gets its message, with `status` as the reason."
  @spec kill(pid(), Result.status()) :: :ok
  def kill(box, status), do: GenServer.cast(box, {:kill, status})

  @doc "What was printed since the last call."
  @spec take_output(pid()) :: String.t()
  def take_output(box) do
    GenServer.call(box, :take_output)
  catch
    :exit, _ -> ""
  end

  @doc "Kills the sandbox and waits until nothing of it is left. Takes the end message out of the caller's mailbox."
  @spec stop(pid()) :: :ok
  def stop(box) do
    monitor = Process.monitor(box)
    kill(box, :cancelled)

    receive do
      {:DOWN, ^monitor, :process, _, _} -> :ok
    end

    receive do
      {__MODULE__, ^box, _} -> :ok
    after
      0 -> :ok
    end
  end

  @impl true
  def init({owner, command, limits, opts}) do
    port =
      Port.open({:spawn_executable, command.executable}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        :hide,
        args: command.args
      ])

    # A program that has ended by now has no process any more; its exit status is in the mailbox.
    os_pid = with {:os_pid, os_pid} <- Port.info(port, :os_pid), do: os_pid
    if os_pid, do: start_reaper(os_pid, opts[:clean_up])
    Process.send_after(self(), :measure, @memory_interval_ms)
    if opts[:wall_clock_ms], do: Process.send_after(self(), :wall_clock, opts[:wall_clock_ms])

    {:ok,
     %{
       owner: owner,
       monitor: Process.monitor(owner),
       port: port,
       os_pid: os_pid,
       clean_up: opts[:clean_up],
       memory: limits.memory_mb * 1_048_576,
       limit: limits.output_kb * 1024,
       output: [],
       size: 0,
       killed: nil,
       started: System.monotonic_time(:microsecond)
     }}
  end

  @impl true
  def handle_call(:take_output, _from, state) do
    {:reply, text(state), %{state | output: [], size: 0}}
  end

  @impl true
  def handle_cast({:kill, status}, state), do: {:noreply, end_it(state, status)}

  @impl true
  def handle_info({port, {:data, data}}, %{port: port} = state) do
    room = state.limit - state.size

    if byte_size(data) <= room do
      {:noreply, %{state | output: [state.output | data], size: state.size + byte_size(data)}}
    else
      state = %{state | output: [state.output | binary_part(data, 0, room)], size: state.limit}
      {:noreply, end_it(state, :output)}
    end
  end

  def handle_info({port, {:exit_status, status}}, %{port: port} = state) do
    if state.clean_up, do: File.rm_rf(state.clean_up)
    send(state.owner, {__MODULE__, self(), result(state, status)})
    {:stop, :normal, state}
  end

  def handle_info({:DOWN, monitor, :process, _, _}, %{monitor: monitor} = state) do
    {:noreply, end_it(state, :cancelled)}
  end

  def handle_info(:wall_clock, state), do: {:noreply, end_it(state, :wall_clock)}

  def handle_info(:measure, state) do
    Process.send_after(self(), :measure, @memory_interval_ms)

    if state.killed == nil and private_memory(List.wrap(state.os_pid)) > state.memory,
      do: {:noreply, end_it(state, :memory)},
      else: {:noreply, state}
  end

  def handle_info(_other, state), do: {:noreply, state}

  defp end_it(%{killed: nil} = state, status) do
    kill_process(state.os_pid)
    %{state | killed: status}
  end

  defp end_it(state, _status), do: state

  defp result(state, exit_status) do
    output = text(state)

    %Result{
      status: state.killed || status(exit_status, output),
      exit_status: if(state.killed, do: nil, else: exit_status),
      output: output,
      truncated: state.killed == :output,
      microseconds: System.monotonic_time(:microsecond) - state.started
    }
  end

  # 152 is SIGXCPU. A BEAM that may not allocate says so and aborts; other programs end as they like.
  defp status(152, _output), do: :cpu

  defp status(exit_status, output) when exit_status != 0 do
    cond do
      output =~ ~r/_alloc: Cannot (re)?allocate \d+ bytes of memory/ -> :memory
      exit_status > 128 -> :signal
      true -> :exited
    end
  end

  defp status(0, _output), do: :exited

  defp text(state) do
    binary = IO.iodata_to_binary(state.output)

    if String.valid?(binary) do
      binary
    else
      binary
      |> String.chunk(:valid)
      |> Enum.map_join(&if(String.valid?(&1), do: &1, else: "\uFFFD"))
    end
  end

  # The reaper outlives a box that is killed brutally.
  defp start_reaper(os_pid, folder) do
    box = self()

    spawn(fn ->
      monitor = Process.monitor(box)

      receive do
        {:DOWN, ^monitor, :process, _, :normal} ->
          :ok

        {:DOWN, ^monitor, :process, _, _} ->
          kill_process(os_pid)
          if folder, do: File.rm_rf(folder)
      end
    end)
  end

  # bubblewrap asks to die with its parent only a moment after it was started: whoever kills the parent before that leaves it
  # behind. So the family is held still, counted and killed as a whole; the first process of a PID namespace takes the rest
  # with it.
  defp kill_process(nil), do: :ok

  defp kill_process(os_pid) do
    signal("STOP", [os_pid])
    await_stop(os_pid, 200)
    signal("KILL", family([os_pid]))
  end

  # The signal takes effect when the process runs next; until then it may still start others.
  defp await_stop(_os_pid, 0), do: :ok

  defp await_stop(os_pid, attempts) do
    if Regex.match?(~r/^State:\s+[RSD]/m, read("/proc/#{os_pid}/status")) do
      Process.sleep(1)
      await_stop(os_pid, attempts - 1)
    else
      :ok
    end
  end

  defp signal(name, os_pids), do: :os.cmd(~c"kill -#{name} #{Enum.join(os_pids, " ")}")

  # Processes with all their descendants.
  defp family([]), do: []

  defp family(pids) do
    children =
      for pid <- pids,
          thread <- ls("/proc/#{pid}/task"),
          child <- String.split(read("/proc/#{pid}/task/#{thread}/children")),
          do: child

    pids ++ family(children)
  end

  # Private memory, in bytes, of processes and all their descendants. Files on tmpfs are not in it: they have their own limit.
  defp private_memory(pids) do
    for pid <- family(pids), reduce: 0 do
      sum ->
        case Regex.run(~r/^RssAnon:\s+(\d+) kB/m, read("/proc/#{pid}/status")) do
          [_, kilobytes] -> sum + String.to_integer(kilobytes) * 1024
          nil -> sum
        end
    end
  end

  defp ls(path), do: path |> File.ls() |> elem(1) |> List.wrap() |> Enum.filter(&is_binary/1)

  defp read(path) do
    case File.read(path) do
      {:ok, text} -> text
      {:error, _} -> ""
    end
  end
end
