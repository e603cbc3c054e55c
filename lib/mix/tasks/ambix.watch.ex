defmodule Mix.Tasks.Ambix.Watch do
  @shortdoc "Keeps the index of a folder up to date while its files change"

  alias Ambix.CLI
  alias Ambix.CLI.{Args, Table, Workspace}
  alias Ambix.Index

  @options Args.common([:root, :index, :encoder, :nested_repositories, :any_root, :json, :quiet]) ++
             [
               poll: [
                 type: :boolean,
                 default: false,
                 doc: "look for changes every two seconds even where the system would tell them"
               ]
             ]

  @moduledoc """
  Brings the index of a folder up to date, follows the folder, and prints a line for each update: how many files, and how long it
  took. What changes together, such as by a switch of branches, is one update. Ends when it is interrupted.

      mix ambix.watch [--root DIR]

  With `--json` each line is an object `{"event", …}`: `ready`, `updated` with the paths `added`, `changed` and `removed`, or
  `failed` with the `message`.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &watch/2)

  # The first time is as `mix ambix.index` does it, with its progress; the watch begins with what that saved.
  defp watch([], opts) do
    with {:ok, encoder} <- Ambix.Workspace.encoder(opts),
         {:ok, root} <- Ambix.Workspace.folder(opts),
         {:ok, _} <- Workspace.index(opts, &Ambix.Workspace.open_index(&1, encoder)) do
      watch = if opts[:poll], do: :poll, else: true

      {:ok, _} =
        Index.Tree.start_link(
          name: __MODULE__,
          root: root,
          index: opts[:index],
          encoder: encoder,
          nested_repositories: opts[:nested_repositories],
          any_root: opts[:any_root],
          watch: watch
        )

      :ok = Index.subscribe(__MODULE__)

      with {:ok, _} <- Index.fetch(__MODULE__, wait: 600_000),
           {:ok, status} <- Index.status(__MODULE__, verify: false) do
        tell(Map.put(status, :event, :ready), opts)
        loop(opts)
      end
    end
  end

  defp watch(args, _opts), do: CLI.usage("mix ambix.watch takes no argument, got #{Enum.join(args, " ")}")

  defp loop(opts) do
    receive do
      # This was told before it could be heard for sure.
      {:ambix_index, __MODULE__, %{event: :ready}} -> :ok
      {:ambix_index, __MODULE__, event} -> tell(event, opts)
    end

    loop(opts)
  end

  defp tell(event, opts), do: if(opts[:json], do: CLI.say_json(plain(event)), else: print(event))

  defp plain(%{event: :ready} = status), do: Map.take(status, [:event, :root, :files, :chunks, :watching])

  defp plain(%{event: :updated, changes: changes, ms: ms}) do
    changes |> Map.take([:added, :changed, :removed]) |> Map.merge(%{event: :updated, ms: ms})
  end

  defp plain(%{event: :failed, error: error}),
    do: %{event: :failed, kind: error.kind, message: CLI.sentence(error)}

  defp print(%{event: :ready} = status) do
    how = if status.watching == :polling, do: "looks every two seconds", else: "hears of changes"
    CLI.say("watching #{status.root}: #{counted(status.files, "file")}, #{how}")
  end

  defp print(%{event: :updated, changes: changes, ms: ms}) do
    kinds = for kind <- [:added, :changed, :removed], changes[kind] != [], do: {kind, changes[kind]}
    all = Enum.flat_map(kinds, &elem(&1, 1))
    parts = Enum.map_join(kinds, ", ", fn {kind, paths} -> "#{length(paths)} #{kind}" end)
    # One file is best told by its name.
    what = with [one] <- all, do: one, else: (_ -> counted(length(all), "file"))
    CLI.say("#{clock()}  #{what}  #{parts}  #{Table.seconds(ms / 1000)}")
  end

  defp print(%{event: :failed, error: error}), do: CLI.remark("#{clock()}  #{CLI.sentence(error)}")

  defp counted(1, noun), do: "1 #{noun}"
  defp counted(n, noun), do: "#{Table.number(n)} #{noun}s"

  defp clock, do: NaiveDateTime.local_now() |> NaiveDateTime.to_time() |> Time.to_string()
end
