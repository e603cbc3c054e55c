defmodule Demo.Screen do
  @moduledoc false
  # What the demo prints.

  alias Ambix.CLI.{Progress, Style, Table}

  def title(text), do: IO.puts(Style.paint(text, :bright))
  def heading(text), do: IO.puts(["\n", Style.paint(text, [:bright, :blue])])
  def say(text), do: IO.puts(["  ", text])

  def table(pairs), do: pairs |> Table.pairs() |> Enum.each(&say/1)

  @doc "Places in files, one a line."
  def places(places) do
    rows = for place <- places, do: ["#{place.file}:#{place.line_start}", place[:symbol], place[:score]]
    columns = [{"", :left}, {"", :left}, {"", :right}]
    columns |> Table.render(rows, width: Style.columns(:stdio) - 2) |> Enum.each(&say/1)
  end

  @doc "Writes an answer of a model as it comes, and then how fast it came."
  def stream(answer) do
    IO.write("  ")

    Enum.each(answer, fn
      {:text, text} -> text |> String.replace("\n", "\n  ") |> IO.write()
      {:done, stats} -> IO.puts(["\n  ", Style.paint(speed(stats), :faint)])
    end)
  end

  defp speed(%{tokens: tokens, generate_seconds: seconds}) when seconds > 0 do
    "#{tokens} tokens, #{Float.round(tokens / seconds, 1)} a second"
  end

  defp speed(%{tokens: tokens}), do: "#{tokens} tokens"

  @doc "Calls `fun` with a function that shows progress."
  def progress(fun), do: Progress.run([], fun)

  @doc "Calls `fun` with a function that shows the events of the fixer, then shows its result."
  defdelegate watch(fun), to: Ambix.CLI.FixReport

  @doc """
  Calls `fun`, which returns `:ok` if all is well. An error that it returns or raises is shown and not passed on, so that
  the demo can go on with what comes next; it runs in a process of its own, since what it started may take that down.
  """
  def guard(fun) do
    {pid, monitor} = spawn_monitor(fn -> exit({:returned, safely(fun)}) end)

    receive do
      {:DOWN, ^monitor, :process, ^pid, {:returned, {:error, error}}} -> failed(Exception.message(error))
      {:DOWN, ^monitor, :process, ^pid, {:returned, other}} -> other
      {:DOWN, ^monitor, :process, ^pid, reason} -> failed(Exception.format_exit(reason))
    end
  end

  defp safely(fun) do
    fun.()
  rescue
    error -> {:error, error}
  end

  defp failed(message) do
    sentence = message |> String.replace(~r/\s+/, " ") |> String.slice(0, 300)
    say(Style.paint("failed: #{sentence}", :red))
    :failed
  end

  # A line for what is being tried is drawn only in a terminal.
end
