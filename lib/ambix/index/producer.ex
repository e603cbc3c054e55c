defmodule Ambix.Index.Producer do
  @moduledoc """
  A producer of [Broadway](https://hexdocs.pm/broadway) whose messages hold the chunks of an index (`t:Ambix.Index.Chunks.chunk/0`): no
  more than are asked for, however large the tree is.

      Broadway.start_link(MyApp.Describe,
        name: MyApp.Describe,
        producer: [module: {Ambix.Index.Producer, index: index}, concurrency: 1],
        processors: [default: [concurrency: 4]]
      )

  `index` is an `Ambix.Index` or the name of one; it is read in the state in which the producer begins. Each producer gives all of it,
  so there should be one.

  After the last chunk the producer stays and gives nothing more. With `then: :stop` the pipeline ends once all chunks are worked on; under
  a supervisor its child specification then needs `restart: :transient`, or it begins anew. With `then: {:send, pid}` the process gets
  `{Ambix.Index.Producer, :done}` when the last chunk is given.

  Without Broadway the same is `Ambix.Index.Chunks.stream/2` with `Task.async_stream/3`.
  """

  alias Ambix.{Index, Optional, Options}
  alias Ambix.Index.Chunks

  @options [
    index: [type: :any, required: true, doc: "an index or the name of one"],
    then: [
      type: {:custom, __MODULE__, :then, []},
      default: :wait,
      doc: "what happens after the last chunk: `:wait`, `:stop` or `{:send, pid}`"
    ],
    # What Broadway adds by itself.
    broadway: [type: :any, default: nil, doc: "the options of the pipeline"]
  ]

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [init: @options]

  @doc false
  def then(then) when then in [:wait, :stop], do: {:ok, then}
  def then({:send, pid}) when is_pid(pid), do: {:ok, {:send, pid}}
  def then(_), do: {:error, "`:wait`, `:stop` or `{:send, pid}`"}

  @doc false
  def init(opts) do
    Optional.require!(Broadway.Message, {:broadway, "~> 1.0"})
    opts = Options.validate!(opts, @options)
    then = with :stop <- opts[:then], do: {:stop, opts[:broadway][:name]}
    {:producer, %{index: Chunks.snapshot(index!(opts[:index])), next: 0, asked: 0, then: then}}
  end

  @doc false
  def handle_demand(demand, state), do: give(%{state | asked: state.asked + demand})

  @doc false
  # What others send to it, such as those that it was subscribed to, means nothing here.
  def handle_info(:go_on, state), do: give(state)
  def handle_info(_message, state), do: {:noreply, [], state}

  defp give(%{asked: 0} = state), do: {:noreply, [], state}

  defp give(state) do
    case Chunks.page(state.index, state.next, min(state.asked, 1000)) do
      [] ->
        finish(state.then)
        {:noreply, [], %{state | asked: 0, then: :wait}}

      chunks ->
        given = length(chunks)
        state = %{state | next: state.next + given, asked: state.asked - given}
        # What is still asked for is given in the next turn, after what else came in.
        if state.asked > 0, do: send(self(), :go_on)
        {:noreply, Enum.map(chunks, &message/1), state}
    end
  end

  defp finish(:wait), do: :ok
  # Not here, for the pipeline waits for its producers when it ends.
  defp finish({:stop, name}), do: spawn(Broadway, :stop, [name])
  defp finish({:send, pid}), do: send(pid, {__MODULE__, :done})

  defp message(chunk) do
    struct!(Broadway.Message,
      data: chunk,
      metadata: %{file: chunk.file},
      acknowledger: {Broadway.NoopAcknowledger, nil, nil}
    )
  end

  defp index!(%Index{} = index), do: index

  defp index!(name) when is_atom(name) do
    case Index.fetch(name) do
      {:ok, index} -> index
      {:error, error} -> raise error
    end
  end
end
