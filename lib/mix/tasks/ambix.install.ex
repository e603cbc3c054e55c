defmodule Mix.Tasks.Ambix.Install do
  @shortdoc "Tells a coding agent or an editor of the tools of Ambix"

  alias Ambix.{CLI, Error, Files, Workspace}
  alias Ambix.CLI.{Args, ClientConfig}

  @options Args.common([:root]) ++
             [
               write: [
                 type: :boolean,
                 default: false,
                 doc: "put it into the file. Else nothing is touched"
               ]
             ]

  @moduledoc """
  Prints what a client needs to start `mix ambix.mcp`, and the file of the project that it belongs into.

      mix ambix.install claude|codex|cursor|vscode|zed [--root DIR] [--write]

  With `--write` it is put into the file. All else in the file, comments too, stays as it is; where that cannot be promised,
  nothing is written, and the exit code is 1. What the server may see of dependencies by path outside of the project stands in the project's
  configuration: `config :ambix, allow_paths: ["../shared_lib"]`. Codex reads the file of a project only when it trusts the project.

  In a project that has Igniter, `mix igniter.install ambix@path:../ambix --client claude` adds the dependency, for development, and
  writes the files of the clients that are named, several with commas between them.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  # What Igniter asks of a task that it can run for a project. It may be compiled after this module, so it is called, and not used.
  @compile {:no_warn_undefined, [Igniter, Rewrite.Source]}

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &install/2)

  # Who has it may expect that it starts what an agent needs.
  defp install(["expert"], _opts) do
    CLI.usage(
      "Expert is a language server and starts no tools for agents; name the agent that you use beside it: #{known()}"
    )
  end

  defp install([client], opts) do
    if client in ClientConfig.clients(),
      do: install(client, Path.expand(opts[:root]), opts[:write]),
      else: unknown()
  end

  defp install(_args, _opts), do: unknown()

  defp install(client, _root, false) do
    {file, text} = ClientConfig.snippet(client)
    CLI.remark("for #{file}:")
    CLI.say(String.trim_trailing(text))
  end

  defp install(client, root, true) do
    {file, text} = ClientConfig.snippet(client)
    path = Path.join(root, file)

    with {:ok, root} <- Workspace.folder(root: root),
         :ok <- no_link(root, Path.split(file)),
         {:ok, before} <- read(path),
         {:ok, merged} <- ClientConfig.merge(client, before),
         :ok <- write(path, merged) do
      CLI.say("Written to #{file}.")
    else
      :same ->
        CLI.say("#{file} has it already.")

      {:error, error} ->
        CLI.say(String.trim_trailing(text))
        {:error, %{error | message: "#{file} is not written: #{error.message}"}}
    end
  end

  # What it leads to is no part of the project, and may be another one's too.
  defp no_link(root, parts) do
    parts
    |> Enum.scan(&Path.join(&2, &1))
    |> Enum.find(&match?({:ok, %{type: :symlink}}, File.lstat(Path.join(root, &1))))
    |> case do
      nil -> :ok
      link -> {:error, Error.new(:invalid_argument, "#{link} is a link: put the entry in by hand")}
    end
  end

  defp read(path) do
    case Files.read(path) do
      {:error, %Error{kind: :not_found}} -> {:ok, nil}
      other -> other
    end
  end

  defp write(path, text) do
    case File.mkdir_p(Path.dirname(path)) do
      :ok -> CLI.Files.write_text(path, text)
      {:error, reason} -> {:error, Error.new(:io, "cannot make its folder: #{:file.format_error(reason)}")}
    end
  end

  defp unknown, do: CLI.usage("mix ambix.install expects one of #{known()}")
  defp known, do: Enum.join(ClientConfig.clients(), ", ")

  ## Igniter

  @doc false
  def installer?, do: true

  @doc false
  def supports_umbrella?, do: false

  @doc false
  def info(_argv, _composing_task) do
    struct!(Igniter.Mix.Task.Info,
      group: :ambix,
      schema: [client: :csv],
      only: [:dev],
      example: "mix igniter.install ambix@path:../ambix --client claude,cursor"
    )
  end

  @doc false
  def parse_argv(argv) do
    {options, words, others} = OptionParser.parse(argv, switches: [client: :keep, yes: :boolean])
    named = options |> Keyword.get_values(:client) |> Enum.flat_map(&String.split(&1, ",", trim: true))
    clients = Enum.uniq(named ++ Enum.filter(words, &(&1 in ClientConfig.clients())))
    options = options |> Keyword.delete(:client) |> Keyword.put(:client, clients)
    flags = argv -- words

    struct!(Igniter.Mix.Task.Args, positional: %{}, options: options ++ others, argv: argv, argv_flags: flags)
  end

  @doc false
  def igniter(igniter) do
    case igniter.args.options[:client] || [] do
      [] ->
        Igniter.add_notice(
          igniter,
          "Ambix: `mix ambix.install CLIENT --write` tells a coding agent of its tools, one of #{known()}"
        )

      clients ->
        Enum.reduce(clients, igniter, &configure/2)
    end
  end

  defp configure(client, igniter) do
    if client in ClientConfig.clients() do
      {file, text} = ClientConfig.snippet(client)
      Igniter.create_or_update_file(igniter, file, text, &merged(&1, client, file))
    else
      Igniter.add_issue(igniter, "Ambix knows no client #{inspect(client)}; give one of #{known()}")
    end
  end

  defp merged(source, client, file) do
    case ClientConfig.merge(client, Rewrite.Source.get(source, :content)) do
      {:ok, text} -> Rewrite.Source.update(source, :content, text)
      :same -> source
      {:error, error} -> {:warning, "#{file} is not written: #{error.message}"}
    end
  end
end
