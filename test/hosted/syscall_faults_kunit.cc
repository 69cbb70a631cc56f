// Fault injection by system call: the first, second, third ... acquisition of each call fails, until the call gets through. A call
// that failed says ENOMEM (or what its manual page names) and has done nothing; the world's leak check sees the rest.
// Spec 41 test O.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/sched.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/mman.h>
#include <uapi/linux/poll.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include <new>

#include "test/hosted/call_sweep.hh"

namespace {

#define MUST(cond)                                              \
  do {                                                          \
    if (!(cond)) return (__LINE__ & 0xff) ? __LINE__ & 0xff : 1; \
  } while (0)

void close(long fd) { sys(__NR_close, fd); }

// ---- Files ----
SWEEP(open_and_close, Str name("/dev/null"); return sweep([&] { return sys(__NR_open, name.addr(), O_RDWR, 0); }, close);)
SWEEP(open_of_proc, Str name("/proc/self/status"); Str root("/proc"); Str type("proc");
      sys(__NR_mkdir, root.addr(), 0755); sys(__NR_mount, type.addr(), root.addr(), type.addr(), 0, 0);
      return sweep([&] { return sys(__NR_open, name.addr(), O_RDONLY, 0); }, close);)
SWEEP(read_of_proc, Str name("/proc/self/maps"); Str root("/proc"); Str type("proc");
      sys(__NR_mkdir, root.addr(), 0755); sys(__NR_mount, type.addr(), root.addr(), type.addr(), 0, 0);
      unsigned long buf = user::map(8192); user::poke<char>(buf, 1); user::poke<char>(buf + 4096, 1);
      return sweep([&] {
        long fd = sys(__NR_open, name.addr(), O_RDONLY, 0);
        if (fd < 0) return fd;
        long n = sys(__NR_read, fd, buf, 8000);
        close(fd);
        return n;
      });)
SWEEP(read_of_slabinfo, Str name("/proc/slabinfo"); Str root("/proc"); Str type("proc");
      sys(__NR_mkdir, root.addr(), 0755); sys(__NR_mount, type.addr(), root.addr(), type.addr(), 0, 0);
      unsigned long buf = user::map(4096); user::poke<char>(buf, 1);
      return sweep([&] {
        long fd = sys(__NR_open, name.addr(), O_RDONLY, 0);
        if (fd < 0) return fd;
        long n = sys(__NR_read, fd, buf, 4000);
        close(fd);
        return n == 0 ? -1 : n;
      });)
SWEEP(create_and_unlink, Str name("/swept"); return sweep([&] { return sys(__NR_open, name.addr(), O_RDWR | O_CREAT, 0600); },
                                                          [&](long fd) { close(fd); sys(__NR_unlink, name.addr()); });)
SWEEP(mkdir_and_rmdir, Str name("/sweptdir"); return sweep([&] { return sys(__NR_mkdir, name.addr(), 0755); },
                                                           [&](long) { sys(__NR_rmdir, name.addr()); });)
SWEEP(symlinks, Str to("/somewhere/that/is/not/there"); Str name("/sweptlink");
      return sweep([&] { return sys(__NR_symlink, to.addr(), name.addr()); }, [&](long) { sys(__NR_unlink, name.addr()); });)
SWEEP(renames, Str a("/swept-a"); Str b("/swept-b-with-a-long-name-that-does-not-fit-into-the-dentry-itself-or-so");
      close(sys(__NR_open, a.addr(), O_RDWR | O_CREAT, 0600));
      long r = sweep([&] { return sys(__NR_rename, a.addr(), b.addr()); }, [&](long) { sys(__NR_rename, b.addr(), a.addr()); });
      sys(__NR_unlink, a.addr()); return r;)
SWEEP(file_writes, Str name("/sweptfile"); unsigned long buf = user::map(4096); user::poke<char>(buf, 1);
      long fd = sys(__NR_open, name.addr(), O_RDWR | O_CREAT, 0600);
      long r = sweep([&] { return sys(__NR_pwrite64, fd, buf, 4096, 1 << 20); }, [&](long) { sys(__NR_ftruncate, fd, 0); });
      close(fd); sys(__NR_unlink, name.addr()); return r;)
SWEEP(getdents, Str name("/dev"); unsigned long buf = user::map(4096); user::poke<char>(buf, 1);
      long fd = sys(__NR_open, name.addr(), O_RDONLY | O_DIRECTORY, 0);
      long r = sweep([&] { return sys(__NR_getdents64, fd, buf, 4096); }, [&](long) { sys(__NR_lseek, fd, 0, 0); });
      close(fd); return r;)
SWEEP(pipes, Var<long> fds; return sweep([&] { return sys(__NR_pipe2, fds.addr(), 0); }, [&](long) {
        close(static_cast<int>(fds.get()));
        close(fds.get() >> 32);
      });)
SWEEP(pipe_writes, Var<long> fds; sys(__NR_pipe2, fds.addr(), O_NONBLOCK); unsigned long buf = user::map(8192);
      user::poke<char>(buf, 1); user::poke<char>(buf + 4096, 1);
      long r = static_cast<int>(fds.get()), w = fds.get() >> 32;
      long n = sweep([&] { return sys(__NR_write, w, buf, 8192); }, [&](long) { sys(__NR_read, r, buf, 8192); });
      close(r); close(w); return n;)
SWEEP(growing_descriptor_table, Str name("/dev/null"); long fd = sys(__NR_open, name.addr(), O_RDWR, 0);
      return sweep([&] { return sys(__NR_fcntl, fd, F_DUPFD, 500); }, close);)
SWEEP(epoll_and_eventfd, struct Event { unsigned events; unsigned long data; } __attribute__((packed));
      Var<Event> e(Event{POLLIN, 0}); return sweep([&] {
        long ep = sys(__NR_epoll_create1, 0);
        if (ep < 0) return ep;
        long ev = sys(__NR_eventfd2, 0, 0);
        if (ev < 0) return close(ep), ev;
        long r = sys(__NR_epoll_ctl, ep, 1, ev, e.addr());
        close(ep);
        close(ev);
        return r;
      });)
SWEEP(polls, struct Poll { int fd; short events, revents; }; struct Polls { Poll p[40]; };
      Str name("/dev/null"); long fd = sys(__NR_open, name.addr(), O_RDWR, 0);
      Polls all{}; for (Poll& p : all.p) p = {static_cast<int>(fd), POLLIN, 0};
      Var<Polls> v(all);
      long r = sweep([&] { return sys(__NR_poll, v.addr(), 40, 0); }); close(fd); return r;)
SWEEP(terminal, Str name("/dev/ttyS0"); return sweep([&] { return sys(__NR_open, name.addr(), O_RDWR | O_NOCTTY, 0); }, close);)
SWEEP(kmsg, Str name("/dev/kmsg"); Str line("swept\n"); return sweep([&] {
        long fd = sys(__NR_open, name.addr(), O_RDWR, 0);
        if (fd < 0) return fd;
        long n = sys(__NR_write, fd, line.addr(), 6);
        close(fd);
        return n;
      });)
SWEEP(mounts, Str dir("/sweptmnt"); Str type("tmpfs"); sys(__NR_mkdir, dir.addr(), 0755);
      long r = sweep([&] { return sys(__NR_mount, type.addr(), dir.addr(), type.addr(), 0, 0); },
                     [&](long) { sys(__NR_umount2, dir.addr(), 0); });
      sys(__NR_rmdir, dir.addr()); return r;)

// ---- Memory ----
SWEEP(mmap_and_munmap, return sweep([] { return sys(__NR_mmap, 0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); },
                                    [](long at) { sys(__NR_munmap, at, 16384); });)
SWEEP(populated_mmap, return sweep([] {
        return sys(__NR_mmap, 0, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
      }, [](long at) { sys(__NR_munmap, at, 1 << 16); });)
SWEEP(splitting_mprotect, unsigned long p = user::map(5 * 4096); return sweep([&] { return sys(__NR_mprotect, p + 8192, 4096, PROT_READ); },
        [&](long) { sys(__NR_mprotect, p, 5 * 4096, PROT_READ | PROT_WRITE); });)
SWEEP(splitting_munmap, return sweep([] {
        unsigned long p = user::map(3 * 4096);
        if (static_cast<long>(p) < 0) return static_cast<long>(p);
        long r = sys(__NR_munmap, p + 4096, 4096);
        // To unmap a part takes an area more; if there is none, the whole is still there.
        long again = sys(__NR_munmap, p, 3 * 4096);
        return r ? r : again;
      });)
SWEEP(mremap, unsigned long p = user::map(4096); user::poke<int>(p, 7); unsigned long wall = user::map(4096);
      long r = sweep([&] { return sys(__NR_mremap, p, 4096, 64 << 12, MREMAP_MAYMOVE); }, [&](long at) {
        p = static_cast<unsigned long>(sys(__NR_mremap, at, 64 << 12, 4096, 0));
      });
      sys(__NR_munmap, wall, 4096); return user::peek<int>(p) == 7 ? r : 4000;)
SWEEP(brk, long now = sys(__NR_brk, 0); return sweep([&] { return sys(__NR_brk, now + 65536) >= now ? 0 : -1; }, [&](long) { sys(__NR_brk, now); });)
SWEEP(memfd, Str name("swept"); return sweep([&] { return sys(__NR_memfd_create, name.addr(), 0); }, close);)
SWEEP(shared_mapping, Str name("swept"); long fd = sys(__NR_memfd_create, name.addr(), 0); sys(__NR_ftruncate, fd, 8192);
      long r = sweep([&] { return sys(__NR_mmap, 0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0); },
                     [](long at) { sys(__NR_munmap, at, 8192); });
      close(fd); return r;)

// ---- Processes, signals, time ----
long ends(unsigned long) { return 0; }
SWEEP(fork_and_wait, return sweep([] { return user::fork(ends); }, [](long pid) { sys(__NR_wait4, pid, 0, 0, 0); });)
SWEEP(vfork_and_wait, return sweep([] { return user::vfork(ends); }, [](long pid) { sys(__NR_wait4, pid, 0, 0, 0); });)
SWEEP(pidfd, return sweep([] { return sys(__NR_pidfd_open, sys(__NR_getpid), 0); }, close);)
void nothing(int, unsigned long, unsigned long) {}
SWEEP(signal_to_self, user::sigaction(SIGUSR1, nothing); return sweep([] { return sys(__NR_kill, sys(__NR_getpid), SIGUSR1); });)
SWEEP(queued_signal, user::sigaction(40, nothing); struct Info { int si[32]; }; Info i{}; i.si[0] = 40; i.si[2] = -1; Var<Info> v(i);
      return sweep([&] { return sys(__NR_rt_sigqueueinfo, sys(__NR_getpid), 40, v.addr()); });)
SWEEP(posix_timer, Var<int> id; return sweep([&] { return sys(__NR_timer_create, 1, 0, id.addr()); },
                                            [&](long) { sys(__NR_timer_delete, id.get()); });)
SWEEP(cpu_timer, Var<int> id; struct Setting { long s[4]; }; Var<Setting> at(Setting{{0, 1, 0, 1}}); return sweep([&] {
        long r = sys(__NR_timer_create, 2, 0, id.addr());
        return r ? r : sys(__NR_timer_settime, id.get(), 0, at.addr(), 0);
      }, [&](long) { sys(__NR_timer_delete, id.get()); });)
SWEEP(proc_timers, Str at("/mnt/self/timers"); Str dir("/mnt"); Str type("proc"); sys(__NR_mkdir, dir.addr(), 0755);
      sys(__NR_mount, type.addr(), dir.addr(), type.addr(), 0, 0); Var<int> id; sys(__NR_timer_create, 1, 0, id.addr());
      unsigned long room = user::map(4096); long r = sweep([&] {
        long fd = sys(__NR_open, at.addr(), O_RDONLY, 0);
        if (fd < 0) return fd == -ENOENT ? long{-ENOMEM} : fd;
        long n = sys(__NR_read, fd, room, 4096);
        close(fd);
        return n;
      }); sys(__NR_timer_delete, id.get()); sys(__NR_umount2, dir.addr(), 0); return r;)
SWEEP(timerfd_and_signalfd, Var<unsigned long> mask(1ul << 9); return sweep([&] {
        long t = sys(__NR_timerfd_create, 1, 0);
        if (t < 0) return t;
        long s = sys(__NR_signalfd4, -1, mask.addr(), 8, 0);
        close(t);
        if (s >= 0) close(s);
        return s;
      });)
SWEEP(groups, struct G { int g[40]; }; Var<G> v(G{}); return sweep([&] { return sys(__NR_setgroups, 40, v.addr()); });)
SWEEP(new_credentials, return sweep([] { return sys(__NR_setreuid, -1, 0); });)
SWEEP(affinity, Var<unsigned long> mask(1); return sweep([&] { return sys(__NR_sched_setaffinity, 0, 8, mask.addr()); });)

// exec: before the point of no return it fails and the program goes on; after it, the program is killed.
long execs(unsigned long nth) {
  Str name("/swept-program");
  struct Argv { unsigned long p[2]; };
  Var<Argv> argv(Argv{{name.addr(), 0}}), envp(Argv{});
  FaultInjection* fault;
  alignas(FaultInjection) static unsigned char place[sizeof(FaultInjection)];
  fault = new (place) FaultInjection(current, static_cast<long>(nth));
  long r = sys(__NR_execve, name.addr(), argv.addr(), envp.addr());
  fault->~FaultInjection();
  return r == -ENOMEM || r == -EAGAIN || r == -EFAULT || r == -E2BIG || r == -ENFILE ? 77 : -r + 100;
}
long runs_after_exec(unsigned long) {
  fault_injection_armed = 0;
  return 5;
}
SWEEP(execve, alignas(8) static unsigned char elf[user::kElfSize]; size_t size = user::make_elf(runs_after_exec, elf, sizeof(elf));
      Str name("/swept-program"); unsigned long buf = user::map(user::kElfSize); user::write_bytes(buf, elf, size);
      long fd = sys(__NR_open, name.addr(), O_RDWR | O_CREAT, 0755); sys(__NR_write, fd, buf, size); close(fd);
      int failed = 0, killed = 0;
      for (unsigned long nth = 1; nth < 400; nth++) {
        Var<int> status;
        long pid = user::fork(execs, nth);
        if (pid < 0) return pid;
        sys(__NR_wait4, pid, status.addr(), 0, 0);
        fault_injection_armed = 0;
        if (status.get() == 5 << 8) return failed >= 3 ? 0 : 5000 + failed + killed;
        if (status.get() == 77 << 8) failed++;
        else if ((status.get() & 0x7f) == SIGKILL || (status.get() & 0x7f) == SIGSEGV || (status.get() & 0x7f) == SIGBUS) killed++;
        else return 6000 + status.get();
      }
      return 7000;)

kunit_case cases[] = {
    KUNIT_CASE(open_and_close), KUNIT_CASE(open_of_proc), KUNIT_CASE(read_of_proc), KUNIT_CASE(read_of_slabinfo), KUNIT_CASE(create_and_unlink),
    KUNIT_CASE(mkdir_and_rmdir), KUNIT_CASE(symlinks), KUNIT_CASE(renames), KUNIT_CASE(file_writes), KUNIT_CASE(getdents),
    KUNIT_CASE(pipes), KUNIT_CASE(pipe_writes), KUNIT_CASE(growing_descriptor_table),
    KUNIT_CASE(epoll_and_eventfd), KUNIT_CASE(polls), KUNIT_CASE(terminal), KUNIT_CASE(kmsg), KUNIT_CASE(mounts),
    KUNIT_CASE(mmap_and_munmap), KUNIT_CASE(populated_mmap), KUNIT_CASE(splitting_mprotect), KUNIT_CASE(splitting_munmap),
    KUNIT_CASE(mremap), KUNIT_CASE(brk), KUNIT_CASE(memfd), KUNIT_CASE(shared_mapping),
    KUNIT_CASE(fork_and_wait), KUNIT_CASE(vfork_and_wait), KUNIT_CASE(pidfd), KUNIT_CASE(signal_to_self),
    KUNIT_CASE(queued_signal), KUNIT_CASE(posix_timer), KUNIT_CASE(proc_timers), KUNIT_CASE(timerfd_and_signalfd), KUNIT_CASE(groups),
    KUNIT_CASE(new_credentials), KUNIT_CASE(affinity), KUNIT_CASE(execve), {},
};
kunit_suite suite = {.name = "syscall_faults", .test_cases = cases, .world = {.cpus = 1}};
kunit_test_suite(suite);
kunit_case timer_cases[] = {KUNIT_CASE(cpu_timer), {}};
kunit_suite timer_suite = {.name = "syscall_faults_timer", .test_cases = timer_cases,
                           .world = {.cpus = 1, .deterministic = "its timer must not go off"}};
kunit_test_suite(timer_suite);

}  // namespace
