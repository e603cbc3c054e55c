defmodule Ambix.Sandbox.SchemataTest do
  # The driver's module, run here instead of in a sandbox.
  use ExUnit.Case, async: false

  alias Ambix.Sandbox.Driver.Schemata

  @compile {:no_warn_undefined,
            [Sample.Sums, Sample.Sums.Inner, Sample.User, Sample.Early, String.Chars.Sample.Sums.Inner]}

  @path "/nowhere/lib/sums.ex"
  @text """
  defmodule Sample.Sums do
    @factor 10
    @doc "Adds."
    def add(a, b \\\\ 1), do: a + b

    def sign(n) when n < 0, do: -1
    def sign(0), do: 0
    def sign(_), do: 1

    def open(x), do: secret(x) + 1
    defp secret(x), do: x * @factor
    @factor 7
    def factor, do: @factor

    def count([]), do: 0
    def count([_ | rest]), do: 1 + count(rest)

    defmodule Inner do
      def twice(x), do: x * 2
    end

    defmacro __using__(_) do
      quote do
        def kind(x), do: x + 1
        def other, do: kind(1)
      end
    end

    def bytes(x), do: <<x::integer-size(8), "a"::binary>>
    def call(f, x), do: f.(x) + Enum.sum(for n <- [x], do: n)
    def hold(), do: &add/2
    def twin(a), do: a
    def twin(a, b), do: a - b
  end

  defimpl String.Chars, for: Sample.Sums.Inner do
    def to_string(_), do: "inner"
  end
  """

  setup do
    Schemata.start()
    Code.put_compiler_option(:ignore_module_conflict, true)

    on_exit(fn ->
      Schemata.choose(0)
      Code.put_compiler_option(:ignore_module_conflict, false)
      for module <- [Sample.Sums, Sample.Sums.Inner], do: :code.purge(module) && :code.delete(module)
    end)
  end

  # The function whose clauses hold `from`, with `to` in its place.
  defp mutant(id, from, to, text \\ @text) do
    lines = String.split(text, "\n")
    number = Enum.find_index(lines, &String.contains?(&1, from)) + 1
    name = lines |> Enum.at(number - 1) |> name()
    {first, last} = {reach(lines, number, -1, name), reach(lines, number, 1, name)}
    clauses = lines |> Enum.slice((first - 1)..(last - 1)) |> Enum.join("\n")
    %{id: id, file: "lib/sums.ex", first: first, last: last, text: String.replace(clauses, from, to)}
  end

  defp name(line), do: Regex.run(~r/defp? (\w+)/, line || "")

  defp reach(lines, number, step, name) do
    next = number + step
    if next > 0 and name(Enum.at(lines, next - 1)) == name, do: reach(lines, next, step, name), else: number
  end

  # Of the functions of one name, the one that stands in the nth of their lines.
  defp only(mutant, nth) do
    line = mutant.first + nth - 1
    %{mutant | first: line, last: line, text: mutant.text |> String.split("\n") |> Enum.at(nth - 1)}
  end

  defp compile!(mutants, text \\ @text) do
    {stub, unfit} = Schemata.prepare(@path, text, mutants, 1)
    compile_quietly(stub)
    unfit
  end

  defp compile_quietly(text),
    do: ExUnit.CaptureIO.capture_io(:stderr, fn -> Code.compile_string(text, @path) end)

  defp with_mutant(id, fun) do
    Schemata.choose(id)
    fun.()
  after
    Schemata.choose(0)
  end

  test "every mutant acts as its text says, and without one the original" do
    alias Sample.Sums

    cases = [
      {"a + b", "a - b", fn -> {Sums.add(5), Sums.add(5, 2)} end, {6, 7}, {4, 3}},
      {"n < 0, do: -1", "n <= 0, do: -1", fn -> Sums.sign(0) end, 0, -1},
      {"sign(0), do: 0", "sign(0), do: :none", fn -> {Sums.sign(0), Sums.sign(3)} end, {0, 1}, {:none, 1}},
      {"x * @factor", "x + @factor", fn -> Sums.open(3) end, 31, 14},
      {"do: @factor", "do: -@factor", fn -> Sums.factor() end, 7, -7},
      {"1 + count(rest)", "2 + count(rest)", fn -> Sums.count([1, 2, 3]) end, 3, 6},
      {"x * 2", "x * 3", fn -> Sums.Inner.twice(2) end, 4, 6},
      {"size(8)", "size(16)", fn -> Sums.bytes(1) end, <<1, ?a>>, <<0, 1, ?a>>},
      {"f.(x) + ", "f.(x) * ", fn -> Sums.call(& &1, 3) end, 6, 9},
      {"&add/2", "&add/1", fn -> is_function(Sums.hold(), 2) end, true, false},
      {"\"inner\"", "\"outer\"", fn -> String.Chars.Sample.Sums.Inner.to_string(1) end, "inner", "outer"}
    ]

    numbered = Enum.with_index(cases, 1)
    assert compile!(for {{from, to, _, _, _}, id} <- numbered, do: mutant(id, from, to)) == []

    for {{_from, to, run, original, changed}, id} <- numbered do
      assert run.() == original, to
      assert with_mutant(id, run) == changed, to
      others = Enum.map(numbered, &elem(&1, 1)) -- [id]
      # Other mutants of the same function aside, none is seen elsewhere.
      unchanged = Enum.count(others, fn other -> with_mutant(other, run) == original end)
      assert unchanged >= length(others) - 2, to
    end
  end

  test "clauses can be added and dropped, and mutants of one function do not meet" do
    text = """
    defmodule Sample.Sums do
      def sign(n) when n < 0, do: -1
      def sign(n) when n > 0, do: 1
    end
    """

    added = %{mutant(1, "n > 0, do: 1", "n > 0, do: 1\n  def sign(0), do: 0", text) | first: 2}
    dropped = %{mutant(2, "n > 0, do: 1", "n > 0, do: 1", text) | text: "  def sign(n) when n < 0, do: -1"}
    both = mutant(3, "n > 0, do: 1", "n > 0, do: 10", text)
    assert compile!([added, dropped, both], text) == []
    assert_raise FunctionClauseError, fn -> Sample.Sums.sign(0) end
    assert with_mutant(1, fn -> Sample.Sums.sign(0) end) == 0
    assert_raise FunctionClauseError, fn -> with_mutant(2, fn -> Sample.Sums.sign(4) end) end
    assert with_mutant(3, fn -> Sample.Sums.sign(4) end) == 10
    assert Sample.Sums.sign(4) == 1
  end

  test "what a macro quotes is changed where it is used" do
    assert compile!([mutant(1, "x + 1", "x + 2")]) == []
    Code.compile_string("defmodule Sample.User do\n use Sample.Sums\nend")
    assert {Sample.User.kind(1), Sample.User.other()} == {2, 2}
    assert with_mutant(1, fn -> {Sample.User.kind(1), Sample.User.other()} end) == {3, 3}
  end

  test "documentation and the exported functions stay what they were" do
    exports = fn -> Enum.sort(Schemata.exports(Sample.Sums)) end
    compile_quietly(@text)
    before = exports.()
    compile!([mutant(1, "a + b", "a - b"), mutant(2, "x * @factor", "x")])
    assert exports.() == before
  end

  test "a mutant that does not compile spoils no other" do
    broken = [
      mutant(1, "a + b", "a + c()"),
      mutant(2, "a + b", "a + nothing"),
      mutant(3, "a + b", "&(&2 + a)"),
      mutant(4, "n < 0, do: -1", "unknown(n), do: -1")
    ]

    good = [mutant(5, "a + b", "a * b"), mutant(6, "x * @factor", "x")]

    alive =
      Enum.reduce_while(1..5, broken ++ good, fn _, mutants ->
        {stub, []} = Schemata.prepare(@path, @text, mutants, 1)

        {result, said} =
          ExUnit.CaptureIO.with_io(:stderr, fn ->
            try do
              Code.compile_string(stub, @path) && :ok
            rescue
              error -> Exception.message(error)
            end
          end)

        lines =
          for [_, line] <- Regex.scan(~r/sums\.ex(?: \(mutants\))?:(\d+)/, "#{inspect(result)} #{said}"),
              do: line

        reported = lines |> Enum.map(&Schemata.owner(String.to_integer(&1))) |> Enum.reject(&is_nil/1)
        broken = Enum.map(Schemata.take_broken(), &elem(&1, 0)) ++ reported
        mutants = Enum.reject(mutants, &(&1.id in broken))
        if result == :ok, do: {:halt, mutants}, else: {:cont, mutants}
      end)

    assert Enum.map(alive, & &1.id) == [5, 6]
    assert with_mutant(5, fn -> Sample.Sums.add(3, 4) end) == 12
    assert with_mutant(6, fn -> Sample.Sums.open(3) end) == 4
    assert {Sample.Sums.add(3, 4), Sample.Sums.open(3)} == {7, 31}
  end

  test "what is no change of one function is unfit" do
    unfit = [
      # Another name, another arity, another default, two functions, no function, what does not parse.
      mutant(1, "def open", "def shut"),
      mutant(2, "def open(x)", "def open(x, _)"),
      mutant(3, "b \\\\ 1", "b \\\\ 2"),
      mutant(4, "do: secret(x) + 1", "do: 1\n  def more, do: 2"),
      mutant(5, "def open(x), do: secret(x) + 1", "@factor 3"),
      mutant(6, "secret(x) + 1", "secret(x"),
      mutant(7, "secret(x) + 1", "super(x)"),
      %{mutant(8, "a + b", "a - b") | first: 400, last: 400}
    ]

    assert Enum.sort(compile!(unfit)) == Enum.map(unfit, & &1.id)
    assert Sample.Sums.open(3) == 31
  end

  test "mutants of functions that run while other code is compiled are found, if they answer otherwise" do
    compile!([
      mutant(1, "a + b", "a - b"),
      mutant(2, "x * @factor", "x"),
      mutant(3, "n < 0", "n < 1"),
      mutant(4, "x * @factor", "@factor * x"),
      mutant(5, "x * @factor", "raise(inspect(x))"),
      mutant(6, "x * @factor", "if(x == 5, do: 1, else: x * @factor)"),
      mutant(7, "x * @factor", "Process.sleep(:infinity) && x"),
      mutant(8, "def twin(a), do: a", "def twin(a), do: -a") |> only(1),
      mutant(9, "do: a - b", "do: b - a") |> only(2),
      mutant(10, "1 + count(rest)", "2 + count(rest)"),
      mutant(11, "1 + count(rest)", "count(rest) + 1")
    ])

    Schemata.choose(:watch)

    Code.compile_string("""
    defmodule Sample.Early do
      @value Sample.Sums.open(4)
      [Sample.Sums.twin(0), Sample.Sums.twin(3, 1), Sample.Sums.count([1, 2])]
      def value, do: @value
      def late, do: Sample.Sums.add(1)
    end
    """)

    Schemata.choose(0)
    assert Enum.sort(Schemata.take_called()) == [2, 5, 7, 9, 10]
    assert Schemata.take_called() == []
    assert Sample.Early.value() == 41
  end
end
