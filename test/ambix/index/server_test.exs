defmodule Ambix.Index.ServerTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Wait

  alias Ambix.{Error, Shared}
  alias Ambix.Index.Server
  alias Ambix.Index.Server.State

  @error Error.new(:io, "the disk is gone")
  @unchanged %{added: [], changed: [], removed: [], unchanged: 3, dependencies: false}
  @changed %{@unchanged | added: ["a.ex"]}
  @nothing %{added: 0, changed: 0, removed: 0, unchanged: 3, dependencies: false}
  @something %{@nothing | added: 1}
  @everything {:update, :all, nil}

  describe "the state" do
    # One that was built, which is saved at once.
    defp opened(opts \\ []) do
      {state, [{:publish, {:error, %Error{kind: :unavailable}}}, {:run, :open}]} = State.new(opts)
      {state, [{:publish, {:ok, :index}}, {:tell, %{event: :ready}}, {:run, :save}]} = built(state)
      State.finished(state, :ok)
    end

    defp built(state), do: State.finished(state, {:ok, :index, :built})
    defp told(paths), do: %{event: :updated, changes: Map.delete(%{@changed | added: paths}, :ms), ms: 0}

    test "builds, publishes and saves, and then has nothing to do" do
      assert {state, []} = opened()
      assert %{state: :ready, working: nil, error: nil, pending: 0} = State.status(state)
    end

    test "a saved index is published before it is compared with the folder" do
      {state, _} = State.new()

      assert {state, [{:publish, {:ok, :index}}, {:tell, %{event: :ready}}, {:run, @everything}]} =
               State.finished(state, {:ok, :index, :opened})

      assert %{state: :ready, working: :update, pending: :all} = State.status(state)
      assert {state, []} = State.finished(state, {:ok, @unchanged})
      assert %{pending: 0, last: %{ms: 0, changes: @nothing}} = State.status(state)
    end

    test "who asks while a saved index is opened waits for the folder to be read" do
      {state, _} = State.new()
      {state, []} = State.refresh(state, :me)

      assert {state, [{:publish, _}, {:tell, _}, {:run, @everything}]} =
               State.finished(state, {:ok, :index, :opened})

      assert {_, [{:reply, :me, {:ok, @nothing}}]} = State.finished(state, {:ok, @unchanged})
    end

    test "who awaits the index gets it as soon as there is one, or the error" do
      {state, _} = State.new()
      {state, []} = State.await(state, :me)
      assert {state, [_, {:reply, :me, {:ok, :index}}, _, _]} = State.finished(state, {:ok, :index, :opened})
      assert {_, [{:reply, :you, {:ok, :index}}]} = State.await(state, :you)

      {state, _} = State.new()
      {state, []} = State.await(state, :me)
      assert {state, [_, {:reply, :me, {:error, @error}}, _]} = State.finished(state, {:error, @error})
      assert {_, [{:reply, :you, {:error, @error}}]} = State.await(state, :you)
    end

    test "fills vectors in behind the index and saves them" do
      assert {state, [{:run, :embed}]} = opened(encoder: :encoder)
      assert {state, [{:run, :save}]} = State.finished(state, {:ok, 12})
      assert {%{working: nil}, []} = State.finished(state, :ok)
    end

    test "does not save when all vectors were there" do
      {state, _} = opened(encoder: :encoder)
      assert {%{working: nil}, []} = State.finished(state, {:ok, 0})
    end

    test "an encoder that comes later starts the vectors, and one that comes early waits for the index" do
      {state, _} = opened()
      assert {%{working: :embed}, [{:run, :embed}]} = State.encoder(state, :encoder)

      {state, _} = State.new()
      assert {state, []} = State.encoder(state, :encoder)
      {state, _} = built(state)
      assert {_, [{:run, :embed}]} = State.finished(state, :ok)
    end

    test "a refresh answers before anything is saved, and nothing is saved when nothing changed" do
      {state, _} = opened()
      {state, [{:run, @everything}]} = State.refresh(state, :me)
      assert {%{working: nil}, [{:reply, :me, {:ok, @nothing}}]} = State.finished(state, {:ok, @unchanged})

      {state, [{:run, @everything}]} = State.refresh(elem(opened(), 0), :me)
      told = told(["a.ex"])

      assert {_, [{:reply, :me, {:ok, @something}}, {:tell, ^told}, {:run, :save}]} =
               State.finished(state, {:ok, @changed})
    end

    test "who asks while an update runs waits for the next one" do
      {state, _} = opened()
      {state, [{:run, @everything}]} = State.refresh(state, :first)
      {state, []} = State.refresh(state, :second)

      assert {state, [{:reply, :first, {:ok, _}}, {:run, @everything}]} =
               State.finished(state, {:ok, @unchanged})

      assert {_, [{:reply, :second, {:ok, _}}]} = State.finished(state, {:ok, @unchanged})
    end

    test "a refresh and a change interrupt vectors, which go on after it" do
      for {urgent, update} <- [
            {&State.refresh(&1, :me), @everything},
            {&State.changed(&1, ["b.ex"], 3), {:update, ["b.ex"], 3}}
          ] do
        {state, _} = opened(encoder: :encoder)
        {state, [:stop]} = urgent.(state)
        {state, [{:run, ^update}]} = State.finished(state, :stopped)
        {state, effects} = State.finished(state, {:ok, @unchanged})
        assert List.last(effects) == {:run, :save}
        assert {%{working: :embed}, [{:run, :embed}]} = State.finished(state, :ok)
      end
    end

    test "an index that cannot be opened is tried again on refresh" do
      {state, _} = State.new()
      {state, []} = State.refresh(state, :early)
      failed = {:tell, %{event: :failed, error: @error}}

      assert {state, [{:publish, {:error, @error}}, {:reply, :early, {:error, @error}}, ^failed]} =
               State.finished(state, {:error, @error})

      assert %{state: :failed, error: @error} = State.status(state)
      {state, [{:run, :open}]} = State.refresh(state, :me)

      assert {_, [{:publish, {:ok, :index}}, {:reply, :me, {:ok, :opened}}, _, {:run, :save}]} = built(state)
    end

    test "failed vectors and a failed save are told and not repeated without end" do
      {state, _} = opened(encoder: :encoder)
      assert {state, []} = State.finished(state, {:error, @error})
      assert %{state: :ready, error: @error} = State.status(state)
      {state, [{:run, @everything}]} = State.refresh(state, :me)
      {state, [_, _, {:run, :save}]} = State.finished(state, {:ok, @changed})
      assert {%{working: :embed}, [{:run, :embed}]} = State.finished(state, {:error, @error})
    end

    test "the watch comes before the index, and the index without it" do
      {state, [{:publish, _}, {:run, :watch}]} = State.new(watch: true)
      assert {_, [{:run, :open}]} = State.finished(state, {:ok, :watch})
      assert {state, [{:run, :open}]} = State.finished(state, {:error, @error})
      assert %{state: :opening, error: @error} = State.status(state)
    end

    test "changes that come while one is taken in are the next update, all of them" do
      {state, _} = opened()
      {state, [{:run, {:update, ["a.ex"], 2}}]} = State.changed(state, ["a.ex"], 2)
      {state, []} = State.changed(state, ["c.ex", "b.ex"], 3)
      {state, []} = State.changed(state, ["b.ex", "d.ex"], 4)
      assert State.status(state).pending == 4
      {state, effects} = State.finished(state, {:ok, @unchanged})
      assert effects == [{:run, {:update, ["b.ex", "c.ex", "d.ex"], 4}}]
      {state, []} = State.changed(state, ["e.ex"], 5)
      {state, []} = State.changed(state, :all, 6)
      assert State.status(state).pending == :all
      assert {state, [{:run, @everything}]} = State.finished(state, {:ok, @unchanged})
      assert {_, []} = State.finished(state, {:ok, @unchanged})
    end

    test "what could not be taken in is tried again with the next change" do
      {state, _} = opened()
      {state, _} = State.changed(state, ["a.ex"], 2)
      {state, [{:tell, %{event: :failed}}]} = State.finished(state, {:error, @error})
      assert %{pending: 1, error: @error, working: nil} = State.status(state)
      {state, [{:run, {:update, ["a.ex", "b.ex"], 3}}]} = State.changed(state, ["b.ex"], 3)
      assert {state, []} = State.finished(state, {:ok, @unchanged})
      assert %{pending: 0, error: nil} = State.status(state)
    end

    test "changes are saved when it was quiet, once" do
      {state, _} = opened(save_after: 5_000)
      {state, _} = State.changed(state, ["a.ex"], 2)
      {state, [{:tell, _}, {:after, 5_000}]} = State.finished(state, {:ok, @changed})
      {state, _} = State.changed(state, ["a.ex"], 3)
      {state, [{:tell, _}]} = State.finished(state, {:ok, @changed})
      assert {state, [{:run, :save}]} = State.quiet(state)
      # What changes while it is saved is not saved with it.
      {state, []} = State.changed(state, ["a.ex"], 4)
      {state, [{:run, _}]} = State.finished(state, :ok)
      assert {state, [{:tell, _}, {:after, 5_000}]} = State.finished(state, {:ok, @changed})
      assert {_, [{:run, :save}]} = State.quiet(state)
      assert {_, []} = State.quiet(elem(opened(), 0))
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

      finish(:open, {:ok, :index, :built})
      finish(:save, :ok)
      call = Task.async(fn -> Server.refresh(name) end)
      finish(@everything, {:ok, @unchanged})
      assert Task.await(call) == {:ok, @nothing}
      assert Shared.get(name, :index) == {:ok, :index}
      stop_supervised!(Server)
      assert {:error, %Error{kind: :unavailable}} = Shared.get(name, :index)
    end

    @tag encoder: :encoder
    test "answers while vectors are made, and interrupts them for a refresh", %{name: name} do
      finish(:open, {:ok, :index, :built})
      finish(:save, :ok)
      assert_receive {:began, :embed, :index, :encoder, embedding}
      monitor = Process.monitor(embedding)
      assert %{state: :ready, working: :embed, error: nil} = Server.status(name)
      call = Task.async(fn -> Server.refresh(name) end)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}
      # What the vectors were interrupted in is saved after that.
      finish(@everything, {:ok, @changed})
      assert Task.await(call) == {:ok, @something}
      finish(:save, :ok)
      assert finish(:embed, {:ok, 0}) == {:index, :encoder}
    end

    @tag :capture_log
    test "work that crashes is an error, and the server goes on", %{name: name} do
      assert_receive {:began, :open, nil, nil, pid}
      Process.exit(pid, :kill)
      wait_until(fn -> Server.status(name).error != nil end)
      call = Task.async(fn -> Server.refresh(name) end)
      finish(:open, {:ok, :index, :built})
      assert Task.await(call) == {:ok, :opened}
    end

    test "subscribers hear until they leave or end", %{name: name} do
      :ok = Ambix.Index.subscribe(name)
      :ok = Ambix.Index.subscribe(name)
      test = self()

      {other, monitor} =
        spawn_monitor(fn ->
          Ambix.Index.subscribe(name)
          send(test, :subscribed)
          receive(do: (message -> send(test, {:other, message})))
        end)

      assert_receive :subscribed
      finish(:open, {:ok, :index, :built})
      assert_receive {:ambix_index, ^name, %{event: :ready}}
      refute_received {:ambix_index, _, _}
      assert_receive {:other, {:ambix_index, ^name, %{event: :ready}}}
      assert_receive {:DOWN, ^monitor, :process, ^other, :normal}
      :ok = Ambix.Index.unsubscribe(name)
      wait_until(fn -> :sys.get_state(Server.server(name)).subscribers == %{} end)
    end

    test "who waits for the index gets it, or a sentence in time", %{name: name} do
      assert {:error, %Error{kind: :unavailable}} = Ambix.Index.fetch(name)
      assert {:error, %Error{kind: :unavailable}} = Ambix.Index.search(name, "x")
      assert {:ok, %{state: :building, phase: :open, files: 0, root: _}} = Ambix.Index.status(name)
      assert {:error, %Error{kind: :timeout, message: message}} = Ambix.Index.fetch(name, wait: 1)
      assert message =~ "was not there after 1 ms"
      call = Task.async(fn -> Ambix.Index.fetch(name, wait: 60_000) end)
      finish(:open, {:ok, :index, :built})
      assert Task.await(call) == {:ok, :index}
      assert Ambix.Index.fetch(name) == {:ok, :index}
      assert {:error, %Error{kind: :unavailable}} = Ambix.Index.fetch(Nobody, wait: 1)
      assert {:error, %Error{kind: :unavailable}} = Ambix.Index.status(Nobody)
      assert {:error, %Error{kind: :unavailable}} = Ambix.Index.subscribe(Nobody)
      assert {:error, %Error{kind: :unavailable}} = Ambix.Index.search(Nobody, "x")
    end
  end
end
