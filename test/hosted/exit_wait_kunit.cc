// The ends of processes as programs see them: who is told what, who inherits, what wait4 and waitid answer. Spec 21 parts A, B.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/poll.h>
#include <uapi/linux/prctl.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/wait.h>

#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "test/hosted/program.hh"

namespace {

using namespace program;

unsigned long seen;  // where the handler leaves its siginfo
int times;
void keeps_info(int, unsigned long info, unsigned long) {
  times++;
  user::poke(seen, user::peek<siginfo_t>(info));
}
kernel_siginfo seen_info() { return user::peek<siginfo_t>(seen).k; }
void watch(int sig, unsigned long flags = 0) {
  times = 0;
  seen = shared_page();
  user::sigaction(sig, keeps_info, SA_SIGINFO | SA_RESTART | flags);
}

long burns_and_exits(unsigned long status) {
  user::burn(30'000'000);
  return static_cast<long>(status);
}

// ---- SIGCHLD ----------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(sigchld_of_an_exit) {  // spec 21
  watch(SIGCHLD);
  long pid = user::fork(burns_and_exits, 0x1234);
  MUST(ends_by(pid, exited(0x34)));
  kernel_siginfo k = seen_info();
  MUST(times == 1 && k.si_code == CLD_EXITED && k.si_status == 0x34 && k.si_pid == pid && k.si_uid == 0 && k.si_errno == 0);
  MUST(k.si_utime + k.si_stime >= 2 && k.si_utime + k.si_stime <= 4);  // hundredths of a second
  return 0;
}

long kills_itself(unsigned long sig) {
  MUST(sys(__NR_setuid, 77) == 0);
  kill(getpid(), static_cast<int>(sig));
  return 0;
}
PROGRAM_CASE(sigchld_of_a_kill) {  // spec 21 X-12, S-18
  watch(SIGCHLD);
  long pid = user::fork(kills_itself, SIGTERM);
  MUST(ends_by(pid, SIGTERM));
  kernel_siginfo k = seen_info();
  MUST(k.si_code == CLD_KILLED && k.si_status == SIGTERM && k.si_pid == pid && k.si_uid == 77);
  return 0;
}

PROGRAM_CASE(sigchld_of_stops) {  // spec 21 S-42, S-45
  watch(SIGCHLD);
  long pid = user::fork(waits_for_signals);
  kill(pid, SIGSTOP);
  for (int i = 0; i < 100 && times < 1; i++) nap(1);
  MUST(times == 1 && seen_info().si_code == CLD_STOPPED && seen_info().si_status == SIGSTOP && seen_info().si_pid == pid);
  kill(pid, SIGCONT);
  for (int i = 0; i < 100 && times < 2; i++) nap(1);
  MUST(times == 2 && seen_info().si_code == CLD_CONTINUED && seen_info().si_status == SIGCONT);
  // With SA_NOCLDSTOP neither is told, but both can be waited for.
  watch(SIGCHLD, SA_NOCLDSTOP);
  kill(pid, SIGSTOP);
  MUST(wait4(pid, WUNTRACED).status == stopped(SIGSTOP));
  kill(pid, SIGCONT);
  MUST(wait4(pid, WCONTINUED).status == 0xffff);
  MUST(times == 0);
  kill(pid, SIGKILL);
  MUST(ends_by(pid, SIGKILL) && times == 1);
  return 0;
}

PROGRAM_CASE(blocked_ends_are_one_signal) {  // spec 21 S-15: the first stays
  watch(SIGCHLD);
  block(bit(SIGCHLD));
  long first = user::fork(exits_with, 1);
  Var<siginfo_t> info;
  MUST(sys(__NR_waitid, P_PID, first, info.addr(), WEXITED | WNOWAIT, 0) == 0);
  long second = user::fork(exits_with, 2);
  MUST(sys(__NR_waitid, P_PID, second, info.addr(), WEXITED | WNOWAIT, 0) == 0);
  block(0);
  MUST(times == 1 && seen_info().si_pid == first && seen_info().si_status == 1);
  MUST(ends_by(first, exited(1)) && ends_by(second, exited(2)));
  return 0;
}

