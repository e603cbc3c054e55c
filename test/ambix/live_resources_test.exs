defmodule Ambix.LiveResourcesTest do
  # What lives is counted for the whole VM, so nothing else may run meanwhile.
  use ExUnit.Case, async: false

  import Ambix.Test.Wait

  alias Ambix.{Error, Index, Job, Native, Search}

  @moduletag :tmp_dir

  # What earlier tests left may still go, so a count that falls further is no mistake.
  defp freed?(kind, before), do: eventually(fn -> Map.fetch!(Native.live_resources(), kind) <= before end)

  defp in_a_process(work), do: work |> Task.async() |> Task.await(60_000)

  defp index(dir) do
    File.write!(Path.join(dir, "cart.ex"), "defmodule Cart do\n  def total(cart), do: Enum.sum(cart)\nend\n")
    {:ok, index} = Index.build(dir)
    index
  end

  test "jobs end when their owner ends" do
    before = Native.live_resources().jobs

    {pid, monitor} =
      spawn_monitor(fn ->
        Enum.each(1..3, fn _ -> {:ok, _} = Job.start(&Native.job_wait(&1, 60_000)) end)
      end)

    assert_receive {:DOWN, ^monitor, :process, ^pid, :normal}
    assert freed?(:jobs, before)
  end

  test "jobs leave nothing behind" do
    before = Native.live_resources().jobs
    in_a_process(fn -> Enum.each(1..1000, fn _ -> {:ok, _} = Job.run(&Native.job_wait(&1, 0), nil) end) end)
    assert freed?(:jobs, before)
  end

  test "a search for text ends with its owner, and when it is cancelled", %{tmp_dir: dir} do
    %{resource: resource} = index(dir)

    options = %{
      fixed: false,
      case: :smart,
      word: false,
      multiline: false,
      paths: [],
      languages: [],
      kinds: []
    }

    options = Map.merge(options, %{context: 0, per_file: nil, limit: 1, count: false})
    start = fn -> Job.start(&Native.index_grep(&1, resource, "cart", options)) end

    before = Native.live_resources().jobs

    in_a_process(fn ->
      # It waits behind these, so it has not begun when it is cancelled.
      for _ <- 1..40, do: {:ok, _} = Job.start(&Native.job_wait(&1, 600_000))
      {:ok, job} = start.()
      Job.cancel(job)
      assert {:error, %Error{kind: :cancelled}} = Job.await(job)
      {:ok, _} = start.()
    end)

    assert freed?(:jobs, before)
  end

  test "indexes are freed", %{tmp_dir: dir} do
    before = Native.live_resources().indexes
    in_a_process(fn -> Enum.each(1..20, fn _ -> index(dir) end) end)
    assert freed?(:indexes, before)
  end

  test "repairs are freed", %{tmp_dir: dir} do
    before = Native.live_resources().repairs

    in_a_process(fn ->
      %{resource: resource} = index(dir)
      report = %{runs: [], messages: "", failing: []}
      start = &Native.repair_start(&1, resource, report, %{file: nil, line: nil, outside: []}, 3)
      for _ <- 1..20, do: assert({:ok, {_repair, []}} = Job.run(start, nil))
    end)

    assert freed?(:repairs, before)
  end

  test "search trees are freed" do
    before = Native.live_resources().trees
    in_a_process(fn -> Enum.each(1..1000, fn _ -> Search.new!() end) end)
    assert freed?(:trees, before)
  end
end
