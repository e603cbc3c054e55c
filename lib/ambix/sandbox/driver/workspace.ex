defmodule Ambix.Sandbox.Driver.Workspace do
  @moduledoc false
  # The writable copy of the project: makes it, changes files in it, compiles it with Mix, starts and stops its application.

  alias Ambix.Compat
  alias Ambix.Sandbox.Driver.{Macros, Packages, Schemata, Tracer}

  @not_copied ~w(_build deps .git node_modules)
  @linked ~w(deps node_modules)
  @arguments ~w(--no-deps-check --no-archives-check --no-elixir-version-check --return-errors)
  @protocols ~r/\bdefimpl\b|\bdefprotocol\b|@derive\b|Protocol\.derive/
  @consolidated "protocol has already been consolidated"
  @told_before "(errors have been logged)"
  @text_limit 4000
  @most_traces 100
  @moment_ms 50
  @erlang ~w(erl hrl xrl yrl)
  # Seconds between the times of the copy and now: a time for so many writings.
  @room 100_000_000
  @never_older 0xFFFF_FFFF_FFFF
  @most_diagnostics 200
  @most_lines 10_000_000
  @hurry {"ERL_COMPILER_OPTIONS",
          "[no_copt,no_ssa_opt,no_bool_opt,no_type_opt,no_bsm_opt,no_share_opt,no_recv_opt,no_fun_opt]"}

  @doc """
  Copies the project, or the umbrella that it is an app of, puts the files of the overlay in place, loads the project's mix.exs
  and its dependencies. Raises or throws when it cannot be.
  """
  def boot(%{source: source, work: tree, app: app, overlay: overlay}) do
    copy_project(source, tree)
    replace(overlay, tree)
    work = Path.expand(app, tree)
    File.cd!(work)

    {:ok, _} = Application.ensure_all_started(:mix)
    {:ok, _} = Application.ensure_all_started(:ex_unit)
    Application.put_env(:ex_unit, :autorun, false)
    Mix.shell(Mix.Shell.Quiet)
    Mix.SCM.append(Packages)
    Tracer.start()
    Schemata.start()
    Code.put_compiler_option(:ignore_module_conflict, true)

    unless File.regular?("mix.exs"), do: refuse("there is no mix.exs: this is not a Mix project")
    Code.compile_file("mix.exs")
    unless Mix.Project.get(), do: refuse("mix.exs defines no Mix project")

    config = Mix.Project.config()
    if Mix.Project.umbrella?(config), do: refuse("this is an umbrella project: choose one of its apps")
    Mix.Task.run("loadconfig")

    state = %{
      source: Path.expand(app, source),
      work: work,
      tree: tree,
      overlay:
        for({path, text} <- overlay, into: %{}, do: {tree |> Path.join(path) |> Path.relative_to(work), text}),
      app: config[:app],
      changed: [],
      signatures: %{},
      macros: %{},
      compiled: nil,
      consolidated: false,
      suite: nil,
      baseline: nil
    }

    link_built_dependencies(state, source)
    settle(state, compile_dependencies())
  end

  @doc """
  Writes `changes`, puts back what earlier ones changed, and compiles.
  The outcome says which files were compiled, with errors and warnings.
  """
  def compile(state, changes) do
    stop_application(state)
    previous = restore(state, changes)
    write(changes, state)
    full? = not state.consolidated or Enum.any?(Map.values(changes) ++ previous, &(&1 =~ @protocols))
    {status, diagnostics} = hurry(changes, fn -> run_compilers(full?, state) end)
    {errors, others} = Enum.split_with(diagnostics, &(&1.severity == :error))

    outcome = %{
      status: if(status == :error, do: :error, else: :ok),
      errors: diagnostics(errors, state),
      warnings: diagnostics(others, state)
    }

    {outcome, remember(state, Map.keys(changes), status != :error and (full? or state.consolidated))}
  end

  # A change runs once or twice: optimising it would take as long as all the rest of compiling it.
  defp hurry(changes, compile) when changes == %{}, do: compile.()

  defp hurry(_changes, compile) do
    {name, value} = @hurry
    before = System.get_env(name)
    System.put_env(name, before || value)

    try do
      compile.()
    after
      if before, do: System.put_env(name, before), else: System.delete_env(name)
    end
  end

  # What the test files may have to be loaded again for.
  defp remember(state, changed, consolidated?) do
    {files, modules} = Tracer.take_compiled()
    signatures = for module <- modules, into: %{}, do: {module, signature(module)}

    macros =
      for module <- modules, loaded?(module), into: %{}, do: {module, Macros.read(module, beam(module))}

    compiled = %{
      files: files,
      modules: modules,
      different: for({module, one} <- signatures, state.signatures[module] != one, do: module),
      different_macros: for({module, one} <- macros, state.macros[module] != one, do: module)
    }

    %{
      state
      | changed: changed,
        consolidated: consolidated?,
        compiled: compiled,
        signatures: Map.merge(state.signatures, signatures),
        macros: Map.merge(state.macros, macros)
    }
  end

  defp beam(module), do: Path.join(ebin(), "#{module}.beam")
  defp loaded?(module), do: Code.ensure_loaded?(module) and function_exported?(module, :__info__, 1)

  @doc "Writes a file that is not to be compiled: tests may read it."
  def show(state, path, text), do: replace(%{path => text}, state.work)

  @doc "Remembers files that may differ from those of the project."
  def touched(state, paths), do: %{state | changed: Enum.uniq(paths ++ state.changed)}

  @doc "Starts the project's application and those that it needs, as `mix test` does."
  def start_application(%{baseline: nil} = state) do
    before = started()
    Mix.Task.run("app.start", @arguments)

    # Listed the last one first, which is the order to stop them in. The logger stays: it is part of the VM's output.
    %{state | baseline: baseline((started() -- before) -- [:logger])}
  end

  def start_application(state) do
    {:ok, _} = Application.ensure_all_started(state.app)
    state
  end

  @doc """
  Stops the project's application and those that it needs, ends the processes that tests left behind, and puts application
  environments back.
  """
  def stop_application(%{baseline: nil}), do: :ok

  def stop_application(%{baseline: baseline}) do
    end_leftovers(baseline)
    %{level: level} = :logger.get_primary_config()
    :logger.set_primary_config(:level, :none)
    for app <- baseline.applications, do: Application.stop(app)
    :logger.set_primary_config(:level, level)

    for {app, before} <- baseline.environments, now = Application.get_all_env(app), now != before do
      for {key, _} <- now, not Keyword.has_key?(before, key), do: Application.delete_env(app, key)
      Application.put_all_env([{app, before}])
    end

    :ok
  end

  @doc "The folder of the project's compiled modules."
  def ebin, do: Mix.Project.compile_path()

  @doc "A path relative to the project, or `nil` for what is not in it."
  def relative(path, state) do
    path = Path.expand(path, state.work)
    relative = Path.relative_to(path, state.work)
    if relative != path and File.regular?(path), do: relative
  end

  @doc "Valid UTF-8 of bounded length."
  def text(binary) when is_binary(binary) do
    if String.valid?(binary), do: String.slice(binary, 0, @text_limit), else: text(inspect(binary))
  end

  @doc "Gives up on the request with an answer for the user."
  def refuse(message, diagnostics \\ []), do: throw({:refused, :project, text(message), diagnostics})

  @doc "The first of a compiler's diagnostics as plain data."
  def diagnostics(diagnostics, state) do
    # From Elixir 1.15 on, a module whose faults were told is one fault more, with no place.
    told = Enum.reject(diagnostics, &refers?/1)
    told = if told == [], do: diagnostics, else: told
    told |> Enum.take(@most_diagnostics) |> Enum.map(&diagnostic(&1, state))
  end

  defp refers?(%{message: message}), do: said(message) =~ @told_before
  defp refers?({_file, _position, message}), do: said(message) =~ @told_before

  @doc "A compiler's diagnostic as plain data; takes those of Mix and of the parallel compiler."
  def diagnostic(%{file: file, message: message} = diagnostic, state) do
    traces =
      for one <- diagnostic |> Compat.typing_traces() |> Enum.take(@most_traces),
          do: place(one.file, one.line, one.message, state)

    position = Map.get(diagnostic, :position)
    file |> place(position, message, state) |> Map.merge(%{column: column(position), traces: traces})
  end

  def diagnostic({file, position, message}, state),
    do: file |> place(position, message, state) |> Map.merge(%{column: column(position), traces: []})

  defp place(file, position, message, state) do
    file = if file, do: relative(file, state) || Path.basename(file), else: ""
    %{file: file, line: line(position), message: text(said(message))}
  end

  defp said(message) when is_binary(message), do: message
  defp said(message) when is_list(message), do: IO.chardata_to_string(message)
  defp said(message), do: inspect(message)

  @doc "The line of a position, or 0 if it can be none: macros give any number."
  def line(line) when is_integer(line) and line in 0..@most_lines, do: line
  def line(position) when is_tuple(position) and tuple_size(position) > 0, do: line(elem(position, 0))
  def line(_), do: 0

  # Before Elixir 1.15 there is none.
  defp column(position) when is_tuple(position) and tuple_size(position) > 1, do: line(elem(position, 1))
  defp column(_position), do: 0

  ## The copy

  # The folder of a project, without what is made from it.
  defp copy_project(source, work) do
    File.mkdir_p!(work)

    for name <- Enum.sort(File.ls!(source)), name not in @not_copied do
      copy(Path.join(source, name), Path.join(work, name))
    end

    for name <- @linked, File.dir?(Path.join(source, name)) do
      File.ln_s!(Path.join(source, name), Path.join(work, name))
    end
  end

  # A folder of projects, such as the apps of an umbrella, or anything else.
  defp copy(source, work) do
    projects = for name <- folder(source), File.regular?(Path.join([source, name, "mix.exs"])), do: name

    if projects == [] do
      copy_whole(source, work)
    else
      File.mkdir_p!(work)

      for name <- folder(source), paths = {Path.join(source, name), Path.join(work, name)} do
        {source, work} = paths
        if name in projects, do: copy_project(source, work), else: copy_whole(source, work)
      end
    end
  end

  defp folder(path) do
    case File.lstat!(path).type do
      :directory -> path |> File.ls!() |> Enum.sort()
      _ -> []
    end
  end

  defp copy_whole(source, work) do
    with {:error, reason, file} <- File.cp_r(source, work) do
      message = "#{Path.basename(file)} cannot be copied into the sandbox: #{:file.format_error(reason)}"
      throw({:refused, :io, message, []})
    end
  end

  # Answers what the files looked like that are put back.
  defp restore(state, changes) do
    for path <- state.changed, not Map.has_key?(changes, path) do
      before = File.read!(Path.join(state.work, path))

      case original(state, path) do
        {:ok, text} -> write(%{path => text}, state)
        {:error, _} -> File.rm(Path.join(state.work, path))
      end

      before
    end
  end

  @doc "The text of a file as the project has it."
  def original(state, path) do
    case state.overlay do
      %{^path => text} -> {:ok, text}
      _ -> File.read(Path.join(state.source, path))
    end
  end

  # Mix tells by modification times, in whole seconds, what has changed, and here a file changes many times a second.
  #
  # Before Elixir 1.17 it compares sources with its manifest: all is dated back once, the manifest to a moment later after each
  # compilation, and what is written since is newer. From 1.17 on it compares each source with the time that this source
  # had when it was compiled: each writing gets a time of its own, in the past, because Mix takes no time that is to come.
  # Erlang's compilers compare a source with what is made of it, so both are dated back after each compilation.
  defp settle(state, just_compiled?) do
    settled = System.os_time(:second) - if(just_compiled?, do: 0, else: 2)

    for name <- File.ls!(state.tree),
        name not in @not_copied,
        top = Path.join(state.tree, name),
        path <- [top | Path.wildcard(top <> "/**", match_dot: true)] do
      if File.lstat!(path).type == :regular, do: File.touch!(path, settled - @room)
    end

    Map.merge(state, %{settled: settled, writings: :counters.new(1, [])})
  end

  defp date_back(state) do
    config = Mix.Project.config()
    manifest = Path.join(Mix.Project.manifest_path(), "compile.elixir")
    erlang = Mix.Utils.extract_files([config[:erlc_include_path] | config[:erlc_paths]], @erlang)

    beams =
      for path <- erlang,
          Path.extname(path) == ".erl",
          do: Path.join(ebin(), Path.basename(path, ".erl") <> ".beam")

    for path <- [manifest | erlang ++ beams], File.regular?(path), do: File.touch!(path, state.settled)
  end

  defp write(changes, state) do
    {numbered, others} = Enum.split_with(changes, fn {path, _} -> numbered?(path) end)
    if others != [], do: wait_past(state.settled)
    replace(changes, state.work)

    for {path, _} <- numbered do
      :ok = :counters.add(state.writings, 1, 1)
      File.touch!(Path.join(state.work, path), state.settled - @room + :counters.get(state.writings, 1))
    end
  end

  if Version.match?(System.version(), ">= 1.17.0-dev") do
    defp numbered?(path), do: String.trim_leading(Path.extname(path), ".") not in @erlang
  else
    defp numbered?(_path), do: false
  end

  defp wait_past(second) do
    if System.os_time(:second) <= second do
      Process.sleep(20)
      wait_past(second)
    end
  end

  # The copy of a read-only file is read-only too.
  defp replace(changes, work) do
    for {path, text} <- changes do
      path = Path.join(work, path)
      File.mkdir_p!(Path.dirname(path))
      File.rm(path)
      File.write!(path, text)
    end
  end

  ## Dependencies

  # What the host has compiled for the test environment need not be compiled again, unless it is a dependency by path that has
  # changed since.
  defp link_built_dependencies(state, source) do
    built = Path.expand(Path.join(Mix.Project.build_path(), "lib"))
    by_path = for %{scm: Mix.SCM.Path} = dep <- Mix.Dep.cached(), do: dep

    case Path.relative_to(built, state.tree) do
      ^built ->
        :ok

      relative ->
        File.mkdir_p!(built)
        changed = for dep <- by_path, changed?(dep, Path.join(source, relative)), do: dep.app
        own = MapSet.new([state.app | changed], &Atom.to_string/1)
        names = source |> Path.join(relative) |> File.ls() |> names()

        for name <- names, name not in own do
          File.ln_s(Path.join([source, relative, name]), Path.join(built, name))
        end

        # It holds what was not built a moment ago.
        Mix.Dep.clear_cached()
    end
  end

  # Within a second nobody can tell. The folder itself is made for the sandbox, and its time says nothing.
  defp changed?(%{app: app, opts: opts}, built) do
    manifests = Path.wildcard(Path.join([built, "#{app}", ".mix", "compile.*"]), match_dot: true)
    sources = opts[:dest] |> File.ls() |> names() |> Enum.map(&Path.join(opts[:dest], &1))
    manifests == [] or newest(sources) >= newest(manifests)
  end

  defp newest(paths) do
    paths
    |> Enum.map(fn path ->
      # A link that leads into its own folder has no end.
      case File.lstat(path, time: :posix) do
        {:ok, %{type: :directory, mtime: time}} ->
          inside = path |> File.ls() |> names() |> Enum.map(&Path.join(path, &1))
          max(time, newest(inside))

        {:ok, %{mtime: time}} ->
          time

        # What cannot be looked at may be anything.
        {:error, _} ->
          @never_older
      end
    end)
    |> Enum.max(fn -> 0 end)
  end

  defp names({:ok, names}), do: names
  defp names({:error, _}), do: []

  # Answers whether any had to be compiled. Tools such as type checkers are no part of the program: tests do without them.
  defp compile_dependencies do
    {absent, present} = Enum.split_with(Mix.Dep.cached(), &match?({:unavailable, _}, &1.status))

    for %{app: app, opts: opts} = dep <- absent, Keyword.get(opts, :runtime, true) do
      if dep.scm == Mix.SCM.Path,
        do:
          refuse(
            "the dependency #{app} in #{opts[:path]} is not seen by the sandbox: allow its folder with allow_paths"
          ),
        else: refuse("the dependency #{app} is not there: run mix deps.get")
    end

    missing = for dep <- present, not File.dir?(Path.join(dep.opts[:build], "ebin")), do: dep
    if missing != [], do: compile_missing(missing)
    missing != []
  end

  # A compiler of its own may need what a sandbox does not have.
  defp compile_missing(missing) do
    left = compile_left(missing)
    needed = Enum.filter(left, &Keyword.get(&1.opts, :runtime, true))
    left = if needed != [] and needed != left, do: compile_left(needed), else: needed

    if left != [],
      do:
        refuse(
          "the dependencies #{Enum.map_join(left, ", ", & &1.app)} cannot be compiled in the sandbox: " <>
            "compile them once outside of it, with MIX_ENV=test mix deps.compile"
        )
  end

  # Those that are not compiled then.
  defp compile_left(deps) do
    Mix.Task.rerun("deps.compile", Enum.map(deps, &to_string(&1.app)))
    []
  catch
    # What it has to say of it, it has printed.
    :exit, {:shutdown, _code} ->
      Enum.reject(deps, &File.regular?(Path.join(&1.opts[:build], "ebin/#{&1.app}.app")))
  end

  ## Compiling

  # Consolidating protocols takes longer than compiling a file, so it is left out when no implementation can have changed.
  defp run_compilers(full?, state) do
    config = Mix.Project.config()
    compilers = config[:compilers] || Mix.compilers()

    for task <- ~w(compile compile.all compile.protocols) ++ Enum.map(compilers, &"compile.#{&1}") do
      Mix.Task.reenable(task)
    end

    if full?, do: hide_consolidated(Mix.Project.consolidation_path(config))
    arguments = if full?, do: @arguments, else: ["--no-protocol-consolidation" | @arguments]
    result = Mix.Task.run("compile", arguments)
    date_back(state)

    case result do
      {status, diagnostics} ->
        {status, Enum.reject(diagnostics, &(said(&1.message) =~ @consolidated))}

      _ ->
        {:ok, []}
    end
  end

  # As IEx does when it compiles again: the compiler must not see what was consolidated before.
  defp hide_consolidated(folder) do
    Code.delete_path(folder)
    forget_modules(folder)
  end

  defp forget_modules(folder) do
    for name <- folder |> File.ls() |> names() do
      module = name |> Path.rootname() |> String.to_atom()
      :code.purge(module)
      :code.delete(module)
    end
  end

  # What other files see of a module at compile time: its functions, macros and struct, and its documentation (doctests).
  defp signature(module) do
    if loaded?(module) do
      blank = if function_exported?(module, :__struct__, 0), do: module.__struct__()
      {Schemata.exports(module), module.__info__(:macros), blank, documentation(module)}
    end
  end

  defp documentation(module) do
    case Code.fetch_docs(module) do
      {:docs_v1, _, _, _, text, _, docs} ->
        :erlang.md5(:erlang.term_to_binary({text, for({id, _, _, doc, _} <- docs, do: {id, doc})}))

      {:error, _} ->
        nil
    end
  end

  ## Cleaning up between runs

  defp started, do: for({app, _, _} <- Application.started_applications(), do: app)

  defp baseline(applications) do
    environments =
      for {app, _, _} <- Application.loaded_applications(), app not in [:ex_unit, :kernel, :stdlib, :mix] do
        {app, Application.get_all_env(app)}
      end

    %{applications: applications, processes: MapSet.new(Process.list()), environments: environments}
  end

  # The end of a test has asked the processes linked to it to end: they get a moment to clean up. What an aborted
  # compilation leaves behind may be linked to this very process, which must not end with it.
  defp end_leftovers(baseline) do
    leftovers =
      for pid <- Process.list(),
          pid not in baseline.processes,
          not supervised?(pid, baseline),
          not of_application?(pid, baseline) do
        {pid, Process.monitor(pid)}
      end

    deadline = System.monotonic_time(:millisecond) + @moment_ms

    for {pid, monitor} <- leftovers do
      receive do
        {:DOWN, ^monitor, _, _, _} -> :ok
      after
        max(deadline - System.monotonic_time(:millisecond), 0) ->
          Process.unlink(pid)
          Process.exit(pid, :kill)
          receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))
      end
    end
  end

  defp of_application?(pid, baseline) do
    case :application.get_application(pid) do
      {:ok, app} -> app in baseline.applications
      :undefined -> false
    end
  end

  # Processes that a supervisor of the system or of a dependency has started since are left alone.
  defp supervised?(pid, baseline) do
    with {:dictionary, dictionary} <- Process.info(pid, :dictionary),
         [parent | _] <- dictionary[:"$ancestors"],
         parent = if(is_atom(parent), do: Process.whereis(parent), else: parent) do
      parent != self() and MapSet.member?(baseline.processes, parent)
    else
      _ -> false
    end
  end
end
