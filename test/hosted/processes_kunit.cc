// Processes as programs see them: fork, wait, signals, job control, threads, through the system calls alone. Spec 20, 21.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <uapi/linux/prctl.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include <initializer_list>

#include "arch/hosted/user.hh"
#include "kernel/signal/frame.hh"

namespace {

using user::sys;
using user::Var;

constexpr int exited(int status) { return (status & 0xff) << 8; }
constexpr int stopped(int sig) { return sig << 8 | 0x7f; }
#define MUST(cond)                                       \
  do {                                                   \
    if (!(cond)) return __LINE__ % 255 + 1; \
  } while (0)
#define PROGRAM_CASE(name)                                                                   \
  long name##_program(unsigned long);                                                        \
  void name(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(name##_program), 0); } \
  long name##_program(unsigned long)

constexpr u64 sig_mask(int sig) { return 1ull << (sig - 1); }
long getpid() { return sys(__NR_getpid); }
struct Ended {
  long pid;
  int status;
};
Ended wait4(long pid, int options = 0) {
  Var<int> status;
  long r = sys(__NR_wait4, pid, status.addr(), options, 0);
  return {r, status.get()};
}
long waits_for_signals(unsigned long) {
  for (;;) sys(__NR_pause);
}
long exits_with(unsigned long status) { return static_cast<long>(status); }
void nap(long ms) {
  Var<__kernel_timespec> t({ms / 1000, ms % 1000 * 1'000'000});
  sys(__NR_nanosleep, t.addr(), 0);
}
long kill(long pid, int sig) { return sys(__NR_kill, pid, sig); }
bool ends_by(long pid, int status) {
  Ended e = wait4(pid);
  return e.pid == pid && e.status == status;
}

// ---- fork and ids ----------------------------------------------------------------------------------------------------

long child_sees_ids(unsigned long parent) {
  MUST(sys(__NR_getppid) == static_cast<long>(parent));
  MUST(getpid() != static_cast<long>(parent));
  MUST(sys(__NR_gettid) == getpid());
  return 0;
}
PROGRAM_CASE(ids_after_fork) {
  long pid = user::fork(child_sees_ids, static_cast<unsigned long>(getpid()));
  MUST(ends_by(pid, 0));
  return 0;
}

PROGRAM_CASE(clone_refuses) {
  struct Row {
    unsigned long flags;
    long expected;
  };
  for (Row r : {Row{CLONE_THREAD, -EINVAL}, Row{CLONE_SIGHAND, -EINVAL}, Row{CLONE_NEWNS | CLONE_FS, -EINVAL},
                Row{CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, -EINVAL}, Row{CLONE_NEWUSER | CLONE_FS, -EINVAL}, Row{CLONE_PIDFD | CLONE_PARENT_SETTID, -EINVAL}})
    MUST(sys(__NR_clone, r.flags, 0, 0, 0, 0) == r.expected);
  MUST(sys(__NR_clone, CLONE_SETTLS, 0, 0, 0, ~0ul) == -EPERM);  // a TLS base in the kernel (section 14)
  return 0;
}

PROGRAM_CASE(clone3_refuses) {
  Var<clone_args> args;
  MUST(sys(__NR_clone3, args.addr(), 63) == -EINVAL);
  MUST(sys(__NR_clone3, args.addr(), 4097) == -E2BIG);
  MUST(sys(__NR_clone3, 8, 64) == -EFAULT);  // F-4
  clone_args a{};
  a.exit_signal = 65;
  args.set(a);
  MUST(sys(__NR_clone3, args.addr(), sizeof(a)) == -EINVAL);
  a = {};
  a.set_tid = 8, a.set_tid_size = 1;
  args.set(a);
  MUST(sys(__NR_clone3, args.addr(), sizeof(a)) == -EFAULT);  // F-9
  return 0;
}

PROGRAM_CASE(parent_settid) {
  Var<int> tid;
  long pid = user::clone(CLONE_PARENT_SETTID | SIGCHLD, 0, exits_with, 3, tid.addr());
  MUST(pid > 0 && tid.get() == pid);
  MUST(ends_by(pid, exited(3)));
  pid = user::clone(CLONE_PARENT_SETTID | SIGCHLD, 0, exits_with, 4, 8);  // a fault is ignored
  MUST(pid > 0 && ends_by(pid, exited(4)));
  return 0;
}

long reads_tid(unsigned long addr) { return user::peek<int>(addr) == getpid() ? 0 : 1; }
PROGRAM_CASE(child_settid) {  // spec 22 C-63: there before the child's first instruction
  Var<int> tid;
  long pid = user::clone(CLONE_CHILD_SETTID | SIGCHLD, 0, reads_tid, tid.addr(), 0, tid.addr());
  MUST(pid > 0 && ends_by(pid, 0));
  MUST(tid.get() == 0);  // in the child's memory alone
  return 0;
}

long forks_too_much(unsigned long) {
  MUST(sys(__NR_setuid, 1000) == 0);
  Var<rlimit> limit(rlimit{3, 3});
  MUST(sys(__NR_prlimit64, 0, RLIMIT_NPROC, limit.addr(), 0) == 0);
  long a = user::fork(waits_for_signals), b = user::fork(waits_for_signals);
  MUST(a > 0 && b > 0);
  MUST(user::fork(waits_for_signals) == -EAGAIN);  // F-62: three means two more
  kill(a, SIGKILL);
  kill(b, SIGKILL);
  MUST(wait4(-1).pid > 0 && wait4(-1).pid > 0);
  MUST(user::fork(exits_with) > 0);
  wait4(-1);
  return 0;
}
PROGRAM_CASE(fork_bomb_is_limited) {
  long pid = user::fork(forks_too_much);
  MUST(ends_by(pid, 0));
  return 0;
}

// ---- wait -------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(wait_arguments) {
  MUST(wait4(-1).pid == -ECHILD);
  MUST(wait4(-1, 0x100).pid == -EINVAL);
  MUST(wait4(-2147483647 - 1).pid == -ESRCH);
  Var<siginfo_t> info;
  MUST(sys(__NR_waitid, P_ALL, 0, info.addr(), 0, 0) == -EINVAL);
  MUST(sys(__NR_waitid, P_PID, 0, info.addr(), WEXITED, 0) == -EINVAL);
  MUST(sys(__NR_waitid, 7, 1, info.addr(), WEXITED, 0) == -EINVAL);
  MUST(sys(__NR_waitid, P_PIDFD, 99, info.addr(), WEXITED, 0) == -EBADF);
  MUST(sys(__NR_waitid, P_ALL, 0, info.addr(), WEXITED, 0) == -ECHILD);
  return 0;
}

PROGRAM_CASE(waitid_reports) {
  long pid = user::fork(exits_with, 5);
  Var<siginfo_t> info;
  MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WEXITED | WNOWAIT, 0) == 0);
  kernel_siginfo k = info.get().k;
  MUST(k.si_signo == SIGCHLD && k.si_code == CLD_EXITED && k.si_pid == pid && k.si_status == 5);
  MUST(sys(__NR_waitid, P_PID, pid, 0, WEXITED, 0) == 0);  // spec 21 W-1: no place to write is fine
  pid = user::fork(waits_for_signals);
  MUST(sys(__NR_waitid, P_ALL, 0, info.addr(), WEXITED | WNOHANG, 0) == 0);
  MUST(info.get().k.si_pid == 0 && info.get().k.si_signo == 0);  // nothing found: zeroed
  kill(pid, SIGINT);
  MUST(sys(__NR_waitid, P_ALL, 0, info.addr(), WEXITED, 0) == 0);
  MUST(info.get().k.si_code == CLD_KILLED && info.get().k.si_status == SIGINT);
  return 0;
}

