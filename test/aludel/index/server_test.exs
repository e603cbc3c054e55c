defmodule Aludel.Index.ServerTest do
  use ExUnit.Case, async: true

  alias Aludel.{Error, Shared}
  alias Aludel.Index.Server
  alias Aludel.Index.Server.State

  @error Error.new(:io, "the disk is gone")
  @nothing %{added: 0, changed: 0, removed: 0, unchanged: 3}
  @something %{added: 1, changed: 0, removed: 0, unchanged: 3}

  describe "the state" do
    defp opened(encoder \\ nil) do
      {state, [{:publish, {:error, %Error{kind: :unavailable}}}, {:run, :open}]} = State.new(encoder)
      State.finished(state, {:ok, :index})
    end

    test "opens, publishes and then has nothing to do" do
      assert {state, [{:publish, {:ok, :index}}]} = opened()
      assert State.status(state) == %{state: :ready, working: nil, error: nil}
    end

    test "fills vectors in behind the index and saves them" do
      assert {state, [{:publish, {:ok, :index}}, {:run, :embed}]} = opened(:encoder)
      assert {state, [{:run, :save}]} = State.finished(state, {:ok, 12})
      assert {%{working: nil}, []} = State.finished(state, :ok)
    end

    test "does not save when all vectors were there" do
      {state, _} = opened(:encoder)
      assert {%{working: nil}, []} = State.finished(state, {:ok, 0})
    end

    test "an encoder that comes later starts the vectors, and one that comes early waits for the index" do
      {state, _} = opened()
      assert {%{working: :embed}, [{:run, :embed}]} = State.encoder(state, :encoder)

      {state, _} = State.new()
      assert {state, []} = State.encoder(state, :encoder)
      assert {_, [{:publish, _}, {:run, :embed}]} = State.finished(state, {:ok, :index})
    end

    test "a refresh answers before anything is saved, and nothing is saved when nothing changed" do
      {state, _} = opened()
      {state, [{:run, :update}]} = State.refresh(state, :me)
      assert {%{working: nil}, [{:reply, :me, {:ok, @nothing}}]} = State.finished(state, {:ok, @nothing})

      {state, [{:run, :update}]} = State.refresh(elem(opened(), 0), :me)
      assert {_, [{:reply, :me, {:ok, @something}}, {:run, :save}]} = State.finished(state, {:ok, @something})
    end

    test "who asks while an update runs waits for the next one" do
      {state, _} = opened()
      {state, [{:run, :update}]} = State.refresh(state, :first)
      {state, []} = State.refresh(state, :second)
      assert {state, [{:reply, :first, {:ok, _}}, {:run, :update}]} = State.finished(state, {:ok, @nothing})
      assert {_, [{:reply, :second, {:ok, _}}]} = State.finished(state, {:ok, @nothing})
    end

    test "a refresh interrupts vectors, which go on after it" do
      {state, _} = opened(:encoder)
      {state, [:stop]} = State.refresh(state, :me)
      {state, [{:run, :update}]} = State.finished(state, :stopped)
      {state, [{:reply, :me, {:ok, _}}, {:run, :save}]} = State.finished(state, {:ok, @nothing})
      assert {%{working: :embed}, [{:run, :embed}]} = State.finished(state, :ok)
    end

    test "an index that cannot be opened is tried again on refresh" do
      {state, _} = State.new()
      assert {state, [{:publish, {:error, @error}}]} = State.finished(state, {:error, @error})
      assert %{state: :failed, error: @error} = State.status(state)
      {state, [{:run, :open}]} = State.refresh(state, :me)

      assert {_, [{:publish, {:ok, :index}}, {:reply, :me, {:ok, :opened}}]} =
               State.finished(state, {:ok, :index})
    end

    test "failed vectors and a failed save are told and not repeated without end" do
      {state, _} = opened(:encoder)
      assert {state, []} = State.finished(state, {:error, @error})
      assert %{state: :ready, error: @error} = State.status(state)
      {state, [{:run, :update}]} = State.refresh(state, :me)
      {state, [_, {:run, :save}]} = State.finished(state, {:ok, @something})
      assert {%{working: :embed}, [{:run, :embed}]} = State.finished(state, {:error, @error})
    end
  end

  describe "the process" do
    setup context do
      name = Module.concat(__MODULE__, "Tree#{System.unique_integer([:positive])}")
      tasks = start_supervised!({Task.Supervisor, name: Module.concat(name, Tasks)})
      test = self()

      # Each piece of work tells the test that it began, and ends as the test says.
      work = fn work, index, encoder ->
        send(test, {:began, work, index, encoder, self()})

        receive do
          {:end, result} -> result
        end
      end

      if context[:encoder], do: Shared.put(name, :encoder, {:ok, context[:encoder]})
      on_exit(fn -> Shared.erase(name, :encoder) end)
      start_supervised!({Server, name: name, root: ".", tasks: tasks, work: work})
      %{name: name}
    end

    defp finish(work, result) do
      assert_receive {:began, ^work, index, encoder, pid}
      send(pid, {:end, result})
      {index, encoder}
    end

    test "offers the index to all once it is open, and takes it back when it ends", %{name: name} do
      assert {:error, %Error{kind: :unavailable, message: "the index is being opened" <> _}} =
               Shared.get(name, :index)

      finish(:open, {:ok, :index})
      call = Task.async(fn -> Server.refresh(name) end)
      finish(:update, {:ok, @nothing})
      assert Task.await(call) == {:ok, @nothing}
      assert Shared.get(name, :index) == {:ok, :index}
      stop_supervised!(Server)
      assert {:error, %Error{kind: :unavailable}} = Shared.get(name, :index)
    end

    @tag encoder: :encoder
    test "answers while vectors are made, and interrupts them for a refresh", %{name: name} do
      finish(:open, {:ok, :index})
      assert_receive {:began, :embed, :index, :encoder, embedding}
      monitor = Process.monitor(embedding)
      assert Server.status(name) == %{state: :ready, working: :embed, error: nil}
      call = Task.async(fn -> Server.refresh(name) end)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}
      finish(:update, {:ok, @something})
      assert Task.await(call) == {:ok, @something}
      finish(:save, :ok)
      assert finish(:embed, {:ok, 0}) == {:index, :encoder}
    end

    @tag :capture_log
    test "work that crashes is an error, and the server goes on", %{name: name} do
      assert_receive {:began, :open, nil, nil, pid}
      Process.exit(pid, :kill)
      call = Task.async(fn -> Server.refresh(name) end)
      finish(:open, {:ok, :index})
      assert Task.await(call) == {:ok, :opened}
    end
  end
end
