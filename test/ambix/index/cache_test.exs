defmodule Ambix.Index.CacheTest do
  # The environment says where indexes are kept.
  use ExUnit.Case, async: false

  alias Ambix.Index
  alias Ambix.Index.Cache

  @moduletag :tmp_dir

  setup %{tmp_dir: dir} do
    Ambix.Test.Setup.put_env(%{"AMBIX_CACHE" => Path.join(dir, "cache")})
  end

  # An index in the cache folder that was used so many seconds ago.
  defp kept(dir, name, ago) do
    root = Path.join(dir, name)
    File.mkdir_p!(root)
    File.write!(Path.join(root, "a.ex"), "defmodule #{String.capitalize(name)} do\n  def a, do: 1\nend\n")
    {:ok, _} = Index.open_or_build(root)
    path = Index.default_path(root)
    File.touch!(path, System.os_time(:second) - ago)
    {root, path, File.stat!(path).size}
  end

  test "of all indexes those go that were not used for longest", %{tmp_dir: dir} do
    {_, oldest, size} = kept(dir, "oldest", 3000)
    {used, also_old, _} = kept(dir, "used", 2000)
    {_, older, _} = kept(dir, "older", 1000)
    stranger = Path.join(Cache.folder(), "notes.txt")
    File.write!(stranger, String.duplicate("x", 100_000))
    {:ok, _} = Index.open(also_old)

    new = Path.join(dir, "new")
    File.mkdir_p!(new)
    File.write!(Path.join(new, "a.ex"), "defmodule New do\n  def a, do: 1\nend\n")
    {:ok, index} = Index.open_or_build(new, max_cache: 2 * size + div(size, 2))

    assert Enum.map([oldest, also_old, older, Index.default_path(new), stranger], &File.exists?/1) ==
             [false, true, false, true, true]

    # The one that is written stays whatever its size, and a file somewhere else is none of its business.
    assert Index.save(index, Index.default_path(new), max_cache: 1) == :ok
    assert File.exists?(Index.default_path(new))
    refute File.exists?(also_old)
    {:ok, _} = Index.open_or_build(used)
    assert Index.save(index, Path.join(dir, "elsewhere.ambix"), max_cache: 1) == :ok
    assert File.exists?(Index.default_path(used))
  end
end
