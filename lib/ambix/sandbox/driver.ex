defmodule Ambix.Sandbox.Driver do
  @moduledoc false
  # Runs inside the sandbox, in the VM of the project under test: answers the requests of Ambix.Sandbox.Session.
  #
  # It shares its VM with untrusted code, so the host believes nothing of what it sends beyond its shape.
  # The modules Ambix.Sandbox.Driver.* depend on Elixir, Mix, ExUnit and Ambix.Compat only.

  alias Ambix.Sandbox.Driver.{Coverage, Mutants, Suite, Workspace}

  @doc "Connects to the host and serves requests until the host hangs up."
  def start do
    load_all()
    address = {:local, System.fetch_env!("AMBIX_SOCKET")}
    {:ok, socket} = :gen_tcp.connect(address, 0, [:binary, packet: 4, active: false])
    serve(socket, nil)
  end

  # Mix removes folders that are no dependency's from the code path.
  defp load_all do
    folder = __MODULE__ |> :code.which() |> List.to_string() |> Path.dirname()

    for file <- Path.wildcard(folder <> "/*.beam") do
      {:module, _} = file |> Path.basename(".beam") |> String.to_atom() |> :code.ensure_loaded()
    end
  end

  defp serve(socket, state) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, frame} ->
        case :erlang.binary_to_term(frame) do
          # Came when all was done already.
          {_nonce, :stop} -> serve(socket, state)
          {nonce, request} -> serve(socket, serve(socket, state, nonce, request))
        end

      {:error, _} ->
        :ok
    end
  end

  defp serve(socket, state, nonce, request) do
    emit = fn message -> :gen_tcp.send(socket, :erlang.term_to_binary({nonce, message})) end
    {reply, state} = answer(request, state, emit, fn -> stop?(socket, nonce) end)
    emit.({:done, reply, health()})
    state
  end

  # Whether the host has had enough of this request, or is gone.
  defp stop?(socket, nonce) do
    case :gen_tcp.recv(socket, 0, 0) do
      {:ok, frame} -> :erlang.binary_to_term(frame) == {nonce, :stop} or stop?(socket, nonce)
      {:error, reason} -> reason != :timeout
    end
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

  defp handle(:load, state, _emit) do
    state = Suite.load(state, :all)
    {{:ok, %{tests: Suite.list(state)}}, state}
  end

  defp handle({:run, options}, state, emit) do
    Workspace.stop_application(state)
    state = Suite.load(state, options.ids)
    microseconds = Suite.run(state, options, emit)
    {{:ok, %{microseconds: microseconds}}, state}
  end

  defp handle({:cover, options}, state, emit) do
    state = Suite.load(state, :all)
    {{:ok, Coverage.run(state, options, emit)}, state}
  end

  defp health do
    {cpu_ms, _} = :erlang.statistics(:runtime)
    %{cpu_ms: cpu_ms, atoms: :erlang.system_info(:atom_count)}
  end
end
