defmodule Aludel.Git do
  @moduledoc false
  # Git as it is asked here: whatever the user's environment says, it stays in the folder, asks nothing and writes nothing.

  # These would lead git to another repository, to a program of somebody else's, or to a question.
  @environment [
    {"GIT_DIR", nil},
    {"GIT_WORK_TREE", nil},
    {"GIT_INDEX_FILE", nil},
    {"GIT_PREFIX", nil},
    {"GIT_EXTERNAL_DIFF", nil},
    {"GIT_DIFF_OPTS", nil},
    {"GIT_OPTIONAL_LOCKS", "0"},
    {"GIT_TERMINAL_PROMPT", "0"},
    {"GIT_NO_LAZY_FETCH", "1"},
    {"LC_ALL", "C"}
  ]

  @doc "The program, if it is on the PATH."
  @spec program() :: Path.t() | nil
  def program, do: System.find_executable("git")

  @doc "What the program says in the folder, with what it complains of or without, and its exit code."
  @spec run(Path.t(), Path.t(), [String.t()], boolean) :: {binary, non_neg_integer}
  def run(git, root, args, with_errors? \\ false) do
    # Warnings of line ends are of no use here, and would be printed.
    args = ~w(-c core.quotePath=false -c core.safecrlf=false) ++ args
    System.cmd(git, args, cd: root, env: @environment, stderr_to_stdout: with_errors?)
  end
end
