defmodule Ambix.Sandbox.ProjectTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Wait

  alias Ambix.Error
  alias Ambix.Sandbox.{Fixture, Project}

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

    changes = %{
      "mix.exs" => mix,
      "deps/far/mix.exs" => named.("Far", "far"),
      "deps/far/lib/far.ex" => "defmodule Far do\n def two, do: 2\nend",
      "test/deps_test.exs" =>
        "defmodule DepsTest do\n use ExUnit.Case\n test \"both\", do: assert(Near.one() + Far.two() == 3)\nend"
    }

    {server, _} = start!(changes, allow_paths: [neighbour])

    assert {:ok, %{tests: [%{state: :passed}]}} = Project.run_tests(server, only: ["DepsTest: test both"])

    assert {:ok, %{status: :passed}} =
             Project.verdict(server, @mended, failing: [@failing], others: ["DepsTest: test both"])
  end

  test "a dependency that cannot be compiled here is named, unless it is no part of the program" do
    fails = """
    defmodule Far.MixProject do
      use Mix.Project
      def project, do: [app: :far, version: "1.0.0", compilers: [:far]]
    end

    defmodule Mix.Tasks.Compile.Far do
      use Mix.Task
      def run(_), do: exit({:shutdown, 1})
    end
    """

    compile = fn options ->
      mix = """
      defmodule Tiny.MixProject do
        use Mix.Project
        def project, do: [app: :tiny, version: "0.1.0", deps: [{:far, "~> 1.0"#{options}}]]
      end
      """

      {server, _} = start!(%{"mix.exs" => mix, "lib/application.ex" => nil, "deps/far/mix.exs" => fails})
      Project.compile(server)
    end

    assert {:error, %Error{kind: :project, message: message}} = compile.("")
    assert message =~ "far" and message =~ "MIX_ENV=test mix deps.compile"
    assert {:ok, _} = compile.(", runtime: false")
  end

  describe "a dependency by path" do
    # A neighbour with secrets, and a project that uses it and lists what it sees of it.
    defp neighbours do
      neighbour =
        Fixture.create(%{
          "mix.exs" => """
          defmodule Near.MixProject do
            use Mix.Project
            def project, do: [app: :near, version: File.read!("VERSION"), elixirc_paths: ["source/code"]]
          end
          """,
          "VERSION" => "1.0.0",
          "source/code/near.ex" => "defmodule Near do\n def one, do: 1\nend",
          ".env" => "TOKEN=secret",
          ".git/config" => "secret",
          "keys.json" => "secret",
          "test/secret.exs" => "secret"
        })

      File.ln_s!("/etc", Path.join(neighbour, "priv"))

      project = %{
        "mix.exs" => """
        defmodule Tiny.MixProject do
          use Mix.Project
          def project, do: [app: :tiny, version: "0.1.0", deps: [{:near, path: "../#{Path.basename(neighbour)}"}]]
        end
        """,
        ".git/config" => "secret",
        "lib/application.ex" => nil,
        "lib/counter.ex" => nil,
        "test/other_test.exs" => nil,
        "test/cart_test.exs" => """
        defmodule SeenTest do
          use ExUnit.Case
          test "sees", do: assert Enum.sort(File.ls!("../#{Path.basename(neighbour)}")) == []
          test "history", do: assert Path.wildcard("/run/project/.git/*", match_dot: true) == []
        end
        """
      }

      {project, neighbour}
    end

    test "is seen as far as it is compiled, and the project's history is not" do
      {changes, neighbour} = neighbours()
      {server, _} = start!(changes, allow_paths: [neighbour])
      assert {:ok, %{tests: [seen, history]}} = Project.run_tests(server)
      assert seen.message =~ ~s(["VERSION", "lib", "mix.exs", "source"])
      assert history.state == :passed
    end

    test "is compiled anew only where it changed since the project's tests were compiled" do
      {changes, neighbour} = neighbours()
      Fixture.write(neighbour, "source/code/near.ex", "defmodule Near do\n def one, do: :anew\nend")
      seen = "defmodule SeenTest do\n use ExUnit.Case\n test \"it\", do: assert Near.one() == :built\nend"
      root = Fixture.create(%{changes | "test/cart_test.exs" => seen})
      built = Path.join(root, "_build/test/lib/near")
      code = "defmodule Near do\n def one, do: :built\nend"
      {:module, _, beam, _} = code |> Code.eval_string() |> elem(0)
      for module <- [Near], do: :code.delete(module) && :code.purge(module)
      app = "{application, near, [{vsn, \"1.0.0\"}, {modules, ['Elixir.Near']}]}."
      for folder <- ~w(ebin .mix), do: File.mkdir_p!(Path.join(built, folder))

      for {path, text} <- [
            {"ebin/Elixir.Near.beam", beam},
            {"ebin/near.app", app},
            {".mix/compile.elixir", ""}
          ],
          do: File.write!(Path.join(built, path), text)

      manifest = Path.join(built, ".mix/compile.elixir")

      for {seconds, state} <- [{100, :passed}, {-100, :failed}] do
        File.touch!(manifest, System.os_time(:second) + seconds)
        {:ok, server} = Project.start_link(root: root, allow_paths: [neighbour])
        assert {:ok, %{tests: [%{state: ^state}]}} = Project.run_tests(server)
        Project.stop(server)
      end
    end

    test "outside of the project is refused, by whichever way it is named" do
      {changes, neighbour} = neighbours()
      root = Fixture.create(changes)
      assert {:error, %Error{kind: :project, message: message}} = Project.start_link(root: root)
      assert message =~ neighbour and message =~ "--allow-paths" and message =~ "outside of #{root}"
      assert {:error, %Error{kind: :project}} = Project.start_link(root: root, allow_paths: ["/srv"])

      # A link inside of the project leads out of it, and so does a dependency of an allowed one.
      File.ln_s!(neighbour, Path.join(root, "vendor"))
      through = String.replace(changes["mix.exs"], "../#{Path.basename(neighbour)}", "vendor")
      Fixture.write(root, "mix.exs", through)
      assert {:error, %Error{kind: :project}} = Project.start_link(root: root)

      middle = Fixture.create(%{"mix.exs" => changes["mix.exs"]})

      Fixture.write(
        root,
        "mix.exs",
        String.replace(changes["mix.exs"], Path.basename(neighbour), Path.basename(middle))
      )

      assert {:error, %Error{kind: :project, message: message}} =
               Project.start_link(root: root, allow_paths: [middle])

      assert message =~ neighbour
    end

    test "above the project is seen without the project" do
      outer =
        Fixture.create(%{
          "mix.exs" =>
            "defmodule Outer.MixProject do\n  use Mix.Project\n  def project, do: [app: :outer, version: \"1.0.0\", docs: \"examples\"]\nend\n",
          "lib/cart.ex" => "defmodule Outer do\n  def one, do: 1\nend\n",
          "lib/counter.ex" => nil,
          "lib/application.ex" => nil,
          "lib/macros.ex" => nil
        })

      inner = Path.join(outer, "examples/inner")

      Fixture.write(inner, "mix.exs", """
      defmodule Inner.MixProject do
        use Mix.Project
        def project, do: [app: :inner, version: "1.0.0", deps: [{:outer, path: "../.."}]]
      end
      """)

      Fixture.write(inner, "test/test_helper.exs", "ExUnit.start()")

      Fixture.write(
        inner,
        "test/inner_test.exs",
        "defmodule InnerTest do\n use ExUnit.Case\n test \"one\", do: assert Outer.one() == 1\nend"
      )

      {:ok, server} = Project.start_link(root: inner, allow_paths: [outer])
      assert {:ok, %{tests: [%{state: :passed}]}} = Project.run_tests(server)
      Project.stop(server)
    end
  end

  describe "deadlines and faults" do
    test "a mix.exs that sleeps costs no more than the time that was given" do
      sleeps = Fixture.edited("mix.exs", "defmodule", "Process.sleep(:infinity)\ndefmodule")
      {server, root} = start!(%{"mix.exs" => sleeps})
      started = System.monotonic_time(:millisecond)
      assert {:error, %Error{kind: :timeout}} = Project.compile(server, timeout_ms: 2_000)
      assert {:error, %Error{kind: :timeout}} = Project.run_tests(server, timeout_ms: 2_000)
      assert {:error, %Error{}} = Project.verify(root, %{}, within_ms: 2_000)
      assert System.monotonic_time(:millisecond) - started < 60_000
    end

    test "a server that is warming up ends with who started it" do
      root =
        Fixture.create(%{
          "mix.exs" => Fixture.edited("mix.exs", "defmodule", "Process.sleep(:infinity)\ndefmodule")
        })

      owner =
        spawn(fn ->
          {:ok, server} = Project.start_link(root: root)
          Project.warm_up(server)
          receive(do: (:never -> :ok))
        end)

      wait_until(fn -> processes(root) != [] end)
      Process.exit(owner, :kill)
      wait_until(fn -> processes(root) == [] end)
    end

    @tag :capture_log
    test "a bug of ours is an error, and nobody dies of it" do
      {server, root} = start!()
      {:ok, _} = Project.run_tests(server)
      bench = :sys.get_state(server)
      :sys.replace_state(server, &%{&1 | baseline: %{"secret" => %{}}})

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          assert {:error, %Error{kind: :panic, message: message}} = Project.verdict(server, @mended)
          refute message =~ "secret"
        end)

      refute log =~ "secret"
      :sys.replace_state(server, fn _ -> %{bench | session: nil} end)
      assert {:ok, %{status: :passed}} = Project.verdict(server, @mended)
      assert inspect(:sys.get_status(server)) |> String.contains?(root) == false
    end
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
    test "when the server stops" do
      root = Fixture.create()
      {:ok, server} = Project.start_link(root: root)
      {:ok, _} = Project.compile(server)
      assert processes(root) != []
      Project.stop(server)
      assert processes(root) == []
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
      wait_until(fn -> processes(root) != [] end)
      monitor = Process.monitor(server)
      Process.exit(owner, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, _}, 20_000
      wait_until(fn -> processes(root) == [] end)
    end
  end

  for folder <- ["vendor/inner", "deps/inner"] do
    test "a dependency by path may lie inside of the project, in #{folder}" do
      folder = unquote(folder)

      mix = fn app, deps ->
        """
        defmodule #{Macro.camelize(app)}.MixProject do
          use Mix.Project
          def project, do: [app: :#{app}, version: "0.1.0", deps: #{deps}]
        end
        """
      end

      {server, _root} =
        start!(%{
          "mix.exs" => mix.("tiny", ~s([{:inner, path: "#{folder}"}])),
          "lib/application.ex" => nil,
          "lib/counter.ex" => nil,
          "test/other_test.exs" => nil,
          "lib/uses.ex" => "defmodule Uses do\n  def it, do: Inner.value()\nend\n",
          "#{folder}/mix.exs" => mix.("inner", "[]"),
          "#{folder}/lib/inner.ex" => "defmodule Inner do\n  def value, do: 1\nend\n"
        })

      assert {:ok, _} = Project.compile(server), folder
      assert {:ok, %{tests: [_ | _]}} = Project.run_tests(server)
    end
  end
end
