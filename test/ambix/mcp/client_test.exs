defmodule Ambix.MCP.ClientTest do
  use ExUnit.Case, async: true

  import Ambix.Test.MCPClient, only: [modern: 0, modern: 3]

  alias Ambix.MCP.{Client, Fault}

  @version "io.modelcontextprotocol/protocolVersion"
  @level "io.modelcontextprotocol/logLevel"

  test "a request that says its version is modern, also behind a handshake" do
    session = Client.legacy("2025-06-18", %{"sampling" => %{}})

    for session <- [nil, session] do
      assert {:ok, %Client{era: :modern, version: "2026-07-28", capabilities: %{}}} =
               Client.read("tools/list", modern(), session)
    end
  end

  test "one that does not relies on the handshake, and before it there is nothing but the handshake" do
    session = Client.legacy("2025-06-18", %{"sampling" => %{}})

    assert {:ok, %Client{era: :legacy, version: "2025-06-18"} = client} =
             Client.read("tools/list", %{}, session)

    assert Client.can?(client, "sampling")
    assert {:ok, %Client{era: :legacy}} = Client.read("initialize", %{}, nil)
    assert {:ok, %Client{era: :legacy}} = Client.read("ping", %{}, nil)
    assert {:error, %Fault{code: -32_602, status: 400}} = Client.read("tools/list", %{}, nil)
  end

  test "what a modern request has to say is checked" do
    for {change, code} <- [
          {%{@version => "v999"}, -32_022},
          {%{@version => "2025-11-25"}, -32_022},
          {%{@version => 1}, -32_602},
          {%{@version => nil}, -32_602},
          {%{"io.modelcontextprotocol/clientCapabilities" => nil}, -32_602},
          {%{"io.modelcontextprotocol/clientCapabilities" => []}, -32_602},
          {%{@level => "loud"}, -32_602}
        ] do
      assert {:error, %Fault{code: ^code, status: 400}} =
               Client.read("tools/list", modern(%{}, %{}, change), nil)
    end

    assert {:error, %Fault{code: -32_602}} = Client.read("tools/list", %{"_meta" => 1}, nil)
    {:error, fault} = Client.read("tools/list", modern(%{}, %{}, %{@version => "v999"}), nil)
    assert fault.data == %{"supported" => ["2026-07-28", "2025-11-25", "2025-06-18"], "requested" => "v999"}
  end

  test "a handshake agrees on a revision that is known" do
    for {asked, agreed} <- [
          {"2025-06-18", "2025-06-18"},
          {"2025-11-25", "2025-11-25"},
          {"2024-11-05", "2025-11-25"},
          {"2026-07-28", "2025-11-25"},
          {nil, "2025-11-25"},
          {%{}, "2025-11-25"}
        ] do
      assert Client.legacy(asked, %{}).version == agreed
    end
  end

  test "a token of progress is a string or an integer; others are passed over" do
    for {token, kept} <- [{"a", "a"}, {1, 1}, {1.5, nil}, {%{}, nil}, {String.duplicate("t", 1000), nil}] do
      assert {:ok, %Client{progress_token: ^kept}} =
               Client.read("m", modern(%{}, %{}, %{"progressToken" => token}), nil)
    end
  end

  test "levels of a log are in order, and nothing is heard without one" do
    {:ok, client} = Client.read("m", modern(%{}, %{}, %{@level => "warning"}), nil)

    assert for(level <- ~w(debug info warning error), do: Client.hears?(client, level)) == [
             false,
             false,
             true,
             true
           ]

    {:ok, client} = Client.read("m", modern(), nil)
    refute Client.hears?(client, "emergency")
  end
end
