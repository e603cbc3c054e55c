defmodule Ambix.CLI.ClientConfigTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.ClientConfig
  alias Ambix.{Error, JSON}

  @keys %{
    "claude" => "mcpServers",
    "cursor" => "mcpServers",
    "vscode" => "servers",
    "zed" => "context_servers"
  }

  for {client, key} <- @keys do
    test "#{client}: other servers, unknown keys and their order stay, and a second time changes nothing" do
      {client, key} = {unquote(client), unquote(key)}

      other =
        ~s({\n  "first": [1, {"#{key}x": {}}],\n  "#{key}": {\n    "other": {"command": "x"}\n  },\n  "last": null\n}\n)

      for before <- [nil, "", "{}", "{ }\n", "{\n}\n", ~s({"#{key}": {}}), ~s({"a":1}), other] do
        assert {:ok, text} = ClientConfig.merge(client, before)
        now = JSON.decode!(text)

        assert Map.delete(now[key]["ambix"], "type") == ClientConfig.entry()

        was = if before in [nil, ""], do: %{}, else: JSON.decode!(before)
        assert Map.delete(now, key) == Map.delete(was, key)
        assert Map.delete(now[key], "ambix") == (was[key] || %{})
        assert ClientConfig.merge(client, text) == :same
      end
    end

    test "#{client}: comments and commas at the end stay, byte by byte" do
      {client, key} = {unquote(client), unquote(key)}

      before = """
      // "#{key}": { is no key here
      {
        /* é */ "url": "http://x//y", // slashes
        "#{key}": { // servers
          "other": {"command": "x",},
        },
      }
      """

      assert {:ok, text} = ClientConfig.merge(client, before)
      # Nothing but the entry was added, in one place.
      first = :binary.longest_common_prefix([before, text])
      last = :binary.longest_common_suffix([before, text])
      assert first + last >= byte_size(before)
      assert ClientConfig.merge(client, text) == :same
    end

    test "#{client}: what is not understood is left alone" do
      {client, key} = {unquote(client), unquote(key)}

      for before <- [
            "[]",
            "{",
            "null",
            ~s({"#{key}": []}),
            ~s({"#{key}": {"ambix": {"command": "mine"}}}),
            ~s({"x": {"#{key}": {}}, "#{key}": {}})
          ] do
        assert {:error, %Error{message: message}} = ClientConfig.merge(client, before)
        assert message =~ "by hand"
      end
    end
  end

  test "codex: a table of its own at the end" do
    ["-c", script] = ClientConfig.entry()["args"]
    # A literal string of TOML ends at the first quote of its kind.
    refute script =~ "'"
    entry = ~s|[mcp_servers.ambix]\ncommand = "sh"\nargs = ["-c", '#{script}']\nenv = { MIX_QUIET = "1" }\n|
    assert ClientConfig.merge("codex", nil) == {:ok, entry}
    before = "model = \"x\" # mine\n\n[mcp_servers.other]\ncommand = \"y\"\n"
    assert ClientConfig.merge("codex", before) == {:ok, before <> "\n" <> entry}
    assert ClientConfig.merge("codex", before <> "\n" <> entry) == :same

    for before <- [
          "[mcp_servers.ambix]\ncommand = \"z\"\n",
          "mcp_servers = {}\n",
          "mcp_servers.\"ambix\" = {}\n",
          "[\"mcp_servers\".ambix]\ncommand = \"z\"\n",
          "[mcp_servers]\nambix = { command = \"z\" }\n",
          "[mcp_servers]\n\"ambix\".command = \"z\"\n",
          "a = \"\"\"\n"
        ],
        do: assert({:error, %Error{}} = ClientConfig.merge("codex", before))
  end
end
