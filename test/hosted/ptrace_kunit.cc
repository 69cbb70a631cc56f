// ptrace(2) as programs see it: tracer and tracee are functions. Spec 20 section 17, 21 sections 4, 10, 17, 18 and 22.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include "test/hosted/ptrace_programs.hh"

namespace {

using namespace tracing;
using user::sys;
using user::Var;

// ---- Beginning ---------------------------------------------------------------------------------------------------------

long stops_itself_traced(unsigned long) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  MUST(ptrace(PTRACE_TRACEME) == -EPERM);  // once
  kill_self(SIGSTOP);
  return 7;
}
// spec 21 S-70, S-71, W-17: a stop of the tracee is reported without any option, as CLD_TRAPPED.
PROGRAM_CASE(traceme_stops_and_continues) {
  long pid = user::fork(stops_itself_traced);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(waitpid(pid, WNOHANG).pid == 0);  // told once
  MUST(ptrace(PTRACE_CONT, pid) == 0);   // without a signal: the SIGSTOP is gone
  MUST(wait_status(pid) == exited(7));
  MUST(ptrace(PTRACE_CONT, pid) == -ESRCH);
  return 0;
}

// spec 21 W-17, table of section 10.2: waitid tells a trap from a stop.
PROGRAM_CASE(waitid_says_trapped) {
  long pid = user::fork(stops_itself_traced);
  Var<siginfo_t> info;
  MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WSTOPPED | WNOWAIT, 0) == 0);
  MUST(info.get().k.si_code == CLD_TRAPPED && info.get().k.si_status == SIGSTOP && info.get().k.si_pid == pid);
  MUST(wait_status(pid) == stopped(SIGSTOP));  // WNOWAIT left it
  MUST(ptrace(PTRACE_KILL, pid) == 0);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

// spec 21 S-70: SIGCHLD with CLD_TRAPPED for each stop.
volatile int chld_code, chld_status;
void on_chld(int, unsigned long info, unsigned long) {
  auto i = user::peek<siginfo_t>(info);
  chld_code = i.k.si_code;
  chld_status = i.k.si_status;
}
PROGRAM_CASE(stop_sends_sigchld) {
  chld_code = chld_status = 0;
  user::sigaction(SIGCHLD, on_chld, SA_SIGINFO | SA_RESTART);
  long pid = user::fork(stops_itself_traced);
  // The stop is there to be waited for before its signal is sent, and who collects it early takes the signal's status away.
  for (int tries = 0; tries < 100 && chld_code != CLD_TRAPPED; tries++) nap(1);
  MUST(chld_code == CLD_TRAPPED && chld_status == SIGSTOP);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_CONT, pid) == 0);
  MUST(wait_status(pid) == exited(7));
  for (int tries = 0; tries < 100 && chld_code != CLD_EXITED; tries++) nap(1);
  MUST(chld_code == CLD_EXITED);
  return 0;
}

// ---- Attach ----------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(attach_and_detach) {
  long pid = user::fork(waits_for_signals);
  MUST(ptrace(PTRACE_CONT, pid) == -ESRCH);  // a child, but no tracee
  MUST(ptrace(PTRACE_ATTACH, pid) == 0);
  MUST(ptrace(PTRACE_ATTACH, pid) == -EPERM);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_DETACH, pid, 0, 65) == -EIO);
  MUST(ptrace(PTRACE_DETACH, pid) == 0);
  MUST(waitpid(pid, WNOHANG | WUNTRACED).pid == 0);  // goes on
  MUST(ptrace(PTRACE_DETACH, pid) == -ESRCH);
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

PROGRAM_CASE(attach_errors) {
  MUST(ptrace(PTRACE_ATTACH, 999) == -ESRCH);
  MUST(ptrace(PTRACE_ATTACH, getpid()) == -EPERM);
  MUST(ptrace(PTRACE_ATTACH, 2) == -EPERM);  // kthreadd
  MUST(ptrace(PTRACE_SEIZE, getpid(), 1) == -EIO);
  MUST(ptrace(PTRACE_SEIZE, getpid(), 0, 0x100) == -EIO);
  MUST(ptrace(PTRACE_SEIZE, getpid()) == -EPERM);
  long zombie = user::fork(exits_with, 1);
  nap(10);
  MUST(ptrace(PTRACE_ATTACH, zombie) == -EPERM);
  MUST(wait_status(zombie) == exited(1));
  return 0;
}

