defmodule Aludel.Index.Server do
  @moduledoc false
  # Keeps the index of one folder: opens or builds it, fills vectors in behind it, saves it. It only routes; `State` decides, and the work runs in tasks,
  # so that it answers at any time. Readers do not come here: they find the index in `Aludel.Shared`.

  use GenServer

  alias Aludel.{Error, Index, Shared}
  alias Aludel.Index.Server.State

  @doc """
  Options: `:name` (of the supervision tree), `:root`, `:index` (a file or nil), `:tasks` (a task supervisor) and, for tests,
  `:work`, a function of the work, the index and the encoder.
  """
  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: server(opts[:name]))

  @doc "The process of the tree of that name."
  @spec server(atom) :: atom
  def server(name), do: Module.concat(name, Index)

  @doc "Brings the index up to date with its folder and returns what changed."
  @spec refresh(atom, timeout) :: {:ok, map | :opened} | {:error, Error.t()}
  def refresh(name, timeout \\ :infinity), do: GenServer.call(server(name), :refresh, timeout)

  @doc "What the server is doing."
  @spec status(atom) :: map
  def status(name), do: GenServer.call(server(name), :status)

  @doc "Tells the server that there is an encoder."
  @spec encoder(atom, Aludel.Model.Encoder.t()) :: :ok
  def encoder(name, encoder), do: GenServer.cast(server(name), {:encoder, encoder})

  @impl GenServer
  def init(opts) do
    # So that `terminate/2` takes back what was published.
    Process.flag(:trap_exit, true)
    Aludel.Compat.set_label({Aludel.Index, opts[:root]})

    encoder =
      case Shared.get(opts[:name], :encoder) do
        {:ok, encoder} -> encoder
        _ -> nil
      end

    server = %{
      name: opts[:name],
      tasks: opts[:tasks],
      work: opts[:work] || (&work(&1, &2, &3, opts)),
      state: nil,
      task: nil
    }

    {:ok, apply_effects(State.new(encoder), server)}
  end

  @impl GenServer
  def handle_call(:refresh, from, server),
    do: {:noreply, apply_effects(State.refresh(server.state, from), server)}

  def handle_call(:status, _from, server), do: {:reply, State.status(server.state), server}

  @impl GenServer
  def handle_cast({:encoder, encoder}, server),
    do: {:noreply, apply_effects(State.encoder(server.state, encoder), server)}

  @impl GenServer
  def handle_info({ref, result}, %{task: %Task{ref: ref}} = server) do
    Process.demonitor(ref, [:flush])
    {:noreply, apply_effects(State.finished(server.state, result), %{server | task: nil})}
  end

  def handle_info({:DOWN, ref, :process, _pid, reason}, %{task: %Task{ref: ref}} = server) do
    error = Error.new(:panic, "work on the index crashed: #{Exception.format_exit(reason)}")
    {:noreply, apply_effects(State.finished(server.state, {:error, error}), %{server | task: nil})}
  end

  def handle_info(_message, server), do: {:noreply, server}

  @impl GenServer
  def terminate(_reason, server) do
    if server.task, do: Task.shutdown(server.task, :brutal_kill)
    Shared.erase(server.name, :index)
  end

  defp apply_effects({state, effects}, server),
    do: Enum.reduce(effects, %{server | state: state}, &effect/2)

  defp effect({:run, work}, %{state: state} = server) do
    task =
      Task.Supervisor.async_nolink(server.tasks, fn -> server.work.(work, state.index, state.encoder) end)

    %{server | task: task}
  end

  # The result may have come while the task was being stopped; it counts.
  defp effect(:stop, server) do
    result =
      case Task.shutdown(server.task, :brutal_kill) do
        {:ok, result} -> result
        _ -> :stopped
      end

    apply_effects(State.finished(server.state, result), %{server | task: nil})
  end

  defp effect({:publish, result}, server) do
    Shared.put(server.name, :index, result)
    server
  end

  defp effect({:reply, from, result}, server) do
    GenServer.reply(from, result)
    server
  end

  defp work(:open, _index, _encoder, opts), do: Index.open_or_build(opts[:root], index: opts[:index])
  defp work(:update, index, _encoder, _opts), do: Index.update(index)
  defp work(:embed, index, encoder, _opts), do: Index.embed(index, encoder)

  defp work(:save, index, _encoder, opts),
    do: Index.save(index, opts[:index] || Index.default_path(opts[:root]))
end
