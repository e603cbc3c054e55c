defmodule Ambix.Attacks.KernelTest do
  # System calls, sockets and devices that no honest program of a project needs.
  use ExUnit.Case, async: true

  import Ambix.Test.Attack

  @moduletag timeout: 120_000

  # A call by its numbers on x86-64 and AArch64 (`nil` where there is none), with arguments in Perl.
  @calls [
    {"keyctl", {250, 219}, "0, 0, 0, 0, 0"},
    {"add_key", {248, 217}, ~S("user", "k", "x", 1, -1)},
    {"request_key", {249, 218}, ~S("user", "k", 0, -1)},
    {"userfaultfd", {323, 282}, "1"},
    {"io_uring_setup", {425, 425}, "8, \"\\0\" x 120"},
    {"memfd_secret", {447, 447}, "0"},
    {"bpf", {321, 280}, "0, \"\\0\" x 64, 64"},
    {"perf_event_open", {298, 241}, "\"\\0\" x 128, 0, -1, -1, 0"},
    {"ptrace", {101, 117}, "16, 1, 0, 0"},
    {"ptrace of itself", {101, 117}, "0, 0, 0, 0"},
    {"process_vm_readv", {310, 270}, "1, 0, 0, 0, 0, 0"},
    {"process_vm_writev", {311, 271}, "1, 0, 0, 0, 0, 0"},
    {"kcmp", {312, 272}, "1, 1, 0, 0, 0"},
    {"pidfd_getfd", {438, 438}, "0, 0, 0"},
    {"mount", {165, 40}, ~S("none", "/tmp", "tmpfs", 0, 0)},
    {"umount2", {166, 39}, ~S("/tmp", 2)},
    {"pivot_root", {155, 41}, ~S("/tmp", "/tmp")},
    {"chroot", {161, 51}, ~S("/tmp")},
    {"fsopen", {430, 430}, ~S("tmpfs", 0)},
    {"open_tree", {428, 428}, ~S(-100, "/", 1)},
    {"move_mount", {429, 429}, ~S(-100, "/tmp", -100, "/tmp", 0)},
    {"mount_setattr", {442, 442}, ~S(-100, "/tmp", 0, "", 0)},
    {"unshare", {272, 97}, "0x10000000"},
    {"setns", {308, 268}, "0, 0"},
    {"clone3", {435, 435}, "\"\\0\" x 88, 88"},
    {"init_module", {175, 105}, ~S("x", 1, "")},
    {"finit_module", {313, 273}, ~S(0, "", 0)},
    {"kexec_load", {246, 104}, "0, 0, 0, 0"},
    {"reboot", {169, 142}, "0xfee1dead, 672274793, 0, 0"},
    {"swapon", {167, 224}, ~S("/tmp/x", 0)},
    {"settimeofday", {164, 170}, "\"\\0\" x 16, 0"},
    {"clock_settime", {227, 112}, "0, \"\\0\" x 16"},
    {"adjtimex", {159, 171}, "\"\\0\" x 208"},
    {"sethostname", {170, 161}, ~S("x", 1)},
    {"name_to_handle_at", {303, 264}, ~S(-100, "/", "\0" x 200, "\0" x 8, 0)},
    {"open_by_handle_at", {304, 265}, ~S(0, "\0" x 200, 0)},
    {"fanotify_init", {300, 262}, "0, 0"},
    {"quotactl", {179, 60}, "0, 0, 0, 0"},
    {"acct", {163, 89}, "0"},
    {"personality", {135, 92}, "0x0040000"},
    {"remap_file_pages", {216, 234}, "0, 0, 0, 0, 0"},
    {"syslog", {103, 116}, "3, \"\\0\" x 100, 100"},
    {"sync of all disks", {162, 81}, ""},
    {"iopl", {172, nil}, "3"},
    {"modify_ldt", {154, nil}, "0, 0, 0"},
    {"a call by its x32 number", {0x40000000 + 39, nil}, ""},
    {"a call that is not there yet", {900, 900}, ""}
  ]

  for {name, {x86, arm}, arguments} <- @calls, number = call(x86, arm) do
    test "the system call #{name}" do
      # Perl takes no constants as strings that a call might write to.
      script =
        "my @a = (#{unquote(arguments)}); print syscall(#{unquote(number)}, @a) == -1 ? \"refused $!\" : \"done\""

      check({unquote(name), {:perl, script}, [], says: "refused Function not implemented", status: :exited})
    end
  end

  # Families and protocols of sockets.
  @sockets [
    {"AF_NETLINK", 16, 3, 0},
    {"AF_PACKET", 17, 3, 0},
    {"AF_VSOCK", 40, 1, 0},
    {"AF_ALG", 38, 5, 0},
    {"AF_BLUETOOTH", 31, 3, 0},
    {"AF_CAN", 29, 3, 1},
    {"AF_XDP", 44, 3, 0},
    {"AF_TIPC", 30, 1, 0},
    {"AF_KCM", 41, 2, 0},
    {"AF_RDS", 21, 5, 0},
    {"SCTP", 2, 1, 132},
    {"MPTCP", 2, 1, 262},
    {"UDP-Lite", 10, 2, 136},
    {"raw packets", 2, 3, 255},
    {"echo requests", 2, 2, 1}
  ]

  for {name, family, type, protocol} <- @sockets do
    test "a socket of #{name}" do
      numbers = "#{unquote(family)}, #{unquote(type)}, #{unquote(protocol)}"
      script = ~s|print socket(my $s, #{numbers}) ? "got" : "refused $!"|
      check({unquote(name), {:perl, script}, [], says: "refused Operation not permitted", status: :exited})
    end
  end

  @attacks [
    {"a pair of sockets of another family",
     {:perl, ~S|print socketpair(my $a, my $b, 16, 3, 0) ? "got" : "refused"|}, [], says: "refused"},
    {"a user namespace by clone",
     {:perl, "print syscall(#{call(56, 220)}, 0x10000011, 0, 0, 0, 0) == -1 ? \"refused $!\" : \"got\""}, [],
     says: "refused Operation not permitted"},
    {"all namespaces by clone",
     {:perl, "print syscall(#{call(56, 220)}, 0x6e020011, 0, 0, 0, 0) == -1 ? \"refused $!\" : \"got\""}, [],
     says: "refused Operation not permitted"},
    {"typing into the terminal",
     {:perl, ~S|my $c = "x"; print ioctl(STDIN, 0x5412, $c) ? "got" : "refused $!"|}, [],
     says: "refused Operation not permitted"},
    {"another protocol for a connection",
     {:perl, ~S|socket(my $s, 2, 1, 0); print setsockopt($s, 6, 31, "tls") ? "got" : "refused $!"|}, [],
     says: "refused Operation not permitted"},
    {"a device file", "mknod /tmp/d b 8 0 || echo refused", [], says: "refused"},
    {"the memory of the machine", "cat /dev/mem /dev/kmem /dev/port /dev/kmsg || echo refused", [],
     says: "refused"},
    {"a disk", "ls /dev | grep -E 'sd|vd|nvme|loop|dm-|fuse|kvm|tun' && echo got; echo end", [],
     says: "end", never: "got"},
    {"namespaces by a program",
     "unshare --user true || echo refused; unshare --mount --net true || echo refused", [],
     says: "refused\n"},
    {"more rights by a set-user-id program",
     "cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id; /tmp/id -u; su -c id || echo refused", [],
     says: "refused", never: "uid=0"},
    {"the kernel's settings",
     "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/drop_caches /proc/self/oom_score_adj; do echo -1000 > $f && echo got $f; done; echo end",
     [], says: "end", never: "got"},
    {"higher limits",
     "ulimit -n 100000 && echo got; ulimit -u 100000 && echo got; prlimit --pid $$ --data=unlimited && echo got; echo end",
     [], says: "end", never: "got"},
    {"a higher priority",
     "nice -n -20 id -u; renice -n -20 -p $$ && echo got; chrt -f 99 true && echo got; echo end", [],
     says: "end", never: "got"},
    {"rights of root",
     "grep -E 'Cap(Eff|Prm|Bnd|Amb)' /proc/self/status | grep -v 0000000000000000; grep NoNewPrivs /proc/self/status",
     [], says: "NoNewPrivs:\t1", never: "Cap"}
  ]

  for attack <- @attacks do
    test elem(attack, 0) do
      check(unquote(Macro.escape(attack)))
    end
  end

  test "what honest programs need is there" do
    code = """
    {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1}, active: false)
    {:ok, port} = :inet.port(listener)
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, active: false)
    :ok = :gen_tcp.send(socket, "x")
    {:ok, _} = :gen_udp.open(0)
    {"hi\\n", 0} = System.cmd("echo", ["hi"])
    :ok = File.write("/tmp/a", "x", [:sync])
    {:ok, _} = File.copy("/tmp/a", "/tmp/b")
    IO.puts("fine")
    """

    check({"honest", {:elixir, code}, [], says: "fine\n", exit: 0})
  end
end
