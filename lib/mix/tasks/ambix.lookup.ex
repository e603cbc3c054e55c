defmodule Mix.Tasks.Ambix.Lookup do
  @shortdoc "Finds definitions by name, also by a part of it or with typos"

  alias Ambix.{CLI, Tool}
  alias Ambix.CLI.{Args, Snippet, Style, Table, Workspace}

  @asking Ambix.Options.take(Ambix.Options.of(Ambix.Index, :lookup), [:kinds, :limit])

  @options Args.common([:root, :index, :deps, :nested_repositories, :any_root, :json, :quiet]) ++ @asking

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
    asked = [query: name, kind: :name] ++ Keyword.take(opts, [:deps | Keyword.keys(@asking)])

    with {:ok, host} <- Workspace.host_of_code(opts),
         {:ok, found} <- Tool.find(Tool.Search, asked, %Tool.Call{host: host}) do
      if opts[:json],
        do: found |> Map.delete(:kind) |> Snippet.plain() |> CLI.say_json(),
        else: print(found.results)

      if found.results == [], do: {:exit, 1}, else: :ok
    end
  end

  defp lookup(args, _opts) do
    got = if args == [], do: "", else: ", got #{Enum.join(args, " ")}"
    CLI.usage("mix ambix.lookup expects one name, such as Shop.Cart.add/2" <> got)
  end

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
