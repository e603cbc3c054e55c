defmodule Ambix.Test.JSONSchema do
  @moduledoc "The part of JSON Schema 2020-12 that descriptions of tools use."

  @known ~w($schema type properties required items enum additionalProperties minimum maximum default description anyOf)

  @doc "What is wrong with a decoded document, as sentences with the place; none if it is valid."
  def errors(value, schema, at \\ "$") do
    case Map.keys(schema) -- @known do
      [] -> Enum.flat_map(schema, &broken(&1, value, schema, at))
      unknown -> raise ArgumentError, "the checker does not know #{inspect(unknown)}"
    end
  end

  defp broken({"type", types}, value, _schema, at) do
    if Enum.any?(List.wrap(types), &type?(&1, value)), do: [], else: ["#{at} is no #{inspect(types)}"]
  end

  defp broken({"enum", values}, value, _schema, at),
    do: if(value in values, do: [], else: ["#{at} is none of #{inspect(values)}"])

  defp broken({"minimum", least}, value, _schema, at) when is_number(value) and value < least,
    do: ["#{at} is less than #{least}"]

  defp broken({"maximum", most}, value, _schema, at) when is_number(value) and value > most,
    do: ["#{at} is more than #{most}"]

  defp broken({"anyOf", schemas}, value, _schema, at),
    do: if(Enum.any?(schemas, &(errors(value, &1, at) == [])), do: [], else: ["#{at} fits none"])

  defp broken({"required", names}, value, _schema, at) when is_map(value),
    do: for(name <- names, not is_map_key(value, name), do: "#{at} has no #{name}")

  defp broken({"items", items}, values, _schema, at) when is_list(values) do
    for {value, nth} <- Enum.with_index(values), error <- errors(value, items, "#{at}[#{nth}]"), do: error
  end

  defp broken({"properties", properties}, value, _schema, at) when is_map(value) do
    for {name, schema} <- properties,
        is_map_key(value, name),
        error <- errors(value[name], schema, "#{at}.#{name}"),
        do: error
  end

  defp broken({"additionalProperties", false}, value, schema, at) when is_map(value),
    do:
      for(name <- Map.keys(value), not is_map_key(schema["properties"] || %{}, name), do: "#{at} has #{name}")

  defp broken(_rule, _value, _schema, _at), do: []

  defp type?("object", value), do: is_map(value)
  defp type?("array", value), do: is_list(value)
  defp type?("string", value), do: is_binary(value)
  defp type?("boolean", value), do: is_boolean(value)
  defp type?("integer", value), do: is_integer(value)
  defp type?("number", value), do: is_number(value)
  defp type?("null", value), do: is_nil(value)
end