PROGRAM_CASE(nocldwait_signals_all_the_same) {  // spec 21 X-13, W-15
  watch(SIGCHLD, SA_NOCLDWAIT);
  Var<rusage> before, after;
  sys(__NR_getrusage, RUSAGE_CHILDREN, before.addr());
  user::fork(burns_and_exits, 3);
  MUST(wait4(-1).pid == -ECHILD);
  MUST(times == 1 && seen_info().si_status == 3);
  sys(__NR_getrusage, RUSAGE_CHILDREN, after.addr());
  MUST(before.get().ru_utime.tv_usec == after.get().ru_utime.tv_usec && before.get().ru_minflt == after.get().ru_minflt);
  // The default, which ignores as well, reaps nobody.
  user::sigaction(SIGCHLD, 0ul);
  MUST(ends_by(user::fork(exits_with, 4), exited(4)));
  return 0;
}

// ---- Exit signals and exec (X-11) -------------------------------------------------------------------------------------------------

// Runs fn as a program of its own: as execve would.
long run_program(user::Fn fn) {
  static unsigned char elf[user::kElfSize];
  const size_t size = user::make_elf(fn, elf, sizeof(elf));
  user::Str path("/program");
  const long fd = sys(__NR_open, path.addr(), O_RDWR | O_CREAT, 0755);
  const unsigned long at = user::map(sizeof(elf));
  user::write_bytes(at, elf, size);
  MUST(sys(__NR_write, fd, at, size) == static_cast<long>(size) && sys(__NR_close, fd) == 0);
  return sys(__NR_execve, path.addr(), 0, 0);
}

long naps_and_exits(unsigned long status) {
  nap(20);
  return static_cast<long>(status);
}
long waits_for_any(unsigned long) {
  Ended e = wait4(-1, __WALL);
  return e.status == exited(5) ? 0 : 1;
}
long clones_then_execs(unsigned long) {
  user::clone(SIGUSR2, 0, naps_and_exits, 5);
  return run_program(waits_for_any);
}
PROGRAM_CASE(a_new_program_gets_sigchld) {  // spec 21 X-11: SIGUSR2 would kill it
  MUST(ends_by(user::fork(clones_then_execs), 0));
  return 0;
}

long just_exits(unsigned long) { return 6; }
long execs(unsigned long) { return run_program(just_exits); }
PROGRAM_CASE(an_exec_makes_a_sigchld_child) {  // spec 21 X-11, W-6
  user::sigaction(SIGUSR2, 1ul);
  long pid = user::clone(SIGUSR2, 0, execs);
  MUST(pid > 0);
  nap(20);
  Ended e = wait4(pid);
  MUST(e.pid == pid && e.status == exited(6));
  return 0;
}

PROGRAM_CASE(other_exit_signals) {  // spec 21 X-14, W-6, section 4.1
  watch(SIGUSR1);
  long pid = user::clone(SIGUSR1, 0, exits_with, 2);
  MUST(wait4(pid).pid == -ECHILD);
  Ended e = wait4(pid, __WCLONE);
  MUST(e.pid == pid && e.status == exited(2));
  MUST(times == 1 && seen_info().si_code == CLD_EXITED && seen_info().si_pid == pid);
  return 0;
}

struct UserPollfd {
  int fd;
  short events, revents;
};
PROGRAM_CASE(pidfds_become_readable) {  // spec 21 X-11
  long pid = user::fork(naps_and_exits, 1);
  const long fd = sys(__NR_pidfd_open, pid, 0);
  Var<UserPollfd> p(UserPollfd{static_cast<int>(fd), POLLIN, 0});
  MUST(sys(__NR_poll, p.addr(), 1, 0) == 0);
  MUST(sys(__NR_poll, p.addr(), 1, -1) == 1 && p.get().revents == POLLIN);
  MUST(ends_by(pid, exited(1)));
  return 0;
}

