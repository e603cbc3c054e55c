defmodule Ambix.Contained do
  @moduledoc false
  # Work on what others wrote, in a process of its own. A crash there is an answer, and logs nothing of what it was about. The
  # process ends with its caller and at the end of its time; what it has linked to itself ends with it.

  @spec run((() -> value), non_neg_integer) :: {:ok, value} | {:crashed, String.t()} | :timeout
        when value: term
  def run(fun, timeout_ms) do
    caller = self()
    answer = make_ref()

    {pid, monitor} =
      spawn_monitor(fn ->
        Process.flag(:sensitive, true)
        # The end of a process that was started from here is heard of by its monitor.
        Process.flag(:trap_exit, true)
        end_with(caller)
        send(caller, {answer, attempt(fun)})
        # What is linked outlives a normal end.
        exit(:shutdown)
      end)

    receive do
      {^answer, outcome} ->
        Process.demonitor(monitor, [:flush])
        outcome

      {:DOWN, ^monitor, :process, _, reason} ->
        {:crashed, "its process was ended: #{ended(reason)}"}
    after
      timeout_ms ->
        Process.exit(pid, :kill)
        receive(do: ({:DOWN, ^monitor, :process, _, _} -> :ok))
        # It may have been done in the last moment.
        receive(do: ({^answer, outcome} -> outcome), after: (0 -> :timeout))
    end
    |> case do
      {:reraise, kind, reason, stack} -> :erlang.raise(kind, reason, stack)
      outcome -> outcome
    end
  end

  @doc "A function of the caller's, whose exceptions are raised in the caller of `run/2`."
  @spec callback((term -> term)) :: (term -> term)
  def callback(fun) do
    fn argument ->
      try do
        fun.(argument)
      catch
        kind, reason -> throw({__MODULE__, kind, reason, __STACKTRACE__})
      end
    end
  end

  @doc "What was raised, thrown or exited with, and where, without any value that belongs to it."
  @spec summary(atom, term, Exception.stacktrace()) :: String.t()
  def summary(kind, reason, stack), do: "#{name(kind, reason)}#{place(stack)}"

  defp attempt(fun) do
    {:ok, fun.()}
  catch
    :throw, {__MODULE__, kind, reason, stack} -> {:reraise, kind, reason, stack}
    kind, reason -> {:crashed, summary(kind, reason, __STACKTRACE__)}
  end

  defp name(:error, reason), do: inspect(Exception.normalize(:error, reason, []).__struct__)
  defp name(kind, _reason), do: to_string(kind)

  defp place([{module, function, arity, _} | _]) when is_integer(arity),
    do: " in #{Exception.format_mfa(module, function, arity)}"

  defp place([{module, function, arguments, _} | _]) when is_list(arguments),
    do: " in #{Exception.format_mfa(module, function, length(arguments))}"

  defp place(_), do: ""

  defp ended(reason) when is_atom(reason), do: to_string(reason)
  defp ended(_reason), do: "for another reason"

  defp end_with(caller) do
    worker = self()

    spawn(fn ->
      callers = Process.monitor(caller)
      workers = Process.monitor(worker)

      receive do
        {:DOWN, ^callers, :process, _, _} -> Process.exit(worker, :kill)
        {:DOWN, ^workers, :process, _, _} -> :ok
      end
    end)
  end
end
