defmodule Mix.Tasks.Ambix.Mcp do
  @shortdoc "Gives the tools of Ambix to coding agents, by the Model Context Protocol"

  alias Ambix.{CLI, MCP, Options, Tool}
  alias Ambix.CLI.Args

  @options Args.common([:root, :index, :nested_repositories, :any_root]) ++
             Options.take(Options.of(Tool.Host, :start_link), [:allow_paths]) ++
             Options.take(Options.of(MCP, :start_link),
               budget: [arg: "N", doc: "how many tokens an answer may have"]
             ) ++
             [
               port: [
                 type: {:integer, 0..65_535},
                 doc:
                   "listen for HTTP on this port of the loopback interface, 0 for any, instead of standard input"
               ]
             ]

  @hosts [:index, :nested_repositories, :any_root, :allow_paths]

  @moduledoc """
  A server of the Model Context Protocol for the program that starts it, on standard input and output. It ends with standard input.

      mix ambix.mcp [--root DIR] [--allow-paths DIR,DIR] [--port PORT]

  The index of the folder is opened or built in the background, and follows the folder. A question meanwhile is answered with what there
  is, and the answer says so.

  With `--port` it serves Streamable HTTP at `http://127.0.0.1:PORT/mcp` instead, until it is interrupted.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &serve/2)

  defp serve([], opts) do
    with {:ok, host} <- Tool.Host.open(opts[:root], Keyword.take(opts, @hosts)) do
      server = [
        tools: Tool.all(),
        instructions: Tool.instructions(),
        host: host,
        budget: opts[:budget],
        resources: {MCP.Symbols, %{host: host, budget: opts[:budget]}}
      ]

      if opts[:port], do: listen(server, opts[:port]), else: speak(server)
    end
  end

  defp serve(args, _opts), do: CLI.usage("mix ambix.mcp takes no argument, got #{Enum.join(args, " ")}")

  defp speak(server), do: with(:unread <- MCP.Stdio.run(server), do: {:halt, 1})

  defp listen(server, port) do
    with {:ok, _} <- MCP.start_link(server),
         {:ok, listener} <- MCP.HTTP.Listener.start_link(port: port) do
      CLI.remark("listening at #{MCP.HTTP.Listener.url(listener)}")
      Process.sleep(:infinity)
    end
  end
end
