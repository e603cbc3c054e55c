defmodule Ambix.Fix do
  @moduledoc """
  Mends the failing tests of a mix project, of an app of an umbrella, or of a whole umbrella.

  It runs the project's tests in a sandbox (`Ambix.Sandbox`), suspects the lines that failing tests run and passing tests
  do not, proposes changes there, and searches among them for one with which the failing tests pass and no passing test
  fails. The patch that it returns was confirmed by the whole suite in a fresh VM. The project itself is never written to,
  except by `apply_patches/2`.

      {:ok, result} = Ambix.Fix.run("path/to/project", budget: 60)
      result.status
      for patch <- result.patches, do: IO.puts(patch.diff)

  A patch passes the tests; whether it is right is for a person to say.

  At the root of an umbrella its apps are mended one after the other, each after those that it depends on, and each by changes
  of its own code. A patch that fails tests of an app that depends on it is not kept.

  `:budget` is the time for all of it. When it is over, `run/2` returns with what is known by then, at most about two seconds late.
  A part of it, at most half, is kept for the run that confirms a patch.

  While it works, `:on_event` is called, in the process that does the work, with

    * `{:failing, tests}`: maps with `:id`, `:file`, `:line` and `:message`
    * `{:localised, suspects}`: maps with `:file`, `:line`, `:score` and `:why`, most suspicious first
    * `{:proposed, count}`: how many candidates there are to begin with; more are made as they are needed
    * `{:candidate, candidate}`: a map with `:label`, `:file`, `:line`, `:kind`, `:score`, `:solved` and `:note`, when it was tried
    * `{:tree, text}`: the tree, when it has grown enough to be worth a look
    * `{:mended, patches}`
  """

  alias Ambix.{Contained, Error, Files, Options, Telemetry}
  alias Ambix.Fix.{Session, Umbrella}

  @typedoc "What a run found. `tried` counts the candidates by kind that were executed."
  @type result :: %{
          status: :mended | :none | :nothing_failing,
          patches: [%{file: Path.t(), diff: String.t(), text: String.t(), original: String.t()}],
          localised: [%{file: Path.t(), line: pos_integer, score: float, why: String.t()}],
          failing: [map],
          executions: non_neg_integer,
          candidates: non_neg_integer,
          seconds: float,
          tried: %{String.t() => pos_integer},
          reason: String.t(),
          trace: String.t(),
          mermaid: String.t()
        }

  @options [
    budget: [
      type: :number,
      default: 120,
      arg: "SECONDS",
      doc: "seconds for all of it, after which it gives up"
    ],
    seed: [
      type: :non_neg_integer,
      default: 0,
      arg: "N",
      doc: "same project, options and seed: same candidates in the same order"
    ],
    max_candidates: [type: :pos_integer, default: 5000, arg: "N", doc: "candidates to try at the most"],
    depth: [type: :pos_integer, default: 2, arg: "N", doc: "changes that one patch may combine"],
    workers: [
      type: :pos_integer,
      default: nil,
      arg: "N",
      doc: "sandboxes that try candidates at the same time; by default one for each scheduler, at most four"
    ],
    target: [
      type: :string,
      default: nil,
      arg: "FILE",
      doc:
        "`FILE` or `FILE:LINE`: a test file, to mend its tests only, or a source file, to change nothing else"
    ],
    policy: Options.of(Ambix.Search, :new)[:policy] |> Keyword.put(:doc, "in which order the tree grows"),
    model: [
      type: {:struct, Ambix.Model},
      default: nil,
      doc: "an `Ambix.Model` that ranks candidates and proposes some of its own"
    ],
    allow_paths: [
      type: {:list, :string},
      default: nil,
      arg: "DIR,DIR",
      doc:
        "folders outside of the project that the sandbox may read, for dependencies by path, by default those of " <>
          "`config :ambix, allow_paths: [...]`"
    ],
    unsafe_without_isolation: [
      type: :boolean,
      default: false,
      doc: "run the project's code with the rights of this VM where there is no bubblewrap"
    ],
    on_event: [type: {:fun, 1}, default: nil, doc: "called with what happens"]
  ]

  # Timers hold no more.
  @most_seconds 1_000_000
  # What does not keep to the time itself is ended by force so much later.
  @late_ms 2_000

  @doc false
  def validate!(opts), do: Options.validate!(opts, @options)

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [run: @options]

  @doc """
  Looks for a patch that mends the failing tests of the mix project in `root`.

  Errors: `:project` (no mix project, no tests, it does not compile), `:unavailable` (no bubblewrap), `:sandbox`.

  ## Options
  #{Options.docs(@options)}
  """
  @spec run(Path.t(), keyword) :: {:ok, result} | {:error, Error.t()}
  def run(root, opts \\ []) do
    {on_event, opts} = opts |> Options.validate!(@options) |> Keyword.pop(:on_event)
    opts = Keyword.update!(opts, :budget, &min(max(&1, 0), @most_seconds))
    emit = if on_event, do: Contained.callback(on_event), else: fn _ -> :ok end

    Telemetry.span([:ambix, :fix, :run], %{}, fn ->
      with {:ok, root} <- Files.expand(root, "root"), do: contained(root, opts, emit)
    end)
  end

  defp contained(root, opts, emit) do
    # It belongs to this process, and so outlives the one that works.
    seen = :ets.new(__MODULE__, [:public])
    contained(root, opts, emit, seen)
  end

  defp contained(root, opts, emit, seen) do
    noting = fn event ->
      note(seen, event)
      emit.(event)
    end

    # The sandboxes are linked to this process and end with it, however it ends.
    case Contained.run(fn -> work(root, opts, noting) end, round(opts[:budget] * 1000) + @late_ms) do
      {:ok, result} -> result
      :timeout -> {:ok, Session.ended_by_force(opts, Map.new(:ets.tab2list(seen)))}
      {:crashed, how} -> {:error, Error.new(:panic, "a bug in Ambix: the repair broke off (#{how})")}
    end
  after
    :ets.delete(seen)
  end

  # What a run that is ended by force would have told of itself. An umbrella tells of each of its apps.
  defp note(seen, {:failing, tests}), do: more(seen, :failing, tests, &(&1 ++ tests))
  defp note(seen, {:localised, suspects}), do: more(seen, :localised, suspects, &(&1 ++ suspects))
  defp note(seen, {:proposed, count}), do: more(seen, :candidates, count, &(&1 + count))
  defp note(seen, {:tree, text}), do: :ets.insert(seen, {:trace, text})

  defp note(seen, {:candidate, %{kind: kind}}),
    do: more(seen, :tried, %{kind => 1}, &Map.update(&1, kind, 1, fn tried -> tried + 1 end))

  defp note(_seen, _event), do: true

  defp more(seen, key, first, change) do
    case :ets.lookup(seen, key) do
      [] -> :ets.insert(seen, {key, first})
      [{_, before}] -> :ets.insert(seen, {key, change.(before)})
    end
  end

  defp work(root, opts, emit) do
    case Ambix.Umbrella.apps(root) do
      nil -> one(root, opts, emit)
      apps -> Umbrella.run(root, apps, opts, emit, &one/3)
    end
  end

  defp one(root, opts, emit) do
    with {:ok, session} <- Session.new(root, opts), do: loop(session, emit)
  rescue
    # Such as that the native library is not there.
    error in Error -> {:error, error}
  end

  defp loop(session, emit) do
    case Session.step(session, emit) do
      {:continue, session} -> loop(session, emit)
      {:done, result, _session} -> {:ok, result}
      {:error, error, _session} -> {:error, error}
    end
  end

  @doc """
  Writes the patches of a result into the project; all of them or, after an error, none.

  A file that has changed since the run is an error, and nothing is written.
  """
  @spec apply_patches(Path.t(), result) :: :ok | {:error, Error.t()}
  def apply_patches(root, result) do
    with {:ok, root} <- Files.expand(root, "root"),
         {:ok, patches} <- patches(result),
         {:ok, patches} <- placed(root, patches),
         :ok <- each(patches, &unchanged/1),
         :ok <- undoing(patches, &write_beside/1, &File.rm(temporary(&1))) do
      undoing(patches, &rename/1, &put_back/1)
    end
  end

  defp patches(%{patches: patches}) when is_list(patches) do
    if not List.improper?(patches) and Enum.all?(patches, &patch?/1), do: {:ok, patches}, else: patches(nil)
  end

  # What was given is not told: it holds sources.
  defp patches(_other),
    do: {:error, Error.new(:invalid_argument, "expected a result of Ambix.Fix.run/2, with its patches")}

  defp patch?(%{file: file, text: text, original: original}),
    do: is_binary(file) and String.valid?(file) and is_binary(text) and is_binary(original)

  defp patch?(_other), do: false

  # The file of each patch on the disk, whose name in a result has escapes. A patch for what is outside of the project is none of ours.
  defp placed(root, patches) do
    Enum.reduce_while(patches, {:ok, []}, fn patch, {:ok, placed} ->
      path = root |> Files.path(patch.file) |> Path.expand()

      if String.starts_with?(path, root <> "/") do
        {:cont, {:ok, placed ++ [Map.put(patch, :path, path)]}}
      else
        message = "a patch is of #{Files.visible(patch.file)}, which is outside of the project"
        {:halt, {:error, Error.new(:invalid_argument, message)}}
      end
    end)
  end

  # When one cannot be done, what was done for all is undone.
  defp undoing(patches, fun, undo) do
    with {:error, error} <- each(patches, fun) do
      Enum.each(patches, undo)
      {:error, error}
    end
  end

  defp unchanged(%{path: path} = patch) do
    case Files.read(path) do
      {:ok, text} when text == patch.original ->
        :ok

      {:ok, _} ->
        {:error,
         Error.new(:locked, "#{path} was changed since the patch was made; run it again", %{path: path})}

      {:error, error} ->
        {:error, error}
    end
  end

  defp temporary(patch), do: patch.path <> ".ambix"

  defp write_beside(%{path: path} = patch) do
    temporary = temporary(patch)

    with {:ok, %{mode: mode}} <- File.stat(path),
         :ok <- File.write(temporary, patch.text),
         :ok <- File.chmod(temporary, mode) do
      :ok
    else
      {:error, reason} -> {:error, io_error(path, "write", reason)}
    end
  end

  defp rename(%{path: path} = patch) do
    case File.rename(temporary(patch), path) do
      :ok -> :ok
      {:error, reason} -> {:error, io_error(path, "write", reason)}
    end
  end

  # Either the new file has not taken the old one's place yet, or it has, and there is room for the old text.
  defp put_back(%{path: path} = patch) do
    with {:error, _} <- File.rm(temporary(patch)),
         {:ok, text} <- Files.read(path),
         true <- text == patch.text,
         do: File.write(path, patch.original)
  end

  defp each(patches, fun) do
    Enum.reduce_while(patches, :ok, fn patch, :ok ->
      case fun.(patch) do
        :ok -> {:cont, :ok}
        error -> {:halt, error}
      end
    end)
  end

  defp io_error(path, doing, reason) do
    Error.new(:io, "cannot #{doing} #{path}: #{:file.format_error(reason)}", %{path: path})
  end
end
