defmodule Mix.Tasks.Ambix.Index do
  @shortdoc "Indexes a folder of code, or brings its index up to date"

  alias Ambix.CLI
  alias Ambix.CLI.{Args, Style, Table, Workspace}

  @options Args.common([
             :root,
             :index,
             :encoder,
             :precision,
             :max_memory,
             :max_disk,
             :nested_repositories,
             :any_root,
             :json,
             :quiet
           ]) ++
             [
               diagnostics: [type: :boolean, default: false, doc: "list what could not be read"],
               export: [
                 type: :string,
                 arg: "FILE",
                 doc: "also write the index to this file for other machines, where `:import` reads it"
               ],
               import: [
                 type: :string,
                 arg: "FILE",
                 doc: "begin with an index that was exported elsewhere, and read only what differs from it"
               ]
             ]

  @moduledoc """
  Reads the code of a folder into an index that the other commands use, or brings the index up to date.

      mix ambix.index [--root DIR]

  Only files that changed are read again. What cannot be parsed is read as far as it goes and counted as a diagnostic.

  An index can be made once and used wherever the project is checked out:

      mix ambix.index --export code.ambix
      mix ambix.index --import code.ambix [--root DIR]

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &index/2)

  defp index([], opts) do
    began = System.monotonic_time(:microsecond)

    with {:ok, encoder} <- Ambix.Workspace.encoder(opts),
         {:ok, index} <- imported(opts),
         {:ok, index} <- if(index && !encoder, do: {:ok, index}, else: opened(opts, encoder)),
         :ok <- if(opts[:export], do: Ambix.Index.export(index, opts[:export]), else: :ok),
         {:ok, info} <- Ambix.Index.info(index),
         {:ok, diagnostics} <- Ambix.Index.diagnostics(index) do
      seconds = (System.monotonic_time(:microsecond) - began) / 1_000_000
      file = Ambix.Workspace.index_file(opts)
      report(Map.merge(info, %{index: file, seconds: seconds}), diagnostics, opts)
    end
  end

  defp index(args, _opts), do: CLI.usage("mix ambix.index takes no argument, got #{Enum.join(args, " ")}")

  defp imported(opts) do
    if opts[:import],
      do: Workspace.index(opts, &Ambix.Workspace.import_index(opts[:import], &1)),
      else: {:ok, nil}
  end

  defp opened(opts, encoder), do: Workspace.index(opts, &Ambix.Workspace.open_index(&1, encoder))

  defp report(info, diagnostics, opts) do
    if opts[:json] do
      listed = if opts[:diagnostics], do: %{diagnostics: diagnostics}, else: %{}
      CLI.say_json(Map.merge(info, listed))
    else
      CLI.say(
        Enum.intersperse(
          Table.pairs([
            {"files", info.files},
            {"chunks", info.chunks},
            {"definitions", info.definitions},
            {"edges", info.edges},
            {"vectors", info.vectors},
            {"diagnostics", info.diagnostics},
            {"time", Table.seconds(info.seconds)},
            {"index", info.index}
          ]),
          "\n"
        )
      )

      if opts[:diagnostics], do: Enum.each(diagnostics, &CLI.say(line(&1)))
      :ok
    end
  end

  defp line(%{file: file, line: line, message: message}) do
    place = if line, do: "#{file}:#{line}", else: file
    [Style.paint(place, :cyan), ": ", message]
  end
end