// ---- clear_child_tid (X-10) ---------------------------------------------------------------------------------------------------------

PROGRAM_CASE(tids_are_cleared_for_observers_only) {  // spec 21 X-10
  const unsigned long at = shared_page();
  user::poke<int>(at, 123);
  // Alone in its copy of the memory: nobody to tell, though the page is shared.
  long pid = user::clone(CLONE_CHILD_CLEARTID | SIGCHLD, 0, exits_with, 0, 0, at);
  MUST(pid > 0 && ends_by(pid, 0) && shared_int(at) == 123);
  // Another process with the same memory is told.
  pid = user::clone(CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, user::thread_stack(), exits_with, 0, 0, at);
  MUST(pid > 0 && ends_by(pid, 0) && shared_int(at) == 0);
  // A bad place is nobody's loss.
  pid = user::clone(CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, user::thread_stack(), exits_with, 9, 0, 8);
  MUST(pid > 0 && ends_by(pid, exited(9)));
  return 0;
}

// ---- Parents' ends (X-17..X-19) ----------------------------------------------------------------------------------------------------------

int thread_made;
long wants_to_know(unsigned long at) {
  seen = at + 64;
  times = 0;
  user::sigaction(SIGUSR1, keeps_info, SA_SIGINFO);
  sys(__NR_prctl, PR_SET_PDEATHSIG, SIGUSR1);
  user::poke<int>(at, 1);
  sys(__NR_pause);
  user::poke<int>(at, 2);
  return 0;
}
long forks_and_goes(unsigned long at) {
  thread_made = static_cast<int>(user::fork(wants_to_know, at));
  comes_true(at, 1);
  return 0;
}
PROGRAM_CASE(death_of_the_creating_thread) {  // spec 21 X-17, S-18: though the process lives, and adopts
  const unsigned long at = shared_page();
  thread_made = 0;
  const long tid = user::thread(user::thread_stack(), forks_and_goes, at);
  MUST(tid > 0);
  MUST(comes_true(at, 2));
  const kernel_siginfo k = user::peek<siginfo_t>(at + 64).k;
  MUST(k.si_code == SI_USER && k.si_pid == getpid());
  MUST(ends_by(thread_made, 0));
  return 0;
}

PROGRAM_CASE(death_signal_is_not_inherited) {
  MUST(sys(__NR_prctl, PR_SET_PDEATHSIG, SIGUSR1) == 0);
  long pid = user::fork([](unsigned long) -> long {
    Var<int> sig(-1);
    sys(__NR_prctl, PR_GET_PDEATHSIG, sig.addr());
    return sig.get();
  });
  MUST(ends_by(pid, 0));
  return 0;
}

// A grandchild reports who its parent is once its own has gone.
long reports_parent(unsigned long at) {
  const long before = sys(__NR_getppid);
  user::poke<int>(at + 4, static_cast<int>(getpid()));
  while (sys(__NR_getppid) == before) nap(1);
  user::poke<int>(at, static_cast<int>(sys(__NR_getppid)));
  return 0;
}
long leaves_grandchild(unsigned long at) {
  user::fork(reports_parent, at);
  while (!shared_int(at + 4)) nap(1);
  return 0;
}
int heir_of_grandchild(unsigned long at) {
  user::poke<int>(at, 0);
  user::poke<int>(at + 4, 0);
  long pid = user::fork(leaves_grandchild, at);
  if (!ends_by(pid, 0)) return -1;
  for (int i = 0; i < 500 && !shared_int(at); i++) nap(1);
  return shared_int(at);
}
long is_no_subreaper(unsigned long at) {
  Var<int> on(5);
  MUST(sys(__NR_prctl, PR_GET_CHILD_SUBREAPER, on.addr()) == 0 && on.get() == 0);  // not inherited
  MUST(heir_of_grandchild(at) == static_cast<long>(shared_int(at + 8)));
  return 0;
}
PROGRAM_CASE(subreapers) {  // spec 21
  const unsigned long at = shared_page();
  MUST(heir_of_grandchild(at) == 1);
  MUST(sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1) == 0);
  MUST(heir_of_grandchild(at) == getpid());
  MUST(wait4(shared_int(at + 4)).status == 0);
  user::poke<int>(at + 8, static_cast<int>(getpid()));
  MUST(ends_by(user::fork(is_no_subreaper, at), 0));  // over a generation in between
  MUST(wait4(shared_int(at + 4)).status == 0);
  MUST(sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 0) == 0);
  MUST(heir_of_grandchild(at) == 1);
  return 0;
}

