defmodule Ambix.Fix.CandidateTest do
  use ExUnit.Case, async: true

  alias Ambix.Fix.Candidate
  alias Ambix.Native

  doctest Candidate

  defp step(edit, file \\ "a"), do: %{file: file, edit: edit, size: 1}

  defp apply_all(text, steps) do
    Enum.reduce(steps, text, fn %{edit: edit}, text ->
      {:ok, text} = Native.edit_apply(text, [edit])
      text
    end)
  end

  test "an edit that is left out moves those after it, and only those" do
    text = "one two three four"
    # Of three edits, whichever is left out, the others change what they changed before.
    steps = [step({4, 7, "2"}), step({0, 3, "first"}), step({14, 18, "4"})]
    assert apply_all(text, steps) == "first 2 three 4"
    assert apply_all(text, Candidate.without(steps, 0)) == "first two three 4"
    assert apply_all(text, Candidate.without(steps, 1)) == "one 2 three 4"
    assert apply_all(text, Candidate.without(steps, 2)) == "first 2 three four"
  end

  @tag :tmp_dir
  test "of a patch of two changes each can be left out", %{tmp_dir: root} do
    text = "defmodule A do\n  def f(x), do: x + 1\nend\n"
    File.write!(Path.join(root, "a.ex"), text)
    {:ok, index} = Ambix.Index.build(root)
    at = fn text, part -> text |> :binary.match(part) |> then(fn {at, size} -> {at, at + size} end) end

    proposal = fn text, from, to ->
      %{
        file: "a.ex",
        edits: [{elem(at.(text, from), 0), elem(at.(text, from), 1), to}],
        size: 2,
        within: nil,
        prior: 0.5,
        kind: "integer"
      }
    end

    {:ok, parent} =
      proposal.(text, "x + 1", "x + 10") |> Candidate.new(1, nil) |> Candidate.with_sources(index)

    changed = parent.sources["a.ex"]

    {:ok, child} =
      proposal.(changed, "+ 10", "- 10") |> Candidate.new(2, parent) |> Candidate.with_sources(index)

    assert child.sources["a.ex"] =~ "x - 10"
    # The second change wrote over the first.
    assert [%{payload: 7, sources: %{"a.ex" => ^changed}, size: 2, before: before}] =
             Candidate.reductions(child, 7, index)

    assert before == %{}

    {:ok, other} =
      proposal.(changed, "def f", "def g") |> Candidate.new(3, parent) |> Candidate.with_sources(index)

    texts = for one <- Candidate.reductions(other, 7, index), do: {one.payload, one.sources["a.ex"]}
    assert texts == [{7, String.replace(text, "def f", "def g")}, {8, changed}]
    assert Candidate.reductions(parent, 7, index) == []
    assert [%{diff: diff}] = Candidate.patches(other, index)
    assert diff =~ "+  def g(x), do: x + 10"
  end

  test "an edit that was changed again cannot be left out, one of another file can" do
    steps = [step({0, 3, "first"}), step({2, 4, "RS"}), step({0, 1, "x"}, "b")]
    assert Candidate.without(steps, 0) == nil
    assert Candidate.without(steps, 1) == [Enum.at(steps, 0), Enum.at(steps, 2)]
    assert Candidate.without(steps, 2) == Enum.take(steps, 2)
  end
end
