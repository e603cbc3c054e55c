defmodule Mix.Tasks.Ambix.ToolTest do
  # Standard output and error are captured for the whole VM, and the environment says where indexes are kept.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Ambix.JSON
  alias Mix.Tasks.Ambix, as: Tasks
  alias Mix.Tasks.Ambix.Tool

  @moduletag :tmp_dir

  setup %{tmp_dir: dir} do
    Ambix.Test.Setup.put_env(%{"AMBIX_CACHE" => Path.join(dir, "cache")})
    %{root: Ambix.Test.ToolProject.write(Path.join(dir, "shop"))}
  end

  defp run(root, words), do: capture_io(fn -> Tool.run(words ++ ["--root", root, "--quiet"]) end)

  defp refused(root, words) do
    capture_io(:stderr, fn ->
      assert catch_exit(Tool.run(words ++ ["--root", root, "--quiet"])) == {:shutdown, 1}
    end)
  end

  test "the arguments are what a tool needs", %{root: root} do
    assert run(root, ["search", "the", "whole", "cart", "with", "tax"]) =~ "Shop.Cart.total/1"

    assert run(root, ["read", "Shop.Tax.with_tax/1", "Shop.Repo.get!/2"]) =~
             ~r/def with_tax.*def get!/s

    assert run(root, ["relations", "callers", "Shop.Tax.with_tax/1"]) =~ "Shop.Cart.total/1"
    assert run(root, ["relations", "path", "Shop.Cart.total/1", "Shop.Tax.with_tax/1"]) =~ "with_tax"
  end

  test "options are those of the tool, before and behind it", %{root: root} do
    outline = run(root, ["read", "Shop.Cart", "--detail", "signatures"])
    assert outline =~ "def total(cart)" and not String.contains?(outline, "Enum.sum")

    assert {:ok, %{"kind" => "regex"}} =
             JSON.decode(run(root, ["--json", "search", "def \\w+", "--limit", "1"]))

    short = run(root, ["search", "def \\w+", "--tokens", "150"])
    assert short =~ "skip:" and Ambix.Tool.Budget.count(short) <= 150
  end

  test "the older commands are views of the same tools, also into dependencies", %{root: root} do
    show = fn task, words ->
      capture_io(fn -> capture_io(:stderr, fn -> task.run(words ++ ["--root", root, "--quiet"]) end) end)
    end

    assert show.(Tasks.Grep, ["brew\\(", "--deps"]) == """
           lib/shop/cart.ex  Shop.Cart.hidden/1
           24:   defp hidden(cart) when is_list(cart), do: Tea.brew(cart)
           tea 1.2.3: lib/tea.ex  Tea.brew/1
            3:   def brew(leaves), do: {:steeping, warm(leaves)}
           """

    assert {:ok, %{"lines" => [_, %{"package" => %{"name" => "tea"}, "matches" => [[_, _]]}]}} =
             JSON.decode(show.(Tasks.Grep, ["brew\\(", "--deps", "--json"]))

    assert show.(Tasks.Graph, ["callers", "Tea.brew/1"]) =~
             ~r/^Shop.Cart.hidden\/1  function +1  lib\/shop\/cart.ex:24$/m

    assert show.(Tasks.Graph, ["references", "Tea.brew/1"]) =~ "call Tea.brew/1"

    assert show.(Tasks.Graph, ["path", "Shop.Cart.shown/1", "Tea.brew/1"]) =~
             ~r/^Tea.brew\/1 +call +outside$/m

    assert show.(Tasks.Graph, ["callers", "Tea.warm/1", "--deps"]) =~
             ~r/^Tea.brew\/1 .* tea 1.2.3: lib\/tea.ex:2$/m

    assert {:ok, [%{"symbol" => "Tea.brew/1", "package" => %{"version" => "1.2.3"}}]} =
             JSON.decode(show.(Tasks.Graph, ["callers", "Tea.warm/1", "--deps", "--json"]))

    path = ["path", "Shop.Cart.shown/1", "Tea.warm/1", "--deps"]
    assert show.(Tasks.Graph, path) =~ ~r/^Tea.warm\/1 +call +tea 1.2.3: lib\/tea.ex:3$/m

    assert {:ok, [%{"symbols" => symbols}]} = JSON.decode(show.(Tasks.Graph, path ++ ["--json"]))
    assert List.last(symbols)["package"]["name"] == "tea"
  end

  test "a picture is of what the project defines", %{root: root} do
    said =
      capture_io(:stderr, fn ->
        argv = ["callers", "Tea.brew/1", "--svg", Path.join(root, "x.svg"), "--root", root, "--quiet"]
        assert catch_exit(Tasks.Graph.run(argv)) == {:shutdown, 1}
      end)

    assert said =~ "Tea.brew/1 is not of it"
  end

  test "what is wrong is said in a sentence", %{root: root} do
    assert refused(root, []) =~ "expects the name of a tool first: search, read"
    assert refused(root, ["reed"]) =~ "expects the name of a tool first"
    assert refused(root, ["check", "lib"]) =~ "check takes no argument"
    assert refused(root, ["relations", "uses", "Shop.Cart"]) =~ "callers"
    assert refused(root, ["relations", "callers"]) =~ "callers needs of"
    assert refused(root, ["search", "--kind", "magic", "x"]) =~ "--kind expects one of"
    assert refused(root <> "/none", ["check"]) =~ "no folder"
    assert refused(root, ["read", "Nothing.here/1"]) =~ "Nothing.here/1"
  end

  test "help is that of the tool", %{root: root} do
    assert run(root, ["relations", "--help"]) =~ ":relation"
    assert run(root, ["--help"]) =~ "mix ambix.tool relations callers"
  end
end
