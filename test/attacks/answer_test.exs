defmodule Ambix.Attacks.AnswerTest do
  # Programs that want to be taken for something else by what they print, exit with or leave behind, or that print without end.
  use ExUnit.Case, async: true

  import Ambix.Test.{Attack, Wait}

  @moduletag timeout: 120_000

  @attacks [
    {"words of bubblewrap", "echo 'bwrap: Creating new namespace failed'; exit 1", [],
     exit: 1, says: "bwrap: "},
    {"words of bubblewrap, on standard error", "echo 'bwrap: x' >&2; exit 1", [], exit: 1},
    {"words of a VM without memory",
     "echo 'eheap_alloc: Cannot allocate 1 bytes of memory (of type \"heap\").'; exit 134", [], exit: 134},
    {"words of the launcher", "echo started; exec 7>/tmp/x; echo started >&7; exit 0", [], exit: 0},
    {"the exit status of too much processor time", "exit 152", [], exit: 152},
    {"the exit status of a signal", "exit 200", [], exit: 200},
    {"the exit status of a killed program", "exit 137", [], exit: 137},
    {"the greatest exit status", "exit 255", [], exit: 255},
    {"an exit status that is negative", {:perl, "exit -1"}, [], exit: 255},
    {"a signal of its own", "kill -9 $$", [], exit: 137},
    {"a signal as if of a limit", "kill -XCPU $$", [], exit: 152},
    {"a signal to all", "kill -9 -1; echo end", [], status: :exited},
    {"a signal to the first process", "kill -9 1; kill -TERM 1; kill -STOP 1; echo end", [], status: :exited},
    {"a signal to its parents",
     "for p in $(seq 1 20); do [ $p = $$ ] || kill -9 $p; done 2>/dev/null; echo end", [], status: :exited},
    {"a parent that is held still", {:perl, ~S|kill "STOP", getppid(); kill "STOP", 2; print "end"; exit 0|},
     [wall_clock_ms: 2_000], status: [:exited, :wall_clock]},
    {"a program that holds itself still", "kill -STOP $$; echo got", [wall_clock_ms: 1_500],
     status: :wall_clock},
    {"signals that it does not hear", "trap '' TERM INT HUP QUIT XCPU; while :; do :; done", [cpu_seconds: 1],
     status: :cpu},
    {"standard output closed", "exec >&- 2>&-; sleep 60", [wall_clock_ms: 1_500], status: :wall_clock},
    {"standard output left to another", "sleep 60 & echo end; exit 0", [wall_clock_ms: 5_000],
     exit: 0, says: "end"},
    {"standard input that is waited for", "cat; echo end", [], exit: 0, says: "end"},
    {"a flood", "yes", [], status: :output},
    {"a flood on standard error", "yes >&2", [], status: :output},
    {"a flood without a line", "cat /dev/zero", [], status: :output},
    {"a flood of bytes that are no text", {:perl, ~S|my $x = "\xff" x 65536; print $x while 1|},
     [output_kb: 8192], status: :output},
    {"a flood of bytes half of which are text", {:perl, ~S|my $x = "\xffa" x 65536; print $x while 1|},
     [output_kb: 8192], status: :output},
    {"a flood of letters that are cut off", {:perl, ~S|my $x = "\xf0\x9f\x98" x 65536; print $x while 1|},
     [output_kb: 8192], status: :output},
    {"a flood of letters that are too long",
     {:perl, ~S|my $x = "\xc0\x80\xed\xa0\x80" x 65536; print $x while 1|}, [output_kb: 8192],
     status: :output},
    {"a flood of single bytes", {:perl, ~S|syswrite(STDOUT, "x") while 1|}, [output_kb: 64], status: :output},
    {"a flood by many", "for i in 1 2 3 4 5 6 7 8; do yes $i & done; wait", [], status: :output},
    {"codes for a terminal", {:perl, ~S|print "\e]0;title\a\e[2J\e[31m\x{9b}31m"|}, [], exit: 0},
    {"text that is larger than its bytes", {:perl, ~S|print "\xff\n" x 40000|}, [output_kb: 80], exit: 0},
    {"a fork bomb of a shell", "f() { f | f & f; }; f", [wall_clock_ms: 1_500, processes: 30],
     status: [:wall_clock, :exited]},
    {"a fork bomb of another kind", {:perl, "fork while 1"}, [wall_clock_ms: 1_500, processes: 30],
     status: [:wall_clock, :exited]},
    {"children without a parent",
     {:perl,
      ~S|for (1 .. 200) { my $p = fork; last unless defined $p; if (!$p) { fork and exit; sleep 60; exit } } print "end"|},
     [processes: 40], status: :exited},
    {"children that nobody buries",
     {:perl, ~S|for (1 .. 500) { my $p = fork; last unless defined $p; exit unless $p } print "end"|},
     [processes: 40], says: "end"},
    {"programs that start themselves again",
     {:perl, ~S|exec "/usr/bin/perl", "-e", "exec '/usr/bin/yes', 'x' x 100"|}, [], status: :output},
    {"a program that is not there", {:perl, ~S|exec "/no/such/program"; exit 127|}, [], exit: 127},
    {"time that passes", "while :; do sleep 1; done", [wall_clock_ms: 1_000], status: :wall_clock}
  ]

  for attack <- @attacks do
    test elem(attack, 0) do
      check(unquote(Macro.escape(attack)))
    end
  end

  test "whatever it leaves running ends with it" do
    for {script, number} <-
          Enum.with_index([
            "setsid sh -c ': MARK; sleep 60' & exit 0",
            "(trap '' TERM HUP INT; exec perl -e 'sleep 60; # MARK') & exit 0",
            "sh -c 'sh -c \": MARK; sleep 60\" & exit' & exit 0",
            "nohup sh -c ': MARK; sleep 60' >/dev/null 2>&1 & exit 3"
          ]) do
      mark = "ambix-left-#{number}-#{System.unique_integer([:positive])}"
      check({mark, String.replace(script, "MARK", mark), [], status: :exited})
      assert processes(mark) == []
    end
  end
end