PROGRAM_CASE(bad_status_pointer_still_reaps) {  // spec 21 W-2
  long pid = user::fork(exits_with);
  MUST(sys(__NR_wait4, pid, 8, 0, 0) == -EFAULT);
  MUST(wait4(pid).pid == -ECHILD);
  return 0;
}

unsigned long counter;
void counts(int, unsigned long, unsigned long) { user::poke<int>(counter, user::peek<int>(counter) + 1); }

PROGRAM_CASE(sigchld_tells) {  // spec 21 X-12
  static unsigned long seen;
  Var<siginfo_t> info;
  seen = info.addr();
  user::sigaction(SIGCHLD, [](int, unsigned long from, unsigned long) {
    siginfo_t s = user::peek<siginfo_t>(from);
    user::poke(seen, s);
  }, SA_SIGINFO | SA_RESTART);
  long pid = user::fork(exits_with, 6);
  MUST(ends_by(pid, exited(6)));
  kernel_siginfo k = info.get().k;
  MUST(k.si_signo == SIGCHLD && k.si_code == CLD_EXITED && k.si_pid == pid && k.si_status == 6);
  return 0;
}

// ---- Signals ----------------------------------------------------------------------------------------------------------

PROGRAM_CASE(kill_errors) {  // spec 21 S-24, section 15
  MUST(kill(getpid(), 65) == -EINVAL);
  MUST(kill(99999, SIGTERM) == -ESRCH);
  MUST(kill(99999, 65) == -ESRCH);
  MUST(kill(-2147483647 - 1, 0) == -ESRCH);
  MUST(sys(__NR_tkill, 0, SIGTERM) == -EINVAL);
  MUST(sys(__NR_tgkill, 0, getpid(), 0) == -EINVAL);
  MUST(sys(__NR_tgkill, getpid() + 1, getpid(), 0) == -ESRCH);
  MUST(kill(getpid(), 0) == 0);
  return 0;
}

