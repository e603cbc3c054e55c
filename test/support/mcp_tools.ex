defmodule Ambix.Test.MCPTools do
  @moduledoc "Tools for tests of `Ambix.Tool` and of what offers them."

  alias Ambix.Tool
  alias Ambix.Tool.Answer

  def all, do: [__MODULE__.Echo, __MODULE__.Crash, __MODULE__.Wait, __MODULE__.Slow]

  defmodule Echo do
    @moduledoc false
    @behaviour Tool
    @text [text: [type: :string, required: true, doc: "What to say."]]
    @output %{
      "type" => "object",
      "properties" => %{"said" => %{"type" => "string"}, "truncated" => %{"type" => "boolean"}}
    }

    @impl true
    def tool,
      do: %Tool{name: "echo", title: "Echo", description: "Says it again.", input: @text, output: @output}

    @impl true
    def run(args, call) do
      if call.progress, do: for(done <- [1, 2], do: call.progress.(%{phase: :say, done: done, total: 2}))
      {:ok, %Answer{data: %{said: args[:text]}, text: ["said ", args[:text]]}}
    end
  end

  defmodule Crash do
    @moduledoc false
    @behaviour Tool
    @impl true
    def tool do
      %Tool{
        name: "crash",
        title: "Crash",
        description: "Ends in some way.",
        input: [
          how: [
            type: {:in, [:raise, :throw, :exit, :kill, :nonsense, :error, :loud, :linked]},
            required: true
          ]
        ],
        output: %{"type" => "object"}
      }
    end

    @impl true
    def run(args, _call), do: crash(args[:how])

    defp crash(:raise), do: raise("a secret of the project")
    defp crash(:throw), do: throw(:ball)
    defp crash(:exit), do: exit(:enough)
    defp crash(:kill), do: Process.exit(self(), :kill)
    defp crash(:nonsense), do: :nonsense
    defp crash(:error), do: {:error, Ambix.Error.new(:not_found, "there is no such thing")}
    defp crash(:loud), do: {:error, Ambix.Error.new(:not_found, <<255>> <> String.duplicate("é", 5_000))}

    defp crash(:linked) do
      spawn_link(fn -> exit(:boom) end)
      receive(do: (:never -> :ok), after: (20 -> {:ok, %Answer{data: %{}, text: "lived"}}))
    end
  end

  defmodule Wait do
    @moduledoc "Tells the host, which is a process, and waits until this says how it ends."
    @behaviour Tool
    @impl true
    def tool do
      %Tool{
        name: "wait",
        title: "Wait",
        description: "Waits.",
        input: [],
        output: %{"type" => "object"},
        effect: :run
      }
    end

    @impl true
    def run(_args, call) do
      send(call.host, {:waits, self(), call.progress})

      receive do
        {:go, text} -> {:ok, %Answer{data: %{}, text: text}}
      end
    end
  end

  defmodule Slow do
    @moduledoc "The same as a long tool."
    @behaviour Tool
    @impl true
    def tool, do: %{Wait.tool() | name: "slow", long: true, effect: :write}

    @impl true
    def run(args, call), do: Wait.run(args, call)
  end

  defmodule Noisy do
    @moduledoc "Prints and logs, and starts a program of the system that does not end."
    @behaviour Tool
    require Logger

    @impl true
    def tool do
      %Tool{name: "noisy", title: "Noisy", description: "Prints.", input: [], output: %{"type" => "object"}}
    end

    @impl true
    def run(_args, _call) do
      IO.puts("noise by IO")
      :io.format("noise by io~n")
      Logger.error("noise by the logger")
      :logger.error(~c"noise by the logger of Erlang")
      Port.open({:spawn_executable, System.find_executable("sleep")}, args: ["1000"])
      {:ok, %Answer{data: %{}, text: "was noisy"}}
    end
  end

  defmodule Sleeper do
    @moduledoc "Starts a program of the system and waits for it."
    @behaviour Tool
    @impl true
    def tool do
      %Tool{
        name: "sleeper",
        title: "Sleeper",
        description: "Sleeps.",
        input: [],
        output: %{"type" => "object"}
      }
    end

    @impl true
    def run(_args, _call) do
      port = Port.open({:spawn_executable, System.find_executable("cat")}, [:exit_status])
      receive(do: ({^port, {:exit_status, _}} -> {:ok, %Answer{data: %{}, text: "ended"}}))
    end
  end

  @doc "A server for the process of the system that calls it."
  def stdio, do: Ambix.MCP.Stdio.run(tools: [__MODULE__.Echo, __MODULE__.Noisy, __MODULE__.Sleeper])
end
