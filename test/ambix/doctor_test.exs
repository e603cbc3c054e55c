defmodule Ambix.DoctorTest do
  use ExUnit.Case, async: true

  alias Ambix.Doctor
  alias Ambix.Error

  @versions %{
    "prlimit" => "prlimit from util-linux 2.38.1\n",
    "cargo" => "cargo 1.95.0 (abc 2026-03-21)\n",
    "python3" => "pip 23.2.1 from /usr/lib/python3 (python 3.11)\n",
    "git" => "git version 2.47.3\n"
  }

  # A machine that has everything, but for what is given.
  defp machine(changes \\ %{}, programs \\ %{}) do
    programs = @versions |> Map.put("bwrap", "") |> Map.merge(programs)

    Map.merge(
      %{
        find: &if(programs[&1], do: "/usr/bin/" <> &1),
        run: fn path, _args -> {programs[Path.basename(path)], 0} end,
        elixir: "1.14.0",
        otp: "25",
        library: fn -> :ok end,
        sandbox: fn -> :ok end,
        filter: fn -> {:ok, [<<0>>]} end,
        cgroup: fn -> true end,
        models: [%{name: "tiny", kind: :encoder, pulled: true, path: "/models/tiny"}]
      },
      changes
    )
  end

  defp missing(machine), do: machine |> Doctor.checks() |> Enum.reject(& &1.ok)

  test "a machine that has everything is healthy" do
    checks = Doctor.checks(machine())
    assert Doctor.healthy?(checks)
    assert Enum.all?(checks, &(&1.ok and &1.mend == nil))
    assert Enum.find(checks, &(&1.name == "cargo")).found == "1.95.0"
    assert Enum.find(checks, &(&1.name == "pip")).found == "pip 23.2.1"
  end

  # What is different, what is then missing, whether it is needed, and a word of what mends it.
  for {what, changes, programs, name, needed, mend} <- [
        {"an old Elixir", [elixir: "1.13.4"], [], "Elixir", true, "1.14"},
        {"an old OTP", [otp: "24"], [], "Erlang/OTP", true, "25"},
        {"no bubblewrap", [], [{"bwrap", nil}], "bubblewrap", true, "sudo apt-get install bubblewrap"},
        {"no prlimit", [], [{"prlimit", nil}], "prlimit", true, "util-linux"},
        {"no cargo", [], [{"cargo", nil}], "cargo", false, "rustup"},
        {"an old cargo", [], [{"cargo", "cargo 1.60.0 (x)"}], "cargo", false, "1.91"},
        {"no python", [], [{"python3", nil}], "pip", false, "sudo apt-get install python3-pip"},
        {"no git", [], [{"git", nil}], "git", false, "git"},
        {"a model that was not fetched",
         [models: [%{name: "tiny", kind: :encoder, pulled: false, path: "/x"}]], [], "tiny", false,
         "mix ambix.models pull tiny"}
      ] do
    test "#{what} is told with what mends it" do
      machine = machine(Map.new(unquote(Macro.escape(changes))), Map.new(unquote(programs)))
      assert [%{name: unquote(name), needed: unquote(needed)} = check] = missing(machine)
      assert check.mend =~ unquote(mend)
      assert Doctor.healthy?(Doctor.checks(machine)) == not unquote(needed)
    end
  end

  test "a library that cannot be loaded and a kernel that forbids namespaces are told" do
    error = Error.new(:unavailable, "allow user namespaces")

    assert [%{name: "native library", found: "broken"}] =
             missing(machine(%{library: fn -> {:error, "broken"} end}))

    assert [%{name: "bubblewrap", mend: "allow user namespaces"}] =
             missing(machine(%{sandbox: fn -> {:error, error} end}))
  end

  test "a filter of system calls and a control group are told, but not needed" do
    for {change, name, mend} <- [
          {%{filter: fn -> {:ok, []} end}, "system call filter", "x86-64"},
          {%{cgroup: fn -> false end}, "control group", "systemd-run"}
        ] do
      assert [%{name: ^name, needed: false} = check] = missing(machine(change))
      assert check.mend =~ mend
    end

    error = Error.new(:unavailable, "build the library")

    assert [%{name: "system call filter", needed: true}] =
             missing(machine(%{filter: fn -> {:error, error} end}))
  end

  test "this machine can be asked" do
    checks = Doctor.checks(Doctor.machine())
    assert Enum.find(checks, &(&1.name == "Elixir")).found == System.version()
  end
end
