defmodule Ambix.Sandbox.Driver do
  @moduledoc false
  # Runs inside the sandbox, in the VM of the project under test: answers the requests of Ambix.Sandbox.Session.
  #
  # It shares its VM with untrusted code, so the host believes nothing of what it sends beyond its shape. Two processes
  # divide the work. The relay owns the socket, knows the number of the request, and runs no code of the project; the
  # worker compiles and runs tests, and passes on what it has to say. Both are sensitive, so that nobody else reads their memory.
  #
  # The modules Ambix.Sandbox.Driver.* depend on Elixir, Mix, ExUnit and Ambix.Compat only. In the sandbox they have other names
  # (`Ambix.Sandbox.Disguise`), so they name one another only by `alias` and `__MODULE__`.

  alias Ambix.Sandbox.Driver.{Coverage, Mutants, Suite, Workspace}

  # What the host takes at most in one frame, and what a request says of coverage before it stops to tell tests apart.
  @frame_bytes 1_048_576
  @covered_bytes 6 * 1_048_576

  @doc "Serves the requests that come over the socket until the host hangs up."
  def start(socket) do
    Process.flag(:sensitive, true)
    # What a test said before it ended the VM shall have left the VM.
    Process.flag(:priority, :high)
    worker = spawn_monitor(fn -> work(nil) end)
    serve(socket, worker)
  end

  ## The relay

  defp serve(socket, {pid, _} = worker) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, frame} ->
        case :erlang.binary_to_term(frame) do
          # Came when all was done already.
          {_nonce, :stop} ->
            serve(socket, worker)

          {nonce, request} ->
            tag = make_ref()
            send(pid, {tag, self(), request})
            relay(socket, worker, nonce, tag)
            serve(socket, worker)
        end

      {:error, _} ->
        :ok
    end
  end

  defp relay(socket, {_, monitor} = worker, nonce, tag) do
    receive do
      {^tag, :stop?, from} ->
        send(from, {tag, stop?(socket, nonce)})
        relay(socket, worker, nonce, tag)

      {^tag, {:done, reply, health}} ->
        frame = frame(nonce, {:done, reply, health}) || frame(nonce, {:done, too_large(), health})
        :gen_tcp.send(socket, frame)

      {^tag, message} ->
        # What is too large is not said: a test without a result has not passed.
        frame = frame(nonce, message)
        if frame, do: :gen_tcp.send(socket, frame)
        relay(socket, worker, nonce, tag)

      {:DOWN, ^monitor, :process, _, _} ->
        System.halt(1)
    end
  end

  defp frame(nonce, message) do
    frame = :erlang.term_to_binary({nonce, message})
    if byte_size(frame) <= @frame_bytes, do: frame
  end

  defp too_large, do: refusal(:project, "the answer is larger than #{@frame_bytes} bytes")

  # Whether the host has had enough of this request, or is gone.
  defp stop?(socket, nonce) do
    case :gen_tcp.recv(socket, 0, 0) do
      {:ok, frame} -> :erlang.binary_to_term(frame) == {nonce, :stop} or stop?(socket, nonce)
      {:error, reason} -> reason != :timeout
    end
  end

  ## The worker

  defp work(state) do
    Process.flag(:sensitive, true)

    receive do
      {tag, relay, request} when is_reference(tag) ->
        emit = fn message -> send(relay, {tag, message}) end
        {reply, state} = answer(request, state, emit, fn -> stopped?(relay, tag) end)
        emit.({:done, reply, health()})
        work(state)
    end
  end

  defp stopped?(relay, tag) do
    send(relay, {tag, :stop?, self()})
    receive(do: ({^tag, answer} -> answer))
  end

  # Throws {:refused, kind, message, diagnostics} are answers; so is everything that project code raises or throws.
  defp answer(request, state, emit, stop?) do
    handle(request, state, emit, stop?)
  rescue
    exception -> {refusal(:project, Exception.message(exception)), touched(state, request)}
  catch
    :throw, {:refused, kind, message, diagnostics} ->
      {{:error, kind, message, diagnostics}, touched(state, request)}

    kind, reason ->
      {refusal(:project, Exception.format_banner(kind, reason)), touched(state, request)}
  end

  # What a request that broke off may have written is put back with the next one.
  defp touched(state, {:compile, changes}), do: Workspace.touched(state, Map.keys(changes))

  defp touched(state, {:mutants, %{base: base, mutants: mutants}}),
    do: Workspace.touched(state, Map.keys(base) ++ Enum.map(mutants, & &1.file))

  defp touched(state, _request), do: state

  defp refusal(kind, message), do: {:error, kind, Workspace.text(message), []}

  defp handle({:mutants, options}, state, emit, stop?),
    do: {{:ok, %{}}, Mutants.run(state, options, emit, stop?)}

  defp handle(request, state, emit, _stop?), do: handle(request, state, emit)

  defp handle({:boot, options}, nil, _emit) do
    state = Workspace.boot(options)
    {{:ok, %{}}, state}
  end

  defp handle({:compile, changes}, state, _emit) do
    {outcome, state} = Workspace.compile(state, changes)
    {{:ok, outcome}, Suite.forget_changed(state, outcome)}
  end

  # Many tests would not fit into one frame.
  defp handle(:load, state, emit) do
    state = Suite.load(state, :all)
    for tests <- state |> Suite.list() |> Enum.chunk_every(200), do: emit.({:listed, tests})
    {{:ok, %{tests: []}}, state}
  end

  defp handle({:run, options}, state, emit) do
    Workspace.stop_application(state)
    state = Suite.load(state, options.ids)
    microseconds = Suite.run(state, options, emit)
    {{:ok, %{microseconds: microseconds}}, state}
  end

  defp handle({:cover, options}, state, emit) do
    state = Suite.load(state, :all)
    {{:ok, Coverage.run(state, Map.put(options, :bytes, @covered_bytes), emit)}, state}
  end

  defp health do
    {cpu_ms, _} = :erlang.statistics(:runtime)
    %{cpu_ms: cpu_ms, atoms: :erlang.system_info(:atom_count)}
  end
end
