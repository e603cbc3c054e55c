defmodule Mix.Tasks.Ambix.Doctor do
  @shortdoc "Says what is missing on this machine, and the command that mends it"

  alias Ambix.{CLI, Doctor}
  alias Ambix.CLI.{Args, Style, Table}

  @options Args.common([:json])

  @moduledoc """
  Looks at what Ambix works with: versions, the native library, the sandbox, tools and models.

      mix ambix.doctor

  The exit code is 1 if something is missing that the main commands need.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &doctor/2)

  defp doctor([], opts) do
    checks = Doctor.checks(Doctor.machine())
    healthy = Doctor.healthy?(checks)

    if opts[:json] and Enum.find(checks, &(&1.name == "native library")).ok,
      do: CLI.say_json(%{healthy: healthy, checks: checks}),
      else: checks |> lines() |> Enum.each(&CLI.say/1)

    if healthy, do: :ok, else: {:exit, 1}
  end

  defp doctor(args, _opts), do: CLI.usage("mix ambix.doctor takes no argument, got #{Enum.join(args, " ")}")

  defp lines(checks) do
    rows = for check <- checks, do: [sign(check), check.name, check.found, check.use]
    width = if Style.terminal?(:stdio), do: Style.columns(:stdio)
    table = Table.render([{"", :left}, {"what", :left}, {"found", :left}, {"for", :left}], rows, width: width)
    mends = for check <- checks, check.mend, do: IO.iodata_to_binary(["  ", check.name, ": ", check.mend])
    if mends == [], do: table, else: table ++ ["", "To mend:" | mends]
  end

  defp sign(%{ok: true}), do: paint("ok", :green)
  defp sign(%{needed: true}), do: paint("missing", :red)
  defp sign(_), do: paint("optional", :yellow)

  defp paint(text, colour), do: text |> Style.paint(colour) |> IO.iodata_to_binary()
end
