defmodule Ambix.Model.Server do
  @moduledoc false
  # Loads a tree's encoder and model and offers them in `Ambix.Shared`. They are loaded after the start, one after the other in tasks, so that
  # an application is up at once and this process answers meanwhile.

  use GenServer
  use Ambix.Redact

  alias Ambix.{EmbeddingCache, Error, Index, Model, Models, Redact, Shared}

  @doc """
  Options: `:name` (of the tree), `:tasks` (a task supervisor), `:precision` (of an encoder), `:model` and `:encoder`: nil, a path, a
  name of the catalogue, or one that is loaded; for tests, `:load`, a function of the part and what was given for it.
  """
  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: server(opts[:name]))

  @doc "The process of the tree of that name."
  @spec server(atom) :: atom
  def server(name), do: Module.concat(name, Model)

  @doc "What the tree of that name has of `part`; while it is loaded, waits for so many milliseconds."
  @spec fetch(atom, :model | :encoder, non_neg_integer) :: {:ok, term} | {:error, Error.t()}
  def fetch(name, part, 0), do: Shared.get(name, part)
  def fetch(name, part, wait), do: await(name, part, wait)

  @doc "Waits until `part` is loaded and returns what there is of it then."
  @spec await(atom, :model | :encoder, timeout) :: {:ok, term} | {:error, Error.t()}
  def await(name, part, timeout \\ :infinity) do
    GenServer.call(server(name), {:get, part}, timeout)
  catch
    :exit, {:timeout, _} ->
      {:error, Error.new(:timeout, "the #{part} of #{inspect(name)} was not loaded after #{timeout} ms")}

    :exit, _ ->
      Shared.get(name, part)
  end

  @impl GenServer
  def init(opts) do
    # So that `terminate/2` takes back what was offered.
    Process.flag(:trap_exit, true)
    Ambix.Compat.set_label({Ambix.Model, opts[:name]})
    parts = parts(opts)

    for part <- parts,
        do:
          Shared.put(
            opts[:name],
            part,
            {:error, Error.new(:unavailable, "the #{part} is being loaded, ask again in a moment")}
          )

    {:ok, next(%{opts: opts, loading: nil, left: parts, waiting: []})}
  end

  @impl GenServer
  def handle_call({:get, part}, from, state) do
    if part in state.left or match?({^part, _task}, state.loading),
      do: {:noreply, %{state | waiting: [{part, from} | state.waiting]}},
      else: {:reply, Shared.get(state.opts[:name], part), state}
  end

  @impl GenServer
  def handle_info({ref, result}, %{loading: {part, %Task{ref: ref}}} = state) do
    Process.demonitor(ref, [:flush])
    {:noreply, loaded(part, result, state)}
  end

  def handle_info({:DOWN, ref, :process, _pid, reason}, %{loading: {part, %Task{ref: ref}}} = state) do
    error = Error.new(:panic, "loading the #{part} crashed: #{Redact.reason(reason)}")
    {:noreply, loaded(part, {:error, error}, state)}
  end

  def handle_info(_message, state), do: {:noreply, state}

  @impl GenServer
  def terminate(_reason, %{opts: opts, loading: loading}) do
    with {_part, task} <- loading, do: Task.shutdown(task, :brutal_kill)
    Enum.each(parts(opts), &Shared.erase(opts[:name], &1))
  end

  # The encoder first: it is small, and the index waits for it.
  defp parts(opts), do: Enum.filter([:encoder, :model], &opts[&1])

  defp next(%{left: []} = state), do: %{state | loading: nil}

  defp next(%{left: [part | left], opts: opts} = state) do
    load = opts[:load] || fn part, given -> load(part, given, opts) end
    task = Task.Supervisor.async_nolink(opts[:tasks], fn -> load.(part, opts[part]) end)
    %{state | loading: {part, task}, left: left}
  end

  defp loaded(part, result, %{opts: opts} = state) do
    Shared.put(opts[:name], part, result)
    with {:encoder, {:ok, encoder}} <- {part, result}, do: Index.Server.encoder(opts[:name], encoder)
    {served, waiting} = Enum.split_with(state.waiting, &match?({^part, _from}, &1))
    for {_part, from} <- served, do: GenServer.reply(from, result)
    next(%{state | waiting: waiting})
  end

  defp load(:encoder, given, opts) when is_binary(given) do
    with {:ok, path} <- Models.resolve(given) do
      Model.load_encoder(path, precision: opts[:precision] || :fp32, cache: EmbeddingCache.default())
    end
  end

  defp load(:model, given, _opts) when is_binary(given),
    do: with({:ok, path} <- Models.resolve(given), do: Model.load(path))

  defp load(_part, loaded, _opts), do: {:ok, loaded}
end
