defmodule Ambix.RedactTest do
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog

  alias Ambix.{EmbeddingCache, Error, Fix, Graph, Index, JSON, Model, Packages, Redact, Search}

  @secret "the secret text"

  # Crashes a server of ours, which is of the same callbacks as all, and returns what is logged.
  defmodule Server do
    use GenServer
    use Redact
    def start(secret), do: GenServer.start(__MODULE__, secret)
    @impl true
    def init(secret), do: {:ok, secret}
    @impl true
    def handle_call({:crash, :raise, text}, _from, _state), do: raise(text)

    def handle_call({:crash, :match, text}, _from, state),
      do: {:reply, Map.fetch!(%{text => state}, :none), state}

    def handle_call({:crash, :clause, text}, _from, _state), do: only(Process.get(:no_such_key), text)
    def handle_call({:crash, :exit, text}, _from, _state), do: exit({:because, text})
    defp only(:that, text), do: text
  end

  for how <- [:raise, :match, :clause, :exit] do
    test "a server that crashes (#{how}) logs neither its state nor the request" do
      {:ok, server} = Server.start(@secret)
      crash = fn -> catch_exit(GenServer.call(server, {:crash, unquote(how), @secret})) end
      log = capture_log(fn -> crash.() end)
      assert log =~ "terminating"
      refute log =~ @secret
    end
  end

  test "all servers of the library do so" do
    {:ok, modules} = :application.get_key(:ambix, :modules)

    servers =
      for module <- modules,
          behaviours = for({:behaviour, list} <- module.module_info(:attributes), do: list),
          GenServer in List.flatten(behaviours),
          # Part of the driver, which runs in the sandbox, and a line of progress.
          module not in [Ambix.Sandbox.Driver.Formatter, Ambix.CLI.Progress],
          do: module

    assert Index.Server in servers and Model.Server in servers and Ambix.Agent in servers
    for server <- servers, do: assert(function_exported?(server, :format_status, 1), inspect(server))
  end

  test "an unknown request is an error and no crash" do
    name = Module.concat(__MODULE__, Tree)
    start_supervised!({Ambix.Supervisor, name: name, model: %Model{resource: make_ref(), name: "test"}})
    assert {:ok, _} = Model.fetch(name, wait: 5_000)
    server = Model.Server.server(name)
    pid = Process.whereis(server)
    send(server, {:unknown, @secret})
    GenServer.cast(Index.Server.server(name), {:unknown, @secret})
    assert {:ok, _} = Model.Server.await(name, :model)
    assert Process.whereis(server) == pid
  end

  # What is raised is logged with the arguments of the function that no clause fits, so none is.
  test "functions that take texts refuse what is none with an error that does not tell it" do
    index = %Index{resource: make_ref(), root: "/"}
    model = %Model{resource: make_ref(), name: "test"}
    search = Search.new!()
    packages = %Packages{entries: [{nil, index}]}

    calls = [
      fn -> Index.search(@secret, @secret) end,
      fn -> Index.search(index, {@secret}) end,
      fn -> Index.search(index, @secret) end,
      fn -> Index.lookup(index, [@secret]) end,
      fn -> Index.grep(index, %{text: @secret}) end,
      fn -> Index.context(index, {@secret}) end,
      fn -> Index.context({@secret}, @secret) end,
      fn -> Graph.callers(@secret, @secret) end,
      fn -> Graph.callers(index, {@secret}) end,
      fn -> Graph.definition(index, @secret) end,
      fn -> Graph.neighbourhood(index, [@secret | @secret]) end,
      fn -> Graph.impact_of_lines(index, [{@secret, 1, 1} | @secret]) end,
      fn -> Model.generate(@secret, @secret) end,
      fn -> Model.generate(model, {@secret}) end,
      fn -> Model.generate(model, @secret) end,
      fn -> Model.generate(model, [%{role: "user", text: @secret}]) end,
      fn -> Model.generate(model, [%{role: "user", content: @secret} | @secret]) end,
      fn -> Model.start(model, [@secret]) end,
      fn -> Model.score(model, @secret, [@secret | @secret]) end,
      fn -> Model.count_tokens(model, {@secret}) end,
      fn -> Model.embed(model, [@secret]) end,
      fn -> Model.embed(@secret, @secret) end,
      fn -> Search.children(search, 0, [%{payload: 1, prior: 0.5, label: {@secret}}]) end,
      fn -> Search.children(search, 0, [@secret | @secret]) end,
      fn -> Search.verdict(search, 0, {@secret}) end,
      fn -> Search.verdict(search, 0, %{score: @secret}) end,
      fn -> Index.build({@secret}) end,
      fn -> Index.open({@secret}) end,
      fn -> Index.open_or_build({@secret}) end,
      fn -> Index.update(@secret) end,
      fn -> Index.observe(@secret) end,
      fn -> Index.save(@secret, @secret) end,
      fn -> Index.save(index, {@secret}) end,
      fn -> Index.export(@secret, @secret) end,
      fn -> Index.embed(index, @secret) end,
      fn -> Index.embed(@secret, model) end,
      fn -> Index.info(@secret) end,
      fn -> Index.diagnostics({@secret}) end,
      fn -> Index.text(@secret, @secret) end,
      fn -> Index.text(index, {@secret}) end,
      fn -> Graph.diff(index, {@secret}) end,
      fn -> EmbeddingCache.stats(@secret) end,
      fn -> Packages.list({@secret}) end,
      fn -> Packages.open({@secret}) end,
      fn -> Packages.search(@secret, @secret) end,
      fn -> Packages.search(packages, {@secret}) end,
      fn -> Packages.context(@secret, @secret) end,
      fn -> Packages.context(packages, {@secret}) end,
      fn -> Packages.lookup(@secret, @secret) end,
      fn -> Packages.lookup(packages, {@secret}) end,
      fn -> Fix.run({@secret}) end,
      fn -> Fix.apply_patches("/", @secret) end,
      fn -> Fix.apply_patches("/", %{patches: [@secret]}) end,
      fn -> Fix.apply_patches({@secret}, %{patches: []}) end,
      fn -> Search.ask(@secret, 1) end,
      fn -> Search.children(@secret, 0, @secret) end,
      fn -> Search.more(@secret, 0, @secret) end,
      fn -> Search.verdict(@secret, 0, %{note: @secret}) end,
      fn -> Search.trace(@secret) end,
      fn -> Search.trace(search, @secret) end,
      fn -> JSON.encode({@secret}) end,
      fn -> JSON.decode({@secret}) end
    ]

    for {call, nth} <- Enum.with_index(calls) do
      assert {:error, %Error{message: message}} = call.(), "call #{nth}"
      refute message =~ @secret
    end
  end

  test "what is raised because of options shows enough to recognise them, and no more" do
    long = String.duplicate("x", 100) <> @secret

    for call <- [
          fn -> Model.stream(%Model{resource: make_ref(), name: "test"}, "a", stop: long) end,
          fn -> Search.new(long) end,
          # Newer compilers see that this must fail, and would warn.
          fn -> apply(Index.Chunks, :stream, [{@secret}]) end,
          fn -> apply(Ambix.Context, :citations, [{@secret}, []]) end,
          fn -> apply(Ambix.Context, :citations, [@secret, %{}]) end
        ] do
      error = assert_raise ArgumentError, call
      refute error.message =~ @secret
    end
  end
end
