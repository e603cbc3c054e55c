defmodule Ambix.Tool.BudgetTest do
  use ExUnit.Case, async: true

  alias Ambix.{Model, Models}
  alias Ambix.Test.Needs
  alias Ambix.Tool.Budget

  doctest Budget

  @model "SmolLM2-135M-Instruct"
  @texts ~w(lib/ambix/index.ex lib/ambix/graph.ex lib/ambix/tool/read.ex README.md CHANGELOG.md ARCHITECTURE.md
            test/ambix/index_test.exs examples/shop/mix.exs crates/core/src/lib.rs mix.exs)

  @tag skip: Needs.model(@model)
  test "the estimate is at most a few percent below what a tokenizer counts" do
    {:ok, path} = Models.path(@model)
    {:ok, model} = Model.load(path)

    ratios =
      for path <- @texts do
        text = File.read!(path)
        {:ok, tokens} = Model.count_tokens(model, text)
        assert Budget.count(text) >= 0.94 * tokens, path
        Budget.count(text) / tokens
      end

    assert Enum.sum(ratios) / length(ratios) < 1.15

    # JSON, as the data of an answer is read.
    json =
      Ambix.JSON.encode!(for line <- String.split(File.read!("lib/ambix/tool.ex"), "\n"), do: %{text: line})

    {:ok, tokens} = Model.count_tokens(model, json)
    assert Budget.count(json) >= 0.97 * tokens
  end

  test "a text that is cut is a beginning within the tokens, of whole characters" do
    for text <- [
          File.read!("lib/ambix/tool.ex"),
          String.duplicate("ä€😀", 200),
          String.duplicate("x", 5_000),
          ""
        ],
        tokens <- [-1, 0, 1, 2, 7, 50, 400, 100_000] do
      cut = Budget.cut(text, tokens)
      assert String.valid?(cut)
      assert String.starts_with?(text, cut)
      assert Budget.count(cut) <= max(tokens, 0)
      if tokens >= Budget.count(text), do: assert(cut == text)
    end
  end

  test "what is put together is never more than its parts, but for a token where they meet" do
    text = File.read!("lib/ambix/graph.ex")

    for at <- 100..20_000//397 do
      {left, right} = {binary_part(text, 0, at), binary_part(text, at, byte_size(text) - at)}
      assert Budget.count(text) <= Budget.count(left) + Budget.count(right) + 1
    end
  end
end