PROGRAM_CASE(sigaction_errors) {  // spec 21 S-1
  Var<struct sigaction> act, old;
  MUST(sys(__NR_rt_sigaction, SIGUSR1, act.addr(), 0, 4) == -EINVAL);
  MUST(sys(__NR_rt_sigaction, SIGKILL, act.addr(), 0, 8) == -EINVAL);
  MUST(sys(__NR_rt_sigaction, SIGSTOP, act.addr(), 0, 8) == -EINVAL);
  MUST(sys(__NR_rt_sigaction, SIGKILL, 0, old.addr(), 8) == 0);
  MUST(sys(__NR_rt_sigaction, 0, 0, old.addr(), 8) == -EINVAL);
  MUST(sys(__NR_rt_sigaction, 65, 0, old.addr(), 8) == -EINVAL);
  MUST(sys(__NR_rt_sigaction, 65, 8, 0, 8) == -EFAULT);  // before the number
  return 0;
}

PROGRAM_CASE(unknown_flags_are_cleared) {  // spec 21 S-2
  struct sigaction sa{};
  sa.sa_handler = SIG_IGN;
  sa.sa_flags = SA_UNSUPPORTED | 0x40 | SA_RESTART;
  Var<struct sigaction> act(sa), old;
  MUST(sys(__NR_rt_sigaction, SIGUSR1, act.addr(), 0, 8) == 0);
  MUST(sys(__NR_rt_sigaction, SIGUSR1, 0, old.addr(), 8) == 0);
  MUST(old.get().sa_flags == SA_RESTART);
  return 0;
}

