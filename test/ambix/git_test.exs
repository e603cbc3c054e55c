defmodule Ambix.GitTest do
  use ExUnit.Case, async: true

  alias Ambix.Git

  @moduletag :tmp_dir

  # Any program does: what is asked of git is asked of it.
  defp read(program, args, dir, ms, bytes),
    do: Git.read(System.find_executable(program), dir, args, ms, bytes)

  test "what a program says is read up to a size and for a time", %{tmp_dir: dir} do
    assert read("echo", ["some", "$HOME"], dir, 5_000, 100) == {:ok, "some $HOME\n"}
    # The folder may be a link, which the program follows.
    assert {:ok, folder} = read("pwd", [], dir, 5_000, 1_000)
    assert folder |> String.trim() |> Path.basename() == Path.basename(dir)
    assert {:ok, "x\nx\n" <> _ = much} = read("yes", ["x"], dir, 5_000, 1_000)
    assert byte_size(much) == 1_000
    began = System.monotonic_time(:millisecond)
    assert read("sleep", ["20"], dir, 100, 100) == {:ok, ""}
    assert System.monotonic_time(:millisecond) - began < 10_000
    refute_received _
  end

  test "a process that traps exits finds nothing in its mailbox", %{tmp_dir: dir} do
    Process.flag(:trap_exit, true)
    assert read("echo", ["some"], dir, 5_000, 100) == {:ok, "some\n"}
    assert {:ok, _} = read("yes", ["x"], dir, 5_000, 1_000)
    assert read("sleep", ["20"], dir, 50, 100) == {:ok, ""}
    assert read("false", [], dir, 5_000, 100) == :failed
    refute_receive _, 100
  end

  test "who could not says so, and nobody else hears what it complains of", %{tmp_dir: dir} do
    assert read("false", [], dir, 5_000, 100) == :failed
    assert read("ls", ["nothing of that name"], dir, 5_000, 100) == :failed
    refute_received _
  end
end
