defmodule Aludel.ScriptsTest do
  # What the Makefile calls before anything is built.
  use ExUnit.Case, async: true

  @root Path.expand("..", __DIR__)

  setup do
    cache = Path.join(System.tmp_dir!(), "aludel-scripts-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(cache) end)
    %{cache: cache, models: Path.join(cache, "models")}
  end

  describe "scripts/models.py --check" do
    test "says that models are missing, and writes nothing", %{cache: cache} do
      assert models(cache, ["--check"]) == {"", 1}
      refute File.exists?(cache)
    end

    test "goes by names and sizes", %{cache: cache, models: models} do
      files = catalogue(models)
      for {path, bytes} <- files, do: sparse(path, bytes)
      assert models(cache, ["--check"]) == {"", 0}

      {path, bytes} = hd(files)
      sparse(path, bytes - 1)
      assert models(cache, ["--check"]) == {"", 1}
    end

    test "with --verify goes by content", %{cache: cache, models: models} do
      for {path, bytes} <- catalogue(models), do: sparse(path, bytes)
      assert models(cache, ["--check", "--verify"]) == {"", 1}
    end
  end

  test "scripts/setup says and does nothing where all is there" do
    assert System.cmd(Path.join(@root, "scripts/setup"), [], stderr_to_stdout: true) == {"", 0}
  end

  test "make help lists the two commands" do
    {help, 0} = System.cmd("make", ["--no-print-directory", "help"], cd: @root)
    assert help =~ ~r/^  make demo  +\S/m
    assert help =~ ~r/^  make test  +\S/m
  end

  defp models(cache, arguments) do
    script = Path.join(@root, "scripts/models.py")
    System.cmd("python3", [script | arguments], env: [{"ALUDEL_CACHE", cache}], stderr_to_stdout: true)
  end

  # Every file of the catalogue, with its size.
  defp catalogue(folder) do
    {:ok, %{"models" => models}} =
      @root |> Path.join("lib/aludel/models.json") |> File.read!() |> Aludel.JSON.decode()

    for model <- models, file <- model["files"] do
      {Path.join([folder, model["name"], file["to"]]), file["bytes"]}
    end
  end

  # A file of zeros that takes no room on the disk.
  defp sparse(path, bytes) do
    File.mkdir_p!(Path.dirname(path))
    file = File.open!(path, [:write])
    {:ok, _} = :file.position(file, bytes)
    :ok = :file.truncate(file)
    File.close(file)
  end
end
