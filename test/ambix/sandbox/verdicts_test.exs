defmodule Ambix.Sandbox.VerdictsTest do
  use ExUnit.Case, async: true

  alias Ambix.Error
  alias Ambix.Sandbox.{Fixture, Project}

  @moduletag timeout: 240_000
  @failing "Tiny.CartTest: test total/1 multiplies"

  # Functions that run while others compile, protocols, quoted functions, processes.
  @more %{
    "lib/rate.ex" => """
    defmodule Tiny.Rate do
      def base(x), do: x + 5
      def late(x), do: x + 1
    end
    """,
    "lib/price.ex" => """
    defmodule Tiny.Price do
      @rate Tiny.Rate.base(1)
      defstruct [:amount]
      def rate, do: @rate + Tiny.Rate.late(0)
      def next, do: Agent.get(Tiny.Counter, & &1) + 1

      defimpl String.Chars do
        def to_string(price), do: "\#{price.amount} coins"
      end
    end
    """,
    "lib/kind.ex" => """
    defmodule Tiny.Kind do
      defmacro __using__(_) do
        quote do
          def kind(x), do: x + 100
        end
      end
    end
    """,
    "lib/user.ex" => "defmodule Tiny.User do\n  use Tiny.Kind\nend\n",
    "test/price_test.exs" => """
    defmodule Tiny.PriceTest do
      use ExUnit.Case
      test "rate", do: assert(Tiny.Price.rate() == 7)
      test "text", do: assert(to_string(%Tiny.Price{amount: 3}) == "3 coins")
      test "kind", do: assert(Tiny.User.kind(1) == 101)
      test "counter", do: assert(Tiny.Price.next() == Agent.get(Tiny.Counter, & &1) + 1)
      test "double", do: assert(Tiny.Cart.double(3) == 6)
    end
    """
  }

  setup_all do
    root =
      Path.join(System.tmp_dir!(), "ambix-verdicts-#{System.unique_integer([:positive])}-#{System.pid()}")

    source = Fixture.create(@more)
    File.cp_r!(source, root)
    on_exit(fn -> File.rm_rf!(root) end)
    server = start_supervised!({Project, root: root})
    {:ok, suite} = Project.run_tests(server)
    %{root: root, server: server, ids: for(test <- suite.tests, test.state != :excluded, do: test.id)}
  end

  # The function in lines `first..last` of a file, with `from` become `to`.
  defp mutant(root, id, file, {from, to}) do
    text = File.read!(Path.join(root, file))
    1 = length(String.split(text, from)) - 1
    changed = String.replace(text, from, to)
    lines = text |> String.split("\n") |> Enum.with_index(1)

    [{line, first} | _] =
      Enum.filter(lines, fn {line, n} -> line =~ ~r/^\s*def/ and n <= line_of(text, from) end)
      |> Enum.reverse()

    indent = String.length(line) - String.length(String.trim_leading(line))

    stop =
      Enum.find_value(lines, first, fn {line, n} ->
        if n > first and line == String.duplicate(" ", indent) <> "end", do: n
      end)

    last = if line =~ ", do:", do: first, else: stop
    grown = length(String.split(changed, "\n")) - length(String.split(text, "\n"))
    part = changed |> String.split("\n") |> Enum.slice((first - 1)..(last - 1 + grown)) |> Enum.join("\n")
    start = text |> String.split("\n") |> Enum.take(first - 1) |> Enum.map(&(byte_size(&1) + 1)) |> Enum.sum()
    stop = start + byte_size(part) + byte_size(text) - byte_size(changed)
    within = %{file: file, first: first, last: last, start: start, stop: stop, text: part}
    %{id: id, changes: %{file => changed}, within: within}
  end

  defp line_of(text, part), do: text |> String.split(part) |> hd() |> String.split("\n") |> length()

  defp verdicts(server, base, mutants, opts) do
    {:ok, ref} = Project.verdicts(server, base, mutants, opts)
    collect(ref, %{})
  end

  defp collect(ref, verdicts) do
    receive do
      {^ref, {:verdict, id, verdict}} ->
        refute is_map_key(verdicts, id)
        collect(ref, Map.put(verdicts, id, verdict))

      {^ref, last} ->
        {last, verdicts}

      {:DOWN, ^ref, _, _, reason} ->
        flunk("the server died: #{inspect(reason)}")
    end
  end

  defp outcome(verdict) do
    states = for test <- verdict.tests, into: %{}, do: {test.id, test.state}
    {verdict.status, states, Enum.sort(verdict.failed)}
  end

  test "tests find the changed text in the file, and may compile it", %{root: root, server: server} do
    text = """
    defmodule Tiny.SourceTest do
      use ExUnit.Case

      test "reads and compiles" do
        text = File.read!("lib/cart.ex")
        assert text =~ "defmodule Tiny.Cart" and text =~ "price * quantity"
        Code.compile_file("lib/cart.ex")
        assert Tiny.Cart.total(%Tiny.Cart{items: [{3, 4}]}) == 12
      end
    end
    """

    test = "Tiny.SourceTest: test reads and compiles"
    File.write!(Path.join(root, "test/source_test.exs"), text)
    on_exit(fn -> File.rm!(Path.join(root, "test/source_test.exs")) end)
    other = start_supervised!({Project, root: root, name: :other}, id: :other)
    assert is_pid(server)
    total = &mutant(root, &1, "lib/cart.ex", {"price + quantity", &2})

    mutants = [
      total.(1, "price * quantity"),
      total.(2, "price - quantity"),
      total.(3, "1 * price * quantity")
    ]

    mutants = mutants ++ [total.(4, "price * quantity + 1"), total.(5, "(price * quantity)")]
    {{:done, []}, verdicts} = verdicts(other, %{}, mutants, failing: [test], others: [@failing])

    assert for({id, verdict} <- verdicts, do: {id, verdict.status}) == [
             {1, :passed},
             {2, :failed},
             {3, :passed},
             {4, :failed},
             {5, :passed}
           ]
  end

  @cases [
    {"lib/cart.ex", {"price + quantity", "price * quantity"}},
    {"lib/cart.ex", {"price + quantity", "price - quantity"}},
    {"lib/cart.ex", {"price + quantity", "nothing + quantity"}},
    {"lib/cart.ex", {"price + quantity", "raise(\"no\")"}},
    {"lib/cart.ex", {"price + quantity", "throw(price + quantity)"}},
    {"lib/cart.ex", {"|> Enum.sum()", "|> Enum.max()"}},
    {"lib/cart.ex", {"x * 2", "x * 3"}},
    {"lib/cart.ex", {"[{price, quantity} | cart.items]", "[]"}},
    {"lib/rate.ex", {"x + 5", "x + 6"}},
    {"lib/rate.ex", {"x + 1", "x + 2"}},
    {"lib/price.ex", {"@rate + ", "@rate - "}},
    {"lib/price.ex", {" coins", " notes"}},
    {"lib/price.ex", {"& &1) + 1", "& &1) + 2"}},
    {"lib/kind.ex", {"x + 100", "x + 101"}},
    {"lib/macros.ex", {"unquote(x) * 3", "unquote(x) * 4"}},
    {"lib/counter.ex", {"{&1 + 1, &1 + 1}", "{&1 + 2, &1 + 2}"}},
    {"lib/counter.ex", {"Agent.start_link(fn -> 0 end, name: __MODULE__)", "{:error, :no}"}},
    {"lib/application.ex", {"[Tiny.Counter]", "[]"}}
  ]

  test "together, alone and one by one are the same", %{root: root, server: server, ids: ids} do
    opts = [failing: ids, others: []]
    mutants = for {{file, change}, id} <- Enum.with_index(@cases, 1), do: mutant(root, id, file, change)
    before = for path <- Path.wildcard(root <> "/**"), File.regular?(path), do: {path, File.read!(path)}
    {{:done, []}, together} = verdicts(server, %{}, mutants, opts)
    alone = Enum.map(mutants, &%{&1 | within: nil})
    {{:done, []}, alone} = verdicts(server, %{}, alone, opts)

    for %{id: id, changes: changes} <- mutants do
      expected = single(server, changes, ids)
      assert {id, outcome(alone[id])} == {id, expected}
      assert {id, outcome(together[id])} == {id, expected}
    end

    assert {:passed, []} == {together[1].status, together[1].failed}
    assert together[9].failed == [@failing, "Tiny.PriceTest: test rate"]
    assert together[14].failed == [@failing, "Tiny.PriceTest: test kind"]

    assert before ==
             for(path <- Path.wildcard(root <> "/**"), File.regular?(path), do: {path, File.read!(path)})
  end

  defp single(server, changes, ids) do
    {:ok, verdict} = Project.verdict(server, changes, failing: ids, others: [], max_failures: :infinity)
    outcome(verdict)
  end

  test "the others run only when the failing ones pass", %{root: root, server: server} do
    double = "Tiny.PriceTest: test double"
    mended = mutant(root, 1, "lib/cart.ex", {"price + quantity", "price * quantity"})
    wrong = mutant(root, 3, "lib/cart.ex", {"price + quantity", "price"})
    {{:done, []}, verdicts} = verdicts(server, %{}, [mended, wrong], failing: [@failing], others: [double])
    assert %{status: :passed, passed_count: 2, failed: []} = verdicts[1]
    assert %{status: :failed, failed: [@failing], tests: [_]} = verdicts[3]

    # On top of another change.
    base = %{"lib/cart.ex" => Fixture.edited("lib/cart.ex", "x * 2", "x * 5")}

    on_top = %{
      mended
      | changes: %{
          "lib/cart.ex" => String.replace(base["lib/cart.ex"], "price + quantity", "price * quantity")
        }
    }

    {{:done, []}, verdicts} = verdicts(server, base, [on_top], failing: [@failing], others: [double])
    assert %{status: :failed, failed: [^double]} = verdicts[1]
  end

  test "a mutant that hangs, halts or dies costs no other its verdict", %{root: root, server: server} do
    total = &mutant(root, &1, "lib/cart.ex", {"price + quantity", &2})

    mutants = [
      total.(1, "(fn f -> f.(f) end).(fn f -> price + quantity && f.(f) end)"),
      total.(2, "System.halt(price + quantity)"),
      total.(3, "price * quantity"),
      total.(4, "Process.exit(self(), :kill) && price + quantity"),
      total.(5, "quantity * price")
    ]

    {{:done, []}, verdicts} = verdicts(server, %{}, mutants, failing: [@failing], others: [])
    assert %{status: :failed, timeouts: [@failing], killed: nil} = verdicts[1]
    assert %{status: :failed, killed: %{reason: :halted, test: @failing}} = verdicts[2]
    assert %{status: :failed, killed: nil} = verdicts[4]
    assert %{status: :passed} = verdicts[3]
    assert %{status: :passed} = verdicts[5]
  end

  test "what does not compile neither ends the VM nor hides the others", %{root: root, server: server} do
    total = &mutant(root, &1, "lib/cart.ex", {"price + quantity", &2})

    codes = [
      "price + q",
      "&(&2 + price)",
      "%Nope{a: price}",
      "price ** (",
      "fn x when f(x) -> x + price end",
      "^price"
    ]

    broken = for {code, id} <- Enum.with_index(codes, 1), do: total.(id, code)

    {{:done, []}, verdicts} =
      verdicts(server, %{}, broken ++ [total.(9, "price * quantity")], failing: [@failing], others: [])

    for id <- 1..length(codes) do
      assert %{status: :compile_error, compile: {:error, [%{message: message}]}, killed: nil} = verdicts[id]
      assert message != ""
    end

    assert %{status: :passed} = verdicts[9]

    # One by one, each after the other: a compilation that broke off leaves nothing that ends the VM later.
    for %{changes: changes} <- broken do
      assert {:ok, %{status: :compile_error, killed: nil}} = Project.verdict(server, changes)

      assert {:ok, %{status: :failed, killed: nil}} =
               Project.verdict(server, %{}, failing: [@failing], others: [])
    end
  end

  test "enough is enough", %{root: root, server: server} do
    many = for id <- 1..200, do: mutant(root, id, "lib/cart.ex", {"price + quantity", "price - #{id}"})
    {:ok, ref} = Project.verdicts(server, %{}, many, failing: [@failing], others: [])
    assert_receive {^ref, {:verdict, 1, %{status: :failed}}}, 30_000
    Project.enough(server, ref)
    {{:done, left}, verdicts} = collect(ref, %{})
    assert left != [] and map_size(verdicts) + length(left) == 199
    assert Enum.sort(left ++ Map.keys(verdicts)) == Enum.to_list(2..200)
    Process.demonitor(ref, [:flush])

    # Time that is up is the same.
    {{:done, left}, _} = verdicts(server, %{}, many, failing: [@failing], others: [], timeout_ms: 1)
    assert left == Enum.to_list(1..200)

    {{:done, []}, %{1 => %{status: :passed}}} =
      verdicts(server, %{}, [mutant(root, 1, "lib/cart.ex", {"price + quantity", "price * quantity"})],
        failing: [@failing],
        others: []
      )
  end

  test "more than fit into one compilation are tried, under any number", %{root: root, server: server} do
    many = for id <- 5_001..5_150, do: mutant(root, id, "lib/cart.ex", {"price + quantity", "price - #{id}"})
    {{:done, []}, verdicts} = verdicts(server, %{}, many, failing: [@failing], others: [], unfit: :tell)
    assert Enum.sort(Map.keys(verdicts)) == Enum.to_list(5_001..5_150)
    assert Enum.all?(verdicts, fn {_, verdict} -> verdict.failed == [@failing] end)
  end

  test "what is unfit is told, and tried alone if that is asked for", %{root: root, server: server} do
    early = mutant(root, 1, "lib/rate.ex", {"x + 5", "x + 6"})
    opts = [failing: ["Tiny.PriceTest: test rate"], others: []]
    {:ok, ref} = Project.verdicts(server, %{}, [early], [unfit: :tell] ++ opts)
    assert_receive {^ref, {:unfit, 1}}, 30_000
    assert_receive {^ref, {:done, []}}
    {{:done, []}, %{1 => %{status: :failed}}} = verdicts(server, %{}, [early], opts)
  end

  test "wrong arguments are refused, and a test that is not there", %{root: root, server: server} do
    one = mutant(root, 1, "lib/cart.ex", {"price + quantity", "price"})

    for mutants <- [
          [%{}],
          [%{one | id: 0}],
          [%{one | changes: %{"../x" => ""}}],
          [%{one | within: %{file: 1}}],
          [:x]
        ] do
      assert {:error, %Error{kind: :invalid_argument}} = Project.verdicts(server, %{}, mutants)
    end

    assert {:error, %Error{kind: :invalid_argument}} = Project.verdicts(server, %{"/x" => ""}, [one])
    assert {:error, %Error{kind: :invalid_argument}} = Project.verdicts(server, %{}, [one], max_failures: 1)

    assert {{:error, %Error{kind: :not_found}}, verdicts} =
             verdicts(server, %{}, [one], failing: ["No: test"], others: [])

    assert verdicts == %{}
  end
end
