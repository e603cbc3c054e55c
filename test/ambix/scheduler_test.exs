defmodule Ambix.SchedulerTest do
  # Alone: what is measured is how this VM answers, not how busy the other tests keep it.
  use ExUnit.Case, async: false

  alias Ambix.{Index, Model, Models}

  # A process that does nothing but wake up: how late it wakes is how long a scheduler was kept from it.
  defp delays(until) do
    Stream.repeatedly(fn ->
      before = System.monotonic_time(:microsecond)
      receive(do: (:never -> :ok), after: (1 -> :ok))
      System.monotonic_time(:microsecond) - before - 1000
    end)
    |> Enum.reduce_while([], fn delay, delays ->
      if until.(), do: {:halt, delays}, else: {:cont, [delay | delays]}
    end)
  end

  test "no scheduler is kept while an index is built and a model writes" do
    {:ok, path} = Models.path("SmolLM2-135M-Instruct")
    {:ok, model} = Model.load(path)

    # Were a scheduler kept by native code, a wake-up would be as late as that takes: hundreds of milliseconds. Nine of ten
    # wake-ups are usually one to four milliseconds late, of which one is the timer's; a machine that does other work makes it
    # more, so the best of five rounds counts.
    assert Enum.any?(1..5, fn _ -> late(model) < 50_000 end)
  end

  # Microseconds that nine of ten wake-ups are late at the most while there is work.
  defp late(model) do
    work =
      Task.async(fn ->
        writing = Task.async(fn -> Model.generate(model, "Tell a story.", max_tokens: 60) end)
        for _ <- 1..3, do: {:ok, _} = Index.build(File.cwd!())
        {:ok, _} = Task.await(writing, 120_000)
      end)

    delays = delays(fn -> not Process.alive?(work.pid) end) |> Enum.sort()
    Task.await(work)
    assert length(delays) > 100
    Enum.at(delays, div(length(delays) * 9, 10))
  end
end
