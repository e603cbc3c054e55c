defmodule Ambix.CLI.Files do
  @moduledoc false
  # The files that commands read and write: JSON lines, and output that is there as a whole or not at all.

  alias Ambix.{Error, Files, JSON}

  @max_bytes 64 * 1024 * 1024

  @doc """
  The objects of a file of JSON lines; `keys` are those that each must have as strings. Empty lines do not count.

  The error names the line.
  """
  @spec read_lines(Path.t(), [String.t()]) :: {:ok, [map]} | {:error, Error.t()}
  def read_lines(path, keys) do
    with {:ok, text} <- read(path) do
      text
      |> String.split("\n")
      |> Enum.with_index(1)
      |> Enum.reject(fn {line, _} -> String.trim(line) == "" end)
      |> Enum.reduce_while([], fn {line, n}, rows ->
        case row(line, keys) do
          {:ok, row} -> {:cont, [row | rows]}
          {:error, why} -> {:halt, {:error, Error.new(:corrupt, "#{path}, line #{n}: #{why}")}}
        end
      end)
      |> case do
        {:error, error} -> {:error, error}
        rows -> {:ok, Enum.reverse(rows)}
      end
    end
  end

  @doc "Writes each term as a line of JSON; the file holds all of them or stays as it was."
  @spec write_lines(Path.t(), Enumerable.t()) :: :ok | {:error, Error.t()}
  def write_lines(path, terms) do
    first = if whole?(path), do: temporary(path), else: path

    result =
      write(path, first, [:delayed_write], fn append ->
        Enum.reduce_while(terms, {:ok, nil}, fn term, ok ->
          case append.(term) do
            :ok -> {:cont, ok}
            error -> {:halt, error}
          end
        end)
      end)

    if first != path, do: File.rm(first)
    with {:ok, _} <- result, do: :ok
  end

  @doc "Writes a text; the file holds all of it or stays as it was, and who may read it stays too."
  @spec write_text(Path.t(), iodata) :: :ok | {:error, Error.t()}
  def write_text(path, text) do
    first = if whole?(path), do: temporary(path), else: path

    result =
      if first == path,
        do: File.write(path, text),
        else: with(:ok <- write_new(first, text, mode(path)), do: File.rename(first, path))

    if first != path, do: File.rm(first)
    with {:error, reason} <- result, do: {:error, cannot_write(path, reason)}
  end

  # No other file that stands there, and none that it leads to; closed to others before there is anything to read.
  defp write_new(path, text, mode) do
    File.rm(path)

    with :ok <- File.write(path, "", [:exclusive]),
         :ok <- if(mode, do: File.chmod(path, 0o600), else: :ok),
         :ok <- File.write(path, text),
         do: if(mode, do: File.chmod(path, mode), else: :ok)
  end

  defp mode(path) do
    case File.stat(path) do
      {:ok, %{mode: mode}} -> Bitwise.band(mode, 0o777)
      {:error, _} -> nil
    end
  end

  @doc """
  Calls `fun` with a function that appends a term as a line of JSON to the file `PATH.part`, which takes the place of `path` when `fun`
  returns `{:ok, value}`. If it does not come to that, `path` stays as it was, and `PATH.part` holds what is known.
  """
  @spec stream_lines(Path.t(), ((term -> :ok | {:error, Error.t()}) -> result)) ::
          result | {:error, Error.t()}
        when result: {:ok, term} | {:error, Error.t()}
  def stream_lines(path, fun), do: write(path, if(whole?(path), do: path <> ".part", else: path), [], fun)

  # A device or a pipe is written to. Nothing may take its place.
  defp whole?(path), do: not File.exists?(path) or File.regular?(path)

  defp write(path, first, modes, fun) do
    with {:ok, file} <- :file.open(first, [:write, :raw, :binary | modes]) do
      result =
        try do
          fun.(fn term -> append(path, file, term) end)
        rescue
          error in Error -> {:error, error}
        end

      # Some errors of writing show when the file is closed.
      with {:ok, value} <- result,
           {:closed, :ok} <- {:closed, :file.close(file)},
           :ok <- if(first == path, do: :ok, else: File.rename(first, path)) do
        {:ok, value}
      else
        {:closed, {:error, reason}} -> {:error, cannot_write(path, reason)}
        {:error, %Error{} = error} -> with(_ <- :file.close(file), do: {:error, error})
        {:error, reason} -> {:error, cannot_write(path, reason)}
      end
    else
      {:error, reason} -> {:error, cannot_write(path, reason)}
    end
  end

  defp append(path, file, term) do
    with {:error, reason} <- :file.write(file, [JSON.encode!(term), "\n"]),
         do: {:error, cannot_write(path, reason)}
  end

  defp cannot_write(path, reason), do: Error.new(:io, "cannot write #{path}: #{:file.format_error(reason)}")

  @doc "The file that is written first, and then takes the place of `path`."
  @spec temporary(Path.t()) :: Path.t()
  def temporary(path), do: "#{path}.#{System.pid()}.tmp"

  defp read(path) do
    with {:error, %{kind: :not_found}} <- Files.read(path, @max_bytes),
         do: {:error, Error.new(:not_found, "there is no file #{path}")}
  end

  defp row(line, keys) do
    case JSON.decode(line) do
      {:ok, %{} = row} ->
        case Enum.find(keys, &(not is_binary(row[&1]))) do
          nil -> {:ok, row}
          key -> {:error, "#{inspect(key)} is missing or no string"}
        end

      {:ok, _} ->
        {:error, "expected a JSON object"}

      {:error, error} ->
        {:error, Exception.message(error)}
    end
  end
end
