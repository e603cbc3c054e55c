defmodule Ambix.Test.Attack do
  @moduledoc false
  # Hostile programs as data, and the check that they came to nothing.
  #
  # An attack is `{id, program, limits, expected}`. A program is a shell script, `{:perl, script}` or `{:elixir, code}`. What is expected: `:status`
  # (or a list of them), `:exit`, `:says` (text that the output holds), `:never` (text that it does not hold) and
  # `:held` (the greatest number N of a line "held N", which counts megabytes). Whatever is expected, the answer must come in time, and
  # a file of the host beside the sandbox stays as it was.

  import ExUnit.Assertions

  alias Ambix.Sandbox

  # Beyond the wall clock of the limits: a busy machine.
  @grace_ms 20_000

  # So that a process is bounded by one limit only, the one that is attacked.
  @limits [wall_clock_ms: 10_000, memory_mb: 128, disk_mb: 64, cpu_seconds: 8, output_kb: 256]

  @doc "Runs the attack and asserts what must hold; answers the result."
  def check({id, program, limits, expected}, options \\ []) do
    {canary, secret} = canary()
    limits = @limits |> Keyword.merge(patience(program)) |> Keyword.merge(limits)
    env = %{"CANARY" => canary}
    started = System.monotonic_time(:millisecond)
    ExUnit.Callbacks.on_exit(fn -> File.rm_rf!(Path.dirname(canary)) end)
    answer = Sandbox.run(words(program), [env: env] ++ limits ++ options)
    took = System.monotonic_time(:millisecond) - started
    assert {:ok, result} = answer, "#{id}: no answer"

    assert took < limits[:wall_clock_ms] + @grace_ms, "#{id}: took #{took} ms"
    assert String.valid?(result.output)
    assert byte_size(result.output) <= limits[:output_kb] * 1024 * 3
    refute result.output =~ secret, "#{id}: read a file of the host"
    assert File.read!(canary) == secret, "#{id}: changed a file of the host"
    assert File.ls!(Path.dirname(canary)) == ["canary"], "#{id}: made a file of the host"

    for {key, value} <- expected, do: expect(key, value, id, result)
    result
  end

  @doc "The number of a system call on x86-64 or AArch64."
  def call(x86, arm) do
    if to_string(:erlang.system_info(:system_architecture)) =~ "aarch64", do: arm, else: x86
  end

  # To start a VM takes long where many share few cores.
  defp patience({:elixir, _}), do: [wall_clock_ms: 60_000]
  defp patience(_), do: []

  defp words({:perl, script}), do: ["perl", "-e", "$| = 1; " <> script]
  defp words({:elixir, code}), do: {:elixir, code}
  defp words(script) when is_binary(script), do: ["sh", "-c", script]

  defp expect(:status, status, id, result) do
    assert result.status in List.wrap(status), "#{id}: #{inspect(result, printable_limit: 300)}"
  end

  defp expect(:exit, exit_status, id, result) do
    assert {result.status, result.exit_status} == {:exited, exit_status}, "#{id}: #{inspect(result)}"
  end

  defp expect(:says, text, id, result), do: assert(result.output =~ text, "#{id}: #{inspect(result)}")
  defp expect(:never, text, id, result), do: refute(result.output =~ text, "#{id}: #{inspect(result)}")

  defp expect(:held, most, id, result) do
    held = for [_, number] <- Regex.scan(~r/^held (\d+)$/m, result.output), do: String.to_integer(number)
    greatest = Enum.max([0 | held])
    assert greatest <= most, "#{id}: held #{greatest}"
  end

  defp canary do
    folder =
      Path.join(System.tmp_dir!(), "ambix-canary-#{System.unique_integer([:positive])}-#{System.pid()}")

    File.mkdir_p!(folder)
    secret = "secret-#{:rand.uniform(1_000_000_000)}"
    File.write!(Path.join(folder, "canary"), secret)
    {Path.join(folder, "canary"), secret}
  end
end
