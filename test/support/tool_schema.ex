defmodule Ambix.Test.ToolSchema do
  @moduledoc "As much of JSON Schema as the outputs of tools use, and what holds of every answer."

  import ExUnit.Assertions

  alias Ambix.Tool
  alias Ambix.Tool.Call

  @doc "Calls a tool and asserts that its answer fits its schema and the budget."
  def call(module, arguments, opts) do
    call = struct!(Call, opts)

    with {:ok, answer} <- Tool.call(module, arguments, call) do
      assert Tool.Budget.count(answer.text) <= call.budget, answer.text
      assert answer.truncated == (answer.next != nil)
      data = answer.data |> Ambix.JSON.encode!() |> Ambix.JSON.decode!()
      assert errors(data, module.tool().output, "data") == []
      {:ok, answer}
    end
  end

  defp errors(value, schema, at) do
    Enum.flat_map(schema, fn
      {"type", type} ->
        if type?(value, type), do: [], else: ["#{at} is no #{type}"]

      {"enum", values} ->
        if value in values, do: [], else: ["#{at} is #{inspect(value)}"]

      {"required", names} ->
        for name <- names, not is_map_key(value, name), do: "#{at} has no #{name}"

      {"properties", all} ->
        for {name, one} <- all,
            is_map_key(value, name),
            error <- errors(value[name], one, "#{at}.#{name}"),
            do: error

      {"items", items} ->
        for item <- value, error <- errors(item, items, "#{at}[]"), do: error
    end)
  end

  defp type?(value, "object"), do: is_map(value)
  defp type?(value, "array"), do: is_list(value)
  defp type?(value, "string"), do: is_binary(value)
  defp type?(value, "integer"), do: is_integer(value)
  defp type?(value, "boolean"), do: is_boolean(value)

  @doc "All files below a folder with their bytes."
  def tree(root) do
    for path <- Path.wildcard(root <> "/**", match_dot: true),
        File.regular?(path),
        into: %{},
        do: {path, File.read!(path)}
  end
end