long waits_to_be_a_subreapers(unsigned long at) {
  while (!shared_int(at + 12)) nap(1);
  const int heir = heir_of_grandchild(at);
  return heir == shared_int(at + 8) ? 0 : 1;
}
PROGRAM_CASE(subreaper_of_those_already_there) {  // spec 21 X-19: descendants that exist are marked
  const unsigned long at = shared_page();
  long pid = user::fork(waits_to_be_a_subreapers, at);
  MUST(sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1) == 0);
  user::poke<int>(at + 8, static_cast<int>(getpid()));
  user::poke<int>(at + 12, 1);
  MUST(ends_by(pid, 0));
  MUST(wait4(shared_int(at + 4)).status == 0);
  return 0;
}

// ---- Orphaned groups: what the hangup looks like (X-26) --------------------------------------------------------------------------------------

long stopped_member(unsigned long at) {
  seen = at + 64;
  user::sigaction(SIGHUP, keeps_info, SA_SIGINFO);
  user::poke<int>(at + 4, static_cast<int>(getpid()));
  kill(getpid(), SIGSTOP);
  user::poke<int>(at, 1);
  return 0;
}
long session_leader_goes(unsigned long at) {
  sys(__NR_setsid);
  const long pid = user::fork(stopped_member, at);
  sys(__NR_setpgid, pid, pid);
  wait4(pid, WUNTRACED);
  return 0;
}
PROGRAM_CASE(hangups_are_the_kernels) {  // spec 21, S-18
  const unsigned long at = shared_page();
  MUST(ends_by(user::fork(session_leader_goes, at), 0));
  MUST(comes_true(at, 1));  // SIGCONT let it go on
  const kernel_siginfo k = user::peek<siginfo_t>(at + 64).k;
  MUST(k.si_signo == SIGHUP && k.si_code == SI_KERNEL && k.si_pid == 0 && k.si_uid == 0);
  return 0;
}

// ---- wait4, waitid (sections 9, 10) ---------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(waitid_writes_six_fields) {  // spec 21 W-1
  struct Words {
    int w[32];
  };
  Words marked;
  for (int& w : marked.w) w = 0x55555555;
  Var<Words> info(marked);
  auto untouched = [&] {
    const Words now = info.get();
    for (int i = 7; i < 32; i++)
      if (now.w[i] != 0x55555555) return false;
    return now.w[3] == 0x55555555;  // between code and the union
  };
  long pid = user::fork(exits_with, 5);
  MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WEXITED, 0) == 0);
  const Words w = info.get();
  MUST(w.w[0] == SIGCHLD && w.w[1] == 0 && w.w[2] == CLD_EXITED && w.w[4] == pid && w.w[5] == 0 && w.w[6] == 5 && untouched());
  for (long expected : {-ECHILD, -EINVAL}) {
    info.set(marked);
    MUST(sys(__NR_waitid, P_ALL, 0, info.addr(), expected == -EINVAL ? 0x100 : WEXITED, 0) == expected);
    const Words z = info.get();
    MUST(!z.w[0] && !z.w[1] && !z.w[2] && !z.w[4] && !z.w[5] && !z.w[6] && untouched());
  }
  pid = user::fork(exits_with, 5);
  MUST(sys(__NR_waitid, P_ALL, 0, 8, WEXITED, 0) == -EFAULT);
  return 0;
}

