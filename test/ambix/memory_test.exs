defmodule Ambix.MemoryTest do
  # Alone, for what other tests load would be counted.
  use ExUnit.Case, async: false

  alias Ambix.Index

  # The large version of this: `mix run scripts/flat_memory.exs`. Builds give way to other work of the machine.
  @tag :tmp_dir
  @tag timeout: 300_000
  test "memory stays flat over queries and rebuilds", %{tmp_dir: dir} do
    cart =
      "defmodule Cart do\n  def add(cart, item), do: [item | cart]\n  def total(cart), do: Enum.sum(cart)\nend\n"

    File.write!(Path.join(dir, "cart.ex"), cart)
    {:ok, index} = Index.build(dir)
    queries = for n <- 1..3000, do: "cart total #{n} Cart.add/2 adds up with tax"
    work = fn -> Enum.each(queries, &({:ok, _} = Index.search(index, &1))) end
    rebuild = fn -> for _ <- 1..50, do: {:ok, _} = Index.build(dir) end
    for _ <- 1..2, do: Task.await(Task.async(fn -> work.() && rebuild.() end), 120_000)
    before = resident()
    for _ <- 1..2, do: Task.await(Task.async(fn -> work.() && rebuild.() end), 120_000)
    # A leak of four kilobytes a query would be more than this.
    assert resident() - before < 24 * 1024 * 1024
  end

  defp resident do
    with {:ok, status} <- File.read("/proc/self/status"),
         [_, kib] <- Regex.run(~r/VmRSS:\s+(\d+)/, status),
         do: String.to_integer(kib) * 1024,
         else: (_ -> 0)
  end
end
