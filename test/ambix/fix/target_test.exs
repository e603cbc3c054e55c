defmodule Ambix.Fix.TargetTest do
  use ExUnit.Case, async: true

  alias Ambix.Error
  alias Ambix.Fix.Target

  doctest Target

  @tag :tmp_dir
  test "what is no place is told of in short, whatever it says", %{tmp_dir: root} do
    File.write!(Path.join(root, "a.ex"), "")
    assert {:ok, %Target{file: "a.ex", line: 12}} = Target.parse(root, "a.ex:12")

    # To read so many digits as a number would keep a scheduler for a minute.
    for text <- [
          "a.ex:" <> String.duplicate("9", 1_000_000),
          String.duplicate("x", 1_000_000),
          "\0",
          "a\nb:1"
        ] do
      assert {:error, %Error{kind: :not_found, message: message}} = Target.parse(root, text)
      assert byte_size(message) < 500 and not (message =~ "\0")
    end
  end
end