PROGRAM_CASE(waitid_arguments) {  // spec 21 section 9
  struct Row {
    int which;
    long id;
    unsigned options;
    long result;
  };
  for (Row r : {Row{P_ALL, 0, WNOHANG, -EINVAL}, {P_ALL, 0, WEXITED | 0x10, -EINVAL}, {P_PID, 0, WEXITED, -EINVAL},
                {P_PID, -5, WEXITED, -EINVAL}, {P_PGID, -1, WEXITED, -EINVAL}, {P_PGID, 0, WEXITED, -ECHILD}, {4, 1, WEXITED, -EINVAL},
                {P_PIDFD, -1, WEXITED, -EINVAL}, {P_PIDFD, 50, WEXITED, -EBADF}, {P_ALL, -7, WEXITED, -ECHILD}, {P_PID, 99999, WEXITED, -ECHILD}})
    MUST(sys(__NR_waitid, r.which, r.id, 0, r.options, 0) == r.result);
  MUST(wait4(-1, WNOWAIT).pid == -EINVAL && wait4(-1, WEXITED).pid == -EINVAL);
  long pid = user::fork(naps_and_exits, 1);
  MUST(sys(__NR_setpgid, pid, pid) == 0);
  MUST(sys(__NR_waitid, P_PGID, 0, 0, WEXITED, 0) == -ECHILD);
  MUST(sys(__NR_waitid, P_PGID, pid, 0, WEXITED, 0) == 0);
  return 0;
}

PROGRAM_CASE(nonblocking_pidfds) {  // spec 21 W-3
  long pid = user::fork(naps_and_exits, 1);
  const long fd = sys(__NR_pidfd_open, pid, O_NONBLOCK);
  MUST(sys(__NR_waitid, P_PIDFD, fd, 0, WEXITED, 0) == -EAGAIN);
  MUST(sys(__NR_waitid, P_PIDFD, fd, 0, WEXITED | WNOHANG, 0) == 0);
  nap(50);
  Var<siginfo_t> info;
  MUST(sys(__NR_waitid, P_PIDFD, fd, info.addr(), WEXITED, 0) == 0 && info.get().k.si_pid == pid);
  MUST(sys(__NR_waitid, P_PIDFD, fd, 0, WEXITED, 0) == -ECHILD);
  return 0;
}

PROGRAM_CASE(interrupted_waits) {  // spec 21 section 10: ERESTARTSYS
  user::sigaction(SIGALRM, keeps_info, SA_SIGINFO);
  seen = shared_page();
  long pid = user::fork(waits_for_signals);
  struct {
    long s[4];
  } timer = {{0, 0, 0, 5000}};
  Var<decltype(timer)> t(timer);
  sys(__NR_setitimer, 0, t.addr(), 0);
  MUST(wait4(pid).pid == -EINTR);
  sys(__NR_setitimer, 0, t.addr(), 0);
  MUST(sys(__NR_waitid, P_ALL, 0, 0, WEXITED, 0) == -EINTR);
  kill(pid, SIGKILL);
  MUST(ends_by(pid, SIGKILL));
  return 0;
}

PROGRAM_CASE(stops_are_taken_once) {  // spec 21 W-17, W-18
  long pid = user::fork(waits_for_signals);
  Var<siginfo_t> info;
  kill(pid, SIGSTOP);
  for (int i = 0; i < 2; i++) {
    MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WSTOPPED | WNOWAIT, 0) == 0);
    MUST(info.get().k.si_code == CLD_STOPPED && info.get().k.si_status == SIGSTOP && info.get().k.si_pid == pid);
  }
  MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WSTOPPED, 0) == 0);
  MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WSTOPPED | WNOHANG, 0) == 0 && info.get().k.si_pid == 0);
  kill(pid, SIGCONT);
  for (int i = 0; i < 2; i++)
    MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WCONTINUED | WNOWAIT, 0) == 0 && info.get().k.si_code == CLD_CONTINUED &&
         info.get().k.si_status == SIGCONT);
  MUST(wait4(pid, WCONTINUED).status == 0xffff);
  MUST(wait4(pid, WCONTINUED | WNOHANG).pid == 0);
  kill(pid, SIGKILL);
  MUST(ends_by(pid, SIGKILL));
  return 0;
}

