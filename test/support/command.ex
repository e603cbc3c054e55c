defmodule Ambix.Test.Command do
  @moduledoc """
  Mix tasks of Ambix as a person starts them: a process of the system, in a folder that is no mix project.

  All functions are for the process that called `start/2`.
  """

  import Ambix.Test.Wait

  @ebin Path.join(Mix.Project.build_path(), "lib/ambix/ebin")
  @seconds 30

  @doc "What to give to `elixir`."
  def mix(words), do: ["-pa", @ebin, "-S", "mix" | words]
  def script(file, words), do: ["-pa", @ebin, file | words]

  @doc """
  Starts `elixir` with `words`. Options: `:cd` (required), `:env`, `:terminal` (a pseudo-terminal is its input and output).
  """
  def start(words, opts) do
    elixir = [System.find_executable("elixir") | words]

    [program | args] =
      if opts[:terminal],
        do: [System.find_executable("script"), "-qefc", Enum.map_join(elixir, " ", &quoted/1), "/dev/null"],
        else: elixir

    # Mix must not believe that it is the one that runs this test.
    clean = for name <- ~w(MIX_ENV MIX_TARGET ELIXIR_ERL_OPTIONS), do: {to_charlist(name), false}
    env = for {name, value} <- opts[:env] || %{}, do: {to_charlist(name), to_charlist(value)}
    words = [:binary, :exit_status, :stderr_to_stdout, :hide, args: args, cd: opts[:cd], env: clean ++ env]
    port = Port.open({:spawn_executable, program}, words)
    {:os_pid, pid} = Port.info(port, :os_pid)
    %{port: port, pid: pid}
  end

  @doc "Runs a mix task to its end: what it printed, without warnings of the VM, and its exit code."
  def run(words, opts), do: words |> mix() |> start(opts) |> finish()

  @doc "Waits for the end: what was printed and the exit code, which is 128 and more after a signal."
  def finish(%{port: port} = command, output \\ []) do
    receive do
      {^port, {:data, data}} -> finish(command, [output, data])
      {^port, {:exit_status, code}} -> {IO.iodata_to_binary(output), code}
    after
      @seconds * 1000 ->
        for pid <- [command.pid | descendants(command.pid)], do: signal(pid, "KILL")
        ExUnit.Assertions.flunk("it did not end: #{output}")
    end
  end

  @doc "Waits until `text` was printed, and returns all that was printed until then."
  def await_output(%{port: port} = command, text, output \\ "") do
    if output =~ text do
      output
    else
      receive do
        {^port, {:data, data}} -> await_output(command, text, output <> data)
        {^port, {:exit_status, code}} -> ExUnit.Assertions.flunk("it ended with #{code}: #{output}")
      after
        @seconds * 1000 -> ExUnit.Assertions.flunk("it did not print #{inspect(text)}: #{output}")
      end
    end
  end

  @doc "Waits until a process that it started, however indirectly, has `text` in its command line."
  def await_program(%{pid: pid}, text) do
    wait_until(fn -> Enum.any?(descendants(pid), &(command_line(&1) =~ text)) end)
  end

  @doc "Waits until it has the file `path` open."
  def await_open(%{pid: pid}, path) do
    wait_until(fn ->
      Enum.any?(Path.wildcard("/proc/#{pid}/fd/*"), &(File.read_link(&1) == {:ok, path}))
    end)
  end

  @doc "All processes that `pid` has started, and those that these have started."
  def descendants(pid) do
    for path <- Path.wildcard("/proc/#{pid}/task/*/children"),
        {:ok, text} <- [File.read(path)],
        child <- String.split(text),
        it <- [child | descendants(child)],
        do: it
  end

  @doc "Whether the process is there, and not only not yet waited for."
  def alive?(pid) do
    match?({:ok, status} when status != "", File.read("/proc/#{pid}/status")) and
      not (File.read!("/proc/#{pid}/status") =~ ~r/^State:\s+Z/m)
  rescue
    File.Error -> false
  end

  def signal(pid, name), do: System.cmd("kill", ["-#{name}", "#{pid}"], stderr_to_stdout: true)

  defp command_line(pid) do
    case File.read("/proc/#{pid}/cmdline") do
      {:ok, line} -> String.replace(line, <<0>>, " ")
      {:error, _} -> ""
    end
  end

  defp quoted(word), do: "'" <> String.replace(word, "'", "'\\''") <> "'"
end
