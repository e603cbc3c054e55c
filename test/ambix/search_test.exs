defmodule Ambix.SearchTest do
  use ExUnit.Case, async: true

  alias Ambix.{Error, Search}

  doctest Ambix.Search

  test "asks, is told, and finds" do
    search = Search.new!(max_nodes: 10)
    assert {:ok, [{:expand, root, nil}]} = Search.ask(search, 4)
    assert Search.ask(search, 4) == {:ok, []}

    thoughts = for n <- 1..3, do: %{payload: n, prior: n / 10, label: "idea #{n}"}
    assert Search.children(search, root, thoughts) == :ok

    # The likeliest first, and never the same twice.
    assert {:ok, [{:evaluate, third, 3}, {:evaluate, second, 2}]} = Search.ask(search, 2)
    assert Search.verdict(search, second, %{score: 0.0, dead: true, note: "no"}) == :ok
    assert Search.verdict(search, third, %{score: 1, solved: true}) == :ok
    assert {:ok, %{state: :solved, best: ^third, evaluated: 2}} = Search.status(search)

    assert {:ok, text} = Search.trace(search)
    assert text =~ "idea 3  1.00  solved"
    assert {:ok, "flowchart TD" <> _} = Search.trace(search, :mermaid)
    assert {:ok, [%{parent: nil}, %{label: "idea 1", state: "waiting"} | _]} = Search.trace(search, :data)
  end

  test "a thought may be any term, and what comes back is equal to it" do
    search = Search.new!(max_nodes: 10)
    {:ok, [{:expand, root, nil}]} = Search.ask(search, 1)
    terms = [{:swap, 1, 2.5}, %{"file" => ["a", nil]}, self(), make_ref(), &String.length/1, 2 ** 80, "x"]
    thoughts = for {term, n} <- Enum.with_index(terms), do: %{payload: term, prior: 1 - n / 10, label: "t"}
    assert Search.children(search, root, thoughts ++ thoughts) == :ok
    assert {:ok, tasks} = Search.ask(search, 20)
    assert for({:evaluate, _, term} <- tasks, do: term) == terms
    assert {:ok, [%{payload: nil} | nodes]} = Search.trace(search, :data)
    assert nodes |> Enum.map(& &1.payload) |> Enum.uniq() == terms
  end

  test "thoughts may come in portions and be given back" do
    search = Search.new!(max_nodes: 10)
    assert {:error, %Error{kind: :invalid_argument}} = Search.more(search, 0, [])
    {:ok, [{:expand, root, nil}]} = Search.ask(search, 1)
    :ok = Search.children(search, root, [%{payload: 1, prior: 0.9, label: "one"}])
    {:ok, [{:evaluate, one, 1}]} = Search.ask(search, 2)
    :ok = Search.more(search, root, [%{payload: 2, prior: 0.1, label: "two"}])
    {:ok, [{:evaluate, two, 2}]} = Search.ask(search, 2)
    :ok = Search.untried(search, one)
    :ok = Search.verdict(search, two, %{score: 0.0, dead: true, note: "no"})
    assert {:ok, text} = Search.trace(search, :text, children: :all)
    assert text =~ "two" and text =~ "1 more"
    refute text =~ "running"
    assert {:ok, [{:evaluate, ^one, 1}]} = Search.ask(search, 2)
  end

  test "ends when the time is over" do
    search = Search.new!(max_seconds: 2)
    {:ok, [{:expand, root, nil}]} = Search.ask(search, 1)
    :ok = Search.children(search, root, [%{payload: 1, prior: 0.5, label: "late"}])
    :ok = Search.tick(search, 2)
    assert Search.ask(search, 1) == {:ok, []}
    assert {:ok, %{state: :exhausted, reason: "the time is over"}} = Search.status(search)
  end

  test "what does not fit is an error and changes nothing" do
    search = Search.new!()
    assert {:error, %Error{kind: :invalid_argument}} = Search.verdict(search, 77, %{score: 0.5})
    assert {:error, %Error{kind: :invalid_argument}} = Search.children(search, 0, [])
    assert {:ok, [{:expand, 0, nil}]} = Search.ask(search, 1)

    assert {:error, %Error{kind: :invalid_argument}} =
             Search.children(search, 0, [%{payload: 1, prior: 7.0, label: "sure"}])

    assert_raise ArgumentError, ~r/:policy/, fn -> Search.new(policy: :random) end
  end
end
