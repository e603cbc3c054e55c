defmodule Ambix.MCP.Symbols do
  @moduledoc """
  What is known of the code as resources, for clients that let a person pick them: the status of the index, and any symbol by its name.

      {Ambix.MCP, tools: Ambix.Tool.all(), host: host, resources: {Ambix.MCP.Symbols, %{host: host, budget: 4000}}}

    * `ambix://status`: how it stands with the index, as JSON
    * `ambix://symbol/NAME`: what the tool `read` says of it; `NAME` is `Mod.fun/arity` or `Mod`, percent-encoded where a client wants to

  Nothing depends on them: the tools say the same.
  """

  @behaviour Ambix.MCP.Resources

  alias Ambix.{Error, JSON, Tool}

  @status "ambix://status"
  @symbol "ambix://symbol/"
  @most_bytes 1_000

  @impl true
  def list(_given) do
    [
      %{
        "uri" => @status,
        "name" => "status",
        "title" => "Status of the index",
        "description" => "Whether answers are fresh, and what is still being built",
        "mimeType" => "application/json"
      }
    ]
  end

  @impl true
  def templates(_given) do
    [
      %{
        "uriTemplate" => @symbol <> "{+name}",
        "name" => "symbol",
        "title" => "A function or a module",
        "description" => "The code of Mod.fun/arity, or the outline of Mod",
        "mimeType" => "text/plain"
      }
    ]
  end

  @impl true
  def read(@status, _call, %{host: host}),
    do: contents(@status, "application/json", host |> Tool.Host.status(%{}) |> JSON.encode!())

  def read(@symbol <> name = uri, call, given) when byte_size(name) <= @most_bytes do
    with name = decoded(name),
         true <- String.valid?(name),
         tool_call = %Tool.Call{host: given.host, budget: given.budget, progress: call.progress},
         {:ok, answer} <- Tool.call(Tool.Read, %{"targets" => [name]}, tool_call) do
      contents(uri, "text/plain", answer.text)
    else
      {:error, %Error{kind: :not_found}} -> :unknown
      {:error, error} -> contents(uri, "text/plain", error.message)
      false -> :unknown
    end
  end

  def read(_uri, _call, _given), do: :unknown

  # What is no percent-encoding is the name itself.
  defp decoded(name) do
    URI.decode(name)
  rescue
    ArgumentError -> name
  end

  defp contents(uri, type, text),
    do: {:result, %{"contents" => [%{"uri" => uri, "mimeType" => type, "text" => text}]}}
end
