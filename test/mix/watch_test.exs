defmodule Mix.Tasks.Ambix.WatchTest do
  # `mix ambix.watch` and `mix ambix.status` as a person starts them: a VM each, which need not compete with other tests.
  use ExUnit.Case, async: false

  import Ambix.Test.Wait

  alias Ambix.{Index, JSON}
  alias Ambix.Test.Command

  @moduletag :tmp_dir

  setup %{tmp_dir: tmp} do
    root = Path.join(tmp, "code")
    for name <- ~w(code/lib cache tmp), do: File.mkdir_p!(Path.join(tmp, name))
    File.write!(Path.join(root, "lib/cart.ex"), "defmodule Cart do\n  def empty(_), do: []\nend\n")

    env = %{
      "AMBIX_CACHE" => Path.join(tmp, "cache"),
      "TMPDIR" => Path.join(tmp, "tmp"),
      "LC_ALL" => "C.UTF-8"
    }

    store = Path.join(tmp, "my.index")
    %{root: root, store: store, words: ["--root", root, "--index", store], opts: [cd: tmp, env: env]}
  end

  defp watch(%{words: words, opts: opts}, more \\ []) do
    command = ["ambix.watch" | words ++ more] |> Command.mix() |> Command.start(opts)
    # It would not end by itself if the test fails.
    on_exit(fn ->
      for pid <- [command.pid | Command.descendants(command.pid)], do: Command.signal(pid, "KILL")
    end)

    {command, Command.await_output(command, ~r/^watching .*\n|"ready".*\n/m)}
  end

  test "a line for each update, until it is interrupted",
       %{root: root, words: words, opts: opts, store: store} = context do
    {command, ready} = watch(context)
    assert ready =~ "watching #{root}: 1 file, hears of changes\n"

    File.write!(
      Path.join(root, "lib/till.ex"),
      "defmodule Till do\n  def close(cart), do: Cart.empty(cart)\nend\n"
    )

    assert Command.await_output(command, "s\n") =~ ~r/^\d\d:\d\d:\d\d  lib\/till.ex  1 added  [\d.]+ [µm]s$/mu

    # It is saved a little later, for the other commands.
    wait_until(fn -> match?({:ok, %{state: :fresh}}, Index.Status.saved(root, store)) end)
    assert {output, 0} = Command.run(["ambix.status" | words], opts)
    assert output =~ ~r/^state +fresh$/m

    Command.signal(command.pid, "TERM")
    assert {output, 143} = Command.finish(command)
    assert output =~ "ambix: interrupted\n"
    assert File.ls!(Path.join(context.tmp_dir, "tmp")) == []
  end

  test "Ctrl-C ends it, and lines are objects with --json", %{root: root, opts: opts} = context do
    {command, ready} = watch(%{context | opts: [terminal: true] ++ opts}, ["--json", "--quiet", "--poll"])
    assert {:ok, %{"event" => "ready", "files" => 1, "watching" => "polling"}} = last_json(ready)
    File.write!(Path.join(root, "lib/till.ex"), "defmodule Till do\nend\n")
    assert {:ok, updated} = command |> Command.await_output(~r/"updated".*\n/) |> last_json()
    assert %{"added" => ["lib/till.ex"], "removed" => [], "changed" => [], "ms" => _} = updated

    Port.command(command.port, <<3>>)
    assert {output, 130} = Command.finish(command)
    assert output =~ "interrupted"
  end

  defp last_json(output) do
    output
    |> String.split(~r/\R/, trim: true)
    |> Enum.filter(&String.starts_with?(&1, "{"))
    |> List.last()
    |> JSON.decode()
  end

  # Of the task in this VM, which takes no second to start: its exit code and what it printed.
  defp status(words) do
    ExUnit.CaptureIO.with_io(fn ->
      ExUnit.CaptureIO.with_io(:stderr, fn ->
        try do
          Mix.Tasks.Ambix.Status.run(words) && 0
        catch
          :exit, {:shutdown, code} -> code
        end
      end)
    end)
    |> then(fn {{code, remarks}, output} -> {code, output <> remarks} end)
  end

  test "the exit code of the status tells whether the index is up to date", context do
    %{root: root, words: words, store: store} = context
    assert {3, output} = status(words)
    assert output =~ "there is no index of #{root}, run mix ambix.index"
    {:ok, _} = Index.open_or_build(root, index: store)
    before = File.read!(store)
    assert {0, _} = status(words)
    File.write!(Path.join(root, "lib/till.ex"), "defmodule Till do\nend\n")
    assert {3, output} = status(words)
    assert output =~ ~r/^state +stale$/m
    assert output =~ "differs: lib/till.ex"
    assert {3, output} = status(["--json" | words])
    assert {:ok, %{"state" => "stale", "differing" => ["lib/till.ex"], "files" => 1}} = JSON.decode(output)
    assert File.read!(store) == before

    # Of another folder it says nothing of this one.
    assert {3, output} = status(["--root", Path.join(root, "lib"), "--index", store])
    assert output =~ "there is no index"
    File.write!(store, "no index")
    assert {1, output} = status(words)
    assert output =~ ~r/^ambix: .*my.index/
  end
end
