defmodule Mix.Tasks.Ambix.InterruptTest do
  # Every command, ended in its middle. None may go on, leave a process or a temporary file, or end with 0.
  use ExUnit.Case, async: false

  import Ambix.Test.Wait

  alias Ambix.{Index, Models}
  alias Ambix.Sandbox.Fixture
  alias Ambix.Test.Command

  @demo Path.expand("../../scripts/demo.exs", __DIR__)

  # The names of sockets have a limit, so the folder has a short one.
  setup do
    folder = Path.join(System.tmp_dir!(), "ali-#{System.pid()}-#{System.unique_integer([:positive])}")
    for name <- ~w(code tmp cache bin), do: File.mkdir_p!(Path.join(folder, name))
    on_exit(fn -> File.rm_rf!(folder) end)

    File.write!(
      Path.join(folder, "code/till.ex"),
      "defmodule Till do\n  def close(cart), do: Cart.empty(cart)\nend\n"
    )

    File.write!(Path.join(folder, "code/cart.ex"), "defmodule Cart do\n  def empty(_), do: []\nend\n")

    env = %{
      "TMPDIR" => Path.join(folder, "tmp"),
      "AMBIX_CACHE" => Path.join(folder, "cache"),
      "PATH" => Path.join(folder, "bin") <> ":" <> System.get_env("PATH"),
      "LC_ALL" => "C.UTF-8"
    }

    %{folder: folder, env: env, code: Path.join(folder, "code"), opts: [cd: folder, env: env]}
  end

  # The command is in its middle. Ends it, and looks at what is left.
  defp interrupt(command, %{folder: folder}, signal \\ "TERM") do
    started = Command.descendants(command.pid)
    before = System.monotonic_time(:millisecond)
    Command.signal(command.pid, signal)
    ended = Command.finish(command)
    assert System.monotonic_time(:millisecond) - before < 5_000
    wait_until(fn -> not Enum.any?(started, &Command.alive?/1) end)
    wait_until(fn -> File.ls!(Path.join(folder, "tmp")) == [] end)
    left = Path.wildcard(Path.join(folder, "**/{.pull-*,*.tmp,*.new}"), match_dot: true)
    assert left == []
    ended
  end

  defp assert_interrupted({output, code}, expected \\ 143) do
    assert code == expected
    # Something may be printed until the end, and what was printed before need not have ended its line.
    assert [_, _] = String.split(output, "ambix: interrupted\n")
  end

  defp link_models(%{folder: folder}) do
    File.ln_s!(Path.join(Models.cache_dir(), "models"), Path.join(folder, "cache/models"))
  end

  # A project with a test that never ends.
  defp hanging do
    Fixture.create(%{
      "test/other_test.exs" => """
      defmodule Tiny.OtherTest do
        use ExUnit.Case
        @tag timeout: :infinity
        test "hangs", do: Process.sleep(:infinity)
      end
      """
    })
  end

  defp contents(root), do: for(path <- Path.wildcard(Path.join(root, "**")), do: {path, File.read(path)})

  # Saving an index waits for others to have saved theirs, here for one that never does.
  for words <- [
        ~w(ambix.index),
        ~w(ambix.search cart),
        ~w(ambix.context cart),
        ~w(ambix.graph export --out edges.jsonl)
      ] do
    test "mix #{Enum.join(words, " ")}", %{folder: folder, code: code, opts: opts} = context do
      index = Path.join(folder, "my.index")
      words = unquote(words) ++ ["--root", code, "--index", index]
      {:ok, _} = Index.open_or_build(code, index: index)
      before = File.read!(index)

      File.write!(Path.join(code, "new.ex"), "defmodule New do\n  def zebra, do: 1\nend\n")

      holder =
        Port.open({:spawn_executable, System.find_executable("flock")}, args: [index <> ".lock", "cat"])

      {:os_pid, pid} = Port.info(holder, :os_pid)
      wait_until(fn -> Command.descendants(pid) != [] end)

      command = words |> Command.mix() |> Command.start(opts)
      Command.await_open(command, index <> ".lock")
      command |> interrupt(context) |> assert_interrupted()
      assert File.read!(index) == before

      Port.close(holder)
      assert {output, 0} = Command.run(words ++ ["--json"], opts)
      assert output =~ ~r/^[{\[]/m
      {:ok, reopened} = Index.open(index)
      assert {:ok, %{results: [%{file: "new.ex"} | _]}} = Index.search(reopened, "zebra")
    end
  end

  test "mix ambix.ask", %{code: code, opts: opts} = context do
    link_models(context)
    words = ~w(ambix.ask how is a cart emptied --max-tokens 4000 --root) ++ [code]
    command = words |> Command.mix() |> Command.start(opts)
    Command.await_output(command, ~r/\w+ \w+ \w+/)
    command |> interrupt(context) |> assert_interrupted()
  end

  for {words, signal, code} <- [
        {~w(ambix.fix), "TERM", 143},
        {~w(ambix.fix --apply --json), "TERM", 143},
        {~w(ambix.fix), "KILL", 137}
      ] do
    test "mix #{Enum.join(words, " ")}, SIG#{signal}", %{opts: opts} = context do
      root = hanging()
      before = contents(root)
      command = (unquote(words) ++ ["--root", root]) |> Command.mix() |> Command.start(opts)
      Command.await_program(command, "AMBIX_SOCKET")
      command |> interrupt(context, unquote(signal)) |> assert_interrupted(unquote(code))
      assert contents(root) == before
    end
  end

  test "mix ambix.graph export --trace", %{opts: opts} = context do
    root = Fixture.create(%{"lib/slow.ex" => "Process.sleep(:infinity)"})
    words = ["ambix.graph", "export", "--trace", "--out", "edges.jsonl", "--root", root]
    command = words |> Command.mix() |> Command.start(opts)
    Command.await_program(command, "Tracer.main()")
    command |> interrupt(context) |> assert_interrupted()
    refute File.exists?(Path.join(context.folder, "edges.jsonl"))
  end

  test "mix ambix.eval", %{folder: folder, opts: opts} = context do
    link_models(context)

    problem = %{
      name: "slow",
      prompt: "# Nothing\n",
      tests: "Process.sleep(:infinity)",
      stop_tokens: ["\n", " ", "a", "e", "d"]
    }

    File.write!(Path.join(folder, "in.jsonl"), [Ambix.JSON.encode!(problem), "\n"])
    command = ~w(ambix.eval programs in.jsonl --out out.jsonl) |> Command.mix() |> Command.start(opts)
    # It asks first whether there are sandboxes at all.
    wait_until(fn -> File.exists?(Path.join(folder, "out.jsonl.part")) end)
    Command.await_program(command, "bwrap")
    command |> interrupt(context) |> assert_interrupted()
    assert File.read!(Path.join(folder, "out.jsonl.part")) == ""
  end

  for {signal, code} <- [TERM: 143, KILL: 137] do
    test "mix ambix.models pull, SIG#{signal}", %{folder: folder, opts: opts} = context do
      # A pip that never comes to its end, and has a process of its own.
      python = Path.join(folder, "bin/python3")

      File.write!(python, """
      #!/bin/sh
      if [ "$3" = --version ]; then exit 0; fi
      while [ $# -gt 4 ]; do shift; done
      mkdir -p "$2"
      echo part > "$2/part"
      sleep 1000 &
      sleep 2000
      """)

      File.chmod!(python, 0o755)
      command = ~w(ambix.models pull) |> Command.mix() |> Command.start(opts)
      Command.await_program(command, "sleep 2000")
      command |> interrupt(context, unquote(to_string(signal))) |> assert_interrupted(unquote(code))
      assert Path.wildcard(Path.join(folder, "cache/models/*"), match_dot: true) == []
    end
  end

  test "the demo", %{opts: opts} = context do
    command = @demo |> Command.script([hanging()]) |> Command.start(opts)
    Command.await_program(command, "AMBIX_SOCKET")
    command |> interrupt(context) |> assert_interrupted()
  end

  describe "Ctrl-C in a terminal" do
    setup %{env: env} = context do
      root = hanging()

      start = fn env ->
        command =
          ["ambix.fix", "--root", root]
          |> Command.mix()
          |> Command.start(terminal: true, cd: context.folder, env: env)

        Command.await_program(command, "AMBIX_SOCKET")
        command
      end

      press = &Port.command(&1.port, <<3>>)
      %{env: env, press: press, start: start}
    end

    defp assert_nothing_left(started, %{folder: folder}) do
      wait_until(fn -> not Enum.any?(started, &Command.alive?/1) end)
      wait_until(fn -> File.ls!(Path.join(folder, "tmp")) == [] end)
    end

    # In any way that the VM was told to take it.
    for options <- ["", "+Bd", "+Bi"] do
      test "ends the command, with `#{options}`", %{env: env} = context do
        command = context.start.(Map.put(env, "ELIXIR_ERL_OPTIONS", unquote(options)))
        started = Command.descendants(command.pid)
        context.press.(command)
        assert {output, 130} = Command.finish(command)
        assert output =~ "interrupted"
        refute output =~ "BREAK"
        assert_nothing_left(started, context)
      end
    end

    test "has a neighbour that ends every command, Ctrl-\\", context do
      command = context.start.(context.env)
      started = Command.descendants(command.pid)
      Port.command(command.port, <<28>>)
      assert {output, 131} = Command.finish(command)
      assert output =~ "interrupted"
      assert_nothing_left(started, context)
    end
  end
end
