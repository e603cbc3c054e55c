defmodule Mix.Tasks.Ambix.InstallTest do
  # Standard output is captured, and the stand-in for Igniter is defined for the whole VM.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Ambix.CLI.ClientConfig
  alias Ambix.JSON
  alias Ambix.Test.{Command, FakeIgniter, Wait}
  alias Mix.Tasks.Ambix.Install

  @moduletag :tmp_dir

  defp run(argv) do
    test = self()

    output =
      capture_io(fn ->
        error =
          capture_io(:stderr, fn ->
            code =
              try do
                Install.run(argv)
                0
              catch
                :exit, {:shutdown, code} -> code
              end

            send(test, {:code, code})
          end)

        send(test, {:error, error})
      end)

    assert_received {:code, code}
    assert_received {:error, error}
    {output, error, code}
  end

  test "prints what a client needs, and writes it where it is told to", %{tmp_dir: dir} do
    for client <- ClientConfig.clients() do
      {file, text} = ClientConfig.snippet(client)
      assert {^text, said, 0} = run([client, "--root", dir])
      assert said =~ file
      refute File.exists?(Path.join(dir, file))

      assert {"Written to " <> _, _, 0} = run([client, "--root", dir, "--write"])
      assert File.read!(Path.join(dir, file)) == text
      assert {told, _, 0} = run([client, "--root", dir, "--write"])
      assert told =~ "has it already"
    end

    assert {"", error, 1} = run(["emacs"])
    assert error =~ "claude, codex, cursor, vscode, zed"
  end

  test "a language server is no agent, and what is unknown is said" do
    assert {"", said, 1} = run(["expert"])
    assert said =~ "Expert is a language server" and said =~ "claude, codex, cursor, vscode, zed"
    assert {"", said, 1} = run(["emacs"])
    assert said =~ "expects one of claude, codex, cursor, vscode, zed"
  end

  test "what is in the way of it is left alone", %{tmp_dir: dir} do
    File.write!(Path.join(dir, ".mcp.json"), ~s({"mcpServers": {"ambix": {"command": "mine"}}}))
    assert {output, error, 1} = run(["claude", "--root", dir, "--write"])
    assert output =~ "mcpServers" and error =~ "by hand"
    assert File.read!(Path.join(dir, ".mcp.json")) =~ "mine"
  end

  test "nothing is written through a link, nor where there is no project", %{tmp_dir: dir} do
    root = Path.join(dir, "project")
    outside = Path.join(dir, "outside")
    Enum.each([root, outside], &File.mkdir!/1)
    File.write!(Path.join(outside, "own.json"), "{}")
    File.ln_s!(Path.join(outside, "own.json"), Path.join(root, ".mcp.json"))
    File.ln_s!(outside, Path.join(root, ".cursor"))

    for {client, link} <- [{"claude", ".mcp.json"}, {"cursor", ".cursor"}] do
      assert {_, error, 1} = run([client, "--root", root, "--write"])
      assert error =~ "#{link} is a link"
    end

    assert File.ls!(outside) == ["own.json"]
    assert File.read!(Path.join(outside, "own.json")) == "{}"
    assert File.read_link!(Path.join(root, ".mcp.json"))

    assert {_, error, 1} = run(["claude", "--root", Path.join(dir, "missing"), "--write"])
    assert error =~ "there is no folder"
    refute File.exists?(Path.join(dir, "missing"))
  end

  describe "the command that is written" do
    # As a client runs it, which knows nothing of this VM.
    defp start(dir, path) do
      %{"command" => "sh", "args" => args, "env" => %{"MIX_QUIET" => "1"}} = ClientConfig.entry()
      clean = for name <- ~w(MIX_ENV MIX_TARGET ELIXIR_ERL_OPTIONS), do: {to_charlist(name), false}
      env = [{~c"PATH", to_charlist(path)}, {~c"MIX_QUIET", ~c"1"} | clean]
      sh = System.find_executable("sh")
      Port.open({:spawn_executable, sh}, [:binary, :exit_status, args: args, cd: dir, env: env])
    end

    defp answer(port, text \\ "") do
      receive do
        {^port, {:data, data}} ->
          if String.ends_with?(data, "\n"), do: text <> data, else: answer(port, text <> data)

        {^port, {:exit_status, code}} ->
          flunk("it ended with #{code}: #{text}")
      after
        30_000 -> flunk("no answer: #{text}")
      end
    end

    test "runs what is compiled, without Mix", %{tmp_dir: dir} do
      lib = Path.join(dir, "_build/dev/lib")
      File.mkdir_p!(lib)
      File.ln_s!(Path.join(Mix.Project.build_path(), "lib/ambix"), Path.join(lib, "ambix"))
      port = start(dir, System.get_env("PATH"))
      {:os_pid, pid} = Port.info(port, :os_pid)

      frame = %{jsonrpc: "2.0", id: 1, method: "initialize", params: %{protocolVersion: "2025-06-18"}}
      Port.command(port, JSON.encode!(frame) <> "\n")
      assert %{"result" => %{"serverInfo" => %{"name" => "ambix"}}} = port |> answer() |> JSON.decode!()
      assert File.read!("/proc/#{pid}/cmdline") =~ "Elixir.Ambix.CLI.Start"
      Port.close(port)
      Wait.wait_until(fn -> not Command.alive?(pid) end)
    end

    test "is Mix where nothing is compiled in its usual place", %{tmp_dir: dir} do
      bin = Path.join(dir, "bin")
      File.mkdir_p!(bin)
      File.write!(Path.join(bin, "mix"), "#!/bin/sh\necho \"$@\"\n")
      File.chmod!(Path.join(bin, "mix"), 0o755)
      assert dir |> start(bin <> ":" <> System.get_env("PATH")) |> answer() == "ambix.mcp\n"
    end
  end

  describe "with Igniter" do
    setup do
      FakeIgniter.install()
    end

    test "the task is an installer of a dependency for development" do
      assert %{schema: [client: :csv], only: [:dev], group: :ambix} = Install.info([], nil)
      assert Install.installer?()
    end

    test "it writes what the clients need that are named, each once" do
      argv = ["--client", "claude,codex", "--yes", "--client", "claude", "--verbose"]
      igniter = FakeIgniter.run(Install, argv, %{})
      assert igniter.args.options[:client] == ["claude", "codex"]
      assert igniter.args.options[:yes]
      assert igniter.files == Map.new(["claude", "codex"], &ClientConfig.snippet/1)
      assert {igniter.issues, igniter.warnings} == {[], []}
      assert FakeIgniter.run(Install, argv, igniter.files).files == igniter.files
    end

    test "what is in a file stays, and what is not understood is a warning" do
      other = ~s({"mcpServers": {"other": {"command": "x"}}})
      igniter = FakeIgniter.run(Install, ["claude"], %{".mcp.json" => other})
      assert %{"other" => _, "ambix" => entry} = JSON.decode!(igniter.files[".mcp.json"])["mcpServers"]
      assert entry["command"] == "sh"

      igniter = FakeIgniter.run(Install, ["--client", "claude"], %{".mcp.json" => "["})
      assert igniter.files == %{".mcp.json" => "["}
      assert [".mcp.json is not written" <> _] = igniter.warnings
    end

    test "without a client it says how to name one, and an unknown one is an issue" do
      assert [notice] = FakeIgniter.run(Install, [], %{}).notices
      assert notice =~ "mix ambix.install CLIENT --write"
      assert [issue] = FakeIgniter.run(Install, ["--client", "emacs"], %{}).issues
      assert issue =~ "emacs"
    end
  end
end
