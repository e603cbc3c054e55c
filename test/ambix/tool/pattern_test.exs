defmodule Ambix.Tool.PatternTest do
  use ExUnit.Case, async: true

  alias Ambix.Error
  alias Ambix.Tool.{Pattern, Query}

  doctest Pattern

  defp lines(pattern, text) do
    {:ok, pattern} = Pattern.compile(pattern)
    Pattern.lines(pattern, text)
  end

  test "holes, variables, ends of aliases, pipes" do
    text = """
    Repo.get!(User, 1)
    Shop.Repo.get!(User, 1)
    User |> Repo.get!(1)
    Repo.get!(User, 1, prefix: "a")
    Repo.get(User, 1)
    max(a, a)
    max(a, b)
    """

    assert lines("Repo.get!(_, _)", text) == [1, 2, 3]
    assert lines("Repo.get!(...)", text) == [1, 2, 3, 4]
    assert lines("Repo.get!(_, ...)", text) == [1, 2, 3, 4]
    assert lines("Repo.get!(..., prefix: _)", text) == [4]
    assert lines("Shop.Repo.get!(_, _)", text) == [2]
    assert lines("max(x, x)", text) == [6]
    assert lines("max(x, y)", text) == [6, 7]
  end

  test "the same is the same wherever it stands, also behind a hole of any length" do
    assert lines("max(x, x)", "max(f(a,\n  1), f(a, 1))\nmax(f(a), f(b))") == [1]
    assert lines("f(..., x, ..., x, ...)", "f(1, 2, 3, 2)\nf(1, 2, 3)") == [1]
    assert lines("[..., 2, ..., 3]", "[1, 2, 1, 3]\n[2, 3, 1]") == [1]
  end

  test "what could be tried in too many ways does not take for ever" do
    long = "[" <> Enum.join(List.duplicate("1", 20_000), ", ") <> "]"
    text = "a = #{long}\nb = #{long}\nc = [1, 1, 1, 2]"
    assert lines("[..., 1, ..., 1, ..., 1, ..., 2]", text) == [3]
    assert lines("[" <> String.duplicate("..., 1, ", 12) <> "..., 2]", text) == []

    chain = "1" <> String.duplicate(" + 1", 20_000)
    assert lines("x + _", chain) == [1]
    assert lines("x + x", chain) == [1]
  end

  test "definitions with any body, maps with more keys, literals, operators" do
    text = """
    def add(a, b), do: a + b
    defp add(a), do: %User{name: a, age: 1}
    def guarded(a) when is_list(a), do: a
    if a == nil, do: 1
    %{name: 1}
    """

    assert lines("def add(_, _)", text) == [1]
    assert lines("def guarded(_)", text) == [3]
    assert lines("%User{name: _}", text) == [2]
    assert lines("%{name: _}", text) == [2, 5]
    assert lines("_ == nil", text) == [4]
    assert lines("_ + _", text) == [1]
  end

  test "what is no pattern is an error that says how one is written" do
    assert {:error, %Error{kind: :invalid_argument, message: message}} = Pattern.compile("Repo.get!(")
    assert message =~ "Repo.get!(_, _)"
    assert {:error, %Error{kind: :invalid_argument}} = Pattern.compile("Shop.Cart(...)")
    assert {:error, %Error{kind: :invalid_argument}} = Pattern.compile("_")
    assert {:error, %Error{kind: :invalid_argument}} = Pattern.compile("x")
    assert {:error, %Error{kind: :limit}} = Pattern.compile(String.duplicate("f(_)", 1_000))
    {:ok, pattern} = Pattern.compile("f(_)")
    assert Pattern.lines(pattern, "def (") == []
  end

  test "the kind of a question is guessed" do
    for {query, kind} <- [
          {"Repo.get!(_, _)", :pattern},
          {"%User{name: _}", :pattern},
          {"Shop.Cart.add/2", :name},
          {"handle_call", :name},
          {"Cart", :name},
          {"valid?", :name},
          {"add/2", :name},
          {"def handle_\\w+", :regex},
          {"^defmodule", :regex},
          {"foo.*bar", :regex},
          {"handle_call|handle_cast", :regex},
          {"where are prices rounded", :both},
          {"prices", :both},
          {"** (MatchError) no match of right hand side value: {:error, :enoent}", :both},
          {"what does add do?", :both}
        ] do
      assert {query, Query.guess(query)} == {query, kind}
    end
  end
end
