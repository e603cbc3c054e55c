defmodule Ambix.Model.Holder do
  @moduledoc false
  # Loads a tree's encoder and model and offers them in `Ambix.Shared`. Loading happens after the start, so that an application is up at once; calls
  # to this process wait for it.

  use GenServer

  alias Ambix.{EmbeddingCache, Error, Index, Model, Models, Shared}

  @doc "Options: `:name` (of the tree), `:precision` (of an encoder), `:model` and `:encoder`: nil, a path, a name of the catalogue, or one that is loaded."
  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: server(opts[:name]))

  @doc "The process of the tree of that name."
  @spec server(atom) :: atom
  def server(name), do: Module.concat(name, Model)

  @doc "Waits until everything is loaded and returns what there is of `part` then."
  @spec await(atom, :model | :encoder, timeout) :: {:ok, term} | {:error, Error.t()}
  def await(name, part, timeout \\ :infinity), do: GenServer.call(server(name), {:get, part}, timeout)

  @impl GenServer
  def init(opts) do
    # So that `terminate/2` takes back what was offered.
    Process.flag(:trap_exit, true)
    Ambix.Compat.set_label({Ambix.Model, opts[:name]})

    for part <- parts(opts),
        do:
          Shared.put(
            opts[:name],
            part,
            {:error, Error.new(:unavailable, "the #{part} is being loaded, ask again in a moment")}
          )

    {:ok, opts, {:continue, :load}}
  end

  # The encoder first: it is small, and the index waits for it.
  @impl GenServer
  def handle_continue(:load, opts) do
    for part <- parts(opts) do
      result = load(part, opts[part], opts)
      Shared.put(opts[:name], part, result)
      with {:encoder, {:ok, encoder}} <- {part, result}, do: Index.Server.encoder(opts[:name], encoder)
    end

    {:noreply, opts}
  end

  @impl GenServer
  def handle_call({:get, part}, _from, opts), do: {:reply, Shared.get(opts[:name], part), opts}

  @impl GenServer
  def terminate(_reason, opts), do: Enum.each(parts(opts), &Shared.erase(opts[:name], &1))

  defp parts(opts), do: Enum.filter([:encoder, :model], &opts[&1])

  defp load(:encoder, given, opts) when is_binary(given) do
    with {:ok, path} <- Models.resolve(given) do
      Model.load_encoder(path, precision: opts[:precision] || :fp32, cache: EmbeddingCache.default())
    end
  end

  defp load(:model, given, _opts) when is_binary(given),
    do: with({:ok, path} <- Models.resolve(given), do: Model.load(path))

  defp load(_part, loaded, _opts), do: {:ok, loaded}
end
