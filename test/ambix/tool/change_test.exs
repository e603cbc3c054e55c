defmodule Ambix.Tool.ChangeTest do
  use ExUnit.Case, async: true

  alias Ambix.Error
  alias Ambix.Tool.Change

  setup do
    root = Path.join(System.tmp_dir!(), "ambix-change-#{System.unique_integer([:positive])}-#{System.pid()}")
    File.mkdir_p!(Path.join(root, "lib"))
    on_exit(fn -> File.rm_rf!(root) end)
    File.write!(Path.join(root, "lib/a.ex"), "one\ntwo\nthree\nfour\nfive\n")
    {:ok, root: root}
  end

  test "texts by path are taken as they are", %{root: root} do
    assert Change.texts(root, nil) == {:ok, %{}}
    assert Change.texts(root, %{"././lib//a.ex" => "x"}) == {:ok, %{"lib/a.ex" => "x"}}
  end

  test "a path may be absolute if it is of the project", %{root: root} do
    assert Change.texts(root, %{Path.join(root, "lib/a.ex") => "x"}) == {:ok, %{"lib/a.ex" => "x"}}
    path = Path.join(root, "lib/a.ex")
    diff = "--- #{path}\n+++ #{path}\n@@ -1 +1 @@\n-one\n+1\n"
    assert Change.texts(root, diff) == {:ok, %{"lib/a.ex" => "1\ntwo\nthree\nfour\nfive\n"}}

    for path <- ["#{root}", "#{root}/", "#{root}-other/a.ex", "#{root}/../a.ex", "#{root}//etc/passwd"],
        do: assert({:error, %Error{kind: :invalid_argument}} = Change.texts(root, %{path => "x"}), path)
  end

  test "what git makes of a change is applied", %{root: root} do
    new = "zero\none\ntwo\n3\nfour\nfive\nsix"

    for {file, text} <- [{"old", "one\ntwo\nthree\nfour\nfive\n"}, {"new", new}],
        do: File.write!(Path.join(root, file), text)

    {diff, 1} = System.cmd("git", ~w(diff --no-index old new), cd: root)
    diff = diff |> String.replace("a/old", "a/lib/a.ex") |> String.replace("b/new", "b/lib/a.ex")
    assert Change.texts(root, diff) == {:ok, %{"lib/a.ex" => new}}
  end

  test "new files, deleted files and moved hunks", %{root: root} do
    diff = """
    diff --git a/lib/b.ex b/lib/b.ex
    new file mode 100644
    --- /dev/null
    +++ b/lib/b.ex
    @@ -0,0 +1,2 @@
    +--- a line that looks like a title
    +b
    --- a/lib/a.ex
    +++ b/lib/a.ex
    @@ -40,2 +40,2 @@ somewhere
     four
    -five
    +5
    """

    assert Change.texts(root, diff) ==
             {:ok,
              %{
                "lib/b.ex" => "--- a line that looks like a title\nb\n",
                "lib/a.ex" => "one\ntwo\nthree\nfour\n5\n"
              }}

    gone = "--- a/lib/a.ex\n+++ /dev/null\n@@ -1,5 +0,0 @@\n-one\n-two\n-three\n-four\n-five\n"
    assert Change.texts(root, gone) == {:ok, %{"lib/a.ex" => ""}}
  end

  test "which lines differ", %{root: root} do
    assert Change.lines(root, %{"lib/a.ex" => "one\ntwo\n3\nfour\nfive\n"}) == [{"lib/a.ex", 3, 3}]
    assert Change.lines(root, %{"lib/a.ex" => "one\ntwo\nthree\nfour\nnew\nfive\n"}) == [{"lib/a.ex", 4, 5}]
    assert Change.lines(root, %{"lib/a.ex" => "one\ntwo\nthree\nfour\nfive\n", "lib/new.ex" => "x"}) == []
  end

  test "no path leads out of the project, by links neither", %{root: root} do
    File.ln_s!("/etc", Path.join(root, "link"))

    for path <- ["../x", "/etc/passwd", "lib/../../x", "", ".", "a\0b", ".git/config"] do
      assert {:error, %Error{kind: :invalid_argument}} = Change.texts(root, %{path => "x"}), path
    end

    for path <- ["../x", "/etc/passwd", "link/passwd"] do
      diff = "--- a/#{path}\n+++ b/#{path}\n@@ -1 +1 @@\n-root\n+x\n"
      assert {:error, %Error{kind: :invalid_argument, message: message}} = Change.texts(root, diff)
      refute message =~ "root:"
    end
  end

  test "what is no diff, or does not fit, is an error that says so", %{root: root} do
    for {diff, says} <- [
          {"hello", "no unified diff"},
          {"--- a/lib/a.ex\n+++ b/lib/a.ex\n@@ -1,2 +1,2 @@\n one\n-2\n+x\n", "does not fit"},
          {"--- a/lib/a.ex\n+++ b/lib/a.ex\n@@ -1,9 +1,9 @@\n one\n", "than its title counts"},
          {"--- a/lib/a.ex\n+++ b/lib/a.ex\n@@ -x @@\n", "begins with"},
          {"rename from a\nrename to b\n", "renames"},
          {String.duplicate("x", 5_000_000), "too large"}
        ] do
      assert {:error, %Error{kind: :invalid_argument, message: message}} = Change.texts(root, diff)
      assert message =~ says
    end
  end

  test "a hunk that could lie anywhere is looked for within a bound", %{root: root} do
    File.write!(Path.join(root, "lib/a.ex"), String.duplicate("x\n", 100_000))
    hunk = String.duplicate(" x\n", 20_000) <> "-y\n"
    diff = "--- a/lib/a.ex\n+++ b/lib/a.ex\n@@ -50000,20001 +50000,20000 @@\n" <> hunk
    {microseconds, {:error, _}} = :timer.tc(fn -> Change.texts(root, diff) end)
    assert microseconds < 20_000_000
  end
end
