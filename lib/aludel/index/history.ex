defmodule Aludel.Index.History do
  @moduledoc false
  # Which files changed together, for searches that name files that the caller is at. Git is asked when such a search comes, and again
  # when there is another commit.

  alias Aludel.{Error, Git, Native}

  @doc "Sees to it that native code knows the history of an index, if the options name files that the caller is at."
  @spec know(Aludel.Index.t(), keyword) :: :ok | {:error, Error.t()}
  def know(index, opts) do
    # Without git or a repository nothing is known, and a file is near for other reasons.
    with true <- opts[:near] != [],
         true <- File.dir?(index.root),
         git when git != nil <- Git.program(),
         {tip, 0} <- Git.run(git, index.root, ~w(rev-parse --verify --quiet HEAD), true),
         do: know_up_to(index, git, tip),
         else: (_ -> :ok)
  rescue
    # A program that cannot be started, or a folder that cannot be entered.
    ErlangError -> :ok
  end

  defp know_up_to(%{resource: resource} = index, git, tip) do
    with {:ok, known} when known != tip <- Native.index_history_tip(resource),
         {:ok, args} <- Native.history_log(),
         {log, 0} <- Git.run(git, index.root, args),
         {:ok, _commits} <- Native.index_history(resource, tip, log) do
      :ok
    else
      {:error, error} -> {:error, error}
      _ -> :ok
    end
  end
end
