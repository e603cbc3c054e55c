defmodule Ambix.OptionsTest do
  use ExUnit.Case, async: true

  alias Ambix.Options

  @schema [
    name: [type: :atom, required: true, doc: "the name"],
    limit: [type: :pos_integer, default: 20, doc: "how many\n      at the most"],
    mode: [type: {:in, [:lexical, :hybrid]}, default: :hybrid],
    progress: [type: {:fun, 1}, default: nil],
    quiet: [type: :boolean, default: false, doc: "say nothing"]
  ]

  test "defaults are filled in, in the schema's order, and an option without default stays absent" do
    assert Options.validate([name: :a, limit: 3], @schema) ==
             {:ok, [name: :a, limit: 3, mode: :hybrid, progress: nil, quiet: false]}

    assert Options.validate([], path: [type: :string]) == {:ok, []}
  end

  test "nil stands for an option whose default is nil, and for no other" do
    assert {:ok, opts} = Options.validate([name: :a, progress: nil], @schema)
    assert opts[:progress] == nil
    assert {:error, _} = Options.validate([name: :a, limit: nil], @schema)
  end

  # What is given, and the sentence that answers.
  for {opts, sentence} <- [
        {[], "the option :name is required"},
        {[name: :a, limit: 0], "expected :limit to be a positive integer, got: 0"},
        {[name: :a, mode: :fuzzy], "expected :mode to be one of :lexical, :hybrid, got: :fuzzy"},
        {[name: :a, quiet: "yes"], "expected :quiet to be true or false, got: \"yes\""},
        {[name: :a, limt: 1],
         "unknown option :limt, did you mean :limit? (valid options: [:name, :limit, :mode, :progress, :quiet])"},
        {[name: :a, zzzzzz: 1],
         "unknown option :zzzzzz (valid options: [:name, :limit, :mode, :progress, :quiet])"}
      ] do
    test "#{inspect(opts)} gives a sentence" do
      assert Options.validate(unquote(opts), @schema) == {:error, unquote(sentence)}
      assert_raise ArgumentError, unquote(sentence), fn -> Options.validate!(unquote(opts), @schema) end
    end
  end

  test "options that are no keyword list are refused" do
    assert {:error, "expected options as a keyword list, got: %{name: 1}"} =
             Options.validate(%{name: 1}, @schema)
  end

  def even(n, word) when is_integer(n) and rem(n, 2) == 0, do: {:ok, {word, n}}
  def even(_, word), do: {:error, "#{word} and even"}

  # The type, values it takes with what becomes of them, values it refuses.
  for {type, taken, refused} <- [
        {:any, [{nil, nil}, {1, 1}], []},
        {:boolean, [{true, true}], [nil, 1]},
        {:string, [{"é", "é"}], [<<255>>, ~c"abc", :a]},
        {:atom, [{:a, :a}], ["a"]},
        {:integer, [{-1, -1}], [1.0, 2 ** 63, -(2 ** 70)]},
        {:pos_integer, [{1, 1}, {2 ** 63 - 1, 2 ** 63 - 1}], [0, -1, 1.0, 2 ** 63]},
        {:non_neg_integer, [{0, 0}], [-1, 2 ** 63]},
        {{:integer, 2..3}, [{2, 2}, {3, 3}], [1, 4, 2.0]},
        {:milliseconds, [{0, 0}, {2 ** 32 - 1, 2 ** 32 - 1}], [-1, 2 ** 32]},
        {:pos_milliseconds, [{1, 1}], [0, 2 ** 32]},
        {:float, [{1, 1.0}, {0.5, 0.5}], ["1", 2 ** 2000]},
        {:number, [{1, 1}, {0.5, 0.5}], [:one, 2 ** 2000]},
        {:keyword_list, [{[a: 1], [a: 1]}], [[1]]},
        {{:in, [1, 2]}, [{1, 1}], [3]},
        {{:list, :string}, [{["a"], ["a"]}, {[], []}], [[1], "a"]},
        {{:list, :float}, [{[1], [1.0]}], [["a"], [1 | 2]]},
        {{:or, [:pos_integer, :string]}, [{1, 1}, {"a", "a"}], [0, nil]},
        {{:struct, URI}, [{%URI{}, %URI{}}], [%{}]},
        {{:custom, __MODULE__, :even, [:small]}, [{2, {:small, 2}}], [3]}
      ] do
    test "type #{inspect(type)}" do
      schema = [it: [type: unquote(Macro.escape(type))]]

      for {given, got} <- unquote(Macro.escape(taken)),
          do: assert(Options.validate([it: given], schema) == {:ok, [it: got]})

      for given <- unquote(Macro.escape(refused)) do
        assert {:error, sentence} = Options.validate([it: given], schema)
        assert sentence =~ "got: #{inspect(given, printable_limit: 60)}"
      end
    end
  end

  # Every option of the library that is an integer has an end.
  test "an integer that is larger than native code takes is refused with a sentence" do
    index = %Ambix.Index{resource: make_ref(), root: "/"}
    model = %Ambix.Model{resource: make_ref(), name: "test"}
    huge = 2 ** 70

    for call <- [
          fn -> Ambix.Index.search(index, "a", limit: huge) end,
          fn -> Ambix.Index.search(index, "a", wait: 2 ** 40) end,
          fn -> Ambix.Index.lookup(index, "a", limit: huge) end,
          fn -> Ambix.Index.grep(index, "a", context: huge) end,
          fn -> Ambix.Index.context(index, "a", tokens: huge) end,
          fn -> Ambix.Index.build(".", max_memory: huge) end,
          fn -> Ambix.Graph.callers(index, "a", depth: huge) end,
          fn -> Ambix.Graph.rank(index, limit: huge) end,
          fn -> Ambix.Model.generate(model, "a", max_tokens: huge) end,
          fn -> Ambix.Model.generate(model, "a", timeout: 2 ** 40) end,
          fn -> Ambix.Model.generate(model, "a", temperature: 2 ** 2000) end,
          fn -> Ambix.Model.fetch(:tree, wait: 2 ** 40) end,
          fn -> Ambix.Search.new(max_nodes: huge) end,
          fn -> Ambix.Search.new(max_depth: 2 ** 40) end
        ] do
      error = assert_raise ArgumentError, call
      assert error.message =~ ~r/^expected :\w+ to be .*(below 2\^63|from \d+ to \d+|a number), got: /
    end
  end

  test "functions and processes" do
    assert {:ok, _} = Options.validate([it: fn _ -> 1 end], it: [type: {:fun, 1}])
    assert {:error, sentence} = Options.validate([it: fn -> 1 end], it: [type: {:fun, 1}])
    assert sentence =~ "a function of arity 1"
    assert {:ok, _} = Options.validate([it: self()], it: [type: :pid])
  end

  test "a custom type's own words are in the sentence" do
    schema = [it: [type: {:custom, __MODULE__, :even, ["small"]}]]
    assert Options.validate([it: 3], schema) == {:error, "expected :it to be small and even, got: 3"}
  end

  test "the documentation holds every option with its type and default" do
    assert Options.docs(@schema) == """
             * `:name` (an atom, required): the name
             * `:limit` (a positive integer, by default `20`): how many at the most
             * `:mode` (one of `:lexical`, `:hybrid`, by default `:hybrid`)
             * `:progress` (a function of arity 1)
             * `:quiet` (`true` or `false`): say nothing\
           """
  end
end
