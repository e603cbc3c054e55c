defmodule Ambix.Options.JSON do
  @moduledoc false
  # Options as JSON has them: a JSON Schema of a schema, and what an object of that kind says.

  alias Ambix.Options

  @dialect "https://json-schema.org/draft/2020-12/schema"

  @doc "The JSON Schema of an object that holds options."
  @spec schema(Options.schema()) :: %{String.t() => term}
  def schema(schema) do
    said = for {key, spec} <- schema, type = type(spec[:type] || :any), do: {Atom.to_string(key), spec, type}

    %{
      "$schema" => @dialect,
      "type" => "object",
      "properties" => Map.new(said, fn {name, spec, type} -> {name, property(spec, type)} end),
      "required" => for({name, spec, _} <- said, spec[:required], do: name),
      "additionalProperties" => false
    }
  end

  @doc "The options that an object says, beside those that are the host's."
  @spec read(term, Options.schema(), keyword) :: {:ok, keyword} | {:error, String.t()}
  def read(object, schema, own) when is_map(object) do
    sayable = Enum.filter(schema, fn {_, spec} -> type(spec[:type] || :any) end)
    by_name = Map.new(sayable, fn {key, spec} -> {Atom.to_string(key), {key, spec}} end)

    # In order, so that the same object has the same error.
    object
    |> Enum.sort()
    |> Enum.reduce_while({:ok, []}, fn {name, value}, {:ok, opts} ->
      case Map.fetch(by_name, name) do
        {:ok, {key, spec}} -> {:cont, {:ok, [{key, value(spec, value)} | opts]}}
        :error -> {:halt, {:error, unknown(name, Map.keys(by_name))}}
      end
    end)
    |> case do
      {:ok, opts} -> Options.validate(own ++ opts, schema)
      error -> error
    end
  end

  def read(_other, _schema, _own), do: {:error, "expected options as a JSON object"}

  @doc "The value of an enumeration that a word, or what else JSON has, stands for."
  @spec word(term, [term]) :: {:ok, term} | :error
  def word(word, values) do
    Enum.find_value(values, :error, fn value -> if said(value) == word, do: {:ok, value} end)
  end

  defp property(spec, type) do
    type = if Keyword.has_key?(spec, :default) and spec[:default] == nil, do: or_null(type), else: type
    unit = if spec[:unit], do: " (in #{spec[:unit]})", else: ""
    doc = Options.plain_doc(spec, & &1) <> unit

    type
    |> then(&if(doc == "", do: &1, else: Map.put(&1, "description", doc)))
    |> then(&if(spec[:default] == nil, do: &1, else: Map.put(&1, "default", said(spec[:default]))))
  end

  defp or_null(%{"anyOf" => types}), do: %{"anyOf" => types ++ [%{"type" => "null"}]}
  defp or_null(%{"enum" => values}), do: %{"enum" => Enum.uniq(values ++ [nil])}
  defp or_null(%{"type" => type} = schema), do: %{schema | "type" => [type, "null"]}

  # Nil for what JSON cannot say.
  defp type(:boolean), do: %{"type" => "boolean"}
  defp type(:string), do: %{"type" => "string"}
  defp type({:in, values}), do: %{"enum" => Enum.map(values, &said/1)}

  defp type({:list, type}) do
    with %{} = items <- type(type), do: %{"type" => "array", "items" => items}
  end

  defp type({:map, type}) do
    with %{} = values <- type(type), do: %{"type" => "object", "additionalProperties" => values}
  end

  defp type({:or, types}) do
    case for(type <- types, said = type(type), do: said) do
      [] -> nil
      [type] -> type
      types -> %{"anyOf" => types}
    end
  end

  defp type(type) do
    case Options.bounds(type) do
      nil -> nil
      {least, most} -> %{"type" => number(type), "minimum" => least, "maximum" => most}
    end
  end

  defp number(type) when type in [:float, :number], do: "number"
  defp number(_type), do: "integer"

  defp said(value) when is_boolean(value) or is_nil(value), do: value
  defp said(value) when is_atom(value), do: Atom.to_string(value)
  defp said(values) when is_list(values), do: Enum.map(values, &said/1)
  defp said(value), do: value

  defp value(_spec, nil), do: nil
  defp value(spec, value), do: converted(spec[:type], value)

  # What does not fit stays as it is, and is refused by the check.
  defp converted({:in, values}, value) do
    case word(value, values) do
      {:ok, value} -> value
      :error -> value
    end
  end

  defp converted({:list, type}, values) when is_list(values), do: Enum.map(values, &converted(type, &1))

  defp converted({:map, type}, %{} = map),
    do: Map.new(map, fn {key, value} -> {key, converted(type, value)} end)

  defp converted({:or, types}, value) do
    fitting = for type <- types, type(type), {:ok, it} <- [Options.cast(type, converted(type, value))], do: it

    List.first(fitting, value)
  end

  # To JSON 3.0 is an integer.
  defp converted(type, value) when is_float(value) and type not in [:float, :number] do
    if value == trunc(value) and Options.bounds(type), do: trunc(value), else: value
  end

  defp converted(_type, value), do: value

  defp unknown(name, names) do
    "unknown option #{inspect(name, printable_limit: 60)}#{Options.did_you_mean(name, names)} (valid options: #{Enum.join(Enum.sort(names), ", ")})"
  end
end
