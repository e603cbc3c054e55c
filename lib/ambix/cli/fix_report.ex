defmodule Ambix.CLI.FixReport do
  @moduledoc false
  # The events of the fixer as text. A pure function of the events: what to write now, and the state then. What comes from the project is
  # written so that it cannot rule the terminal.

  alias Ambix.CLI.{Style, Table, Width}
  alias Ambix.Files

  # Suspected places, lines of a failure and of a tree that are shown.
  @places 5
  @message_lines 4
  @tree_lines 10

  defstruct [:live, :columns, :colour, tried: 0, drawn_at: 0, tree: nil, status?: false]

  @doc """
  Calls `fun` with a function that writes each event of a run to standard output as it comes, then writes the result that
  it returns, `{:ok, result}`; an error is passed on.
  """
  @spec watch(((term -> any) -> result)) :: result when result: {:ok, map} | {:error, Ambix.Error.t()}
  def watch(fun) do
    columns = if Style.terminal?(:stdio), do: Style.columns(:stdio)
    {:ok, report} = Agent.start_link(fn -> new(columns, Style.colour?(:stdio)) end)
    show = fn event -> report |> Agent.get_and_update(&event(&1, event)) |> IO.write() end

    try do
      result = fun.(show)
      with {:ok, found} <- result, do: show.({:result, found})
      result
    after
      show.(:end)
      Agent.stop(report)
    end
  end

  @doc """
  `columns` are those of the terminal, in which the candidate that is being tried is shown, or nil where there is none.
  """
  def new(columns, colour), do: %__MODULE__{live: columns != nil, columns: columns || 110, colour: colour}

  def event(report, {:failing, tests}) do
    write(report, [title(report, count(tests)), Enum.map(tests, &test(&1, report))])
  end

  def event(report, {:localised, suspects}) do
    rows =
      for place <- Enum.take(suspects, @places),
          do: ["#{Files.visible(place.file)}:#{place.line}", place.score]

    rest = length(suspects) - length(rows)
    more = if rest > 0, do: "    … and #{rest} more\n", else: []
    table = [{"", :left}, {"", :right}] |> Table.render(rows) |> Enum.map(&["    ", &1, "\n"])
    write(report, [title(report, "suspected"), table, more])
  end

  def event(report, {:proposed, number}) do
    write(report, ["  ", paint(report, "#{Table.number(number)} candidates to begin with", :bright), "\n"])
  end

  def event(report, {:candidate, candidate}) do
    report = %{report | tried: report.tried + 1}

    if report.live do
      line = "  #{report.tried}  #{candidate.file}:#{candidate.line}  #{candidate.label}: #{candidate.note}"

      {["\r", line |> one_line() |> Files.visible() |> Width.cut(report.columns - 1), "\e[K"],
       %{report | status?: true}}
    else
      {[], report}
    end
  end

  # A tree that has not at least doubled since it was shown is only kept, to be shown at the end.
  def event(report, {:tree, tree}) do
    report = %{report | tree: tree}
    if report.tried >= max(2 * report.drawn_at, 1), do: draw(report), else: {[], report}
  end

  def event(report, {:mended, _patches}), do: draw(report)

  def event(report, {:result, result}) do
    {tree, report} = if result.status == :none, do: draw(report), else: {[], report}
    {text, report} = write(report, result(report, result))
    {[tree, text], report}
  end

  def event(report, :end), do: write(report, [])

  defp draw(%{tree: tree, tried: tried, drawn_at: tried} = report) when tree != nil and tried > 0,
    do: {[], report}

  defp draw(%{tree: nil} = report), do: {[], report}

  defp draw(report) do
    lines = String.split(report.tree, "\n", trim: true)

    shown =
      for line <- Enum.take(lines, @tree_lines),
          do: ["    ", line |> Files.visible() |> Width.cut(report.columns - 4), "\n"]

    rest = length(lines) - length(shown)
    more = if rest > 0, do: "    … #{rest} more lines\n", else: []

    write(%{report | drawn_at: report.tried}, [
      title(report, "tree, #{Table.number(report.tried)} tried"),
      shown,
      more
    ])
  end

  defp result(_report, %{status: :nothing_failing}), do: []

  defp result(report, %{status: :mended} = result) do
    [
      patches(report, result.patches),
      ["  ", paint(report, "mended", [:green, :bright]), " in ", effort(result), "\n"]
    ]
  end

  # In an umbrella some apps may be mended.
  defp result(report, %{status: :none} = result) do
    found = if result.patches == [], do: "no patch found", else: "not all is mended"

    [
      if(result.patches == [], do: [], else: patches(report, result.patches)),
      "  ",
      paint(report, found, [:red, :bright]),
      " in ",
      effort(result),
      ": ",
      result.reason |> one_line() |> Files.visible(),
      "\n"
    ]
  end

  # From the first column on, so that `git apply` takes what was printed.
  defp patches(report, patches),
    do: [title(report, "patch"), Enum.map(patches, &diff(&1.diff, report))]

  defp effort(result) do
    "#{Table.seconds(result.seconds)}, #{Table.number(result.executions)} runs of tests"
  end

  defp test(test, report) do
    message = test.message |> Files.visible() |> String.split("\n", trim: true) |> Enum.take(@message_lines)

    [
      "    #{paint(report, Files.visible(test.id), :red)}\n",
      for(line <- message, do: ["      ", Width.cut(String.trim_trailing(line), report.columns - 6), "\n"])
    ]
  end

  # A patch that goes elsewhere than to a terminal is as it is: it may be of lines that end in CRLF.
  defp diff(diff, report) do
    diff = if report.live, do: Files.visible(diff), else: diff

    for line <- diff |> String.trim_trailing("\n") |> String.split("\n"),
        do: [paint(report, line, diff_style(line)), "\n"]
  end

  defp diff_style("+++" <> _), do: :bright
  defp diff_style("---" <> _), do: :bright
  defp diff_style("+" <> _), do: :green
  defp diff_style("-" <> _), do: :red
  defp diff_style("@@" <> _), do: :cyan
  defp diff_style(_), do: []

  defp count([_]), do: "1 failing test"
  defp count(tests), do: "#{length(tests)} failing tests"

  defp title(report, text), do: ["  ", paint(report, text, :bright), "\n"]

  defp one_line(text), do: String.replace(text, ~r/\s+/, " ")

  # The line of the candidate must be gone before anything else is written.
  defp write(%{status?: true} = report, text), do: {["\r\e[K", text], %{report | status?: false}}
  defp write(report, text), do: {text, report}

  defp paint(%{colour: false}, text, _style), do: text
  defp paint(_report, text, []), do: text
  defp paint(_report, text, style), do: IO.ANSI.format_fragment([style, text, :reset], true)
end
