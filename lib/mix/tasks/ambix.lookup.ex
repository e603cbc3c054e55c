defmodule Mix.Tasks.Ambix.Lookup do
  @shortdoc "Finds definitions by name, also by a part of it or with typos"

  alias Ambix.{CLI, Index, Packages}
  alias Ambix.CLI.{Args, Snippet, Style, Table, Workspace}

  @options Args.common([:root, :index, :deps, :json, :quiet]) ++
             [
               kinds: [
                 type: {:custom, Args, :names, [Index.definition_kinds()]},
                 default: [],
                 arg: "KIND,KIND",
                 doc: "Only definitions of these kinds: #{Enum.join(Index.definition_kinds(), ", ")}."
               ],
               limit: [type: :pos_integer, default: 20, arg: "N", doc: "The most definitions."]
             ]

  @moduledoc """
  Finds the definitions of a name: the whole name, the end of it or the beginning; where nothing has it, also what it abbreviates,
  and what differs by a typo.

      mix ambix.lookup NAME [--root DIR] [--kinds KIND,KIND] [--deps]

  A name is written `Shop.Cart.add/2`, `Cart.add`, `add/2`, `add`, `Cart` or `lists:map/2`; `SC.rhu` stands for `Shop.Cart.round_half_up`.
  The exit code is 1 where nothing is found.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &lookup/2)

  defp lookup([name], opts) do
    with {:ok, index} <- Workspace.open(opts),
         {:ok, packages} <- Workspace.packages(opts),
         {:ok, found} <- found(index, packages, name, Keyword.take(opts, [:kinds, :limit])) do
      if opts[:json],
        do: CLI.say_json(%{found | results: Snippet.plain(found.results)}),
        else: print(found.results)

      if found.results == [], do: {:exit, 1}, else: :ok
    end
  end

  defp lookup(args, _opts) do
    got = if args == [], do: "", else: ", got #{Enum.join(args, " ")}"
    CLI.usage("mix ambix.lookup expects one name, such as Shop.Cart.add/2" <> got)
  end

  defp found(index, nil, name, opts), do: Index.lookup(index, name, opts)
  defp found(index, packages, name, opts), do: Packages.lookup(packages, name, [index: index] ++ opts)

  defp print([]), do: CLI.remark("nothing has a name like that")

  defp print(found) do
    width = if Style.terminal?(:stdio), do: Style.columns(:stdio)
    columns = [{"symbol", :left}, {"kind", :left}, {"place", :left}, {"", :left}]
    rows = for it <- found, do: [it.symbol, it.kind, "#{Snippet.file(it)}:#{it.line}", how(it)]
    columns |> Table.render(rows, width: width) |> Enum.each(&CLI.say/1)
  end

  # What has the name is not worth a word.
  defp how(%{fit: fit}) when fit in ["exact", "tail"], do: ""
  defp how(%{fit: "case"}), do: "other capitals"
  defp how(%{fit: fit}), do: fit
end
