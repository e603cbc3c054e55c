defmodule Ambix.CLI.EditHook do
  @moduledoc false
  # What a coding agent tells a hook after it has edited a file, as Claude Code and Codex do: an object of JSON on standard input. It is
  # the agent's, and only what is understood of it counts.

  alias Ambix.{Error, JSON, Quoted}
  alias Ambix.Tool.{Change, Fit, Paths}

  # A file that was written stands in it as a whole.
  @most_bytes 8 * 1024 * 1024
  # Nobody edits more at once.
  @most_files 500
  @extensions ~w(.ex .exs .erl .hrl .xrl .yrl .eex .heex .leex)

  @doc "What stands on standard input, or nothing where that is too much."
  @spec read() :: binary
  def read do
    # Bytes, whatever encoding the terminal has.
    :io.setopts(:standard_io, encoding: :latin1)

    case IO.binread(:stdio, @most_bytes + 1) do
      bytes when is_binary(bytes) and byte_size(bytes) <= @most_bytes -> bytes
      _ -> ""
    end
  end

  @doc "The texts of the files that were edited, below `root` and of a kind that is compiled; that of one that is gone is nil."
  @spec edited(binary, Path.t()) :: %{Path.t() => String.t() | nil}
  def edited(event, root) do
    for {path, how} <- paths(event),
        {:ok, path} <- [Paths.inside(root, path)],
        Path.extname(path) in @extensions,
        {:ok, text} <- [text(root, path, how)],
        text == nil or String.valid?(text),
        into: %{},
        do: {path, text}
  end

  defp text(root, path, how) do
    with {:error, %Error{kind: :not_found}} when how == :patched <- Change.original(root, path),
         do: {:ok, nil}
  end

  @doc "The first of the texts that is no Elixir at all, in a sentence with its place. Nothing is run for it."
  @spec broken(%{Path.t() => String.t() | nil}) :: String.t() | nil
  def broken(texts) do
    Enum.find_value(texts, fn {path, text} ->
      with true <- text != nil and Path.extname(path) in [".ex", ".exs"],
           {line, message} <- Quoted.fault(text),
           do: "#{path}:#{line}: #{Fit.line(message)}",
           else: (_ -> nil)
    end)
  end

  defp paths(event) do
    case JSON.decode(event) do
      {:ok, %{"tool_input" => %{} = input} = event} ->
        from = if is_binary(event["cwd"]), do: event["cwd"], else: "."
        {how, paths} = named(input)

        paths
        |> Stream.reject(&String.contains?(&1 <> from, <<0>>))
        |> Stream.map(&{Path.expand(&1, from), how})
        |> Stream.uniq()
        |> Enum.take(@most_files)

      _ ->
        []
    end
  end

  # Codex edits by patches, which may delete a file or move it.
  defp named(%{"file_path" => path}) when is_binary(path), do: {:written, [path]}

  defp named(%{"command" => "*** Begin Patch" <> _ = patch}) do
    paths =
      for [_, path] <-
            Regex.scan(~r/^\*\*\* (?:Add File|Update File|Delete File|Move to): ([^\r\n]+)/m, patch),
          do: path

    {:patched, paths}
  end

  defp named(_input), do: {:written, []}
end
