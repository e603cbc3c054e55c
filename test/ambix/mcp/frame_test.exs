defmodule Ambix.MCP.FrameTest do
  use ExUnit.Case, async: true

  alias Ambix.MCP.{Fault, Frame, Lines}

  defp code(text) do
    case Frame.decode(text) do
      {:error, id, %Fault{code: code}} -> {code, id}
      {:ok, frame} -> {:ok, frame}
    end
  end

  describe "messages" do
    test "are requests, notifications and responses" do
      assert code(~s({"jsonrpc":"2.0","id":1,"method":"m"})) == {:ok, {:request, 1, "m", %{}}}

      assert code(~s({"jsonrpc":"2.0","id":"a","method":"m","params":{"x":1}})) ==
               {:ok, {:request, "a", "m", %{"x" => 1}}}

      assert code(~s({"jsonrpc":"2.0","method":"n"})) == {:ok, {:notification, "n", %{}}}
      assert code(~s({"jsonrpc":"2.0","id":1,"result":{}})) == {:ok, {:response, 1, {:ok, %{}}}}

      assert code(~s({"jsonrpc":"2.0","id":1,"error":{"code":1}})) ==
               {:ok, {:response, 1, {:error, %{"code" => 1}}}}
    end

    test "that are none have a fault, with the id where there is one" do
      for {text, expected} <- [
            {"", {-32_700, nil}},
            {"{", {-32_700, nil}},
            {~s({"jsonrpc":"2.0","id":1,"meth), {-32_700, nil}},
            {<<34, 255, 34>>, {-32_700, nil}},
            {String.duplicate("[", 100_000), {-32_700, nil}},
            {~s({"jsonrpc":"2.0","id":1,"method":"m","params":) <> String.duplicate(~s({"a":), 200),
             {-32_700, nil}},
            {"[]", {-32_600, nil}},
            {~s([{"jsonrpc":"2.0","id":1,"method":"ping"}]), {-32_600, nil}},
            {"null", {-32_600, nil}},
            {"1", {-32_600, nil}},
            {~s({"id":1,"method":"m"}), {-32_600, 1}},
            {~s({"jsonrpc":"1.0","id":"x","method":"m"}), {-32_600, "x"}},
            {~s({"jsonrpc":"2.0","id":1}), {-32_600, 1}},
            {~s({"jsonrpc":"2.0","id":1,"method":2}), {-32_600, 1}},
            {~s({"jsonrpc":"2.0","id":1,"method":"m","params":[]}), {-32_600, 1}},
            {~s({"jsonrpc":"2.0","id":1,"method":"m","params":null}), {-32_600, 1}},
            {~s({"jsonrpc":"2.0","method":"m","params":1}), {-32_600, nil}},
            {~s({"jsonrpc":"2.0","id":null,"method":"m"}), {-32_600, nil}},
            {~s({"jsonrpc":"2.0","id":1.5,"method":"m"}), {-32_600, nil}},
            {~s({"jsonrpc":"2.0","id":{},"method":"m"}), {-32_600, nil}},
            {~s({"jsonrpc":"2.0","id":[],"result":{}}), {-32_600, nil}},
            {~s({"jsonrpc":"2.0","id":"#{String.duplicate("i", 300)}","method":"m"}), {-32_600, nil}}
          ] do
        assert code(text) == expected, "of #{inspect(text, printable_limit: 60)}"
      end
    end

    test "have a limit of size" do
      assert {:error, nil, %Fault{status: 413}} = Frame.decode(String.duplicate(" ", Frame.max_bytes() + 1))
    end

    test "make no atoms" do
      word = "atom_#{System.unique_integer([:positive])}"

      {:ok, _} =
        Frame.decode(~s({"jsonrpc":"2.0","id":"#{word}","method":"#{word}","params":{"#{word}":"#{word}"}}))

      assert_raise ArgumentError, fn -> String.to_existing_atom(word) end
    end

    test "what cannot be written is a fault of the server, and each message is one line" do
      assert Ambix.JSON.decode!(Frame.result(1, %{"a" => <<255>>}))["error"]["code"] == -32_603
      refute Frame.result(1, %{"a" => "x\ny\r"}) =~ ~r/[\n\r]/
    end
  end

  describe "lines" do
    defp feed(chunks, max) do
      {lines, _} =
        Enum.flat_map_reduce(chunks, Lines.new(max), fn chunk, lines -> Lines.feed(lines, chunk) end)

      lines
    end

    test "are the same however they are cut" do
      text = "one\n\ntwo\r\nthré\nrest"
      whole = feed([text], 100)
      assert whole == ["one", "two", "thré"]
      assert feed(for(<<byte <- text>>, do: <<byte>>), 100) == whole

      for at <- 0..byte_size(text),
          do:
            assert(
              feed([binary_part(text, 0, at), binary_part(text, at, byte_size(text) - at)], 100) == whole
            )
    end

    test "that are too long are told once, and nothing of them is kept" do
      assert feed(["12345678901\nok\n"], 10) == [:too_long, "ok"]
      assert feed(["123456", "789012", String.duplicate("x", 100), "\nok\n"], 10) == [:too_long, "ok"]

      {[], lines} = Lines.feed(Lines.new(10), String.duplicate("x", 1_000_000))
      {[], lines} = Lines.feed(lines, String.duplicate("x", 1_000_000))
      assert :erlang.external_size(lines) < 1000
    end
  end
end
