# How soon a file that changes is found by its new text, at the size of a folder.
#
#   mix run scripts/freshness.exs FOLDER [CHANGES]
#
# Follows FOLDER, into which it writes a file `ambix_freshness.ex` of its own, changes that again and again, and prints the medians and the worst of
#
#   update  what it took to take the change in, without waiting for quiet
#   cpu     of the whole process, all threads, from one change to the next: what does not depend on who else uses the machine
#   found   from the change until a search found the new text, with the debounce of the defaults
#   status  a comparison of all files with the index, and the same without it

defmodule Freshness do
  alias Ambix.Index

  def run(root, changes) do
    store = Path.join(System.tmp_dir!(), "freshness-#{System.pid()}.ambix")
    file = Path.join(root, "ambix_freshness.ex")
    File.write!(file, text(0))

    try do
      {:ok, _} =
        Index.Tree.start_link(name: Code, root: root, index: store, watch: true, save_after: 3_600_000)

      {took, {:ok, index}} = timed(fn -> Index.fetch(Code, wait: 3_600_000) end)
      {:ok, status} = Index.status(Code)

      IO.puts(
        "built in #{round(took)} ms: #{status.files} files, #{status.chunks} chunks, #{status.watching}"
      )

      # As an index that somebody has asked about the graph, which updates keep up to date too.
      {:ok, _} = Index.info(index)
      await_fresh()
      :ok = Index.subscribe(Code)
      before = cpu()
      measured = for n <- 1..changes, do: change(file, n)
      IO.puts("cpu: #{Float.round((cpu() - before) / changes, 2)} ms a change")
      report("update", Enum.map(measured, &elem(&1, 0)))
      report("found", Enum.map(measured, &elem(&1, 1)))
      report("status", for(_ <- 1..5, do: elem(timed(fn -> Index.status(Code) end), 0)))

      report(
        "status, verify: false",
        for(_ <- 1..20, do: elem(timed(fn -> Index.status(Code, verify: false) end), 0))
      )
    after
      File.rm(file)
      for path <- Path.wildcard(store <> "*"), do: File.rm(path)
    end
  end

  defp text(n), do: "defmodule AmbixFreshness do\n  def quince#{n}(x), do: x\nend\n"

  defp change(file, n) do
    {found, update} =
      timed(fn ->
        File.write!(file, text(n))

        receive do
          {:ambix_index, Code, %{event: :updated, ms: ms}} ->
            {:ok, %{freshness: :fresh, results: [%{symbol: symbol} | _]}} =
              Ambix.Index.search(Code, "AmbixFreshness.quince#{n}/1", mode: :lexical)

            ^symbol = "AmbixFreshness.quince#{n}/1"
            ms
        after
          60_000 -> raise "nothing was told"
        end
      end)

    {update, found}
  end

  # Milliseconds, of ticks of 10; without Linux always 0.
  defp cpu do
    with {:ok, text} <- File.read("/proc/self/stat") do
      [user, system] = text |> String.split(") ") |> List.last() |> String.split() |> Enum.slice(11, 2)
      10 * (String.to_integer(user) + String.to_integer(system))
    else
      _ -> 0
    end
  end

  defp await_fresh do
    unless match?({:ok, %{state: :fresh}}, Index.status(Code)), do: await_fresh()
  end

  defp timed(fun) do
    {microseconds, result} = :timer.tc(fun)
    {microseconds / 1000, result}
  end

  defp report(name, times) do
    sorted = Enum.sort(times)
    median = Enum.at(sorted, div(length(sorted), 2))

    IO.puts(
      "#{name}: median #{Float.round(median, 2)} ms, worst #{Float.round(List.last(sorted), 2)} ms of #{length(sorted)}"
    )
  end
end

[root | rest] = System.argv()
Freshness.run(Path.expand(root), rest |> List.first("20") |> String.to_integer())
