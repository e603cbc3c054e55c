defmodule Demo.Shop do
  @moduledoc false
  # The example project and the bugs to plant in it.

  @shop Path.expand("../../examples/shop", __DIR__)

  @doc "The patches of `examples/shop/bugs`: each has a `name`, a `path`, and what it is `about`, its first line."
  def bugs do
    for path <- Enum.sort(Path.wildcard(Path.join(@shop, "bugs/*.patch"))) do
      [first | _] = path |> File.read!() |> String.split("\n")
      %{name: Path.basename(path, ".patch"), path: path, about: String.trim_leading(first, "# ")}
    end
  end

  @doc "Calls `fun` with a folder that is gone afterwards; its name is such that it is gone if the demo is interrupted, too."
  def in_temporary_folder(fun) do
    folder = Path.join(System.tmp_dir!(), "ambix-#{System.pid()}-demo-#{System.unique_integer([:positive])}")
    File.mkdir_p!(folder)

    try do
      fun.(folder)
    after
      File.rm_rf!(folder)
    end
  end

  @doc """
  Copies the shop below `folder` and returns where it is.

  Neither patches nor anything that was built are copied: the one would give the answers away, the other could hide a
  change from a compiler that goes by the times of files.
  """
  def copy(folder, name) do
    target = Path.join(folder, name)
    File.mkdir_p!(target)

    for entry <- ~w(mix.exs .formatter.exs README.md lib test),
        do: File.cp_r!(Path.join(@shop, entry), Path.join(target, entry))

    target
  end

  @doc "Applies the bug's patch."
  def plant(root, bug) do
    # git must not take a repository around the folder for the one that is meant.
    options = [cd: root, stderr_to_stdout: true, env: [{"GIT_CEILING_DIRECTORIES", Path.dirname(root)}]]

    case System.cmd("git", ["apply", bug.path], options) do
      {_output, 0} -> :ok
      {output, _status} -> raise "cannot plant #{bug.name}: #{output}"
    end
  end
end
