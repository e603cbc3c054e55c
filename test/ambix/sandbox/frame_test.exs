defmodule Ambix.Sandbox.FrameTest do
  use ExUnit.Case, async: true

  alias Ambix.Sandbox.Frame

  defp decode(term, shape), do: Frame.decode(:erlang.term_to_binary(term), shape)

  test "plain data of the right shape passes" do
    for {term, shape} <- [
          {"text", :string},
          {0, :count},
          {:ok, :ok},
          {:b, {:atoms, [:a, :b]}},
          {[], {:list, :count}},
          {[1, 2], {:list, :count}},
          {{:ok, "x"}, {:tuple, [:ok, :string]}},
          {%{a: 1, b: ["x"]}, {:map, %{a: :count, b: {:list, :string}}}},
          {1, {:either, [:string, :count]}}
        ] do
      assert decode(term, shape) == {:ok, term}
    end
  end

  test "all else does not" do
    for {term, shape} <- [
          {<<255>>, :string},
          {~c"text", :string},
          {<<1::1>>, :string},
          {-1, :count},
          {1.0, :count},
          {0x1000000000001, :count},
          {:error, :ok},
          {:c, {:atoms, [:a, :b]}},
          {"a", {:atoms, [:a]}},
          {[1 | 2], {:list, :count}},
          {[1, "x"], {:list, :count}},
          {{:ok}, {:tuple, [:ok, :string]}},
          {{:ok, "x", 1}, {:tuple, [:ok, :string]}},
          {[:ok, "x"], {:tuple, [:ok, :string]}},
          {%{a: 1}, {:map, %{a: :count, b: :count}}},
          {%{a: 1, b: 2, c: 3}, {:map, %{a: :count, b: :count}}},
          {%{:a => 1, "b" => 2}, {:map, %{a: :count, b: :count}}},
          {:a, {:map, %{}}},
          {self(), :string},
          {fn -> :ok end, :ok},
          {make_ref(), {:either, [:string, :count]}}
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
          :erlang.term_to_binary(String.duplicate("x", 100_000), compressed: 9)
        ] do
      assert Frame.decode(bytes, :string) == :error
    end
  end
end
