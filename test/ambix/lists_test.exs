defmodule Ambix.ListsTest do
  # Lists that stand on both sides, so that options can be described without the native library, are the same lists.
  use ExUnit.Case, async: true

  alias Ambix.{Error, Graph, Index, Job, Native, Options}

  @moduletag :tmp_dir

  @wanted %{
    limit: 3,
    mode: :hybrid,
    near: [],
    paths: [],
    modules: [],
    public: nil,
    modified_since: nil,
    kinds: [],
    languages: []
  }
  @grep %{
    fixed: false,
    case: :smart,
    word: false,
    multiline: false,
    paths: [],
    languages: [],
    kinds: [],
    context: 0,
    per_file: nil,
    limit: 1,
    count: false
  }
  @part %{around: nil, reach: :both, depth: 1, kinds: nil}

  # Native code names all that it knows when it does not know one.
  defp known({:error, %Error{kind: :invalid_argument, message: message}}) do
    [_, known] = Regex.run(~r/(?:there are|they are|one of) (.*?)(?:, not ".*")?$/, message)
    known |> String.split(~r/, | and /) |> Enum.map(&String.trim_leading(&1, ":"))
  end

  defp names(values), do: Enum.map(values, &Atom.to_string/1)

  defp values(module, function, option) do
    case Options.of(module, function)[option][:type] do
      {:in, values} -> names(values)
      {:list, {:in, values}} -> names(values)
    end
  end

  setup %{tmp_dir: dir} do
    File.write!(Path.join(dir, "a.ex"), "defmodule A, do: nil")
    {:ok, index} = Index.build(dir)
    %{index: index.resource}
  end

  test "what native code knows is what options name, in the same order", %{index: index} do
    search = &Native.index_search(index, "a", Map.merge(@wanted, &1), nil)
    grep = fn wanted -> Job.run(&Native.index_grep(&1, index, "a", Map.merge(@grep, wanted)), nil) end
    none = ["no such"]

    kinds = names(Index.definition_kinds())
    assert known(search.(%{kinds: none})) == kinds
    assert known(Native.index_lookup(index, "a", none, 1)) == kinds
    assert known(grep.(%{kinds: none})) == kinds
    for function <- [:search, :lookup, :grep, :context], do: assert(values(Index, function, :kinds) == kinds)

    languages = names(Index.languages())
    assert known(search.(%{languages: none})) == languages
    assert known(grep.(%{languages: none})) == languages
    for function <- [:search, :grep, :context], do: assert(values(Index, function, :languages) == languages)

    assert known(search.(%{mode: :no_such})) == values(Index, :search, :mode)
    assert known(grep.(%{case: :no_such})) == values(Index, :grep, :case)

    context = Native.index_context(index, "a", @wanted, nil, {100, "no such"}, nil)
    assert known(context) == values(Index, :context, :order)

    export = Job.run(&Native.graph_export(&1, index, "no such", @part), nil)
    assert known(export) == values(Graph, :export, :format)
    cycles = Job.run(&Native.graph_cycles(&1, index, nil, "no such"), nil)
    assert known(cycles) == values(Graph, :cycles, :phase)
    links = Native.graph_link_kinds()
    assert for({name, _} <- links, do: name) == names(Graph.kinds())
    assert for({name, true} <- links, do: name) == names(Graph.calls())
    assert Native.error_kinds() == Error.kinds()

    tree = %{
      policy: :no_such,
      width: 1,
      prune_below: 0.0,
      max_nodes: 3,
      max_tokens: nil,
      max_seconds: nil,
      max_depth: 3,
      max_solutions: 1,
      seed: 0
    }

    assert known(Native.tree_new(tree)) == values(Ambix.Search, :new, :policy)
  end
end
