defmodule Ambix.MCP.ClientsTest do
  # The protocol's own clients, which others wrote, against servers of ours.
  use ExUnit.Case, async: true

  alias Ambix.MCP
  alias Ambix.MCP.HTTP.Listener
  alias Ambix.Test.{Command, MCPFixture, ToolProject}

  @folder Path.join(Ambix.Models.cache_dir(), "mcp/clients")
  @python Path.join(@folder, "python/bin/python")
  @module Path.join(@folder, "client.mjs")
  @node Path.join(@folder, "inspector/node_modules/node/bin/node")
  @inspector Path.join(@folder, "inspector/node_modules/.bin/mcp-inspector")

  @moduletag timeout: 300_000
  unless File.exists?(@python) and File.exists?(@module),
    do: @moduletag(skip: "the clients are not there: run scripts/mcp_clients/setup")

  @clients [
    {:python, "auto", "2026-07-28"},
    {:python, "legacy", "2025-11-25"},
    {:python, "2026-07-28", "2026-07-28"},
    {:typescript, "auto", nil},
    {:typescript, "pin", nil},
    {:typescript, "legacy", nil},
    {:typescript, "sdk", nil}
  ]

  defp program(:python), do: [@python, Path.expand("scripts/mcp_clients/client.py")]
  defp program(:typescript), do: [System.find_executable("node"), @module]

  defp drive(client, mode, target) do
    [program | args] = program(client)
    # The client starts the server, which must not believe that it is part of this test.
    env = for name <- ~w(MIX_ENV MIX_TARGET ELIXIR_ERL_OPTIONS), do: {name, nil}
    {output, code} = System.cmd(program, args ++ [mode | target], env: env, stderr_to_stdout: true)
    assert code == 0, output
    output |> String.split("\n", trim: true) |> List.last() |> Ambix.JSON.decode!()
  end

  defp works(said) do
    assert said["text"] == ["This is a simple text response for testing."]
    assert said["error"]
    assert said["progress"] == [[0, 100], [50, 100], [100, 100]]
    assert said["elicited"] == ["Hello, Ada!"]
    assert "test://static-text" in said["resources"]
    assert said["read"] =~ "static text resource"
    assert said["prompts"] == 5
    assert said["many"]
    said
  end

  for {client, mode, version} <- @clients do
    test "#{client}, #{mode}, over standard input and output" do
      ebin = Path.join(Mix.Project.build_path(), "lib/ambix/ebin")

      said =
        drive(unquote(client), unquote(mode), ["elixir", "-pa", ebin, "-e", "Ambix.Test.MCPFixture.stdio()"])

      assert works(said)["version"] == unquote(version)
    end

    test "#{client}, #{mode}, over HTTP" do
      name = :"#{unquote(client)}_#{unquote(mode)}"
      start_supervised!({MCP, MCPFixture.options(name)})
      listener = start_supervised!(%{id: Listener, start: {Listener, :start_link, [[server: name]]}})

      assert works(drive(unquote(client), unquote(mode), [Listener.url(listener)]))["version"] ==
               unquote(version)
    end
  end

  for client <- [:python, :typescript] do
    test "the tools of mix ambix.mcp are those of Ambix, #{client}" do
      said = drive(unquote(client), "auto", ["elixir" | Command.mix(["ambix.mcp"])])
      assert said["server"] == "ambix"
      assert said["tools"] == for(module <- Ambix.Tool.all(), do: module.tool().name)
    end
  end

  describe "the inspector's command line" do
    @describetag :tmp_dir
    unless File.exists?(@node) and File.exists?(@inspector),
      do: @describetag(skip: "the inspector is not there: run scripts/mcp_clients/setup")

    setup %{tmp_dir: dir} do
      root = ToolProject.write(dir)
      config = Path.join(dir, "servers.json")
      server = %{command: System.find_executable("elixir"), args: Command.mix(["ambix.mcp", "--root", root])}
      File.write!(config, Ambix.JSON.encode!(%{mcpServers: %{ambix: server}}))
      {:ok, config: config, dir: dir}
    end

    # What it prints, and its exit code: 5 for the error of a tool.
    defp inspector(%{config: config, dir: dir}, args) do
      env = [
        {"AMBIX_CACHE", Path.join(dir, "cache")},
        {"HOME", dir},
        {"MCP_INSPECTOR_SECRET_STORE", "memory"},
        {"MIX_ENV", nil},
        {"MIX_TARGET", nil}
      ]

      words = [@node, @inspector, "--cli", "--config", config, "--server", "ambix" | args]
      # What it says beside its answer.
      System.cmd("sh", ["-c", ~s(exec "$@" 2>stderr), "sh" | words], env: env, cd: dir)
    end

    test "lists the tools", context do
      assert {output, 0} = inspector(context, ["--method", "tools/list"])
      assert %{"tools" => tools} = Ambix.JSON.decode!(output)
      assert for(tool <- tools, do: tool["name"]) == for(module <- Ambix.Tool.all(), do: module.tool().name)
    end

    test "calls them", context do
      call = ["--method", "tools/call", "--tool-name"]
      read = call ++ ["read", "--tool-arg", ~s(targets=["lib/shop/tax.ex:2"])]
      assert {output, 0} = inspector(context, read)

      assert %{"content" => [%{"text" => text}], "structuredContent" => %{"results" => [_]}} =
               Ambix.JSON.decode!(output)

      assert text =~ "@rate 19"
      assert {_, 5} = inspector(context, call ++ ["read", "--tool-arg", ~s(targets=["../servers.json"])])
    end
  end
end
