defmodule Ambix.Index.History do
  @moduledoc false
  # Which files changed together, for searches that name files that the caller is at. Git is asked when such a search comes, and again
  # when there is another commit.

  alias Ambix.{Error, Git, Native}

  # Of a history that takes longer or is more, the newest part is known.
  @most_ms 5_000
  @most_bytes 64 * 1024 * 1024

  @doc "Sees to it that native code knows the history of an index, if the options name files that the caller is at."
  @spec know(Ambix.Index.t(), keyword) :: :ok | {:error, Error.t()}
  def know(index, opts) do
    # Without git or a repository nothing is known, and a file is near for other reasons.
    with true <- opts[:near] != [],
         true <- File.dir?(index.root),
         git when git != nil <- Git.program(),
         {:ok, said} <- read(git, index, ~w(rev-parse --verify --quiet HEAD)),
         [tip] <- Regex.run(~r/\A[0-9a-f]{40,64}(?=\n\z)/, said),
         do: know_up_to(index, git, tip),
         else: (_ -> :ok)
  end

  defp know_up_to(%{resource: resource} = index, git, tip) do
    with {:ok, known} when known != tip <- Native.index_history_tip(resource),
         {:ok, args} <- Native.history_log(),
         # What fails now fails the next time, too, and is not asked again before there is another commit.
         {:ok, log} <- with(:failed <- read(git, index, args), do: {:ok, ""}),
         {:ok, _commits} <- Native.index_history(resource, tip, log) do
      :ok
    else
      {:error, error} -> {:error, error}
      _ -> :ok
    end
  end

  defp read(git, index, args) do
    Git.read(git, index.root, Git.settings() ++ args, @most_ms, @most_bytes)
  rescue
    # There are too many programs already.
    ErlangError -> :failed
  end
end
