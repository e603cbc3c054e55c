defmodule Ambix.Eval.QueriesTest do
  use ExUnit.Case, async: true

  alias Ambix.Eval.Queries

  test "percentiles are of the nearest rank" do
    values = Enum.to_list(1..200)
    assert Queries.percentile(values, 50) == 100
    assert Queries.percentile(values, 99) == 198
    assert Queries.percentile([7], 99) == 7
    assert Queries.percentile([], 50) == nil
  end
end
