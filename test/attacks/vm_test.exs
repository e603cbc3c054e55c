defmodule Ambix.Attacks.VmTest do
  # A BEAM that is driven to its limits, or that ends in an unusual way.
  use ExUnit.Case, async: true

  import Ambix.Test.Attack

  @moduletag timeout: 120_000

  @stopped [:exited, :memory, :cpu, :wall_clock, :output]

  @attacks [
    {"atoms", "for n <- Stream.iterate(0, &(&1 + 1)), do: String.to_atom(\"a\#{n}\")", [memory_mb: 256],
     status: @stopped},
    {"processes", "Process.flag(:trap_exit, true); f = fn f -> spawn(fn -> f.(f) end); f.(f) end; f.(f)",
     [wall_clock_ms: 4_000], status: @stopped},
    {"ports", "for _ <- 1..5000, do: Port.open({:spawn, \"sleep 100\"}, [])",
     [wall_clock_ms: 5_000, processes: 40], status: @stopped},
    {"a term without end",
     "x = Enum.reduce(1..3_000_000, [], fn _, x -> [x] end); IO.puts(:erlang.external_size(x) > 0)", [],
     status: @stopped},
    {"a term that is printed",
     "x = Enum.reduce(1..60, [1], fn _, x -> [x, x] end); IO.inspect(x, limit: :infinity)",
     [wall_clock_ms: 4_000], status: @stopped},
    {"a number without end", "Enum.reduce(1..100, 3, fn _, x -> x * x end)", [wall_clock_ms: 4_000],
     status: @stopped},
    {"a regular expression", "Regex.run(~r/^(a+)+$/, String.duplicate(\"a\", 40) <> \"b\")",
     [wall_clock_ms: 4_000], status: @stopped},
    {"a stop", "System.halt(0)", [], exit: 0},
    {"a stop with a number", "System.halt(200)", [], exit: 200},
    {"an orderly stop", ":init.stop(7); Process.sleep(5_000)", [], exit: 7},
    {"a restart", ":init.restart(); Process.sleep(:infinity)", [wall_clock_ms: 3_000], status: @stopped},
    {"an abort", ":erlang.halt(:abort)", [], exit: 134},
    {"an abort with words", ":erlang.halt(~c\"bwrap: no\")", [], status: :exited},
    {"the end of its own init",
     "Process.exit(Process.whereis(:init), :kill); Process.exit(Process.whereis(:kernel_sup), :kill); Process.sleep(:infinity)",
     [wall_clock_ms: 3_000], status: @stopped},
    {"standard output closed", "Process.exit(Process.group_leader(), :kill); IO.puts(1)",
     [wall_clock_ms: 3_000], status: @stopped},
    {"its own process group", "System.cmd(\"sh\", [\"-c\", \"kill -9 -1\"])", [], status: @stopped},
    {"a crash dump", ":erlang.halt(~c\"dump\", [{:flush, false}])", [], status: :exited},
    {"its own limits",
     "System.cmd(\"prlimit\", [\"--pid\", System.pid(), \"--data=unlimited\"]) |> IO.inspect()", [],
     says: "Operation not permitted"},
    {"a scheduler that never returns",
     "for _ <- 1..4, do: spawn(fn -> :lists.seq(1, 100_000_000) |> Enum.sum() end); :binary.matches(:binary.copy(\"a\", 50_000_000), \"b\")",
     [wall_clock_ms: 4_000], status: @stopped},
    {"code that is compiled without end",
     "defmodule X do for n <- 1..1_000_000, do: def(unquote(:\"f\#{n}\")(), do: unquote(n)) end",
     [wall_clock_ms: 4_000], status: @stopped}
  ]

  for {id, code, limits, expected} <- @attacks do
    test id do
      check({unquote(id), {:elixir, unquote(code)}, unquote(limits), unquote(Macro.escape(expected))})
    end
  end

  test "a crash leaves no dump" do
    script = "elixir -e ':erlang.halt(~c\"end\")'; echo \"exit $?\"; ls -A /tmp"
    check({"crash dump", script, [wall_clock_ms: 60_000], says: "exit 1", never: "erl_crash"})
  end
end