// ptrace(2) access mode: another user's process, with and without CAP_SYS_PTRACE; an undumpable one of our own.
long attaches_as_1000(unsigned long target) {
  MUST(sys(__NR_setuid, 1000) == 0);
  return ptrace(PTRACE_ATTACH, static_cast<long>(target)) == -EPERM ? 0 : 1;
}
long is_1000(unsigned long undumpable) {
  MUST(sys(__NR_setuid, 1000) == 0);  // leaves it undumpable
  if (!undumpable) MUST(sys(__NR_prctl, 4 /* PR_SET_DUMPABLE */, 1) == 0);
  return waits_for_signals(0);
}
long attaches_to_own(unsigned long target) {
  MUST(sys(__NR_setuid, 1000) == 0);
  long r = ptrace(PTRACE_ATTACH, static_cast<long>(target));
  if (r) return r == -EPERM ? 2 : 3;
  MUST(wait_status(static_cast<long>(target)) == stopped(SIGSTOP));
  return 0;
}
PROGRAM_CASE(attach_asks_permission) {
  long root = user::fork(waits_for_signals), mine = user::fork(is_1000, 0), closed = user::fork(is_1000, 1);
  nap(10);
  MUST(ends_by(user::fork(attaches_as_1000, static_cast<unsigned long>(root)), exited(0)));
  MUST(ends_by(user::fork(attaches_to_own, static_cast<unsigned long>(mine)), exited(0)));
  MUST(ends_by(user::fork(attaches_to_own, static_cast<unsigned long>(closed)), exited(2)));
  for (long pid : {root, mine, closed}) {
    kill(pid, SIGKILL);
    MUST(wait_status(pid) == SIGKILL);
  }
  return 0;
}

// spec 21 section 18: attaching to a process that is stopped already; the tracer never sees it run in between.
PROGRAM_CASE(attach_to_stopped) {
  long pid = user::fork(waits_for_signals);
  kill(pid, SIGSTOP);
  MUST(waitpid(pid, WUNTRACED).status == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_ATTACH, pid) == 0);
  MUST(ptrace(PTRACE_PEEKUSR, pid, 0, 8) == -EFAULT);  // stopped at once: the request is taken up
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_DETACH, pid) == 0);
  nap(5);
  MUST(state_of(pid) == 'T');  // its group is stopped still
  kill(pid, SIGCONT);
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

// ---- Memory and registers --------------------------------------------------------------------------------------------------------

long shows_word(unsigned long addr) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  kill_self(SIGSTOP);
  return static_cast<long>(user::peek<unsigned long>(addr) & 0x7f);
}
PROGRAM_CASE(peek_and_poke) {
  unsigned long at = user::map(8192);
  user::poke(at, 0x1122334455667788ul);
  long pid = user::fork(shows_word, at);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  Var<unsigned long> word;
  for (long request : {PTRACE_PEEKTEXT, PTRACE_PEEKDATA}) {
    MUST(ptrace(request, pid, at, word.addr()) == 0 && word.get() == 0x1122334455667788ul);
    MUST(ptrace(request, pid, at + 1, word.addr()) == 0 && word.get() == 0x0011223344556677ul);  // not aligned: fine
  }
  MUST(ptrace(PTRACE_PEEKDATA, pid, 8, word.addr()) == -EIO);
  MUST(ptrace(PTRACE_PEEKDATA, pid, at, 8) == -EFAULT);
  MUST(ptrace(PTRACE_POKEDATA, pid, 8, 1) == -EIO);
  MUST(ptrace(PTRACE_POKEDATA, pid, at, 42) == 0);
  MUST(user::peek<unsigned long>(at) == 0x1122334455667788ul);  // the tracee's copy alone
  MUST(ptrace(PTRACE_CONT, pid) == 0);
  MUST(wait_status(pid) == exited(42));
  return 0;
}

