// Exceptions of user code as signals, and what the frame says of them. Spec 10 section 5.4; restarting: section 14.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/string.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include "arch/hosted/user.hh"
#include "kernel/entry/entry.hh"
#include "kernel/signal/frame.hh"

namespace {

using user::sys;
using user::Var;

#define MUST(cond)                          \
  do {                                      \
    if (!(cond)) return __LINE__ % 255 + 1; \
  } while (0)

struct Row {
  const char* what;
  unsigned vector, error;
  int signo, code;
};
const Row kRows[] = {
    {"#DE", 0, 0, SIGFPE, FPE_INTDIV},        {"#DB step", 1, 0x4000, SIGTRAP, TRAP_TRACE},
    {"#DB DR0", 1, 1, SIGTRAP, TRAP_HWBKPT},  {"#DB ICEBP", 1, 0, SIGTRAP, TRAP_BRKPT},
    {"#BP", 3, 0, SIGTRAP, SI_KERNEL},        {"#OF", 4, 0, SIGSEGV, SI_KERNEL},
    {"#BR", 5, 0, SIGSEGV, SI_KERNEL},        {"#UD", 6, 0, SIGILL, ILL_ILLOPN},
    {"#TS", 10, 8, SIGSEGV, SI_KERNEL},       {"#NP", 11, 8, SIGBUS, SI_KERNEL},
    {"#SS", 12, 8, SIGBUS, SI_KERNEL},        {"#GP", 13, 0, SIGSEGV, SI_KERNEL},
    {"#MF invalid", 16, 0x01, SIGFPE, FPE_FLTINV}, {"#MF zero", 16, 0x04, SIGFPE, FPE_FLTDIV},
    {"#AC", 17, 0, SIGBUS, BUS_ADRALN},       {"#XM overflow", 19, 0x08, SIGFPE, FPE_FLTOVF},
    {"#XM underflow", 19, 0x10, SIGFPE, FPE_FLTUND}, {"#XM precision", 19, 0x20, SIGFPE, FPE_FLTRES},
};
void describe(const Row* r, char* desc) { strscpy(desc, r->what, KUNIT_PARAM_DESC_SIZE); }
KUNIT_ARRAY_PARAM(rows, kRows, describe);

struct Seen {
  int signo, code;
  u64 trapno, err;
};
Seen seen;
void note(int sig, unsigned long info, unsigned long uc) {
  const auto c = user::peek<SigContext>(uc + 0x28);
  seen = {sig, user::peek<siginfo_t>(info).k.si_code, c.trapno, c.err};
  user::exit(0);  // going back would only raise it again
}
long raises(unsigned long p) {
  auto* r = reinterpret_cast<const Row*>(p);
  user::sigaction(r->signo, note, SA_SIGINFO);
  user::raise_exception(r->vector, r->error);
  return 1;
}
void exceptions(kunit* test) {
  auto* r = static_cast<const Row*>(test->param_value);
  seen = {};
  KUNIT_EXPECT_EQ(test, user::run_process(raises, reinterpret_cast<unsigned long>(r)), 0);
  KUNIT_EXPECT_EQ(test, seen.signo, r->signo);
  KUNIT_EXPECT_EQ(test, seen.code, r->code);
  KUNIT_EXPECT_EQ(test, seen.trapno, static_cast<u64>(r->vector));  // B-29
  // What #DB, #MF and #XM come with is a status word: the hardware gives them no error code.
  const bool status = r->vector == 1 || r->vector == 16 || r->vector == 19;
  KUNIT_EXPECT_EQ(test, seen.err, static_cast<u64>(status ? 0 : r->error));
}

long raises_unhandled(unsigned long vector) {
  user::raise_exception(static_cast<unsigned>(vector));
  return 1;
}
void unhandled_exceptions_kill(kunit* test) {
  KUNIT_EXPECT_EQ(test, user::run_process(raises_unhandled, 0) & 0x7f, SIGFPE);
  KUNIT_EXPECT_EQ(test, user::run_process(raises_unhandled, 6) & 0x7f, SIGILL);
  KUNIT_EXPECT_EQ(test, user::run_process(raises_unhandled, 13) & 0x7f, SIGSEGV);
}

// B-29: what a kernel address holds is not told.
u64 fault_error;
long touches_the_kernel(unsigned long) {
  user::sigaction(SIGSEGV, [](int, unsigned long info, unsigned long uc) {
    const auto c = user::peek<SigContext>(uc + 0x28);
    fault_error = c.err;
    if (c.cr2 != 0xffff800000000000 || user::peek<siginfo_t>(info).k.si_code != SEGV_MAPERR) user::exit(2);
    user::exit(0);
  }, SA_SIGINFO);
  return user::peek<int>(0xffff800000000000);
}
void kernel_addresses_look_present(kunit* test) {
  KUNIT_EXPECT_EQ(test, user::run_process(touches_the_kernel), 0);
  KUNIT_EXPECT_TRUE(test, fault_error & 1);
}

// E-2: counted by number.
long asks_for_what_is_not_there(unsigned long) { return -sys(__NR_uselib, 0) == ENOSYS ? 0 : 1; }
void missing_calls_are_counted(kunit* test) {
  const long before = syscall_enosys_count(__NR_uselib);
  KUNIT_EXPECT_EQ(test, user::run_process(asks_for_what_is_not_there), 0);
  KUNIT_EXPECT_EQ(test, syscall_enosys_count(__NR_uselib), before + 1);
}

// ---- Restart (section 14) ------------------------------------------------------------------------------------------------

int handled;
void count(int, unsigned long, unsigned long) { handled++; }

long signals_parent(unsigned long parent) {
  user::burn(20'000'000);
  sys(__NR_kill, parent, SIGUSR1);
  user::burn(20'000'000);
  return 7;
}
// wait4 is restarted with SA_RESTART, and interrupted without (E-36).
long waits_through_a_signal(unsigned long flags) {
  handled = 0;
  user::sigaction(SIGUSR1, count, flags);
  long pid = user::fork(signals_parent, static_cast<unsigned long>(sys(__NR_getpid)));
  Var<int> status;
  long r = sys(__NR_wait4, pid, status.addr(), 0, 0);
  MUST(handled == 1);
  if (flags & SA_RESTART) {
    MUST(r == pid && status.get() == 7 << 8);
    return 0;
  }
  MUST(r == -EINTR);
  MUST(sys(__NR_wait4, pid, status.addr(), 0, 0) == pid);
  return 0;
}
void wait_is_restarted(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(waits_through_a_signal, SA_RESTART), 0); }
void wait_is_interrupted(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(waits_through_a_signal, 0), 0); }

