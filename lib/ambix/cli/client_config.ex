defmodule Ambix.CLI.ClientConfig do
  @moduledoc false
  # The configuration with which a coding agent or editor starts `mix ambix.mcp`. What is in its file is kept byte by byte: the entry is
  # put into the text, behind the brace that opens its parent. Where the text is not understood, nothing is changed.

  alias Ambix.{Error, JSON}

  # What is compiled is run as it is, which takes a third of the time that Mix takes to start. Where it is not in its usual place, or
  # Elixir is not, Mix starts it; what Mix says of compiling would stand on standard output, between the messages of the protocol.
  # Clients replace what stands in braces behind a dollar, so there are none.
  @script """
  b=$PWD/_build/dev/lib/ambix/ebin; l=$(dirname "$(dirname "$(readlink -f "$(command -v elixir)")")")/lib; \
  [ -d "$b" ] && [ -d "$l/elixir/ebin" ] && exec erl -noshell -pa "$l"/*/ebin "$b" -s Elixir.Ambix.CLI.Start -extra mcp; \
  exec mix ambix.mcp\
  """
  @entry %{"command" => "sh", "args" => ["-c", @script], "env" => %{"MIX_QUIET" => "1"}}

  # The file in the project, the keys that lead to the servers, and the entry.
  @clients %{
    "claude" => {".mcp.json", "mcpServers", Map.put(@entry, "type", "stdio")},
    "cursor" => {".cursor/mcp.json", "mcpServers", @entry},
    "vscode" => {".vscode/mcp.json", "servers", Map.put(@entry, "type", "stdio")},
    "zed" => {".zed/settings.json", "context_servers", @entry},
    "codex" =>
      {".codex/config.toml", :toml,
       ~s|[mcp_servers.ambix]\ncommand = "sh"\nargs = ["-c", '#{@script}']\nenv = { MIX_QUIET = "1" }\n|}
  }

  @doc "The clients that are known."
  @spec clients() :: [String.t()]
  def clients, do: @clients |> Map.keys() |> Enum.sort()

  @doc "How the server is started: the command, its arguments and its environment."
  @spec entry() :: %{String.t() => term}
  def entry, do: @entry

  @doc "The file of a client, relative to the project, and what is to stand in it."
  @spec snippet(String.t()) :: {Path.t(), String.t()}
  def snippet(client) do
    case Map.fetch!(@clients, client) do
      {file, :toml, text} -> {file, text}
      {file, key, entry} -> {file, whole(key, entry)}
    end
  end

  @doc "The text of the client's file with the entry, given what is in it; `:same` where it is there already."
  @spec merge(String.t(), String.t() | nil) :: {:ok, String.t()} | :same | {:error, Error.t()}
  def merge(client, text) do
    case Map.fetch!(@clients, client) do
      {_, :toml, entry} -> toml(text || "", entry)
      {_, key, entry} -> if(blank?(text), do: {:ok, whole(key, entry)}, else: json(text, key, entry))
    end
  end

  defp blank?(text), do: text == nil or String.trim(text) == ""

  defp whole(key, entry), do: "{\n  #{JSON.encode!(key)}: {\n    \"ambix\": #{JSON.encode!(entry)}\n  }\n}\n"

  # A table may be added at the end of any file of TOML. One of this name in another notation is for a person to look at.
  defp toml(text, entry) do
    cond do
      String.contains?(text, entry) -> :same
      text =~ ~r/mcp_servers["']?\s*(?:=|\.\s*["']?ambix\b)/ or text =~ ~r/"""|'''/ -> refuse()
      text =~ ~r/^\s*["']?ambix["']?\s*[=.]/m -> refuse()
      true -> {:ok, String.replace_suffix(text, "\n", "") |> separated() |> Kernel.<>(entry)}
    end
  end

  defp separated(""), do: ""
  defp separated(text), do: text <> "\n\n"

  defp json(text, key, entry) do
    plain = without_comments(text)

    case JSON.decode(plain) do
      {:ok, %{^key => %{"ambix" => ^entry}}} ->
        :same

      {:ok, %{^key => %{"ambix" => _}}} ->
        refuse()

      {:ok, %{^key => servers}} when is_map(servers) ->
        put(text, plain, key, servers, entry)

      {:ok, %{^key => _}} ->
        refuse()

      {:ok, all} when is_map(all) ->
        insert(
          text,
          plain,
          0,
          all,
          "#{JSON.encode!(key)}: {\n    \"ambix\": #{JSON.encode!(entry)}\n  }",
          "  "
        )

      _ ->
        refuse()
    end
    |> checked(key, entry)
  end

  # The key must be found in the text once, for else it may be another one of the same name.
  defp put(text, plain, key, servers, entry) do
    case Regex.scan(~r/#{Regex.escape(JSON.encode!(key))}\s*:\s*\{/, plain, return: :index) do
      [[{at, size}]] ->
        insert(text, plain, at + size - 1, servers, "\"ambix\": #{JSON.encode!(entry)}", "    ")

      _ ->
        refuse()
    end
  end

  # Behind the first brace from `from` on: what was there first follows.
  defp insert(text, plain, from, siblings, pair, indent) do
    {at, 1} = :binary.match(plain, "{", scope: {from, byte_size(plain) - from})
    {before, "{" <> rest} = :erlang.split_binary(text, at)
    comma = if siblings == %{}, do: "", else: ","

    ending =
      if siblings == %{} and not String.starts_with?(String.trim_leading(rest, " "), "\n"),
        do: "\n" <> String.slice(indent, 2, 9),
        else: ""

    {:ok, before <> "{\n" <> indent <> pair <> comma <> ending <> rest}
  end

  # What comes out must be what was there, and the entry.
  defp checked({:ok, text}, key, entry) do
    case text |> without_comments() |> JSON.decode() do
      {:ok, %{^key => %{"ambix" => ^entry}}} -> {:ok, text}
      _ -> refuse()
    end
  end

  defp checked(other, _key, _entry), do: other

  defp refuse do
    {:error,
     Error.new(
       :invalid_argument,
       "what is in the file is not understood, or names ambix in another way: put the entry in by hand"
     )}
  end

  # Comments, and commas before a closing brace, as blanks: every byte keeps its place.
  defp without_comments(text) do
    ~r/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*.*?\*\/|,(?=(?:\s|\/\/[^\n]*|\/\*.*?\*\/)*[}\]])/s
    |> Regex.replace(text, fn
      "\"" <> _ = string -> string
      other -> String.replace(other, ~r/[^\n]/, fn char -> String.duplicate(" ", byte_size(char)) end)
    end)
  end
end