PROGRAM_CASE(frame_layout) {  // section 19, spec 21 S-51
  static bool good;
  good = false;
  user::sigaction(SIGUSR1, [](int sig, unsigned long info, unsigned long uc) {
    const pt_regs& r = user::regs();
    good = sig == SIGUSR1 && r.sp % 16 == 8 && uc == r.sp + 8 && info == r.sp + 312 &&
           user::peek<int>(info) == SIGUSR1 && user::peek<u64>(uc + 8) == 0 &&
           user::peek<SigContext>(uc + 0x28).oldmask == sig_mask(SIGUSR2);
  }, SA_SIGINFO);
  Var<u64> mask(sig_mask(SIGUSR2));
  sys(__NR_rt_sigprocmask, SIG_SETMASK, mask.addr(), 0, 8);
  kill(getpid(), SIGUSR1);
  MUST(good);
  return 0;
}

PROGRAM_CASE(masks_nest) {  // spec 21 S-53
  Var<int> count;
  counter = count.addr();
  static u64 inside;
  user::sigaction(SIGUSR1, [](int, unsigned long, unsigned long) {
    Var<u64> now;
    sys(__NR_rt_sigprocmask, 0, 0, now.addr(), 8);
    inside = now.get();
  }, 0, sig_mask(SIGUSR2));
  kill(getpid(), SIGUSR1);
  MUST(inside == (sig_mask(SIGUSR1) | sig_mask(SIGUSR2)));
  Var<u64> after;
  sys(__NR_rt_sigprocmask, 0, 0, after.addr(), 8);
  MUST(after.get() == 0);
  return 0;
}

PROGRAM_CASE(altstack) {  // spec 21 S-57, S-50
  Var<stack_t> s, old;
  MUST(sys(__NR_sigaltstack, 0, old.addr()) == 0 && old.get().ss_flags == SS_DISABLE);
  s.set({reinterpret_cast<void*>(8), 0, 100});
  MUST(sys(__NR_sigaltstack, s.addr(), 0) == -ENOMEM);
  s.set({reinterpret_cast<void*>(8), 7, 65536});
  MUST(sys(__NR_sigaltstack, s.addr(), 0) == -EINVAL);
  static unsigned long base;
  static int flags_inside;
  static long set_inside;
  base = user::map(65536);
  s.set({reinterpret_cast<void*>(base), 0, 65536});
  MUST(sys(__NR_sigaltstack, s.addr(), 0) == 0);
  static bool on_it;
  user::sigaction(SIGUSR1, [](int, unsigned long, unsigned long) {
    on_it = user::regs().sp > base && user::regs().sp < base + 65536;
    Var<stack_t> now;
    sys(__NR_sigaltstack, 0, now.addr());
    flags_inside = now.get().ss_flags;
    set_inside = sys(__NR_sigaltstack, now.addr(), 0);
  }, SA_ONSTACK);
  kill(getpid(), SIGUSR1);
  MUST(on_it && flags_inside == SS_ONSTACK && set_inside == -EPERM);
  return 0;
}

PROGRAM_CASE(sigsuspend_restores) {  // E-35
  Var<int> count;
  counter = count.addr();
  user::sigaction(SIGUSR1, counts);
  Var<u64> mask(sig_mask(SIGUSR1) | sig_mask(SIGUSR2)), none(0), after;
  sys(__NR_rt_sigprocmask, SIG_SETMASK, mask.addr(), 0, 8);
  kill(getpid(), SIGUSR1);
  MUST(count.get() == 0);
  MUST(sys(__NR_rt_sigsuspend, none.addr(), 8) == -EINTR);
  MUST(count.get() == 1);
  sys(__NR_rt_sigprocmask, 0, 0, after.addr(), 8);
  MUST(after.get() == mask.get());
  return 0;
}

