defmodule Ambix.ToolTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Ambix.Test.MCPTools.{Crash, Echo, Wait}
  alias Ambix.{Error, Options, Tool}
  alias Ambix.Tool.{Answer, Call}

  test "arguments are those of a JSON object, checked by the tool's own options" do
    assert {:ok, %Answer{data: %{said: "hi"}, text: "said hi", truncated: false, next: nil}} =
             Tool.call(Echo, %{"text" => "hi"}, %Call{})

    assert {:error, %Error{kind: :invalid_argument, message: message}} = Tool.call(Echo, %{}, %Call{})
    assert message =~ ":text is required"
    assert {:error, %Error{kind: :invalid_argument}} = Tool.call(Echo, ["no", "object"], %Call{})
    assert {:error, %Error{kind: :invalid_argument}} = Tool.call(Echo, %{"text" => "x", "more" => 1}, %Call{})
  end

  test "instructions name every tool, and fit what clients show" do
    text = Tool.instructions()
    assert String.length(text) <= 1900
    assert binary_part(text, 0, 300) =~ ~r/search, relations and read first, grep/
    for module <- Tool.all(), do: assert(text =~ ~r/\b#{module.tool().name}\b/)
  end

  test "names are those of no other tool, and all definitions together are short" do
    tools = Enum.map(Tool.all(), & &1.tool())
    assert Enum.uniq_by(tools, & &1.name) == tools
    assert Enum.map(tools, & &1.name) == ~w(search read relations check run_tests fix)

    shown =
      for tool <- tools do
        %{
          "name" => tool.name,
          "description" => tool.description,
          "inputSchema" => Options.json_schema(tool.input) |> Map.delete("$schema")
        }
      end

    # About 1000 by the tokenizer of SmolLM2; a budget counts a little more.
    assert shown |> Ambix.JSON.encode!() |> Tool.Budget.count() <= 1300
  end

  test "however a tool ends, its caller lives, and neither the error nor a log tells a value" do
    log =
      capture_log(fn ->
        for how <- ~w(raise throw exit kill nonsense) do
          assert {:error, %Error{kind: :panic, message: message}} = Tool.call(Crash, %{"how" => how}, %Call{})
          assert message =~ "the tool crashed"
          refute message =~ "secret"
        end
      end)

    refute log =~ "secret"
    assert {:error, %Error{kind: :not_found}} = Tool.call(Crash, %{"how" => "error"}, %Call{})
    assert {:ok, %Answer{text: "lived"}} = Tool.call(Crash, %{"how" => "linked"}, %Call{})
  end

  test "text rules no terminal that it is printed to, and gets no longer" do
    hostile = "a\e[2J\u202eb\r\n\tc\0"
    assert {:ok, %Answer{text: text, data: data}} = Tool.call(Echo, %{"text" => hostile}, %Call{})
    assert text == "said a?[2J?b\r\n\tc?"
    assert Tool.Budget.count(text) <= Tool.Budget.count("said " <> hostile)
    assert data.said == hostile
  end

  test "text that is no UTF-8 becomes text" do
    defmodule Bytes do
      @behaviour Tool
      def tool, do: %Tool{name: "b", title: "b", description: "b", input: [], output: %{}}
      def run(_, _), do: {:ok, %Answer{data: %{}, text: ["a", <<255>>, "b"]}}
    end

    assert {:ok, %Answer{text: "a\uFFFDb"}} = Tool.call(Bytes, %{}, %Call{})
  end

  test "a tool ends with the process that called it" do
    test = self()
    caller = spawn(fn -> Tool.call(Wait, %{}, %Call{host: test}) end)
    assert_receive {:waits, tool, nil}
    monitor = Process.monitor(tool)
    Process.exit(caller, :kill)
    assert_receive {:DOWN, ^monitor, :process, _, _}
  end

  test "what Ambix offers has names that are different" do
    names = for module <- Tool.all(), do: module.tool().name
    assert names == Enum.uniq(names)
  end
end
