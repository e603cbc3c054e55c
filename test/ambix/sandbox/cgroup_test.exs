defmodule Ambix.Sandbox.CgroupTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Attack, only: [call: 2]

  alias Ambix.Sandbox.{Cgroup, Scratch}
  alias Ambix.Test.Needs

  @bytes 64 * 1_048_576

  # Where version 1 and 2 keep the same number.
  @most %{1 => "memory.limit_in_bytes", 2 => "memory.max"}

  defp made(bytes, parent) do
    group = apply(Cgroup, :create, [Scratch.name(), bytes | List.wrap(parent)])
    on_exit(fn -> Cgroup.delete(group) end)
    group
  end

  defp read(group, file), do: group.folder |> Path.join(file) |> File.read!() |> String.trim()

  # Runs a program in the group, with nothing else around it that bounds its memory.
  defp run(group, words) do
    script = ~S(echo $$ >"$0" && exec "$@")
    System.cmd("sh", ["-c", script, Cgroup.door(group) | words], stderr_to_stdout: true)
  end

  defp perl(group, script), do: run(group, ["perl", "-e", script])

  describe "a group" do
    @describetag skip: Needs.control_group()

    test "has the number of bytes as its limit, and is gone when it is deleted" do
      group = made(@bytes, nil)
      assert read(group, @most[group.version]) == "#{@bytes}"
      assert {text, 0} = run(group, ["cat", "/proc/self/cgroup"])
      assert text =~ Path.basename(group.folder)
      refute Cgroup.out_of_memory?(group)
      assert Cgroup.delete(group) == :ok
      refute File.exists?(group.folder)
    end

    # The kernel writes 256 MiB from the zero device into what is mapped.
    for {kind, script} <- [
          {"private memory", ~S|my $x = "x" x (256 << 20)|},
          {"shared anonymous memory",
           "my $a = syscall(#{call(9, 222)}, 0, 256 << 20, 3, 0x21, -1, 0); open(my $z, '<', '/dev/zero'); " <>
             "syscall(#{call(0, 63)}, fileno($z), $a, 256 << 20)"},
          {"System V shared memory",
           "my $s = shmget(0, 256 << 20, 0600 | 01000); END { shmctl($s, 0, 0) } " <>
             "my $a = syscall(#{call(30, 196)}, $s, 0, 0); shmctl($s, 0, 0); open(my $z, '<', '/dev/zero'); " <>
             "syscall(#{call(0, 63)}, fileno($z), $a, 256 << 20)"},
          {"a file in memory",
           "my $name = 'x'; my $f = syscall(#{call(319, 279)}, $name, 0); open(my $o, '>&=', $f); " <>
             ~S|print $o "x" x (1 << 20) for 1 .. 256|}
        ] do
      test "bounds #{kind}" do
        group = made(@bytes, nil)
        assert {_, 137} = perl(group, unquote(script))
        assert Cgroup.out_of_memory?(group)
      end
    end
  end

  describe "a group of version 2" do
    @describetag skip: Needs.control_group(2)

    # There is no such file where the kernel has no swap space.
    test "keeps nothing in swap space" do
      group = made(@bytes, nil)
      assert File.read(Path.join(group.folder, "memory.swap.max")) in [{:ok, "0\n"}, {:error, :enoent}]
    end

    # As a service with `Delegate=yes` and `DelegateSubgroup=main` has it.
    test "is made where the controller was not turned on yet" do
      %{folder: folder} = made(@bytes, nil)
      File.mkdir!(Path.join(folder, "main"))
      on_exit(fn -> File.rmdir(Path.join(folder, "main")) end)
      assert File.read!(Path.join(folder, "cgroup.subtree_control")) == ""
      group = made(@bytes, {2, folder})
      assert read(group, "memory.max") == "#{@bytes}"
      assert :ok = Cgroup.delete(group)
    end
  end

  describe "the group above" do
    @describetag :tmp_dir

    setup %{tmp_dir: dir} do
      for path <- ~w(one/own two/user/a.scope two/machine/box), do: File.mkdir_p!(Path.join(dir, path))
      one = "30 20 0:1 / #{dir}/one rw - cgroup cgroup rw,memory"
      cpu = "31 20 0:2 / #{dir}/cpu rw - cgroup cgroup rw,cpu"
      two = "32 20 0:3 / #{dir}/two rw shared:1 - cgroup2 cgroup2 rw"
      {:ok, one: one, cpu: cpu, two: two, mounts: Enum.join([cpu, one, two], "\n")}
    end

    test "is the own one in version 1, also where version 2 is there for other uses", context do
      own = "5:cpu:/x\n4:memory:/own\n0::/user/a.scope\n"
      assert Cgroup.parent(own, context.mounts) == {1, Path.join(context.tmp_dir, "one/own")}
    end

    test "is the one above the own one in version 2", context do
      assert Cgroup.parent("0::/user/a.scope\n", context.mounts) ==
               {2, Path.join(context.tmp_dir, "two/user")}
    end

    test "is the topmost one for what is in it", context do
      assert Cgroup.parent("0::/\n", context.two) == {2, Path.join(context.tmp_dir, "two")}
    end

    test "is looked for in the part that is mounted", context do
      part = String.replace(context.two, " / ", " /machine ")
      assert Cgroup.parent("0::/machine/user/a.scope\n", part) == {2, Path.join(context.tmp_dir, "two/user")}
      assert Cgroup.parent("0::/machine\n", part) == nil
      assert Cgroup.parent("0::/other/a.scope\n", part) == nil
    end

    test "is none outside of the namespace's root, and where nothing is mounted", context do
      assert Cgroup.parent("0::/../a.scope\n", context.two) == nil
      assert Cgroup.parent("0::/user/a.scope\n", context.cpu) == nil
      assert Cgroup.parent("", context.mounts) == nil
    end
  end
end
