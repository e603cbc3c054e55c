defmodule Ambix.Git do
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

  # Paths are written as they are. Warnings of line ends are of no use here, and would be printed.
  @settings ~w(-c core.quotePath=false -c core.safecrlf=false)

  @doc "What stands before the arguments of git wherever it is asked."
  @spec settings() :: [String.t()]
  def settings, do: @settings

  @doc "The program, if it is on the PATH."
  @spec program() :: Path.t() | nil
  def program, do: System.find_executable("git")

  @doc """
  What the program says in the folder, without what it complains of, in `most_ms` and `most_bytes`: what comes later or is more is left out.
  `:failed` if it says that it could not.
  """
  @spec read(Path.t(), Path.t(), [String.t()], pos_integer, pos_integer) :: {:ok, binary} | :failed
  def read(git, root, args, most_ms, most_bytes) do
    case System.find_executable("sh") do
      nil -> :failed
      sh -> read_by(sh, [git | args], root, now() + most_ms, most_bytes)
    end
  end

  defp read_by(sh, command, root, until, most) do
    environment =
      for {name, value} <- @environment, do: {to_charlist(name), (value && to_charlist(value)) || false}

    # A port has no other way to leave out what a program complains of.
    args = ["-c", ~S(exec "$0" "$@" 2>/dev/null) | command]
    options = [:binary, :exit_status, :hide, args: args, cd: root, env: environment]
    port = Port.open({:spawn_executable, sh}, options)

    try do
      collect(port, [], until, most)
    after
      close(port)
    end
  end

  defp collect(port, parts, until, left) do
    receive do
      {^port, {:data, data}} when byte_size(data) < left ->
        collect(port, [parts, data], until, left - byte_size(data))

      {^port, {:data, data}} ->
        {:ok, IO.iodata_to_binary([parts, binary_part(data, 0, left)])}

      {^port, {:exit_status, 0}} ->
        {:ok, IO.iodata_to_binary(parts)}

      {^port, {:exit_status, _}} ->
        :failed
    after
      max(until - now(), 0) -> {:ok, IO.iodata_to_binary(parts)}
    end
  end

  # Git ends when nobody reads what it writes, and nothing of it is left in the mailbox, also of a process that traps exits.
  defp close(port) do
    Process.unlink(port)
    if Port.info(port), do: Port.close(port)
    flush(port)
  rescue
    ArgumentError -> flush(port)
  end

  defp flush(port) do
    receive do
      {^port, _} -> flush(port)
      {:EXIT, ^port, _} -> flush(port)
    after
      0 -> :ok
    end
  end

  defp now, do: System.monotonic_time(:millisecond)

  @doc "What the program says in the folder, with what it complains of or without, and its exit code."
  @spec run(Path.t(), Path.t(), [String.t()], boolean) :: {binary, non_neg_integer}
  def run(git, root, args, with_errors?),
    do: System.cmd(git, @settings ++ args, cd: root, env: @environment, stderr_to_stdout: with_errors?)
end
