defmodule Ambix.Index.FollowTest do
  # Watches are counted for the whole VM.
  use ExUnit.Case, async: false

  import Ambix.Test.Wait

  alias Ambix.{Error, Index, Native}

  @moduletag :tmp_dir
  @patience 20_000

  setup %{tmp_dir: tmp} do
    # Links on the way to it would be other names of it.
    root = Path.join(tmp, "code")
    for {path, text} <- files(), do: write(root, path, text)

    %{
      root: root,
      name: Module.concat(__MODULE__, "Code#{System.unique_integer([:positive])}"),
      store: Path.join(tmp, "code.ambix")
    }
  end

  defp files do
    [
      {"lib/apple.ex", "defmodule Apple do\n  def apple(x), do: x\nend\n"},
      {"lib/pear.ex", "defmodule Pear do\n  def pear(x), do: x\nend\n"},
      {"mix.exs", "defmodule Fruit.MixProject do\n  use Mix.Project\nend\n"}
    ]
  end

  defp write(root, path, text) do
    path = Path.join(root, path)
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
  end

  defp module(name), do: "defmodule #{String.capitalize(name)} do\n  def #{name}(x), do: x\nend\n"

  # The index is there, up to date, and heard of.
  defp follow(context, opts \\ []) do
    opts =
      Keyword.merge(
        [name: context.name, root: context.root, index: context.store, watch: true, quiet: 20, poll: 50],
        opts
      )

    start_supervised!({Index, opts}, id: context.name)
    :ok = Index.subscribe(context.name)
    {:ok, index} = Index.fetch(context.name, wait: @patience)
    await_fresh(context.name)
    flush(context.name)
    index
  end

  defp flush(name) do
    receive do
      {:ambix_index, ^name, _} -> flush(name)
    after
      0 -> :ok
    end
  end

  defp await_fresh(name), do: wait_until(fn -> match?({:ok, %{state: :fresh}}, Index.status(name)) end)

  # Waits until updates were told that together change exactly this: on a busy machine one may come as two.
  defp assert_updated(name, expected, so_far \\ %{}) do
    assert_receive {:ambix_index, ^name, %{event: :updated, changes: changes, ms: ms}}, @patience
    assert is_float(ms)

    now =
      for kind <- [:added, :changed, :removed], changes[kind] != [], into: so_far do
        {kind, Enum.uniq(Enum.sort(changes[kind] ++ Map.get(so_far, kind, [])))}
      end

    if now == expected, do: :ok, else: assert_updated(name, expected, now)
  end

  defp found(name, query) do
    # By meaning everything is near to something.
    {:ok, %{results: results}} = Index.search(name, query, mode: :lexical)
    # A module and its function are two places.
    results |> Enum.map(& &1.file) |> Enum.uniq()
  end

  # What two indexes tell, without where they are.
  defp told(index) do
    {:ok, info} = Index.info(index)
    answers = for query <- ~w(apple pear plum module), do: Index.search(index, query, limit: 1000)
    answers = for {:ok, answer} <- answers, do: answer.results
    # What it takes depends on how it came about; what it tells does not.
    {Map.drop(info, [:root, :memory]), answers, Index.diagnostics(index)}
  end

  defp assert_as_built(index, root) do
    {:ok, fresh} = Index.build(root)
    assert told(index) == told(fresh)
  end

  test "a file that is written, renamed or deleted is found by its new text alone",
       %{name: name, root: root} = context do
    index = follow(context)
    write(root, "lib/apple.ex", module("plum"))
    assert_updated(name, %{changed: ["lib/apple.ex"]})
    assert found(name, "plum") == ["lib/apple.ex"]
    assert found(name, "apple") == ["lib/apple.ex"], "by its path"

    File.rename!(Path.join(root, "lib/apple.ex"), Path.join(root, "lib/plum.ex"))
    assert_updated(name, %{added: ["lib/plum.ex"], removed: ["lib/apple.ex"]})
    assert found(name, "apple") == []

    File.rm!(Path.join(root, "lib/pear.ex"))
    assert_updated(name, %{removed: ["lib/pear.ex"]})
    assert found(name, "pear") == []
    assert {:ok, %{freshness: :fresh}} = Index.search(name, "plum")
    assert_as_built(index, root)
  end

  test "a file that an editor replaces is one change, and what it leaves aside is none",
       %{name: name, root: root} = context do
    follow(context)
    for aside <- ~w(lib/.apple.ex.swp lib/4913 lib/apple.ex~ lib/#apple.ex#), do: write(root, aside, "x")
    write(root, "lib/.apple.ex.new", module("plum"))
    File.rename!(Path.join(root, "lib/.apple.ex.new"), Path.join(root, "lib/apple.ex"))
    assert_updated(name, %{changed: ["lib/apple.ex"]})
    await_fresh(name)
    refute_received {:ambix_index, _, _}
  end

  test "folders come, move and go, with what is in them", %{name: name, root: root} = context do
    index = follow(context)
    write(root, "lib/deep/er/plum.ex", module("plum"))
    assert_updated(name, %{added: ["lib/deep/er/plum.ex"]})
    File.rename!(Path.join(root, "lib/deep"), Path.join(root, "lib/moved"))
    assert_updated(name, %{added: ["lib/moved/er/plum.ex"], removed: ["lib/deep/er/plum.ex"]})
    write(root, "lib/moved/er/plum.ex", module("cherry"))
    assert_updated(name, %{changed: ["lib/moved/er/plum.ex"]})
    assert found(name, "cherry") == ["lib/moved/er/plum.ex"]
    File.rm_rf!(Path.join(root, "lib/moved"))
    assert_updated(name, %{removed: ["lib/moved/er/plum.ex"]})
    assert_as_built(index, root)
  end

  test "what is ignored is none of its business, until the rules change",
       %{name: name, root: root} = context do
    write(root, "generated/plum.ex", module("plum"))
    index = follow(context)

    for path <- ~w(_build/a.ex deps/b/lib/b.ex node_modules/c.ex .hidden/d.ex),
        do: write(root, path, module("plum"))

    write(root, ".gitignore", "/generated\n")
    assert_updated(name, %{removed: ["generated/plum.ex"]})
    write(root, "generated/plum.ex", module("cherry"))
    await_fresh(name)
    assert found(name, "plum") == []
    refute_received {:ambix_index, _, _}

    write(root, ".gitignore", "")
    assert_updated(name, %{added: ["generated/plum.ex"]})
    write(root, "generated/plum.ex", module("plum"))
    assert_updated(name, %{changed: ["generated/plum.ex"]})
    assert_as_built(index, root)
  end

  test "links are not followed, and a file that becomes one is gone",
       %{name: name, root: root, tmp_dir: tmp} = context do
    index = follow(context)
    write(tmp, "outside/plum.ex", module("plum"))
    File.ln_s!(Path.join(tmp, "outside"), Path.join(root, "lib/outside"))
    File.rm!(Path.join(root, "lib/pear.ex"))
    File.ln_s!(Path.join(tmp, "outside/plum.ex"), Path.join(root, "lib/pear.ex"))
    assert_updated(name, %{removed: ["lib/pear.ex"]})
    write(tmp, "outside/plum.ex", module("cherry"))
    await_fresh(name)
    assert found(name, "plum") == []
    assert_as_built(index, root)
  end

  test "a branch of 500 files is one update", %{name: name, root: root} = context do
    git = fn args ->
      config =
        ~w(-c user.name=a -c user.email=a@example.com -c commit.gpgsign=false -c init.defaultBranch=main)

      {output, code} = System.cmd("git", config ++ args, cd: root, stderr_to_stdout: true)
      assert code == 0, output
    end

    for n <- 1..300, do: write(root, "lib/gen/m#{n}.ex", module("plum#{n}"))
    git.(~w(init -q))
    git.(~w(add -A))
    git.(~w(commit -q -m one))
    git.(~w(checkout -q -b other))
    for n <- 1..200, do: write(root, "lib/gen/m#{n}.ex", module("cherry#{n}"))
    for n <- 201..300, do: File.rm!(Path.join(root, "lib/gen/m#{n}.ex"))
    for n <- 1..200, do: write(root, "lib/new/n#{n}.ex", module("quince#{n}"))
    git.(~w(add -A))
    git.(~w(commit -q -m two))
    git.(~w(checkout -q main))

    index = follow(context)

    for {branch, added, removed} <- [{"other", 200, 100}, {"main", 100, 200}] do
      git.(["checkout", "-q", branch])
      assert_receive {:ambix_index, ^name, %{event: :updated, changes: changes}}, @patience

      assert {length(changes.added), length(changes.changed), length(changes.removed)} ==
               {added, 200, removed}

      await_fresh(name)
      refute_received {:ambix_index, _, _}
      assert_as_built(index, root)
    end
  end

  test "what is known to have changed is told as such until it is taken in",
       %{name: name, root: root} = context do
    follow(context, quiet: 60_000, max_delay: 60_000)
    write(root, "lib/apple.ex", module("plum"))
    # Until the server has heard of it, too: the saving of the first index may still go on.
    wait_until(fn -> match?({:ok, %{pending: 1}}, Index.status(name, verify: false)) end)
    assert {:ok, %{freshness: :updating}} = Index.search(name, "apple")
    assert {:ok, %{freshness: :updating, sections: [_ | _]}} = Index.context(name, "apple")
    assert found(name, "plum") == []

    assert {:ok, %{state: :updating, pending: 1, pending_ms: ms, differing: ["lib/apple.ex"]}} =
             Index.status(name)

    assert ms < 60_000
    assert {:ok, %{state: :updating}} = Index.status(name, verify: false)

    # Whoever cannot wait reads the folder.
    assert {:ok, %{changed: 1}} = Ambix.refresh(name)
    assert {:ok, %{state: :fresh}} = Index.status(name)
    assert {:ok, %{freshness: :fresh, results: [%{file: "lib/apple.ex"} | _]}} = Index.search(name, "plum")
  end

  describe "the status" do
    test "is never fresh when a file differs, at whatever moment it is asked",
         %{name: name, root: root} = context do
      follow(context)

      # Of one size, many within a tick of the clock.
      for n <- 100..160 do
        write(root, "lib/apple.ex", module("plum#{n}"))
        {:ok, status} = Index.status(name)
        {:ok, index} = Index.fetch(name)
        if status.state == :fresh, do: assert(Index.text(index, "lib/apple.ex") == {:ok, module("plum#{n}")})
        unless status.state == :fresh, do: assert(status.state == :updating)
      end

      await_fresh(name)
      assert found(name, "plum160") == ["lib/apple.ex"]
    end

    test "tells what is there and what is done", %{name: name, root: root, store: file} = context do
      follow(context)
      write(root, "lib/plum.ex", module("plum"))
      assert_updated(name, %{added: ["lib/plum.ex"]})
      await_fresh(name)
      assert {:ok, status} = Index.status(name)

      assert %{
               state: :fresh,
               pending: 0,
               differing: [],
               watching: :events,
               last_update: %{ms: ms, changes: %{added: 1, changed: 0}},
               files: 4,
               chunks: 7,
               vectors: 7,
               missing_vectors: 0,
               root: ^root,
               store: ^file,
               error: nil
             } = status

      assert ms > 0 and status.memory > 1_000_000 and status.store_bytes > 0
      assert {:ok, %{state: :fresh, differing: nil}} = Index.status(name, verify: false)
    end

    test "of an index that nobody follows is found out by a look at the files", %{root: root} do
      {:ok, index} = Index.build(root)
      assert {:ok, %{freshness: :unknown}} = Index.search(index, "apple")
      assert {:ok, %{state: :unknown}} = Index.status(index, verify: false)
      assert {:ok, %{state: :fresh, watching: nil, store: nil, files: 3}} = Index.status(index)

      # The size is the same, and so is the time, which is set.
      path = Path.join(root, "lib/apple.ex")
      time = File.stat!(path).mtime
      File.write!(path, String.replace(module("apple"), "apple", "mango"))
      File.touch!(path, time)
      write(root, "lib/plum.ex", module("plum"))
      File.rm!(Path.join(root, "lib/pear.ex"))
      assert {:ok, %{state: :stale, differing: differing}} = Index.status(index)
      assert differing == ["lib/apple.ex", "lib/pear.ex", "lib/plum.ex"]
      assert {:ok, _} = Index.update(index, paths: differing)
      assert {:ok, %{state: :fresh}} = Index.status(index)
      File.rm_rf!(root)
      assert {:ok, %{state: :stale, differing: nil}} = Index.status(index)
    end

    test "of an index that is kept and not followed needs a refresh", %{name: name, root: root} = context do
      follow(context, watch: false)
      write(root, "lib/plum.ex", module("plum"))
      assert {:ok, %{state: :stale, watching: nil, differing: ["lib/plum.ex"]}} = Index.status(name)
      assert {:ok, %{added: 1}} = Ambix.refresh(name)
      assert {:ok, %{state: :fresh}} = Index.status(name)
    end
  end

  test "polling does the same", %{name: name, root: root} = context do
    index = follow(context, watch: :poll)
    assert {:ok, %{watching: :polling}} = Index.status(name)
    write(root, "lib/apple.ex", module("plum"))
    File.rm!(Path.join(root, "lib/pear.ex"))
    assert_updated(name, %{changed: ["lib/apple.ex"], removed: ["lib/pear.ex"]})
    await_fresh(name)
    assert_as_built(index, root)
  end

  test "a folder that disappears leaves the last state, which says that it is stale",
       %{name: name, root: root} = context do
    follow(context)
    File.rename!(root, root <> ".away")
    assert_receive {:ambix_index, ^name, %{event: :failed, error: %Error{kind: :not_found}}}, @patience
    assert {:ok, %{freshness: :stale, results: [%{file: "lib/apple.ex"} | _]}} = Index.search(name, "apple")
    assert {:ok, %{state: :stale, watching: nil, error: %Error{kind: :not_found}}} = Index.status(name)

    write(root <> ".away", "lib/plum.ex", module("plum"))
    File.rename!(root <> ".away", root)
    assert_updated(name, %{added: ["lib/plum.ex"]})
    await_fresh(name)
    assert {:ok, %{freshness: :fresh, results: [%{file: "lib/plum.ex"} | _]}} = Index.search(name, "plum")
  end

  test "a saved index answers before it is up to date, and is saved again when it was quiet", context do
    %{name: name, root: root, store: file} = context
    {:ok, _} = Index.open_or_build(root, index: file)
    write(root, "lib/plum.ex", module("plum"))
    follow(context, save_after: 50)
    assert found(name, "plum") == ["lib/plum.ex"]
    write(root, "lib/cherry.ex", module("cherry"))
    assert_updated(name, %{added: ["lib/cherry.ex"]})

    wait_until(fn ->
      {:ok, saved} = Index.open(file)
      match?({:ok, %{results: [_ | _]}}, Index.search(saved, "cherry"))
    end)
  end

  test "the thread ends with the tree, with its owner, and with nobody else", %{name: name} = context do
    watches = fn -> Native.live_resources().watches end
    # Those of earlier tests take a moment to go.
    wait_until(fn -> watches.() == 0 end)
    index = follow(context)
    assert watches.() == 1

    # The server is started again, with another watch.
    server = Process.whereis(Index.Server.server(name))
    monitor = Process.monitor(server)
    Process.exit(server, :kill)
    assert_receive {:DOWN, ^monitor, :process, _, :killed}

    wait_until(fn ->
      match?({:ok, %{freshness: freshness}} when freshness != :fresh, Index.search(index, "apple"))
    end)

    wait_until(fn -> match?({:ok, %{state: :fresh}}, Index.status(name)) end)
    wait_until(fn -> watches.() == 1 end)

    stop_supervised!(name)
    wait_until(fn -> watches.() == 0 end)
    # Whoever holds the handle is told that nobody watches for it any more.
    assert {:ok, %{freshness: :stale}} = Index.search(index, "apple")
  end

  test "queries are answered while many files change", %{name: name, root: root} = context do
    index = follow(context)
    test = self()

    asking =
      spawn_link(fn ->
        ask = fn ask, asked ->
          {:ok, %{results: [_ | _], freshness: freshness}} = Index.search(name, "apple")
          assert freshness in [:fresh, :updating]

          receive do
            :stop -> send(test, {:asked, asked})
          after
            0 -> ask.(ask, asked + 1)
          end
        end

        ask.(ask, 1)
      end)

    for round <- 1..5, n <- 1..40, do: write(root, "lib/many/m#{n}.ex", module("plum#{round}"))
    await_fresh(name)
    send(asking, :stop)
    assert_receive {:asked, asked}, @patience
    assert asked > 5
    assert_as_built(index, root)
  end
end
