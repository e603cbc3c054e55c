defmodule Ambix.CLI.Interrupt do
  @moduledoc false
  # A command that is ended from outside leaves no temporary file behind, says so in one sentence, and does not end with 0.
  #
  # SIGTERM and SIGQUIT are handled here; by itself the VM would end with 0, as if all were done. SIGINT cannot be handled in
  # Erlang: the native library makes it a SIGTERM and remembers that. SIGKILL cannot be handled at all. So a shell waits for
  # the end of the VM, however it comes, and deletes what is left. It is in a session of its own, which what is typed in a
  # terminal does not reach.

  alias Ambix.CLI.Style
  alias Ambix.Native

  @signals [sigterm: 15, sigquit: 3]
  @sigint 2

  # Arguments: the sentence, and beginnings of paths. Standard input tells that the command is done, or that the
  # sentence is to be printed; its end means that the VM ends. The VM's sandboxes and programs end then too, but not at the
  # same instant.
  @keeper """
  sentence=$1
  shift
  said=
  say() {
    if [ -z "$said" ]; then printf '%s\\n' "$sentence" >&2; fi
    said=yes
  }
  echo ready
  while IFS= read -r line; do
    case $line in
      done) exit 0 ;;
      say) say; echo said ;;
    esac
  done
  say
  sleep 0.1
  for try in 1 2 3 4 5 6 7 8 9 10; do
    left=
    for path; do
      rm -rf -- "$path"* 2>/dev/null || left=yes
    done
    if [ -z "$left" ]; then exit 0; fi
    sleep 0.2
  done
  """

  @doc """
  Runs `fun`. If the VM ends meanwhile, what begins with one of the paths is deleted, and so are the folders of sandboxes.
  """
  @spec run([Path.t()], (... -> result)) :: result when result: term
  def run(paths, fun) do
    keeper = start(sandboxes() ++ paths)
    traps = for {signal, number} <- @signals, do: {signal, trap(signal, number, keeper)}
    handle_sigint(true)

    try do
      fun.()
    after
      handle_sigint(false)
      for {signal, {:ok, id}} <- traps, do: System.untrap_signal(signal, id)
      tell(keeper, :done)
    end
  end

  # How `Ambix.Sandbox` names its folders.
  defp sandboxes do
    for folder <- List.wrap(System.tmp_dir()), do: Path.join(folder, "ambix-#{System.pid()}-")
  end

  # What standard output still holds is not waited for: nobody may be reading it.
  defp trap(signal, number, keeper) do
    System.trap_signal(signal, fn ->
      tell(keeper, :say)
      number = if signal == :sigterm and sigint?(), do: @sigint, else: number
      :erlang.halt(128 + number, flush: false)
    end)
  end

  # Without the native library, which is one of the things that `mix ambix.doctor` finds, all else still works.
  defp handle_sigint(on) do
    Native.signal_interrupt(on)
  rescue
    _ -> :ok
  end

  defp sigint? do
    Native.signal_interrupted() == {:ok, true}
  rescue
    _ -> false
  end

  defp sentence do
    clear = if Style.terminal?(:stderr), do: "\r\e[K", else: ""
    IO.iodata_to_binary([clear, Style.paint("ambix: ", [:red, :bright], :stderr), "interrupted"])
  end

  # In a process of its own, so that the port's end, if somebody kills the shell, is nobody else's.
  defp start(paths) do
    shell = System.find_executable("sh")
    args = ["-c", @keeper, "ambix", sentence() | Enum.map(paths, &Path.expand/1)]
    caller = self()

    if shell do
      keeper =
        spawn(fn ->
          port = Port.open({:spawn_executable, shell}, [:binary, :hide, args: args])
          hear(port)
          send(caller, {:told, self()})
          keep(port)
        end)

      wait(keeper)
    end
  end

  defp keep(port) do
    receive do
      {:done, from} ->
        Port.command(port, "done\n")
        send(from, {:told, self()})

      {:say, from} ->
        Port.command(port, "say\n")
        hear(port)
        send(from, {:told, self()})
        keep(port)
    end
  end

  # The shell may be stuck: standard error may be a pipe that is full.
  defp hear(port) do
    receive do
      {^port, {:data, _}} -> :ok
    after
      1_000 -> :ok
    end
  end

  defp tell(nil, _what), do: :ok

  defp tell(keeper, what) do
    send(keeper, {what, self()})
    wait(keeper)
    :ok
  end

  defp wait(keeper) do
    monitor = Process.monitor(keeper)

    receive do
      {:told, ^keeper} -> Process.demonitor(monitor, [:flush])
      {:DOWN, ^monitor, :process, _, _} -> :ok
    end

    keeper
  end
end
