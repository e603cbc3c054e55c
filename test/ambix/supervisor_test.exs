defmodule Ambix.SupervisorTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Ambix.{Error, Model}
  alias Ambix.Model.{Encoder, Server}

  # Handles that were never loaded: the tree only passes them on.
  setup do
    %{
      model: %Model{resource: make_ref(), name: "test"},
      encoder: %Encoder{resource: make_ref(), name: "test", dimensions: 3}
    }
  end

  defmodule Answer do
    @behaviour Ambix.Agent

    @impl true
    def init(answer), do: {:ok, answer}

    @impl true
    def step(answer, _emit), do: {:done, answer, answer}
  end

  defp start(opts) do
    name = Module.concat(__MODULE__, "Tree#{System.unique_integer([:positive])}")
    start_supervised!({Ambix.Supervisor, [name: name] ++ opts}, id: name)
    name
  end

  test "a name is required, and a sentence says how to give it" do
    assert_raise ArgumentError,
                 ~r/the :name option is required to start Ambix, as in {Ambix, name: MyApp.Ambix/,
                 fn ->
                   Ambix.Supervisor.start_link(root: ".")
                 end
  end

  test "unknown options are refused before anything is started" do
    assert_raise ArgumentError, ~r/unknown option :rooot, did you mean :root\?/, fn ->
      Ambix.Supervisor.start_link(name: Unstarted, rooot: ".")
    end

    assert Process.whereis(Unstarted) == nil
  end

  test "two trees live beside each other, each with its own model", %{model: model, encoder: encoder} do
    one = start(model: model)
    two = start(encoder: encoder)
    assert Server.await(one, :model) == {:ok, model}
    assert Server.await(two, :encoder) == {:ok, encoder}
    assert Ambix.Supervisor.model(one) == {:ok, model}
    assert {:error, %Error{kind: :unavailable, message: message}} = Ambix.Supervisor.model(two)
    assert message =~ "no model is offered by #{inspect(two)}"
  end

  # Of its processes those that clean up are ours; OTP's own supervisors do report it.
  @tag :tmp_dir
  test "a tree that is killed takes back what it offered, and its servers report no crash", context do
    name = Module.concat(__MODULE__, "Killed")
    servers = [Server.server(name), Ambix.Index.Server.server(name)]
    Process.flag(:trap_exit, true)

    log =
      capture_log(fn ->
        opts = [root: context.tmp_dir, index: Path.join(context.tmp_dir, "my.index"), model: context.model]
        {:ok, tree} = Ambix.Supervisor.start_link([name: name] ++ opts)
        assert {:ok, _} = Server.await(name, :model)
        # OTP's own are waited for, so that what they report is not printed.
        all = servers ++ [Module.concat(name, Tasks), Module.concat(name, Agents)]
        monitors = for process <- all, do: process |> Process.whereis() |> Process.monitor()
        Process.exit(tree, :kill)
        for monitor <- monitors, do: assert_receive({:DOWN, ^monitor, :process, _, :killed}, 5_000)
      end)

    for server <- servers, do: refute(log =~ inspect(server))
    assert {:error, %Error{kind: :unavailable}} = Ambix.Supervisor.model(name)
    assert {:error, %Error{kind: :unavailable}} = Ambix.Supervisor.index(name)
  end

  test "what was offered is taken back when the tree stops", %{model: model} do
    name = start(model: model)
    assert {:ok, _} = Server.await(name, :model)
    stop_supervised!(name)
    assert {:error, %Error{kind: :unavailable}} = Ambix.Supervisor.model(name)
    assert {:error, %Error{kind: :unavailable}} = Ambix.Supervisor.index(name)
  end

  test "a model that cannot be found is an error for those who ask, and the tree stays up" do
    name = start(model: "no/such/model.gguf")
    assert {:error, %Error{kind: :not_found}} = Server.await(name, :model)
    assert Ambix.Supervisor.model(name) == Server.await(name, :model)
    assert Process.whereis(name)
  end

  test "a model that is still loaded is waited for, as long as is said, and others are not kept waiting", %{
    model: model,
    encoder: encoder
  } do
    test = self()

    load = fn part, given ->
      send(test, {:loading, part, self()})
      receive(do: (:go_on -> {:ok, given}))
    end

    # The supervision tree gives these options to the model server.
    name = Module.concat(__MODULE__, "Models#{System.unique_integer([:positive])}")
    start_supervised!({Task.Supervisor, name: Module.concat(name, Tasks)}, id: :tasks)
    opts = [name: name, tasks: Module.concat(name, Tasks), model: model, encoder: encoder, load: load]
    start_supervised!({Server, opts}, id: :models)

    assert_receive {:loading, :encoder, encoders}
    assert {:error, %Error{kind: :unavailable}} = Model.fetch(name)
    assert {:error, %Error{kind: :unavailable}} = Model.generate(name, "text")
    assert {:error, %Error{kind: :timeout, message: sentence}} = Model.fetch_encoder(name, wait: 1)
    assert sentence == "the encoder of #{inspect(name)} was not loaded after 1 ms"

    waiting = Task.async(fn -> Model.fetch_encoder(name, wait: 60_000) end)
    send(encoders, :go_on)
    assert Task.await(waiting) == {:ok, encoder}

    # The encoder is there for those who want it, though the model is not.
    assert_receive {:loading, :model, models}
    assert Ambix.encoder(name) == {:ok, encoder}
    assert Ambix.encoder(name, wait: 60_000) == {:ok, encoder}
    assert {:error, %Error{kind: :timeout}} = Ambix.model(name, wait: 1)

    # What crashes is an error for those who wait, without what it crashed on.
    waiting = Task.async(fn -> Ambix.model(name, wait: 60_000) end)

    ExUnit.CaptureLog.capture_log(fn -> Process.exit(models, {:badmatch, "secret"}) && Task.await(waiting) end)

    assert {:error, %Error{kind: :panic, message: sentence}} = Ambix.model(name, wait: 60_000)
    assert sentence =~ "loading the model crashed"
    refute sentence =~ "secret"
  end

  test "the model server comes back after a crash, with what it held", %{model: model} do
    name = start(model: model)
    {:ok, _} = Server.await(name, :model)
    server = Process.whereis(Server.server(name))
    monitor = Process.monitor(server)
    Process.exit(server, :kill)
    assert_receive {:DOWN, ^monitor, :process, _, :killed}
    assert await_other(name, server) == {:ok, model}
  end

  # The supervisor restarts it on its own time, which its answers mark.
  defp await_other(name, old) do
    Supervisor.which_children(name)

    if Process.whereis(Server.server(name)) in [old, nil],
      do: await_other(name, old),
      else: Server.await(name, :model)
  end

  @tag :tmp_dir
  test "the index of a folder is offered, and follows the folder when asked to", %{tmp_dir: tmp} do
    root = Path.join(tmp, "code")
    file = Path.join(tmp, "code.ambix")
    File.mkdir_p!(root)
    File.write!(Path.join(root, "a.ex"), "defmodule A do\n  def apple(x), do: x\nend\n")

    name = start(root: root, index: file)
    # Whoever waits is served once the index is open.
    assert {:ok, _} = Ambix.Index.Server.refresh(name)
    assert {:ok, index} = Ambix.Supervisor.index(name)
    assert {:ok, %{results: [%{file: "a.ex"} | _]}} = Ambix.Index.search(index, "apple")

    File.write!(Path.join(root, "b.ex"), "defmodule B do\n  def banana(x), do: x\nend\n")
    assert {:ok, %{added: 1, unchanged: 1}} = Ambix.Index.Server.refresh(name)
    assert {:ok, %{results: [%{file: "b.ex"} | _]}} = Ambix.Index.search(index, "banana")
    assert {:ok, %{results: [%{file: "b.ex", fit: "exact"}]}} = Ambix.Index.lookup(index, "B.banana/1")
    assert {:ok, %{lines: [%{file: "b.ex", line: 2}]}} = Ambix.Index.grep(index, "banana")

    # The server answers in order: what it saved is on disk by the next answer but one.
    assert {:ok, %{added: 0}} = Ambix.Index.Server.refresh(name)
    assert {:ok, saved} = Ambix.Index.open(file)
    assert {:ok, %{files: 2}} = Ambix.Index.info(saved)
  end

  test "agents run under the tree" do
    name = start([])
    {:ok, agent} = Ambix.Supervisor.start_agent(name, Answer, 42)
    assert Ambix.Agent.await(agent) == {:ok, 42}
    assert [{_, ^agent, _, _}] = DynamicSupervisor.which_children(Module.concat(name, Agents))
  end
end
