defmodule Ambix.Test.SmallDisk do
  @moduledoc """
  File systems that are full, or that cannot be written to: a tmpfs in a mount namespace of its own, which a program holds and
  which is gone when that ends. From here it is seen below `/proc`.
  """

  @script """
  mount -t tmpfs -o "size=$1" none /mnt || exit 1
  echo ready
  while read -r word; do
    mount -o remount,ro none /mnt && echo done
  done
  """

  @doc "Why there is none on this machine, or nil. Prints the reason."
  def missing do
    case make("64k") do
      {:ok, disk} ->
        close(disk)
        nil

      {:error, why} ->
        IO.puts(:stderr, "Tests with full disks are skipped, since this machine mounts none: #{why}")
        why
    end
  end

  @doc "A disk of `size`, such as `64k`: its `path`. It is there until the end of the test."
  def create(size) do
    {:ok, disk} = make(size)
    disk
  end

  @doc "Takes all the room that is left."
  def fill(disk) do
    file = File.open!(Path.join(disk.path, "filler"), [:write, :raw])
    fill_with(file, :binary.copy(<<0>>, 1024))
    File.close(file)
  end

  @doc "From now on nobody can write."
  def protect(disk) do
    Port.command(disk.port, "ro\n")
    {:ok, _} = answer(disk.port, "")
  end

  defp fill_with(file, block), do: if(:file.write(file, block) == :ok, do: fill_with(file, block))

  defp make(size) do
    namespace = if(root?(), do: "-m", else: "-rm")
    args = [namespace, "sh", "-c", @script, "disk", size]

    with program when program != nil <- System.find_executable("unshare"),
         port =
           Port.open({:spawn_executable, program}, [:binary, :exit_status, :stderr_to_stdout, args: args]),
         {:os_pid, pid} = Port.info(port, :os_pid),
         {:ok, _} <- answer(port, "") do
      {:ok, %{port: port, path: "/proc/#{pid}/root/mnt"}}
    else
      nil -> {:error, "there is no unshare"}
      error -> error
    end
  end

  defp answer(port, output) do
    receive do
      {^port, {:data, data}} ->
        if data =~ ~r/ready|done/, do: {:ok, data}, else: answer(port, output <> data)

      {^port, {:exit_status, _}} ->
        {:error, String.trim(output)}
    end
  end

  defp close(disk), do: Port.close(disk.port)

  defp root?, do: match?({"0\n", 0}, System.cmd("id", ["-u"]))
end
