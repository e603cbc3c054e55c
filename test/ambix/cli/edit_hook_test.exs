defmodule Ambix.CLI.EditHookTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.EditHook
  alias Ambix.JSON
  alias Ambix.Test.Setup

  @moduletag :tmp_dir

  setup %{tmp_dir: dir} do
    root =
      Setup.write(Path.join(dir, "project"), %{"lib/a.ex" => "a", "lib/b.heex" => "b", "notes.md" => "# c"})

    Setup.write(dir, %{"outside.ex" => "secret"})
    File.ln_s!("../../outside.ex", Path.join(root, "lib/link.ex"))
    {:ok, root: root}
  end

  defp edited(event, root), do: event |> JSON.encode!() |> EditHook.edited(root)
  defp file(path), do: %{tool_name: "Edit", tool_input: %{file_path: path}}

  test "the file of an edit, whole or from where the agent is", %{root: root} do
    assert edited(file(Path.join(root, "lib/a.ex")), root) == %{"lib/a.ex" => "a"}
    assert edited(Map.put(file("b.heex"), :cwd, Path.join(root, "lib")), root) == %{"lib/b.heex" => "b"}
  end

  test "the files of a patch", %{root: root} do
    patch = """
    *** Begin Patch
    *** Update File: lib/a.ex
    @@
    -*** Add File: lib/none.ex
    +x
    *** Add File: lib/b.heex
    +b
    *** Delete File: lib/gone.ex
    *** Update File: lib/../../outside.ex
    *** End Patch
    """

    event = %{tool_name: "apply_patch", cwd: root, tool_input: %{command: patch}}
    assert edited(event, root) == %{"lib/a.ex" => "a", "lib/b.heex" => "b", "lib/gone.ex" => nil}
    # A file is read once, and of very many only the first.
    many = for n <- 1..2_000, do: "*** Update File: lib/a.ex\n*** Delete File: lib/gone_#{n}.ex\n"
    event = put_in(event.tool_input.command, "*** Begin Patch\n" <> Enum.join(many))
    assert %{"lib/a.ex" => "a"} = texts = edited(event, root)
    assert map_size(texts) == 500
    # Another command only looks like one.
    assert edited(put_in(event.tool_input.command, "cat <<X\n" <> patch), root) == %{}
  end

  test "what is not compiled, not there, not a file or not in the project is none", %{root: root} do
    for path <- [
          "notes.md",
          "lib",
          "lib/gone.ex",
          "lib/link.ex",
          "../outside.ex",
          "lib/../../outside.ex",
          "a\0.ex",
          "",
          1,
          ["lib/a.ex"],
          nil
        ],
        cwd <- [root, 1, nil, "\0"] do
      assert edited(Map.put(file(path), :cwd, cwd), root) == %{}, inspect({path, cwd})
    end

    assert edited(file(Path.expand("../outside.ex", root)), root) == %{}

    for event <- [%{}, [], nil, %{tool_input: nil}, %{tool_input: %{}}],
        do: assert(edited(event, root) == %{})
  end

  test "bytes that are no JSON are none", %{root: root} do
    for bytes <- [
          "",
          "{",
          <<255, 254, 0>>,
          String.duplicate("[", 100_000),
          "{\"tool_input\": {\"file_path\": "
        ],
        do: assert(EditHook.edited(bytes, root) == %{})
  end

  test "what is no Elixir is said with its place, and of nothing else" do
    assert EditHook.broken(%{"a.ex" => "def a, do: 1", "b.heex" => "<%= (", "c.erl" => "("}) == nil
    assert EditHook.broken(%{"lib/a.ex" => "a = 1\nb = (\n"}) =~ ~r"\Alib/a.ex:\d: .*terminator"
    assert EditHook.broken(%{"a.exs" => "x = \"\"\""}) =~ "a.exs:1: "
    # Parsers before Elixir 1.15 cannot say it of this.
    assert EditHook.broken(%{"a.ex" => "Shop.Cart(1)"}) in [nil, "a.ex:1: syntax error before: '('"]
  end
end