PROGRAM_CASE(usage_adds_up) {  // spec 21 W-4, W-15
  Var<int> status;
  Var<rusage> ru, all;
  long pid = user::fork([](unsigned long) -> long {
    const unsigned long at = user::map(8 * 4096);
    for (int i = 0; i < 8; i++) user::poke<int>(at + static_cast<unsigned long>(i) * 4096, 1);
    wait4(user::fork(burns_and_exits, 0));  // a grandchild's time counts
    return 0;
  });
  MUST(sys(__NR_wait4, pid, status.addr(), 0, ru.addr()) == pid);
  MUST(sys(__NR_getrusage, RUSAGE_CHILDREN, all.addr()) == 0);
  const rusage r = ru.get(), a = all.get();
  MUST(r.ru_minflt >= 8 && r.ru_maxrss > 0);
  MUST(r.ru_utime.tv_usec + r.ru_stime.tv_usec >= 28000);
  MUST(a.ru_utime.tv_usec == r.ru_utime.tv_usec && a.ru_stime.tv_usec == r.ru_stime.tv_usec && a.ru_minflt == r.ru_minflt &&
       a.ru_maxrss == r.ru_maxrss);
  const long switches = a.ru_nvcsw - r.ru_nvcsw;  // a zombie's last switch may come between the two sums
  MUST(switches >= -1 && switches <= 1);
  return 0;
}

PROGRAM_CASE(usage_of_a_stopped_one) {  // spec 21 W-4
  long pid = user::fork([](unsigned long) -> long {
    user::burn(30'000'000);
    kill(getpid(), SIGSTOP);
    return 0;
  });
  Var<int> status;
  Var<rusage> ru, all;
  MUST(sys(__NR_wait4, pid, status.addr(), WUNTRACED, ru.addr()) == pid && status.get() == stopped(SIGSTOP));
  MUST(ru.get().ru_utime.tv_usec + ru.get().ru_stime.tv_usec >= 28000);
  MUST(sys(__NR_getrusage, RUSAGE_CHILDREN, all.addr()) == 0 && all.get().ru_utime.tv_usec == 0);  // not reaped: not added
  kill(pid, SIGCONT);
  MUST(ends_by(pid, 0));
  return 0;
}

PROGRAM_CASE(order_of_zombies) {  // spec 21 W-5, W-13
  long pids[3];
  for (int i = 0; i < 3; i++) pids[i] = user::fork(exits_with, static_cast<unsigned long>(i));
  nap(10);
  Var<siginfo_t> info;
  MUST(sys(__NR_waitid, P_ALL, 0, info.addr(), WEXITED | WNOWAIT, 0) == 0 && info.get().k.si_pid == pids[0]);
  MUST(wait4(pids[1]).status == exited(1));
  MUST(wait4(-1).pid == pids[0] && wait4(-1).pid == pids[2] && wait4(-1).pid == -ECHILD);
  return 0;
}

// ---- Tracers (W-8, W-16) ------------------------------------------------------------------------------------------------------------------------

// A process traced by another one than its parent: the tracer has the zombie first, then the parent.
int stage;
long seizes(unsigned long arg) {
  const long pid = static_cast<long>(arg);
  MUST(sys(__NR_ptrace, 0x4206 /* SEIZE */, pid, 0, 0) == 0);
  stage = 1;
  Var<siginfo_t> info;
  MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WEXITED | WNOWAIT, 0) == 0 && info.get().k.si_status == SIGKILL);
  stage = 2;
  while (stage < 3) nap(1);
  MUST(ends_by(pid, SIGKILL));
  MUST(wait4(pid).pid == -ECHILD);
  return 0;
}
PROGRAM_CASE(tracers_come_first) {  // spec 21 W-7, W-8, W-14, W-16
  stage = 0;
  const long pid = user::fork(waits_for_signals);
  const long tracer = user::fork(seizes, static_cast<unsigned long>(pid));
  while (stage < 1) nap(1);
  kill(pid, SIGKILL);
  while (stage < 2) nap(1);
  MUST(wait4(pid, WNOHANG).pid == 0);  // dead, but the tracer's still
  stage = 3;
  MUST(ends_by(pid, SIGKILL));
  MUST(ends_by(tracer, 0));
  return 0;
}

