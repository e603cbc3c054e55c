defmodule Ambix.GitTest do
  use ExUnit.Case, async: true

  alias Ambix.{Error, Git, Graph, Index}
  alias Ambix.Graph.Change

  @moduletag :tmp_dir
  # Hundreds of programs are started, which takes long on a busy machine.
  @moduletag timeout: 300_000

  # Any program does: what is asked of git is asked of it.
  defp read(program, args, dir, ms, bytes),
    do: Git.read(System.find_executable(program), dir, args, [], ms: ms, bytes: bytes)

  test "what a program says is read up to a size and for a time", %{tmp_dir: dir} do
    assert read("echo", ["some", "$HOME"], dir, 5_000, 100) == {:ok, "some $HOME\n"}
    # The folder may be a link, which the program follows.
    assert {:ok, folder} = read("pwd", [], dir, 5_000, 1_000)
    assert folder |> String.trim() |> Path.basename() == Path.basename(dir)
    assert {:cut, "x\nx\n" <> _ = much} = read("yes", ["x"], dir, 5_000, 1_000)
    assert byte_size(much) == 1_000
    began = System.monotonic_time(:millisecond)
    assert read("sleep", ["20"], dir, 100, 100) == {:cut, ""}
    assert System.monotonic_time(:millisecond) - began < 10_000
    refute_received _
  end

  test "a program that comes too late is ended", %{tmp_dir: dir} do
    pipe = Path.join(dir, "pipe")
    {_, 0} = System.cmd("mkfifo", [pipe])
    # It writes nothing, so it would not notice that nobody reads.
    script = ~s(echo $$ > "#{dir}/pid"; exec cat "#{pipe}")
    assert read("sh", ["-c", script], dir, 500, 100) == {:cut, ""}
    pid = dir |> Path.join("pid") |> File.read!() |> String.trim()
    assert ended?(pid, 100)
  end

  defp ended?(_pid, 0), do: false

  defp ended?(pid, left) do
    {_, code} =
      System.cmd("sh", ["-c", "kill -0 #{pid} 2>/dev/null && ! grep -q '^State:.Z' /proc/#{pid}/status"])

    code != 0 or ended?(pid, left - 1)
  end

  test "a process that traps exits finds nothing in its mailbox", %{tmp_dir: dir} do
    Process.flag(:trap_exit, true)
    assert read("echo", ["some"], dir, 5_000, 100) == {:ok, "some\n"}
    assert {:cut, _} = read("yes", ["x"], dir, 5_000, 1_000)
    assert read("sleep", ["20"], dir, 50, 100) == {:cut, ""}
    assert read("false", [], dir, 5_000, 100) == :failed
    refute_receive _, 100
  end

  test "who could not says so, and nobody else hears what it complains of", %{tmp_dir: dir} do
    assert read("false", [], dir, 5_000, 100) == :failed
    assert read("ls", ["nothing of that name"], dir, 5_000, 100) == :failed
    refute_received _
  end

  # A repository whose configuration names a program wherever git knows a place for one; each would write to the marker.
  defp hostile(dir) do
    root = Path.join(dir, "repository")
    marker = Path.join(dir, "marker")
    program = Path.join(dir, "program")
    File.mkdir_p!(Path.join(root, "lib"))
    File.write!(program, "#!/bin/sh\necho \"$0 $@\" >> #{marker}\ncat\n")
    File.chmod!(program, 0o755)
    git(root, ~w(init -q))
    write(root, "lib/a.ex", "defmodule A do\n  def one, do: 1\n  def two, do: 2\nend\n")
    write(root, "lib/b.ex", "defmodule B do\n  def three, do: A.one()\nend\n")
    for n <- 1..2, do: commit(root, n)

    for {key, value} <- [
          {"core.fsmonitor", program},
          {"core.hooksPath", Path.join(dir, "hooks")},
          {"core.pager", program},
          {"pager.log", program},
          {"pager.diff", program},
          {"core.editor", program},
          {"core.askPass", program},
          {"core.sshCommand", program},
          {"core.gitProxy", program},
          {"core.alternateRefsCommand", program},
          {"gpg.program", program},
          {"gpg.ssh.program", program},
          {"log.showSignature", "true"},
          {"diff.external", program},
          {"diff.evil.command", program},
          {"diff.evil.textconv", program},
          {"filter.evil.clean", program},
          {"filter.evil.smudge", program},
          {"filter.evil.required", "true"},
          {"filter.worse.process", program},
          {"merge.evil.driver", program},
          {"credential.helper", "!" <> program},
          {"alias.diff", "!" <> program},
          {"alias.log", "!" <> program},
          {"uploadpack.packObjectsHook", program},
          {"interactive.diffFilter", program},
          {"sequence.editor", program},
          {"trailer.sign.command", program},
          {"remote.origin.url", "ext::#{program} x"},
          {"remote.origin.promisor", "true"},
          {"remote.origin.partialclonefilter", "blob:none"},
          {"protocol.ext.allow", "always"},
          {"extensions.partialClone", "origin"},
          {"core.repositoryformatversion", "1"},
          {"submodule.recurse", "true"},
          {"include.path", Path.join(dir, "included")}
        ],
        do: git(root, ["config", key, value])

    File.write!(Path.join(dir, "included"), "[filter \"third\"]\n\tclean = #{program}\n")

    for hook <- ~w(post-checkout post-index-change pre-commit reference-transaction fsmonitor-watchman),
        folder <- [Path.join(dir, "hooks"), Path.join(root, ".git/hooks")] do
      File.mkdir_p!(folder)
      File.cp!(program, Path.join(folder, hook))
      File.chmod!(Path.join(folder, hook), 0o755)
    end

    File.write!(
      Path.join(root, ".gitattributes"),
      "*.ex filter=evil diff=evil merge=evil\n*.md filter=worse\n"
    )

    File.write!(Path.join(root, ".git/info/attributes"), "lib/* filter=third\n*.ex diff=evil filter=evil\n")
    # Another size, so that git has to read it.
    write(root, "lib/a.ex", "defmodule A do\n  def one, do: 1 + 0\n  def two, do: 2\nend\n")
    write(root, "NEW.md", "# New\n")
    File.rm(marker)
    {root, marker}
  end

  defp write(root, path, text), do: File.write!(Path.join(root, path), text)

  defp commit(root, n) do
    write(root, "lib/a.ex", "defmodule A do\n  def one, do: 1\n  def two, do: #{n}\nend\n")
    write(root, "lib/b.ex", "defmodule B do\n  # #{n}\n  def three, do: A.one()\nend\n")
    git(root, ~w(add -A))
    git(root, ["commit", "-q", "-m", "#{n}"])
  end

  defp git(root, args) do
    who = ~w(-c user.name=Somebody -c user.email=somebody@localhost -c commit.gpgsign=false)
    {_, 0} = System.cmd("git", who ++ args, cd: root, stderr_to_stdout: true)
  end

  test "a repository names programs everywhere, and none of them runs", %{tmp_dir: dir} do
    {root, marker} = hostile(dir)
    assert {:ok, index} = Index.build(root)
    assert {:ok, change} = Graph.diff(index)
    assert File.read(marker) == {:error, :enoent}
    assert "lib/a.ex" in change.changed and "NEW.md" in change.changed and ".gitattributes" in change.changed
    assert Enum.map(change.touched, & &1.symbol) == ["A.one/0"]
    assert Enum.map(change.hits, & &1.symbol) == ["B.three/0"]
    assert {:ok, %{changed: changed}} = Graph.diff(index, "HEAD~1")
    assert "lib/b.ex" in changed

    assert {:ok, %{results: [_ | _]}} = Index.search(index, "three", near: ["lib/a.ex:2"])
    assert {:ok, tip} = Ambix.Native.index_history_tip(index.resource)
    assert tip =~ ~r/\A[0-9a-f]{40}\z/
    assert File.read(marker) == {:error, :enoent}
    # The programs do run where git is asked as usual, or this test would show nothing.
    read("git", ~w(status), root, 5_000, 10_000)
    assert File.exists?(marker)
  end

  test "what is configured about line ends and hidden from one repository alone still counts", %{tmp_dir: dir} do
    root = Path.join(dir, "plain")
    File.mkdir_p!(Path.join(root, "lib"))
    git(root, ~w(init -q))
    commit(root, 1)
    git(root, ~w(config core.autocrlf true))
    write(root, ".git/info/exclude", "secret.txt\n")
    write(root, "secret.txt", "x")
    write(root, "lib/a.ex", "defmodule A do\r\n  def one, do: 1\r\n  def two, do: 1\r\nend\r\n")
    assert Change.since(root, "HEAD") == {:ok, %{lines: [], changed: [], deleted: [], taken: []}}
  end

  test "where git would wait for ever it is ended, and the answer says so", %{tmp_dir: dir} do
    root = Path.join(dir, "waiting")
    File.mkdir_p!(Path.join(root, "lib"))
    git(root, ~w(init -q))
    commit(root, 1)
    {_, 0} = System.cmd("mkfifo", [Path.join(root, ".gitignore")])
    assert {:error, %Error{kind: :project, message: message}} = Change.since(root, "HEAD", ms: 1_000)
    assert message =~ "took too long"
    {_, 0} = System.cmd("mkfifo", [Path.join(root, ".git/shallow")])
    assert {:error, %Error{}} = Change.since(root, "HEAD", ms: 1_000)
  end

  test "nothing is left of the view", %{tmp_dir: dir} do
    root = Path.join(dir, "clean")
    File.mkdir_p!(Path.join(root, "lib"))
    git(root, ~w(init -q))
    commit(root, 1)
    {:ok, place} = Git.locate(Git.program(), root)
    view = Git.view(place, fn ask -> ask.(~w(rev-parse --absolute-git-dir), ms: 5_000, bytes: 1_000) end)
    assert {:ok, folder} = view
    refute File.exists?(String.trim(folder))

    where = fn ask -> throw(ask.(~w(rev-parse --absolute-git-dir), ms: 5_000, bytes: 1_000)) end
    assert {:ok, folder} = catch_throw(Git.view(place, where))
    refute File.exists?(String.trim(folder))
  end
end
