defmodule Mix.Tasks.Ambix.Install do
  @shortdoc "Tells a coding agent or an editor of the tools of Ambix"

  alias Ambix.{CLI, Error, Files}
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
  nothing is written, and the exit code is 1. Codex reads the file of a project only when it trusts the project.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &install/2)

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

    with {:ok, before} <- read(path),
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

  defp unknown, do: CLI.usage("mix ambix.install expects one of #{Enum.join(ClientConfig.clients(), ", ")}")
end
