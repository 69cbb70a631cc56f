// Operations: attributes of a process that fork and exit look at: ids, groups, limits, files, memory, scheduling.
// SPDX-License-Identifier: Apache-2.0
#include <uapi/linux/prctl.h>
#include <uapi/linux/resource.h>

#include "test/fuzz/program.hh"

namespace fuzz {

void op_prctl(Stream& in) {
  constexpr int kWhich[] = {PR_SET_CHILD_SUBREAPER, PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, PR_SET_PDEATHSIG,
                            PR_SET_DUMPABLE,        PR_SET_KEEPCAPS,        PR_SET_NO_NEW_PRIVS, PR_SET_TIMERSLACK};
  const int which = in.pick(kWhich);
  const long arg = which == PR_SET_PDEATHSIG ? some_signal(in) : in.below(3);
  sys(__NR_prctl, which, arg, 0, 0, 0);
}

void op_group(Stream& in) {
  switch (in.below(4)) {
    case 0: sys(__NR_setsid); break;
    case 1: sys(__NR_setpgid, 0, 0); break;
    case 2: {
      const int pid = some_pid(in);
      sys(__NR_setpgid, pid, some_pid(in));
      break;
    }
    default: sys(__NR_getpgid, some_pid(in)); sys(__NR_getsid, some_pid(in));
  }
}

// Opens one of a relative, uses it, closes it.
static void use_pidfd(Stream& in) {
  const int pid = some_relative(in);
  const long fd = sys(__NR_pidfd_open, pid, 0);
  if (fd < 0) return;
  switch (in.below(3)) {
    case 0: {
      const long got = sys(__NR_pidfd_getfd, fd, in.below(8), 0);
      if (got >= 0) sys(__NR_close, got);
      break;
    }
    case 1: sys(__NR_pidfd_send_signal, fd, some_signal(in), 0, 0); break;
    default: {
      user::Frame info(128);
      constexpr int kByPidfd = 3, kExited = 4, kNoHang = 1;
      sys(__NR_waitid, kByPidfd, fd, info.addr(), kExited | kNoHang, 0);
    }
  }
  sys(__NR_close, fd);
}

void op_pidfd(Stream& in) {
  if (shared.second_table && in.byte() < 100) return use_pidfd(in);
  switch (in.below(5)) {
    case 0: sys(__NR_pidfd_getfd, some_fd(in), some_fd(in), 0); break;
    case 1: {
      struct {
        int fd;
        short events, revents;
      } p{some_fd(in), 1, 0};
      Var<decltype(p)> v(p);
      sys(__NR_poll, v.addr(), 1, in.byte() < 200 ? 0 : 3);
      break;
    }
    default: {
      const int pid = some_pid(in);
      sys(__NR_pidfd_open, pid, in.byte() < 200 ? 0 : 04000);
    }
  }
}

void op_files(Stream& in) {
  Var<unsigned long> pair;
  switch (in.below(6)) {
    case 0: sys(__NR_pipe2, pair.addr(), in.byte() < 128 ? 0 : 02000000); break;
    case 1: sys(__NR_close, some_fd(in)); break;
    case 2: {
      const int from = some_fd(in);
      sys(__NR_dup2, from, some_fd(in));
      break;
    }
    case 3: sys(__NR_close_range, some_fd(in), ~0u, 2 * in.below(3)); break;
    case 4: {
      constexpr const char* kNames[] = {"/proc/self/ns/pid", "/proc/self/ns/user", "/proc/self/ns/uts", "/proc/self/ns/mnt",
                                        "/proc/self/status", "/dev/null"};
      user::Str name(in.pick(kNames));
      sys(__NR_open, name.addr(), 0, 0);
      break;
    }
    default: {
      user::Str root("/");
      sys(in.byte() < 128 ? __NR_chdir : __NR_chroot, root.addr());
      sys(__NR_umask, in.byte());
    }
  }
}

// Maps, touches, advises (MADV_DONTFORK, WIPEONFORK and their undoing), locks; gives back.
void op_memory(Stream& in) {
  constexpr size_t kSize = 3 << 12;
  constexpr int kAdvice[] = {10, 11, 18, 19, 4};
  const unsigned long at = user::map(kSize);
  if (at > -4096ul) return;
  user::poke(at + 4096, 1);
  const u8 how = in.byte();
  if (how < 160) sys(__NR_madvise, at, 4096 * (1 + how % 3), in.pick(kAdvice));
  if (how & 1) sys(__NR_mlock, at, 4096);
  if (how & 2) sys(__NR_mprotect, at, 4096, 1);
  if (how & 4) sys(__NR_munmap, at, kSize);
}

void op_limits(Stream& in) {
  constexpr unsigned kWhich[] = {RLIMIT_NPROC, RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_NOFILE, RLIMIT_AS};
  struct {
    unsigned long soft, hard;
  } limit{in.byte() < 128 ? in.below(30) : ~0ul, ~0ul};
  const unsigned which = in.pick(kWhich);
  if (which == RLIMIT_AS) limit.soft = 64 << 20;
  Var<decltype(limit)> v(limit);
  const u8 whom = in.byte();
  sys(__NR_prlimit64, whom < 128 ? 0 : some_pid(in), which, v.addr(), 0);
}

void op_ids(Stream& in) {
  constexpr int kIds[] = {1000, 1001, 0, -1, 65534};
  const int a = in.pick(kIds), b = in.pick(kIds);
  switch (in.below(4)) {
    case 0: sys(__NR_setuid, a); break;
    case 1: sys(__NR_setresuid, a, b, in.pick(kIds)); break;
    case 2: sys(__NR_setresgid, a, b, -1); break;
    default: sys(__NR_setreuid, a, b);
  }
}

void op_sched(Stream& in) {
  switch (in.below(5)) {
    case 0: sys(__NR_sched_yield); break;
    case 1: {
      Var<u64> mask(static_cast<u64>(in.byte()) & 15);
      const u8 whom = in.byte();
      sys(__NR_sched_setaffinity, whom < 128 ? 0 : some_pid(in), 8, mask.addr());
      break;
    }
    case 2: sys(__NR_setpriority, in.below(3), some_pid(in), static_cast<s8>(in.byte()) % 20); break;
    case 3: {
      Var<int> param(in.byte() < 128 ? 0 : 1);
      constexpr int kPolicies[] = {0, 3, 5, 1, 2, 0x40000000, 0x40000001};
      sys(__NR_sched_setscheduler, 0, in.pick(kPolicies), param.addr());
      break;
    }
    default: user::burn(1000ull * in.byte());
  }
}

// What a task's end has to see to: joiners, robust futexes, an alternate stack.
void op_exit_hooks(Stream& in) {
  struct Stack {
    unsigned long sp;
    int flags;
    unsigned long size;
  };
  switch (in.below(3)) {
    case 0: sys(__NR_set_tid_address, some_address(in, scratch_word(in))); break;
    case 1: {
      struct Head {
        unsigned long next, offset, pending;
      };
      const unsigned long head = kScratch + 3072;
      user::poke(head, Head{head, 0, in.byte() < 128 ? 0 : scratch_word(in)});
      sys(__NR_set_robust_list, some_address(in, head), 24);
      break;
    }
    default: {
      Var<Stack> stack(Stack{user::map(16384), 0, 16384});
      sys(__NR_sigaltstack, stack.addr(), 0);
    }
  }
}

void op_check(Stream&) { sys(__NR_tuxcall); }

void op_with_fault(Stream& in) {
  const long nth = 1 + in.below(60);
  arm_fault(nth);
  run_op(in);
  arm_fault(0);
}

}  // namespace fuzz
