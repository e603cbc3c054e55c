defmodule Ambix.GraphCompiledTest do
  # What only the compiler knows: functions with names that macros put together, and calls of macros.
  use ExUnit.Case, async: true

  alias Ambix.{Graph, Index, Tracer}
  alias Ambix.Test.CompiledFixture

  @moduletag :tmp_dir

  test "what macros make is in the graph after observe, until its file changes", %{tmp_dir: tmp} do
    root = CompiledFixture.create(Path.join(tmp, "paint"))
    {:ok, index} = Index.build(root)
    assert {:error, %{kind: :not_found}} = Graph.definition(index, "Paint.Colours.red_pot/1")

    assert {:ok, %{modules: 3, files: 3, stale: 0, foreign: 0, diagnostics: []}} = Index.observe(index)

    assert {:ok, [%{file: "lib/colours.ex", line: 2, kind: "function", generated_by: macro}]} =
             Graph.definition(index, "Paint.Colours.red_pot/1")

    assert macro =~ "Paint.Maker"
    {:ok, callers} = Graph.callers(index, "Paint.Shop.pour/1", kinds: [:call])
    made = Enum.filter(callers, &(&1.module == "Paint.Colours"))
    assert Enum.map(made, & &1.symbol) == ["Paint.Colours.green_pot/1", "Paint.Colours.red_pot/1"]
    assert Enum.all?(made, &(&1.certain and &1.why == "compiled" and &1.generated_by == macro))

    # The tracer saw the macro, of which no call is left.
    assert {:ok, [%{symbol: "Paint.Shop.pour/1", why: "compiled", lines: [4]}]} =
             Graph.callers(index, "Paint.Maker.twice/1")

    colours = Path.join(root, "lib/colours.ex")
    File.write!(colours, "# changed\n" <> File.read!(colours))
    {:ok, %{changed: 1}} = Index.update(index)
    assert {:error, %{kind: :not_found}} = Graph.definition(index, "Paint.Colours.red_pot/1")
  end

  test "what the compiler inlines stays the call that is written", %{tmp_dir: tmp} do
    sums = """
    defmodule Paint.Sums do
      import Kernel, except: [-: 2]
      def a - b, do: {a, b}
      def plus(list), do: Enum.reduce(list, 0, &Kernel.+/2)
      def short(list), do: Enum.reduce(list, 0, &+/2)
      def minus(list), do: Enum.reduce(list, 0, &-/2)
      def lengths(lists), do: Enum.map(lists, &length/1)
      def far(lists), do: Enum.map(lists, &Kernel.length/1)
      def differ(list), do: Enum.reduce(list, 0, &!=/2)
      def first(lists), do: Enum.map(lists, &elem(&1, 0))
      def keys(maps), do: Enum.map(maps, &Map.keys/1)
    end
    """

    root = CompiledFixture.create(Path.join(tmp, "paint"), %{"lib/sums.ex" => sums})
    {:ok, index} = Index.build(root)

    calls = fn ->
      {:ok, edges} = Graph.edges(index)

      for {"Paint.Sums", caller, _, module, name, arity} <- edges, module != "Enum", into: MapSet.new() do
        {caller, "#{module}.#{name}/#{arity}"}
      end
    end

    written = calls.()

    assert Enum.sort(written) == [
             {"differ", "Kernel.!=/2"},
             {"far", "Kernel.length/1"},
             {"first", "Kernel.elem/2"},
             {"keys", "Map.keys/1"},
             {"lengths", "Kernel.length/1"},
             {"minus", "Paint.Sums.-/2"},
             {"plus", "Kernel.+/2"},
             {"short", "Kernel.+/2"}
           ]

    assert {:ok, %{stale: 0}} = Index.observe(index)
    assert calls.() == written
  end

  test "what the compiler said is kept with the index, and only what changed is read again", %{tmp_dir: tmp} do
    root = CompiledFixture.create(Path.join(tmp, "paint"))
    file = Path.join(tmp, "index")
    {:ok, index} = Index.build(root)
    assert {:ok, %{changed: true, read: read}} = Index.observe(index)
    assert read >= 3

    # Files that are older than two seconds cannot change without another time.
    for path <- Path.wildcard(Path.join(root, "{lib,_build}/**/*.{ex,beam,trace}")),
        do: File.touch!(path, System.os_time(:second) - 100)

    {:ok, %{changed: true}} = Index.observe(index)
    :ok = Index.save(index, file)
    {:ok, opened} = Index.open(file)
    assert {:ok, [_]} = Graph.definition(opened, "Paint.Colours.red_pot/1")
    assert {:ok, %{modules: 3, read: 0, changed: false}} = Index.observe(opened)

    beam = hd(Path.wildcard(Path.join(root, "_build/**/Elixir.Paint.Colours.beam")))
    File.rm!(beam)
    assert {:ok, %{modules: 2, read: 0, changed: true}} = Index.observe(opened)
    assert {:error, %{kind: :not_found}} = Graph.definition(opened, "Paint.Colours.red_pot/1")

    assert {:ok, %{modules: 0, changed: true}} = Index.observe(opened, folders: [])
    assert {:ok, []} = Graph.callers(opened, "Paint.Maker.twice/1", kinds: [:message])
  end

  test "code that is compiled inside of a file does not end its trace", %{tmp_dir: tmp} do
    file = Path.join(tmp, "nested_trace.ex")
    env = fn module -> %{file: file, module: module, function: {:go, 0}, line: 1} end
    call = fn module, name -> Tracer.trace({:remote_function, [line: 1], Enum, name, 2}, env.(module)) end
    on_exit(fn -> Enum.each(Path.wildcard(Path.join(Tracer.folder(), "nested_trace.ex-*")), &File.rm!/1) end)

    Tracer.trace(:start, env.(nil))
    call.(Before, :map)
    Tracer.trace(:start, env.(nil))
    call.(Inside, :filter)
    Tracer.trace(:stop, env.(nil))
    call.(After, :reject)
    Tracer.trace(:stop, env.(nil))

    assert [trace] = Path.wildcard(Path.join(Tracer.folder(), "nested_trace.ex-*"))
    text = File.read!(trace)
    for name <- ~w(map filter reject), do: assert(text =~ ~s("f":"#{name}"))

    # What is compiled once more replaces what was there.
    Tracer.trace(:start, env.(nil))
    call.(After, :reject)
    Tracer.trace(:stop, env.(nil))
    refute File.read!(trace) =~ ~s("f":"map")
  end
end
