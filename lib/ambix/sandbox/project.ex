defmodule Ambix.Sandbox.Project do
  @moduledoc """
  A warm, sandboxed VM for one Mix project: compiles it, runs its tests, and says what a change does to them.

      {:ok, server} = Ambix.Sandbox.Project.start_link(root: "path/to/project")
      {:ok, suite} = Ambix.Sandbox.Project.run_tests(server, coverage: :per_test)
      {:ok, verdict} = Ambix.Sandbox.Project.verdict(server, %{"lib/cart.ex" => new_source})

  The project is bound read-only. The VM works on a copy of it in a tmpfs at the same path (without `_build`, `deps`, `.git` and
  `node_modules`; `deps` is linked, and so are the fetched dependencies that were compiled for the test environment). There is no
  network, so dependencies must have been fetched.

  An app of an umbrella is seen together with its umbrella: shared configuration, `build_path`, `deps_path` and siblings work.
  An umbrella itself is no project with tests: its apps are.

  Dependencies by path are found when `mix.exs` names their paths literally. What is compiled of them is seen (`lib`, `src`,
  `priv`, `include`, `c_src` and what their `mix.exs` names; nothing hidden, such as `.git` and `.env`). One that lies outside of
  the project, or of its umbrella, is refused unless `:allow_paths` holds it.

  Steps that an alias of `test` takes before the tests are taken; those that need what a sandbox lacks, such as a database, fail
  without consequences.

  The VM stays up between calls, and a verdict compiles only what the change touches, with Mix's own compiler, and loads only those
  test files again that depend on it at compile time. Between runs the project's application is restarted, processes that tests left behind are
  ended, and application environments are put back. Code that hangs, halts, allocates, forks or prints without end is an ordinary verdict:
  the VM is killed, and a fresh one takes its place.

  Tests run one at a time with seed 0, as the project's `test_helper.exs` configures them (tags that it excludes stay excluded).

  Code under test shares its VM with the driver that reports on it. It can do no harm outside, but code written to deceive
  could report what it likes; `verify/3` in a fresh VM does not change that. Verdicts are right for honest mistakes.

  ## A test's result

  A map with `:id` (`"Shop.CartTest: test add/2 adds"`), `:module`, `:name`, `:file` (relative to the project), `:line`, `:state` (`:passed`, `:failed`,
  `:excluded`, `:skipped`, `:invalid` when its `setup_all` failed, or `:timeout`), `:message` (of the failure, at most 4000 characters), `:frames` (the part of its
  stack trace that lies in the project, innermost first: `%{file, line, module, function, arity}`), `:microseconds` and `:covered`
  (`[{file, [line]}]`, or `nil` without coverage).

  ## A diagnostic

  A map with `:file` (relative to the project), `:line`, `:column` (0 where it is not known, as before Elixir 1.15), `:message` and `:traces`, a list of
  maps with file, line and message: the places where the compiler found the types that it warns about. Before Elixir 1.18 it is empty.

  ## Errors

  `:project` (no Mix project, an umbrella, a dependency outside of the project, no tests, does not compile; `details.diagnostics` is a list), `:not_found` (no such test),
  `:invalid_argument`, `:unavailable` (no bubblewrap), `:io`, `:timeout`, `:limit`, `:cancelled` (the caller died), `:sandbox` (the VM ended
  where it should not, or sent what is no answer).
  """

  use GenServer
  use Ambix.Redact

  alias Ambix.{Contained, Error, PathDependencies}
  alias Ambix.Sandbox.{Batch, Command, Limits, Session, Sources, Workbench}

  @start_options [
    :root,
    :allow_paths,
    :overlay,
    :limits,
    :read_only,
    :env,
    :bubblewrap,
    :unsafe_without_isolation,
    :name
  ]
  @list_options [timeout_ms: 300_000]
  @coverage_options [coverage_budget_ms: 20_000, timeout_per_test: 60_000, timeout_ms: 600_000, seed: 0]
  @test_options [
    only: :all,
    coverage: false,
    coverage_budget_ms: 20_000,
    timeout_per_test: 60_000,
    timeout_ms: 600_000,
    seed: 0,
    max_failures: :infinity
  ]
  @verdict_options [
    failing: :known,
    others: :known,
    timeout_per_test: :auto,
    timeout_ms: 60_000,
    within_ms: :infinity,
    seed: 0,
    max_failures: 1
  ]

  # Milliseconds that an answer may be late, and those that a server gets to end in order.
  @late_ms 5_000
  @stop_ms 5_000

  @batch_options @verdict_options
                 |> Keyword.drop([:max_failures, :within_ms])
                 |> Keyword.merge(timeout_others: :auto, unfit: :alone, quick: :infinity)

  @typedoc "The result of one test."
  @type test :: map()

  @typedoc "The result of a suite: see `run_tests/2`."
  @type suite :: map()

  @typedoc "What a change does: see `verdict/3`."
  @type verdict :: map()

  @typedoc "New content of files, by path relative to the project."
  @type changes :: %{String.t() => String.t()}

  @doc """
  Starts the server of a project. The VM starts with the first call that needs it.

  Options: `:root` (required), `:allow_paths` (folders outside of the project that its dependencies by path may lie in, by default those of
  `config :ambix, allow_paths: [...]`), `:overlay`
  (files, by path relative to the project or its umbrella, that have this content instead of that on disk), `:limits` (see `Ambix.Sandbox.Limits`; `:wall_clock_ms` is not used here, each call has its own
  `:timeout_ms`), `:read_only` (more folders to be seen at the same path), `:env`, `:bubblewrap`,
  `:unsafe_without_isolation` (see `Ambix.Sandbox.run/2`) and `:name`.

  Defaults of limits differ from those of `Ambix.Sandbox.run/2`: #{inspect(Session.default_limits())}.
  """
  @spec start_link(keyword()) :: {:ok, pid()} | {:error, Error.t()}
  def start_link(opts) do
    with {:ok, bench} <- new_workbench(opts) do
      GenServer.start_link(__MODULE__, bench, Keyword.take(opts, [:name]))
    end
  end

  @doc false
  def child_spec(opts) do
    %{id: opts[:name] || {__MODULE__, opts[:root]}, start: {__MODULE__, :start_link, [opts]}}
  end

  @doc """
  Compiles the project as it is on disk: `{:ok, %{warnings: [diagnostic]}}`. Option: `:timeout_ms` (300 000), with which
  the start of the VM counts.
  """
  @spec compile(GenServer.server(), keyword()) :: {:ok, %{warnings: [map()]}} | {:error, Error.t()}
  def compile(server, opts \\ []) do
    with {:ok, opts} <- options(opts, @list_options), do: call(server, {:compile, opts}, opts.timeout_ms)
  end

  @doc "The tests of the project: `%{id, module, name, file, line}`, in the order of files and lines. Option: as for `compile/2`."
  @spec tests(GenServer.server(), keyword()) :: {:ok, [map()]} | {:error, Error.t()}
  def tests(server, opts \\ []) do
    with {:ok, opts} <- options(opts, @list_options), do: call(server, {:tests, opts}, opts.timeout_ms)
  end

  @doc """
  Runs tests of the project as it is on disk.

  Options:

    * `:only` - ids of tests, or `:all`;
    * `:coverage` - `false`, or `:per_test`: the lines that each test runs. Tests then run a second time with coverage: first the failing ones, each by
      itself, then the passing ones each by itself until `:coverage_budget_ms` (20 000) is used up; the rest by module, so that each test gets
      the lines of all tests of its module;
    * `:timeout_per_test` - milliseconds (60 000); a test's own `@tag timeout:` goes before it;
    * `:timeout_ms` - milliseconds for all (600 000), with starting and compiling. Tests that were not reached are missing in the answer;
    * `:seed` (0), `:max_failures` (`:infinity`).

  Answers `%{tests:, microseconds:, output:, coverage:, killed:}`: the tests' results; the wall clock; what was printed (at most the limit); `nil` or how
  many tests were covered `%{one_by_one:, by_module:}`; and the tests that ended their VM, `[%{reason:, test:}]` with reason `:halted`, `:memory`,
  `:cpu`, `:files`, `:output` or `:wall_clock`.
  """
  @spec run_tests(GenServer.server(), keyword()) :: {:ok, suite()} | {:error, Error.t()}
  def run_tests(server, opts \\ []) do
    with {:ok, opts} <- options(opts, @test_options), do: call(server, {:run_tests, opts}, opts.timeout_ms)
  end

  @doc """
  The lines that the tests of the last full `run_tests/2` run, found as with its option `:coverage`. Answers
  `%{tests:, coverage:}` like that. Options: `:coverage_budget_ms`, `:timeout_per_test`, `:timeout_ms` and `:seed`.
  """
  @spec coverage(GenServer.server(), keyword()) :: {:ok, map()} | {:error, Error.t()}
  def coverage(server, opts \\ []) do
    with {:ok, opts} <- options(opts, @coverage_options), do: call(server, {:coverage, opts}, opts.timeout_ms)
  end

  @doc """
  What becomes of the tests when files have this content. Nothing is written to the project.

  First the failing tests run, and the others only if all of them pass. Options:

    * `:failing` - ids; else those that failed in the last full `run_tests/2`;
    * `:others` - ids, `:all` or `[]`; else those that passed then; all tests if there was none;
    * `:max_failures` - stop after so many (1), or `:infinity`;
    * `:timeout_per_test` - milliseconds, or `:auto`: five seconds and ten times what the slowest of the tests that passed took in the last full run, else 60 seconds;
    * `:timeout_ms` - for all but the start of the VM (60 000); `:within_ms` - for all with it (`:infinity`); `:seed` (0).

  Answers a map:

    * `:status` - `:passed`, `:failed`, `:compile_error`, or `:killed` when compiling ended the VM (or took longer than `:timeout_ms`), or the tests did not end within it;
    * `:compile` - `:ok` or `{:error, diagnostics}`; `:warnings`;
    * `:tests` - results of the tests that ran (none, with status `:failed`, when the application does not start any more); `:failed` and `:timeouts` (ids); `:passed_count`;
    * `:killed` - `nil`, or the first death of the VM `%{reason:, test:}`, where `:test` is `nil` if it died while compiling;
    * `:output`, `:microseconds`.
  """
  @spec verdict(GenServer.server(), changes(), keyword()) :: {:ok, verdict()} | {:error, Error.t()}
  def verdict(server, changes, opts \\ []) do
    with {:ok, opts} <- options(opts, @verdict_options),
         :ok <- check_changes(changes) do
      Ambix.Telemetry.span([:ambix, :sandbox, :verdict], %{}, fn ->
        call(server, {:verdict, changes, opts}, opts.within_ms)
      end)
    end
  end

  @typedoc """
  One of many changes: its number, the files with their new content, and, if it changes one function of one file only,
  `:within`: the first and the last line of the function's clauses, their first byte and one past their last, and the text that
  takes their place.
  """
  @type mutant :: %{
          id: pos_integer(),
          changes: changes(),
          within:
            nil
            | %{
                file: String.t(),
                first: pos_integer(),
                last: pos_integer(),
                start: non_neg_integer(),
                stop: non_neg_integer(),
                text: String.t()
              }
        }

  @doc """
  Verdicts on many changes, none of which is written to the project. The changes share `base`, and each adds its own to that.

  Those with `:within` are compiled together, which is many times as fast as one by one: their functions are kept in one
  module, and the tests run on each in turn ("mutant schemata", Untch, Offutt and Harrold, ISSTA 1993). Those that cannot be
  had that way are compiled by themselves, after the others: changes of macros, of attributes, of code that runs when other code is
  compiled. A change that passes so has been tried in a module with other changes beside it: `verify/3` it.

  Answers a reference at once, and sends the caller messages:

    * `{ref, {:verdict, id, verdict}}`: see `verdict/3`; `:output` and `:warnings` are empty for those compiled together;
    * `{ref, {:unfit, id}}`, with the option `unfit: :tell` (else `:alone`), for what would have to be compiled by itself though it
      was given `:within`: it can be given again without;
    * `{ref, {:done, ids}}`, the last one: what was not tried, because `:timeout_ms` was over or `enough/2` was called;
    * `{ref, {:error, error}}` instead, when the project or its sandbox is not fit for verdicts.

  The reference is a monitor of the server. Options are those of `verdict/3` without `:max_failures` and `:within_ms`, and

    * `:timeout_others`: milliseconds that a test gets that passed before. With `:auto`, this and `:timeout_per_test` are five
      seconds and ten times what the slowest of their tests took in the last full run;
    * `:quick`: of the failing tests, in the order given, so many run in any case, and the rest only when all of those pass (`:infinity`).
      When the first of them hangs it is the only one.
  """
  @spec verdicts(GenServer.server(), changes(), [mutant()], keyword()) ::
          {:ok, reference()} | {:error, Error.t()}
  def verdicts(server, base, mutants, opts \\ []) do
    with {:ok, opts} <- options(opts, @batch_options),
         :ok <- check_changes(base),
         :ok <- check_mutants(mutants) do
      ref = Process.monitor(server)
      GenServer.cast(server, {:verdicts, self(), ref, base, mutants, opts})
      {:ok, ref}
    end
  end

  @doc "Asks for no more verdicts than the one that is being made. The answer to `verdicts/4` still ends with `:done`."
  @spec enough(pid(), reference()) :: :ok
  def enough(server, ref) do
    send(server, {:enough, ref})
    :ok
  end

  @doc "Starts the VM, compiles the project and loads its tests, without waiting for it."
  @spec warm_up(GenServer.server()) :: :ok
  def warm_up(server), do: GenServer.cast(server, :warm_up)

  @doc """
  A verdict in a fresh VM, on all tests unless `:failing` and `:others` say which. Takes the options of `start_link/1` and `verdict/3`.
  """
  @spec verify(Path.t(), changes(), keyword()) :: {:ok, verdict()} | {:error, Error.t()}
  def verify(root, changes, opts \\ []) do
    {start, opts} = Keyword.split(opts, @start_options)

    with {:ok, server} <- start_link([root: root] ++ start) do
      try do
        verdict(server, changes, Keyword.put_new(opts, :max_failures, :infinity))
      after
        stop(server)
      end
    end
  end

  @doc "Ends the server and its VM, by force if the server is busy."
  @spec stop(GenServer.server()) :: :ok
  def stop(server) do
    GenServer.stop(server, :normal, @stop_ms)
  catch
    :exit, {:timeout, _} -> kill(server)
    :exit, _ -> :ok
  end

  @doc "Ends the server at once; its VM is ended by what watches it."
  @spec kill(GenServer.server()) :: :ok
  def kill(server) do
    if pid = GenServer.whereis(server) do
      Process.unlink(pid)
      Process.exit(pid, :kill)
    end

    :ok
  end

  ## The server

  @impl true
  def init(bench) do
    Process.flag(:trap_exit, true)
    # Sources and results of somebody's tests belong into no log.
    Process.flag(:sensitive, true)
    {:ok, %{bench | owner: owner()}}
  end

  # What is not asked for by a caller is done for the process that started the server.
  defp owner do
    case Process.get(:"$ancestors") do
      [pid | _] when is_pid(pid) -> pid
      [name | _] when is_atom(name) -> Process.whereis(name)
      _ -> nil
    end
  end

  @impl true
  def handle_call({request, deadline}, {caller, _}, bench) do
    started = System.monotonic_time(:microsecond)

    {answer, bench} =
      contained(bench, &{:error, &1}, fn -> answer(request, deadline, %{bench | caller: caller}) end)

    answer =
      with {:ok, %{microseconds: _} = result} <- answer do
        {:ok, %{result | microseconds: System.monotonic_time(:microsecond) - started}}
      end

    if bench.session == nil and match?({:ok, _}, answer),
      do: {:reply, answer, bench, {:continue, :warm_up}},
      else: {:reply, answer, bench}
  end

  @impl true
  def handle_cast({:verdicts, caller, ref, base, mutants, opts}, bench) do
    deadline = Workbench.now() + opts.timeout_ms

    each = fn
      id, :unfit -> send(caller, {ref, {:unfit, id}})
      id, verdict -> send(caller, {ref, {:verdict, id, verdict}})
    end

    opts = Map.merge(opts, %{enough: ref, deadline: deadline})

    {answer, bench} =
      contained(bench, &{:error, &1}, fn ->
        case Batch.run(%{bench | caller: caller}, base, mutants, opts, each) do
          {:ok, left, bench} -> {{:done, left}, bench}
          {:error, error, bench} -> {{:error, error}, bench}
        end
      end)

    send(caller, {ref, answer})
    {:noreply, bench, {:continue, :warm_up}}
  end

  def handle_cast(:warm_up, bench), do: {:noreply, bench, {:continue, :warm_up}}

  # The next call shall find a VM that is ready.
  @impl true
  def handle_continue(:warm_up, %{session: session} = bench) when session != nil, do: {:noreply, bench}

  def handle_continue(:warm_up, bench) do
    {_, bench} =
      contained(bench, & &1, fn ->
        result = Workbench.prepare(%{bench | caller: bench.owner}, %{}, Workbench.listing_deadline())
        {:ok, elem(result, tuple_size(result) - 1)}
      end)

    {:noreply, bench}
  end

  @impl true
  def handle_info({:EXIT, _from, reason}, bench) when reason != :normal, do: {:stop, reason, bench}
  def handle_info(_other, bench), do: {:noreply, bench}

  @impl true
  def terminate(_reason, bench), do: Workbench.stop(bench)

  # A fault of our own ends neither the server nor those who are linked to it.
  defp contained(bench, answer, fun) do
    fun.()
  catch
    kind, reason ->
      place = Contained.summary(kind, reason, __STACKTRACE__)
      message = "a bug in Ambix: what the sandbox said could not be used (#{place})"
      {answer.(Error.new(:panic, message)), Workbench.stop(bench)}
  end

  defp answer({:compile, _opts}, deadline, bench) do
    case Workbench.compile(bench, %{}, deadline) do
      {:ok, %{status: :ok, warnings: warnings}, bench} -> {{:ok, %{warnings: warnings}}, bench}
      {:ok, outcome, bench} -> {{:error, Workbench.compile_error(outcome)}, bench}
      other -> failure(other)
    end
  end

  defp answer({:tests, _opts}, deadline, bench) do
    with_prepared(bench, deadline, fn bench ->
      {{:ok, bench.tests |> Map.values() |> Enum.sort_by(&{&1.file, &1.line, &1.id})}, bench}
    end)
  end

  defp answer({:run_tests, opts}, deadline, bench),
    do: with_prepared(bench, deadline, &Workbench.run_tests(&1, opts, deadline))

  defp answer({:coverage, opts}, deadline, bench),
    do: with_prepared(bench, deadline, &Workbench.coverage(&1, opts, deadline))

  defp answer({:verdict, changes, opts}, deadline, bench),
    do: Workbench.verdict(bench, changes, opts, deadline)

  defp with_prepared(bench, deadline, fun) do
    case Workbench.prepare(bench, %{}, deadline) do
      {:ok, %{status: :ok}, bench} -> fun.(bench)
      {:ok, outcome, bench} -> {{:error, Workbench.compile_error(outcome)}, bench}
      other -> failure(other)
    end
  end

  defp failure({:error, error, bench}), do: {{:error, error}, bench}
  defp failure({:died, death, bench}), do: {{:error, Workbench.death_error(death)}, bench}

  # The server keeps to the time. It may have begun late, or may itself be stuck: then the caller does not wait.
  defp call(server, request, :infinity), do: request(server, {request, :infinity}, :infinity)

  defp call(server, request, timeout_ms) do
    request(server, {request, Workbench.now() + timeout_ms}, timeout_ms + @late_ms)
  end

  defp request(server, request, timeout) do
    GenServer.call(server, request, timeout)
  catch
    :exit, {:timeout, _} ->
      {:error, %Error{kind: :timeout, message: "the sandbox did not answer in time"}}

    :exit, {reason, _} when is_atom(reason) ->
      {:error, %Error{kind: :sandbox, message: "the sandbox's server is not running: #{reason}"}}

    :exit, _ ->
      {:error, %Error{kind: :sandbox, message: "the sandbox's server is not running"}}
  end

  ## Arguments

  defp new_workbench(opts) do
    root = Path.expand(opts[:root] || ".")

    with [] <- Keyword.keys(opts) -- @start_options,
         {:ok, limits} <- Limits.new(opts[:limits] || [], Session.default_limits()),
         :ok <- check_root(root),
         overlay = opts[:overlay] || %{},
         :ok <- check_changes(overlay),
         {:ok, _} <- Command.isolation(opts),
         {:ok, allowed} <- PathDependencies.allowed(opts[:allow_paths]),
         {:ok, sources} <- Sources.of(root, allowed) do
      seen = sources.binds ++ (opts[:read_only] || [])
      kept = Keyword.take(opts, [:env, :bubblewrap, :unsafe_without_isolation])

      {:ok,
       %Workbench{
         tree: sources.tree,
         app: sources.app,
         overlay: overlay,
         limits: limits,
         session_options: [limits: limits, dependencies: seen] ++ kept
       }}
    else
      [unknown | _] -> invalid("unknown option #{inspect(unknown)}, use #{inspect(@start_options)}")
      {:error, error} -> {:error, error}
    end
  end

  defp check_root(root) do
    cond do
      root == "/" ->
        {:error, %Error{kind: :project, message: "the root of the file system is no Mix project"}}

      not File.dir?(root) ->
        {:error, %Error{kind: :project, message: "#{root} is not a folder"}}

      not File.regular?(Path.join(root, "mix.exs")) ->
        not_mix(root)

      true ->
        :ok
    end
  end

  defp not_mix(root) do
    {:error, %Error{kind: :project, message: "#{root} is not a Mix project: it has no mix.exs"}}
  end

  defp check_changes(changes) when is_map(changes) do
    wrong =
      Enum.find(changes, fn {path, text} ->
        not (is_binary(path) and is_binary(text)) or Path.type(path) != :relative or ".." in Path.split(path)
      end)

    if wrong == nil,
      do: :ok,
      else:
        invalid("a change is a relative path inside the project and a text, got #{inspect(elem(wrong, 0))}")
  end

  defp check_changes(other),
    do: invalid("changes are a map of paths to texts, got #{inspect(other, limit: 3)}")

  defp check_mutants(mutants) do
    wrong = Enum.find(mutants, &(not mutant?(&1)))
    if wrong, do: invalid("this is no mutant: #{inspect(wrong, limit: 5)}"), else: :ok
  end

  defp mutant?(%{id: id, changes: changes, within: within}) when is_integer(id) and id > 0,
    do: check_changes(changes) == :ok and within?(within)

  defp mutant?(_), do: false

  defp within?(nil), do: true

  defp within?(%{file: file, first: first, last: last, start: start, stop: stop, text: text}) do
    is_binary(file) and is_binary(text) and
      Enum.all?([first, last, start, stop], &is_integer/1) and first > 0 and last >= first and start >= 0 and
      stop >= start
  end

  defp within?(_), do: false

  defp options(given, defaults) do
    case Keyword.keys(given) -- Keyword.keys(defaults) do
      [] ->
        options = Map.new(Keyword.merge(defaults, given))
        wrong = Enum.find(options, fn {key, value} -> not valid?(key, value) end)

        if wrong,
          do: invalid("the option #{inspect(elem(wrong, 0))} cannot be #{inspect(elem(wrong, 1))}"),
          else: {:ok, options}

      [unknown | _] ->
        invalid("unknown option #{inspect(unknown)}, use #{inspect(Keyword.keys(defaults))}")
    end
  end

  defp valid?(key, value) when key in [:only, :others] and value == :all, do: is_atom(key)
  defp valid?(key, :known) when key in [:failing, :others], do: true

  defp valid?(key, ids) when key in [:only, :failing, :others],
    do: is_list(ids) and Enum.all?(ids, &is_binary/1)

  defp valid?(:coverage, value), do: value in [false, :per_test]
  defp valid?(key, :auto) when key in [:timeout_per_test, :timeout_others], do: true
  defp valid?(:quick, :infinity), do: true
  defp valid?(:unfit, value), do: value in [:alone, :tell]
  defp valid?(key, :infinity) when key in [:max_failures, :within_ms], do: true
  defp valid?(:seed, value), do: is_integer(value) and value >= 0
  defp valid?(_key, value), do: is_integer(value) and value > 0

  defp invalid(message), do: {:error, %Error{kind: :invalid_argument, message: message}}
end
