defmodule Ambix.Attacks.MemoryTest do
  # Memory of every kind that a process can get hold of, with a control group where there is one, and without.
  use ExUnit.Case, async: true

  import Ambix.Test.Attack

  @moduletag timeout: 120_000

  # 16 MB at a time, which the kernel writes into what is mapped.
  @zero_device """
  open(my $z, "+<", "/dev/zero") or die;
  for my $n (1 .. 256) {
    my $a = syscall(#{call(9, 222)}, 0, 16 << 20, 3, 1, fileno($z), 0);
    last if $a == -1;
    syscall(#{call(0, 63)}, fileno($z), $a, 16 << 20);
    print "held ", 16 * $n, "\n"
  }
  sleep 5
  """

  @attacks [
    # Each is another text, since perl keeps equal ones once.
    {"strings",
     {:perl,
      ~S|my @a; my $n = 0; while (1) { push @a, chr(65 + $n % 50) x (8 << 20); $n += 8; print "held $n\n" }|},
     [], status: [:memory, :exited], held: 400},
    {"one enormous string", {:perl, ~S|my $x = "x" x (3 << 30); print "held 3000\n"|}, [],
     status: [:memory, :exited], held: 0},
    {"a heap of lists",
     {:elixir, "Process.flag(:max_heap_size, 0); Enum.reduce(Stream.cycle([1]), [], &[&1 | &2])"}, [],
     status: :memory},
    {"binaries", {:elixir, "Enum.reduce(Stream.cycle([1_000_000]), [], &[:binary.copy(<<1>>, &1) | &2])"}, [],
     status: :memory},
    {"a table",
     {:elixir,
      "t = :ets.new(:t, []); for n <- Stream.iterate(0, &(&1 + 1)), do: :ets.insert(t, {n, :binary.copy(<<1>>, 9_000)})"},
     [], status: :memory},
    {"messages that nobody reads",
     {:elixir,
      "p = spawn(fn -> Process.sleep(:infinity) end); for n <- Stream.cycle([1]), do: send(p, Enum.to_list(1..1000) ++ [n])"},
     [], status: [:memory, :exited, :cpu, :wall_clock]},
    {"many processes that each hold some",
     ~S|for i in 1 2 3 4 5 6 7 8 9; do perl -e 'my $x = "x" x (30 << 20); sleep 20' & done; wait|, [],
     status: :memory},
    {"shared anonymous memory",
     {:perl,
      "my $a = syscall(#{call(9, 222)}, 0, 1 << 30, 3, 0x21, -1, 0); print $a == -1 ? \"refused $!\" : \"held 1000\""},
     [], says: "refused Operation not permitted", status: :exited},
    {"shared memory of the zero device", {:perl, @zero_device}, [wall_clock_ms: 20_000],
     status: [:memory, :exited], held: 500},
    {"System V shared memory",
     {:perl, ~S{my $s = shmget(0, 1 << 30, 0600 | 01000); print defined $s ? "held 1000" : "refused $!"}}, [],
     says: "refused Function not implemented"},
    {"System V queues", {:perl, ~S{my $q = msgget(0, 0600 | 01000); print defined $q ? "got" : "refused $!"}},
     [], says: "refused Function not implemented"},
    {"System V semaphores",
     {:perl, ~S{my $q = semget(0, 30000, 0600 | 01000); print defined $q ? "got" : "refused $!"}}, [],
     says: "refused Function not implemented"},
    {"a file in memory",
     {:perl, "my @a = (\"x\", 0); print syscall(#{call(319, 279)}, @a) == -1 ? \"refused $!\" : \"got\""}, [],
     says: "refused Function not implemented"},
    {"a POSIX queue",
     {:perl,
      "my @a = (\"/q\", 0102, 0600, 0); print syscall(#{call(240, 180)}, @a) == -1 ? \"refused $!\" : \"got\""},
     [], says: "refused Function not implemented"},
    {"locked memory",
     {:perl, "my $x = \"x\" x (1 << 20); print syscall(#{call(151, 230)}, 1) == -1 ? \"refused\" : \"got\""},
     [], says: "refused"},
    {"a file that fills the disk", "cat /dev/zero > /tmp/a; ls -l /tmp/a | cut -c1-9",
     [file_mb: 400, disk_mb: 16], says: "No space left"},
    {"many files that fill the disk",
     "for i in $(seq 100); do head -c 1000000 /dev/zero > /tmp/$i || exit 3; done", [disk_mb: 16],
     exit: 3, says: "No space left"},
    {"a file that is too large", "cat /dev/zero > /tmp/a", [file_mb: 1], exit: 153},
    {"a sparse file",
     {:perl, ~S|$SIG{XFSZ} = "IGNORE"; open F, ">/tmp/s"; print truncate(F, 1 << 40) ? "got" : "refused $!"|},
     [], says: "refused File too large"},
    {"a block reserved for a file",
     {:perl,
      "$SIG{XFSZ} = 'IGNORE'; open F, '>/tmp/s'; print syscall(#{call(285, 47)}, fileno(F), 0, 0, 1 << 33) == -1 ? \"refused\" : \"got\""},
     [], says: "refused"},
    {"empty files",
     {:perl,
      ~S|for (1 .. 400000) { open F, ">/tmp/$_" or last; print "held $_\n" if $_ % 10000 == 0 } sleep 5|},
     [files: 20_000], status: :files, held: 150_000},
    {"folders", {:perl, ~S|for (1 .. 400000) { mkdir "/tmp/$_" or last } sleep 5|}, [files: 20_000],
     status: :files},
    {"folders in one another", {:perl, ~S|for (1 .. 400000) { mkdir "d"; chdir "d" } sleep 5|},
     [files: 20_000], status: :files},
    {"links", {:perl, ~S|open F, ">/tmp/f"; for (1 .. 400000) { link "/tmp/f", "/tmp/$_" or last } sleep 5|},
     [files: 20_000], status: :files},
    {"symbolic links",
     {:perl, ~S|my $l = "x" x 100; for (1 .. 400000) { symlink $l, "/tmp/$_" or last } sleep 5|},
     [files: 20_000], status: [:files, :memory]},
    {"pipes",
     {:perl,
      ~S|my @p; while (pipe(my $r, my $w)) { push @p, $r, $w; $w->blocking(0); 1 while syswrite($w, "x" x 4096) } print "refused $!"|},
     [open_files: 64], says: "refused Too many open files"},
    {"extended attributes",
     {:perl,
      "open F, '>/tmp/f'; my @a = (fileno(F), 'user.x', 'x' x 4000, 4000, 0); print syscall(#{call(190, 7)}, @a) == -1 ? \"refused $!\" : 'got'"},
     [], says: "refused Function not implemented"},
    {"pages given to a pipe",
     {:perl, "print syscall(#{call(278, 75)}, 1, 0, 0, 0) == -1 ? \"refused $!\" : 'got'"}, [],
     says: "refused Function not implemented"},
    {"files, shared memory and a heap together",
     "perl -e 'for (1 .. 19000) { open F, \">/tmp/$_\" }'; head -c 60000000 /dev/zero > /tmp/x; perl -e 'my @a; while (1) { push @a, \"x\" x (4 << 20) }'",
     [files: 20_000], status: [:memory, :exited]}
  ]

  # In 20 processes 200 kB for each end of 125 pairs: a gigabyte that is in no process's account.
  @sockets """
  for (1 .. 20) {
    next if fork;
    my @kept;
    while (socketpair(my $a, my $b, 1, 1, 0)) {
      push @kept, $a, $b;
      for my $s ($a, $b) { $s->blocking(0); 1 while syswrite($s, "x" x 8192) }
    }
    sleep 8; exit
  }
  sleep 8
  """

  test "buffers of sockets" do
    status = if Ambix.Sandbox.Cgroup.available?(), do: :memory, else: [:exited, :wall_clock]
    check({"buffers of sockets", {:perl, "use IO::Handle; " <> @sockets}, [], status: status})
  end

  for {attack, number} <- Enum.with_index(@attacks) do
    test "#{number} #{elem(attack, 0)}" do
      check(unquote(Macro.escape(attack)))
    end
  end

  @uncounted [
    "strings",
    "binaries",
    "many processes that each hold some",
    "shared memory of the zero device",
    "empty files"
  ]

  for attack <- @attacks, elem(attack, 0) in @uncounted do
    test "without a control group: #{elem(attack, 0)}" do
      check(unquote(Macro.escape(attack)), cgroup: false)
    end
  end
end
