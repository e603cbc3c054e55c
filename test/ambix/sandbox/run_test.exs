defmodule Ambix.SandboxTest do
  use ExUnit.Case, async: true

  import Ambix.Test.Wait

  alias Ambix.{Error, Sandbox}
  alias Ambix.Sandbox.Result

  doctest Ambix.Sandbox

  @moduletag timeout: 120_000

  defp run!(program, opts \\ []) do
    {:ok, result} = Sandbox.run(program, opts)
    result
  end

  describe "programs" do
    test "end with their output and exit status" do
      assert %Result{status: :exited, exit_status: 3, output: "out\nerr\n", truncated: false} =
               run!(["sh", "-c", "echo out; echo err >&2; exit 3"])
    end

    test "have an empty standard input" do
      assert %Result{status: :exited, output: ""} = run!(["cat"])
    end

    test "print valid text, whatever the bytes" do
      assert %Result{output: "a\uFFFDb"} = run!(["printf", "a\\377b"])
    end

    test "of Elixir are scripts" do
      assert %Result{exit_status: 1, output: output} = run!({:elixir, "raise \"no\""})
      assert output =~ "(RuntimeError) no"
    end
  end

  describe "a sandboxed program cannot" do
    test "read what is the user's or the system's" do
      home = System.user_home!()
      secret = Path.join(System.tmp_dir!(), "ambix-secret-#{System.unique_integer([:positive])}")
      File.write!(secret, "secret")
      on_exit(fn -> File.rm(secret) end)

      for path <- ["/etc/shadow", "/root", "/home", secret] ++ if(home == "/", do: [], else: [home]) do
        assert %Result{exit_status: status} = run!(["cat", path])
        assert status != 0, "could read #{path}"
      end

      assert run!({:elixir, "IO.inspect(File.ls(System.user_home!()))"}).output == "{:ok, []}\n"
    end

    test "see the environment of its caller" do
      System.put_env("AMBIX_TEST_SECRET", "secret")
      on_exit(fn -> System.delete_env("AMBIX_TEST_SECRET") end)
      refute run!(["env"], env: %{"GIVEN" => "1"}).output =~ "secret"
      assert run!(["env"], env: %{"GIVEN" => "1"}).output =~ "GIVEN=1"
    end

    test "use the network" do
      {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
      {:ok, port} = :inet.port(listener)

      code =
        "IO.inspect(:gen_tcp.connect({127, 0, 0, 1}, #{port}, [], 1000)); IO.inspect(:gen_tcp.connect({1, 1, 1, 1}, 80, [], 1000))"

      assert run!({:elixir, code}).output == "{:error, :econnrefused}\n{:error, :enetunreach}\n"
    end

    test "write outside /tmp" do
      for path <- ~w(/x /usr/x /etc/x /dev/x /dev/shm/x /proc/sys/kernel/hostname) do
        result = run!(["sh", "-c", "echo x > #{path}"])
        assert result.exit_status != 0, "could write #{path}"
      end

      assert run!(["sh", "-c", "echo x > /tmp/x && cat /tmp/x"]).output == "x\n"
    end

    test "be root, or make namespaces of its own" do
      assert run!(["id", "-u"]).output == "65534\n"
      assert run!(["unshare", "--user", "true"]).exit_status != 0
      assert run!(["sh", "-c", "grep CapEff /proc/self/status"]).output =~ "0000000000000000"
    end

    test "see other processes" do
      assert run!(["sh", "-c", "kill -9 #{System.pid()}; ls /proc | grep -c '^[0-9]'"]).output =~
               ~r/\n[3-9]\n$/
    end
  end

  describe "is stopped when it" do
    test "takes too long" do
      assert %Result{status: :wall_clock, exit_status: nil, microseconds: took} =
               run!(["sleep", "60"], wall_clock_ms: 300)

      assert took in 300_000..20_000_000
    end

    test "computes too long" do
      assert %Result{status: :cpu} =
               run!(["sh", "-c", "while :; do :; done"], cpu_seconds: 1, wall_clock_ms: 60_000)
    end

    test "forks without end" do
      mark = "ambix-bomb-#{System.unique_integer([:positive])}"
      bomb = "f() { f | f & f; }; : #{mark}; f"
      result = run!(["sh", "-c", bomb], processes: 30, wall_clock_ms: 1_500)
      assert result.status in [:wall_clock, :exited]
      assert processes(mark) == []
    end

    test "forks more than it may" do
      # 30 processes are too many for a limit of 20, and few enough for the default.
      script = "for i in $(seq 30); do sleep 2 & done; echo all"
      refute run!(["sh", "-c", script], processes: 20).output =~ "all"
      assert run!(["sh", "-c", script]).output =~ "all"
    end

    test "allocates without end, on the heap" do
      code = "Process.flag(:max_heap_size, 0); Enum.reduce(Stream.cycle([1]), [], &[&1 | &2])"
      result = run!({:elixir, code}, memory_mb: 200, wall_clock_ms: 60_000)

      # A heap grows by more than half at once: the host sees that it is too large, or a fence refuses it and the VM gives up.
      assert result.status == :memory or (result.status == :exited and result.exit_status != 0)
    end

    test "allocates without end, in binaries" do
      code = "Enum.reduce(Stream.cycle([1_000_000]), [], &[:binary.copy(<<1>>, &1) | &2])"
      assert %Result{status: :memory} = run!({:elixir, code}, memory_mb: 200, wall_clock_ms: 60_000)
    end

    test "allocates too much in many processes" do
      one = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); sleep 20; : held"
      script = "for i in 1 2 3 4 5 6; do (#{one}) & done; wait"
      assert %Result{status: :memory} = run!(["sh", "-c", script], memory_mb: 100, wall_clock_ms: 60_000)
    end

    test "prints without end" do
      assert %Result{status: :output, truncated: true, output: output} = run!(["yes"], output_kb: 64)
      assert byte_size(output) == 65_536
    end

    test "writes a file too large, or too many" do
      assert run!(["sh", "-c", "cat /dev/zero > /tmp/a"], file_mb: 1).exit_status == 153
      script = "for i in 1 2 3 4 5 6; do head -c 900000 /dev/zero > /tmp/$i; done"
      assert run!(["sh", "-c", script], file_mb: 1, disk_mb: 3).output =~ "No space left on device"
    end
  end

  describe "nothing is left" do
    test "when the caller dies" do
      mark = "ambix-orphan-#{System.unique_integer([:positive])}"

      caller =
        spawn(fn ->
          Sandbox.run(["sh", "-c", "trap '' HUP TERM PIPE; : #{mark}; sleep 60 & setsid sleep 60 & wait"])
        end)

      wait_until(fn -> processes(mark) != [] end)
      Process.exit(caller, :kill)
      wait_until(fn -> processes(mark) == [] end)
    end

    test "when the keeper is killed" do
      {:ok, limits} = Ambix.Sandbox.Limits.new([])
      mark = "ambix-keeper-#{System.unique_integer([:positive])}"
      folder = Ambix.Sandbox.Scratch.with_new(& &1)
      options = [limits: limits, scratch: folder]
      {:ok, command} = Ambix.Sandbox.Command.build(["sh", "-c", ": #{mark}; sleep 60"], options)
      {:ok, box} = Ambix.Sandbox.Box.start(command, limits, clean_up: folder)
      wait_until(fn -> processes(mark) != [] end)
      Process.exit(box, :kill)
      wait_until(fn -> processes(mark) == [] end)
      wait_until(fn -> not File.exists?(folder) end)
    end

    # Whoever started it is gone before bubblewrap could bind itself to that life: closing the port is all that a dead VM does.
    test "when the VM ends while the sandbox is being made, and the program never began" do
      {:ok, limits} = Ambix.Sandbox.Limits.new([])
      mark = "ambix-unborn-#{System.unique_integer([:positive])}"
      folder = Ambix.Sandbox.Scratch.with_new(& &1)
      on_exit(fn -> File.rm_rf(folder) end)
      options = [limits: limits, scratch: folder, cgroup: false]
      {:ok, command} = Ambix.Sandbox.Command.build(["sh", "-c", ": #{mark}; sleep 60"], options)
      port = Port.open({:spawn_executable, command.executable}, [:binary, args: command.args])
      assert_receive {^port, {:data, <<0>>}}, 30_000
      assert processes(mark) != []
      Port.close(port)
      wait_until(fn -> processes(mark) == [] end)
      assert File.read!(command.started) == ""
    end
  end

  describe "arguments" do
    test "that are wrong are errors" do
      for {program, opts} <- [
            {[], []},
            {"true", []},
            {[1], []},
            {{:elixir, 1}, []},
            {["true"], [wall_clock_ms: 0]},
            {["true"], [memory_mb: "1"]},
            {["true"], [memory_mb: 1]},
            {["true"], [no_such_limit: 1]}
          ] do
        assert {:error, %Error{kind: :invalid_argument, message: message}} = Sandbox.run(program, opts)
        assert is_binary(message)
      end
    end

    test "may give folders to read" do
      folder = Ambix.Sandbox.Scratch.with_new(& &1)
      File.write!(Path.join(folder, "x"), "read me")
      File.chmod!(folder, 0o755)
      on_exit(fn -> File.rm_rf(folder) end)
      assert run!(["cat", folder <> "/x"], read_only: [folder]).output == "read me"
      assert run!(["sh", "-c", "echo no > #{folder}/x"], read_only: [folder]).exit_status != 0
      assert run!(["cat", "/data/x"], read_only: [{folder, "/data"}], cd: "/data").output == "read me"
    end
  end

  describe "without bubblewrap" do
    test "it refuses and says how to get it" do
      for program <- [["true"], {:elixir, "1"}] do
        assert {:error, %Error{kind: :unavailable, message: message}} =
                 Sandbox.run(program, bubblewrap: "no-such-program")

        assert message =~ "apt install bubblewrap"
      end

      assert {:error, %Error{kind: :unavailable}} = Sandbox.check(bubblewrap: "no-such-program")
    end

    test "one that makes no sandbox is an error, whatever it prints" do
      folder = Ambix.Sandbox.Scratch.with_new(& &1)
      on_exit(fn -> File.rm_rf(folder) end)
      fake = Ambix.Sandbox.Scratch.write!(folder, "bwrap", "#!/bin/sh\necho started; exit 0\n")
      File.chmod!(fake, 0o755)

      for program <- ["/bin/false", "/bin/true", fake] do
        assert {:error, %Error{kind: :unavailable, message: message}} =
                 Sandbox.run(["true"], bubblewrap: program)

        assert message =~ "allow user namespaces"
      end
    end

    # Programs of an ordinary user may read it, those of root not: here bubblewrap tells of it itself.
    test "bubblewrap's process has nothing of the caller's environment" do
      folder = Ambix.Sandbox.Scratch.with_new(& &1)
      on_exit(fn -> File.rm_rf(folder) end)
      seen = Path.join(folder, "environ")

      fake =
        Ambix.Sandbox.Scratch.write!(folder, "bwrap", "#!/bin/sh\ncat /proc/$$/environ >#{seen}; exit 1\n")

      File.chmod!(fake, 0o755)
      assert {:error, %Error{kind: :unavailable}} = Sandbox.run(["true"], bubblewrap: fake)
      assert File.read!(seen) == ""
    end

    test "it runs if the caller insists, with limits" do
      opts = [bubblewrap: "no-such-program", unsafe_without_isolation: true]
      assert %Result{exit_status: 0, output: "42\n"} = run!({:elixir, "IO.puts(42)"}, opts)
      assert %Result{status: :wall_clock} = run!(["sleep", "60"], [wall_clock_ms: 300] ++ opts)
      System.put_env("AMBIX_TEST_HIDDEN", "secret")
      on_exit(fn -> System.delete_env("AMBIX_TEST_HIDDEN") end)
      refute run!(["env"], opts).output =~ "secret"
    end
  end

  test "sandboxes work here" do
    assert Sandbox.check() == :ok
  end
end
