defmodule Ambix.Files do
  @moduledoc false
  # The one door through which the library opens files that others have made. `File.read/1` of a named pipe keeps a scheduler for
  # ever, and of a device takes all memory; native code opens regular files only, never waits, and reads up to a ceiling.

  alias Ambix.{Error, Native}

  # Sources, locks, projects: what is larger was not written by a person.
  @max_bytes 16 * 1024 * 1024

  @doc "The bytes of a regular file of at most `max_bytes`."
  @spec read(Path.t(), pos_integer) :: {:ok, binary} | {:error, Error.t()}
  def read(path, max_bytes \\ @max_bytes), do: Native.file_read(IO.chardata_to_string(path), max_bytes)

  @doc "A path that a caller gave, made absolute. The error tells nothing of what is none: it may be anything, a source too."
  @spec expand(term, String.t()) :: {:ok, Path.t()} | {:error, Error.t()}
  def expand(path, what) do
    {:ok, path |> IO.chardata_to_string() |> Path.expand()}
  rescue
    _ -> {:error, Error.new(:invalid_argument, "the #{what} is no path")}
  end

  @doc """
  A path as text that can be shown: bytes that are not UTF-8, and characters that nobody sees or that rule a terminal, are escapes. The
  index names its files so.
  """
  @spec name(binary) :: String.t()
  def name(path) do
    {:ok, name} = Native.file_name(path)
    name
  end

  @doc "The path of the file below `root` that has this name in an index."
  @spec path(Path.t(), String.t()) :: Path.t()
  def path(root, name) do
    {:ok, path} = Native.file_path(root, name)
    path
  end

  @doc "A text for a terminal: what would rule it, or is not seen, as escapes as in `name/1`; line feeds and tabs stay."
  @spec visible(String.t()) :: String.t()
  def visible(text) do
    text = if String.valid?(text), do: text, else: :unicode.characters_to_binary(text, :latin1)

    Regex.replace(ruling(), text, fn <<c::utf8>> ->
      "\\u{#{c |> Integer.to_string(16) |> String.downcase()}}"
    end)
  end

  @doc """
  A text for a model, which a client may print as it is: what would rule a terminal, or is not seen, is a question mark, so that
  the text gets no longer. Ends of lines and tabs stay.
  """
  @spec plain(String.t()) :: String.t()
  def plain(text), do: Regex.replace(ruling(), text, fn char -> if char == "\r", do: char, else: "?" end)

  # Regular expressions cannot be kept in attributes from OTP 28 on.
  defp ruling,
    do:
      ~r/(?![\n\t])[\p{Cc}\x{61C}\x{180E}\x{200B}\x{200E}\x{200F}\x{2028}-\x{202E}\x{2060}-\x{206F}\x{FEFF}\x{FFF9}-\x{FFFB}\x{E0000}-\x{E007F}]/u
end