// A namespace's init waits for everybody in it, also for a task that somebody outside put there and has not reaped yet.
long sits_in_namespace(unsigned long) {
  stage = 1;
  while (stage < 2) nap(1);
  return 5;
}
PROGRAM_CASE(init_outlasts_the_injected) {  // spec 21; spec 20 T-27: the last one's going wakes it
  stage = 0;
  const long init = user::clone(CLONE_NEWPID | SIGCHLD, 0, sits_in_namespace);
  MUST(init > 0);
  while (stage < 1) nap(1);
  const long fd = sys(__NR_pidfd_open, init, 0);
  MUST(sys(__NR_setns, fd, CLONE_NEWPID) == 0);
  const long injected = user::fork(waits_for_signals);  // in there, but ours
  MUST(injected > 0);
  stage = 2;
  Var<siginfo_t> info;
  MUST(sys(__NR_waitid, P_PID, injected, info.addr(), WEXITED | WNOWAIT, 0) == 0 && info.get().k.si_status == SIGKILL);
  nap(5);
  MUST(wait4(init, WNOHANG).pid == 0);
  MUST(user::fork(exits_with) == -ENOMEM);  // nobody enters any more
  MUST(ends_by(injected, SIGKILL));
  MUST(ends_by(init, exited(5)));
  return 0;
}

// A zombie has no memory any more, though it ran on the page tables till its last switch.
long exits_when_told(unsigned long status) {
  while (stage < 1) nap(1);
  return static_cast<long>(status);
}
void zombies_have_no_memory(kunit* test) {  // spec 21 X-8
  stage = 0;
  const long pid = user::start_process(exits_when_told, 3);
  task_struct* t = find_get_task_by_vpid(static_cast<int>(pid));
  KUNIT_ASSERT_NOT_NULL(test, t);
  stage = 1;
  while (!READ_ONCE(t->exit_state)) schedule_timeout_uninterruptible(1);
  KUNIT_EXPECT_NULL(test, t->mm);
  wait_task_inactive(t, 0);
  KUNIT_EXPECT_NULL(test, t->active_mm);
  KUNIT_EXPECT_EQ(test, user::wait_process(pid), long{exited(3)});
  put_task_struct(t);
}

kunit_case cases[] = {
    KUNIT_CASE(sigchld_of_an_exit), KUNIT_CASE(sigchld_of_a_kill), KUNIT_CASE(sigchld_of_stops), KUNIT_CASE(blocked_ends_are_one_signal),
    KUNIT_CASE(nocldwait_signals_all_the_same), KUNIT_CASE(a_new_program_gets_sigchld), KUNIT_CASE(an_exec_makes_a_sigchld_child),
    KUNIT_CASE(other_exit_signals), KUNIT_CASE(pidfds_become_readable), KUNIT_CASE(tids_are_cleared_for_observers_only),
    KUNIT_CASE(death_of_the_creating_thread), KUNIT_CASE(death_signal_is_not_inherited), KUNIT_CASE(subreapers),
    KUNIT_CASE(subreaper_of_those_already_there), KUNIT_CASE(hangups_are_the_kernels), KUNIT_CASE(waitid_writes_six_fields),
    KUNIT_CASE(waitid_arguments), KUNIT_CASE(nonblocking_pidfds), KUNIT_CASE(interrupted_waits), KUNIT_CASE(stops_are_taken_once),
    KUNIT_CASE(usage_adds_up), KUNIT_CASE(usage_of_a_stopped_one), KUNIT_CASE(order_of_zombies), KUNIT_CASE(tracers_come_first),
    KUNIT_CASE(init_outlasts_the_injected), KUNIT_CASE(zombies_have_no_memory), {},
};
kunit_suite suite = {.name = "exit_wait", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
