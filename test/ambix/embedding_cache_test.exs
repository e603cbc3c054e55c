defmodule Ambix.EmbeddingCacheTest do
  use ExUnit.Case, async: true

  alias Ambix.{EmbeddingCache, Error, Models}

  test "is in memory alone if asked for" do
    {:ok, cache} = EmbeddingCache.open(memory: true, max_bytes: 1000)
    assert cache.path == nil
    assert inspect(cache) == "#Ambix.EmbeddingCache<in memory>"
    assert {:ok, %{entries: 0, bytes: 0, hits: 0, misses: 0, file_error: nil}} = EmbeddingCache.stats(cache)
  end

  @tag :tmp_dir
  test "makes its file and folder, and takes any file for empty that is none", %{tmp_dir: dir} do
    path = Path.join(dir, "deep/er/embeddings")
    {:ok, cache} = EmbeddingCache.open(path: path)
    assert cache.path == path and File.exists?(path)

    File.write!(Path.join(dir, "other"), String.duplicate("no cache", 1000))
    {:ok, other} = EmbeddingCache.open(path: Path.join(dir, "other"))
    assert {:ok, %{entries: 0}} = EmbeddingCache.stats(other)
  end

  @tag :tmp_dir
  test "says why it cannot be opened", %{tmp_dir: dir} do
    File.write!(Path.join(dir, "file"), "")
    assert {:error, %Error{kind: :io, message: message}} = EmbeddingCache.open(path: Path.join(dir, "file/x"))
    assert message =~ "folder"
    assert {:error, %Error{}} = EmbeddingCache.open(path: dir)
    assert_raise ArgumentError, ~r/:max_bytes/, fn -> EmbeddingCache.open(max_bytes: 0) end
  end

  @tag :tmp_dir
  test "does not wait for ever for a file that another process holds", %{tmp_dir: dir} do
    path = Path.join(dir, "held")
    {:ok, _} = EmbeddingCache.open(path: path)
    hold = "exec 9<> '#{path}'; flock 9; echo held; read line"
    other = Port.open({:spawn_executable, System.find_executable("sh")}, [:binary, args: ["-c", hold]])
    assert_receive {^other, {:data, "held\n"}}, 20_000
    # Another ceiling is another cache of the same file.
    assert {:error, %Error{kind: :locked, message: message}} =
             EmbeddingCache.open(path: path, max_bytes: 1000)

    assert message =~ "another process holds the embedding cache #{path}"
    Port.command(other, "\n")
    assert {:ok, _} = EmbeddingCache.open(path: path, max_bytes: 1000)
  end

  test "is in the cache folder by default" do
    assert EmbeddingCache.default_path() == Path.join(Models.cache_dir(), "embeddings")
  end
end
