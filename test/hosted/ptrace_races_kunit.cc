// Tracer and tracee at odds, under many seeds: whatever dies, stops, forks, execs or lets go at whatever moment, everything can
// be killed and reaped, and nothing is left. Spec 21, W-14, W-16, S-23, S-46, S-70; 20 F-98; ptrace(2).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/prctl.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include "test/hosted/ptrace_programs.hh"

namespace {

using namespace tracing;
using user::sys;
using user::Var;

unsigned random_below(unsigned n) {
  Var<unsigned> v(0u);
  sys(__NR_getrandom, v.addr(), 4, 0);
  return v.get() % n;
}
void random_pause() {
  Var<__kernel_timespec> t({0, 1000l * random_below(3000)});
  sys(__NR_nanosleep, t.addr(), 0);
}

// ---- Tracees: each goes on for ever -----------------------------------------------------------------------------------------

long forks_for_ever(unsigned long) {
  for (;;) {
    long how = random_below(3);
    long pid = how == 0 ? user::vfork(exits_with, 1) : user::clone(how == 1 ? SIGCHLD : SIGUSR2, 0, exits_with, 1);
    if (pid > 0) waitpid(pid, static_cast<int>(__WALL));
  }
}
long stops_for_ever(unsigned long) {
  for (;;) {
    kill_self(random_below(2) ? SIGSTOP : SIGTSTP);
    sys(__NR_sched_yield);
  }
}
long thread_ends(unsigned long) { return 0; }
long makes_threads_for_ever(unsigned long) {
  unsigned long stack = user::thread_stack();
  Var<unsigned> gone(0u);
  for (;;) {
    gone.set(1);
    long tid = user::clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID, stack,
                           thread_ends, 0, 0, gone.addr());
    while (tid > 0 && gone.get()) nap(1);
  }
}
long runs(unsigned long);
bool make_program(const char* path) {
  unsigned long at = user::map(user::kElfSize);
  unsigned char elf[user::kElfSize];
  size_t n = user::make_elf(runs, elf, sizeof(elf));
  user::Str name(path);
  long fd = sys(__NR_open, name.addr(), O_CREAT | O_WRONLY, 0755);
  if (fd < 0) return false;
  user::write_bytes(at, elf, n);
  bool ok = sys(__NR_write, fd, at, n) == static_cast<long>(n);
  sys(__NR_close, fd);
  return ok;
}
long execs_from_thread(unsigned long) {
  user::Str name("/prog");
  sys(__NR_execve, name.addr(), 0, 0);
  return waits_for_signals(0);
}
long runs(unsigned long) {
  if (random_below(2)) user::thread(user::thread_stack(), execs_from_thread);
  nap(1);
  return execs_from_thread(0);
}
long works(unsigned long kind) {
  sys(__NR_setpgid, 0, 0);
  for (int sig : {SIGUSR2, SIGCHLD}) user::sigaction(sig, 1ul);
  user::sigaction(SIGCHLD, 0ul);
  constexpr user::Fn kKinds[] = {forks_for_ever, stops_for_ever, makes_threads_for_ever, runs};
  return kKinds[kind](0);
}

// ---- The tracer -------------------------------------------------------------------------------------------------------------------

constexpr unsigned long kAllEvents = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                     PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT;

void answer_stop(long pid, int status) {
  const int sig = status >> 8 & 0xff, event = status >> 16;
  if (event == PTRACE_EVENT_STOP && sig != SIGTRAP && random_below(2)) {
    if (ptrace(PTRACE_LISTEN, pid) == 0) return;
  }
  Var<user_regs_struct> regs;
  if (!random_below(4)) ptrace(PTRACE_GETREGS, pid, 0, regs.addr());
  const bool signal = !event && sig != (SIGTRAP | 0x80) && sig != SIGTRAP;
  constexpr long kWays[] = {PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SYSCALL, PTRACE_SINGLESTEP, PTRACE_DETACH};
  const unsigned way = random_below(20);
  ptrace(way ? kWays[way % 4] : kWays[4], pid, 0, static_cast<unsigned long>(signal ? sig : 0));
}

