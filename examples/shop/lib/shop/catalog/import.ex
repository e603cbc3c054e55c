defmodule Shop.Catalog.Import do
  @moduledoc """
  Reads the CSV files in which suppliers send their price lists.

      sku,name,price,category,weight,tags
      MUG-01,"Mug, large",7.90,kitchen,350,gift coffee

  Fields are separated by commas and may be quoted; two quotes inside of quotes stand for one. The
  first three columns are required. Empty lines and lines that begin with `#` are skipped. A file
  is taken as a whole or not at all: when something is wrong, all the problems are reported, each
  with its line.
  """

  alias Shop.Catalog.Product
  alias Shop.Money

  @type problem :: {line :: pos_integer, message :: String.t()}

  @required ~w(sku name price)
  @columns @required ++ ~w(category weight tags)

  @doc "Reads a price list with its header line."
  @spec parse(String.t()) :: {:ok, [Product.t()]} | {:error, [problem]}
  def parse(text) do
    case numbered_lines(text) do
      [] ->
        {:error, [{1, "the file is empty"}]}

      [{header, number} | rows] ->
        with {:ok, columns} <- parse_header(header, number), do: parse_rows(rows, columns)
    end
  end

  @doc """
  Splits a line of CSV into its fields.

      iex> Shop.Catalog.Import.split_line(~s(a, b ,"c, ""d\"""))
      {:ok, ["a", "b", ~s(c, "d")]}
      iex> Shop.Catalog.Import.split_line(~s("open))
      {:error, "a quote is not closed"}
  """
  @spec split_line(String.t()) :: {:ok, [String.t()]} | {:error, String.t()}
  def split_line(line), do: field(line, "", [])

  defp field(~s(") <> rest, "", fields), do: quoted(rest, "", fields)
  defp field("," <> rest, value, fields), do: field(rest, "", [String.trim(value) | fields])
  defp field("", value, fields), do: {:ok, Enum.reverse([String.trim(value) | fields])}
  defp field(" " <> rest, "", fields), do: field(rest, "", fields)

  defp field(<<char::utf8, rest::binary>>, value, fields),
    do: field(rest, value <> <<char::utf8>>, fields)

  defp quoted(~s("") <> rest, value, fields), do: quoted(rest, value <> ~s("), fields)

  defp quoted(~s(") <> rest, value, fields),
    do: after_quote(String.trim_leading(rest), value, fields)

  defp quoted("", _value, _fields), do: {:error, "a quote is not closed"}

  defp quoted(<<char::utf8, rest::binary>>, value, fields),
    do: quoted(rest, value <> <<char::utf8>>, fields)

  defp after_quote("", value, fields), do: {:ok, Enum.reverse([value | fields])}
  defp after_quote("," <> rest, value, fields), do: field(rest, "", [value | fields])
  defp after_quote(_rest, _value, _fields), do: {:error, "text follows a closing quote"}

  defp numbered_lines(text) do
    text
    |> String.split(["\r\n", "\n"])
    |> Enum.with_index(1)
    |> Enum.reject(fn {line, _number} ->
      String.trim(line) == "" or String.starts_with?(line, "#")
    end)
  end

  defp parse_header(line, number) do
    with {:ok, fields} <- split_line(line),
         columns = Enum.map(fields, &String.downcase/1),
         {:missing, []} <- {:missing, @required -- columns},
         {:unknown, []} <- {:unknown, columns -- @columns} do
      {:ok, columns}
    else
      {:missing, names} -> {:error, [{number, "missing columns: #{Enum.join(names, ", ")}"}]}
      {:unknown, names} -> {:error, [{number, "unknown columns: #{Enum.join(names, ", ")}"}]}
      {:error, message} -> {:error, [{number, message}]}
    end
  end

  defp parse_rows(rows, columns) do
    {products, problems} =
      Enum.reduce(rows, {[], []}, fn {line, number}, {products, problems} ->
        case parse_row(line, columns) do
          {:ok, product} -> {[product | products], problems}
          {:error, message} -> {products, [{number, message} | problems]}
        end
      end)

    if problems == [], do: {:ok, Enum.reverse(products)}, else: {:error, Enum.reverse(problems)}
  end

  defp parse_row(line, columns) do
    with {:ok, fields} <- split_line(line),
         :ok <- same_length(fields, columns),
         row = columns |> Enum.zip(fields) |> Map.new(),
         {:ok, sku} <- present(row, "sku"),
         {:ok, name} <- present(row, "name"),
         {:ok, price} <- price(row["price"]),
         {:ok, weight} <- weight(row["weight"]) do
      {:ok,
       %Product{
         sku: String.upcase(sku),
         name: name,
         price: price,
         category: category(row["category"]),
         weight: weight,
         tags: String.split(row["tags"] || "")
       }}
    end
  end

  defp same_length(fields, columns) when length(fields) == length(columns), do: :ok

  defp same_length(fields, columns) do
    {:error, "expected #{length(columns)} fields, found #{length(fields)}"}
  end

  defp present(row, column) do
    case row[column] do
      "" -> {:error, "#{column} is empty"}
      value -> {:ok, value}
    end
  end

  defp price(text) do
    case Money.parse(text) do
      {:ok, %Money{cents: cents} = price} when cents > 0 -> {:ok, price}
      _other -> {:error, "not a price: #{inspect(text)}"}
    end
  end

  defp weight(empty) when empty in [nil, ""], do: {:ok, 0}

  defp weight(text) do
    case Integer.parse(text) do
      {grams, ""} when grams >= 0 -> {:ok, grams}
      _other -> {:error, "not a weight in grams: #{inspect(text)}"}
    end
  end

  defp category(empty) when empty in [nil, ""], do: "other"
  defp category(text), do: String.downcase(text)
end
