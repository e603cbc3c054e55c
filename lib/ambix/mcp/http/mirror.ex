defmodule Ambix.MCP.HTTP.Mirror do
  @moduledoc false
  # Headers that repeat parts of a modern request, for those that route it without reading it. They have to say the same as the body.

  alias Ambix.MCP.{Client, Fault, Server}

  @named %{
    "tools/call" => "name",
    "prompts/get" => "name",
    "resources/read" => "uri",
    "tasks/get" => "taskId",
    "tasks/update" => "taskId",
    "tasks/cancel" => "taskId"
  }

  @doc "Compares them. Headers are by their names in lower case."
  @spec check(%{String.t() => String.t()}, String.t(), map, Server.t()) :: :ok | {:error, Fault.t()}
  def check(headers, method, params, server) do
    with :ok <- same(headers, "mcp-protocol-version", Client.version(params), :plain),
         :ok <- same(headers, "mcp-method", method, :plain),
         :ok <- name(headers, method, params) do
      parameters(headers, method, params, server)
    end
  end

  defp name(headers, method, params) do
    case @named do
      %{^method => key} -> same(headers, "mcp-name", params[key], :encoded)
      _ -> :ok
    end
  end

  # Parameters of a tool that its schema wants to see in headers too.
  defp parameters(headers, "tools/call", %{"name" => name} = params, %{tools: {module, given}}) do
    tool = Enum.find(module.list(given), &(&1["name"] == name))

    (tool || %{})
    |> Map.get("inputSchema", %{})
    |> mirrored([])
    |> Enum.reduce_while(:ok, fn {header, path}, :ok ->
      case parameter(headers, "mcp-param-" <> String.downcase(header), value(params["arguments"], path)) do
        :ok -> {:cont, :ok}
        error -> {:halt, error}
      end
    end)
  end

  defp parameters(_headers, _method, _params, _server), do: :ok

  defp mirrored(%{"properties" => %{} = properties}, path) do
    Enum.flat_map(properties, fn {name, schema} ->
      here = if is_binary(schema["x-mcp-header"]), do: [{schema["x-mcp-header"], path ++ [name]}], else: []
      here ++ mirrored(schema, path ++ [name])
    end)
  end

  defp mirrored(_schema, _path), do: []

  defp value(arguments, path),
    do: Enum.reduce(path, arguments, fn key, map -> if is_map(map), do: map[key] end)

  defp parameter(headers, header, nil) do
    if is_map_key(headers, header),
      do: {:error, Fault.header_mismatch("the header #{header} stands for a parameter that is not there")},
      else: :ok
  end

  defp parameter(headers, header, value) when is_integer(value) do
    with {:ok, text} <- fetch(headers, header),
         {:ok, text} <- decoded(text),
         {number, ""} when number == value <- Float.parse(text) do
      :ok
    else
      _ -> mismatch(header)
    end
  end

  defp parameter(headers, header, value) when is_binary(value) or is_boolean(value),
    do: same(headers, header, to_string(value), :encoded)

  # Other types cannot be in a header; the tool says what is wrong with them.
  defp parameter(_headers, _header, _value), do: :ok

  defp same(headers, header, value, form) do
    with {:ok, text} <- fetch(headers, header),
         {:ok, ^value} <- if(form == :encoded, do: decoded(text), else: {:ok, text}) do
      :ok
    else
      _ -> mismatch(header)
    end
  end

  defp fetch(headers, header), do: Map.fetch(headers, header)

  defp decoded("=?base64?" <> rest = text) do
    if String.ends_with?(rest, "?="),
      do: rest |> binary_part(0, byte_size(rest) - 2) |> Base.decode64(),
      else: {:ok, text}
  end

  defp decoded(text), do: if(text =~ ~r/\A[\x20-\x7E\t]*\z/, do: {:ok, text}, else: :error)

  defp mismatch(header),
    do: {:error, Fault.header_mismatch("the header #{header} does not say what the body says")}
end
