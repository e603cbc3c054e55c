defmodule Ambix.Quoted do
  @moduledoc false
  # The syntax of Elixir text that somebody else wrote. Atoms are never freed, so names stay strings: `:name`, `name:` and
  # `Name` are `"name"` and `"Name"`. Nobody is told how the text should be written.

  @most_bytes 1_048_576

  @doc "The syntax of a text, or `:error` if it is none."
  @spec parse(binary) :: {:ok, term} | :error
  def parse(text) do
    with {:error, _} <- read_text(text), do: :error
  end

  @doc "Why a text is no Elixir, with the line, or nil where it is or where that cannot be said."
  @spec fault(binary) :: {pos_integer, String.t()} | nil
  def fault(text) do
    case read_text(text) do
      {:error, {at, {before, behind}, token}} -> {at[:line], "#{before}#{token}#{behind}"}
      {:error, {at, message, token}} -> {at[:line], "#{message}#{token}"}
      _ -> nil
    end
  end

  defp read_text(text) when byte_size(text) > @most_bytes, do: {:error, :too_large}

  defp read_text(text) do
    options = [
      static_atoms_encoder: fn name, _ -> {:ok, name} end,
      emit_warnings: false,
      warn_on_unnecessary_quotes: false
    ]

    if String.valid?(text), do: Code.string_to_quoted(text, options), else: {:error, :no_text}
  rescue
    # Where it says what is wrong with a name, the parser of Elixir takes it for an atom, as in `Shop.Cart(1)`.
    error -> {:error, error}
  end

  @doc "The syntax of a regular file of bounded size."
  @spec read(Path.t()) :: {:ok, term} | :error
  def read(path) do
    case Ambix.Files.read(path, @most_bytes) do
      {:ok, text} -> parse(text)
      {:error, _} -> :error
    end
  end

  @doc "The values that are written after a key, as in `path: value`, anywhere in the syntax, in order."
  @spec values(term, String.t()) :: [term]
  def values(syntax, key) do
    gather(syntax, fn
      {^key, value} -> [value]
      _ -> []
    end)
  end

  @doc "The values that `config app, key: value` and `config app, key, value` give to a key, in order."
  @spec settings(term, String.t(), String.t()) :: [term]
  def settings(syntax, app, key) do
    gather(syntax, fn
      {"config", _, [^app, options]} when is_list(options) -> for {^key, value} <- options, do: value
      {"config", _, [^app, ^key, value]} -> [value]
      _ -> []
    end)
  end

  @doc "What is written as dependencies are, `{:name, only: :test}`, and much else: names, each with its options, in order."
  @spec dependencies(term) :: [{String.t(), list}]
  def dependencies(syntax) do
    gather(syntax, fn
      {:{}, _, [name, _requirement, options]} when is_binary(name) and is_list(options) -> [{name, options}]
      {name, options} when is_binary(name) and is_list(options) -> [{name, options}]
      {name, requirement} when is_binary(name) and is_binary(requirement) -> [{name, []}]
      _ -> []
    end)
  end

  @doc "The strings of the syntax, names among them, in order."
  @spec strings(term) :: [String.t()]
  def strings(syntax), do: gather(syntax, &if(is_binary(&1), do: [&1], else: []))

  @doc "The lists of the syntax, in order."
  @spec lists(term) :: [list]
  def lists(syntax), do: gather(syntax, &if(is_list(&1), do: [&1], else: []))

  defp gather(syntax, fun) do
    {_, found} = Macro.prewalk(syntax, [], fn node, found -> {node, Enum.reverse(fun.(node), found)} end)
    Enum.reverse(found)
  end
end
