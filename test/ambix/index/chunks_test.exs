defmodule Ambix.Index.ChunksTest do
  # Modules of libraries that are not here are defined for a while.
  use ExUnit.Case, async: false

  alias Ambix.Index
  alias Ambix.Index.{Chunks, Producer}

  @moduletag :tmp_dir

  setup %{tmp_dir: tmp} do
    for n <- 1..25 do
      File.write!(
        Path.join(tmp, "m#{String.pad_leading("#{n}", 2, "0")}.ex"),
        "defmodule M#{n} do\n  @doc \"Number #{n}.\"\n  def number, do: #{n}\n\n  def half(x), do: x / 2 + #{n}\nend\n"
      )
    end

    {:ok, index} = Index.build(tmp)
    {:ok, info} = Index.info(index)
    {:ok, index: index, count: info.chunks, root: tmp}
  end

  defp define(name, quoted) do
    Code.compile_quoted(quoted)

    on_exit(fn ->
      :code.purge(name)
      :code.delete(name)
      :persistent_term.erase({Ambix.Optional, name})
    end)
  end

  defp define_nx do
    define(
      Nx,
      quote do
        defmodule Nx do
          defstruct [:data, :type, :shape]
          def from_binary(data, type), do: %__MODULE__{data: data, type: type, shape: {byte_size(data)}}
          def reshape(tensor, {a, b}) when byte_size(tensor.data) == a * b * 4, do: %{tensor | shape: {a, b}}
        end
      end
    )
  end

  defp define_broadway do
    define(
      Broadway.Message,
      quote do
        defmodule Broadway.Message do
          defstruct [:data, :acknowledger, metadata: %{}, batcher: :default, status: :ok]
        end
      end
    )
  end

  defp define_stop do
    :persistent_term.put(__MODULE__, self())

    define(
      Broadway,
      quote do
        defmodule Broadway do
          def stop(name), do: send(:persistent_term.get(unquote(__MODULE__)), {:stopped, name})
        end
      end
    )
  end

  test "a stream has each chunk once, in order, whatever the page", %{index: index, count: count} do
    all = index |> Chunks.stream() |> Enum.to_list()
    assert length(all) == count

    assert Enum.map(all, &{&1.file, &1.line_start}) ==
             all |> Enum.map(&{&1.file, &1.line_start}) |> Enum.sort()

    assert %{symbol: "M1.number/0", kind: "function", text: text, header: header} =
             Enum.find(all, &(&1.symbol == "M1.number/0"))

    assert text =~ "Number 1." and header =~ "m01.ex"

    for page <- [1, 7, count, 5000], do: assert(index |> Chunks.stream(page: page) |> Enum.to_list() == all)
    assert index |> Chunks.stream(page: 3) |> Enum.take(2) == Enum.take(all, 2)
    assert_raise ArgumentError, ~r/:page/, fn -> Chunks.stream(index, page: 0) end
  end

  test "a stream shows the state in which it began", %{index: index, count: count, root: root} do
    Enum.reduce(Chunks.stream(index, page: 1), 0, fn _, seen ->
      if seen == 0 do
        File.rm!(Path.join(root, "m25.ex"))
        {:ok, %{removed: 1}} = Index.update(index)
      end

      seen + 1
    end)
    |> then(&assert &1 == count)

    assert index |> Chunks.stream() |> Enum.count() < count
  end

  test "vectors are a tensor over memory of the library", %{index: index, count: count} do
    define_nx()
    {:ok, %{vectors: tensor, chunks: chunks}} = Chunks.vectors(index)
    assert tensor.shape == {count, 256} and tensor.type == {:f, 32}
    assert chunks == Enum.to_list(0..(count - 1))

    for row <- for(<<row::binary-size(1024) <- tensor.data>>, do: row) do
      length = for <<x::float-32-native <- row>>, reduce: 0.0, do: (sum -> sum + x * x)
      assert_in_delta length, 1.0, 1.0e-4
    end

    # The BEAM has no memory of its own for it.
    before = :erlang.memory(:binary)
    kept = for _ <- 1..200, do: elem(Chunks.vectors(index), 1).vectors.data
    assert :erlang.memory(:binary) - before < 100 * byte_size(hd(kept))
    # It outlives the index.
    assert Enum.uniq(kept) == [tensor.data]
  end

  test "without the library the line for mix.exs is told", %{index: index} do
    assert_raise ArgumentError, ~r/add {:nx, "~> 0.6"}/, fn -> Chunks.vectors(index) end
    assert_raise ArgumentError, ~r/add {:broadway, "~> 1.0"}/, fn -> Producer.init(index: index) end
  end

  test "a producer gives as many messages as are asked for", %{index: index, count: count} do
    define_broadway()
    define_stop()
    {:producer, state} = Producer.init(index: index, then: :stop, broadway: [name: :pipeline])
    {:noreply, [], state} = Producer.handle_demand(0, state)
    {:noreply, messages, state} = Producer.handle_demand(3, state)

    assert [
             %{
               data: %{file: "m01.ex"},
               metadata: %{file: "m01.ex"},
               acknowledger: {_, _, _},
               __struct__: Broadway.Message
             },
             _,
             _
           ] = messages

    {:noreply, rest, state} = Producer.handle_demand(count, state)
    assert Enum.map(messages ++ rest, & &1.data) == index |> Chunks.stream() |> Enum.to_list()

    # More was asked for than there is.
    assert_received :go_on
    {:noreply, [], state} = Producer.handle_info(:go_on, state)
    assert_receive {:stopped, :pipeline}
    assert {:noreply, [], ^state} = Producer.handle_info(:something, state)
  end

  test "a producer can stay when all is given", %{index: index, count: count} do
    define_broadway()
    {:producer, state} = Producer.init(index: index, then: {:send, self()})
    {:noreply, all, state} = Producer.handle_demand(count + 1, state)
    assert length(all) == count
    {:noreply, [], state} = Producer.handle_info(:go_on, state)
    assert_received {Producer, :done}
    {:noreply, [], _} = Producer.handle_demand(10, state)
    refute_received {Producer, :done}
    assert_raise Ambix.Error, fn -> Producer.init(index: :of_nobody) end
    assert_raise ArgumentError, ~r/:index/, fn -> Producer.init([]) end
    assert_raise ArgumentError, ~r/:then/, fn -> Producer.init(index: index, then: :halt) end
  end
end
