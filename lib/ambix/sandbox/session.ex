defmodule Ambix.Sandbox.Session do
  @moduledoc false
  # One sandboxed VM with a driver in it, and the conversation with it over a socket. The socket is not the VM's standard output, so
  # nothing that is printed can disturb it. All functions are to be called by one process.

  alias Ambix.Error
  alias Ambix.Sandbox.{Box, Command, Driver, Frame, Limits, Scratch}

  @driver [
    Ambix.Compat,
    Driver,
    Driver.Coverage,
    Driver.Formatter,
    Driver.Macros,
    Driver.Mutants,
    Driver.Packages,
    Driver.Schemata,
    Driver.Suite,
    Driver.Tracer,
    Driver.Workspace
  ]

  @frame_bytes 16 * 1_048_576
  @total_bytes 512 * 1_048_576
  @connect_ms 30_000

  @folder "/run/ambix"
  @source "/run/project"

  defstruct [:box, :socket, :source, :work, health: %{cpu_ms: 0, atoms: 0}]

  @type t :: %__MODULE__{}

  @typedoc "How a VM ended in the middle of a request."
  @type death :: %{
          reason: Ambix.Sandbox.Result.status() | :forged,
          exit_status: nil | integer(),
          output: String.t()
        }

  # The shapes of all that a driver may send.
  @diagnostics {:list, {:map, %{file: :string, line: :count, message: :string}}}
  @description %{id: :string, module: :string, name: :string, file: :string, line: :count}
  @frame {:map, %{file: :string, line: :count, module: :string, function: :string, arity: :count}}
  @test {:map,
         Map.merge(@description, %{
           state: {:atoms, [:passed, :failed, :excluded, :skipped, :invalid, :timeout]},
           message: :string,
           frames: {:list, @frame},
           microseconds: :count
         })}
  @covered {:list, {:tuple, [:string, {:list, :count}]}}
  @outcome {:map, %{status: {:atoms, [:ok, :error]}, errors: @diagnostics, warnings: @diagnostics}}
  @answer {:either,
           [
             @outcome,
             {:map, %{tests: {:list, {:map, @description}}}},
             {:map, %{one_by_one: :count, by_module: :count}},
             {:map, %{microseconds: :count}},
             {:map, %{}}
           ]}
  @reply {:either,
          [
            {:tuple, [:ok, @answer]},
            {:tuple, [:error, {:atoms, [:project, :io, :not_found]}, :string, @diagnostics]}
          ]}
  @message {:either,
            [
              {:tuple, [:started, :string]},
              {:tuple, [:test, @test]},
              {:tuple, [:covered, {:list, :string}, @covered]},
              {:tuple, [:unfit, :count]},
              {:tuple, [:broken, :count, :string]},
              {:tuple, [:mutant, :count]},
              {:tuple, [:tried, :count, :count]},
              {:tuple, [:done, @reply, {:map, %{cpu_ms: :count, atoms: :count}}]}
            ]}
  @shape {:tuple, [:count, @message]}

  @doc "Starts a VM for the project at `root`. Options as for `Ambix.Sandbox.Command`, and `:limits`, `:dependencies`."
  @spec start(Path.t(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def start(root, opts) do
    with {:ok, how} <- Command.isolation(opts),
         do: Scratch.with_new(&start(how, root, &1, opts))
  end

  defp start(how, root, scratch, opts) do
    shared = shared!(scratch)
    listener = listen!(shared)
    for module <- @driver, do: Scratch.write!(shared, "#{module}.beam", object_code(module))

    {work, own} =
      if how == :none, do: without_isolation(root, scratch, opts), else: isolated(root, scratch, opts)

    folder = if how == :none, do: shared, else: @folder
    environment = %{"MIX_ENV" => "test", "AMBIX_SOCKET" => Path.join(folder, "socket")}
    words = ["elixir", "-pa", folder, "-e", "Ambix.Sandbox.Driver.start()"]
    own = [limits: opts[:limits], env: Map.merge(environment, opts[:env] || %{})] ++ own

    {:ok, command} = Command.build(words, own ++ Keyword.take(opts, [:bubblewrap, :unsafe_without_isolation]))

    {:ok, box} = Box.start(command, opts[:limits], clean_up: scratch)
    session = %__MODULE__{box: box, work: work, source: if(how == :none, do: root, else: @source)}
    connect(session, listener, System.monotonic_time(:millisecond) + @connect_ms)
  end

  @doc """
  Sends a request and collects what the driver says until it is done.

  Options: `:deadline` (monotonic time in milliseconds), `:silence_ms` (the longest time between two messages), `:caller` (a process
  without which there is no need to go on). For a request about many mutants: `:each` (a function of what is said about one,
  as soon as that is complete: `{:unfit, id}`, `{:broken, id, message}` or `{:tried, id, microseconds, tests}`), `:hung_ms` (the
  longest time between two messages once a mutant has begun), and `:enough` (a reference: when the message
  `{:enough, reference}` comes, the driver is asked to stop after the mutant that it is at).

  Answers the reply, the tests' results, the coverage, and the session. When the VM ends, is killed for taking too long,
  or sends what no driver would, the answer is its death, with what was received until then.
  """
  @spec request(t(), term(), keyword()) ::
          {:ok, term(), map(), t()} | {:refused, Error.t(), t()} | {:died, death(), map()}
  def request(session, request, opts) do
    # A frame without the number of the request is not an answer to it.
    nonce = :rand.uniform(0xFFFFFFFFFFF)
    caller = opts[:caller]
    monitor = caller && Process.monitor(caller)

    wait = %{
      nonce: nonce,
      deadline: opts[:deadline],
      silence_ms: opts[:silence_ms] || :infinity,
      monitor: monitor,
      each: opts[:each],
      hung_ms: opts[:hung_ms],
      enough: opts[:enough]
    }

    said = %{started: nil, mutant: nil, tests: [], covered: [], bytes: 0}

    result =
      case :gen_tcp.send(session.socket, :erlang.term_to_binary({nonce, request})) do
        :ok -> collect(session, wait, said)
        {:error, _} -> died(session, nil, said)
      end

    if monitor, do: Process.demonitor(monitor, [:flush])
    result
  end

  @doc "What the project printed since the last call."
  @spec output(t()) :: String.t()
  def output(session), do: Box.take_output(session.box)

  @doc "Ends the VM and all it started; nothing is left when this returns."
  @spec stop(t()) :: :ok
  def stop(session) do
    if session.socket, do: :gen_tcp.close(session.socket)
    Box.stop(session.box)
  end

  ## Starting

  defp isolated(root, scratch, opts) do
    dependencies = Keyword.get(opts, :dependencies, [])
    binds = [{shared!(scratch), @folder}, {root, @source}] ++ Scratch.binds(scratch) ++ dependencies
    {root, read_only: binds, writable: [root]}
  end

  # The part of the scratch folder that the sandbox sees; there the user is another.
  defp shared!(scratch) do
    folder = Path.join(scratch, "shared")
    File.mkdir_p!(folder)
    File.chmod!(folder, 0o755)
    folder
  end

  # The same paths, below the scratch folder: a dependency at ../name is found there too.
  defp without_isolation(root, scratch, opts) do
    for path <- Keyword.get(opts, :dependencies, []) do
      link = scratch <> "/files" <> path
      File.mkdir_p!(Path.dirname(link))
      File.ln_s!(path, link)
    end

    {scratch <> "/files" <> root, cd: scratch}
  end

  # The socket is open to all: the folder around it is private.
  defp listen!(folder) do
    path = Path.join(folder, "socket")

    {:ok, listener} =
      :gen_tcp.listen(0, [
        :binary,
        ifaddr: {:local, path},
        packet: 4,
        packet_size: @frame_bytes,
        active: false,
        backlog: 1,
        send_timeout: 10_000,
        send_timeout_close: true
      ])

    File.chmod!(path, 0o777)
    listener
  end

  defp object_code(module) do
    {^module, binary, _file} = :code.get_object_code(module)
    binary
  end

  # The first to connect is the driver: project code runs later only, and finds the socket closed.
  defp connect(session, listener, deadline) do
    case :gen_tcp.accept(listener, 50) do
      {:ok, socket} ->
        :gen_tcp.close(listener)
        {:ok, %{session | socket: socket}}

      {:error, :timeout} ->
        box = session.box

        receive do
          {Box, ^box, result} ->
            :gen_tcp.close(listener)

            {:error,
             %Error{
               kind: :unavailable,
               message: "the sandboxed VM did not start: #{String.trim(result.output)}"
             }}
        after
          0 ->
            if System.monotonic_time(:millisecond) < deadline do
              connect(session, listener, deadline)
            else
              :gen_tcp.close(listener)
              stop(session)
              {:error, %Error{kind: :timeout, message: "the sandboxed VM did not start in #{@connect_ms} ms"}}
            end
        end
    end
  end

  ## Talking

  defp collect(session, wait, said) do
    %{socket: socket, box: box} = session
    %{nonce: nonce, monitor: monitor, enough: enough} = wait
    :inet.setopts(socket, active: :once)

    receive do
      {:tcp, ^socket, frame} ->
        said = %{said | bytes: said.bytes + byte_size(frame)}

        case said.bytes <= @total_bytes and Frame.decode(frame, @shape) do
          {:ok, {^nonce, message}} -> heard(message, session, wait, said)
          {:ok, {_other, _message}} -> died(session, :forged, said)
          _ -> died(session, :forged, said)
        end

      {:tcp_error, ^socket, :emsgsize} ->
        died(session, :forged, said)

      {:tcp_closed, ^socket} ->
        died(session, nil, said)

      {:enough, ^enough} when enough != nil ->
        _ = :gen_tcp.send(socket, :erlang.term_to_binary({nonce, :stop}))
        collect(session, %{wait | enough: nil}, said)

      {Box, ^box, result} ->
        died(result, said)

      {:DOWN, ^monitor, :process, _, _} when monitor != nil ->
        died(session, :cancelled, said)
    after
      patience(wait) -> died(session, :wall_clock, said)
    end
  end

  # An atom is greater than any number, so :infinity is never the least.
  defp patience(wait) do
    wait.deadline |> Kernel.-(System.monotonic_time(:millisecond)) |> max(0) |> min(wait.silence_ms)
  end

  defp heard({:started, id}, session, wait, said),
    do: collect(session, wait, %{said | started: id})

  defp heard({:test, test}, session, wait, said),
    do: collect(session, wait, %{said | tests: [test | said.tests], started: nil})

  defp heard({:mutant, id}, session, wait, said) do
    wait = if wait.hung_ms, do: %{wait | silence_ms: wait.hung_ms}, else: wait
    collect(session, wait, %{said | mutant: id, tests: []})
  end

  defp heard({:tried, id, microseconds}, session, %{each: each} = wait, said) when each != nil do
    each.({:tried, id, microseconds, Enum.reverse(said.tests)})
    collect(session, wait, %{said | mutant: nil, tests: []})
  end

  defp heard(message, session, %{each: each} = wait, said)
       when each != nil and elem(message, 0) in [:unfit, :broken] do
    each.(message)
    collect(session, wait, said)
  end

  defp heard({:covered, ids, lines}, session, wait, said),
    do: collect(session, wait, %{said | covered: [{ids, lines} | said.covered]})

  defp heard({:done, {:ok, answer}, health}, session, _wait, said),
    do: {:ok, answer, ordered(said), %{session | health: health}}

  defp heard({:done, {:error, kind, message, diagnostics}, health}, session, _wait, _said) do
    error = %Error{kind: kind, message: message, details: %{diagnostics: diagnostics}}
    {:refused, error, %{session | health: health}}
  end

  # Nobody has asked for it.
  defp heard(_message, session, _wait, said), do: died(session, :forged, said)

  # A VM that hangs up gets a moment to end by itself, which tells why.
  defp died(session, nil, said) do
    box = session.box
    :gen_tcp.close(session.socket)

    receive do
      {Box, ^box, result} -> died(result, said)
    after
      2_000 -> died(session, :forged, said)
    end
  end

  defp died(session, reason, said) do
    output = output(session)
    stop(session)
    {:died, %{reason: reason, exit_status: nil, output: output}, ordered(said)}
  end

  defp died(result, said) do
    {:died, %{reason: result.status, exit_status: result.exit_status, output: result.output}, ordered(said)}
  end

  defp ordered(said), do: %{said | tests: Enum.reverse(said.tests), covered: Enum.reverse(said.covered)}

  @doc "Limits of a project's VM, where they differ from those of a single program."
  @spec default_limits() :: keyword()
  def default_limits, do: [cpu_seconds: 900, memory_mb: 1536, disk_mb: 512, output_kb: 8192, open_files: 1024]

  @doc "Whether a VM has used up so much that it should be replaced by a fresh one."
  @spec worn_out?(t(), Limits.t()) :: boolean()
  def worn_out?(session, limits) do
    session.health.cpu_ms > limits.cpu_seconds * 500 or session.health.atoms > 500_000
  end
end
