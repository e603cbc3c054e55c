defmodule Ambix.CompatTest do
  use ExUnit.Case

  alias Ambix.Compat

  test "a part of OTP is there when it was asked for, whatever Mix has left of the code path" do
    assert Compat.ensure_application(:tools) == :ok
    assert {:module, :cover} = Code.ensure_loaded(:cover)
  end

  test "the parallel compiler takes the options for diagnostics, and answers what tells file and line", %{
    test: test
  } do
    file = Path.join(System.tmp_dir!(), "ambix-#{:erlang.phash2(test)}-#{System.pid()}.exs")
    on_exit(fn -> File.rm(file) end)
    File.write!(file, "defmodule Ambix.CompatTest.Broken do\n  def f, do: nothing\nend\n")

    {result, _} =
      ExUnit.CaptureIO.with_io(:stderr, fn ->
        Kernel.ParallelCompiler.require([file], Compat.diagnostics_options())
      end)

    assert {:error, [error | _], _} = result

    case error do
      %{file: ^file, position: position, message: _} -> assert position in [2, {2, 14}]
      {^file, 2, _message} -> assert Version.match?(System.version(), "< 1.15.0")
    end
  end

  test "typing traces are places, and none where the compiler tells none" do
    trace = %{
      file: "/a.ex",
      meta: [line: 3],
      formatted_expr: "x = :a",
      formatted_type: ":a",
      formatted_hints: []
    }

    variable = %{type: :variable, name: :x, context: nil, traces: [trace, %{trace | meta: []}]}

    assert Compat.typing_traces(%{details: %{typing_traces: [variable]}}) == [
             %{file: "/a.ex", line: 3, message: "x = :a has the type :a"},
             %{file: "/a.ex", line: 0, message: "x = :a has the type :a"}
           ]

    for diagnostic <- [%{details: nil}, %{details: %{}}, %{message: "no"}, {"/a.ex", 3, "no"}],
        do: assert(Compat.typing_traces(diagnostic) == [])
  end
end
