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
    now = computed()
    assert kept
    {own, all} = {now.schedulers - before.schedulers, now.all - before.all}
    # Enough for the shares to mean something.
    assert all > 200
    assert own / all < 0.2, "schedulers computed for #{own} of #{all} ms"
  end

  # Milliseconds that the schedulers, and all threads that there are, have computed for. Threads that ended are not counted.
  defp computed do
    for folder <- Path.wildcard("/proc/self/task/*"),
        {:ok, name} <- [File.read(Path.join(folder, "comm"))],
        {:ok, times} <- [File.read(Path.join(folder, "schedstat"))],
        reduce: %{schedulers: 0, all: 0} do
      sums ->
        ms = times |> String.split() |> hd() |> String.to_integer() |> div(1_000_000)
        sums = %{sums | all: sums.all + ms}
        # As OTP 25 names them, and as later ones do.
        if name =~ ~r/^(\d+_scheduler|erts_sched_)/,
          do: %{sums | schedulers: sums.schedulers + ms},
          else: sums
    end
  end
end
