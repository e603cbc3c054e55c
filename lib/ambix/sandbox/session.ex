defmodule Ambix.Sandbox.Session do
  @moduledoc false
  # One sandboxed VM with a driver in it, and the conversation with it over a socket. The socket is not the VM's standard output, so
  # nothing that is printed can disturb it. All functions are to be called by one process.
  #
  # What is believed of a driver's words: they must come as frames of a known shape, with the secret number of the request, and
  # in all no more than a few megabytes. Results count for the tests that were asked for, and of two results for one test the
  # worse one. How a VM ended is never taken from here: the box knows.
  #
  # Tested code shares its VM with the driver. Its modules have random names there, came over the socket, and are in no
  # file, argument or environment; the process that knows the number of the request runs no code of the project. Still code that searches the
  # VM for the driver, or that answers in ExUnit's place, can report any result for the tests that it takes part in. So a result
  # says what honest code does, and a change that was written to deceive has to be caught by reading it.

  alias Ambix.Error
  alias Ambix.Sandbox.{Box, Channel, Command, Disguise, Driver, Frame, Limits, Scratch}

  @driver [
    Driver,
    Driver.Coverage,
    Driver.Formatter,
    Driver.Macros,
    Driver.Mutants,
    Driver.Packages,
    Driver.Schemata,
    Driver.Suite,
    Driver.Tracer,
    Driver.Workspace,
    Ambix.Compat
  ]

  # One frame, all frames that answer one request, and the terms that are kept of them.
  @frame_bytes 1_048_576
  @total_bytes 16 * 1_048_576
  @kept_bytes 64 * 1_048_576

  # Told to the Elixir that starts in the sandbox: the driver's code comes over the socket. The first module is the driver.
  @boot ~S"""
  {:ok, socket} = :gen_tcp.connect({:local, System.fetch_env!("AMBIX_SOCKET")}, 0, [:binary, packet: 4, active: false])
  System.delete_env("AMBIX_SOCKET")
  {:ok, frame} = :gen_tcp.recv(socket, 0)
  modules = for {name, code} <- :erlang.binary_to_term(frame), do: {:erlang.binary_to_atom(name), code}
  for {module, code} <- modules, do: {:module, _} = :code.load_binary(module, ~c"driver", code)
  modules |> hd() |> elem(0) |> apply(:start, [socket])
  """

  # How long a VM that has hung up may take to end, which is short unless the machine is busy.
  @parting_ms 10_000

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
  @short {:string, 4_096}
  @text {:string, 65_536}
  @number {:count, 0x1000000000000}
  @line {:count, 10_000_000}
  @place %{file: @short, line: @line, message: @text}
  @diagnostic Map.merge(@place, %{column: @line, traces: {:list, {:map, @place}, 100}})
  @diagnostics {:list, {:map, @diagnostic}, 1_000}
  @description %{id: @short, module: @short, name: @short, file: @short, line: @line}
  @frame {:map, %{file: @short, line: @line, module: @short, function: @short, arity: {:count, 255}}}
  @test {:map,
         Map.merge(@description, %{
           state: {:atoms, [:passed, :failed, :excluded, :skipped, :invalid, :timeout]},
           message: @text,
           frames: {:list, @frame, 50},
           microseconds: @number
         })}
  @tests {:list, {:map, @description}, 200}
  @covered {:list, {:tuple, [@short, {:bytes, @frame_bytes}]}, 100_000}
  @outcome {:map, %{status: {:atoms, [:ok, :error]}, errors: @diagnostics, warnings: @diagnostics}}
  @answer {:either,
           [
             @outcome,
             {:map, %{tests: @tests}},
             {:map, %{one_by_one: @number, by_module: @number}},
             {:map, %{microseconds: @number}},
             {:map, %{}}
           ]}
  @reply {:either,
          [
            {:tuple, [:ok, @answer]},
            {:tuple, [:error, {:atoms, [:project, :io, :not_found]}, @text, @diagnostics]}
          ]}
  @message {:either,
            [
              {:tuple, [:started, @short]},
              {:tuple, [:test, @test]},
              {:tuple, [:listed, @tests]},
              {:tuple, [:covered, {:list, @short, 100_000}, @covered]},
              {:tuple, [:unfit, @number]},
              {:tuple, [:broken, @number, @text]},
              {:tuple, [:mutant, @number]},
              {:tuple, [:tried, @number, @number]},
              {:tuple, [:done, @reply, {:map, %{cpu_ms: @number, atoms: @number}}]}
            ]}
  @shape {:tuple, [{:bytes, 16}, @message]}

  # The worse of two results for one test counts.
  @states [:passed, :excluded, :skipped, :invalid, :timeout, :failed]

  @doc "Starts a VM for the project at `root`. Options as for `Ambix.Sandbox.Command`, and `:limits`, `:dependencies`."
  @spec start(Path.t(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def start(root, opts) do
    with {:ok, how} <- Command.isolation(opts),
         do: Scratch.with_new(&start(how, root, &1, opts))
  end

  defp start(how, root, scratch, opts) do
    channel = Channel.open!(scratch, @frame_bytes)

    {work, own} =
      if how == :none,
        do: without_isolation(root, scratch, opts),
        else: isolated(root, channel, scratch, opts)

    environment = Map.put(Channel.environment(channel, how), "MIX_ENV", "test")
    own = [limits: opts[:limits], scratch: scratch, env: Map.merge(environment, opts[:env] || %{})] ++ own
    own = own ++ Keyword.take(opts, [:bubblewrap, :unsafe_without_isolation, :cgroup])

    with {:ok, command} <- Command.build(["elixir", "-e", @boot], own),
         {:ok, box} <- Box.start(command, opts[:limits], clean_up: scratch),
         {:ok, socket} <- Channel.accept(channel, box) do
      _ = :gen_tcp.send(socket, :erlang.term_to_binary(Disguise.disguise(@driver)))
      source = if how == :none, do: root, else: @source
      {:ok, %__MODULE__{box: box, socket: socket, work: work, source: source}}
    end
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
    nonce = :crypto.strong_rand_bytes(16)
    caller = opts[:caller]
    monitor = caller && Process.monitor(caller)

    wait = %{
      nonce: nonce,
      deadline: opts[:deadline],
      silence_ms: opts[:silence_ms] || :infinity,
      monitor: monitor,
      each: opts[:each],
      hung_ms: opts[:hung_ms],
      enough: opts[:enough],
      asked: asked(request),
      mutants: mutants(request)
    }

    said = %{started: nil, mutant: nil, tests: %{}, listed: [], covered: [], bytes: 0, kept: 0}

    result =
      case :gen_tcp.send(session.socket, :erlang.term_to_binary({nonce, request})) do
        :ok -> collect(session, wait, said)
        {:error, _} -> died(session, nil, said)
      end

    if monitor, do: Process.demonitor(monitor, [:flush])
    result
  end

  # The tests that may have results in answer to a request.
  defp asked({:run, %{ids: ids}}), do: MapSet.new(ids)
  defp asked({:cover, %{first: first, others: others}}), do: MapSet.new(first ++ others)
  defp asked({:mutants, %{failing: failing, others: others}}), do: MapSet.new(failing ++ others)
  defp asked(_request), do: MapSet.new()

  # The mutants that may be spoken of, each once.
  defp mutants({:mutants, %{mutants: mutants}}), do: MapSet.new(mutants, & &1.id)
  defp mutants(_request), do: MapSet.new()

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

  defp isolated(root, channel, scratch, opts) do
    dependencies = Keyword.get(opts, :dependencies, [])
    binds = [Channel.bind(channel), {root, @source}] ++ Scratch.binds(scratch) ++ dependencies
    {root, read_only: binds ++ hidden(root, scratch), writable: [root]}
  end

  # The history of a project is no part of it, and may hold what was taken out of it for a reason.
  defp hidden(root, scratch) do
    if File.dir?(Path.join(root, ".git")) do
      empty = Path.join(scratch, "empty")
      File.mkdir_p!(empty)
      File.chmod!(empty, 0o755)
      [{empty, Path.join(@source, ".git")}]
    else
      []
    end
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

  ## Talking

  defp collect(session, wait, said) do
    %{socket: socket, box: box} = session
    %{monitor: monitor, enough: enough} = wait
    :inet.setopts(socket, active: :once)

    receive do
      {:tcp, ^socket, frame} ->
        # Who talks without end is not waited for either.
        if now() < wait.deadline,
          do: decode(frame, session, wait, %{said | bytes: said.bytes + byte_size(frame)}),
          else: died(session, :wall_clock, said)

      {:tcp_error, ^socket, :emsgsize} ->
        died(session, :forged, said)

      {:tcp_closed, ^socket} ->
        died(session, nil, said)

      {:enough, ^enough} when enough != nil ->
        _ = :gen_tcp.send(socket, :erlang.term_to_binary({wait.nonce, :stop}))
        collect(session, %{wait | enough: nil}, said)

      {Box, ^box, result} ->
        died(result, said)

      {:DOWN, ^monitor, :process, _, _} when monitor != nil ->
        died(session, :cancelled, said)
    after
      patience(wait) -> died(session, :wall_clock, said)
    end
  end

  defp decode(frame, session, %{nonce: nonce} = wait, said) do
    with true <- said.bytes <= @total_bytes,
         {:ok, {^nonce, message}, size} <- Frame.decode(frame, @shape),
         true <- said.kept + size <= @kept_bytes do
      heard(message, session, wait, %{said | kept: said.kept + size})
    else
      _ -> died(session, :forged, said)
    end
  end

  # An atom is greater than any number, so :infinity is never the least.
  defp patience(wait) do
    (wait.deadline - now()) |> max(0) |> min(wait.silence_ms)
  end

  defp now, do: System.monotonic_time(:millisecond)

  # A test that nobody asked for is no result: a module whose setup fails speaks for all its tests.
  defp heard({:started, id}, session, wait, said) do
    if id in wait.asked,
      do: collect(session, wait, %{said | started: id}),
      else: died(session, :forged, said)
  end

  defp heard({:test, test}, session, wait, said) do
    if test.id in wait.asked,
      do: collect(session, wait, %{said | tests: keep_worse(said.tests, test), started: nil}),
      else: collect(session, wait, said)
  end

  defp heard({:listed, tests}, session, wait, said),
    do: collect(session, wait, %{said | listed: [tests | said.listed]})

  # The bounds of what may be said are for each mutant.
  defp heard({:mutant, id}, session, wait, said) do
    if id in wait.mutants do
      wait = if wait.hung_ms, do: %{wait | silence_ms: wait.hung_ms}, else: wait
      said = %{said | mutant: id, tests: %{}, bytes: 0, kept: 0}
      collect(session, %{wait | mutants: MapSet.delete(wait.mutants, id)}, said)
    else
      died(session, :forged, said)
    end
  end

  defp heard({:tried, id, microseconds}, session, wait, %{mutant: id} = said) do
    wait.each.({:tried, id, microseconds, ordered(said).tests})
    collect(session, wait, %{said | mutant: nil, tests: %{}})
  end

  defp heard(message, session, wait, said) when elem(message, 0) in [:unfit, :broken] do
    id = elem(message, 1)

    if id in wait.mutants do
      wait.each.(message)
      collect(session, %{wait | mutants: MapSet.delete(wait.mutants, id)}, said)
    else
      died(session, :forged, said)
    end
  end

  defp heard({:covered, ids, files}, session, wait, said) do
    # A line is a byte in a frame, and the element of a list here.
    kept = said.kept + 16 * Enum.reduce(files, 0, fn {_, packed}, sum -> sum + byte_size(packed) end)

    if kept <= @kept_bytes and Enum.all?(ids, &(&1 in wait.asked)) do
      lines = for {file, packed} <- files, do: {file, unpack(packed)}
      collect(session, wait, %{said | kept: kept, covered: [{ids, lines} | said.covered]})
    else
      died(session, :forged, said)
    end
  end

  defp heard({:done, {:ok, %{tests: tests}}, health}, session, _wait, said) do
    tests = [tests | said.listed] |> Enum.reverse() |> Enum.concat()
    {:ok, %{tests: tests}, ordered(said), %{session | health: health}}
  end

  defp heard({:done, {:ok, answer}, health}, session, _wait, said),
    do: {:ok, answer, ordered(said), %{session | health: health}}

  defp heard({:done, {:error, kind, message, diagnostics}, health}, session, _wait, _said) do
    error = %Error{kind: kind, message: message, details: %{diagnostics: diagnostics}}
    {:refused, error, %{session | health: health}}
  end

  # Nobody has asked for it.
  defp heard(_message, session, _wait, said), do: died(session, :forged, said)

  # The tests in the order in which their first results came.
  defp keep_worse(tests, test) do
    Map.update(tests, test.id, {map_size(tests), test}, fn {place, other} ->
      {place, Enum.max_by([other, test], fn test -> Enum.find_index(@states, &(&1 == test.state)) end)}
    end)
  end

  # See `Ambix.Sandbox.Driver.Coverage.pack/1`.
  defp unpack(packed) do
    {lines, _} =
      for <<byte <- packed>>, reduce: {[], 0} do
        {lines, line} -> if byte == 0, do: {lines, line + 255}, else: {[line + byte | lines], line + byte}
      end

    Enum.reverse(lines)
  end

  # A VM that hangs up gets a moment to end by itself, which tells why.
  defp died(session, nil, said) do
    box = session.box
    :gen_tcp.close(session.socket)

    receive do
      {Box, ^box, result} -> died(result, said)
    after
      @parting_ms -> died(session, :forged, said)
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

  defp ordered(said) do
    tests = said.tests |> Map.values() |> Enum.sort_by(&elem(&1, 0)) |> Enum.map(&elem(&1, 1))
    %{said | tests: tests, covered: Enum.reverse(said.covered)}
  end

  @doc "Limits of a project's VM, where they differ from those of a single program."
  @spec default_limits() :: keyword()
  def default_limits, do: [cpu_seconds: 900, memory_mb: 1536, disk_mb: 512, output_kb: 8192, open_files: 1024]

  @doc "Whether a VM has used up so much that it should be replaced by a fresh one."
  @spec worn_out?(t(), Limits.t()) :: boolean()
  def worn_out?(session, limits) do
    session.health.cpu_ms > limits.cpu_seconds * 500 or session.health.atoms > 500_000
  end
end
