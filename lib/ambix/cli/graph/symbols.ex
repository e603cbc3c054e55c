defmodule Ambix.CLI.Graph.Symbols do
  @moduledoc false
  # The verbs of `mix ambix.graph` that ask about one symbol, or about what a change touches.

  import Ambix.CLI.Graph, only: [answer: 3, how: 1, own: 2, place: 1, related: 2, show: 3, table: 3]

  alias Ambix.{CLI, Error, Graph}
  alias Ambix.CLI.Graph.Output

  @doc "`callers`, `callees` and `impact`, with a picture or a graph of the answer where one is asked for."
  @spec reach(:callers | :callees | :impact, String.t(), keyword) :: :ok | {:error, Error.t()}
  def reach(verb, symbol, opts) do
    walk = Keyword.drop(own(verb, opts), [:deps, :svg, :dot, :max_nodes])

    with {:ok, index, hits} <- related([relation: verb, of: symbol] ++ walk, opts),
         :ok <- drawn(index, verb, symbol, walk, opts),
         do: show(opts, hits, &hits/1)
  end

  defp drawn(index, verb, symbol, walk, opts) do
    with {:error, %Error{kind: :not_found}} <- Output.drawn(index, Graph.drawn(verb, symbol, walk), opts) do
      CLI.usage("--svg and --dot show what the project defines, and #{symbol} is not of it; leave them out")
    end
  end

  @spec references(String.t(), keyword) :: :ok | {:error, Error.t()}
  def references(symbol, opts) do
    with {:ok, _index, uses} <- related([relation: :references, of: symbol], opts) do
      row = &[place(&1), &1.symbol, how(%{&1 | how: &1.how <> " " <> &1.to})]
      show(opts, uses, &table([{"place", :left}, {"in", :left}, {"how", :left}], &1, row))
    end
  end

  @spec definition(String.t(), keyword) :: :ok | {:error, Error.t()}
  def definition(symbol, opts), do: answer(opts, &Graph.definition(&1, symbol), &symbols/1)

  @spec tests(String.t(), keyword) :: :ok | {:error, Error.t()}
  def tests(what, opts) do
    with {:ok, _index, tests} <- related([relation: :tests, of: what], opts),
         do: show(opts, tests, &symbols/1)
  end

  @spec implementations(String.t(), keyword) :: :ok | {:error, Error.t()}
  def implementations(symbol, opts) do
    with {:ok, _index, hits} <- related([relation: :implementations, of: symbol], opts),
         do: show(opts, hits, &hits/1)
  end

  @doc "What the files that changed since a commit touch."
  @spec diff(String.t(), keyword) :: :ok | {:error, Error.t()}
  def diff(ref, opts) do
    with {:ok, _index, change} <- related([relation: :impact, since: ref], opts),
         do: show(opts, change, &change(&1, ref))
  end

  defp change(change, ref) do
    listed("changed", change.changed)
    listed("deleted", change.deleted)
    listed("gone, and called still", Enum.map(change.gone, & &1.symbol))
    if change.touched != [], do: titled("touched", fn -> symbols(change.touched) end)

    for key <- [:tests, :routes, :templates],
        change[key] != [],
        do: titled("#{key}", fn -> symbols(change[key]) end)

    if change.hits != [], do: titled("depends on it", fn -> hits(change.hits) end)

    if change.touched == [] and change.gone == [],
      do: CLI.remark("no definition of the index was changed since #{ref}"),
      else: CLI.remark("#{length(change.touched)} definitions touched, #{length(change.hits)} depend on them")
  end

  defp listed(_title, []), do: :ok
  defp listed(title, paths), do: titled(title, fn -> Enum.each(paths, &CLI.say/1) end)

  defp titled(title, print) do
    CLI.say(title <> ":")
    print.()
    CLI.say("")
  end

  defp hits(hits) do
    columns = [{"symbol", :left}, {"kind", :left}, {"depth", :right}, {"place", :left}]
    # Most answers are calls without any doubt; where all are, there is nothing to add.
    columns = if Enum.all?(hits, &(how(&1) == "")), do: columns, else: columns ++ [{"how", :left}]
    row = &[&1.symbol, &1.kind, &1.depth, place(&1), how(&1)]
    table(columns, hits, fn hit -> Enum.take(row.(hit), length(columns)) end)
  end

  defp symbols(symbols) do
    row = &[&1.symbol, &1.kind, place(&1), &1[:generated_by] && "made by #{&1.generated_by}"]
    table([{"symbol", :left}, {"kind", :left}, {"place", :left}, {"", :left}], symbols, row)
  end
end
