defmodule Aludel.Sandbox.ProjectTest do
  use ExUnit.Case, async: true

  alias Aludel.Error
  alias Aludel.Sandbox.{Fixture, Project}

  @moduletag timeout: 240_000
  @failing "Tiny.CartTest: test total/1 multiplies"
  @wrong "price + quantity"
  @mended %{"lib/cart.ex" => Fixture.edited("lib/cart.ex", @wrong, "price * quantity")}

  defp start!(changes \\ %{}, opts \\ []) do
    root = Fixture.create(changes)
    {start_supervised!({Project, [root: root] ++ opts}), root}
  end

  defp states(suite), do: Map.new(suite.tests, &{&1.id, &1.state})
  defp mutant(code), do: %{"lib/cart.ex" => Fixture.edited("lib/cart.ex", @wrong, code)}

  describe "the suite" do
    test "gives each test's state, place, message and frames" do
      {server, root} = start!()
      assert {:ok, %{warnings: []}} = Project.compile(server)
      assert {:ok, suite} = Project.run_tests(server)

      assert states(suite) == %{
               "Tiny.CartTest: doctest Tiny.Cart.double/1 (1)" => :passed,
               "Tiny.CartTest: test total/1 multiplies" => :failed,
               "Tiny.CartTest: test total/1 of nothing is zero" => :passed,
               "Tiny.CartTest: test is excluded" => :excluded,
               "Tiny.CartTest: test is skipped" => :skipped,
               "Tiny.OtherTest: test counts from one in each run" => :passed,
               "Tiny.OtherTest: test macro" => :passed,
               "Tiny.OtherTest: test leaves traces" => :passed
             }

      failed = Enum.find(suite.tests, &(&1.id == @failing))

      assert %{module: "Tiny.CartTest", name: "test total/1 multiplies", file: "test/cart_test.exs", line: 7} =
               failed

      assert failed.message =~ "Cart.total(cart) == 12"
      assert [%{file: "test/cart_test.exs", line: 9, module: "Tiny.CartTest", arity: 1} | _] = failed.frames
      assert failed.covered == nil
      assert suite.killed == [] and suite.coverage == nil and suite.microseconds > 0

      # The state of the application, of processes and of environments is that of a fresh start each time.
      assert {:ok, again} = Project.run_tests(server)
      assert states(again) == states(suite)
      assert File.ls!(root) |> Enum.sort() == ["lib", "mix.exs", "test"]
    end

    test "gives the frames inside the project of a raised error" do
      {server, _} = start!(mutant(~s|raise("price \#{price + quantity}")|))
      {:ok, suite} = Project.run_tests(server, only: [@failing])
      assert [%{state: :failed, message: message, frames: [first | _]}] = suite.tests
      assert message =~ "(RuntimeError) price 7"
      assert %{file: "lib/cart.ex", line: 9, module: "Tiny.Cart"} = first
    end

    test "runs the tests asked for, up to a number of failures" do
      {server, _} = start!()
      {:ok, %{tests: [test]}} = Project.run_tests(server, only: ["Tiny.OtherTest: test macro"])
      assert test.state == :passed
      {:ok, tests} = Project.tests(server)
      assert length(tests) == 8 and hd(tests).file == "test/cart_test.exs"

      assert {:error, %Error{kind: :not_found, message: message}} =
               Project.run_tests(server, only: ["No: test"])

      assert message =~ "No: test"
    end

    test "with coverage tells the lines that each test runs" do
      {server, _} = start!()
      {:ok, suite} = Project.run_tests(server, coverage: :per_test)
      covered = Map.new(suite.tests, &{&1.id, &1.covered})
      # Line 3 is the struct's definition.
      assert covered[@failing] == [{"lib/cart.ex", [5, 8, 9, 10]}]
      assert covered["Tiny.CartTest: test total/1 of nothing is zero"] == [{"lib/cart.ex", [8, 10]}]
      assert covered["Tiny.CartTest: doctest Tiny.Cart.double/1 (1)"] == [{"lib/cart.ex", [19]}]
      assert [{"lib/counter.ex", _}] = covered["Tiny.OtherTest: test counts from one in each run"]
      assert covered["Tiny.CartTest: test is skipped"] == nil
      assert suite.coverage == %{one_by_one: 6, by_module: 0}

      # Afterwards the VM is what it was.
      assert {:ok, %{status: :passed}} = Project.verdict(server, @mended)
    end

    test "covers by module when the time is used up, the failing tests never" do
      many = for n <- 1..40, do: "test \"#{n}\" do\n assert Tiny.Cart.double(#{n}) == #{2 * n}\nend\n"
      text = "defmodule Tiny.ManyTest do\n use ExUnit.Case\n #{many}\nend"
      {server, _} = start!(%{"test/many_test.exs" => text})
      {:ok, suite} = Project.run_tests(server, coverage: :per_test, coverage_budget_ms: 1)
      covered = Map.new(suite.tests, &{&1.id, &1.covered})
      assert covered[@failing] == [{"lib/cart.ex", [5, 8, 9, 10]}]
      assert covered["Tiny.ManyTest: test 1"] == [{"lib/cart.ex", [19]}]
      assert suite.coverage.by_module > 0
      assert suite.coverage.one_by_one + suite.coverage.by_module == 46
    end

    test "goes on after tests that end their VM" do
      text = """
      defmodule Tiny.DeadlyTest do
        use ExUnit.Case
        test "before", do: assert(true)
        test "halts", do: System.halt(0)
        test "between", do: assert(true)
        test "prints", do: Enum.each(Stream.cycle([1]), fn _ -> IO.puts(String.duplicate("x", 1000)) end)
        test "after", do: assert(true)
      end
      """

      {server, _} = start!(%{"test/deadly_test.exs" => text}, limits: [output_kb: 256])
      {:ok, suite} = Project.run_tests(server)
      states = states(suite)
      for name <- ~w(before between after), do: assert(states["Tiny.DeadlyTest: test #{name}"] == :passed)
      for name <- ~w(halts prints), do: assert(states["Tiny.DeadlyTest: test #{name}"] == :failed)
      assert states[@failing] == :failed
      assert map_size(states) == 13
      reasons = Enum.sort(for %{reason: reason, test: "Tiny.DeadlyTest" <> _} <- suite.killed, do: reason)
      assert reasons == [:halted, :output]
    end

    test "names tests invalid whose setup_all fails" do
      text = """
      defmodule Tiny.SetupTest do
        use ExUnit.Case
        setup_all do: raise("no setup")
        test "one", do: :ok
      end
      """

      {server, _} = start!(%{"test/setup_test.exs" => text})
      {:ok, suite} = Project.run_tests(server, only: ["Tiny.SetupTest: test one"])
      assert [%{state: :invalid, message: message}] = suite.tests
      assert message =~ "no setup"
    end
  end

  describe "a verdict" do
    setup do
      {server, root} = start!()
      {:ok, _} = Project.run_tests(server)
      %{server: server, root: root}
    end

    test "on a right change, a wrong one, and none", %{server: server, root: root} do
      before = File.read!(Path.join(root, "lib/cart.ex"))

      assert {:ok, %{status: :passed, compile: :ok, failed: [], passed_count: 6}} =
               Project.verdict(server, @mended)

      # Same size, in the same second.
      assert {:ok, %{status: :failed, failed: [@failing], tests: [_]}} =
               Project.verdict(server, mutant("price - quantity"))

      assert {:ok, %{status: :passed}} = Project.verdict(server, @mended)
      assert {:ok, %{status: :failed, failed: [@failing]}} = Project.verdict(server, %{})
      assert File.read!(Path.join(root, "lib/cart.ex")) == before
    end

    test "on a change that breaks other tests", %{server: server} do
      text = String.replace(@mended["lib/cart.ex"], "x * 2", "x + x + 1")
      {:ok, verdict} = Project.verdict(server, %{"lib/cart.ex" => text})
      assert %{status: :failed, failed: ["Tiny.CartTest: doctest Tiny.Cart.double/1 (1)"]} = verdict
      assert verdict.passed_count >= 1
    end

    test "on what does not compile", %{server: server} do
      for code <- ["price +", "unknown(price)", "%Nope{a: price}"] do
        assert {:ok, %{status: :compile_error, compile: {:error, [error | _]}, tests: []}} =
                 Project.verdict(server, mutant(code))

        assert %{file: "lib/cart.ex", line: line, message: message} = error
        assert line in 7..20 and message != ""
      end

      assert {:ok, %{status: :passed, warnings: []}} = Project.verdict(server, @mended)
      assert {:ok, %{warnings: [warning]}} = Project.verdict(server, mutant("(unused = 1; price * quantity)"))
      assert %{file: "lib/cart.ex", line: 9} = warning
    end

    test "sees changes of macros, structs and new files in tests", %{server: server} do
      macro = "Tiny.OtherTest: test macro"
      opts = [failing: [macro], others: []]
      assert {:ok, %{status: :passed}} = Project.verdict(server, %{}, opts)
      changed = %{"lib/macros.ex" => Fixture.edited("lib/macros.ex", "* 3", "* 4")}
      assert {:ok, %{status: :failed, failed: [^macro]}} = Project.verdict(server, changed, opts)

      moved = %{
        "lib/macros.ex" => "defmodule Tiny.Macros do\n defmacro thrice(x), do: Tiny.Helper.three(x)\nend",
        "lib/helper.ex" => "defmodule Tiny.Helper do\n def three(x), do: quote(do: unquote(x) * 3)\nend"
      }

      assert {:ok, %{status: :passed}} = Project.verdict(server, moved, opts)
      deep = %{moved | "lib/helper.ex" => String.replace(moved["lib/helper.ex"], "* 3", "* 5")}
      assert {:ok, %{status: :failed}} = Project.verdict(server, deep, opts)

      renamed = %{"lib/cart.ex" => Fixture.edited("lib/cart.ex", "items", "things")}
      assert {:ok, %{status: :failed}} = Project.verdict(server, renamed)
      assert {:ok, %{status: :passed}} = Project.verdict(server, @mended)
      assert {:ok, %{status: :failed}} = Project.verdict(server, %{})
    end

    test "on code that hangs", %{server: server} do
      {:ok, verdict} = Project.verdict(server, mutant("Stream.cycle([price]) |> Enum.each(& &1 + quantity)"))
      assert %{status: :failed, failed: [@failing], timeouts: [@failing], killed: nil} = verdict
      assert {:ok, %{status: :passed}} = Project.verdict(server, @mended)
    end

    for {name, reason, code} <- [
          {"halts", :halted, "System.halt(price + quantity)"},
          {"kills its VM", :signal, "System.cmd(\"kill\", [\"-9\", System.pid()]); price + quantity"},
          {"prints without end", :output,
           "Enum.each(Stream.cycle([price + quantity]), fn _ -> IO.puts(String.duplicate(\"x\", 9999)) end)"}
        ] do
      test "on code that #{name}", %{server: server} do
        {:ok, verdict} = Project.verdict(server, mutant(unquote(code)), timeout_per_test: 20_000)

        assert %{status: :failed, failed: [@failing], killed: %{reason: unquote(reason), test: @failing}} =
                 verdict

        assert {:ok, %{status: :passed}} = Project.verdict(server, @mended)
      end
    end

    test "on code that allocates without end", %{root: root} do
      for code <- [
            "Enum.reduce(Stream.cycle([price]), [quantity], &[&1 | &2])",
            "Enum.reduce(Stream.cycle([1_000_000]), [price, quantity], &[:binary.copy(<<1>>, &1) | &2])"
          ] do
        opts = [limits: [memory_mb: 256], timeout_per_test: 60_000, failing: [@failing], others: []]
        {:ok, verdict} = Project.verify(root, mutant(code), opts)
        assert %{status: :failed, failed: [@failing]} = verdict
        # On the heap the process dies alone; in binaries it takes its VM with it.
        assert verdict.killed in [nil, %{reason: :memory, test: @failing}]
      end
    end

    test "on code that forks and writes without end", %{server: server} do
      bomb =
        "System.cmd(\"sh\", [\"-c\", \"for i in $(seq 500); do sleep 100 & done; echo \#{price + quantity}\"]); 1"

      {:ok, verdict} = Project.verdict(server, mutant(bomb), timeout_per_test: 5_000)
      assert %{status: :failed, failed: [@failing]} = verdict

      disk =
        "Enum.each(1..100_000, fn n -> File.write!(\"/tmp/f\#{n}\", :binary.copy(<<price, quantity>>, 1_000_000)) end)"

      {:ok, verdict} = Project.verdict(server, mutant(disk), timeout_per_test: 30_000)
      assert %{status: :failed, failed: [@failing], tests: [test]} = verdict
      assert test.message =~ "no space left on device"
    end

    test "on code that halts or hangs while it compiles", %{server: server} do
      {:ok, verdict} = Project.verdict(server, %{"lib/bad.ex" => "System.halt(0)"})
      assert %{status: :killed, killed: %{reason: :halted, test: nil}, tests: []} = verdict

      hang = %{"lib/bad.ex" => "Process.sleep(:infinity)"}
      {:ok, verdict} = Project.verdict(server, hang, timeout_ms: 1_000)
      assert %{status: :killed, killed: %{reason: :wall_clock, test: nil}} = verdict
      assert {:ok, %{status: :passed}} = Project.verdict(server, @mended)
    end

    test "is the same in a fresh VM", %{root: root} do
      assert {:ok, %{status: :passed, passed_count: 6, failed: []}} = Project.verify(root, @mended)
      assert {:ok, %{status: :failed, failed: [@failing], passed_count: 5}} = Project.verify(root, %{})
    end

    test "refuses paths outside the project", %{server: server} do
      for changes <- [%{"/etc/x" => ""}, %{"../x" => ""}, %{"lib/../../x" => ""}, %{lib: ""}, %{"x" => 1}, []] do
        assert {:error, %Error{kind: :invalid_argument}} = Project.verdict(server, changes)
      end

      assert {:error, %Error{kind: :invalid_argument}} = Project.verdict(server, %{}, no_such_option: 1)
      assert {:error, %Error{kind: :invalid_argument}} = Project.run_tests(server, max_failures: 0)
    end
  end

  describe "code under test cannot" do
    test "reach the network, the home or the project on disk" do
      text = """
      defmodule Tiny.EscapeTest do
        use ExUnit.Case
        test "network", do: assert({:error, _} = :gen_tcp.connect({1, 1, 1, 1}, 80, [], 500))
        test "secrets", do: assert({:error, _} = File.read("/etc/shadow"))
        test "home", do: assert(File.ls!(System.user_home!()) == [])
        test "project", do: assert({:error, :erofs} = File.write("/run/project/mix.exs", ""))
        test "environment", do: assert(System.get_env("ALUDEL_TEST_SECRET_2") == nil)
      end
      """

      System.put_env("ALUDEL_TEST_SECRET_2", "secret")
      on_exit(fn -> System.delete_env("ALUDEL_TEST_SECRET_2") end)
      {server, _} = start!(%{"test/escape_test.exs" => text})
      names = for name <- ~w(network secrets home project environment), do: "Tiny.EscapeTest: test #{name}"
      {:ok, suite} = Project.run_tests(server, only: names)
      for test <- suite.tests, do: assert(test.state == :passed, test.message)
      assert length(suite.tests) == 5
    end

    for {name, bytes} <- [
          {"an answer to no request",
           ":erlang.term_to_binary({1, {:done, {:ok, %{}}, %{cpu_ms: 0, atoms: 0}}})"},
          {"new atoms", "<<131, 119, 12, \"no_such_atom\">>"},
          {"code", ":erlang.term_to_binary({1, fn -> :ok end})"},
          {"noise", "<<1, 2, 3>>"},
          {"a compressed term", ":erlang.term_to_binary(String.duplicate(\"x\", 50_000_000), compressed: 9)"},
          {"too much", ":binary.copy(<<0>>, 20_000_000)"}
        ] do
      test "send #{name} in the driver's name" do
        text = """
        defmodule Tiny.ForgeTest do
          use ExUnit.Case
          test "forges" do
            for port <- Port.list(), Port.info(port, :name) == {:name, 'tcp_inet'} do
              spawn(fn -> :gen_tcp.send(port, #{unquote(bytes)}) end)
            end
            Process.sleep(2_000)
          end
        end
        """

        {server, _} = start!(%{"test/forge_test.exs" => text})
        answer = Project.run_tests(server, only: ["Tiny.ForgeTest: test forges"])
        assert {:error, %Error{kind: :sandbox, message: message}} = answer
        assert message =~ "no honest driver"
        assert {:ok, %{status: :passed}} = Project.verdict(server, @mended, failing: [@failing], others: [])
      end
    end
  end

  describe "what is no testable project" do
    test "is an error of kind :project" do
      umbrella = "defmodule U do\n use Mix.Project\n def project, do: [apps_path: \"apps\"]\nend"

      for {changes, words} <- [
            {%{"mix.exs" => nil}, "not a Mix project"},
            {%{"mix.exs" => "1"}, "defines no Mix project"},
            {%{"mix.exs" => "defmodule X do"}, "missing terminator"},
            {%{"mix.exs" => umbrella}, "umbrella"},
            {%{"test/cart_test.exs" => nil, "test/other_test.exs" => nil}, "has no tests"},
            {%{"test/test_helper.exs" => nil}, "test_helper.exs is missing"},
            {%{"test/cart_test.exs" => "defmodule X do use No end"}, "test files do not compile"},
            {%{"lib/bad.ex" => "defmodule Bad do\n def x, do: y\nend"}, "lib/bad.ex:2"}
          ] do
        root = Fixture.create(changes)

        error =
          with {:ok, server} <- Project.start_link(root: root) do
            {:error, error} = Project.run_tests(server)
            Project.stop(server)
            error
          else
            {:error, error} -> error
          end

        assert %Error{kind: :project} = error
        assert error.message =~ words
      end

      assert {:error, %Error{kind: :project}} = Project.start_link(root: "/no/such/folder")
      assert {:error, %Error{kind: :project}} = Project.start_link(root: "/")

      assert {:error, %Error{kind: :invalid_argument}} =
               Project.start_link(root: "/tmp", limits: [memory_mb: 0])

      assert {:error, %Error{kind: :invalid_argument}} = Project.start_link(roots: "/tmp")
    end

    test "a missing dependency is named" do
      mix =
        "defmodule D do\n use Mix.Project\n def project, do: [app: :tiny, version: \"1.0.0\", deps: [{:nope, \"~> 1.0\"}]]\nend"

      {server, _} = start!(%{"mix.exs" => mix})
      assert {:error, %Error{kind: :project, message: message}} = Project.compile(server)
      assert message =~ "nope" and message =~ "mix deps.get"
    end

    test "without bubblewrap it refuses, or runs if the caller insists" do
      root = Fixture.create()

      assert {:error, %Error{kind: :unavailable, message: message}} =
               Project.start_link(root: root, bubblewrap: "none")

      assert message =~ "apt install bubblewrap"

      opts = [bubblewrap: "none", unsafe_without_isolation: true]
      assert {:ok, %{status: :passed}} = Project.verify(root, @mended, opts)
      assert File.ls!(root) |> Enum.sort() == ["lib", "mix.exs", "test"]
    end
  end

  test "dependencies by path and in deps/ are found" do
    leaf = """
    defmodule NAME.MixProject do
      use Mix.Project
      def project, do: [app: :APP, version: "1.0.0"]
    end
    """

    named = fn name, app -> leaf |> String.replace("NAME", name) |> String.replace("APP", app) end

    neighbour =
      Fixture.create(%{
        "mix.exs" => named.("Near", "near"),
        "lib/cart.ex" => "defmodule Near do\n def one, do: 1\nend"
      })

    mix = """
    defmodule Tiny.MixProject do
      use Mix.Project
      def project, do: [app: :tiny, version: "0.1.0", deps: [{:near, path: "../#{Path.basename(neighbour)}"}, {:far, "~> 1.0"}]]
      def application, do: [mod: {Tiny.Application, []}]
    end
    """

    {server, _} =
      start!(%{
        "mix.exs" => mix,
        "deps/far/mix.exs" => named.("Far", "far"),
        "deps/far/lib/far.ex" => "defmodule Far do\n def two, do: 2\nend",
        "test/deps_test.exs" =>
          "defmodule DepsTest do\n use ExUnit.Case\n test \"both\", do: assert(Near.one() + Far.two() == 3)\nend"
      })

    assert {:ok, %{tests: [%{state: :passed}]}} = Project.run_tests(server, only: ["DepsTest: test both"])

    assert {:ok, %{status: :passed}} =
             Project.verdict(server, @mended, failing: [@failing], others: ["DepsTest: test both"])
  end

  test "two servers work at once, each with a copy of its own" do
    servers = for _ <- 1..2, do: elem(start_second(), 0)

    verdicts =
      servers
      |> Enum.zip([@mended, %{}])
      |> Task.async_stream(fn {server, changes} -> Project.verdict(server, changes) end, timeout: :infinity)
      |> Enum.map(fn {:ok, {:ok, verdict}} -> verdict.status end)

    assert verdicts == [:passed, :failed]
  end

  defp start_second do
    root = Fixture.create()
    {start_supervised!({Project, root: root}, id: root), root}
  end

  describe "nothing is left" do
    defp vms(root) do
      for path <- Path.wildcard("/proc/[0-9]*/cmdline"),
          {:ok, line} <- [File.read(path)],
          line =~ root,
          do: path
    end

    defp wait_until(fun, attempts \\ 500) do
      cond do
        fun.() -> :ok
        attempts == 0 -> flunk("it did not come true")
        true -> receive(do: (:never -> :ok), after: (20 -> wait_until(fun, attempts - 1)))
      end
    end

    test "when the server stops" do
      root = Fixture.create()
      {:ok, server} = Project.start_link(root: root)
      {:ok, _} = Project.compile(server)
      assert vms(root) != []
      Project.stop(server)
      assert vms(root) == []
    end

    @tag :capture_log
    test "when the owner or the caller is killed in the middle of a run" do
      root = Fixture.create(mutant("Process.sleep(:infinity); price + quantity"))
      test = self()

      owner =
        spawn(fn ->
          {:ok, server} = Project.start_link(root: root)
          send(test, {:server, server})
          Project.run_tests(server)
        end)

      assert_receive {:server, server}
      wait_until(fn -> vms(root) != [] end)
      monitor = Process.monitor(server)
      Process.exit(owner, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, _}, 20_000
      wait_until(fn -> vms(root) == [] end)
    end
  end
end
