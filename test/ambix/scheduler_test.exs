defmodule Ambix.SchedulerTest do
  # Alone: what is measured is the work of this VM.
  use ExUnit.Case, async: false

  alias Ambix.{Index, Model, Models}
  alias Ambix.Test.Needs

  @moduletag skip:
               unless(File.dir?("/proc/self/task"), do: "the system does not tell what a thread has computed")

  # Who computes is counted, and not how late something is: that a machine with other work is late says nothing.
  test "indexes are not built on the schedulers that processes run on" do
    assert_elsewhere(fn -> for _ <- 1..3, do: {:ok, _} = Index.build(Path.join(File.cwd!(), "lib")) end)
  end

  @tag skip: Needs.model("SmolLM2-135M-Instruct")
  test "models are not computed on the schedulers that processes run on" do
    {:ok, path} = Models.path("SmolLM2-135M-Instruct")

    assert_elsewhere(fn ->
      {:ok, model} = Model.load(path)
      {:ok, _} = Model.generate(model, "Tell a story.", max_tokens: 150)
      model
    end)
  end

  defp assert_elsewhere(work) do
    before = computed()
    # A model's threads count as long as it lives.
    kept = Task.await(Task.async(work), 300_000)
    # Threads of other work may have ended meanwhile: of those no work counts.
    spent =
      for {thread, {ms, scheduler?}} <- computed(), do: {ms - elem(before[thread] || {0, nil}, 0), scheduler?}

    assert kept
    all = spent |> Enum.map(&elem(&1, 0)) |> Enum.sum()
    own = for({ms, true} <- spent, do: ms) |> Enum.sum()
    # Enough for the shares to mean something.
    assert all > 200
    assert own / all < 0.2, "schedulers computed for #{own} of #{all} ms"
  end

  # The threads that there are: the milliseconds that each has computed for, and whether it is a scheduler's.
  defp computed do
    for folder <- Path.wildcard("/proc/self/task/*"),
        {:ok, name} <- [File.read(Path.join(folder, "comm"))],
        {:ok, times} <- [File.read(Path.join(folder, "schedstat"))],
        into: %{} do
      ms = times |> String.split() |> hd() |> String.to_integer() |> div(1_000_000)
      # As OTP 25 names them, and as later ones do.
      {folder, {ms, name =~ ~r/^(\d+_scheduler|erts_sched_)/}}
    end
  end
end
