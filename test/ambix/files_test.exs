defmodule Ambix.FilesTest do
  use ExUnit.Case, async: true

  alias Ambix.{CLI, EmbeddingCache, Error, Files, Graph, Index, Model, Packages}

  @moduletag :tmp_dir

  # Everything that can bear the name of a file and is none, or has no end.
  @strangers ~w(pipe socket folder zero to_pipe dangling loop sparse)a

  # What the compiler does not know, so that it does not complain of clauses for others.
  defp kind(stranger), do: Enum.find(@strangers, &(&1 == stranger))

  defp put(:pipe, path), do: {_, 0} = System.cmd("mkfifo", [path])
  defp put(:folder, path), do: File.mkdir_p!(path)
  defp put(:zero, path), do: File.ln_s!("/dev/zero", path)
  defp put(:dangling, path), do: File.ln_s!(path <> ".target", path)
  defp put(:loop, path), do: File.ln_s!(path, path)
  defp put(:sparse, path), do: {_, 0} = System.cmd("truncate", ["-s", "1T", path])

  defp put(:to_pipe, path) do
    put(:pipe, path <> ".pipe")
    File.ln_s!(path <> ".pipe", path)
  end

  defp put(:socket, path) do
    # The path of a socket is short.
    {_, 0} =
      System.cmd("sh", [
        "-c",
        ~s(cd "#{Path.dirname(path)}" && exec "$0" -e '#{socket(Path.basename(path))}'),
        perl()
      ])
  end

  defp perl, do: System.find_executable("perl")

  defp socket(name),
    do: "use IO::Socket::UNIX; IO::Socket::UNIX->new(Local => \"#{name}\", Listen => 1) or die"

  # Nothing of this waits for anything, so it takes milliseconds; the bound is for a machine that is busy.
  defp soon(fun) do
    task = Task.async(fun)
    assert {:ok, result} = Task.yield(task, 20_000) || Task.shutdown(task, :brutal_kill)
    result
  end

  defp project(root) do
    Ambix.Test.Setup.write(root, [
      {"lib/shop.ex", "defmodule Shop do\n  use Dep\n  def price, do: 1\nend\n"},
      {"deps/dep/lib/dep.ex", "defmodule Dep do\n  defmacro __using__(_), do: nil\nend\n"},
      {"mix.exs", "defmodule Shop.MixProject do\nend\n"},
      {"mix.lock", "%{}\n"}
    ])
  end

  for stranger <- @strangers do
    test "where a file should be there is #{stranger}: it is refused at once, by name", %{tmp_dir: dir} do
      path = Path.join(dir, "x")
      put(unquote(stranger), path)

      for read <- [
            &Files.read/1,
            &Index.open/1,
            &Index.open(&1, root: dir),
            &Model.load/1,
            &Model.load_encoder/1,
            &CLI.Files.read_lines(&1, [])
          ] do
        assert {:error, %Error{} = error} = soon(fn -> read.(path) end)
        assert error.message =~ dir, inspect(error)
      end
    end

    test "in a project there is #{stranger}, and everything else is read", %{tmp_dir: dir} do
      root = project(Path.join(dir, "p"))
      kind = kind(unquote(stranger))

      for path <- ~w(lib/x.ex .ignore lib/.gitignore deps/dep/lib/x.ex deps/dep/hex_metadata.config) do
        path = Path.join(root, path)
        put(kind, path)
      end

      File.rm!(Path.join(root, "mix.lock"))
      put(kind, Path.join(root, "mix.lock"))
      ebin = Path.join(root, "_build/dev/lib/shop/ebin")
      File.mkdir_p!(ebin)
      for name <- ~w(Elixir.X.beam x.trace), do: put(kind, Path.join(ebin, name))

      assert {:ok, index} = soon(fn -> Index.build(root) end)
      assert {:ok, %{files: 2}} = Index.info(index)
      assert {:ok, _} = soon(fn -> Index.update(index) end)
      assert {:ok, %{state: :fresh}} = soon(fn -> Index.status(index) end)
      assert {:ok, [%{symbol: "Shop.price/0"}]} = soon(fn -> Graph.definition(index, "Shop.price/0") end)
      assert {:ok, %{modules: 0, diagnostics: told}} = soon(fn -> Index.observe(index, folders: [ebin]) end)
      unless kind in [:folder], do: assert(told != [] or kind in [:dangling, :loop])
      assert {:ok, packages} = soon(fn -> Packages.list(root, elixir: false) end)
      assert [%{name: "dep"}] = packages
    end

    test "where something is to be written there is #{stranger}: it stays as it is", %{tmp_dir: dir} do
      {:ok, index} = Index.build(project(Path.join(dir, "p")))
      kind = kind(unquote(stranger))

      for {name, beside} <- [{"a", ""}, {"b", ".lock"}, {"c", ".new"}] do
        path = Path.join(dir, name)
        put(kind, path <> beside)
        before = File.lstat!(path <> beside).inode
        saved = soon(fn -> Index.save(index, path) end)

        case {beside, kind} do
          # What is left behind there is nobody's, and is taken away; what a link leads to is not touched.
          {".new", :folder} -> assert {:error, %Error{kind: :io}} = saved
          {".new", _} -> assert saved == :ok and File.regular?(path)
          # An empty lock of a terabyte is a lock; an index of one is none.
          {".lock", :sparse} -> assert saved == :ok
          _ -> assert {:error, %Error{}} = saved
        end

        unless beside == ".new", do: assert(File.lstat!(path <> beside).inode == before)
        refute File.exists?(path <> beside <> ".target")
      end

      path = Path.join(dir, "cache")
      put(kind, path)
      opened = soon(fn -> EmbeddingCache.open(path: path) end)
      unless kind == :sparse, do: assert({:error, %Error{}} = opened)
      refute File.exists?(path <> ".target")
    end
  end

  test "a link to another index or to a file of the user's is not written through", %{tmp_dir: dir} do
    {:ok, index} = Index.build(project(Path.join(dir, "p")))
    precious = Path.join(dir, "precious")
    File.write!(precious, "precious")
    for name <- ~w(a a.new a.lock), do: File.ln_s!(precious, Path.join(dir, name))
    assert {:error, %Error{kind: :io, message: message}} = Index.save(index, Path.join(dir, "a"))
    assert message =~ "a link"
    File.rm!(Path.join(dir, "a.lock"))
    assert {:error, %Error{}} = Index.save(index, Path.join(dir, "a"))
    File.rm!(Path.join(dir, "a"))
    assert :ok = Index.save(index, Path.join(dir, "a"))
    assert File.read!(precious) == "precious"
  end

  test "a file has a ceiling, and one that may not be read is told", %{tmp_dir: dir} do
    path = Path.join(dir, "a")
    File.write!(path, "12345")
    assert Files.read(path) == {:ok, "12345"}
    assert Files.read(path, 5) == {:ok, "12345"}
    assert {:error, %Error{kind: :limit}} = Files.read(path, 4)
    assert {:error, %Error{kind: :not_found}} = Files.read(path <> "b")
    assert {:error, %Error{}} = Files.read("a\0b")
    File.chmod!(path, 0)
    if File.read(path) == {:error, :eacces}, do: assert({:error, %Error{kind: :io}} = Files.read(path))
  end

  test "files with odd names are found, shown with escapes, and read by what is shown", %{tmp_dir: dir} do
    root = Path.join(dir, "odd")
    File.mkdir_p!(root)

    names = %{
      "esc\e[31m.ex" => "esc\\u{1b}[31m.ex",
      "bidi\u202Exe.ex" => "bidi\\u{202e}xe.ex",
      "new\nline.ex" => "new\\u{a}line.ex",
      <<"bytes", 0xFF, ".ex">> => "bytes\\xFF.ex",
      "back\\xFF.ex" => "back\\x5CxFF.ex"
    }

    for {{name, _}, n} <- Enum.with_index(names) do
      # A name that is not UTF-8 is one of a raw file.
      :ok =
        :file.write_file(Path.join(root, name), "defmodule Odd#{n} do\n  def needle#{n}, do: 1\nend\n", [:raw])
    end

    assert {:ok, index} = Index.build(root)
    assert {:ok, %{files: 5}} = Index.info(index)

    for {{name, shown}, n} <- Enum.with_index(names) do
      assert Files.name(name) == shown
      assert Files.path(root, shown) == Path.join(root, name)
      assert {:ok, %{results: [%{file: ^shown} | _]}} = Index.search(index, "needle#{n}")
      assert {:ok, %{lines: [%{file: ^shown}]}} = Index.grep(index, "needle#{n}\\b")
      assert {:ok, text} = Index.text(index, shown)
      assert text =~ "Odd#{n}"
    end

    assert {:ok, context} = Index.context(index, "needle", tokens: 4_000)
    refute context.text =~ ~r/[\e\x{202E}]/u

    # A name is given as it is shown; one without a backslash may be given as it is, too.
    for {{path, shown}, n} <- Enum.with_index(names), given <- [shown, path], String.valid?(path) do
      text = "defmodule Changed#{n}#{given == path} do\nend\n"
      :ok = :file.write_file(Path.join(root, path), text, [:raw])
      changed = if path =~ "\\" and given == path, do: 0, else: 1
      assert {:ok, %{changed: ^changed}} = Index.update(index, paths: [given])
    end

    assert {:ok, _} = Index.update(index)

    assert {:ok, %{state: :fresh}} = Index.status(index)
  end

  test "what is written to a terminal does not rule it" do
    shown = CLI.harmless(["\e[31m", "a\e[2Jb\e]0;title\a", "\e[0m", "\u202Ec\r", "\n\td", <<0xFF>>])

    assert shown ==
             "\e[31ma\\u{1b}[2Jb\\u{1b}]0;title\\u{7}\e[0m" <>
               Files.visible(<<0xE2, 0x80, 0xAE, ?c, ?\r, ?\n, ?\t, ?d, 0xFF>>)

    refute shown =~ "\r"
    assert CLI.harmless("\e[2J") == "\\u{1b}[2J"
    assert CLI.harmless("\u202Ea") == "\\u{202e}a"
  end

  test "the root of a disk, a home and folders of the system are no projects", %{tmp_dir: dir} do
    File.ln_s!("/", Path.join(dir, "link"))

    for root <- ["/", "/usr", "/proc/self", "/tmp/..", Path.join(dir, "link"), System.user_home!()] do
      for opened <- [Index.build(root), Index.open_or_build(root)] do
        assert {:error, %Error{kind: :invalid_argument, message: message}} = opened, root
        assert message =~ "any_root: true"
      end
    end

    name = :"root_#{System.unique_integer([:positive])}"
    start_supervised!({Index, name: name, root: "/", watch: true})
    assert {:error, %Error{kind: :invalid_argument}} = Index.fetch(name, wait: 20_000)

    empty = Path.join(dir, "empty")
    File.mkdir_p!(empty)
    assert {:ok, index} = Index.build(empty)
    assert {:ok, %{warning: warning}} = Index.status(index)
    assert warning =~ empty and warning =~ "has no source"
    File.write!(Path.join(empty, "a.ex"), "defmodule A do\nend\n")
    assert {:ok, _} = Index.update(index)
    assert {:ok, %{warning: nil}} = Index.status(index)
  end

  test "a repository below the root is left out unless that is asked for", %{tmp_dir: dir} do
    root = project(Path.join(dir, "outer"))
    project(Path.join(root, "clone"))
    File.mkdir_p!(Path.join(root, "clone/.git"))
    assert {:ok, index} = Index.build(root)
    assert {:ok, %{files: 2}} = Index.info(index)
    assert {:ok, told} = Index.diagnostics(index)
    assert [%{file: "clone", code: "nested_repository"}] = Enum.map(told, &Map.take(&1, [:file, :code]))
    assert {:ok, index} = Index.build(root, nested_repositories: true)
    assert {:ok, %{files: 4}} = Index.info(index)
  end
end
