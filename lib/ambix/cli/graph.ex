defmodule Ambix.CLI.Graph do
  @moduledoc false
  # What the verbs of `mix ambix.graph` share: the index they ask, lists on the command line, tables.

  alias Ambix.{CLI, Error, Graph, Index}
  alias Ambix.CLI.{Style, Table, Workspace}

  @doc """
  The index that the options name. `--compiled` takes in what the compiler left behind and keeps it in the index file;
  `--no-compiled` passes over what is kept there.
  """
  @spec open(keyword) :: {:ok, Index.t()} | {:error, Error.t()}
  def open(opts) do
    with {:ok, index} <- Workspace.open(opts),
         :ok <- observe(index, opts[:compiled], opts),
         do: {:ok, index}
  end

  defp observe(_index, nil, _opts), do: :ok
  defp observe(index, false, _opts), do: with({:ok, _} <- Index.observe(index, folders: []), do: :ok)

  defp observe(index, true, opts) do
    with {:ok, observed} <- Index.observe(index) do
      CLI.remark(compiled(observed))
      for diagnostic <- observed.diagnostics, do: CLI.remark(diagnostic)
      if observed.changed, do: Index.save(index, Workspace.index_file(opts)), else: :ok
    end
  end

  defp compiled(%{modules: 0, stale: 0}), do: "no compiled modules of this folder were found; run mix compile"

  defp compiled(%{modules: modules, stale: stale}),
    do:
      "compiled modules: #{modules} taken in, #{stale} stale" <>
        if(stale > 0, do: "; run mix compile", else: "")

  @doc "Opens the index, asks, and prints the answer: as JSON, or by `print`."
  @spec answer(keyword, (Index.t() -> {:ok, term} | {:error, Error.t()}), (term -> any)) ::
          :ok | {:error, Error.t()}
  def answer(opts, ask, print) do
    with {:ok, index} <- open(opts),
         {:ok, answer} <- ask.(index) do
      show(opts, answer, print)
    end
  end

  @doc "Prints an answer: as JSON, or by `print`; where there is nothing, says so."
  @spec show(keyword, term, (term -> any)) :: :ok
  def show(opts, answer, print) do
    cond do
      opts[:json] -> CLI.say_json(answer)
      answer == [] -> CLI.remark("none found")
      true -> print.(answer)
    end

    :ok
  end

  @doc "Prints a table, cut to the width of a terminal."
  @spec table([{String.t(), :left | :right}], [term], (term -> [term])) :: :ok
  def table(columns, rows, row) do
    width = if Style.terminal?(:stdio), do: Style.columns(:stdio)
    columns |> Table.render(Enum.map(rows, row), width: width) |> Enum.each(&CLI.say/1)
  end

  @doc "Where something is."
  @spec place(map) :: String.t()
  def place(%{file: file, line: line}), do: "#{file}:#{line}"

  @doc "How two symbols are tied, and what a guess rests on. A call that leaves no doubt is not worth a word."
  @spec how(map) :: String.t()
  def how(%{how: "call", certain: true}), do: ""
  def how(%{how: how, certain: true}), do: how
  def how(%{how: how, why: why}), do: "#{how} (guess: #{why})"

  @doc "The kinds of dependencies that are named with commas between them."
  @spec kinds(term) :: {:ok, [Graph.kind()]} | {:error, String.t()}
  def kinds(text) when is_binary(text) do
    known = Map.new(Graph.kinds(), &{Atom.to_string(&1), &1})
    names = split(text)

    if names != [] and Enum.all?(names, &is_map_key(known, &1)),
      do: {:ok, Enum.map(names, &Map.fetch!(known, &1))},
      else: {:error, "kinds with commas between them, out of #{Enum.join(Graph.kinds(), ", ")}"}
  end

  def kinds(_other), do: {:error, "kinds with commas between them"}

  @doc "Symbols that are named with commas between them."
  @spec symbols(term) :: {:ok, [String.t()]} | {:error, String.t()}
  def symbols(text) do
    case is_binary(text) and split(text) do
      [_ | _] = names -> {:ok, names}
      _ -> {:error, "symbols with commas between them, such as Shop.Cart.add/2,Shop.Till"}
    end
  end

  defp split(text), do: text |> String.split(",") |> Enum.map(&String.trim/1) |> Enum.reject(&(&1 == ""))
end
