defmodule Ambix.Doctor do
  @moduledoc false
  # What is on this machine and what is missing, with the command that mends it. The machine is asked through the functions of `t:machine/0`, so that a
  # test can be any machine.

  alias Ambix.Models

  @typedoc "`find` gives a program's path or nil, `run` a program's output and exit code."
  @type machine :: %{
          find: (String.t() -> Path.t() | nil),
          run: (Path.t(), [String.t()] -> {String.t(), integer}),
          elixir: String.t(),
          otp: String.t(),
          library: (... -> :ok | {:error, String.t()}),
          sandbox: (... -> :ok | {:error, Ambix.Error.t()}),
          models: [Models.t()]
        }

  @typedoc "A thing that was looked at. `needed` tells whether Ambix's main commands fail without it, `mend` what brings it."
  @type check :: %{
          name: String.t(),
          ok: boolean,
          needed: boolean,
          found: String.t(),
          use: String.t(),
          mend: String.t() | nil
        }

  @doc "This machine."
  @spec machine() :: machine
  def machine do
    %{
      find: &System.find_executable/1,
      run: fn program, args -> System.cmd(program, args, stderr_to_stdout: true) end,
      elixir: System.version(),
      otp: System.otp_release(),
      library: &library/0,
      sandbox: &Ambix.Sandbox.check/0,
      filter: &Ambix.Sandbox.Filter.programs/0,
      cgroup: &Ambix.Sandbox.Cgroup.available?/0,
      models: if(library() == :ok, do: Models.list(), else: [])
    }
  end

  @doc "Every check, in the order in which a person would mend."
  @spec checks(machine) :: [check]
  def checks(machine) do
    [
      elixir(machine),
      otp(machine),
      native(machine),
      bubblewrap(machine),
      filter(machine),
      cgroup(machine),
      program(
        machine,
        "prlimit",
        true,
        "limits of what runs in the sandbox",
        "sudo apt-get install util-linux"
      ),
      cargo(machine),
      pip(machine),
      program(machine, "git", false, "working on a checkout", "sudo apt-get install git")
      | Enum.map(machine.models, &model/1)
    ]
  end

  @doc "Whether all that is needed is there."
  @spec healthy?([check]) :: boolean
  def healthy?(checks), do: Enum.all?(checks, &(&1.ok or not &1.needed))

  defp elixir(machine) do
    ok = Version.match?(machine.elixir, ">= 1.14.0")

    check(
      "Elixir",
      ok,
      true,
      machine.elixir,
      "everything",
      "install Elixir 1.14 or newer: sudo apt-get install elixir"
    )
  end

  defp otp(machine) do
    ok = match?({n, _} when n >= 25, Integer.parse(machine.otp))

    check(
      "Erlang/OTP",
      ok,
      true,
      machine.otp,
      "everything",
      "install Erlang/OTP 25 or newer: sudo apt-get install erlang"
    )
  end

  defp native(machine) do
    case machine.library.() do
      :ok ->
        check("native library", true, true, "loaded", "everything", nil)

      {:error, why} ->
        check(
          "native library",
          false,
          true,
          why,
          "everything",
          "mix deps.compile ambix --force, or mix compile in Ambix's own folder"
        )
    end
  end

  # A kernel may forbid what bubblewrap needs, so it is tried and not only looked for.
  defp bubblewrap(machine) do
    use = "running tests and generated code apart from this machine"

    case {machine.find.("bwrap"), machine.sandbox.()} do
      {nil, _} -> check("bubblewrap", false, true, "missing", use, "sudo apt-get install bubblewrap")
      {_, :ok} -> check("bubblewrap", true, true, "works", use, nil)
      {_, {:error, error}} -> check("bubblewrap", false, true, "does not work", use, Exception.message(error))
    end
  end

  # bubblewrap would not start with a filter that the kernel refuses, so it is enough to know whether there is one.
  defp filter(machine) do
    use = "keeping sandboxed programs from rarely used parts of the kernel"

    case machine.filter.() do
      {:ok, [_ | _]} ->
        check("system call filter", true, false, "works", use, nil)

      {:ok, []} ->
        mend = "use a machine with an x86-64 or AArch64 processor; sandboxes work without it"
        check("system call filter", false, false, "there is none for this processor", use, mend)

      {:error, error} ->
        check("system call filter", false, true, "missing", use, Exception.message(error))
    end
  end

  defp cgroup(machine) do
    use = "bounding what the kernel itself holds for a sandbox"

    mend =
      "start it where a group may be made: systemd-run --user --scope COMMAND, or a service with Delegate=yes " <>
        "and DelegateSubgroup=main; without one memory is counted"

    ok = machine.cgroup.()
    check("control group", ok, false, if(ok, do: "works", else: "may not be made"), use, mend)
  end

  defp cargo(machine) do
    use = "building the native library from source"
    mend = "install Rust 1.91 or newer from https://rustup.rs"

    with path when path != nil <- machine.find.("cargo"),
         {output, 0} <- machine.run.(path, ["--version"]),
         [version] <- Regex.run(~r/\d+\.\d+\.\d+/, output) do
      check("cargo", Version.match?(version, ">= 1.91.0"), false, version, use, mend)
    else
      _ -> check("cargo", false, false, "missing", use, mend)
    end
  end

  defp pip(machine) do
    use = "fetching models"
    mend = "sudo apt-get install python3-pip"

    with path when path != nil <- machine.find.("python3"),
         {output, 0} <- machine.run.(path, ~w(-m pip --version)) do
      check("pip", true, false, output |> first_line() |> String.split(" from ") |> hd(), use, nil)
    else
      _ -> check("pip", false, false, "missing", use, mend)
    end
  end

  defp program(machine, name, needed, use, mend) do
    with path when path != nil <- machine.find.(name),
         {output, 0} <- machine.run.(path, ["--version"]) do
      check(name, true, needed, first_line(output), use, nil)
    else
      _ -> check(name, false, needed, "missing", use, mend)
    end
  end

  defp model(model) do
    use = if model.kind == :encoder, do: "search by meaning", else: "answers and generated code"
    found = if model.pulled, do: model.path, else: "not fetched"
    check(model.name, model.pulled, false, found, use, "mix ambix.models pull #{model.name}")
  end

  defp check(name, ok, needed, found, use, mend),
    do: %{name: name, ok: ok, needed: needed, found: found, use: use, mend: if(ok, do: nil, else: mend)}

  defp library do
    case Code.ensure_loaded(Ambix.Native) do
      {:module, _} ->
        if System.get_env("AMBIX_SKIP_NIF") == "1", do: {:error, "AMBIX_SKIP_NIF is set"}, else: :ok

      {:error, reason} ->
        {:error, "cannot be loaded (#{reason})"}
    end
  end

  defp first_line(text), do: text |> String.split("\n", parts: 2) |> hd() |> String.trim()
end
