defmodule Ambix.Sandbox.FrameTest do
  use ExUnit.Case, async: true

  alias Ambix.Sandbox.Frame

  @string {:string, 200_000}
  @count {:count, 1000}

  defp decode(term, shape) do
    with {:ok, term, size} when size > 0 <- Frame.decode(:erlang.term_to_binary(term), shape), do: {:ok, term}
  end

  test "plain data of the right shape passes" do
    for {term, shape} <- [
          {"text", @string},
          {"text", {:string, 4}},
          {<<255>>, {:bytes, 1}},
          {0, @count},
          {1000, @count},
          {:ok, :ok},
          {:b, {:atoms, [:a, :b]}},
          {[], {:list, @count, 0}},
          {[1, 2], {:list, @count, 2}},
          {{:ok, "x"}, {:tuple, [:ok, @string]}},
          {%{a: 1, b: ["x"]}, {:map, %{a: @count, b: {:list, @string, 9}}}},
          {1, {:either, [@string, @count]}}
        ] do
      assert decode(term, shape) == {:ok, term}
    end
  end

  test "all else does not" do
    for {term, shape} <- [
          {<<255>>, @string},
          {"text", {:string, 3}},
          {"ab", {:bytes, 1}},
          {~c"text", @string},
          {<<1::1>>, @string},
          {-1, @count},
          {1.0, @count},
          {1001, @count},
          {:error, :ok},
          {:c, {:atoms, [:a, :b]}},
          {"a", {:atoms, [:a]}},
          {[1 | 2], {:list, @count, 9}},
          {[1, "x"], {:list, @count, 9}},
          {[1, 2], {:list, @count, 1}},
          {{:ok}, {:tuple, [:ok, @string]}},
          {{:ok, "x", 1}, {:tuple, [:ok, @string]}},
          {[:ok, "x"], {:tuple, [:ok, @string]}},
          {%{a: 1}, {:map, %{a: @count, b: @count}}},
          {%{a: 1, b: 2, c: 3}, {:map, %{a: @count, b: @count}}},
          {%{:a => 1, "b" => 2}, {:map, %{a: @count, b: @count}}},
          {:a, {:map, %{}}},
          {self(), @string},
          {fn -> :ok end, :ok},
          {make_ref(), {:either, [@string, @count]}}
        ] do
      assert decode(term, shape) == :error, "let #{inspect(term)} through as #{inspect(shape)}"
    end
  end

  test "atoms are not made" do
    name = "never_seen_atom_#{System.unique_integer([:positive])}"
    assert Frame.decode(<<131, 119, byte_size(name), name::binary>>, :ok) == :error
    assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
  end

  test "bytes that are no term, and compressed terms, are refused" do
    for bytes <- [
          "",
          <<131>>,
          <<0, 1, 2>>,
          <<131, 109, 255, 255, 255, 255, 1>>,
          <<131, 108, 255, 255, 255, 255>>,
          <<131, 105, 255, 255, 255, 255>>,
          <<131, 116, 255, 255, 255, 255>>,
          <<131, 110, 255, 0>>,
          <<131, 111, 255, 255, 255, 255, 0>>,
          :erlang.term_to_binary(String.duplicate("x", 100_000), compressed: 9)
        ] do
      assert Frame.decode(bytes, @string) == :error
    end
  end

  test "what is nested without end is refused, and takes no stack" do
    for depth <- [1_000, 300_000] do
      nested = :binary.copy(<<108, 0, 0, 0, 1>>, depth) <> <<106>> <> :binary.copy(<<106>>, depth)
      assert Frame.decode(<<131, nested::binary>>, {:list, @count, 10}) == :error
    end
  end

  test "the size of a term is known, and no term is more than some twenty times its frame" do
    for {frame, length} <- [
          {<<131, 108, 100_000::32, :binary.copy(<<106>>, 100_000)::binary, 106>>, 100_000},
          {:erlang.term_to_binary(List.duplicate("", 50_000)), 50_000}
        ] do
      shape = {:list, {:either, [{:list, @count, 0}, @string]}, length}
      assert {:ok, _, size} = Frame.decode(frame, shape)
      assert size in (16 * length)..(20 * byte_size(frame))
    end
  end
end
