defmodule Ambix.Sandbox.Cgroup do
  @moduledoc false
  # A control group for one sandbox, where this process may make one: the kernel then bounds all the memory that the sandbox
  # causes, its files in memory and the kernel's own tables for it too. Where it may not, the host counts what it can see.
  #
  # Version 1: a group below the own one. Version 2: a group beside the own one, since a group with processes may
  # have no children with limits; that is possible for root, and for users below what systemd has delegated to them:
  # in their own slices, or in a service with `Delegate=` and `DelegateSubgroup=`.

  alias Ambix.Sandbox.Scratch

  @enforce_keys [:folder, :version]
  defstruct @enforce_keys

  @type t :: %__MODULE__{folder: Path.t(), version: 1 | 2}

  @typedoc "Where groups are made: the version, and the folder of the group above them."
  @type parent :: {1 | 2, Path.t()}

  @attempts 200

  @doc "Makes a group that may use so many bytes, or `nil` where that is not possible. `name` is one of `Scratch.name/0`."
  @spec create(String.t(), pos_integer(), parent() | nil) :: t() | nil
  def create(name, bytes, parent \\ parent()) do
    with {version, folder} <- parent,
         group = %__MODULE__{folder: Path.join(folder, name), version: version},
         :ok <- File.mkdir(group.folder) do
      Scratch.sweep(folder, &File.rmdir/1)
      if version == 2, do: enable(folder)

      if limit(group, bytes) == :ok do
        group
      else
        File.rmdir(group.folder)
        nil
      end
    else
      _ -> nil
    end
  end

  @doc "Whether groups can be made here."
  @spec available?() :: boolean()
  def available? do
    group = create(Scratch.name(), 1_073_741_824)
    delete(group)
    group != nil
  end

  @doc "Where a process writes its number to join."
  @spec door(t()) :: Path.t()
  def door(group), do: Path.join(group.folder, "cgroup.procs")

  @doc "Whether the kernel has ended a process of the group because there was no memory left."
  @spec out_of_memory?(t() | nil) :: boolean()
  def out_of_memory?(nil), do: false

  def out_of_memory?(group) do
    file = if group.version == 1, do: "memory.oom_control", else: "memory.events"

    case File.read(Path.join(group.folder, file)) do
      {:ok, text} -> text =~ ~r/^oom_kill [1-9]/m
      {:error, _} -> false
    end
  end

  @doc "Deletes the group as soon as no process is in it."
  @spec delete(t() | nil) :: :ok
  def delete(group, attempts \\ @attempts)
  def delete(nil, _attempts), do: :ok
  def delete(_group, 0), do: :ok

  def delete(group, attempts) do
    with {:error, :ebusy} <- File.rmdir(group.folder) do
      Process.sleep(5)
      delete(group, attempts - 1)
    else
      _ -> :ok
    end
  end

  # systemd leaves it to the owner of a delegated group to turn its controllers on. The group at the top, which has no
  # type, belongs to the machine and stays as it is.
  defp enable(parent) do
    path = Path.join(parent, "cgroup.subtree_control")

    with {:ok, names} <- File.read(path),
         false <- "memory" in String.split(names),
         true <- File.exists?(Path.join(parent, "cgroup.type")),
         do: File.write(path, "+memory")
  end

  # Memory that is swapped out counts as well, where the kernel says so.
  defp limit(%{version: 1} = group, bytes) do
    with :ok <- write(group, "memory.limit_in_bytes", bytes) do
      _ = write(group, "memory.memsw.limit_in_bytes", bytes)
      :ok
    end
  end

  defp limit(%{version: 2} = group, bytes) do
    with :ok <- write(group, "memory.max", bytes) do
      _ = write(group, "memory.swap.max", 0)
      :ok
    end
  end

  # The files are there when the folder is; writing must not make one in a folder that is no group.
  defp write(group, file, value) do
    path = Path.join(group.folder, file)
    if File.exists?(path), do: File.write(path, Integer.to_string(value)), else: {:error, :enoent}
  end

  defp parent do
    with {:ok, own} <- File.read("/proc/self/cgroup"),
         {:ok, mounts} <- File.read("/proc/self/mountinfo") do
      parent(own, mounts)
    else
      _ -> nil
    end
  end

  @doc "The group above new ones, from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`."
  @spec parent(String.t(), String.t()) :: parent() | nil
  def parent(own, mounts) do
    lines = own |> String.split("\n", trim: true) |> Enum.map(&String.split(&1, ":", parts: 3))
    one = Enum.find_value(lines, fn [_, names, path] -> "memory" in String.split(names, ",") && path end)
    two = Enum.find_value(lines, fn [number, names, path] -> number == "0" and names == "" && path end)

    # The memory controller is in one of the two versions.
    cond do
      one -> found(1, place(mounts, "cgroup", one))
      two -> found(2, place(mounts, "cgroup2", Path.dirname(two)))
      true -> nil
    end
  end

  defp found(_version, nil), do: nil
  defp found(version, folder), do: {version, folder}

  # A line of mountinfo: number, parent, device, root, place, options, any number of tags, "-", type, source, options.
  defp place(mounts, type, path) do
    for line <- String.split(mounts, "\n", trim: true),
        [before, rest] <- [String.split(line, " - ", parts: 2)],
        [_, _, _, root, place | _] <- [String.split(before, " ")],
        [^type, _source, options] <- [String.split(rest, " ", parts: 3)],
        type == "cgroup2" or "memory" in String.split(options, ","),
        relative <- [below(path, root)],
        # A process that is outside of its namespace's root is seen as "/..".
        relative != nil and ".." not in Path.split(relative),
        folder = Path.join(place, relative),
        File.dir?(folder) do
      folder
    end
    |> List.first()
  end

  defp below(path, "/"), do: path
  defp below(path, root) when path == root, do: "/"

  defp below(path, root) do
    if String.starts_with?(path, root <> "/"),
      do: binary_part(path, byte_size(root), byte_size(path) - byte_size(root))
  end
end
