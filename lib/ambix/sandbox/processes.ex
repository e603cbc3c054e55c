defmodule Ambix.Sandbox.Processes do
  @moduledoc false
  # What the host sees of a sandbox's processes in /proc, and how it ends them. A process is known by its number and its start
  # time, since numbers are given again.

  @typedoc "Number and start time, in ticks since the machine's start."
  @type process :: {pos_integer(), String.t()}

  @typedoc "Memory of all in bytes, and the greatest processor time of one in milliseconds."
  @type usage :: %{memory: non_neg_integer(), cpu_ms: non_neg_integer()}

  @patience_ms 2

  @doc "The process with this number, or `nil`."
  @spec identify(pos_integer()) :: process() | nil
  def identify(pid) do
    case fields(pid) do
      [_ | _] = fields -> {pid, Enum.at(fields, 19)}
      [] -> nil
    end
  end

  @doc "Whether the process lives; one that has ended and waits for its parent does not."
  @spec alive?(process()) :: boolean()
  def alive?({pid, started}) do
    fields = fields(pid)
    fields != [] and Enum.at(fields, 19) == started and hd(fields) not in ["Z", "X"]
  end

  @doc "What a process and all its descendants use."
  @spec usage(process()) :: usage()
  def usage({pid, _} = process) do
    pids = if alive?(process), do: family([pid]), else: []

    for pid <- pids, reduce: %{memory: 0, cpu_ms: 0} do
      sum -> %{memory: sum.memory + memory(pid), cpu_ms: max(sum.cpu_ms, cpu_ms(pid))}
    end
  end

  @doc "The first child of the process: in bubblewrap's case the one that sees the sandbox's files and is no program's."
  @spec first_child(process()) :: pos_integer() | nil
  def first_child({pid, _}), do: [pid] |> family() |> Enum.at(1)

  @doc """
  Kills a process and its descendants, and returns when none is left.

  bubblewrap asks to die with its parent only a moment after it was started: whoever kills the parent before that leaves it
  behind. So the family is held still, counted and killed as a whole; the first process of a PID namespace takes the rest
  with it.
  """
  @spec kill(process()) :: :ok
  def kill({pid, _} = process) do
    if alive?(process) do
      signal("STOP", [pid])
      await_stop(pid, 200)
      family = for member <- family([pid]), known = identify(member), do: known
      signal("KILL", Enum.map(family, &elem(&1, 0)))
      Enum.each(family, &await_end/1)
    else
      :ok
    end
  end

  defp await_end(process) do
    if alive?(process) do
      Process.sleep(@patience_ms)
      await_end(process)
    end
  end

  # The signal takes effect when the process runs next; until then it may still start others.
  defp await_stop(_pid, 0), do: :ok

  defp await_stop(pid, attempts) do
    if List.first(fields(pid)) in ["R", "S", "D"] do
      Process.sleep(1)
      await_stop(pid, attempts - 1)
    else
      :ok
    end
  end

  defp signal(name, pids), do: :os.cmd(~c"kill -#{name} #{Enum.join(pids, " ")}")

  defp family([]), do: []

  defp family(pids) do
    children =
      for pid <- pids,
          thread <- ls("/proc/#{pid}/task"),
          child <- String.split(read("/proc/#{pid}/task/#{thread}/children")),
          do: String.to_integer(child)

    pids ++ family(children)
  end

  # What is a process's own, what it shares without a file on a disk, and the tables that say where it is.
  defp memory(pid) do
    for [_, kilobytes] <-
          Regex.scan(~r/^(?:RssAnon|RssShmem|VmPTE|VmSwap):\s+(\d+) kB/m, read("/proc/#{pid}/status")),
        reduce: 0,
        do: (sum -> sum + String.to_integer(kilobytes) * 1024)
  end

  # A tick is a hundredth of a second on every Linux that has a BEAM.
  defp cpu_ms(pid) do
    case Enum.slice(fields(pid), 11, 2) do
      [user, system] -> 10 * (String.to_integer(user) + String.to_integer(system))
      _ -> 0
    end
  end

  # The fields of /proc/PID/stat behind the name, which may hold anything: the state is the first.
  defp fields(pid) do
    case String.split(read("/proc/#{pid}/stat"), ")") do
      [_ | _] = parts -> parts |> List.last() |> String.split()
      [] -> []
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
