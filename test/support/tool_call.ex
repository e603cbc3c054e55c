defmodule Ambix.Test.ToolCall do
  @moduledoc "Calls of tools, with what holds of every answer."

  import ExUnit.Assertions

  alias Ambix.Test.JSONSchema
  alias Ambix.Tool
  alias Ambix.Tool.Call

  @doc "Calls a tool and asserts that its answer fits its schema and the budget."
  def call(module, arguments, opts) do
    call = struct!(Call, opts)

    with {:ok, answer} <- Tool.call(module, arguments, call) do
      assert Tool.Budget.count(answer.text) <= call.budget, answer.text
      assert answer.truncated == (answer.next != nil)
      data = answer.data |> Ambix.JSON.encode!() |> Ambix.JSON.decode!()
      assert JSONSchema.errors(data, module.tool().output, "data") == []
      {:ok, answer}
    end
  end

  @doc "All files below a folder with their bytes."
  def tree(root) do
    for path <- Path.wildcard(root <> "/**", match_dot: true),
        File.regular?(path),
        into: %{},
        do: {path, File.read!(path)}
  end
end
