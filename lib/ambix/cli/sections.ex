defmodule Ambix.CLI.Sections do
  @moduledoc false
  # The sections of a context for a person: what each is of, and its lines with their numbers.

  alias Ambix.CLI.{Style, Table, Width}

  @doc "A section of `Ambix.Index.context/3` for a terminal of so many columns."
  @spec render(map, pos_integer) :: iodata
  def render(section, columns \\ Style.columns(:stdio)) do
    digits = section.line_end |> Integer.to_string() |> String.length()
    room = max(columns - digits - 2, 20)

    symbols =
      if section.symbols == [], do: [], else: ["  ", Style.paint(Enum.join(section.symbols, ", "), :yellow)]

    place = "[#{section.number}] #{place(section)}"

    lines =
      for {number, line} <- numbered(section) do
        shown = number |> to_string() |> String.pad_leading(digits)
        text = line |> String.replace("\t", "  ") |> Width.cut(room)
        text = if number, do: text, else: Style.paint(text, :faint)
        [[Style.paint(shown, :faint), "  ", text] |> trimmed(), "\n"]
      end

    [Style.paint(place, [:cyan, :bright]), symbols, "\n", lines]
  end

  @doc "A table of the sections: which is which, what it takes, and whether there is more of it."
  @spec table([map], pos_integer) :: [String.t()]
  def table(sections, columns) do
    rows =
      for section <- sections do
        more = if section.trimmed, do: "part", else: "whole"
        [section.number, place(section), section.tokens, more, Enum.join(section.symbols, ", ")]
      end

    titles = [{"", :right}, {"place", :left}, {"tokens", :right}, {"", :left}, {"what", :left}]
    Table.render(titles, rows, width: columns)
  end

  @doc "The lines of a section with their numbers; marks of what is left out have none."
  @spec numbered(map) :: [{pos_integer | nil, String.t()}]
  def numbered(section) do
    numbers =
      section.lines |> Enum.map(fn {first, last} -> Enum.to_list(first..last) end) |> Enum.intersperse([nil])

    Enum.zip(Enum.concat(numbers), String.split(section.text, "\n"))
  end

  # Each part that is shown, as an editor opens it.
  defp place(section) do
    lines =
      Enum.map_join(section.lines, ",", fn
        {line, line} -> "#{line}"
        {first, last} -> "#{first}-#{last}"
      end)

    "#{section.file}:#{lines}"
  end

  defp trimmed(line), do: line |> IO.iodata_to_binary() |> String.trim_trailing()
end
