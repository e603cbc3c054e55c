defmodule Ambix.Sandbox.Command do
  @moduledoc false
  # Builds the command line that runs a program in bubblewrap: pure apart from asking which files exist.
  #
  # An ordinary user needs one bubblewrap, which makes all namespaces. Root needs two steps: the first, as root,
  # makes the mounts and the other namespaces; then the user id changes, and a second bubblewrap makes the user
  # namespace. For a root that only maps itself into a user namespace stays root for the kernel, which then does not
  # apply RLIMIT_NPROC.
  #
  # Around all that, outside of the sandbox, is a shell that joins the control group and opens files for what comes behind it:
  # 7, where the launcher in the sandbox says that the program begins, and 8 and 9, the filters of system calls.

  alias Ambix.Error
  alias Ambix.Sandbox.{Cgroup, Filter, Limits, Scratch}

  @nobody "65534"

  # A group that cannot be joined is done without: the host counts in any case. bubblewrap's own process is the first in
  # the sandbox, and an ordinary user's programs may read its environment in /proc: it has none.
  @outside """
  exec 7>"$1"
  [ -z "$2" ] || { echo $$ >"$2"; } 2>/dev/null || :
  [ -z "$3" ] || exec 8<"$3"
  [ -z "$4" ] || exec 9<"$4"
  shift 4
  exec env -i "$@"
  """

  # bubblewrap ends with its parent only once it has made its namespaces, so the program waits until the box, which it tells of that by a
  # zero byte, answers: of a VM that has ended meanwhile, standard input has ended too. That of the program is empty.
  @inside ~S(printf '\000'; read -r go || exit 1; echo started >&7; exec "$0" "$@" </dev/null 7>&-)

  @typedoc """
  What to start; the file that is no longer empty when the program has begun; the control group, if there is one; and the
  file systems that it may write to.
  """
  @type t :: %{
          executable: String.t(),
          args: [String.t()],
          started: Path.t(),
          cgroup: Cgroup.t() | nil,
          file_systems: [Path.t()]
        }

  @doc """
  Options: `:limits` and `:scratch` (required; a folder of `Ambix.Sandbox.Scratch`), `:read_only` (paths, or `{host, inside}`), `:writable` (paths that
  become a tmpfs), `:env` (map), `:cd`, `:bubblewrap` (path), `:unsafe_without_isolation`, `:cgroup` (false to do without a control group).
  """
  @spec build([String.t(), ...], keyword()) :: {:ok, t()} | {:error, Error.t()}
  def build([_ | _] = command, opts) do
    scratch = Keyword.fetch!(opts, :scratch)
    inner = limited(command, Keyword.fetch!(opts, :limits))

    with {:ok, how} <- isolation(opts),
         {:ok, filters} <- filters(how, scratch) do
      {words, file_systems} =
        case how do
          {:bubblewrap, path} -> {isolate(path, filters, inner, opts), ["/tmp" | opts[:writable] || []]}
          :none -> {environment_only(inner, opts), []}
        end

      started = Scratch.write!(scratch, "started", "")
      cgroup = if Keyword.get(opts, :cgroup, true), do: cgroup(scratch, file_systems, opts)
      door = if cgroup, do: Cgroup.door(cgroup), else: ""
      [first, second | _] = filters ++ ["", ""]
      args = ["-c", @outside, "ambix", started, door, first, second | words]

      {:ok,
       %{executable: find("sh"), args: args, started: started, cgroup: cgroup, file_systems: file_systems}}
    end
  end

  defp cgroup(scratch, file_systems, opts) do
    bytes = Limits.group_bytes(Keyword.fetch!(opts, :limits), length(file_systems))
    Cgroup.create(Path.basename(scratch), bytes)
  end

  # Two at most: the shell has names for so many open files.
  defp filters(:none, _scratch), do: {:ok, []}

  defp filters(_bubblewrap, scratch) do
    with {:ok, programs} <- Filter.programs() do
      files =
        for {program, n} <- Enum.with_index(programs), do: Scratch.write!(scratch, "filter-#{n}", program)

      {:ok, files}
    end
  end

  @doc "Whether bubblewrap and prlimit are here; `:none` when the caller said that it may do without."
  @spec isolation(keyword()) :: {:ok, {:bubblewrap, String.t()} | :none} | {:error, Error.t()}
  def isolation(opts) do
    bubblewrap = find(Keyword.get(opts, :bubblewrap, "bwrap"))

    cond do
      find("prlimit") == nil ->
        unavailable("prlimit is not installed, so nothing can be limited: apt install util-linux")

      bubblewrap != nil ->
        {:ok, {:bubblewrap, bubblewrap}}

      Keyword.get(opts, :unsafe_without_isolation, false) ->
        {:ok, :none}

      true ->
        unavailable(
          "bubblewrap is not installed, so untrusted code cannot be isolated: apt install bubblewrap " <>
            "(or pass unsafe_without_isolation: true to run it with your own rights)"
        )
    end
  end

  @doc "The folders of Erlang and Elixir that a BEAM in the sandbox needs, and those of them to put into PATH."
  @spec runtime() :: %{folders: [String.t()], path: [String.t()]}
  def runtime do
    erlang = List.to_string(:code.root_dir())
    elixir = :elixir |> :code.lib_dir() |> Path.join("../..") |> Path.expand()
    %{folders: [erlang, elixir], path: [Path.join(erlang, "bin"), Path.join(elixir, "bin")]}
  end

  @doc "The environment of every sandboxed program; nothing of the caller's own is in it."
  @spec environment(Limits.t(), String.t(), map()) :: %{String.t() => String.t()}
  def environment(limits, home, extra) do
    Map.merge(
      %{
        "PATH" => Enum.join(runtime().path ++ ~w(/usr/local/bin /usr/bin /bin), ":"),
        "HOME" => home,
        "TMPDIR" => "/tmp",
        "LANG" => "C.UTF-8",
        "TERM" => "dumb",
        "NO_COLOR" => "1",
        "MIX_HOME" => Path.join(home, ".mix"),
        "HEX_OFFLINE" => "1",
        # Code is compiled more often than it is run: without this pass it takes a third less time.
        "ERL_COMPILER_OPTIONS" => "[no_ssa_opt]",
        # No crash dump: it would be as large as the VM's memory.
        "ERL_CRASH_DUMP_SECONDS" => "0",
        "ERL_CRASH_DUMP" => "/dev/null",
        "ERL_FLAGS" => Limits.beam_flags(limits)
      },
      extra
    )
  end

  # The limits are set inside the namespaces, so that only the sandbox counts.
  defp limited(command, limits) do
    ["sh", "-c", @inside, find("prlimit") || "prlimit"] ++
      Limits.prlimit_options(limits) ++ ["--" | command]
  end

  defp isolate(bubblewrap, filters, inner, opts) do
    limits = Keyword.fetch!(opts, :limits)
    namespaces = ~w(--unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup-try
      --hostname sandbox --die-with-parent --new-session)
    user = ["--unshare-user", "--disable-userns", "--uid", @nobody, "--gid", @nobody]

    outside = namespaces ++ file_systems(opts) ++ ["--clearenv" | environment_options(limits, opts)]
    chdir = ["--chdir", Keyword.get(opts, :cd, "/tmp")]
    filters = filters |> Enum.zip(["8", "9"]) |> Enum.flat_map(fn {_, fd} -> ["--add-seccomp-fd", fd] end)
    last = filters ++ chdir ++ ["--" | inner]

    if root?() do
      [bubblewrap | outside] ++
        ["--", "setpriv", "--reuid", @nobody, "--regid", @nobody, "--clear-groups"] ++
        ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", bubblewrap | user] ++
        ["--dev-bind", "/", "/", "--die-with-parent" | last]
    else
      [bubblewrap | user] ++ outside ++ last
    end
  end

  defp file_systems(opts) do
    limits = Keyword.fetch!(opts, :limits)
    size = Integer.to_string(limits.disk_mb * 1_048_576)
    temporary = fn path -> ["--size", size, "--perms", "1777", "--tmpfs", path] end
    writable = Enum.sort(Keyword.get(opts, :writable, []))

    binds =
      for path <- runtime().folders ++ Keyword.get(opts, :read_only, []) do
        if is_tuple(path), do: path, else: {path, path}
      end

    # What lies in /usr is there already.
    binds = Enum.reject(binds, fn {host, inside} -> host == inside and within?(inside, "/usr") end)

    # bubblewrap makes these two as tmpfs without a size, so nobody may write there.
    system_folders() ++
      ["--proc", "/proc", "--dev", "/dev"] ++
      masked() ++
      temporary.("/tmp") ++
      ["--perms", "0777", "--dir", "/tmp/home"] ++
      parents(["/etc/passwd" | writable ++ Enum.map(binds, &elem(&1, 1))]) ++
      Enum.flat_map(writable, temporary) ++
      Enum.flat_map(binds, fn {host, inside} -> ["--ro-bind", host, inside] end) ++
      system_files() ++
      ["--remount-ro", "/dev", "--remount-ro", "/"]
  end

  # bubblewrap makes missing parents readable by their owner only, which in a sandbox started by root is someone else.
  defp parents(paths) do
    folders =
      for path <- paths,
          folder <- ancestors(path),
          not within?(folder, "/usr"),
          folder != "/tmp",
          uniq: true,
          do: folder

    Enum.flat_map(Enum.sort(folders), &["--perms", "0755", "--dir", &1])
  end

  defp ancestors(path) do
    [_root | names] = path |> Path.dirname() |> Path.split()
    names |> Enum.scan(&(&2 <> "/" <> &1)) |> Enum.map(&("/" <> &1))
  end

  defp within?(path, folder), do: path == folder or String.starts_with?(path, folder <> "/")

  defp system_folders do
    folders =
      for folder <- ~w(/bin /sbin /lib /lib32 /lib64 /libx32), argument <- link_or_bind(folder), do: argument

    ["--ro-bind", "/usr", "/usr"] ++ folders
  end

  defp system_files do
    Enum.flat_map(~w(/etc/alternatives /etc/ld.so.cache /etc/localtime), &["--ro-bind-try", &1, &1])
  end

  # What /proc tells about the machine and its kernel instead of the sandbox; containers hide the same.
  defp masked do
    files =
      for file <-
            ~w(kallsyms kcore keys key-users timer_list sched_debug latency_stats kpagecount kpageflags),
          path = "/proc/" <> file,
          File.exists?(path),
          do: path

    Enum.flat_map(files, &["--ro-bind", "/dev/null", &1])
  end

  defp link_or_bind(folder) do
    case File.read_link(folder) do
      {:ok, target} -> ["--symlink", target, folder]
      {:error, :einval} -> ["--ro-bind", folder, folder]
      {:error, _} -> []
    end
  end

  defp environment_options(limits, opts) do
    for {name, value} <- environment(limits, "/tmp/home", Keyword.get(opts, :env, %{})),
        argument <- ["--setenv", name, value],
        do: argument
  end

  defp environment_only(inner, opts) do
    limits = Keyword.fetch!(opts, :limits)
    variables = environment(limits, System.tmp_dir!(), Keyword.get(opts, :env, %{}))
    assignments = for {name, value} <- variables, do: "#{name}=#{value}"
    cd = Keyword.get(opts, :cd, System.tmp_dir!())
    [find("env"), "-i" | assignments] ++ ["sh", "-c", "cd \"$0\" && exec \"$@\"", cd | inner]
  end

  defp root?, do: File.stat!("/proc/self").uid == 0
  defp find(name), do: System.find_executable(name)

  defp unavailable(message), do: {:error, %Error{kind: :unavailable, message: message}}
end
