defmodule Mix.Tasks.Ambix.Status do
  @shortdoc "Tells whether the index of a folder is up to date"

  alias Ambix.CLI
  alias Ambix.CLI.{Args, Style, Table}
  alias Ambix.{Index, Workspace}

  @options Args.common([:root, :index, :nested_repositories, :json])

  @stale 3

  @moduledoc """
  Compares the index of a folder with the files in it, and changes neither.

      mix ambix.status [--root DIR]

  The exit code is 0 if every file is as the index tells it, and #{@stale} if one is not or there is no index; errors have 1, as
  everywhere.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &status/2)

  defp status([], opts) do
    with {:ok, root} <- Workspace.folder(opts),
         reading = Keyword.take(opts, [:nested_repositories]),
         {:ok, status} <- Index.Status.saved(root, Workspace.index_file(opts), reading) do
      if opts[:json], do: CLI.say_json(status), else: print(status)
      if status.state == :fresh, do: :ok, else: {:exit, @stale}
    end
  end

  defp status(args, _opts), do: CLI.usage("mix ambix.status takes no argument, got #{Enum.join(args, " ")}")

  defp print(%{state: :missing} = status) do
    CLI.say(["there is no index of ", status.root, ", run ", Style.paint("mix ambix.index", :bright)])
  end

  defp print(status) do
    differing = status.differing || []
    if status.warning, do: CLI.remark(["Note: ", status.warning])

    CLI.say(
      Enum.intersperse(
        Table.pairs([
          {"state", status.state},
          {"differing", length(differing)},
          {"files", status.files},
          {"chunks", status.chunks},
          {"vectors", status.vectors},
          {"root", status.root},
          {"index", status.store},
          {"size", Table.bytes(status.store_bytes || 0)}
        ]),
        "\n"
      )
    )

    for path <- Enum.take(differing, 20), do: CLI.remark(["differs: ", path])
    if length(differing) > 20, do: CLI.remark("and #{length(differing) - 20} more")
    :ok
  end
end
