// Nested pid namespaces as programs see them. Spec 20 section 7, spec 21 section 6.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/wait.h>

#include <linux/errno.h>

#include "test/hosted/program.hh"

namespace {

using namespace program;

long fork_into_new(user::Fn fn, unsigned long arg = 0) { return user::clone(CLONE_NEWPID | SIGCHLD, 0, fn, arg); }

// ---- Numbers (spec 20 T-1, T-20, T-26, T-31, F-26) --------------------------------------------------------------------------

long is_first(unsigned long) {
  MUST(getpid() == 1);
  MUST(gettid() == 1);
  MUST(sys(__NR_getppid) == 0);
  MUST(sys(__NR_getpgid, 0) == 0);  // of a group outside
  MUST(sys(__NR_getsid, 0) == 0);
  long child = user::fork([](unsigned long) -> long {
    MUST(getpid() == 2);
    MUST(sys(__NR_getppid) == 1);
    return 0;
  });
  MUST(child == 2);
  MUST(ends_by(child, 0));
  MUST(sys(__NR_kill, 1, 0) == 0);
  MUST(sys(__NR_kill, 99, 0) == -ESRCH);
  return 0;
}
PROGRAM_CASE(first_is_one) {
  long pid = fork_into_new(is_first);
  MUST(pid > 1);
  MUST(ends_by(pid, 0));
  return 0;
}

// Three levels: each sees its children's numbers, and its own.
long nests(unsigned long depth) {
  MUST(getpid() == 1);
  if (!depth) return 7;
  long pid = fork_into_new(nests, depth - 1);
  MUST(pid == 2);
  MUST(ends_by(pid, exited(7)));
  return 7;
}
PROGRAM_CASE(nested_levels) {
  long pid = fork_into_new(nests, 3);
  MUST(ends_by(pid, exited(7)));
  return 0;
}

// spec 20 T-28
long too_deep(unsigned long depth) {
  long pid = fork_into_new(too_deep, depth + 1);
  if (pid == -ENOSPC) return static_cast<long>(depth);
  Ended e = wait4(pid);
  return e.status >> 8;
}
PROGRAM_CASE(depth_is_limited) {
  MUST(too_deep(0) == 32);
  return 0;
}

// spec 20 T-31, T-28, F-26: unshare changes where children go, and only that.
PROGRAM_CASE(unshare_is_for_children) {
  const long self = getpid();
  MUST(sys(__NR_unshare, CLONE_NEWPID) == 0);
  MUST(getpid() == self);
  MUST(user::thread(user::thread_stack(), waits_for_signals) == -EINVAL);
  MUST(sys(__NR_unshare, CLONE_NEWPID) == -EINVAL);
  MUST(user::clone(CLONE_NEWPID | SIGCHLD, 0, exits_with) == -EINVAL);
  long init = user::fork(waits_for_signals);
  MUST(init > 0);
  long second = user::fork([](unsigned long) -> long {
    MUST(getpid() == 2);
    MUST(sys(__NR_getppid) == 0);
    return 0;
  });
  MUST(ends_by(second, 0));
  MUST(kill(init, SIGKILL) == 0);
  MUST(ends_by(init, SIGKILL));
  MUST(user::fork(exits_with) == -ENOMEM);  // the namespace is over (spec 21 X-22)
  return 0;
}

// ---- Signals (spec 21 S-12, S-14) --------------------------------------------------------------------------------------------

long stands_own_signals(unsigned long) {
  MUST(kill(1, SIGTERM) == 0);
  MUST(kill(1, SIGKILL) == 0);
  MUST(kill(1, SIGSTOP) == 0);
  long child = user::fork([](unsigned long) -> long { return kill(1, SIGKILL); });
  MUST(ends_by(child, 0));
  return 5;
}
PROGRAM_CASE(init_stands_signals_from_inside) {
  long pid = fork_into_new(stands_own_signals);
  MUST(ends_by(pid, exited(5)));
  return 0;
}

PROGRAM_CASE(init_dies_from_outside) {
  long pid = fork_into_new(waits_for_signals);
  MUST(kill(pid, SIGTERM) == 0);  // no handler: dropped even from above
  MUST(kill(pid, SIGSTOP) == 0);
  Ended e = wait4(pid, WUNTRACED);
  MUST(e.pid == pid && e.status == stopped(SIGSTOP));
  MUST(kill(pid, SIGKILL) == 0);
  MUST(ends_by(pid, SIGKILL));  // spec 21 X-23
  return 0;
}

void notes_sender(int, unsigned long info, unsigned long) {
  user::poke(user::peek<unsigned long>(info + 24), user::peek<int>(info + 16) + 1000);
}
// spec 21 S-12: si_pid is 0 for a sender that is not in the receiver's namespace.
long sees_nobody(unsigned long page) {
  MUST(user::sigaction(SIGUSR1, notes_sender, SA_SIGINFO) == 0);
  user::poke<int>(page + 4, 1);
  MUST(comes_true(page, 1000));
  return 0;
}
PROGRAM_CASE(sender_outside_is_number_0) {
  unsigned long page = shared_page();
  long pid = fork_into_new(sees_nobody, page);
  MUST(comes_true(page + 4, 1));
  Var<kernel_siginfo> info;
  kernel_siginfo i{};
  i.si_code = SI_QUEUE;
  i.si_pid = static_cast<int>(getpid());
  i.si_value.sival_ptr = reinterpret_cast<void*>(page);
  info.set(i);
  MUST(sys(__NR_rt_sigqueueinfo, pid, SIGUSR1, info.addr()) == 0);
  MUST(ends_by(pid, 0));
  return 0;
}

// kill(-1) reaches the namespace and no further.
long kills_all(unsigned long) {
  long a = user::fork(waits_for_signals), b = user::fork(waits_for_signals);
  MUST(kill(-1, SIGKILL) == 0);
  MUST(ends_by(a, SIGKILL));
  MUST(ends_by(b, SIGKILL));
  MUST(kill(-1, SIGKILL) == -ESRCH);
  return 0;
}
PROGRAM_CASE(kill_all_stays_inside) {
  long bystander = user::fork(waits_for_signals);
  MUST(ends_by(fork_into_new(kills_all), 0));
  MUST(kill(bystander, SIGKILL) == 0);
  MUST(ends_by(bystander, SIGKILL));
  return 0;
}

// ---- Orphans and the end (spec 21) ------------------------------------------------------------------------------

// A grandchild's new parent is the namespace's init.
long adopts(unsigned long page) {
  long child = user::fork([](unsigned long at) -> long {
    user::fork([](unsigned long where) -> long {
      while (sys(__NR_getppid) != 1) nap(1);
      user::poke<int>(where, 1);
      return 9;
    }, at);
    return 0;
  }, page);
  MUST(ends_by(child, 0));
  MUST(comes_true(page, 1));
  Ended e = wait4(-1);
  MUST(e.pid == 3 && e.status == exited(9));
  return 0;
}
PROGRAM_CASE(orphans_go_to_namespace_init) {
  MUST(ends_by(fork_into_new(adopts, shared_page()), 0));
  return 0;
}

// Its end takes everybody along, children, grandchildren and those of namespaces below, before its parent hears of it.
long leaves_many(unsigned long page) {
  for (int i = 0; i < 3; i++) {
    user::fork([](unsigned long at) -> long {
      user::fork(waits_for_signals);
      fork_into_new(waits_for_signals);
      user::poke<int>(at, 1);
      return waits_for_signals(0);
    }, page + 4 * static_cast<unsigned long>(i));
    MUST(comes_true(page + 4 * static_cast<unsigned long>(i), 1));
  }
  return 3;
}
PROGRAM_CASE(end_takes_all_along) {
  MUST(ends_by(fork_into_new(leaves_many, shared_page()), exited(3)));
  return 0;
}

// A thread of init that outlives its leader goes on as the reaper (spec 21 X-21).
long goes_on(unsigned long page) {
  while (user::peek<int>(page) != 1) nap(1);
  nap(5);  // the leader is gone
  MUST(user::fork(exits_with, 0) > 0);
  Ended e = wait4(-1);
  MUST(e.pid > 0 && e.status == 0);
  user::exit(6);
}
long leader_leaves(unsigned long page) {
  MUST(user::thread(user::thread_stack(), goes_on, page) > 0);
  user::fork(waits_for_signals);
  user::poke<int>(page, 1);
  sys(__NR_exit, 0);
  return 1;
}
PROGRAM_CASE(thread_takes_over_reaping) {
  MUST(ends_by(fork_into_new(leader_leaves, shared_page()), exited(6)));
  return 0;
}

// spec 21 X-22 point 6: reboot(2)
long reboots(unsigned long command) {
  MUST(sys(__NR_reboot, 0xfee1dead, 672274793, 0x89abcdef, 0) == -EINVAL);
  return sys(__NR_reboot, 0xfee1dead, 672274793, command, 0);
}
PROGRAM_CASE(reboot_ends_the_namespace) {
  MUST(ends_by(fork_into_new(reboots, 0x01234567), SIGHUP));
  MUST(ends_by(fork_into_new(reboots, 0x4321fedc), SIGINT));
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(first_is_one), KUNIT_CASE(nested_levels), KUNIT_CASE(depth_is_limited), KUNIT_CASE(unshare_is_for_children),
    KUNIT_CASE(init_stands_signals_from_inside), KUNIT_CASE(init_dies_from_outside), KUNIT_CASE(sender_outside_is_number_0),
    KUNIT_CASE(kill_all_stays_inside), KUNIT_CASE(orphans_go_to_namespace_init), KUNIT_CASE(end_takes_all_along),
    KUNIT_CASE(thread_takes_over_reaping), KUNIT_CASE(reboot_ends_the_namespace), {},
};
kunit_suite suite = {.name = "pid_namespaces", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