// arg: pid, and in the bits above how: 1 SEIZE, 2 EXITKILL, 4 ends after some events.
long traces(unsigned long arg) {
  const long pid = static_cast<long>(arg & 0xffff);
  const unsigned long how = arg >> 16, options = kAllEvents | (how & 2 ? PTRACE_O_EXITKILL : 0);
  random_pause();
  if (how & 1) {
    if (ptrace(PTRACE_SEIZE, pid, 0, options)) return 0;
    ptrace(PTRACE_INTERRUPT, pid);
  } else if (ptrace(PTRACE_ATTACH, pid)) {
    return 0;
  }
  for (unsigned left = how & 4 ? random_below(30) : ~0u; left; left--) {
    Ended e = waitpid(-1, static_cast<int>(__WALL));
    if (e.pid < 0) return 0;
    if ((e.status & 0xff) != 0x7f) continue;
    if (!(how & 1)) ptrace(PTRACE_SETOPTIONS, e.pid, 0, options);
    answer_stop(e.pid, e.status);
    if ((how & 1) && !random_below(8)) ptrace(PTRACE_INTERRUPT, e.pid);
  }
  return 0;
}

// ---- Above both -----------------------------------------------------------------------------------------------------------------------

// Everything that is left is killed and reaped. 0 if that comes to an end.
long clean_up(long tracee, long tracer) {
  for (int tries = 0; tries < 3000; tries++) {
    kill(tracer, SIGKILL);
    kill(tracee, SIGKILL);
    kill(-tracee, SIGKILL);
    Ended e{1, 0};
    while (e.pid > 0) e = waitpid(-1, static_cast<int>(WNOHANG | __WALL));
    if (e.pid == -ECHILD) return 0;
    nap(1);
  }
  return 1;
}

long quarrel(unsigned long kind) {
  MUST(sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1) == 0);
  MUST(make_program("/prog"));
  const long tracee = user::fork(works, kind);
  const unsigned long how = random_below(8);
  const long tracer = user::fork(traces, static_cast<unsigned long>(tracee) | how << 16);
  for (unsigned left = random_below(12); left; left--) {
    random_pause();
    switch (random_below(6)) {
      case 0: kill(tracee, SIGCONT); break;
      case 1: kill(tracee, SIGSTOP); break;
      case 2: kill(tracee, SIGUSR2); break;
      case 3: kill(tracee, SIGCONT); break;
      case 4: waitpid(-1, static_cast<int>(WNOHANG | WUNTRACED | WCONTINUED | __WALL)); break;
      default: if (!random_below(4)) kill(random_below(2) ? tracer : tracee, SIGKILL);
    }
  }
  MUST(clean_up(tracee, tracer) == 0);
  return 0;
}

PROGRAM_CASE(tracee_forks) { return quarrel(0); }
PROGRAM_CASE(tracee_stops) { return quarrel(1); }
PROGRAM_CASE(tracee_makes_threads) { return quarrel(2); }
PROGRAM_CASE(tracee_execs) { return quarrel(3); }

// Two who want the same: one is refused, and at the end the process is nobody's.
long attaches_again_and_again(unsigned long pid) {
  for (int i = 0; i < 20; i++) {
    const long r = ptrace(random_below(2) ? PTRACE_ATTACH : PTRACE_SEIZE, static_cast<long>(pid));
    if (r == -ESRCH) return 0;
    MUST(r == 0 || r == -EPERM);
    if (r) continue;
    ptrace(PTRACE_INTERRUPT, static_cast<long>(pid));
    int status = wait_status(static_cast<long>(pid));
    MUST((status & 0xff) == 0x7f);
    MUST(ptrace(PTRACE_DETACH, static_cast<long>(pid)) == 0);
  }
  return 0;
}
PROGRAM_CASE(two_tracers) {
  long pid = user::fork(waits_for_signals), tracers[3];
  for (long& t : tracers) t = user::fork(attaches_again_and_again, static_cast<unsigned long>(pid));
  for (long t : tracers) MUST(waitpid(t, 0).status == exited(0));
  kill(pid, SIGCONT);
  kill(pid, SIGKILL);
  MUST(waitpid(pid, 0).status == SIGKILL);
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(tracee_forks),
    KUNIT_CASE(tracee_stops),
    KUNIT_CASE(tracee_makes_threads),
    KUNIT_CASE(tracee_execs),
    KUNIT_CASE(two_tracers),
    {},
};
kunit_suite suite = {.name = "ptrace_races", .test_cases = cases, .world = {.cpus = 3, .memory_mb = 64, .seeds = 20}};
kunit_test_suite(suite);

}  // namespace
