defmodule Ambix.MCP.PythonTest do
  # The protocol's own client for Python, which others wrote, against servers of ours.
  use ExUnit.Case, async: true

  alias Ambix.MCP
  alias Ambix.MCP.HTTP.Listener
  alias Ambix.Test.{Command, MCPFixture}

  @python Path.join(Ambix.Models.cache_dir(), "mcp/python-2.3.0/bin/python")

  @moduletag timeout: 300_000
  unless File.exists?(@python),
    do: @moduletag(skip: "#{@python} is not there: scripts/mcp_client.py says how to set it up")

  defp drive(mode, target) do
    # The client starts the server, which must not believe that it is part of this test.
    env = for name <- ~w(MIX_ENV MIX_TARGET ELIXIR_ERL_OPTIONS), do: {name, nil}

    {output, code} =
      System.cmd(@python, ["scripts/mcp_client.py", mode | target], env: env, stderr_to_stdout: true)

    assert code == 0, output
    output |> String.split("\n", trim: true) |> List.last() |> Ambix.JSON.decode!()
  end

  defp works(said) do
    assert said["text"] == ["This is a simple text response for testing."]
    assert said["error"]
    assert said["progress"] == [[0.0, 100.0], [50.0, 100.0], [100.0, 100.0]]
    assert said["elicited"] == ["Hello, Ada!"]
    assert "test://static-text" in said["resources"]
    assert said["read"] =~ "static text resource"
    assert said["many"]
    said
  end

  for {mode, version} <- [{"auto", "2026-07-28"}, {"legacy", "2025-11-25"}, {"2026-07-28", "2026-07-28"}] do
    test "over standard input and output, #{mode}" do
      ebin = Path.join(Mix.Project.build_path(), "lib/ambix/ebin")
      said = drive(unquote(mode), ["elixir", "-pa", ebin, "-e", "Ambix.Test.MCPFixture.stdio()"])
      assert works(said)["version"] == unquote(version)
    end

    test "over HTTP, #{mode}" do
      name = :"python_#{unquote(mode)}"
      start_supervised!({MCP, MCPFixture.options(name)})
      listener = start_supervised!(%{id: Listener, start: {Listener, :start_link, [[server: name]]}})
      assert works(drive(unquote(mode), [Listener.url(listener)]))["version"] == unquote(version)
    end
  end

  test "the tools of mix ambix.mcp are those of Ambix" do
    said = drive("auto", ["elixir" | Command.mix(["ambix.mcp"])])
    assert said["server"] == "ambix"
    assert said["tools"] == for(module <- Ambix.Tool.all(), do: module.tool().name)
  end
end
