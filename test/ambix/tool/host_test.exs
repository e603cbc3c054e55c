defmodule Ambix.Tool.HostTest do
  use ExUnit.Case, async: false

  import Ambix.Test.Wait

  alias Ambix.{Error, Index, Tool}
  alias Ambix.Test.ToolProject
  alias Ambix.Tool.{Call, Host, Read, Relations, Search}

  @moduletag :tmp_dir

  setup %{tmp_dir: tmp} do
    Ambix.Test.Setup.put_env(%{"AMBIX_CACHE" => Path.join(tmp, "cache")})

    {:ok, root: ToolProject.write(tmp)}
  end

  defp ask(host, tool, arguments), do: Tool.call(tool, arguments, %Call{host: host})

  test "follows the folder, and reads dependencies at the first need", %{root: root} do
    {:ok, host} = Host.open(root, name: __MODULE__.Followed, elixir: false, wait: 30_000)

    assert {:ok, answer} = ask(host, Relations, %{"relation" => "callers", "of" => "Shop.Tax.with_tax/1"})
    assert [%{"symbol" => "Shop.Cart.total/1"}] = answer.data["results"]
    assert wait_until(fn -> Host.status(host, %{})["state"] == "fresh" end)
    assert Host.remark(Host.status(host, %{})) == nil

    assert {:ok, answer} = ask(host, Read, %{"targets" => ["Tea.brew/1"], "deps" => true})
    assert answer.text =~ "Pours hot water"

    File.write!(Path.join(root, "lib/shop/new.ex"), "defmodule Shop.New do\n  def fresh_one, do: 1\nend\n")

    wait_until(fn ->
      {:ok, answer} = ask(host, Search, %{"query" => "Shop.New.fresh_one/0", "kind" => "name"})
      Enum.any?(answer.data["results"], &(&1["symbol"] == "Shop.New.fresh_one/0"))
    end)

    # What the lock says of a dependency is part of the name of its files.
    File.write!(
      Path.join(root, "mix.lock"),
      ~s(%{"tea": {:hex, :tea, "1.3.10", "0a", [:mix], [], "hexpm", "0b"}}\n)
    )

    assert {:ok, answer} = ask(host, Search, %{"query" => "Tea.brew/1", "deps" => true})
    assert answer.text =~ "tea-1.3.10/lib/tea.ex"

    assert {:error, %Error{kind: :locked}} = Host.open(root, name: __MODULE__.Followed)
  end

  test "answers while the index is being built, and says so", %{root: root} do
    name = __MODULE__.Slow
    host = %{Host.of(root: root, name: name, wait: 20) | index: name}
    test = self()

    work = fn
      :open, _index, _encoder ->
        send(test, {:building, self()})
        receive(do: (:go -> Index.open_last(root, [])))

      {:update, _, _}, index, _encoder ->
        Index.take_in(index, nil, nil, nil)

      :embed, _index, _encoder ->
        {:ok, 0}

      :save, _index, _encoder ->
        :ok
    end

    tasks = start_supervised!(Task.Supervisor)

    start_supervised!(
      {Index.Server, name: name, root: root, tasks: tasks, work: work, watch: false, index: nil}
    )

    assert_receive {:building, worker}, 5_000

    for {tool, arguments} <- [
          {Search, %{"query" => "where is tax added"}},
          {Relations, %{"relation" => "callers", "of" => "Shop.Tax.with_tax/1"}}
        ] do
      assert {:ok, answer} = ask(host, tool, arguments)
      assert answer.data["results"] == [] and answer.data["status"]["state"] == "building"
      assert answer.text =~ "being built" and answer.text =~ "ask again"
    end

    # A file can be read all the same.
    assert {:ok, answer} = ask(host, Read, %{"targets" => ["lib/shop/tax.ex:2"]})
    assert answer.text =~ "@rate 19" and answer.text =~ "being built"
    assert {:error, %Error{message: message}} = ask(host, Read, %{"targets" => ["Shop.Tax"]})
    assert message =~ "ask again"
    assert {:error, %Error{}} = ask(host, Read, %{"targets" => ["../cache"]})

    send(worker, :go)

    wait_until(fn ->
      # On a busy machine the index may be there and not answer in the time that this host waits.
      case ask(host, Relations, %{"relation" => "callers", "of" => "Shop.Tax.with_tax/1"}) do
        {:ok, answer} -> length(answer.data["results"]) == 1
        {:error, %Error{kind: :timeout}} -> false
      end
    end)
  end

  test "says how far the dependencies are while they are read", %{root: root} do
    status = %{"state" => "fresh", "packages" => %{"phase" => :packages, "done" => 3, "total" => 40}}
    assert Host.remark(status) =~ "dependencies are being read (3 of 40)"

    {:ok, host} = Host.open(root, name: __MODULE__.Dependencies, elixir: false, wait: 30_000)
    {:ok, _} = Host.index(host)
    hasty = %{host | wait: 0}

    assert {:error, %Error{message: message}} =
             ask(hasty, Read, %{"targets" => ["Tea.brew/1"], "deps" => true})

    assert message =~ "dependencies are being read" and message =~ "ask again"
    assert {:ok, %Ambix.Packages{}} = Host.packages(host)
    # The second time nothing is waited for.
    assert {:ok, %Ambix.Packages{}} = Host.packages(%{host | wait: 0})
  end

  test "what cannot be opened is said", %{tmp_dir: tmp, root: root} do
    assert {:error, %Error{kind: :not_found}} = Host.open(Path.join(tmp, "nowhere"), name: __MODULE__.Nowhere)

    assert {:error, %Error{kind: :invalid_argument}} =
             Host.open(Path.join(root, "mix.exs"), name: __MODULE__.AFile)

    host = Host.of(root: root, name: __MODULE__.NeverStarted, wait: 10)
    assert {:error, %Error{kind: :unavailable}} = ask(host, Search, %{"query" => "Shop.Cart"})

    {:ok, index} = Index.build(root)
    host = %{Host.new(index) | packages: __MODULE__.NeverStarted}
    assert {:error, %Error{kind: :unavailable}} = ask(host, Search, %{"query" => "Shop.Cart", "deps" => true})
  end
end
