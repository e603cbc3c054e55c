defmodule Ambix.Sandbox.Limits do
  @moduledoc """
  What a sandboxed program may use at most.

  Limits are given as a keyword list; what is not named keeps its default.

  | key | default | what it bounds | how |
  | --- | --- | --- | --- |
  | `:wall_clock_ms` | 10 000 | time that passes from start to end | the host kills |
  | `:cpu_seconds` | 60 | processor time of each process | the host looks every 100 ms and kills; behind it `RLIMIT_CPU` |
  | `:memory_mb` | 1024 | memory of all processes together, what they share included | the host adds it up every 100 ms, from half of it on every 20 ms, and kills; behind it `RLIMIT_DATA` and the control group |
  | `:processes` | 128 | processes and threads, all together (a BEAM has about 10) | `RLIMIT_NPROC` in the sandbox's own user namespace |
  | `:file_mb` | 64 | size of one file | `RLIMIT_FSIZE` |
  | `:disk_mb` | 256 | size of each writable file system (`/tmp`, and the project's copy) | size of the tmpfs |
  | `:files` | 65 536 | files and folders in each of these (an empty one takes the kernel a kilobyte) | the host counts every 100 ms and kills |
  | `:open_files` | 256 | open files of each process | `RLIMIT_NOFILE` |
  | `:output_kb` | 1024 | bytes printed to standard output and standard error | the host kills |

  A BEAM reserves far more address space than it uses, so memory is what is in use (about 55 MB for an idle BEAM). Fences
  behind that bound what a program can take between two looks: `RLIMIT_DATA` (private writable memory) 256 MiB above
  the limit, `RLIMIT_AS` 2 GiB above that, and, where this process may make one, a control group (version 1 or 2) that bounds everything
  together at `:memory_mb`, `:disk_mb` for each writable file system, and 64 MiB for the kernel's own tables. Without a group the
  buffers of pipes and sockets are bounded by their number only, `:open_files` times `:processes`, and shared pages that a program
  keeps without using them (of `/dev/zero`; anonymous ones it cannot have) by `RLIMIT_AS`.
  `RLIMIT_NPROC` counts within the user namespace since Linux 5.14; older kernels count all processes of the user.
  """

  alias Ambix.{Error, Options}

  @defaults [
    wall_clock_ms: 10_000,
    cpu_seconds: 60,
    memory_mb: 1024,
    processes: 128,
    file_mb: 64,
    disk_mb: 256,
    files: 65_536,
    open_files: 256,
    output_kb: 1024
  ]

  # Below these a BEAM does not start.
  @least [memory_mb: 64, processes: 12, open_files: 16]

  @bounded [
    wall_clock_ms: "milliseconds that pass from start to end",
    cpu_seconds: "seconds of processor time of each process",
    memory_mb: "MiB of memory of all processes together, what they share included",
    processes: "processes and threads, all together",
    file_mb: "MiB of one file",
    disk_mb: "MiB of each writable file system",
    files: "files and folders in each writable file system",
    open_files: "open files of each process",
    output_kb: "KiB printed to standard output and standard error"
  ]

  # More than any machine has, and small enough to be turned into bytes.
  @most 1_000_000_000
  @schema (for {key, default} <- @defaults do
             {key, type: {:integer, Keyword.get(@least, key, 1)..@most}, default: default, doc: @bounded[key]}
           end)

  # What a program may take beyond its limit before the kernel refuses, so that the host sees it.
  @slack_mb 256
  @kernel_mb 64

  defstruct @defaults

  @typedoc "Validated limits."
  @type t :: %__MODULE__{
          wall_clock_ms: pos_integer(),
          cpu_seconds: pos_integer(),
          memory_mb: pos_integer(),
          processes: pos_integer(),
          file_mb: pos_integer(),
          disk_mb: pos_integer(),
          files: pos_integer(),
          open_files: pos_integer(),
          output_kb: pos_integer()
        }

  @doc false
  # The limits as options: see `Ambix.Options`.
  @spec schema() :: Options.schema()
  def schema, do: @schema

  @doc """
  Limits from a keyword list, over `base`.

  Errors: `:invalid_argument` for an unknown name, or a value that is not a positive integer or too small for a BEAM.
  """
  @spec new(keyword(), keyword()) :: {:ok, t()} | {:error, Error.t()}
  def new(given, base \\ []) when is_list(given) do
    case base |> Keyword.merge(given) |> Options.validate(@schema) do
      {:ok, limits} -> {:ok, struct!(__MODULE__, limits)}
      {:error, sentence} -> {:error, Error.new(:invalid_argument, "limits of a sandbox: " <> sentence)}
    end
  end

  @doc "The `prlimit` options that set these limits for the process it starts."
  @spec prlimit_options(t()) :: [String.t()]
  def prlimit_options(%__MODULE__{} = limits) do
    [
      # The host comes before; should it be late, the soft limit ends the program, and the hard one what ignores it.
      "--cpu=#{limits.cpu_seconds + 2}:#{limits.cpu_seconds + 3}",
      "--data=#{megabytes(limits.memory_mb + @slack_mb)}",
      "--as=#{megabytes(limits.memory_mb + @slack_mb + 2048)}",
      "--nproc=#{limits.processes}",
      "--fsize=#{megabytes(limits.file_mb)}",
      "--nofile=#{limits.open_files}",
      "--memlock=0",
      "--msgqueue=0",
      "--core=0"
    ]
  end

  @doc "Bytes that a sandbox with so many writable file systems may use in all."
  @spec group_bytes(t(), non_neg_integer()) :: pos_integer()
  def group_bytes(%__MODULE__{} = limits, file_systems),
    do: megabytes(limits.memory_mb + file_systems * limits.disk_mb + @kernel_mb)

  @doc """
  Flags for every BEAM in the sandbox: one scheduler, few threads, and a heap ceiling of half the memory for
  one Erlang process, so that a process that allocates without end dies alone and its VM lives on.
  """
  @spec beam_flags(t()) :: String.t()
  def beam_flags(%__MODULE__{} = limits) do
    heap_words = div(megabytes(limits.memory_mb), 2 * :erlang.system_info(:wordsize))
    "+S 1:1 +SDcpu 1:1 +SDio 2 +A 1 +MIscs 64 +P 65536 +Q 4096 +hmax #{heap_words} +hmaxk true +hmaxel false"
  end

  defp megabytes(count), do: count * 1_048_576
end