PROGRAM_CASE(sigtimedwait) {  // spec 21 S-8
  Var<u64> set(sig_mask(SIGUSR1));
  sys(__NR_rt_sigprocmask, SIG_BLOCK, set.addr(), 0, 8);
  Var<__kernel_timespec> soon({0, 1'000'000}), bad({0, 2'000'000'000});
  MUST(sys(__NR_rt_sigtimedwait, set.addr(), 0, bad.addr(), 8) == -EINVAL);
  MUST(sys(__NR_rt_sigtimedwait, set.addr(), 0, soon.addr(), 8) == -EAGAIN);
  kill(getpid(), SIGUSR1);
  Var<siginfo_t> info;
  MUST(sys(__NR_rt_sigtimedwait, set.addr(), info.addr(), 0, 8) == SIGUSR1);
  MUST(info.get().k.si_pid == getpid() && info.get().k.si_code == SI_USER);
  return 0;
}

PROGRAM_CASE(sigqueue_carries_a_value) {
  Var<u64> set(sig_mask(SIGRTMIN));
  sys(__NR_rt_sigprocmask, SIG_BLOCK, set.addr(), 0, 8);
  siginfo_t out{};
  out.k.si_code = SI_QUEUE;
  out.k.si_int = 1234;
  Var<siginfo_t> info(out), got;
  MUST(sys(__NR_rt_sigqueueinfo, getpid(), SIGRTMIN, info.addr()) == 0);
  MUST(sys(__NR_rt_sigtimedwait, set.addr(), got.addr(), 0, 8) == SIGRTMIN);
  MUST(got.get().k.si_int == 1234 && got.get().k.si_code == SI_QUEUE);
  out.k.si_code = SI_USER;
  info.set(out);
  MUST(sys(__NR_rt_sigqueueinfo, 1, SIGRTMIN, info.addr()) == -EPERM);  // posing as kill(2)
  return 0;
}

PROGRAM_CASE(handlers_stack_up) {  // spec 21 S-31: the last frame built runs first
  static int order[2], at;
  at = 0;
  auto note = [](int sig, unsigned long, unsigned long) { order[at++] = sig; };
  user::sigaction(SIGUSR1, note);
  user::sigaction(SIGUSR2, note);
  Var<u64> both(sig_mask(SIGUSR1) | sig_mask(SIGUSR2)), none(0);
  sys(__NR_rt_sigprocmask, SIG_SETMASK, both.addr(), 0, 8);
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR2);
  sys(__NR_rt_sigprocmask, SIG_SETMASK, none.addr(), 0, 8);
  MUST(at == 2 && order[0] == SIGUSR2 && order[1] == SIGUSR1);
  return 0;
}

// ---- Job control -------------------------------------------------------------------------------------------------------

PROGRAM_CASE(stop_continue_kill) {  // spec 21 W-17, W-18, S-46
  long pid = user::fork(waits_for_signals);
  kill(pid, SIGSTOP);
  Ended e = wait4(pid, WUNTRACED);
  MUST(e.pid == pid && e.status == stopped(SIGSTOP));
  MUST(wait4(pid, WUNTRACED | WNOHANG).pid == 0);
  kill(pid, SIGCONT);
  e = wait4(pid, WCONTINUED);
  MUST(e.pid == pid && e.status == 0xffff);
  kill(pid, SIGSTOP);
  wait4(pid, WUNTRACED);
  kill(pid, SIGKILL);
  MUST(ends_by(pid, SIGKILL));
  return 0;
}

PROGRAM_CASE(process_groups) {
  long pid = user::fork(waits_for_signals);
  MUST(sys(__NR_setpgid, pid, pid) == 0);
  MUST(sys(__NR_getpgid, pid) == pid);
  MUST(wait4(0, WNOHANG).pid == -ECHILD);  // another group now
  MUST(kill(-pid, SIGTERM) == 0);
  Ended e = wait4(-pid);
  MUST(e.pid == pid && e.status == SIGTERM);
  MUST(sys(__NR_setpgid, 1, 0) == -ESRCH);  // no child of ours
  MUST(sys(__NR_setpgid, 0, -1) == -EINVAL);
  MUST(sys(__NR_setpgid, 0, 99999) == -EPERM);
  return 0;
}

long makes_a_session(unsigned long) {
  const long pid = getpid();
  MUST(sys(__NR_setsid) == pid);
  MUST(sys(__NR_getsid, 0) == pid && sys(__NR_getpgrp) == pid);
  MUST(sys(__NR_setsid) == -EPERM);
  MUST(sys(__NR_setpgid, 0, 0) == -EPERM);
  return 0;
}
PROGRAM_CASE(sessions) {
  MUST(ends_by(user::fork(makes_a_session), 0));
  return 0;
}

// spec 21 X-26: a stopped group that nobody in its session can continue any more gets SIGHUP and SIGCONT.
long stops_itself(unsigned long) {
  kill(getpid(), SIGSTOP);
  return 0;
}
long abandons_a_stopped_job(unsigned long report) {
  long pid = user::fork(stops_itself);
  sys(__NR_setpgid, pid, pid);
  wait4(pid, WUNTRACED);
  user::poke<int>(report, static_cast<int>(pid));
  return 0;
}
PROGRAM_CASE(adopted_jobs_stay_stopped) {
  MUST(sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1) == 0);
  MUST(sys(__NR_setsid) > 0);
  unsigned long shared = static_cast<unsigned long>(sys(__NR_mmap, 0, 4096, 3, 0x21 /* shared anonymous */, -1, 0));
  long shell = user::fork(abandons_a_stopped_job, shared);
  MUST(ends_by(shell, 0));
  const int job = user::peek<int>(shared);
  // We adopted it, and are of another group of the same session: not orphaned, still stopped.
  MUST(wait4(job, WNOHANG).pid == 0);
  kill(job, SIGKILL);
  MUST(ends_by(job, SIGKILL));
  return 0;
}

