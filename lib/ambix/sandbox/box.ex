defmodule Ambix.Sandbox.Box do
  @moduledoc false
  # One running sandbox: owns the port, keeps what is printed up to the limit, watches time and memory, and kills.
  #
  # The owner gets {Box, pid, %Result{}} when the sandbox has ended. Nothing outlives a box: killing bubblewrap's
  # process ends the sandbox's pid namespace and all in it, and that is done when the owner dies, when the box itself is
  # killed (by the reaper), and when this VM dies (bubblewrap's --die-with-parent).
  #
  # How a sandbox ended is what the host knows itself: that it killed it and why, what the kernel says of its group,
  # whether the launcher had reported that the program begins. Neither what it printed nor its exit status counts for that.

  use GenServer, restart: :temporary
  use Ambix.Redact

  alias Ambix.{Error, Native}
  alias Ambix.Sandbox.{Cgroup, Processes, Result, Text}

  # Between two looks at memory; the shorter one once half of it is used. So a program cannot go far beyond its limit in between.
  @interval_ms 100
  @short_interval_ms 20

  @doc """
  Starts `command` for the calling process. Options: `:wall_clock_ms`, and `:clean_up`, a folder to delete when all has ended.
  """
  @spec start(Ambix.Sandbox.Command.t(), Ambix.Sandbox.Limits.t(), keyword()) ::
          {:ok, pid()} | {:error, Error.t()}
  def start(command, limits, opts \\ []) do
    with {:error, reason} <- GenServer.start(__MODULE__, {self(), command, limits, opts}) do
      Cgroup.delete(command.cgroup)
      if opts[:clean_up], do: File.rm_rf(opts[:clean_up])
      message = "#{command.executable} could not be started: #{:file.format_error(reason)}"
      {:error, %Error{kind: :io, message: message}}
    end
  end

  @doc "Kills the sandbox; the owner still gets its message, with `status` as the reason."
  @spec kill(pid(), Result.status()) :: :ok
  def kill(box, status), do: GenServer.cast(box, {:kill, status})

  @doc "Makes another process the owner."
  @spec give(pid(), pid()) :: :ok
  def give(box, owner) do
    GenServer.call(box, {:give, owner})
  catch
    :exit, _ -> :ok
  end

  @doc "From now on time counts, and ends after so many milliseconds."
  @spec begin(pid(), pos_integer()) :: :ok
  def begin(box, wall_clock_ms), do: GenServer.cast(box, {:begin, wall_clock_ms})

  @doc "Waits for the end of the sandbox. Called by its owner."
  @spec await(pid()) :: {:ok, Result.t()} | {:error, Error.t()}
  def await(box) do
    monitor = Process.monitor(box)

    receive do
      {__MODULE__, ^box, result} ->
        Process.demonitor(monitor, [:flush])
        {:ok, result}

      {:DOWN, ^monitor, :process, _, reason} ->
        {:error, %Error{kind: :sandbox, message: "the sandbox's keeper ended: #{inspect(reason)}"}}
    end
  end

  @doc "What was printed since the last call."
  @spec take_output(pid()) :: String.t()
  def take_output(box) do
    box |> GenServer.call(:take_output) |> IO.iodata_to_binary() |> Text.valid()
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
    options = [:binary, :exit_status, :stderr_to_stdout, :hide, args: command.args]

    case open(command.executable, options) do
      {:ok, port} -> {:ok, watched(port, owner, command, limits, opts)}
      {:error, reason} -> {:stop, reason}
    end
  end

  # No memory, processes or files are left, say.
  defp open(executable, options) do
    {:ok, Port.open({:spawn_executable, executable}, options)}
  rescue
    error in ErlangError -> {:error, error.original}
  end

  defp watched(port, owner, command, limits, opts) do
    # A program that has ended by now has no process any more; its exit status is in the mailbox.
    process = with {:os_pid, pid} <- Port.info(port, :os_pid), do: Processes.identify(pid)
    start_reaper(process, command.cgroup, opts[:clean_up])
    if process, do: start_watch(process, command, limits)
    if opts[:wall_clock_ms], do: Process.send_after(self(), :wall_clock, opts[:wall_clock_ms])

    %{
      owner: owner,
      monitor: Process.monitor(owner),
      port: port,
      process: process,
      command: command,
      clean_up: opts[:clean_up],
      waits: true,
      limit: limits.output_kb * 1024,
      output: [],
      size: 0,
      killed: nil,
      started: System.monotonic_time(:microsecond)
    }
  end

  # The caller makes it valid: this process only moves bytes, so that a flood does not find it busy.
  @impl true
  def handle_call(:take_output, _from, state) do
    {:reply, state.output, %{state | output: [], size: 0}}
  end

  def handle_call({:give, owner}, _from, state) do
    Process.demonitor(state.monitor, [:flush])
    {:reply, :ok, %{state | owner: owner, monitor: Process.monitor(owner)}}
  end

  @impl true
  def handle_cast({:begin, wall_clock_ms}, state) do
    Process.send_after(self(), :wall_clock, wall_clock_ms)
    {:noreply, %{state | started: System.monotonic_time(:microsecond)}}
  end

  def handle_cast({:kill, status}, state), do: {:noreply, end_it(state, status)}

  # What a flood still brings while the sandbox is being killed is dropped as it comes. The port stays open: a program that cannot
  # print any more would fail, and tell of that, before it is dead.
  @impl true
  def handle_info({port, {:data, _}}, %{port: port, killed: killed} = state) when killed != nil,
    do: {:noreply, state}

  # Until it is let go, nothing of the program runs: before the zero byte bubblewrap may have complained.
  def handle_info({port, {:data, data}}, %{port: port, waits: true} = state) do
    case :binary.split(data, <<0>>) do
      [complaint, rest] ->
        send(port, {self(), {:command, "go\n"}})
        printed(complaint <> rest, %{state | waits: false})

      [complaint] ->
        printed(complaint, state)
    end
  end

  def handle_info({port, {:data, data}}, %{port: port} = state), do: printed(data, state)

  # Of one that is being killed, the end of all its processes is waited for.
  def handle_info({port, {:exit_status, status}}, %{port: port} = state),
    do: if(state.killed, do: {:noreply, state}, else: finish(state, status))

  def handle_info(:killed, state), do: finish(state, nil)

  def handle_info({:DOWN, monitor, :process, _, _}, %{monitor: monitor} = state) do
    {:noreply, end_it(state, :cancelled)}
  end

  def handle_info(:wall_clock, state), do: {:noreply, end_it(state, :wall_clock)}

  def handle_info(_other, state), do: {:noreply, state}

  defp printed(data, state) do
    room = state.limit - state.size

    if byte_size(data) <= room do
      {:noreply, %{state | output: [state.output | data], size: state.size + byte_size(data)}}
    else
      state = %{state | output: [state.output | binary_part(data, 0, room)], size: state.limit}
      {:noreply, end_it(state, :output)}
    end
  end

  defp end_it(%{killed: nil, process: process} = state, status) when process != nil do
    box = self()

    spawn_link(fn ->
      Processes.kill(process)
      send(box, :killed)
    end)

    %{state | killed: status}
  end

  defp end_it(state, _status), do: state

  defp finish(state, exit_status) do
    result = result(state, exit_status)
    Cgroup.delete(state.command.cgroup)
    if state.clean_up, do: File.rm_rf(state.clean_up)
    send(state.owner, {__MODULE__, self(), result})
    {:stop, :normal, state}
  end

  defp result(state, exit_status) do
    status = state.killed || status(state.command)

    %Result{
      status: status,
      exit_status: if(status == :exited, do: exit_status),
      output: state.output |> IO.iodata_to_binary() |> Text.valid(),
      truncated: state.killed == :output,
      microseconds: System.monotonic_time(:microsecond) - state.started
    }
  end

  defp status(command) do
    cond do
      Cgroup.out_of_memory?(command.cgroup) -> :memory
      not started?(command) -> :not_started
      true -> :exited
    end
  end

  defp started?(command), do: match?({:ok, %{size: size}} when size > 0, File.stat(command.started))

  ## Watching

  defp start_watch(process, command, limits) do
    box = self()
    spawn_link(fn -> watch({box, Process.monitor(box)}, @interval_ms, process, command, limits) end)
  end

  defp watch({box, monitor} = watched, interval, process, command, limits) do
    receive do
      {:DOWN, ^monitor, :process, _, _} -> :ok
    after
      interval ->
        usage = Processes.usage(process)
        if status = exceeded(usage, process, command, limits), do: kill(box, status)
        close? = 2 * usage.memory > limits.memory_mb * 1_048_576
        interval = if close?, do: @short_interval_ms, else: @interval_ms
        watch(watched, interval, process, command, limits)
    end
  end

  defp exceeded(usage, process, command, limits) do
    cond do
      usage.memory > limits.memory_mb * 1_048_576 -> :memory
      Cgroup.out_of_memory?(command.cgroup) -> :memory
      usage.cpu_ms >= limits.cpu_seconds * 1000 -> :cpu
      started?(command) and too_many_files?(process, command, limits) -> :files
      true -> nil
    end
  end

  # bubblewrap cannot say how many files a tmpfs may hold.
  defp too_many_files?(process, command, limits) do
    root = "/proc/#{Processes.first_child(process)}/root"

    Enum.any?(command.file_systems, fn path ->
      case Native.sandbox_files(root <> path) do
        {:ok, count} -> count > limits.files
        {:error, _} -> false
      end
    end)
  end

  # The reaper outlives a box that is killed brutally.
  defp start_reaper(process, cgroup, folder) do
    box = self()

    spawn(fn ->
      monitor = Process.monitor(box)

      receive do
        {:DOWN, ^monitor, :process, _, :normal} ->
          :ok

        {:DOWN, ^monitor, :process, _, _} ->
          if process, do: Processes.kill(process)
          Cgroup.delete(cgroup)
          if folder, do: File.rm_rf(folder)
      end
    end)
  end
end
