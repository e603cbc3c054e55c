defmodule Ambix.Tool.Paths do
  @moduledoc false
  # Paths as a caller writes them: below the root of a host, or patterns of them.

  alias Ambix.{Error, Files}

  @doc "The path below the root that a caller means. One that leads out of the root, or is none, is an error."
  @spec inside(Path.t(), String.t()) :: {:ok, Path.t()} | {:error, Error.t()}
  def inside(root, path) do
    with false <- String.contains?(path, <<0>>),
         whole = Path.expand(path, root),
         true <- String.starts_with?(whole, String.trim_trailing(root, "/") <> "/") do
      {:ok, Path.relative_to(whole, root)}
    else
      _ ->
        {:error,
         Error.new(:invalid_argument, "#{shown(path)} is outside of the project; give a path below its root")}
    end
  end

  @doc "A path that a caller gave, short enough for a sentence."
  @spec shown(String.t()) :: String.t()
  def shown(path), do: path |> String.slice(0, 120) |> Files.visible()

  @doc "The text of a source below the root, where no part of the path is a link. For as long as there is no index to ask."
  @spec read(Path.t(), Path.t()) :: {:ok, String.t()} | :error
  def read(root, path) do
    with false <- String.contains?(path, <<0>>),
         true <- Path.extname(path) in ~w(.ex .exs .erl .hrl .heex .eex .leex .md .livemd),
         true <- plain?(root, Path.split(path)),
         {:ok, text} <- Files.read(Path.join(root, path), 1_048_576),
         true <- String.valid?(text) do
      {:ok, text}
    else
      _ -> :error
    end
  end

  defp plain?(_folder, []), do: true
  defp plain?(_folder, [name | _]) when name in [".", "..", "/"], do: false

  defp plain?(folder, [name | rest]) do
    path = Path.join(folder, name)
    kind = if rest == [], do: :regular, else: :directory
    match?({:ok, %{type: ^kind}}, File.lstat(path)) and plain?(path, rest)
  end

  @doc """
  Whether patterns name a path: files and folders, `*` for anything but `/`, `**` for anything; those behind `!` are left out. A pattern
  without `/` is one of names.
  """
  @spec named?(Path.t(), [String.t()]) :: boolean
  def named?(path, patterns) do
    {not_in, only} = Enum.split_with(patterns, &String.starts_with?(&1, "!"))
    not_in = Enum.map(not_in, &String.trim_leading(&1, "!"))
    (only == [] or Enum.any?(only, &one?(path, &1))) and not Enum.any?(not_in, &one?(path, &1))
  end

  defp one?(path, pattern) do
    pattern = String.trim(pattern, "/")
    anywhere = if String.contains?(pattern, "/"), do: "", else: "(?:.*/)?"

    source =
      pattern
      |> String.split(~r/\*+\/?|\?/, include_captures: true)
      |> Enum.map_join(fn
        "**" <> _ -> ".*"
        "*/" -> "[^/]*/"
        "*" -> "[^/]*"
        "?" -> "[^/]"
        text -> Regex.escape(text)
      end)

    Regex.match?(Regex.compile!("\\A#{anywhere}#{source}(?:/|\\z)", "u"), path)
  end
end
