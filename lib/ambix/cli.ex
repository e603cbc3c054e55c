defmodule Ambix.CLI do
  @moduledoc false
  # What every mix task shares: arguments in, one sentence and an exit code out.
  #
  # A task is started from a folder whose application must not be started and need not compile. Mix has loaded Ambix by then, so a task
  # runs nothing of the host's.

  alias Ambix.CLI.{Args, Files, Interrupt, Style}
  alias Ambix.{Error, Models}

  @doc """
  Parses `argv` by the schema and calls `run` with the arguments and the options.

  `run` returns `:ok`, `{:exit, code}` or `{:error, %Ambix.Error{}}`. An error, also a raised one, becomes one sentence on standard error and the
  exit code 1. After `{:halt, code}` the VM ends without waiting for output that nobody reads.
  """
  @spec main([String.t()], module, Ambix.Options.schema(), ([String.t()], keyword -> term)) :: :ok
  def main(argv, task, schema, run) do
    start_telemetry()

    result =
      try do
        case Args.parse(argv, schema) do
          :help -> help(task)
          {:ok, args, opts} -> Interrupt.run(temporary(opts), fn -> apart(fn -> run.(args, opts) end) end)
          {:error, error} -> {:error, error}
        end
      rescue
        error in [Error, File.Error, File.CopyError, File.RenameError] ->
          {:error, error}

        error in ErlangError ->
          # Whoever read the output, such as `head`, has enough of it.
          if error.original == :terminated, do: {:exit, 1}, else: reraise(error, __STACKTRACE__)
      end

    case result do
      :ok -> :ok
      {:exit, 0} -> :ok
      {:exit, code} -> stop(code)
      {:halt, code} -> :erlang.halt(code, flush: false)
      {:error, error} -> fail(error)
    end
  end

  @doc "An error for a command that was called the wrong way."
  @spec usage(String.t()) :: {:error, Error.t()}
  def usage(sentence), do: {:error, Error.new(:invalid_argument, sentence)}

  @doc "Writes text to standard output. Nothing in it rules the terminal but colours: names and sources are other people's."
  @spec say(iodata) :: :ok
  def say(text), do: IO.puts(harmless(text))

  @doc "Writes one term as one line of JSON to standard output."
  @spec say_json(term) :: :ok
  def say_json(term), do: IO.puts(Ambix.JSON.encode!(term))

  @doc "Writes a remark to standard error, where it does not mix with the answer."
  @spec remark(iodata) :: :ok
  def remark(text), do: IO.puts(:stderr, harmless(text))

  @doc "Text in which only the sequences of `Ambix.CLI.Style` are left as they are; what else would rule a terminal is an escape."
  @spec harmless(iodata) :: String.t()
  def harmless(text) do
    ~r/\e\[(?:[0124]|3[1-6])m/
    |> Regex.split(IO.iodata_to_binary(text), include_captures: true)
    |> Enum.with_index()
    |> Enum.map_join(fn {piece, nth} -> if rem(nth, 2) == 1, do: piece, else: Ambix.Files.visible(piece) end)
  end

  @doc "The sentence of an error, without a line break."
  @spec sentence(Exception.t()) :: String.t()
  def sentence(error), do: error |> Exception.message() |> String.replace(~r/\s*\n\s*/, " ") |> String.trim()

  # In a process of its own: the end of a process that is linked to it, such as that of a sandbox, is an error like others.
  defp apart(fun) do
    caller = self()
    ports = Port.list()

    {pid, monitor} =
      spawn_monitor(fn ->
        result =
          try do
            {:returned, fun.()}
          catch
            kind, reason -> {:raised, kind, reason, __STACKTRACE__}
          end

        send(caller, {self(), result})
      end)

    result =
      receive do
        {^pid, result} -> Process.demonitor(monitor, [:flush]) && result
        {:DOWN, ^monitor, :process, ^pid, reason} -> {:ended, reason}
      end

    settle(ports, 200)

    case result do
      {:returned, result} -> result
      {:raised, kind, reason, stack} -> :erlang.raise(kind, reason, stack)
      {:ended, {%{__exception__: true} = error, _stack}} -> {:error, error}
      {:ended, reason} -> {:error, %RuntimeError{message: "it broke off: #{Exception.format_exit(reason)}"}}
    end
  end

  # After an error sandboxes are killed while nobody waits for it. A VM that ends in the middle of that complains of it.
  defp settle(_ports, 0), do: :ok

  defp settle(ports, times) do
    if Port.list() -- ports != [] do
      Process.sleep(10)
      settle(ports, times - 1)
    end
  end

  # What a command that does not come to its end may leave behind.
  defp temporary(opts) do
    [Models.temporary() | for(key <- [:out, :svg, :dot], opts[key], do: Files.temporary(opts[key]))]
  end

  defp fail(error) do
    remark([Style.paint("ambix: ", [:red, :bright], :stderr), sentence(error)])
    stop(1)
  end

  # Mix turns this exit into the code of the command, after what was written is out, and prints nothing of its own.
  @spec stop(pos_integer) :: no_return
  defp stop(code), do: exit({:shutdown, code})

  defp help(task) do
    {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(task)
    say(doc)
  end

  # The library complains of each event when it is there but not started.
  defp start_telemetry do
    if Ambix.Optional.available?(:telemetry), do: Application.ensure_all_started(:telemetry)
  end
end
