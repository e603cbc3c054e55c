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
         program when program != nil <- Git.program(),
         {:ok, tip} <- Git.commit(program, index.root, "HEAD"),
         do: know_up_to(index, program, tip),
         else: (_ -> :ok)
  end

  defp know_up_to(%{resource: resource} = index, program, tip) do
    with {:ok, known} when known != tip <- Native.index_history_tip(resource),
         {:ok, args} <- Native.history_log(),
         {:ok, _commits} <- Native.index_history(resource, tip, log(index, program, args ++ [tip])) do
      :ok
    else
      {:error, error} -> {:error, error}
      _ -> :ok
    end
  end

  # What fails now fails the next time, too, and is not asked again before there is another commit.
  defp log(index, program, args) do
    with {:ok, place} <- Git.locate(program, index.root),
         {said, log} when said in [:ok, :cut] <-
           Git.view(place, & &1.(args, ms: @most_ms, bytes: @most_bytes)) do
      log
    else
      _ -> ""
    end
  end
end
