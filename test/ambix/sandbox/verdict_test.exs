defmodule Ambix.Sandbox.VerdictTest do
  use ExUnit.Case, async: true

  alias Ambix.Error
  alias Ambix.Sandbox.{Fixture, Project}

  @moduletag timeout: 240_000
  @failing "Tiny.CartTest: test total/1 multiplies"
  @wrong "price + quantity"
  @mended %{"lib/cart.ex" => Fixture.edited("lib/cart.ex", @wrong, "price * quantity")}

  defp start!(changes \\ %{}) do
    root = Fixture.create(changes)
    {start_supervised!({Project, root: root}), root}
  end

  # Read when they are compiled: a source in Erlang and a resource.
  @rates %{
    "src/tiny_rate.erl" => "-module(tiny_rate).\n-export([rate/0]).\nrate() -> 1.\n",
    "priv/rate.txt" => "1",
    "lib/rate.ex" => """
    defmodule Tiny.Rate do
      @external_resource "priv/rate.txt"
      @rate File.read!("priv/rate.txt")
      def rate, do: @rate
    end
    """,
    "test/rate_test.exs" => """
    defmodule Tiny.RateTest do
      use ExUnit.Case
      test "Erlang", do: assert(:tiny_rate.rate() == 2)
      test "resource", do: assert(Tiny.Rate.rate() == "2")
    end
    """
  }

  test "verdicts on changes of one size within a second, of Erlang and of a resource" do
    {server, _root} = start!(@rates)

    for {path, name} <- [{"src/tiny_rate.erl", "Erlang"}, {"priv/rate.txt", "resource"}],
        rate <- [1, 2, 3, 2, 1, 2] do
      changes = %{path => String.replace(@rates[path], "1", "#{rate}")}
      opts = [failing: ["Tiny.RateTest: test #{name}"], others: []]
      assert {:ok, %{status: status}} = Project.verdict(server, changes, opts)
      assert {path, rate, status} == {path, rate, if(rate == 2, do: :passed, else: :failed)}
    end
  end

  test "a warning about types tells where they come from, where the compiler does" do
    {server, root} = start!()
    changes = mutant("(wanted = :none; wanted + price + quantity)")
    assert {:ok, %{warnings: warnings}} = Project.verdict(server, changes, failing: [], others: [])
    refute inspect(warnings) =~ root

    if Version.match?(System.version(), ">= 1.18.0") do
      assert %{file: "lib/cart.ex", line: 9, traces: traces} = Enum.find(warnings, &(&1.traces != []))
      assert %{file: "lib/cart.ex", line: 9} = Enum.find(traces, &(&1.message =~ ":none"))
    else
      assert Enum.all?(warnings, &(&1.traces == []))
    end
  end

  defp mutant(code), do: %{"lib/cart.ex" => Fixture.edited("lib/cart.ex", @wrong, code)}

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
          {"kills its VM", :halted, "System.cmd(\"kill\", [\"-9\", System.pid()]); price + quantity"},
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
        test "environment", do: assert(System.get_env("AMBIX_TEST_SECRET_2") == nil)
      end
      """

      System.put_env("AMBIX_TEST_SECRET_2", "secret")
      on_exit(fn -> System.delete_env("AMBIX_TEST_SECRET_2") end)
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
          {"a compressed term", ":erlang.term_to_binary(String.duplicate(\"x\", 5_000_000), compressed: 9)"},
          {"too much", ":binary.copy(<<0>>, 20_000_000)"}
        ] do
      test "send #{name} in the driver's name" do
        text = """
        defmodule Tiny.ForgeTest do
          use ExUnit.Case
          test "forges" do
            for port <- Port.list(), Port.info(port, :name) == {:name, ~c"tcp_inet"} do
              Task.async(fn -> :gen_tcp.send(port, #{unquote(bytes)}) end)
            end
            |> Task.await_many(:infinity)

            Process.sleep(30_000)
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
end
