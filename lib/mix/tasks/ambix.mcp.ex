defmodule Mix.Tasks.Ambix.Mcp do
  @shortdoc "Gives the tools of Ambix to coding agents, by the Model Context Protocol"

  alias Ambix.{CLI, MCP, Tool}
  alias Ambix.CLI.Args

  @options Args.common([]) ++
             [
               port: [
                 type: {:integer, 0..65_535},
                 doc:
                   "listen for HTTP on this port of the loopback interface, 0 for any, instead of standard input"
               ]
             ]

  @moduledoc """
  A server of the Model Context Protocol for the program that starts it, on standard input and output. It ends with standard input.

      mix ambix.mcp [--port PORT]

  With `--port` it serves Streamable HTTP at `http://127.0.0.1:PORT/mcp` instead, until it is interrupted.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &serve/2)

  defp serve([], opts) do
    if opts[:port], do: listen(opts[:port]), else: MCP.Stdio.run(server())
  end

  defp serve(args, _opts), do: CLI.usage("mix ambix.mcp takes no argument, got #{Enum.join(args, " ")}")

  defp listen(port) do
    with {:ok, _} <- MCP.start_link(server()),
         {:ok, listener} <- MCP.HTTP.Listener.start_link(port: port) do
      CLI.remark("listening at #{MCP.HTTP.Listener.url(listener)}")
      Process.sleep(:infinity)
    end
  end

  # The list of tools stands in one place, for all who offer them.
  defp server, do: [tools: Tool.all()]
end
