defmodule Ambix.Attacks.EscapeTest do
  # Files, processes, secrets and networks of the host.
  use ExUnit.Case, async: true

  import Ambix.Test.Attack

  @moduletag timeout: 120_000

  @attacks [
    {"a file of the host", "cat $CANARY || echo refused", [], says: "refused"},
    {"a file of the host, to write", "echo x > $CANARY || echo refused", [], says: "refused"},
    {"a file beside it", "echo x > $(dirname $CANARY)/other || echo refused", [], says: "refused"},
    {"a folder of the host, to delete", "rm -rf $(dirname $CANARY); echo end", [], says: "end"},
    {"a symbolic link to it", "ln -s $CANARY /tmp/l; cat /tmp/l; echo x > /tmp/l; echo end", [], says: "end"},
    {"a hard link to a file of the system", "ln /usr/bin/perl /tmp/p && echo got; echo end", [],
     never: "got", says: "end"},
    {"a link through the file system's root", "ln -s / /tmp/r; cat /tmp/r$CANARY || echo refused", [],
     says: "refused"},
    {"a path with dots", "cat ../../../../../../$CANARY || echo refused", [], says: "refused"},
    {"the root of another process",
     "for p in /proc/[0-9]*; do cat $p/root$CANARY; cat $p/cwd/etc/shadow; done; echo end", [],
     says: "end", never: "root:"},
    {"the environment of other processes",
     "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep AMBIX_ATTACK_SECRET && echo got; echo end", [],
     never: "got", says: "end"},
    {"the environment of the caller",
     {:elixir,
      "IO.inspect(System.get_env(\"AMBIX_ATTACK_SECRET\")); IO.inspect(map_size(System.get_env()) < 25)"}, [],
     says: "nil\ntrue"},
    {"open files of other processes",
     "for p in /proc/[0-9]*; do ls -l $p/fd; done 2>/dev/null | grep -E 'ambix|canary|/work|/home' && echo got; echo end",
     [], never: "got", says: "end"},
    {"open files that it inherits", "ls /proc/self/fd | sort -n | tail -1 | grep -qE '^[0-3]$' && echo none",
     [], says: "none"},
    {"the memory of other processes",
     "for p in 1 2 3; do dd if=/proc/$p/mem of=/tmp/m bs=1 count=1 2>/dev/null && echo got; done; echo end",
     [], never: "got", says: "end"},
    {"passwords of the system", "cat /etc/shadow /etc/gshadow /etc/ssh/* /root/.* || echo refused", [],
     says: "refused", never: "root:"},
    {"names of the host", "cat /etc/passwd; hostname", [], never: "root", says: "sandbox"},
    {"what is mounted",
     "cat /proc/self/mountinfo | grep -E ' /(home|root|var|work|opt) ' && echo got; echo end", [],
     never: "got", says: "end"},
    {"another mount", "mount -t tmpfs none /mnt && echo got; umount /usr && echo got; echo end", [],
     never: "got", says: "end"},
    {"the system's programs",
     "for f in /usr/bin/id /usr/lib/x /bin/x /lib/x /etc/passwd /dev/x /proc/x /run/x /x; do echo x > $f && echo got $f; done; echo end",
     [], never: "got", says: "end"},
    {"a folder of the system, renamed",
     "mv /usr /usr2 && echo got; mv /tmp /tmp2 && echo got; rmdir /tmp && echo got; echo end", [],
     never: "got", says: "end"},
    {"other processes of the host", "ls /proc | grep -c '^[0-9]' | grep -qE '^[0-9]$' && echo few", [],
     says: "few"},
    {"what /proc tells of the kernel",
     "for f in kallsyms kcore keys key-users timer_list kpagecount; do [ -s /proc/$f ] || head -c 1 /proc/$f 2>/dev/null | grep -q . && echo got $f; done; echo end",
     [], never: "got", says: "end"},
    {"the processes of the caller", {:elixir, "IO.puts(length(Path.wildcard(\"/proc/[0-9]*\")) < 20)"}, [],
     says: "true"},
    {"signals to the host",
     "for p in $(seq 2 400); do kill -9 -$p; done 2>/dev/null; kill -9 #{System.pid()}; echo end", [],
     says: "end"},
    {"the network",
     {:perl,
      ~S|use Socket; socket(my $s, 2, 1, 0); print connect($s, pack_sockaddr_in(53, inet_aton("1.1.1.1"))) ? "got" : "refused $!"|},
     [], says: "refused Network is unreachable"},
    {"the network's other version",
     {:elixir,
      "IO.inspect(:gen_tcp.connect({0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111}, 53, [:inet6], 1000))"}, [],
     says: "error"},
    {"names of the network", {:elixir, "IO.inspect(:inet.getaddr(~c\"example.com\", :inet))"}, [],
     says: "error"},
    {"the services of the host",
     {:perl,
      ~S|use Socket; for my $p (22, 53, 80, 443, 4369, 5432, 8080) { socket(my $s, 2, 1, 0); print "got" if connect($s, pack_sockaddr_in($p, inet_aton("127.0.0.1"))) } print "end"|},
     [], says: "end", never: "got"},
    {"sockets of the host without a file",
     {:perl,
      ~S|use Socket; socket(my $s, 1, 1, 0); print connect($s, "\x01\0\0ambix-attack") ? "got" : "refused"|},
     [], says: "refused"},
    {"a system bus", "ls /run/dbus /var/run/docker.sock /run/user /run/systemd || echo refused", [],
     says: "refused"},
    {"nodes nearby",
     {:elixir,
      "IO.inspect(Node.start(:evil, :shortnames)); IO.inspect(:net_adm.names()); IO.inspect(Node.list())"},
     [], says: "[]", status: :exited},
    {"a library of its own",
     {:elixir, "File.write!(\"/tmp/x.so\", \"no library\"); IO.inspect(:erlang.load_nif(~c\"/tmp/x\", 0))"},
     [], status: :exited},
    {"a program of its own",
     "printf '#!/bin/sh\\ncat $CANARY' > /tmp/x; chmod +x /tmp/x; /tmp/x || echo refused", [],
     says: "refused"},
    {"a file that another program reads first", "echo 'root::0:0::/:/bin/sh' > /etc/passwd || echo refused",
     [], says: "refused"},
    {"settings of the loader",
     "LD_PRELOAD=/tmp/x LD_LIBRARY_PATH=/tmp id -u | grep -v 65534 && echo got; echo end", [],
     never: "got", says: "end"},
    {"the devices", "for d in /dev/*; do [ -b $d ] && echo got $d; done; echo end", [],
     never: "got", says: "end"},
    {"control groups",
     "ls -d /sys/fs/cgroup && echo got; cat /proc/self/cgroup | grep -v ':/$' | head -3; mkdir /sys/fs/cgroup/x && echo got; echo end",
     [], never: "got", says: "end"}
  ]

  setup_all do
    System.put_env("AMBIX_ATTACK_SECRET", "secret")
    {:ok, listener} = :gen_tcp.listen(0, ifaddr: {:local, "\0ambix-attack"})

    on_exit(fn ->
      System.delete_env("AMBIX_ATTACK_SECRET")
      :gen_tcp.close(listener)
    end)
  end

  for attack <- @attacks do
    test elem(attack, 0) do
      check(unquote(Macro.escape(attack)))
    end
  end
end