PROGRAM_CASE(registers_are_shown_and_set) {
  long pid = user::fork(stops_itself_traced);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  Var<user_regs_struct> regs;
  MUST(ptrace(PTRACE_GETREGS, pid, 0, regs.addr()) == 0);
  user_regs_struct r = regs.get();
  MUST(r.orig_ax == __NR_kill && r.ax == 0 && r.cs == USER_CS && r.ss == USER_DS && r.si == SIGSTOP);
  Var<unsigned long> word;
  MUST(ptrace(PTRACE_PEEKUSR, pid, offsetof(user_regs_struct, sp), word.addr()) == 0 && word.get() == r.sp);
  MUST(ptrace(PTRACE_PEEKUSR, pid, 4, word.addr()) == -EIO);
  MUST(ptrace(PTRACE_PEEKUSR, pid, sizeof(user_area), word.addr()) == -EIO);
  MUST(ptrace(PTRACE_PEEKUSR, pid, offsetof(user_area, u_comm), word.addr()) == 0 && word.get() == 0);
  MUST(ptrace(PTRACE_POKEUSR, pid, offsetof(user_regs_struct, bx), 99) == 0);
  MUST(ptrace(PTRACE_POKEUSR, pid, offsetof(user_regs_struct, cs), 8) == -EIO);
  MUST(ptrace(PTRACE_POKEUSR, pid, offsetof(user_regs_struct, fs_base), ~0ul) == -EIO);
  MUST(ptrace(PTRACE_POKEUSR, pid, offsetof(user_area, u_comm), 1) == -EIO);
  MUST(ptrace(PTRACE_GETREGS, pid, 0, regs.addr()) == 0 && regs.get().bx == 99);
  r.flags |= 0x3200;  // IF and IOPL are not the tracer's to change
  regs.set(r);
  MUST(ptrace(PTRACE_SETREGS, pid, 0, regs.addr()) == 0);
  MUST(ptrace(PTRACE_GETREGS, pid, 0, regs.addr()) == 0 && !(regs.get().flags & 0x3000));
  MUST(ptrace(PTRACE_GETREGS, pid, 0, 8) == -EFAULT);
  MUST(ptrace(PTRACE_CONT, pid) == 0);
  MUST(wait_status(pid) == exited(7));
  return 0;
}

PROGRAM_CASE(register_sets) {
  long pid = user::fork(stops_itself_traced);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  Var<user_regs_struct> regs;
  Var<iovec> iov(iovec{regs.ptr(), 4096});
  MUST(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, iov.addr()) == 0);
  MUST(iov.get().iov_len == sizeof(user_regs_struct) && regs.get().cs == USER_CS);
  iov.set({regs.ptr(), 12});
  MUST(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, iov.addr()) == -EINVAL);
  iov.set({regs.ptr(), 16});
  MUST(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, iov.addr()) == 0 && iov.get().iov_len == 16);
  MUST(ptrace(PTRACE_GETREGSET, pid, 0x999, iov.addr()) == -EINVAL);
  MUST(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8) == -EFAULT);
  user_regs_struct r = regs.get();
  r.r15 = 15;
  regs.set(r);
  MUST(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, iov.addr()) == 0);
  Var<unsigned long> word;
  MUST(ptrace(PTRACE_PEEKUSR, pid, 0, word.addr()) == 0 && word.get() == 15);
  MUST(ptrace(PTRACE_DETACH, pid) == 0);
  MUST(wait_status(pid) == exited(7));
  return 0;
}

// ---- Signals -------------------------------------------------------------------------------------------------------------------------

volatile int caught;
void note_signal(int sig, unsigned long, unsigned long) { caught = sig; }
long catches_and_says(unsigned long) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  for (int sig : {SIGUSR1, SIGUSR2}) user::sigaction(sig, note_signal);
  caught = 0;
  kill_self(SIGUSR1);
  return caught;
}
// spec 21 section 17 step 8: the tracer sees a signal first, may drop it, pass it or give another.
PROGRAM_CASE(signals_are_the_tracers) {
  for (int inject : {0, SIGUSR1, SIGUSR2}) {
    long pid = user::fork(catches_and_says);
    MUST(wait_status(pid) == stopped(SIGUSR1));
    Var<siginfo_t> info;
    MUST(ptrace(PTRACE_GETSIGINFO, pid, 0, info.addr()) == 0);
    MUST(info.get().k.si_signo == SIGUSR1 && info.get().k.si_code == SI_USER && info.get().k.si_pid == pid);
    MUST(ptrace(PTRACE_CONT, pid, 0, 65) == -EIO);
    MUST(ptrace(PTRACE_CONT, pid, 0, static_cast<unsigned long>(inject)) == 0);
    MUST(wait_status(pid) == exited(inject));
  }
  return 0;
}