// The same, but who adopts it is of another session: now nobody could continue it.
long in_new_session_abandons(unsigned long report) {
  sys(__NR_setsid);
  return abandons_a_stopped_job(report);
}
PROGRAM_CASE(jobs_of_a_dead_session_are_hung_up) {
  MUST(sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1) == 0);
  unsigned long shared = static_cast<unsigned long>(sys(__NR_mmap, 0, 4096, 3, 0x21, -1, 0));
  MUST(ends_by(user::fork(in_new_session_abandons, shared), 0));
  MUST(ends_by(user::peek<int>(shared), SIGHUP));
  return 0;
}

long reads_from_nowhere(unsigned long) {
  kill(getpid(), SIGTSTP);  // the default stop of an orphaned group does nothing (spec 21 X-27)
  return 0;
}
long in_own_session(unsigned long) {
  sys(__NR_setsid);
  return reads_from_nowhere(0);
}
PROGRAM_CASE(orphans_do_not_stop) {
  MUST(ends_by(user::fork(in_own_session), 0));
  return 0;
}

// ---- Threads ------------------------------------------------------------------------------------------------------------

long sleeps(unsigned long) { return waits_for_signals(0); }
PROGRAM_CASE(exit_group_ends_threads) {
  for (int i = 0; i < 3; i++) MUST(user::thread(user::thread_stack(), sleeps) > 0);
  nap(2);
  user::exit(0);
}

long thread_kills_all(unsigned long) {
  nap(2);
  user::exit(0);
}
PROGRAM_CASE(any_thread_may_end_all) {
  MUST(user::thread(user::thread_stack(), thread_kills_all) > 0);
  return waits_for_signals(0);
}

long threads_faults(unsigned long) { return user::peek<int>(8); }
long faulty(unsigned long) {
  user::thread(user::thread_stack(), threads_faults);
  return waits_for_signals(0);
}
PROGRAM_CASE(a_fault_in_a_thread_ends_all) {
  MUST(ends_by(user::fork(faulty), SIGSEGV));
  return 0;
}

// ---- prctl and limits --------------------------------------------------------------------------------------------------------

