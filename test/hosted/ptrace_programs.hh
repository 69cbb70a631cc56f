// What the tracing suites share: the calls of a tracer as functions, and tracees.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include <initializer_list>

#include "arch/hosted/user.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "kernel/sync/guards.hh"

// A program's assertion: fails with its line as exit status.
#define MUST(cond)                          \
  do {                                      \
    if (!(cond)) return __LINE__ % 255 + 1; \
  } while (0)
#define PROGRAM_CASE(name)                                                                   \
  long name##_program(unsigned long);                                                        \
  void name(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(name##_program) >> 8, 0); } \
  long name##_program(unsigned long)

namespace tracing {

constexpr int exited(int status) { return (status & 0xff) << 8; }
constexpr int stopped(int sig) { return sig << 8 | 0x7f; }
constexpr u64 sig_mask(int sig) { return 1ull << (sig - 1); }

inline long ptrace(long request, long pid = 0, unsigned long addr = 0, unsigned long data = 0) {
  return user::sys(__NR_ptrace, request, pid, addr, data);
}
inline long getpid() { return user::sys(__NR_getpid); }
inline long kill(long pid, int sig) { return user::sys(__NR_kill, pid, sig); }
inline void kill_self(int sig) { kill(getpid(), sig); }
struct Ended {
  long pid;
  int status;
};
inline Ended waitpid(long pid, int options) {
  user::Var<int> status;
  long r = user::sys(__NR_wait4, pid, status.addr(), options, 0);
  return {r, status.get()};
}
// The next report about pid; -1: another's, or none.
inline int wait_status(long pid) {
  Ended e = waitpid(pid, static_cast<int>(__WALL));
  return e.pid == pid ? e.status : -1;
}
inline bool ends_by(long pid, int status) { return wait_status(pid) == status; }
inline void nap(long ms) {
  user::Var<__kernel_timespec> t({ms / 1000, ms % 1000 * 1'000'000});
  user::sys(__NR_nanosleep, t.addr(), 0);
}
inline long waits_for_signals(unsigned long) {
  for (;;) user::sys(__NR_pause);
}
inline long exits_with(unsigned long status) { return static_cast<long>(status); }
// The letter of /proc/PID/status, looked up in the kernel: a program of these tests has no /proc.
inline char state_of(long pid) {
  RcuReadGuard rcu;
  const task_struct* t = find_task_by_vpid(static_cast<int>(pid));
  return t ? task_state_to_char(t) : '?';
}

}  // namespace tracing
