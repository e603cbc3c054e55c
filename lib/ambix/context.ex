defmodule Ambix.Context do
  @moduledoc """
  What a model was shown, and what it says that it was shown.

  Sections of `Ambix.Index.context/3` have numbers. A model that is told to cite what it relies on writes `[2]`, or a file with
  lines, `lib/shop/cart.ex:3-17`. Small models make such places up; `citations/2` tells which of them it can have read.
  """

  @typedoc """
  A citation as it is written, `text`, and what it cites, as far as that is known: the number of a section, the file, lines.
  It is `real` if there is such a section, or if some of these lines were shown.
  """
  @type citation :: %{
          text: String.t(),
          number: pos_integer | nil,
          file: Path.t() | nil,
          line_start: pos_integer | nil,
          line_end: pos_integer | nil,
          real: boolean
        }

  # A number in brackets behind a name is an index, `list[1]`; before a parenthesis it is a link. A path has a folder or an
  # extension that begins with a letter, so that `12:30` and `v1.2:3` are none, and what is part of an address is not one.
  @number ~S"(?<![\w\])])\[(\d{1,4})\](?!\()"
  @path ~S"(?<![\w\/:.\-])((?:[\w.\-]+\/)+[\w.\-]+|[\w.\-]*\.[A-Za-z]\w*):(\d{1,7})(?:-(\d{1,7}))?(?!\d)"

  @doc """
  The citations in an answer, each once, in order.

  Numbers in code are not citations; a file with lines is one also there.

      iex> sections = [%{number: 1, file: "lib/cart.ex", lines: [{3, 9}, {20, 30}]}]
      iex> for c <- Ambix.Context.citations("See [1], [2] and lib/cart.ex:12-15.", sections), do: {c.text, c.real}
      [{"[1]", true}, {"[2]", false}, {"lib/cart.ex:12-15", false}]
  """
  @spec citations(String.t(), [%{number: pos_integer, file: Path.t(), lines: [{pos_integer, pos_integer}]}]) ::
          [citation]
  def citations(answer, sections) do
    # Not by a guard: what no clause takes is shown with all arguments, and an answer holds sources.
    unless is_binary(answer) and String.valid?(answer) and is_list(sections),
      do: raise(ArgumentError, "citations are looked for in a text in UTF-8, and in a list of sections")

    code = code(answer)

    (@number <> "|" <> @path)
    |> Regex.compile!("u")
    |> Regex.scan(answer, return: :index)
    |> Enum.map(fn [{start, length} | groups] ->
      {start, binary_part(answer, start, length), Enum.map(groups, &group(answer, &1))}
    end)
    |> Enum.reject(fn {start, _, groups} -> hd(groups) != nil and Enum.any?(code, &(start in &1)) end)
    |> Enum.map(fn {_, text, groups} -> cited(text, groups, sections) end)
    |> Enum.uniq()
  end

  # What is between back quotes, as ranges of bytes.
  defp code(answer) do
    for [{start, length} | _] <- Regex.scan(~r/(`{1,3})[^`]+\1/, answer, return: :index),
        do: start..(start + length)
  end

  defp group(_answer, {-1, _}), do: nil
  defp group(_answer, {_, 0}), do: nil
  defp group(answer, {start, length}), do: binary_part(answer, start, length)

  defp cited(text, [number], sections) do
    number = String.to_integer(number)
    section = Enum.find(sections, &(&1.number == number))
    {first, last} = if section, do: bounds(section.lines), else: {nil, nil}

    %{
      text: text,
      number: number,
      file: section && section.file,
      line_start: first,
      line_end: last,
      real: section != nil
    }
  end

  defp cited(text, [nil, file, first | last], sections) do
    first = String.to_integer(first)
    last = if last == [], do: first, else: String.to_integer(hd(last))
    section = Enum.find(sections, &(&1.file == file))
    shown? = section != nil and Enum.any?(section.lines, fn {from, to} -> from <= last and first <= to end)

    %{
      text: text,
      number: section && section.number,
      file: file,
      line_start: first,
      line_end: last,
      real: shown? and first <= last
    }
  end

  defp bounds([]), do: {nil, nil}
  defp bounds(lines), do: {lines |> hd() |> elem(0), lines |> List.last() |> elem(1)}
end
