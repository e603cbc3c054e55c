defmodule Ambix.Git do
  @moduledoc false
  # Git, asked about a repository that somebody else made. A repository's own configuration names programs: for filters, hooks,
  # comparing, signing, watching, transport. So nothing but the name of a commit and a few harmless settings is read by a git that
  # knows this configuration. Everything else is asked of a view: a repository of our own, made for the question, that has the
  # objects and the index of the other one, and none of its configuration. Filters that a repository names do not run in it: a file
  # that was touched and has one counts as changed.
  #
  # Git waits where it finds a named pipe, and reads a device for ever: it is given a time, memory and an amount of output.

  alias Ambix.{Error, Files}

  # These lead git to another repository, to a program of somebody else's, to a question or to the network.
  @environment [
    {"GIT_DIR", nil},
    {"GIT_WORK_TREE", nil},
    {"GIT_INDEX_FILE", nil},
    {"GIT_COMMON_DIR", nil},
    {"GIT_OBJECT_DIRECTORY", nil},
    {"GIT_ALTERNATE_OBJECT_DIRECTORIES", nil},
    {"GIT_NAMESPACE", nil},
    {"GIT_PREFIX", nil},
    {"GIT_EXTERNAL_DIFF", nil},
    {"GIT_DIFF_OPTS", nil},
    {"GIT_CONFIG", nil},
    {"GIT_CONFIG_COUNT", nil},
    {"GIT_CONFIG_PARAMETERS", nil},
    {"GIT_ALLOW_PROTOCOL", ""},
    {"GIT_ASKPASS", ""},
    {"GIT_OPTIONAL_LOCKS", "0"},
    {"GIT_TERMINAL_PROMPT", "0"},
    {"GIT_NO_LAZY_FETCH", "1"},
    {"GIT_PAGER", "cat"},
    {"LC_ALL", "C"}
  ]

  # What the user has set for all repositories matters only for whose repositories git reads (safe.directory).
  @of_nobody [
    {"GIT_CONFIG_NOSYSTEM", "1"},
    {"GIT_CONFIG_GLOBAL", "/dev/null"},
    {"GIT_CONFIG_SYSTEM", "/dev/null"},
    {"GIT_ATTR_NOSYSTEM", "1"}
  ]

  # Paths are written as they are. Warnings of line ends are of no use here, and would be printed.
  @settings ~w(-c core.quotePath=false -c core.safecrlf=false -c core.fsmonitor=false -c core.hooksPath=/dev/null
               -c core.pager=cat -c log.showSignature=false -c protocol.allow=never
               -c core.packedGitLimit=512m -c core.packedGitWindowSize=64m)

  # How the files of a working tree are to be read: words and nothing else.
  @harmless ~w(autocrlf eol filemode ignorecase symlinks precomposeunicode)

  @locate ~w(rev-parse --is-inside-work-tree --show-toplevel --absolute-git-dir --git-common-dir --show-object-format)

  # Of a name or a setting.
  @short [ms: 10_000, bytes: 65_536]

  # Of address space, in KiB: enough for the largest repositories, and an end for what reads a device.
  @memory 2_097_152

  @max_copied 1_048_576

  @typedoc "A repository that a folder is in: the folder, the top of its working tree, and where git keeps it."
  @type place :: %{
          program: Path.t(),
          root: Path.t(),
          top: Path.t(),
          own: Path.t(),
          common: Path.t(),
          format: String.t()
        }

  @typedoc "What a program said: all, the beginning of what was too long or too late, or what it complained of."
  @type said :: {:ok, binary} | {:cut, binary} | {:failed, binary}

  @doc "The program, if it is on the PATH."
  @spec program() :: Path.t() | nil
  def program, do: System.find_executable("git")

  @doc "The repository of the folder `root`, or what git says instead."
  @spec locate(Path.t(), Path.t(), keyword) :: {:ok, place} | {:failed, binary}
  def locate(program, root, limits \\ []) do
    with {:ok, said} <- ask(program, root, @locate, [], limits),
         ["true", top, own, common, format, ""] <- String.split(said, "\n"),
         # A configured top elsewhere would lead out of what the user named.
         true <- File.exists?(Path.join(top, ".git")) do
      common = Path.expand(common, root)
      {:ok, %{program: program, root: root, top: top, own: own, common: common, format: format}}
    else
      {:failed, said} -> {:failed, said}
      {:cut, _} -> {:failed, "git gave no answer in time"}
      _ -> {:failed, ""}
    end
  end

  @doc "The full name of the commit `ref`."
  @spec commit(Path.t(), Path.t(), String.t()) :: {:ok, String.t()} | :none
  def commit(program, root, ref) do
    # A name that begins with a dash would be an option.
    with false <- String.starts_with?(ref, "-") or ref =~ <<0>>,
         {:ok, said} <- ask(program, root, ["rev-parse", "--verify", "--quiet", ref <> "^{commit}"], [], []),
         [name] <- Regex.run(~r/\A[0-9a-f]{40,64}(?=\n\z)/, said) do
      {:ok, name}
    else
      _ -> :none
    end
  end

  @doc """
  Calls `fun` with a function that asks git, with these arguments and limits (`ms`, `bytes`), about the objects, the index and the files
  of a repository, whatever its configuration says.
  """
  @spec view(place, (([String.t()], keyword -> said) -> result)) :: result | {:error, Error.t()}
        when result: term
  def view(place, fun) do
    name = "ambix-git-#{System.pid()}-#{Integer.to_string(:rand.uniform(0xFFFFFFFFFF), 36)}"
    folder = Path.join(System.tmp_dir!(), name)

    case File.mkdir(folder) do
      :ok ->
        try do
          with :ok <- furnish(folder, place),
               do: fun.(&ask(place.program, place.root, &1, environment(folder, place), &2))
        after
          File.rm_rf(folder)
        end

      error ->
        error
    end
    |> case do
      {:error, reason} when is_atom(reason) ->
        message = "git cannot be asked, since #{folder} cannot be made: #{:file.format_error(reason)}"
        {:error, Error.new(:io, message, %{path: folder})}

      result ->
        result
    end
  end

  defp environment(folder, place) do
    [
      {"GIT_DIR", folder},
      {"GIT_WORK_TREE", place.top},
      {"GIT_INDEX_FILE", Path.join(place.own, "index")},
      {"GIT_OBJECT_DIRECTORY", Path.join(place.common, "objects")}
      | @of_nobody
    ]
  end

  # What git asks of a folder to take it for a repository, and what it must know of the other one.
  defp furnish(folder, place) do
    with :ok <- File.chmod(folder, 0o700),
         :ok <- File.mkdir(Path.join(folder, "refs")),
         :ok <- File.mkdir(Path.join(folder, "info")),
         :ok <- File.write(Path.join(folder, "HEAD"), "ref: refs/heads/none\n"),
         :ok <- File.write(Path.join(folder, "config"), configuration(place)),
         :ok <- copied(Path.join(place.common, "shallow"), Path.join(folder, "shallow")),
         :ok <- copied(Path.join(place.common, "info/exclude"), Path.join(folder, "info/exclude")) do
      # An index may be split in two.
      for shared <- Path.wildcard(Path.join(place.own, "sharedindex.*")),
          do: File.ln_s(shared, Path.join(folder, Path.basename(shared)))

      :ok
    end
  end

  defp copied(from, to) do
    case Files.read(from, @max_copied) do
      {:ok, bytes} -> File.write(to, bytes)
      {:error, _} -> :ok
    end
  end

  defp configuration(place) do
    asked = "^core\\.(#{Enum.join(@harmless, "|")})$"

    settings =
      with {:ok, said} <- ask(place.program, place.root, ["config", "-z", "--get-regexp", asked], [], []) do
        for setting <- String.split(said, <<0>>, trim: true),
            [_, name, value] <- [Regex.run(~r/\Acore\.([a-z]+)\n([a-z]+)\z/, setting)],
            do: "#{name} = #{value}\n"
      else
        _ -> []
      end

    version = if place.format == "sha1", do: "0", else: "1"
    format = if place.format == "sha256", do: "[extensions]\nobjectFormat = sha256\n", else: ""
    ["[core]\nrepositoryformatversion = ", version, "\nbare = false\n", settings, format]
  end

  defp ask(program, folder, args, environment, limits) do
    limits = Keyword.merge(@short, limits)

    case read(program, folder, @settings ++ args, environment, limits) do
      # Once more, for what it complains of.
      :failed -> {:failed, complaint(program, folder, @settings ++ args, environment, limits)}
      said -> said
    end
  end

  defp complaint(program, folder, args, environment, limits) do
    case read(program, folder, args, environment, [complaints: true] ++ Keyword.put(limits, :bytes, 4_096)) do
      {:failed, said} -> said
      {_, said} -> said
      :failed -> ""
    end
  end

  @doc """
  What a program says in the folder, in `ms` milliseconds and `bytes`; with what it complains of if `complaints` is set, and then also when
  it fails. What comes later or is more is left out, and the program is ended.
  """
  @spec read(Path.t(), Path.t(), [String.t()], [{String.t(), String.t() | nil}], keyword) :: said | :failed
  def read(program, folder, args, environment, limits) do
    case System.find_executable("sh") do
      nil -> :failed
      sh -> read_by(sh, [program | args], folder, environment, limits)
    end
  rescue
    # There are too many programs already.
    ErlangError -> :failed
  end

  defp read_by(sh, command, folder, environment, limits) do
    environment =
      for {name, value} <- Map.new(@environment ++ environment),
          do: {to_charlist(name), if(value, do: to_charlist(value), else: false)}

    complaints = if limits[:complaints], do: "2>&1", else: "2>/dev/null"
    # A port has no other way to leave out what a program complains of, nor to limit its memory.
    script = "ulimit -v #{@memory} 2>/dev/null; exec \"$0\" \"$@\" #{complaints}"
    options = [:binary, :exit_status, :hide, args: ["-c", script | command], cd: folder, env: environment]
    port = Port.open({:spawn_executable, sh}, options)
    pid = Port.info(port, :os_pid)

    case collect(port, [], now() + limits[:ms], limits[:bytes]) do
      {:ended, 0, said} ->
        {:ok, said}

      {:ended, _, said} ->
        if limits[:complaints], do: {:failed, said}, else: :failed

      {:cut, said} ->
        close(port)
        with {:os_pid, pid} <- pid, do: kill(sh, pid)
        {:cut, said}
    end
  end

  # A program that waits does not notice that nobody listens. In a process of its own, since the port of a command leaves a message.
  defp kill(sh, pid) do
    {_, monitor} = spawn_monitor(fn -> System.cmd(sh, ["-c", "kill -KILL #{pid} 2>/dev/null"]) end)

    receive do
      {:DOWN, ^monitor, :process, _, _} -> :ok
    end
  end

  defp collect(port, parts, until, left) do
    receive do
      {^port, {:data, data}} when byte_size(data) < left ->
        collect(port, [parts, data], until, left - byte_size(data))

      {^port, {:data, data}} ->
        {:cut, IO.iodata_to_binary([parts, binary_part(data, 0, left)])}

      {^port, {:exit_status, status}} ->
        close(port)
        {:ended, status, IO.iodata_to_binary(parts)}
    after
      max(until - now(), 0) -> {:cut, IO.iodata_to_binary(parts)}
    end
  end

  # Nothing of it is left in the mailbox, also of a process that traps exits.
  defp close(port) do
    Process.unlink(port)
    if Port.info(port), do: Port.close(port)
    flush(port)
  rescue
    ArgumentError -> flush(port)
  end

  defp flush(port) do
    receive do
      {^port, _} -> flush(port)
      {:EXIT, ^port, _} -> flush(port)
    after
      0 -> :ok
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
