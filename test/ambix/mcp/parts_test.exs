defmodule Ambix.MCP.PartsTest do
  use ExUnit.Case, async: true

  alias Ambix.MCP.{Gate, Outbox, Progress, Queue, Seal}

  describe "the queue" do
    test "lets so many work, so many wait, and no more" do
      {results, queue} = Enum.map_reduce(1..5, Queue.new(2, 2), &Queue.enter(&2, &1))
      assert results == [:start, :start, :wait, :wait, :full]
      assert {[3], queue} = Queue.leave(queue, 1)
      assert {[], queue} = Queue.leave(queue, 4)
      assert {[], queue} = Queue.leave(queue, 2)
      assert {[], queue} = Queue.leave(queue, 3)
      assert {[], ^queue} = Queue.leave(queue, :unknown)
      assert {:start, _} = Queue.enter(queue, 6)
    end
  end

  describe "the gate" do
    test "who ends makes room, working or waiting" do
      gate = start_supervised!({Gate, at_once: 1, waiting: 1})
      test = self()

      enter = fn ->
        spawn(fn ->
          send(test, {self(), Gate.enter(gate)})
          receive(do: (:leave -> Gate.leave(gate)))
        end)
      end

      first = enter.()
      assert_receive {^first, :ok}
      second = enter.()
      wait_for_waiting(gate, 1)
      assert Gate.enter(gate) == :full

      Process.exit(second, :kill)
      wait_for_waiting(gate, 0)
      third = enter.()
      Process.exit(first, :kill)
      assert_receive {^third, :ok}
      refute_received {^second, _}
    end

    defp wait_for_waiting(gate, n),
      do: Ambix.Test.Wait.wait_until(fn -> :sys.get_state(gate).queue.size == n end)
  end

  describe "progress" do
    defp steps(events) do
      Enum.flat_map_reduce(events, Progress.new(), fn event, progress ->
        case Progress.step(progress, event) do
          {:ok, params, progress} -> {[params], progress}
          {:old, progress} -> {[], progress}
        end
      end)
      |> elem(0)
    end

    test "only rises, though each phase counts from the beginning" do
      params =
        steps([
          %{phase: :read, done: 0, total: 10},
          %{phase: :read, done: 5, total: 10},
          %{phase: :read, done: 5, total: 10},
          %{phase: :read, done: 3, total: 10},
          %{phase: :build, done: 0, total: nil},
          %{phase: :build, done: 1, total: 4},
          %{phase: :odd, done: -1, total: :many},
          %{}
        ])

      assert Enum.map(params, & &1["progress"]) == [0, 5, 6]
      assert Enum.map(params, & &1["total"]) == [10, 10, 9]
      assert hd(params)["message"] == "read: 0 of 10"
    end

    test "is told no more often than somebody could look" do
      test = self()
      tell = Progress.limited(&send(test, {:told, &1}))
      for n <- 1..10_000, do: tell.(%{done: n})
      {:messages, messages} = Process.info(self(), :messages)
      assert length(messages) in 1..100
    end
  end

  describe "the seal" do
    test "opens for the same request, in time, unchanged" do
      key = :crypto.strong_rand_bytes(32)
      request = ["tools/call", %{"name" => "a"}]
      text = Seal.close(key, request, %{"round" => 1}, 0)
      assert Seal.open(key, request, text, 1) == {:ok, %{"round" => 1}}
      assert Seal.open(key, request, text, 10_000_000) == :error
      assert Seal.open(key, ["tools/call", %{"name" => "b"}], text, 1) == :error
      assert Seal.open(:crypto.strong_rand_bytes(32), request, text, 1) == :error

      for at <- 0..(byte_size(text) - 1) do
        other = if binary_part(text, at, 1) == "A", do: "B", else: "A"
        changed = binary_part(text, 0, at) <> other <> binary_part(text, at + 1, byte_size(text) - at - 1)
        # The last character may have bits that stand for nothing.
        assert Seal.open(key, request, changed, 1) == :error or at == byte_size(text) - 1
      end

      for text <- ["", "x", "%%%", nil, 1, %{}, String.duplicate("A", 10_000)],
          do: assert(Seal.open(key, request, text, 1) == :error)
    end
  end

  describe "the outbox" do
    test "drops notifications when much waits, and ends who does not take what is more" do
      reader = spawn(fn -> receive(do: (:never -> :ok)) end)
      monitor = Process.monitor(reader)
      outbox = Outbox.new(reader, soft: 100, hard: 1000)
      frame = String.duplicate("x", 60)
      for _ <- 1..5, do: Outbox.put(outbox, :notification, frame)
      assert Process.info(reader, :message_queue_len) == {:message_queue_len, 1}
      for _ <- 1..10, do: Outbox.put(outbox, {:final, 200}, frame)
      assert Process.info(reader, :message_queue_len) == {:message_queue_len, 11}
      for _ <- 1..10, do: Outbox.put(outbox, {:final, 200}, frame)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}
    end
  end
end
