defmodule Ambix.Index.Server do
  @moduledoc false
  # Keeps the index of one folder: opens or builds it, follows the folder, fills vectors in behind it, saves it. It only routes; `State`
  # decides, and the work runs in tasks, so that it answers at any time. Readers do not come here: they find the index in `Ambix.Shared`.

  use GenServer
  use Ambix.Redact

  alias Ambix.{Error, Index, Job, Model, Native, Redact, Shared}
  alias Ambix.Index.Server.State

  @doc """
  Options: `:name` (of the supervision tree), `:root`, `:index` (a file or nil), `:tasks` (a task supervisor), those of
  `Ambix.Index.Tree` and, for tests, `:work`, a function of the work, the index and the encoder.
  """
  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: server(opts[:name]))

  @doc "The process of the tree of that name."
  @spec server(atom) :: atom
  def server(name), do: Module.concat(name, Index)

  @doc "Brings the index up to date with its folder and returns what changed."
  @spec refresh(atom, timeout) :: {:ok, map | :opened} | {:error, Error.t()}
  def refresh(name, timeout \\ :infinity), do: GenServer.call(server(name), :refresh, timeout)

  @doc "Waits for the index to be there."
  @spec await(atom, timeout) :: {:ok, Index.t()} | {:error, Error.t()}
  def await(name, timeout) do
    GenServer.call(server(name), :await, timeout)
  catch
    :exit, {:timeout, _} ->
      {:error, Error.new(:timeout, "the index of #{inspect(name)} was not there after #{timeout} ms")}

    :exit, _ ->
      Shared.get(name, :index)
  end

  @doc "What the server is doing, with the index, if there is one, and where it is kept."
  @spec status(atom) :: map | {:error, Error.t()}
  def status(name), do: call(name, :status)

  @doc "From now on the calling process hears what happens to the index."
  @spec subscribe(atom) :: :ok | {:error, Error.t()}
  def subscribe(name), do: call(name, :subscribe)

  @doc "The calling process hears it no more."
  @spec unsubscribe(atom) :: :ok | {:error, Error.t()}
  def unsubscribe(name), do: call(name, :unsubscribe)

  @doc "Tells the server that there is an encoder."
  @spec encoder(atom, Ambix.Model.Encoder.t()) :: :ok
  def encoder(name, encoder), do: GenServer.cast(server(name), {:encoder, encoder})

  @doc "Tells the server that files at these paths are not what the index says."
  @spec changed(atom, [Path.t()]) :: :ok
  def changed(name, paths), do: GenServer.cast(server(name), {:changed, paths})

  defp call(name, request) do
    GenServer.call(server(name), request)
  catch
    :exit, {reason, _} when reason in [:noproc, :shutdown, :normal] ->
      sentence = "no index is kept by #{inspect(name)}: it was started without one, or not at all"
      {:error, Error.new(:unavailable, sentence)}
  end

  @impl GenServer
  def init(opts) do
    # So that `terminate/2` takes back what was published.
    Process.flag(:trap_exit, true)
    opts = Keyword.update!(opts, :root, &absolute/1)
    Ambix.Compat.set_label({Ambix.Index, opts[:root]})

    # A tree with models offers its encoder; one with nothing but an index may be given a loaded one.
    encoder =
      case {Shared.get(opts[:name], :encoder), opts[:encoder]} do
        {{:ok, encoder}, _} -> encoder
        {_, %Model.Encoder{} = encoder} -> encoder
        _ -> nil
      end

    server = %{
      name: opts[:name],
      opts: opts,
      state: nil,
      task: nil,
      progress: nil,
      watch: nil,
      watching: nil,
      subscribers: %{}
    }

    watch? = Keyword.get(opts, :watch, false) != false
    state = State.new(encoder: encoder, watch: watch?, save_after: if(watch?, do: opts[:save_after], else: 0))
    {:ok, apply_effects(state, server)}
  end

  @impl GenServer
  def handle_call(:refresh, from, server),
    do: {:noreply, apply_effects(State.refresh(server.state, from), server)}

  def handle_call(:await, from, server),
    do: {:noreply, apply_effects(State.await(server.state, from), server)}

  def handle_call(:status, _from, server) do
    root = server.opts[:root]

    status =
      Map.merge(State.status(server.state), %{
        name: server.name,
        progress: server.progress,
        watched: watched(server.watch),
        index: server.state.index,
        root: root,
        store: server.opts[:index] || Index.default_path(root)
      })

    {:reply, status, server}
  end

  def handle_call(:subscribe, {pid, _}, server) do
    monitored = fn -> Process.monitor(pid) end
    {:reply, :ok, %{server | subscribers: Map.put_new_lazy(server.subscribers, pid, monitored)}}
  end

  def handle_call(:unsubscribe, {pid, _}, server) do
    {monitor, subscribers} = Map.pop(server.subscribers, pid)
    if monitor, do: Process.demonitor(monitor, [:flush])
    {:reply, :ok, %{server | subscribers: subscribers}}
  end

  # What nobody asks would end the server, and with it the index; and its state and the request would be logged.
  def handle_call(_request, _from, server),
    do: {:reply, {:error, Error.new(:invalid_argument, "an index server knows no such request")}, server}

  @impl GenServer
  def handle_cast({:encoder, encoder}, server),
    do: {:noreply, apply_effects(State.encoder(server.state, encoder), server)}

  def handle_cast({:changed, paths}, server),
    do: {:noreply, apply_effects(State.changed(server.state, paths, nil), server)}

  def handle_cast(_request, server), do: {:noreply, server}

  @impl GenServer
  def handle_info({ref, result}, %{task: %Task{ref: ref}} = server) do
    Process.demonitor(ref, [:flush])
    {:noreply, over(result, server)}
  end

  def handle_info({:DOWN, ref, :process, _pid, reason}, %{task: %Task{ref: ref}} = server) do
    error = Error.new(:panic, "work on the index crashed: #{Redact.reason(reason)}")
    {:noreply, over({:error, error}, server)}
  end

  def handle_info({ref, {:changed, seen, paths}}, %{watching: ref} = server),
    do: {:noreply, apply_effects(State.changed(server.state, paths, seen), server)}

  # Whether the watch could be started, which was the work that ran.
  def handle_info({ref, {:ok, watch}}, %{watching: ref} = server),
    do: {:noreply, over({:ok, watch}, %{server | watch: watch})}

  def handle_info({ref, {:error, error}}, %{watching: ref} = server),
    do: {:noreply, over({:error, error}, server)}

  def handle_info({:progress, pid, event}, %{task: %Task{pid: pid}} = server),
    do: {:noreply, %{server | progress: event}}

  def handle_info(:quiet, server), do: {:noreply, apply_effects(State.quiet(server.state), server)}

  def handle_info({:DOWN, _ref, :process, pid, _reason}, server),
    do: {:noreply, %{server | subscribers: Map.delete(server.subscribers, pid)}}

  def handle_info(_message, server), do: {:noreply, server}

  @impl GenServer
  def terminate(_reason, server) do
    if server.task, do: Task.shutdown(server.task, :brutal_kill)
    if server.watch, do: Native.watch_stop(server.watch)
    Shared.erase(server.name, :index)
  end

  # `Path.expand/1` asks for the folder that the VM runs in, which may have been deleted, also where the path is absolute.
  defp absolute(root) do
    parts = Path.split(root)

    if Path.type(root) == :absolute and parts -- ["..", "."] == parts,
      do: Path.join(parts),
      else: Path.expand(root)
  end

  defp over(result, server) do
    server = %{server | task: nil, progress: nil}
    apply_effects(State.finished(server.state, result), server)
  end

  defp apply_effects({state, effects}, server),
    do: Enum.reduce(effects, %{server | state: state}, &effect/2)

  # A watch belongs to the process that starts it.
  defp effect({:run, :watch}, %{opts: opts} = server) do
    root = opts[:root]

    with :ok <- Index.Root.check(root, opts[:any_root]),
         {:ok, job} <- Job.start(&Native.watch_start(&1, root, watch_options(opts))) do
      %{server | watching: job.ref}
    else
      {:error, error} -> over({:error, error}, server)
    end
  end

  defp effect({:run, work}, %{state: state, watch: watch, opts: opts} = server) do
    server_pid = self()

    run = fn ->
      progress = &send(server_pid, {:progress, self(), &1})
      work(work, state.index, state.encoder, watch, [{:progress, progress} | opts])
    end

    run = if opts[:work], do: fn -> opts[:work].(work, state.index, state.encoder) end, else: run
    %{server | task: Task.Supervisor.async_nolink(opts[:tasks], run)}
  end

  # The result may have come while the task was being stopped; it counts.
  defp effect(:stop, server) do
    result =
      case Task.shutdown(server.task, :brutal_kill) do
        {:ok, result} -> result
        _ -> :stopped
      end

    over(result, server)
  end

  defp effect({:publish, result}, server) do
    Shared.put(server.name, :index, result)
    server
  end

  defp effect({:reply, from, result}, server) do
    GenServer.reply(from, result)
    server
  end

  defp effect({:tell, event}, server) do
    for pid <- Map.keys(server.subscribers), do: send(pid, {:ambix_index, server.name, event})
    server
  end

  defp effect({:after, ms}, server) do
    Process.send_after(self(), :quiet, ms)
    server
  end

  defp watch_options(opts) do
    %{
      quiet: opts[:quiet],
      max_delay: opts[:max_delay],
      poll: opts[:poll],
      only_poll: opts[:watch] == :poll,
      max_file_bytes: 1_048_576,
      nested_repositories: opts[:nested_repositories] == true
    }
  end

  defp watched(nil), do: nil

  defp watched(watch) do
    {:ok, state} = Native.watch_state(watch)
    state
  end

  # How far the watch has come is asked before anything is read.
  defp work(:open, _index, _encoder, watch, opts) do
    seen = if watch, do: watched(watch).seen

    with {:ok, index, how} <-
           Index.open_last(
             opts[:root],
             Keyword.take(opts, [:index, :progress, :max_memory, :nested_repositories, :any_root])
           ) do
      if watch, do: Native.index_follow(index.resource, watch, if(how == :built, do: seen, else: 0))
      {:ok, index, how}
    end
  end

  defp work({:update, paths, seen}, index, _encoder, _watch, opts) do
    began = System.monotonic_time(:microsecond)
    paths = if paths != :all, do: paths

    with {:ok, changes} <- Index.take_in(index, paths, seen, opts[:progress]) do
      {:ok, Map.put(changes, :ms, (System.monotonic_time(:microsecond) - began) / 1000)}
    end
  end

  defp work(:embed, index, encoder, _watch, opts), do: Index.embed(index, encoder, progress: opts[:progress])

  defp work(:save, index, _encoder, _watch, opts) do
    path = opts[:index] || Index.default_path(opts[:root])
    Index.save(index, path, Keyword.take(opts, [:max_disk]))
  end
end
