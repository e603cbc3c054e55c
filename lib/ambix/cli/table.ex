defmodule Ambix.CLI.Table do
  @moduledoc false
  # Tables of text: columns that align, two spaces between them, nothing at the end of a line.

  alias Ambix.CLI.Width

  @doc """
  Lines of a table. Each column is `{title, :left | :right}`; cells are strings, numbers or `nil`.

  With `width:` the lines are cut to so many columns.
  """
  @spec render([{String.t(), :left | :right}], [[term]], keyword) :: [String.t()]
  def render(columns, rows, opts \\ []) do
    rows = Enum.map(rows, fn row -> Enum.map(row, &cell/1) end)
    titles = Enum.map(columns, &elem(&1, 0))
    titled = if Enum.all?(titles, &(&1 == "")), do: rows, else: [titles | rows]

    widths =
      for {_, i} <- Enum.with_index(columns),
          do: titled |> Enum.map(&Width.of(Enum.at(&1, i))) |> Enum.max(fn -> 0 end)

    for row <- titled do
      line =
        [row, columns, widths]
        |> Enum.zip()
        |> Enum.map_intersperse("  ", fn {cell, {_, side}, width} -> Width.pad(cell, width, side) end)
        |> IO.iodata_to_binary()
        |> String.trim_trailing()

      if opts[:width], do: Width.cut(line, opts[:width]), else: line
    end
  end

  @doc "Lines of names and values, the values aligned."
  @spec pairs([{String.t(), term}]) :: [String.t()]
  def pairs(pairs), do: render([{"", :left}, {"", :left}], Enum.map(pairs, &Tuple.to_list/1))

  @doc "A number with its thousands apart."
  @spec number(integer) :: String.t()
  def number(n) when n < 0, do: "-" <> number(-n)

  def number(n) do
    n
    |> Integer.digits()
    |> Enum.reverse()
    |> Enum.chunk_every(3)
    |> Enum.map_join(" ", fn digits -> Enum.join(Enum.reverse(digits)) |> String.reverse() end)
    |> String.reverse()
  end

  @doc "A number of bytes in the unit that suits it."
  @spec bytes(non_neg_integer) :: String.t()
  def bytes(n) when n < 1024, do: "#{n} B"
  def bytes(n) when n < 1024 * 1024, do: "#{tenths(n / 1024)} KiB"
  def bytes(n) when n < 1024 * 1024 * 1024, do: "#{tenths(n / 1024 / 1024)} MiB"
  def bytes(n), do: "#{tenths(n / 1024 / 1024 / 1024)} GiB"

  @doc "A time in the unit that suits it."
  @spec seconds(number) :: String.t()
  def seconds(s) when s < 0.001, do: "#{round(s * 1_000_000)} µs"
  def seconds(s) when s < 1, do: "#{tenths(s * 1000)} ms"
  def seconds(s) when s < 120, do: "#{tenths(s)} s"
  def seconds(s), do: "#{div(round(s), 60)} min #{rem(round(s), 60)} s"

  defp tenths(x), do: :erlang.float_to_binary(x / 1, decimals: 1)

  defp cell(nil), do: ""
  defp cell(n) when is_integer(n), do: number(n)
  defp cell(x) when is_float(x), do: :erlang.float_to_binary(x, decimals: 3)
  defp cell(text) when is_binary(text), do: String.replace(text, ~r/\s+/, " ")
  defp cell(term), do: to_string(term)
end
