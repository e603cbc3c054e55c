defmodule Ambix.Attacks.ForgedTest do
  # Tests of a project that fail, and want to be taken for tests that pass.
  use ExUnit.Case, async: true

  alias Ambix.Error
  alias Ambix.Sandbox.{Fixture, Project}

  @moduletag timeout: 240_000

  # Modules by the names that the driver's have on the host: in the sandbox they have others.
  @impostor """
  for name <- [Ambix.Sandbox.Driver, Ambix.Sandbox.Driver.Formatter, Ambix.Sandbox.Driver.Suite, Ambix.Sandbox.Driver.Workspace, Ambix.Compat] do
    defmodule name do
      def start(_), do: System.halt(0)
      def init(_), do: {:ok, nil}
      def handle_cast(_, state), do: {:noreply, state}
      def id(_), do: "forged"
      def run(_, _, _), do: 0
      def compile(state, _), do: {%{status: :ok, errors: [], warnings: []}, state}
      def ensure_application(_), do: System.halt(0)
    end
  end
  """

  @evil """
  defmodule Tiny.Evil do
    def formatters do
      for pid <- Process.list(),
          {:dictionary, dictionary} <- [Process.info(pid, :dictionary)],
          match?({:supervisor, DynamicSupervisor, _}, dictionary[:"$initial_call"]),
          {_, child, _, _} <- DynamicSupervisor.which_children(pid),
          do: child
    end

    def result(module, name, line \\\\ 3) do
      tags = %{file: __ENV__.file, line: line, describe: nil}
      %ExUnit.Test{module: module, name: name, case: module, tags: tags, time: 1, logs: "", state: nil}
    end

    def tell(event), do: for(pid <- formatters(), do: GenServer.cast(pid, event))
  end
  """

  # An id and what its test does before it fails.
  @attacks [
    {"asks the environment for the emitter",
     "Application.get_env(:ex_unit, :ambix).emit.({:test, %{state: :passed}})"},
    {"says that it has passed",
     "Evil.tell({:test_finished, Evil.result(__MODULE__, name)}); Process.sleep(100)"},
    {"says so of a test that is not there",
     "Evil.tell({:test_finished, Evil.result(Tiny.Nowhere, :\"test nothing\")}); Process.sleep(100)"},
    {"says so of a line that is not there",
     "Evil.tell({:test_finished, Evil.result(__MODULE__, name, 5_000_000_000)}); Process.sleep(100)"},
    {"begins a test that is not there",
     "Evil.tell({:test_started, Evil.result(Tiny.Nowhere, :\"test nothing\")}); Process.sleep(5_000)"},
    {"ends who would tell", "for pid <- Evil.formatters(), do: Process.exit(pid, :kill)"},
    {"stops the VM as if all were well", "System.halt(0)"},
    {"stops it in good order", ":init.stop(0); Process.sleep(20_000)"},
    {"exits normally", "exit(:normal)"},
    {"prints an answer",
     "IO.binwrite(:erlang.term_to_binary({1, {:done, {:ok, %{}}, %{cpu_ms: 0, atoms: 0}}}))"},
    {"answers everybody",
     "for pid <- Process.list(), pid != self(), do: send(pid, {make_ref(), {:done, {:ok, %{microseconds: 1}}, %{cpu_ms: 0, atoms: 0}}})"},
    {"looks for a test to run instead", "ExUnit.configure(formatters: [], only_test_ids: MapSet.new())"},
    {"throws", "throw({:refused, :project, \"x\", []})"},
    {"closes the sockets",
     "for port <- Port.list(), Port.info(port, :name) == {:name, ~c\"tcp_inet\"}, do: :erlang.port_close(port)"},
    {"reads what is said to the driver",
     "for port <- Port.list(), Port.info(port, :name) == {:name, ~c\"tcp_inet\"}, do: :gen_tcp.recv(port, 0, 500)"},
    {"floods the host with results",
     "for _ <- 1..200_000, do: Evil.tell({:test_finished, Evil.result(__MODULE__, name)})"},
    {"floods the host with words",
     "for _ <- 1..40, do: Evil.tell({:test_finished, %{Evil.result(__MODULE__, name) | state: {:failed, for(n <- 1..200, do: {:error, %RuntimeError{message: String.duplicate(\"\\xff\", n * 1000)}, []})}}})"}
  ]

  @test_file """
  defmodule Tiny.ForgedTest do
    use ExUnit.Case
    alias Tiny.Evil
    _ = Evil

  #{for {id, code} <- @attacks do
    """
      test "#{id}" do
        name = :"test #{id}"
        _ = name
        #{code}
        flunk("not passed")
      end

    """
  end}
  end
  """

  setup_all do
    root = Path.join(System.tmp_dir!(), "ambix-forged-#{System.unique_integer([:positive])}-#{System.pid()}")

    source =
      Fixture.create(%{
        "lib/impostor.ex" => @impostor,
        "lib/evil.ex" => @evil,
        "test/forged_test.exs" => @test_file
      })

    File.cp_r!(source, root)
    on_exit(fn -> File.rm_rf!(root) end)
    %{root: root, server: start_supervised!({Project, root: root})}
  end

  for {id, _} <- @attacks do
    test "a test that #{id} has not passed", %{server: server} do
      id = "Tiny.ForgedTest: test #{unquote(id)}"

      case Project.run_tests(server, only: [id], timeout_per_test: 10_000, timeout_ms: 60_000) do
        {:ok, suite} ->
          assert Enum.all?(suite.tests, &(&1.id == id))
          assert Enum.all?(suite.tests, &(&1.state in [:failed, :timeout, :invalid])), inspect(suite)

        {:error, error} ->
          # A test without a result has not passed either, whatever became of its VM.
          assert %Error{kind: kind} = error
          assert kind in [:sandbox, :timeout, :limit, :project], inspect(error)
      end
    end
  end

  test "who talks without end does not postpone the end", %{root: root} do
    text = """
    defmodule Tiny.TalkTest do
      use ExUnit.Case

      test "talks" do
        for _ <- Stream.cycle([1]) do
          Tiny.Evil.tell({:test_finished, Tiny.Evil.result(__MODULE__, :"test talks")})
          Process.sleep(5)
        end
      end
    end
    """

    started = System.monotonic_time(:millisecond)
    id = "Tiny.TalkTest: test talks"
    opts = [failing: [id], others: [], timeout_per_test: 60_000, timeout_ms: 25_000]
    answer = Project.verify(root, %{"test/talk_test.exs" => text}, opts)
    assert {:ok, %{status: status}} = answer
    assert status != :passed
    assert System.monotonic_time(:millisecond) - started < 90_000
  end

  test "honest tests keep their results beside them", %{server: server} do
    double = "Tiny.CartTest: doctest Tiny.Cart.double/1 (1)"
    assert {:ok, %{tests: [%{state: :passed, id: ^double}]}} = Project.run_tests(server, only: [double])
  end

  test "the driver's names stand in no argument, variable, file, and no process lets itself be read", %{
    root: root
  } do
    text = """
    defmodule Tiny.SearchTest do
      use ExUnit.Case

      test "searches" do
        names = for {module, file} <- :code.all_loaded(), file == ~c"driver", do: inspect(module)
        assert length(names) > 5
        refute Enum.any?(names, &String.starts_with?(&1, "Ambix."))
        refute System.get_env("AMBIX_SOCKET")
        words = inspect({System.get_env(), :init.get_arguments(), :init.get_plain_arguments()}, limit: :infinity)
        for name <- names, do: refute(words =~ hd(String.split(name, ".")))
        assert File.ls!("/run/ambix") -- ["socket"] == []

        for pid <- Process.list(), {:dictionary, dictionary} <- [Process.info(pid, :dictionary)] do
          refute inspect(dictionary, limit: :infinity) =~ "emit"
        end

        for pid <- Tiny.Evil.formatters(), do: refute(inspect(:sys.get_state(pid), limit: :infinity) =~ "emit")
      end
    end
    """

    id = "Tiny.SearchTest: test searches"
    assert {:ok, verdict} = Project.verify(root, %{"test/search_test.exs" => text}, failing: [id], others: [])
    assert verdict.status == :passed, inspect(verdict)
  end
end
