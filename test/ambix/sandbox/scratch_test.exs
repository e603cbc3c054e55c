defmodule Ambix.Sandbox.ScratchTest do
  use ExUnit.Case, async: true

  alias Ambix.Sandbox.{Cgroup, Processes, Scratch}

  @moduletag :tmp_dir

  # The name of a folder of this VM, with the number, start time or namespace of another.
  defp name(changes) do
    [ambix, pid, started, namespace, random] = String.split(Scratch.name(), "-")
    parts = Map.merge(%{pid: pid, started: started, namespace: namespace}, changes)
    Enum.join([ambix, parts.pid, parts.started, parts.namespace, random], "-")
  end

  # Numbers end at 2^22.
  @nobody "4194305"

  test "folders of dead owners are deleted, and no other", %{tmp_dir: dir} do
    dead = for changes <- [%{pid: @nobody}, %{started: "1"}], do: name(changes)

    kept = [
      Scratch.name(),
      name(%{pid: "1", started: elem(Processes.identify(1), 1)}),
      name(%{pid: @nobody, namespace: "1"}),
      name(%{pid: @nobody, namespace: "none"}),
      "ambix-fixture-#{@nobody}",
      "other"
    ]

    for name <- dead ++ kept, do: File.mkdir!(Path.join(dir, name))
    File.write!(Path.join([dir, hd(dead), "file"]), "x")
    link = name(%{pid: @nobody})
    File.ln_s!(Path.join(dir, "other"), Path.join(dir, link))
    file = name(%{pid: @nobody})
    File.write!(Path.join(dir, file), "x")

    assert Scratch.sweep(dir, &File.rm_rf/1) == :ok
    assert Enum.sort(File.ls!(dir)) == Enum.sort([link, file | kept])
  end

  test "what a killed VM has left is deleted by the next sandbox" do
    left = Path.join(System.tmp_dir!(), name(%{pid: @nobody}))
    File.mkdir!(left)
    File.write!(Path.join(left, "script.exs"), "x")
    assert {:ok, %{exit_status: 0}} = Ambix.Sandbox.run(["true"])
    refute File.exists?(left)
  end

  test "a folder is gone when nothing could be started in it" do
    assert {:error, :no} = Scratch.with_new(fn folder -> {:error, send(self(), folder) && :no} end)
    assert_received folder when is_binary(folder)
    refute File.exists?(folder)
  end

  test "the control group of a sandbox ends with it, and those that were left do with the next" do
    {:ok, limits} = Ambix.Sandbox.Limits.new([])
    scratch = Scratch.with_new(& &1)
    {:ok, command} = Ambix.Sandbox.Command.build(["true"], limits: limits, scratch: scratch)

    if group = command.cgroup do
      left = Path.join(Path.dirname(group.folder), name(%{pid: @nobody}))
      File.mkdir!(left)
      {:ok, box} = Ambix.Sandbox.Box.start(command, limits, clean_up: scratch)
      assert_receive {Ambix.Sandbox.Box, ^box, %{status: :exited, exit_status: 0}}
      refute File.exists?(group.folder)
      Cgroup.delete(Cgroup.create(Scratch.name(), 1_073_741_824))
      refute File.exists?(left)
    else
      refute Cgroup.available?()
    end

    File.rm_rf!(scratch)
  end
end
