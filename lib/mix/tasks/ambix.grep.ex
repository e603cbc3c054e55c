defmodule Mix.Tasks.Ambix.Grep do
  @shortdoc "Searches a folder of code for a regular expression or a string"

  alias Ambix.{CLI, Index, Tool}
  alias Ambix.CLI.{Args, Lines, Snippet, Style, Table, Workspace}

  @asking Keyword.delete(Ambix.Options.of(Index, :grep), :wait)

  @options Args.common([:root, :index, :deps, :nested_repositories, :any_root, :json, :quiet]) ++ @asking

  @moduledoc """
  Prints the lines that match a regular expression, or have a string in them, each with the definition that it is in.

      mix ambix.grep PATTERN [--root DIR] [--paths GLOB,GLOB] [--kinds KIND,KIND]

  The regular expressions are those of the Rust crate `regex`. Put a pattern in quotes, and `--` before one that begins with `-`.
  Lines that match have a colon after their number, and lines around them a hyphen. The exit code is 1 where nothing is found.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &grep/2)

  defp grep([pattern], opts) do
    asked = [query: pattern, kind: :regex] ++ Keyword.take(opts, [:deps | Keyword.keys(@asking)])

    with {:ok, host} <- Workspace.host_of_code(opts),
         {:ok, found} <- Tool.find(Tool.Search, asked, %Tool.Call{host: host}) do
      if opts[:json],
        do: found |> Map.delete(:kind) |> Snippet.plain() |> CLI.say_json(),
        else: print(found, opts)

      if found.lines == [] and found.counts == [], do: {:exit, 1}, else: :ok
    end
  end

  defp grep([], _opts),
    do: CLI.usage("mix ambix.grep expects a pattern, as in: mix ambix.grep 'def handle_\\w+'")

  defp grep(args, _opts),
    do:
      CLI.usage("mix ambix.grep expects one pattern, in quotes if it has spaces, got #{Enum.join(args, " ")}")

  defp print(%{lines: [], counts: []}, _opts), do: CLI.remark("nothing found")

  defp print(%{lines: [], counts: counts}, _opts) do
    rows = for it <- counts, do: [Snippet.file(it), it.lines]
    [{"file", :left}, {"lines", :right}] |> Table.render(rows) |> Enum.each(&CLI.say/1)
    CLI.remark(counted(counts |> Enum.map(& &1.lines) |> Enum.sum(), length(counts)))
  end

  defp print(found, opts) do
    found.lines |> Lines.render(&Style.paint/2) |> Enum.each(&CLI.say/1)
    files = found.lines |> Enum.uniq_by(&Snippet.file/1) |> length()

    more =
      if found.truncated,
        do: "; there are more, see --limit#{if opts[:per_file], do: " and --per-file"}",
        else: ""

    CLI.remark(counted(length(found.lines), files) <> more)
  end

  defp counted(lines, files), do: "#{some(lines, "line")} in #{some(files, "file")}"
  defp some(1, noun), do: "1 #{noun}"
  defp some(n, noun), do: "#{Table.number(n)} #{noun}s"
end
