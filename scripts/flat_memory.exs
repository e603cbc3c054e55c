# Whether memory stays flat over many queries and rebuilds, through the library as a host uses it.
#
#     mix run scripts/flat_memory.exs ROOT [QUERIES] [REBUILDS]
#
# Prints the resident memory of the VM after each tenth of the queries (100 000 by default), then after each tenth of the rebuilds
# (1000 by default).

[root | counts] = System.argv()
[queries, rebuilds] = counts |> Enum.map(&String.to_integer/1) |> Kernel.++([100_000, 1000]) |> Enum.take(2)

resident = fn ->
  [_, kib] = Regex.run(~r/VmRSS:\s+(\d+)/, File.read!("/proc/self/status"))
  Float.round(String.to_integer(kib) / 1024, 1)
end

tenths = fn name, count, work ->
  work.(0)
  IO.puts("#{name}: #{resident.()} MiB at the beginning")

  for tenth <- 1..10 do
    # In a process of its own, so that its garbage is gone afterwards.
    fn -> for n <- 1..max(div(count, 10), 1), do: work.(tenth * count + n) end
    |> Task.async()
    |> Task.await(:infinity)

    IO.puts("#{name}: #{resident.()} MiB after #{div(count * tenth, 10)}")
  end
end

{:ok, index} = Ambix.Index.build(root)

words =
  ~w(parse decode error handle call start connection stream retry round total list map reduce module function)

tenths.("queries", queries, fn n ->
  :rand.seed(:exsss, n)
  query = 1..5 |> Enum.map(fn _ -> Enum.random(words) end) |> Enum.join(" ")
  {:ok, _} = Ambix.Index.search(index, "#{query} typo#{rem(n, 1000)}")
end)

tenths.("rebuilds", rebuilds, fn _ -> {:ok, _} = Ambix.Index.build(root) end)
