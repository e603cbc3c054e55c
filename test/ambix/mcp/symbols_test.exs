defmodule Ambix.MCP.SymbolsTest do
  use ExUnit.Case, async: true

  import Ambix.Test.MCPClient

  alias Ambix.{Index, JSON, Tool}
  alias Ambix.MCP.Symbols

  @moduletag :tmp_dir

  setup %{tmp_dir: dir} do
    root = Ambix.Test.ToolProject.write(dir)
    {:ok, index} = Index.build(root)
    host = Tool.Host.new(index)
    client = start(tools: Tool.all(), host: host, resources: {Symbols, %{host: host, budget: 400}})
    %{client: client}
  end

  defp read(client, id, uri), do: ask(client, id, "resources/read", modern(%{"uri" => uri}))
  defp text(answer), do: hd(answer["result"]["contents"])["text"]

  test "the status and a template of symbols are offered", %{client: client} do
    assert [%{"uri" => "ambix://status"}] = ask(client, 1, "resources/list", modern())["result"]["resources"]

    assert [%{"uriTemplate" => "ambix://symbol/{+name}"}] =
             ask(client, 2, "resources/templates/list", modern())["result"]["resourceTemplates"]

    assert {:ok, %{"state" => "fresh"}} = client |> read(3, "ambix://status") |> text() |> JSON.decode()
  end

  test "a symbol is what the tool that reads says of it", %{client: client} do
    code = client |> read(1, "ambix://symbol/Shop.Cart.add/2") |> text()
    assert code =~ "def add(cart, item), do: [item | cart]"
    assert client |> read(2, "ambix://symbol/Shop.Cart.add%2F2") |> text() == code
    assert client |> read(3, "ambix://symbol/Shop.Cart") |> text() =~ "total"
  end

  test "what is not there is said", %{client: client} do
    for {uri, id} <-
          Enum.with_index([
            "ambix://symbol/Shop.Nothing.at_all/3",
            "ambix://symbol/%ff",
            "ambix://symbol/" <> String.duplicate("a", 2_000),
            "ambix://other",
            "file:///etc/passwd"
          ]) do
      assert %{"error" => %{"code" => -32_602}} = read(client, id, uri)
    end

    # No file outside of the index is one.
    refute client |> read(100, "ambix://symbol/../../etc/passwd") |> inspect() =~ "root:"
  end
end
