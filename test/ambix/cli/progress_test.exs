defmodule Ambix.CLI.ProgressTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.{Progress, Width}

  # The events with their times in milliseconds, and what is written until the end at `finish`.
  defp written(mode, events, finish, columns \\ 80) do
    {texts, state} =
      Enum.map_reduce(events, Progress.new(mode, columns), fn {event, now}, state ->
        Progress.event(state, event, now)
      end)

    {last, _} = Progress.finish(state, finish)
    IO.iodata_to_binary([texts, last])
  end

  defp at(phase, done, total, now), do: {%{phase: phase, done: done, total: total}, now}

  test "without a terminal a line comes every ten seconds, and at the end of what took long" do
    events = [
      at(:walk, 0, nil, 0),
      at(:read, 5, 10, 500),
      at(:read, 10, 10, 2400),
      at(:embed_chunks, 0, 40, 2500)
    ]

    events = events ++ for n <- 1..30, do: at(:embed_chunks, n, 40, 2500 + n * 1000)

    assert written(:lines, events, 32_600) == """
           read: 10 in 2.0 s
           embed chunks 10/40, 30.0 s left
           embed chunks 20/40, 20.0 s left
           embed chunks 30/40, 10.0 s left
           embed chunks: 30 in 30.1 s
           """
  end

  test "a bar is drawn at most ten times a second" do
    events = for n <- 0..1000, do: at(:read, n, 1000, n)
    text = written(:bar, events, 1000)
    assert (length(String.split(text, "\r")) - 1) in 8..13
  end

  test "work that is done at once shows no bar" do
    assert written(:bar, [at(:read, 0, 2, 0), at(:read, 2, 2, 50)], 60) == "\r\e[K"
  end

  test "the bar fits into the terminal and tells how long it still takes" do
    wide = written(:bar, [at(:read, 0, 100, 0), at(:read, 50, 100, 2000)], 2000)
    assert wide =~ "read ████████████░░░░░░░░░░░░ 50/100, 2.0 s left"
    narrow = written(:bar, [at(:read, 0, 100, 0), at(:read, 50, 100, 2000)], 2000, 20)
    [_, bar | _] = String.split(narrow, ["\r", "\e[K"])
    assert Width.of(bar) <= 19
  end

  test "a total of zero and more than the total are no trouble" do
    assert written(:bar, [at(:read, 0, 0, 0), at(:read, 0, 0, 500)], 600) =~ "read 0"
    assert written(:bar, [at(:read, 0, 5, 0), at(:read, 9, 5, 500)], 600) =~ String.duplicate("█", 24)
  end

  test "run hands over the events, shows them in order and returns the result" do
    test = self()
    write = fn text -> send(test, {:written, IO.iodata_to_binary(text)}) end

    assert Progress.run([mode: :bar, write: write], fn progress ->
             progress.(%{phase: :read, done: 0, total: 3})
             :result
           end) == :result

    assert_received {:written, "\r\e[K"}
  end

  test "quiet shows nothing, and a raise goes through" do
    test = self()
    write = fn text -> send(test, {:written, text}) end
    assert Progress.run([quiet: true, write: write], fn progress -> progress.(%{phase: :read}) end) == :ok
    refute_received {:written, _}
    assert_raise RuntimeError, fn -> Progress.run([mode: :lines, write: write], fn _ -> raise "no" end) end
  end
end
