defmodule Ambix.MCP.ToolModules do
  @moduledoc false
  # Modules of `Ambix.Tool` as tools of the protocol. What is given is `%{modules, host, budget}`.

  @behaviour Ambix.MCP.Tools

  alias Ambix.{Error, Files, Options, Tool}
  alias Ambix.MCP.Fault
  alias Ambix.Sandbox.Text
  alias Ambix.Tool.Fit

  @error_bytes 2_000

  @impl true
  def list(%{modules: modules}), do: Enum.map(modules, &definition(&1.tool()))

  @impl true
  def call(name, arguments, call, %{modules: modules} = given) do
    case Enum.find(modules, &(&1.tool().name == name)) do
      nil ->
        {:fault, Fault.invalid_params("there is no tool #{inspect(name, printable_limit: 60)}")}

      module ->
        if module.tool().long,
          do: {:task, &run(module, arguments, &1, given)},
          else: run(module, arguments, call, given)
    end
  end

  defp run(module, arguments, call, given) do
    tool_call = %Tool.Call{host: given.host, budget: given.budget, progress: call.progress}

    case with(:ok <- in_folder(given.host), do: Tool.call(module, arguments, tool_call)) do
      {:ok, answer} ->
        data = structured(answer, module.tool().output)
        {:result, %{"content" => [text(answer.text)], "structuredContent" => data, "isError" => false}}

      {:error, error} ->
        {:result, %{"content" => [text(said(error.message))], "isError" => true}}
    end
  end

  # It may repeat what the caller said, or what the project printed.
  defp said(message), do: message |> Text.valid() |> Files.plain() |> Fit.cut(@error_bytes)

  # The folder of the project may have been deleted, and made anew; if the VM ran in it, it runs nowhere until it is told to.
  defp in_folder(%Tool.Host{root: root}) do
    cond do
      not File.dir?(root) ->
        {:error, Error.new(:not_found, "the folder #{root} is not there any more")}

      match?({:ok, _}, File.cwd()) ->
        :ok

      true ->
        with(
          {:error, reason} <- File.cd(root),
          do: {:error, Error.new(:io, "cannot enter #{root}: #{reason}")}
        )
    end
  end

  defp in_folder(_host), do: :ok

  defp text(text), do: %{"type" => "text", "text" => text}

  # What is said of the answer stands in its data where the schema has room for it.
  defp structured(answer, schema) do
    room = for key <- [:truncated, :next], is_map_key(schema["properties"] || %{}, "#{key}"), do: key
    said = Enum.reject(room, &(is_map_key(answer.data, &1) or is_map_key(answer.data, "#{&1}")))
    Map.merge(answer.data, Map.take(answer, said))
  end

  defp definition(tool) do
    %{
      "name" => tool.name,
      "title" => tool.title,
      "description" => tool.description,
      "inputSchema" => Options.json_schema(tool.input),
      "outputSchema" => tool.output,
      "annotations" => %{
        "readOnlyHint" => tool.effect == :read,
        "destructiveHint" => tool.effect == :write,
        "openWorldHint" => false
      }
    }
  end
end