PROGRAM_CASE(prctl_basics) {
  user::Str name("a_very_long_program_name");
  struct Name {
    char text[16];
  };
  Var<Name> back;
  MUST(sys(__NR_prctl, PR_SET_NAME, name.addr()) == 0);
  MUST(sys(__NR_prctl, PR_GET_NAME, back.addr()) == 0);
  MUST(!__builtin_memcmp(back.get().text, "a_very_long_pro", 16));
  MUST(sys(__NR_prctl, PR_SET_PDEATHSIG, 65) == -EINVAL);
  MUST(sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && sys(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  MUST(sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == -EINVAL);
  MUST(sys(__NR_prctl, 12345) == -EINVAL);
  return 0;
}

long lowers_limits(unsigned long) {
  Var<rlimit> want(rlimit{10, 20}), got;
  MUST(sys(__NR_setuid, 1000) == 0);
  MUST(sys(__NR_prlimit64, 0, RLIMIT_NOFILE, want.addr(), 0) == 0);
  MUST(sys(__NR_getrlimit, RLIMIT_NOFILE, got.addr()) == 0 && got.get().rlim_cur == 10 && got.get().rlim_max == 20);
  want.set({30, 30});
  MUST(sys(__NR_setrlimit, RLIMIT_NOFILE, want.addr()) == -EPERM);
  want.set({20, 10});
  MUST(sys(__NR_setrlimit, RLIMIT_NOFILE, want.addr()) == -EINVAL);
  MUST(sys(__NR_getrlimit, 16, got.addr()) == -EINVAL);
  return 0;
}
PROGRAM_CASE(limits) {
  MUST(ends_by(user::fork(lowers_limits), 0));
  return 0;
}

PROGRAM_CASE(getrandom_gives_bytes) {
  unsigned long p = user::map(4096);
  MUST(sys(__NR_getrandom, p, 4096, 0) == 4096);
  int zeroes = 0;
  for (unsigned long i = 0; i < 4096; i += 8) zeroes += user::peek<u64>(p + i) == 0;
  MUST(zeroes == 0);
  MUST(sys(__NR_getrandom, p, 16, 8) == -EINVAL);
  MUST(sys(__NR_getrandom, 8, 16, 0) == -EFAULT);
  return 0;
}

PROGRAM_CASE(unknown_numbers) {  // E-2
  MUST(user::sys(100000) == -ENOSYS);
  MUST(user::sys(-1) == -ENOSYS);
  MUST(user::sys(0x40000027) == -ENOSYS);  // x32
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(ids_after_fork), KUNIT_CASE(clone_refuses), KUNIT_CASE(clone3_refuses), KUNIT_CASE(parent_settid),
    KUNIT_CASE(child_settid), KUNIT_CASE(fork_bomb_is_limited), KUNIT_CASE(wait_arguments), KUNIT_CASE(waitid_reports),
    KUNIT_CASE(bad_status_pointer_still_reaps), KUNIT_CASE(sigchld_tells), KUNIT_CASE(kill_errors), KUNIT_CASE(sigaction_errors),
    KUNIT_CASE(unknown_flags_are_cleared), KUNIT_CASE(frame_layout), KUNIT_CASE(masks_nest), KUNIT_CASE(altstack),
    KUNIT_CASE(sigsuspend_restores), KUNIT_CASE(sigtimedwait), KUNIT_CASE(sigqueue_carries_a_value), KUNIT_CASE(handlers_stack_up),
    KUNIT_CASE(stop_continue_kill), KUNIT_CASE(process_groups), KUNIT_CASE(sessions), KUNIT_CASE(adopted_jobs_stay_stopped), KUNIT_CASE(jobs_of_a_dead_session_are_hung_up),
    KUNIT_CASE(orphans_do_not_stop), KUNIT_CASE(exit_group_ends_threads), KUNIT_CASE(any_thread_may_end_all),
    KUNIT_CASE(a_fault_in_a_thread_ends_all), KUNIT_CASE(prctl_basics), KUNIT_CASE(limits), KUNIT_CASE(getrandom_gives_bytes),
    KUNIT_CASE(unknown_numbers), {},
};
kunit_suite suite = {.name = "processes", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