// pause never restarts, whatever the flags.
long pauses(unsigned long) {
  handled = 0;
  user::sigaction(SIGUSR1, count, SA_RESTART);
  long pid = user::fork(signals_parent, static_cast<unsigned long>(sys(__NR_getpid)));
  MUST(sys(__NR_pause) == -EINTR && handled == 1);
  MUST(sys(__NR_wait4, pid, 0, 0, 0) == pid);
  return 0;
}
void pause_is_interrupted(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(pauses), 0); }

// An ignored signal, and a stop with its continuation, pass unseen (RESTARTBLOCK through restart_syscall).
long stops_and_continues(unsigned long parent) {
  user::burn(10'000'000);
  sys(__NR_kill, parent, SIGSTOP);
  user::burn(10'000'000);
  sys(__NR_kill, parent, SIGCONT);
  return 0;
}
long sleeps_through_a_stop(unsigned long) {
  long pid = user::fork(stops_and_continues, static_cast<unsigned long>(sys(__NR_getpid)));
  Var<__kernel_timespec> t({0, 50'000'000});
  MUST(sys(__NR_nanosleep, t.addr(), 0) == 0);
  MUST(sys(__NR_wait4, pid, 0, 0, 0) == pid);
  return 0;
}
void sleep_goes_on_after_a_stop(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(sleeps_through_a_stop), 0); }

// A stale restart block does nothing (E-34).
long restarts_nothing(unsigned long) { return -sys(__NR_restart_syscall) == EINTR ? 0 : 1; }
void nothing_to_restart(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(restarts_nothing), 0); }

// ---- unshare (spec 20 section 20) --------------------------------------------------------------------------------------------

long unshares(unsigned long) {
  MUST(sys(__NR_unshare, 1ul << 40) == -EINVAL);
  MUST(sys(__NR_unshare, CLONE_PARENT) == -EINVAL);
  MUST(sys(__NR_unshare, CLONE_NEWNET | CLONE_NEWUTS) == 0);
  MUST(sys(__NR_unshare, 0) == 0);
  MUST(sys(__NR_unshare, CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) == 0);
  MUST(sys(__NR_unshare, CLONE_THREAD | CLONE_VM) == 0);  // alone already
  MUST(sys(__NR_setns, 99, 0) == -EBADF);
  MUST(user::thread(user::thread_stack(), [](unsigned long) { return sys(__NR_pause); }) > 0);
  MUST(sys(__NR_unshare, CLONE_THREAD) == -EINVAL);  // F-111
  MUST(sys(__NR_unshare, CLONE_FS) == 0);            // the other thread keeps the old one
  user::exit(0);
}
void unsharing(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(unshares), 0); }

kunit_case cases[] = {
    KUNIT_CASE_PARAM(exceptions, rows_gen_params), KUNIT_CASE(unhandled_exceptions_kill), KUNIT_CASE(kernel_addresses_look_present),
    KUNIT_CASE(missing_calls_are_counted), KUNIT_CASE(wait_is_restarted), KUNIT_CASE(wait_is_interrupted),
    KUNIT_CASE(pause_is_interrupted), KUNIT_CASE(sleep_goes_on_after_a_stop), KUNIT_CASE(nothing_to_restart), KUNIT_CASE(unsharing), {},
};
kunit_suite suite = {.name = "user_entry", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