// A fatal signal stops a tracee first; ignored ones too (spec 21 S-14, S-21).
long ignores_and_dies(unsigned long) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  user::sigaction(SIGUSR1, 1ul);
  kill_self(SIGUSR1);
  kill_self(SIGTERM);
  return 0;
}
PROGRAM_CASE(ignored_and_fatal_signals_stop) {
  long pid = user::fork(ignores_and_dies);
  MUST(wait_status(pid) == stopped(SIGUSR1));
  MUST(ptrace(PTRACE_CONT, pid, 0, SIGUSR1) == 0);
  MUST(wait_status(pid) == stopped(SIGTERM));
  MUST(ptrace(PTRACE_CONT, pid, 0, SIGTERM) == 0);
  MUST(wait_status(pid) == SIGTERM);
  return 0;
}

// spec 21 S-46: SIGKILL ends a tracee in any stop, and is never the tracer's to see.
PROGRAM_CASE(kill_ends_a_stop) {
  long pid = user::fork(stops_itself_traced);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

PROGRAM_CASE(signal_masks_and_queues) {
  long pid = user::fork(stops_itself_traced);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  Var<u64> mask(sig_mask(SIGUSR1) | sig_mask(SIGKILL));
  MUST(ptrace(PTRACE_SETSIGMASK, pid, 4, mask.addr()) == -EINVAL);
  MUST(ptrace(PTRACE_SETSIGMASK, pid, 8, mask.addr()) == 0);
  MUST(ptrace(PTRACE_GETSIGMASK, pid, 8, mask.addr()) == 0 && mask.get() == sig_mask(SIGUSR1));
  kill(pid, SIGUSR1);
  Var<ptrace_peeksiginfo_args> args({0, PTRACE_PEEKSIGINFO_SHARED, 4});
  Var<siginfo_t> info;
  MUST(ptrace(PTRACE_PEEKSIGINFO, pid, args.addr(), info.addr()) == 1 && info.get().k.si_signo == SIGUSR1);
  args.set({1, PTRACE_PEEKSIGINFO_SHARED, 4});
  MUST(ptrace(PTRACE_PEEKSIGINFO, pid, args.addr(), info.addr()) == 0);
  args.set({0, 0, 4});
  MUST(ptrace(PTRACE_PEEKSIGINFO, pid, args.addr(), info.addr()) == 0);
  args.set({0, 2, 4});
  MUST(ptrace(PTRACE_PEEKSIGINFO, pid, args.addr(), info.addr()) == -EINVAL);
  args.set({0, 0, -1});
  MUST(ptrace(PTRACE_PEEKSIGINFO, pid, args.addr(), info.addr()) == -EINVAL);
  siginfo_t changed = {};
  MUST(ptrace(PTRACE_GETSIGINFO, pid, 0, info.addr()) == 0);
  changed = info.get();
  changed.k.si_errno = 5;
  info.set(changed);
  MUST(ptrace(PTRACE_SETSIGINFO, pid, 0, info.addr()) == 0);
  info.set({});
  MUST(ptrace(PTRACE_GETSIGINFO, pid, 0, info.addr()) == 0 && info.get().k.si_errno == 5);
  MUST(ptrace(PTRACE_CONT, pid) == 0);
  MUST(wait_status(pid) == exited(7));
  return 0;
}

// ---- Events ----------------------------------------------------------------------------------------------------------------------------

long forks_once(unsigned long how) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  kill_self(SIGSTOP);
  long pid = how == PTRACE_EVENT_VFORK ? user::vfork(exits_with, 3)
                                       : user::clone(how == PTRACE_EVENT_CLONE ? SIGUSR1 : SIGCHLD, 0, exits_with, 3);
  Ended e = waitpid(pid, static_cast<int>(__WALL));
  return e.pid == pid && e.status == exited(3) ? 4 : 5;
}
// spec 20 F-98, F-99: the event, its message, and the child that begins with a SIGSTOP.
PROGRAM_CASE(fork_events) {
  for (int event : {PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK, PTRACE_EVENT_CLONE}) {
    long pid = user::fork(forks_once, static_cast<unsigned long>(event));
    MUST(wait_status(pid) == stopped(SIGSTOP));
    MUST(ptrace(PTRACE_SETOPTIONS, pid, 0, 1ul << 30) == -EINVAL);
    MUST(ptrace(PTRACE_SETOPTIONS, pid, 0, (1ul << event) | PTRACE_O_TRACEVFORKDONE) == 0);
    MUST(ptrace(PTRACE_CONT, pid) == 0);
    MUST(wait_status(pid) == (stopped(SIGTRAP) | event << 16));
    Var<unsigned long> message;
    MUST(ptrace(PTRACE_GETEVENTMSG, pid, 0, message.addr()) == 0);
    const long child = static_cast<long>(message.get());
    MUST(child > pid);
    Var<siginfo_t> info;
    MUST(ptrace(PTRACE_GETSIGINFO, pid, 0, info.addr()) == 0 && info.get().k.si_code == (SIGTRAP | event << 8));
    MUST(wait_status(child) == stopped(SIGSTOP));
    MUST(ptrace(PTRACE_CONT, pid) == 0);
    MUST(ptrace(PTRACE_CONT, child) == 0);
    MUST(wait_status(child) == exited(3));  // the tracer first, the parent then (W-14, W-16)
    if (event == PTRACE_EVENT_VFORK) {
      MUST(wait_status(pid) == (stopped(SIGTRAP) | PTRACE_EVENT_VFORK_DONE << 16));
      MUST(ptrace(PTRACE_GETEVENTMSG, pid, 0, message.addr()) == 0 && message.get() == static_cast<unsigned long>(child));
      MUST(ptrace(PTRACE_CONT, pid) == 0);
    }
    Ended e = waitpid(pid, 0);
    if (e.status == stopped(SIGCHLD) || e.status == stopped(SIGUSR1)) {
      MUST(ptrace(PTRACE_CONT, pid) == 0);
      e = waitpid(pid, 0);
    }
    MUST(e.status == exited(4));
  }
  return 0;
}

