defmodule Aludel.CLI.Files do
  @moduledoc false
  # The files that commands read and write: JSON lines, and output that is there as a whole or not at all.

  alias Aludel.{Error, JSON}

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
    temporary = temporary(path)

    try do
      File.open!(temporary, [:write, :raw, :delayed_write], fn file ->
        Enum.each(terms, &(:ok = :file.write(file, [JSON.encode!(&1), "\n"])))
      end)

      File.rename!(temporary, path)
    rescue
      error in [File.Error, File.RenameError, Error] -> {:error, as_error(error)}
      MatchError -> {:error, Error.new(:io, "cannot write #{path}: the disk may be full")}
    after
      File.rm(temporary)
    end
  end

  @doc "The file that is written first, and then takes the place of `path`."
  @spec temporary(Path.t()) :: Path.t()
  def temporary(path), do: "#{path}.#{System.pid()}.tmp"

  defp read(path) do
    case File.read(path) do
      {:ok, text} -> {:ok, text}
      {:error, :enoent} -> {:error, Error.new(:not_found, "there is no file #{path}")}
      {:error, reason} -> {:error, Error.new(:io, "cannot read #{path}: #{:file.format_error(reason)}")}
    end
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

  defp as_error(%Error{} = error), do: error
  defp as_error(error), do: Error.new(:io, Exception.message(error))
end
