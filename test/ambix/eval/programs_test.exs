defmodule Ambix.Eval.ProgramsTest do
  use ExUnit.Case, async: true

  alias Ambix.Eval.Programs
  alias Ambix.Error

  @tests """
  ExUnit.start()

  defmodule SumTest do
    use ExUnit.Case, async: true
    test "sum", do: assert(Sum.of(2, 3) == 5)
  end
  """

  @problem %{
    "name" => "sum",
    "prompt" => "defmodule Sum do\n  def of(a, b) do\n    ",
    "tests" => @tests,
    "stop_tokens" => ["\ndefmodule", "\n\n"]
  }

  # A model that writes this, and the greedy options that it must be asked with.
  defp says(text) do
    fn prompt, opts ->
      assert prompt == @problem["prompt"]

      assert opts[:raw] and opts[:temperature] == 0.0 and opts[:seed] == 7 and
               opts[:stop] == @problem["stop_tokens"]

      {:ok, %{text: text, tokens: 5}}
    end
  end

  test "an answer that passes the hidden tests" do
    assert {:ok, result} = Programs.solve(@problem, :greedy, says("a + b\n  end\nend\n\nrubbish ("), 7)

    assert %{
             name: "sum",
             passed: true,
             answer: "a + b\n  end\nend",
             tokens: 5,
             executions: 1,
             seconds: seconds
           } = result

    assert seconds > 0
  end

  # Each of these must not count as passed.
  for {what, answer} <- [
        {"is wrong", "a - b\n  end\nend"},
        {"does not parse", "a + ("},
        {"ends the VM before the tests", "a + b\n  end\nend\nSystem.halt(0)"},
        {"says itself that it passed", "a - b\n  end\nend\nIO.puts(\"1 test, 0 failures\")\nSystem.halt(0)"}
      ] do
    test "an answer that #{what}" do
      assert {:ok, %{passed: false}} = Programs.solve(@problem, :greedy, says(unquote(answer)), 7)
    end
  end

  test "tests that hold no test pass nothing" do
    assert Programs.passed?("", "ExUnit.start()") == {:ok, false}
  end

  test "a model that fails is an error and no failed problem" do
    error = {:error, Error.new(:model, "no")}
    assert Programs.solve(@problem, :greedy, fn _, _ -> error end, 7) == error
  end

  test "answers are cut at the first stop token" do
    assert Programs.cut("a\n\nb\ndef c", ["\ndef", "\n\n"]) == "a"
    assert Programs.cut("a", ["\n\n"]) == "a"
    assert Programs.cut("a", []) == "a"
  end
end
