defmodule Ambix.JSONTest do
  use ExUnit.Case, async: true
  doctest Ambix.JSON

  alias Ambix.{Error, JSON}

  test "what is written is read back" do
    terms = [
      %{},
      [],
      [nil, true, false],
      %{"a" => %{"b" => [1, -2, 0.5, "ü\n\"\\\u0000", 18_446_744_073_709_551_615]}}
    ]

    for term <- terms, do: assert(JSON.decode(JSON.encode!(term)) == {:ok, term})
  end

  test "what JSON cannot say is refused by name" do
    for {term, word} <- [
          {{1, 2}, "no string"},
          {[1 | 2], "improper list"},
          {<<255>>, "UTF-8"},
          {1.0e308 |> Kernel.*(1) |> List.wrap() |> Kernel.++([self()]), "no string"},
          {%{1 => 2}, "neither atoms nor strings"},
          {Integer.pow(2, 70), "64 bits"},
          {%Error{kind: :io, message: ""}, "struct"}
        ] do
      assert {:error, %Error{kind: :invalid_argument, message: message}} = JSON.encode(term)
      assert message =~ word
    end
  end

  test "broken documents are refused" do
    for text <- ["", "{", "[1,]", "nul", "1 2", <<34, 255, 34>>, ~s({"a":1}x)] do
      assert {:error, %Error{kind: :corrupt}} = JSON.decode(text)
    end
  end

  test "deep nesting is refused and harms nobody" do
    assert {:ok, _} = JSON.decode(String.duplicate("[", 100) <> String.duplicate("]", 100))

    for open <- ["[", ~s({"a":)] do
      assert {:error, %Error{kind: :corrupt, message: message}} = JSON.decode(String.duplicate(open, 10_000))
      assert message =~ "deep"
    end

    deep = Enum.reduce(1..10_000, [], fn _, inner -> [inner] end)
    assert {:error, %Error{kind: :limit}} = JSON.encode(deep)

    assert {:error, %Error{kind: :limit}} =
             JSON.encode(Enum.reduce(1..10_000, %{}, fn _, map -> %{a: map} end))
  end
end
