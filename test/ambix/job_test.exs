defmodule Ambix.JobTest do
  # Lanes of jobs are those of the whole VM, and these tests fill them.
  use ExUnit.Case, async: false

  import Ambix.Test.Wait

  alias Ambix.{Error, Job, Native}

  # A process that begins something, says so, and then lives until the test ends.
  defp owner(begin) do
    test = self()

    pid =
      spawn(fn ->
        send(test, {self(), begin.()})
        Process.sleep(:infinity)
      end)

    on_exit(fn -> Process.exit(pid, :kill) end)
    assert_receive {^pid, _begun}
    pid
  end

  defp hang(lane, milliseconds), do: Job.start(&Native.job_hang(&1, lane, milliseconds))

  test "answer by message" do
    assert {:ok, job} = Job.start(&Native.job_wait(&1, 1))
    assert Job.await(job) == {:ok, 1}
  end

  test "can be cancelled" do
    assert {:ok, job} = Job.start(&Native.job_wait(&1, 60_000))
    assert Job.cancel(job) == :ok
    assert {:error, %Error{kind: :cancelled}} = Job.await(job)
  end

  test "are awaited by the process that started them only" do
    assert {:ok, job} = Job.start(&Native.job_wait(&1, 1))
    assert {:error, %Error{kind: :invalid_argument}} = Task.await(Task.async(fn -> Job.await(job) end))
    assert Job.await(job) == {:ok, 1}
  end

  for {how, call} <- [raise: quote(do: raise("no")), throw: quote(do: throw(:no)), exit: quote(do: exit(:no))] do
    @tag :tmp_dir
    test "whose events nobody can take (#{how}) are cancelled and leave no message", %{tmp_dir: dir} do
      File.write!(Path.join(dir, "a.ex"), "defmodule A do\nend\n")

      start =
        &Native.index_build(&1, dir, %{max_file_bytes: nil, max_memory: nil, nested_repositories: false})

      assert {:ok, job} = Job.start(start)
      assert {_, _} = catch_all(fn -> Job.await(job, fn _event -> unquote(call) end) end)
      refute_received _
    end
  end

  defp catch_all(fun) do
    fun.()
  catch
    kind, reason -> {kind, reason}
  end

  describe "of one process" do
    test "do not keep those of another waiting, however many they are" do
      owner(fn -> for _ <- 1..100, do: {:ok, _} = Job.start(&Native.job_wait(&1, 600_000)) end)
      {microseconds, result} = :timer.tc(fn -> Job.run(&Native.job_wait(&1, 1), nil) end)
      assert result == {:ok, 1}
      # Less than that after which work that hangs is replaced: nothing had to be.
      assert microseconds < 8_000_000
    end

    test "take turns with those of others" do
      greedy = fn -> for _ <- 1..200, do: {:ok, _} = Job.start(&Native.job_wait(&1, 20)) end
      for _ <- 1..3, do: owner(greedy)
      # Behind 600 jobs this would take two seconds and more; by turns it is behind three.
      assert {microseconds, {:ok, 1}} = :timer.tc(fn -> Job.run(&Native.job_wait(&1, 1), nil) end)
      assert microseconds < 1_500_000
    end

    test "have a ceiling, and those of others are taken still" do
      test = self()

      owner(fn ->
        started = for _ <- 1..1100, do: Job.start(&Native.job_wait(&1, 600_000))
        send(test, {:refused, for({:error, error} <- started, do: error)})
      end)

      assert_receive {:refused, [%Error{kind: :limit, message: message} | _] = refused}
      assert message =~ "too many jobs of this process"
      assert length(refused) in 50..76
      assert Job.run(&Native.job_wait(&1, 1), nil) == {:ok, 1}
    end

    test "that wait answer when they are cancelled" do
      for _ <- 1..20, do: {:ok, _} = Job.start(&Native.job_wait(&1, 600_000))
      {:ok, job} = Job.start(&Native.job_wait(&1, 600_000))
      Job.cancel(job)
      assert {:error, %Error{kind: :cancelled}} = Job.await(job)
    end

    test "that wait go with it" do
      before = Native.live_resources().jobs
      pid = owner(fn -> for _ <- 1..500, do: {:ok, _} = Job.start(&Native.job_wait(&1, 600_000)) end)
      Process.exit(pid, :kill)
      assert eventually(fn -> Native.live_resources().jobs <= before end)
    end
  end

  describe "that hang" do
    test "do not touch other kinds of work" do
      for _ <- 1..4, do: owner(fn -> for _ <- 1..20, do: {:ok, _} = hang(:build, 3_000) end)
      {microseconds, result} = :timer.tc(fn -> Job.run(&Native.job_wait(&1, 1), nil) end)
      assert result == {:ok, 1}
      assert microseconds < 2_000_000
    end

    test "and do not stop when they are cancelled give their threads to others" do
      # More than there are threads, of processes that are gone.
      threads = max(System.schedulers_online(), 4)

      for _ <- 1..threads,
          do: in_a_process(fn -> for _ <- 1..2, do: {:ok, _} = hang(:model, 9_000) end)

      # In the same lane, and long before the first of them ends.
      {microseconds, result} = :timer.tc(fn -> Job.run(&Native.job_hang(&1, :model, 1), nil) end)
      assert result == {:ok, 1}
      assert microseconds < 7_000_000
    end
  end

  defp in_a_process(work), do: work |> Task.async() |> Task.await()
end
