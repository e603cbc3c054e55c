defmodule Ambix.Sandbox do
  @moduledoc """
  Runs untrusted programs and Elixir code with neither network nor the user's files, within limits.

  The program gets its own user, process, network, IPC and host-name namespaces (bubblewrap), a clean environment, the
  system's programs and libraries read-only, `/tmp` to write, and nothing of the user's home. Everything it may use is
  limited, see `Ambix.Sandbox.Limits`. It runs as an unprivileged user, also when the caller is root, and nothing of it
  outlives the call, the calling process or this VM. Of the kernel's system calls it has those for files, memory, processes, threads, time and
  sockets of the families UNIX, INET and INET6 (in a network of its own); to all others it gets the answer that there are none. That filter is made
  for x86-64 and AArch64; on other processors there is none, which `mix ambix.doctor` says.

  Needs bubblewrap 0.8 and prlimit (Debian: `apt install bubblewrap`; prlimit is always there). Without bubblewrap every function answers
  `{:error, %Ambix.Error{kind: :unavailable}}`, unless `unsafe_without_isolation: true` is given.

  `Ambix.Sandbox.Project` keeps a warm sandboxed VM for a Mix project and tells what a change does to its tests.
  """

  alias Ambix.{Error, Options, Telemetry}
  alias Ambix.Sandbox.{Box, Command, Limits, Pool, Result, Scratch}

  @typedoc "A program with its arguments, or Elixir code to run as a script."
  @type program :: [String.t(), ...] | {:elixir, String.t()}

  @script "/run/script.exs"

  @own [
    read_only: [
      type: {:list, :any},
      default: [],
      doc: "folders and files of the host that it may read, at the same path, or as `{host, inside}`"
    ],
    env: [type: :map, default: %{}, doc: "environment variables, added to the clean environment"],
    cd: [type: :string, default: "/tmp", doc: "the folder to start in"],
    pool: [
      type: :any,
      default: nil,
      doc:
        "a pool of VMs that have started already (`Ambix.Sandbox.Pool`), for `{:elixir, code}`; limits and all other options are then the pool's"
    ],
    cgroup: [
      type: :boolean,
      default: true,
      doc: "whether to make a control group where that is possible (see `Ambix.Sandbox.Limits`)"
    ],
    bubblewrap: [type: :string, default: "bwrap", doc: "path or name of bubblewrap"],
    unsafe_without_isolation: [
      type: :boolean,
      default: false,
      doc:
        "run it even if bubblewrap is missing: limits of time, memory and output hold, but it can read and write what the caller can, " <>
          "use the network, and leave processes behind"
    ]
  ]
  @options Limits.schema() ++ @own
  @own_options Keyword.keys(@own)

  @doc """
  Runs a program, or `{:elixir, code}`, and waits for its end.

  ## Options

  Every limit of `Ambix.Sandbox.Limits`, and

  #{Options.docs(@own)}

  Whatever the program does is an answer, `{:ok, %Ambix.Sandbox.Result{}}`. Errors: `:invalid_argument`, `:unavailable`, and `:io` when the temporary folder is full.

      iex> {:ok, result} = Ambix.Sandbox.run({:elixir, "IO.puts(6 * 7)"})
      iex> {result.status, result.exit_status, result.output}
      {:exited, 0, "42\\n"}
  """
  @spec run(program(), keyword()) :: {:ok, Result.t()} | {:error, Error.t()}
  def run(program, opts \\ []) do
    with :ok <- check_program(program),
         :ok <- check_options(opts),
         do: Telemetry.span([:ambix, :sandbox, :run], %{}, fn -> run(program, opts, opts[:pool]) end)
  end

  defp run(program, opts, nil), do: run_new(program, Keyword.delete(opts, :pool))
  defp run(program, [{:pool, _}], pool), do: run_ready(program, pool)

  defp run(_program, opts, _pool) do
    opts = Keyword.delete(opts, :pool)
    {:error, invalid_error("with :pool there are no other options, got #{inspect(opts)}")}
  end

  defp run_ready({:elixir, code}, pool) do
    with {:ok, result} <- Pool.run(pool, code), do: check_start(result)
  end

  defp run_ready(_words, _pool), do: {:error, invalid_error("a pool runs {:elixir, code} only")}

  defp run_new(program, opts) do
    {own, limits} = Keyword.split(opts, @own_options)

    with {:ok, limits} <- Limits.new(limits),
         {:ok, how} <- Command.isolation(own),
         {:ok, box} <- Scratch.with_new(&start(program, how, &1, limits, own)),
         {:ok, result} <- Box.await(box),
         do: check_start(result)
  end

  defp start(program, how, scratch, limits, own) do
    {words, binds} = words(program, how, scratch)
    binds = Scratch.binds(scratch) ++ binds ++ Keyword.get(own, :read_only, [])

    with {:ok, command} <- Command.build(words, [limits: limits, scratch: scratch, read_only: binds] ++ own),
         do: Box.start(command, limits, wall_clock_ms: limits.wall_clock_ms, clean_up: scratch)
  end

  @doc """
  Whether sandboxes work on this machine: runs `true` in one.

  Errors: `:unavailable`, with what to do about it.
  """
  @spec check(keyword()) :: :ok | {:error, Error.t()}
  def check(opts \\ []) do
    case run(["true"], opts) do
      {:ok, %Result{status: :exited, exit_status: 0}} ->
        :ok

      {:ok, result} ->
        {:error, %Error{kind: :unavailable, message: "a sandbox ran but failed: #{result.output}"}}

      {:error, error} ->
        {:error, error}
    end
  end

  # The command's words; a script of Elixir code lies in the scratch folder, and is bound from there.
  defp words({:elixir, code}, how, scratch) when is_binary(code) do
    script = Scratch.write!(scratch, "script.exs", code)
    if how == :none, do: {["elixir", script], []}, else: {["elixir", @script], [{script, @script}]}
  end

  defp words(words, _how, _scratch), do: {words, []}

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [run: @options, check: @options]

  defp check_options(opts) do
    case Options.validate(opts, @options) do
      {:ok, _} -> :ok
      {:error, sentence} -> {:error, invalid_error(sentence)}
    end
  end

  defp check_program({:elixir, code}) when is_binary(code), do: :ok

  defp check_program([_ | _] = words) do
    if Enum.all?(words, &is_binary/1), do: :ok, else: invalid(words)
  end

  defp check_program(other), do: invalid(other)

  defp invalid(program) do
    {:error,
     invalid_error("give a list of a program and its arguments, or {:elixir, code}, got #{inspect(program)}")}
  end

  defp invalid_error(message), do: %Error{kind: :invalid_argument, message: message}

  defp check_start(%Result{status: :not_started} = result) do
    message =
      "bubblewrap could not make a sandbox (#{String.trim(result.output)}): allow user namespaces (sysctl user.max_user_namespaces, " <>
        "kernel.unprivileged_userns_clone, or the container's security profile), and a kernel with seccomp"

    {:error, %Error{kind: :unavailable, message: message}}
  end

  defp check_start(result), do: {:ok, result}
end
