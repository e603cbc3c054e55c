defmodule Ambix.ToolTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Ambix.Test.MCPTools.{Crash, Echo, Wait}
  alias Ambix.{Error, Tool}
  alias Ambix.Tool.{Answer, Call}

  test "arguments are those of a JSON object, checked by the tool's own options" do
    assert {:ok, %Answer{data: %{said: "hi"}, text: "said hi", truncated: false, next: nil}} =
             Tool.call(Echo, %{"text" => "hi"}, %Call{})

    assert {:error, %Error{kind: :invalid_argument, message: message}} = Tool.call(Echo, %{}, %Call{})
    assert message =~ ":text is required"
    assert {:error, %Error{kind: :invalid_argument}} = Tool.call(Echo, ["no", "object"], %Call{})
    assert {:error, %Error{kind: :invalid_argument}} = Tool.call(Echo, %{"text" => "x", "more" => 1}, %Call{})
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
