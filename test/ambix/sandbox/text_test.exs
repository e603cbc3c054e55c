defmodule Ambix.Sandbox.TextTest do
  use ExUnit.Case, async: true

  alias Ambix.Sandbox.Text

  test "valid text stays, and bytes that are none become one mark for each run" do
    for {bytes, text} <- [
          {"", ""},
          {"äöü\n", "äöü\n"},
          {<<255>>, "\uFFFD"},
          {<<255, 254, 253>>, "\uFFFD"},
          {<<"a", 255, 254, "b", 128>>, "a\uFFFDb\uFFFD"},
          {<<0xF0, 0x9F, 0x98>>, "\uFFFD"},
          {<<0xC0, 0x80, "x">>, "\uFFFDx"},
          {<<0xED, 0xA0, 0x80>>, "\uFFFD"},
          {<<"ä"::binary, 0xC3>>, "ä\uFFFD"}
        ] do
      assert Text.valid(bytes) == text
    end
  end

  test "many bytes that are no text take no longer than text" do
    for part <- [<<255>>, <<255, "a">>, <<"a", 0xF0, 0x9F>>, <<0xC3>>] do
      bytes = :binary.copy(part, div(8_000_000, byte_size(part)))
      {microseconds, text} = :timer.tc(fn -> Text.valid(bytes) end)
      assert String.valid?(text)
      assert microseconds < 20_000_000
    end
  end
end