// spec 21 section 2 step 4: the exit event, with the code as message, before anything is undone.
PROGRAM_CASE(exit_event) {
  long pid = user::fork(stops_itself_traced);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT) == 0);
  MUST(ptrace(PTRACE_CONT, pid) == 0);
  MUST(wait_status(pid) == (stopped(SIGTRAP) | PTRACE_EVENT_EXIT << 16));
  Var<unsigned long> message;
  MUST(ptrace(PTRACE_GETEVENTMSG, pid, 0, message.addr()) == 0 && message.get() == exited(7));
  Var<user_regs_struct> regs;
  MUST(ptrace(PTRACE_GETREGS, pid, 0, regs.addr()) == 0 && regs.get().orig_ax == __NR_exit_group);
  MUST(ptrace(PTRACE_CONT, pid) == 0);
  MUST(wait_status(pid) == exited(7));
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(traceme_stops_and_continues),
    KUNIT_CASE(waitid_says_trapped),
    KUNIT_CASE(stop_sends_sigchld),
    KUNIT_CASE(attach_and_detach),
    KUNIT_CASE(attach_errors),
    KUNIT_CASE(attach_asks_permission),
    KUNIT_CASE(attach_to_stopped),
    KUNIT_CASE(peek_and_poke),
    KUNIT_CASE(registers_are_shown_and_set),
    KUNIT_CASE(register_sets),
    KUNIT_CASE(signals_are_the_tracers),
    KUNIT_CASE(ignored_and_fatal_signals_stop),
    KUNIT_CASE(kill_ends_a_stop),
    KUNIT_CASE(signal_masks_and_queues),
    KUNIT_CASE(fork_events),
    KUNIT_CASE(exit_event),
    {},
};
kunit_suite suite = {.name = "ptrace", .test_cases = cases, .world = {.cpus = 3, .memory_mb = 64, .seeds = 20}};
kunit_test_suite(suite);

}  // namespace
