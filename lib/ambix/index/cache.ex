defmodule Ambix.Index.Cache do
  @moduledoc false
  # The index files in the cache folder, which all programs of the user share. Each root has one, and each package that was ever
  # used; those that nobody asks for any more would stay for ever: together they keep below a ceiling. Whoever has opened a file that goes keeps its index,
  # and writes it again at the next change.

  @doc "The folder for indexes of projects."
  @spec folder() :: Path.t()
  def folder, do: Path.join(Ambix.Models.cache_dir(), "indexes")

  @doc "The folder for indexes of packages."
  @spec packages() :: Path.t()
  def packages, do: Path.join(Ambix.Models.cache_dir(), "packages")

  @doc "The index in the file at `path` was used now. Where this cannot be noted it seems older than it is."
  @spec used(Path.t()) :: :ok
  def used(path) do
    if here?(path), do: File.touch(path)
    :ok
  end

  @doc "Deletes what was not used for longest until all have `max_bytes` at most, but not the file at `path`, for which room is made."
  @spec prune(Path.t(), pos_integer | nil) :: :ok
  def prune(path, max_bytes) do
    if max_bytes && here?(path) do
      files = files()
      total = files |> Enum.map(& &1.size) |> Enum.sum()
      files |> Enum.reject(&(&1.path == path)) |> Enum.sort_by(& &1.used) |> delete(total - max_bytes)
    end

    :ok
  end

  defp delete([file | files], excess) when excess > 0 do
    case File.rm(file.path) do
      :ok -> delete(files, excess - file.size)
      # Another process was faster, or it is not ours to delete.
      {:error, _} -> delete(files, excess)
    end
  end

  defp delete(_files, _excess), do: :ok

  defp here?(path), do: Path.dirname(path) in [folder(), packages()]

  defp files do
    for folder <- [folder(), packages()],
        path <- Path.wildcard(Path.join(folder, "*.ambix")),
        {:ok, stat} <- [File.stat(path, time: :posix)],
        do: %{path: path, size: stat.size, used: stat.mtime}
  end
end
