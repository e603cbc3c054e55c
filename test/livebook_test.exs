defmodule Ambix.LivebookTest do
  # The notebooks of `examples`, run as Livebook runs them: cell by cell, each with what the ones before it bound.
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO

  @moduletag timeout: 300_000

  for path <- Path.wildcard(Path.expand("../examples/*.livemd", __DIR__)) do
    test "every cell of #{Path.basename(path)} runs" do
      path = unquote(path)
      [first | cells] = path |> File.read!() |> cells()
      assert first =~ "Mix.install", "the first cell of a notebook installs what it needs"
      capture_io(fn -> send(self(), {:results, run(cells, path)}) end)
      assert_received {:results, results}
      check(Path.basename(path), results)
    end
  end

  # What the tour promises must have come out, not only not have raised.
  defp check("tour.livemd", results) do
    assert results[:embedded] > 0
    assert Enum.any?(results[:found].results, &(&1.file == "lib/shop/money.ex"))
    assert Enum.any?(results[:callers], &(&1.symbol =~ "Shop.Pricing."))
    assert Enum.any?(results[:touched], &(&1.file == "lib/shop/pricing.ex"))
    assert results[:svg] =~ "Shop.Money.split/2"
    assert Enum.any?(results[:paths], &(List.last(&1.symbols).symbol == "Shop.Money.allocate/2"))
    assert results[:context].tokens in 1..600
    assert results[:answer] != ""
    assert results[:result].status == :mended
    assert results[:mended] == results[:healthy]
  end

  # The binding after the last cell.
  defp run(cells, path) do
    {binding, _env} =
      Enum.reduce(cells, {[], %{Code.env_for_eval(file: path) | module: nil}}, fn cell, {binding, env} ->
        quoted = Code.string_to_quoted!(cell, file: path)
        {_value, binding, env} = Code.eval_quoted_with_env(quoted, binding, env)
        {binding, env}
      end)

    binding
  end

  defp cells(markdown) do
    for [_, cell] <- Regex.scan(~r/^```elixir\n(.*?)^```$/ms, markdown), do: cell
  end
end
