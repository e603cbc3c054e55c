defmodule Ambix.PackagesTest do
  use ExUnit.Case, async: false

  alias Ambix.{Error, Index, Packages}
  alias Ambix.Packages.{Outline, Package}

  @moduletag :tmp_dir

  setup %{tmp_dir: tmp} do
    Ambix.Test.Setup.put_env(%{"AMBIX_CACHE" => Path.join(tmp, "cache")})

    write(tmp, "app/mix.lock", ~S"""
    %{
      "tea": {:hex, :tea, "1.2.3", "0a", [:mix], [], "hexpm", "0b"},
      "pot": {:git, "https://example.com/pot.git", "0123456789abcdef0123456789abcdef01234567", []},
      "gone": {:hex, :gone, "9.9.9", "0a", [:mix], [], "hexpm", "0b"},
    }
    """)

    write(tmp, "app/deps/tea/lib/tea.ex", ~S"""
    defmodule Tea do
      @doc "Pours hot water over the leaves."
      def brew(leaves), do: {:steeping, leaves}
    end
    """)

    write(tmp, "app/deps/pot/lib/pot.ex", "defmodule Pot do\n  def lid, do: :round\nend\n")

    write(
      tmp,
      "app/deps/cup/hex_metadata.config",
      ~s({<<"name">>,<<"cup">>}.\n{<<"version">>,<<"0.4.0">>}.\n)
    )

    write(tmp, "app/deps/cup/src/cup.erl", "-module(cup).\n-export([fill/1]).\nfill(X) -> {full, X}.\n")

    write(
      tmp,
      "app/deps/tray/mix.exs",
      "defmodule Tray.MixProject do\n  def project, do: [app: :tray, version: \"2.0.0-rc.1\"]\nend\n"
    )

    write(tmp, "app/deps/loose/lib/loose.ex", "defmodule Loose do\nend\n")
    {:ok, root: Path.join(tmp, "app")}
  end

  defp write(root, path, text) do
    path = Path.join(root, path)
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
    path
  end

  defp index(packages, name) do
    {_, index} = Enum.find(packages.entries, fn {package, _} -> package.name == name end)
    index
  end

  defp saved, do: [Ambix.Models.cache_dir(), "packages", "*.ambix"] |> Path.join() |> Path.wildcard()

  test "lists what is in deps in the versions of the lock", %{root: root} do
    {:ok, packages} = Packages.list(root, elixir: false)

    assert Enum.map(packages, &{to_string(&1), &1.source}) == [
             {"cup 0.4.0", :path},
             {"loose", :path},
             {"pot 01234567", :git},
             {"tea 1.2.3", :hex},
             {"tray 2.0.0-rc.1", :path}
           ]

    assert Enum.all?(packages, &File.dir?(&1.path))
  end

  test "lists dependencies by path outside of the project that are allowed, and theirs", %{
    root: root,
    tmp_dir: tmp
  } do
    mix = fn app, deps ->
      "defmodule M do\n  def project, do: [app: :#{app}, version: \"1.0.0\", deps: [#{deps}]]\nend\n"
    end

    for {path, text} <- [
          {Path.join(root, "mix.exs"),
           mix.("it", ~s({:near, path: "../beside/near"}, {:it2, path: "../secret"}))},
          {Path.join(tmp, "beside/near/mix.exs"), mix.("near_app", ~s({:far, path: "../far"}))},
          {Path.join(tmp, "beside/far/mix.exs"), mix.("far", "")},
          {Path.join(tmp, "secret/mix.exs"), mix.("secret", "")}
        ] do
      path |> Path.dirname() |> File.mkdir_p!()
      File.write!(path, text)
    end

    names = fn opts ->
      {:ok, packages} = Packages.list(root, [elixir: false] ++ opts)

      Enum.map(packages, &to_string/1) --
        ["cup 0.4.0", "loose", "pot 01234567", "tea 1.2.3", "tray 2.0.0-rc.1"]
    end

    assert names.([]) == []
    assert names.(allow_paths: [Path.join(tmp, "beside")]) == ["far 1.0.0", "near_app 1.0.0"]
  end

  test "lists Elixir and Erlang/OTP as they are installed", %{root: root} do
    {:ok, packages} = Packages.list(root, only: ["elixir", "stdlib"])
    version = System.version()

    assert [
             %Package{name: "elixir", version: ^version, source: :elixir},
             %Package{name: "stdlib", source: :otp} = stdlib
           ] = packages

    assert stdlib.version == to_string(:application.get_key(:stdlib, :vsn) |> elem(1))
    {:ok, packages} = Packages.list(root, otp: [:kernel, :of_nobody])
    assert "kernel" in Enum.map(packages, & &1.name) and "of_nobody" not in Enum.map(packages, & &1.name)
  end

  test "takes a lock for what it says and never runs it", %{root: root, tmp_dir: tmp} do
    for lock <- [
          "%{",
          <<0xFF, 0xFE>>,
          "[1, 2]",
          ~s(%{"tea": File.write!\("#{tmp}/ran", ""\)}),
          ~s(%{tea: {:hex, a_name_nobody_has_#{System.unique_integer([:positive])}}}),
          "%{tea: {:hex, :tea, 7}}"
        ] do
      File.write!(Path.join(root, "mix.lock"), lock)
      assert {:ok, [_, _, _, %{name: "tea", version: nil}, _]} = Packages.list(root, elixir: false), lock
    end

    refute File.exists?(Path.join(tmp, "ran"))
    name = "atom_of_a_lock_#{System.unique_integer([:positive])}"
    File.write!(Path.join(root, "mix.lock"), ~s(%{"#{name}": {:hex, :#{name}, "1.0.0"}}))
    assert {:ok, [_ | _]} = Packages.list(root, elixir: false)
    assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
  end

  test "packs a context in which a place stands behind the version of its package", %{
    root: root,
    tmp_dir: tmp
  } do
    write(tmp, "app/lib/kitchen.ex", """
    defmodule Kitchen do
      def breakfast(leaves), do: Tea.brew(leaves)
    end
    """)

    {:ok, index} = Index.build(root)
    {:ok, packages} = Packages.open(root, elixir: false)
    {:ok, context} = Packages.context(packages, "pour hot water over leaves", index: index, tokens: 400)
    section = Enum.find(context.sections, &(&1.package && &1.package.name == "tea"))
    assert section.file == "tea-1.2.3/lib/tea.ex"
    assert section.title =~ ~r{\] tea-1.2.3/lib/tea.ex:[\d,-]+ Tea.brew/1}
    assert section.path == Path.join(root, "deps/tea/lib/tea.ex")
    assert context.text =~ section.title and context.tokens <= 400

    # What the project calls is named, wherever it is.
    {:ok, context} = Packages.context(packages, "Kitchen.breakfast/1", index: index, limit: 1)
    assert [%{package: nil, file: "lib/kitchen.ex"}, %{package: %{name: "tea"}}] = context.sections
    [_, tea] = context.sections
    cited = "It is brewed, #{tea.file}:#{tea.line_start}, and see other-1.0.0/lib/tea.ex:1."
    assert [%{real: true}, %{real: false}] = Ambix.Context.citations(cited, context.sections)

    assert {:error, %Error{kind: :invalid_argument}} = Packages.context(packages, " ")
    assert_raise ArgumentError, ~r/:tokens/, fn -> Packages.context(packages, "x", tokens: 0) end
  end

  test "says what is not there", %{root: root, tmp_dir: tmp} do
    assert {:error, %Error{kind: :not_found, message: message}} = Packages.list(Path.join(tmp, "nowhere"))
    assert message =~ "there is no folder"
    assert {:error, %Error{kind: :not_found, message: message}} = Packages.open(root, only: ["teaa"])
    assert message == "there is no package teaa, did you mean tea?"
    assert_raise ArgumentError, ~r/:only/, fn -> Packages.list(root, only: "tea") end
    File.rm_rf!(Path.join(root, "deps"))
    assert {:ok, []} = Packages.list(root, elixir: false)
  end

  test "indexes are made once, and shared by projects with the same content", %{root: root, tmp_dir: tmp} do
    {:ok, packages} = Packages.open(root, elixir: false)

    assert {:ok, %{results: [%{file: "lib/tea.ex", symbol: "Tea.brew/1"}]}} =
             Index.lookup(index(packages, "tea"), "brew/1")

    assert {:ok, %{results: [%{symbol: ":cup.fill/1"}]}} = Index.lookup(index(packages, "cup"), "fill/1")
    made = saved()
    assert length(made) == 5

    File.cp_r!(root, Path.join(tmp, "other"))
    {:ok, _} = Packages.open(Path.join(tmp, "other"), elixir: false)
    assert saved() == made

    # A dependency that was changed in place is another one; that of the other project is not.
    write(root, "deps/tea/lib/tea.ex", "defmodule Tea do\n  def stir(cup), do: cup\nend\n")
    {:ok, packages} = Packages.open(root, elixir: false)
    assert {:ok, %{results: [%{symbol: "Tea.stir/1"}]}} = Index.lookup(index(packages, "tea"), "stir/1")
    assert length(saved()) == 6
    {:ok, others} = Packages.open(Path.join(tmp, "other"), elixir: false)
    assert {:ok, %{results: [%{symbol: "Tea.brew/1"}]}} = Index.lookup(index(others, "tea"), "brew/1")
  end

  test "an index in the cache that is damaged is made again", %{root: root} do
    {:ok, _} = Packages.open(root, only: ["tea"])
    [path] = saved()
    File.write!(path, binary_part(File.read!(path), 0, 100))
    {:ok, packages} = Packages.open(root, only: ["tea"])
    assert {:ok, %{results: [_]}} = Index.lookup(index(packages, "tea"), "Tea.brew/1")
    assert {:ok, _} = Index.open(path)
  end

  test "tells of progress, and of a cache that cannot be written", %{root: root} do
    {:ok, _} = Packages.open(root, elixir: false, progress: &send(self(), {:at, &1}))
    assert_received {:at, %{phase: :packages, done: 0, total: 5}}
    assert_received {:at, %{phase: :packages, done: 4, total: 5}}

    file = write(root, "file", "")
    System.put_env("AMBIX_CACHE", Path.join(file, "cache"))
    assert {:error, %Error{kind: :io, message: message}} = Packages.open(root, only: ["tea"])
    assert message =~ "file"
    assert {:error, %Error{kind: :io}} = Packages.open(root, only: ["eex"])
  end

  test "Elixir and Erlang are found by their documentation and by name", %{root: root} do
    {:ok, packages} = Packages.open(root, only: ["elixir", "eex", "stdlib"])

    assert {:ok, %{results: [%{symbol: "Map.update/4"} | _]}} =
             Index.lookup(index(packages, "elixir"), "Map.update/4")

    assert {:ok, %{results: [%{symbol: "Kernel.+/2"} | _]}} =
             Index.lookup(index(packages, "elixir"), "Kernel.+/2")

    assert {:ok, %{results: [%{symbol: ":lists.keyfind/3"} | _]}} =
             Index.lookup(index(packages, "stdlib"), "lists:keyfind/3")

    {:ok, %{results: results}} = Index.search(index(packages, "eex"), "evaluates a string that is a template")
    assert Enum.any?(results, &(&1.symbol == "EEx.eval_string/3"))

    # Each outline can be read; hidden modules have none.
    for name <- ["elixir", "eex", "stdlib"] do
      assert Index.diagnostics(index(packages, name)) == {:ok, []}
    end

    assert {:ok, %{results: []}} = Index.lookup(index(packages, "elixir"), "Kernel.Utils", kinds: [:module])
  end

  test "names and questions are looked for in the project and all packages", %{root: root, tmp_dir: tmp} do
    write(tmp, "app/lib/shop.ex", """
    defmodule Shop do
      @doc "Serves tea to everybody who waits."
      def serve(guests), do: Enum.map(guests, &Tea.brew/1)

      def update(map), do: Map.update(map, :tea, 1, &(&1 + 1))
    end
    """)

    {:ok, project} = Index.build(root)
    {:ok, packages} = Packages.open(root, only: ["tea", "cup", "elixir"])

    {:ok, %{results: [own | others]}} = Packages.lookup(packages, "update", index: project)
    assert %{symbol: "Shop.update/1", package: nil, file: "lib/shop.ex"} = own
    assert own.path == Path.join(root, "lib/shop.ex")
    assert %{package: %{name: "elixir"}} = map = Enum.find(others, &(&1.symbol == "Map.update/4"))
    assert File.read!(map.path) =~ "def update(map, key, default, fun)"

    assert {:ok, %{results: [%{symbol: "Tea.brew/1"}]}} =
             Packages.lookup(packages, "Tea.brew", kinds: [:function])

    assert {:ok, %{results: []}} = Packages.lookup(packages, "Tea.brew", kinds: [:macro])
    assert {:ok, %{results: found}} = Packages.lookup(packages, "update", limit: 2)
    assert length(found) == 2
    assert {:error, %Error{}} = Packages.lookup(packages, <<0xFF>>)

    ask = &Packages.search(packages, &1, [index: project] ++ &2)
    {:ok, %{results: [first | _], made_from: made}} = ask.("pour hot water over leaves", [])
    assert %{symbol: "Tea.brew/1", package: %{version: "1.2.3"}, file: "lib/tea.ex"} = first
    assert first.path == Path.join(root, "deps/tea/lib/tea.ex")
    {:ok, %{chunks: own}} = Index.info(project)
    assert made.semantic and made.chunks > own

    {:ok, %{results: [%{symbol: "Shop.serve/1", package: nil} | _]}} = ask.("serve tea to who waits", [])
    {:ok, %{results: [%{symbol: "Map.update/4"} | _]}} = ask.("Map.update/4", [])
    {:ok, %{results: results}} = ask.("update", modules: ["Keyword"], limit: 3)
    assert length(results) == 3 and Enum.all?(results, &(&1.package.name == "elixir"))
    assert {:error, %Error{kind: :invalid_argument}} = ask.("", [])
    assert {:error, %Error{kind: :invalid_argument}} = ask.(<<0xFF, 0>>, [])
    assert {:ok, %{results: []}} = Packages.search(%Packages{entries: []}, "tea")
  end

  test "an outline has the heads of what can be called, and their documentation", %{tmp_dir: tmp} do
    # From Elixir 1.15 on, Mix leaves documentation out of what tests compile.
    docs = Code.get_compiler_option(:docs)
    Code.put_compiler_option(:docs, true)
    on_exit(fn -> Code.put_compiler_option(:docs, docs) end)

    [{module, bytes}] =
      Code.compile_string(~S'''
      defmodule Ambix.PackagesTest.Pan do
        @moduledoc "Ends with \"\"\" and #{"code"}."
        @type size :: 1..9
        @doc "How it is \\ used."
        @callback use(term) :: :ok
        @doc "Fries."
        def fry(food, opts \\ []), do: {food, opts}
        def left <~> right, do: {left, right}
        def unquote(:end)(), do: :over
        @doc false
        def hidden, do: 1
        defmacro defpan(name), do: name
        defp private, do: hidden()
        def call, do: private()
      end
      ''')

    path = Path.join(tmp, "#{module}.beam")
    # Documentation is in the file and not in memory.
    File.write!(path, bytes)

    assert Outline.text(path) ==
             ~S"""
             defmodule Ambix.PackagesTest.Pan do
               @moduledoc ~S'''
               Ends with \""" and code.
               '''

               @type size() :: term

               @doc ~S'''
               How it is \ used.
               '''
               @callback use(arg1) :: term

               @doc ~S'''
               Fries.
               '''
               def fry(food, opts \\ [])

               def left <~> right

               def unquote(:end)()

               defmacro defpan(name)

               def call()
             end
             """
             |> String.replace("'''\n  How it is", ~s("""\n  How it is))
             |> String.replace("used.\n  '''", ~s(used.\n  """))
             |> String.replace("'''\n  Fries.\n  '''", ~s("""\n  Fries.\n  """))

    File.write!(path, "no module")
    assert Outline.text(path) == nil
    assert Outline.text(Path.join(tmp, "nowhere.beam")) == nil
  end
end
