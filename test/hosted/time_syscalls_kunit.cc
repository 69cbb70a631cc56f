// Time system calls as programs see them: clocks, sleeping, interval timers, POSIX timers (their man pages; spec 10 E-36).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/signal.h>

#include "arch/hosted/user.hh"
#include "kernel/time/user_time.hh"

namespace {

using user::sys;
using Ts = __kernel_timespec;

#define MUST(cond)                                \
  do {                                            \
    if (!(cond)) return __LINE__ > 255 ? __LINE__ % 200 + 1 : __LINE__; \
  } while (0)

s64 now_ns(int clock) {
  user::Var<Ts> t;
  if (sys(__NR_clock_gettime, clock, t.addr())) return -1;
  return to_ns(t.get());
}

long clocks(unsigned long) {
  const s64 a = now_ns(CLOCK_MONOTONIC), b = now_ns(CLOCK_MONOTONIC);
  MUST(a >= 0 && b >= a);
  MUST(now_ns(CLOCK_REALTIME) >= a);
  MUST(now_ns(CLOCK_BOOTTIME) >= a && now_ns(CLOCK_MONOTONIC_RAW) >= a);
  MUST(now_ns(CLOCK_TAI) >= now_ns(CLOCK_MONOTONIC));
  MUST(now_ns(CLOCK_REALTIME_COARSE) <= now_ns(CLOCK_REALTIME));
  const s64 cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  user::burn(20 * NSEC_PER_MSEC);
  MUST(now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu >= 10 * NSEC_PER_MSEC);
  user::Var<Ts> r;
  MUST(sys(__NR_clock_getres, CLOCK_MONOTONIC, r.addr()) == 0 && r.get().tv_nsec == 1);
  MUST(sys(__NR_clock_getres, CLOCK_REALTIME_COARSE, r.addr()) == 0 && r.get().tv_nsec == 4000000);
  MUST(sys(__NR_clock_getres, CLOCK_REALTIME, 0) == 0);
  MUST(sys(__NR_clock_gettime, 99, r.addr()) == -EINVAL);
  MUST(sys(__NR_clock_gettime, CLOCK_REALTIME, 0x10) == -EFAULT);
  MUST(sys(__NR_time, 0) == now_ns(CLOCK_REALTIME) / NSEC_PER_SEC);
  return 0;
}
long setting(unsigned long) {
  const s64 target = now_ns(CLOCK_REALTIME) + 5000 * NSEC_PER_SEC;
  user::Var<Ts> t(user_timespec(target));
  MUST(sys(__NR_clock_settime, CLOCK_REALTIME, t.addr()) == 0);
  MUST(now_ns(CLOCK_REALTIME) >= target && now_ns(CLOCK_REALTIME) < target + NSEC_PER_SEC);
  MUST(sys(__NR_clock_settime, CLOCK_MONOTONIC, t.addr()) == -EINVAL);
  t.set({5, NSEC_PER_SEC});
  MUST(sys(__NR_clock_settime, CLOCK_REALTIME, t.addr()) == -EINVAL);
  user::Var<__kernel_old_timeval> tv;
  MUST(sys(__NR_gettimeofday, tv.addr(), 0) == 0);
  MUST(tv.get().tv_sec >= target / NSEC_PER_SEC);
  MUST(sys(__NR_settimeofday, tv.addr(), 0) == 0);
  tv.set({1, 1000000});
  MUST(sys(__NR_settimeofday, tv.addr(), 0) == -EINVAL);
  return 0;
}
long sleeping(unsigned long) {
  user::Var<Ts> t(Ts{0, 30 * NSEC_PER_MSEC});
  s64 begin = now_ns(CLOCK_MONOTONIC);
  MUST(sys(__NR_nanosleep, t.addr(), 0) == 0);
  MUST(now_ns(CLOCK_MONOTONIC) - begin >= 30 * NSEC_PER_MSEC);
  begin = now_ns(CLOCK_MONOTONIC);
  t.set(user_timespec(begin + 10 * NSEC_PER_MSEC));
  MUST(sys(__NR_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, t.addr(), 0) == 0);
  MUST(now_ns(CLOCK_MONOTONIC) - begin >= 10 * NSEC_PER_MSEC);
  MUST(sys(__NR_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, t.addr(), 0) == 0);  // in the past
  t.set({0, -1});
  MUST(sys(__NR_nanosleep, t.addr(), 0) == -EINVAL);
  t.set({0, 5});
  MUST(sys(__NR_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, t.addr(), 0) == -EOPNOTSUPP);
  MUST(sys(__NR_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, t.addr(), 0) == -EOPNOTSUPP);  // as a real 6.1 answers
  MUST(sys(__NR_nanosleep, 0x10, 0) == -EFAULT);
  return 0;
}

int alarms;
void on_alarm(int, unsigned long, unsigned long) { alarms++; }

long set_real(s64 value, s64 interval) {
  user::Var<UserItimerval> t(UserItimerval{user_timeval(interval), user_timeval(value)});
  return sys(__NR_setitimer, 0, t.addr(), 0);
}
long interrupted_sleep(unsigned long) {
  alarms = 0;
  MUST(user::sigaction(SIGALRM, on_alarm) == 0);
  MUST(set_real(20 * NSEC_PER_MSEC, 0) == 0);
  user::Var<Ts> t(Ts{1, 0}), rest;
  MUST(sys(__NR_nanosleep, t.addr(), rest.addr()) == -EINTR);
  MUST(alarms == 1);
  const s64 left = to_ns(rest.get());
  MUST(left > 900 * NSEC_PER_MSEC && left < 990 * NSEC_PER_MSEC);
  MUST(set_real(20 * NSEC_PER_MSEC, 0) == 0);
  t.set(user_timespec(now_ns(CLOCK_MONOTONIC) + NSEC_PER_SEC));
  MUST(sys(__NR_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, t.addr(), 0) == -EINTR);
  MUST(sys(__NR_alarm, 100) == 0);
  MUST(sys(__NR_alarm, 0) == 100);
  MUST(sys(__NR_alarm, 0) == 0);
  return 0;
}
long periodic_real(unsigned long) {
  alarms = 0;
  MUST(user::sigaction(SIGALRM, on_alarm) == 0);
  MUST(set_real(10 * NSEC_PER_MSEC, 10 * NSEC_PER_MSEC) == 0);
  user::Var<UserItimerval> now;
  MUST(sys(__NR_getitimer, 0, now.addr()) == 0);
  MUST(now.get().it_interval.tv_usec == 10000 && now.get().it_value.tv_usec > 0 && now.get().it_value.tv_usec <= 10000);
  for (int i = 0; i < 5; i++) sys(__NR_pause);
  MUST(alarms == 5);
  MUST(set_real(0, 0) == 0);
  MUST(sys(__NR_getitimer, 0, now.addr()) == 0);
  MUST(now.get().it_value.tv_usec == 0 && now.get().it_value.tv_sec == 0);
  MUST(sys(__NR_getitimer, 3, now.addr()) == -EINVAL);
  now.set({{}, {0, 1000000}});
  MUST(sys(__NR_setitimer, 0, now.addr(), 0) == -EINVAL);
  return 0;
}
int virtual_alarms;
void on_virtual(int, unsigned long, unsigned long) { virtual_alarms++; }
long cpu_timers(unsigned long) {
  virtual_alarms = 0;
  MUST(user::sigaction(SIGPROF, on_virtual) == 0);
  user::Var<UserItimerval> t(UserItimerval{{0, 20000}, {0, 20000}});
  MUST(sys(__NR_setitimer, 2, t.addr(), 0) == 0);
  user::Var<Ts> nap(Ts{0, 100 * NSEC_PER_MSEC});
  sys(__NR_nanosleep, nap.addr(), 0);  // sleeping does not count
  MUST(virtual_alarms == 0);
  for (int i = 0; i < 40; i++) user::burn(4 * NSEC_PER_MSEC);
  MUST(virtual_alarms >= 4 && virtual_alarms <= 9);
  return 0;
}

struct Sigevent {
  sigval_t value;
  int signo, notify, tid, pad[11];
};
int timer_signals, timer_overrun, timer_value;
void on_timer(int, unsigned long info, unsigned long) {
  timer_signals++;
  auto si = user::peek<kernel_siginfo>(info);
  timer_overrun = si.si_overrun;
  timer_value = si._f._timer.sigval.sival_int;
}
long set_timer(int id, s64 value, s64 interval, int flags = 0) {
  user::Var<UserItimerspec> t(UserItimerspec{user_timespec(interval), user_timespec(value)});
  return sys(__NR_timer_settime, id, flags, t.addr(), 0);
}
long posix_timers(unsigned long) {
  timer_signals = 0;
  MUST(user::sigaction(SIGUSR1, on_timer, SA_SIGINFO) == 0);
  user::Var<Sigevent> e(Sigevent{{.sival_int = 77}, SIGUSR1, 0, 0, {}});
  user::Var<int> id;
  MUST(sys(__NR_timer_create, CLOCK_MONOTONIC, e.addr(), id.addr()) == 0);
  const int t = id.get();
  MUST(set_timer(t, 10 * NSEC_PER_MSEC, 0) == 0);
  user::Var<UserItimerspec> s;
  MUST(sys(__NR_timer_gettime, t, s.addr()) == 0);
  MUST(to_ns(s.get().it_value) > 0 && to_ns(s.get().it_value) <= 10 * NSEC_PER_MSEC);
  sys(__NR_pause);
  MUST(timer_signals == 1 && timer_value == 77 && timer_overrun == 0);
  MUST(sys(__NR_timer_gettime, t, s.addr()) == 0 && to_ns(s.get().it_value) == 0);
  MUST(set_timer(t, 5 * NSEC_PER_MSEC, 5 * NSEC_PER_MSEC) == 0);
  for (int i = 0; i < 4; i++) sys(__NR_pause);
  MUST(timer_signals == 5);
  // Blocked for a while: the expirations meanwhile are overruns of one signal.
  user::Var<sigset_t> set(sigset_t{{1ull << (SIGUSR1 - 1)}});
  MUST(sys(__NR_rt_sigprocmask, SIG_BLOCK, set.addr(), 0, 8) == 0);
  user::Var<Ts> nap(Ts{0, 52 * NSEC_PER_MSEC});
  sys(__NR_nanosleep, nap.addr(), 0);
  MUST(sys(__NR_rt_sigprocmask, SIG_UNBLOCK, set.addr(), 0, 8) == 0);
  MUST(timer_signals == 6);
  MUST(timer_overrun >= 8 && timer_overrun <= 12);
  MUST(sys(__NR_timer_getoverrun, t) == timer_overrun);
  MUST(sys(__NR_timer_delete, t) == 0);
  MUST(sys(__NR_timer_delete, t) == -EINVAL);
  MUST(set_timer(t, 1, 0) == -EINVAL);
  return 0;
}
long posix_timer_errors(unsigned long) {
  user::Var<int> id;
  user::Var<Sigevent> e(Sigevent{{}, 99, 0, 0, {}});
  MUST(sys(__NR_timer_create, CLOCK_MONOTONIC, e.addr(), id.addr()) == -EINVAL);
  e.set({{}, SIGUSR1, 7, 0, {}});
  MUST(sys(__NR_timer_create, CLOCK_MONOTONIC, e.addr(), id.addr()) == -EINVAL);
  e.set({{}, SIGUSR1, 4, 1, {}});  // a thread of another process
  MUST(sys(__NR_timer_create, CLOCK_MONOTONIC, e.addr(), id.addr()) == -EINVAL);
  MUST(sys(__NR_timer_create, 55, 0, id.addr()) == -EINVAL);
  MUST(sys(__NR_timer_create, CLOCK_REALTIME, 0, 0x10) == -EFAULT);
  e.set({{}, 0, 1, 0, {}});  // SIGEV_NONE
  MUST(sys(__NR_timer_create, CLOCK_REALTIME, e.addr(), id.addr()) == 0);
  MUST(set_timer(id.get(), 20 * NSEC_PER_MSEC, 0) == 0);
  user::Var<UserItimerspec> s;
  MUST(sys(__NR_timer_gettime, id.get(), s.addr()) == 0 && to_ns(s.get().it_value) > 0);
  MUST(sys(__NR_timer_create, CLOCK_BOOTTIME, 0, id.addr()) == 0);
  MUST(set_timer(id.get(), 3600 * NSEC_PER_SEC, NSEC_PER_SEC) == 0);
  return 0;  // exit deletes them
}
long thread_timer(unsigned long) {
  timer_signals = 0;
  MUST(user::sigaction(SIGUSR1, on_timer, SA_SIGINFO) == 0);
  user::Var<Sigevent> e(Sigevent{{.sival_int = 5}, SIGUSR1, 4, static_cast<int>(sys(__NR_gettid)), {}});
  user::Var<int> id;
  MUST(sys(__NR_timer_create, CLOCK_REALTIME, e.addr(), id.addr()) == 0);
  MUST(set_timer(id.get(), now_ns(CLOCK_REALTIME) + 10 * NSEC_PER_MSEC, 0, TIMER_ABSTIME) == 0);
  sys(__NR_pause);
  MUST(timer_signals == 1 && timer_value == 5);
  return 0;
}

#define PROGRAM_CASE(program) \
  void program##_case(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(program), 0); }
PROGRAM_CASE(clocks)
PROGRAM_CASE(setting)
PROGRAM_CASE(sleeping)
PROGRAM_CASE(interrupted_sleep)
PROGRAM_CASE(periodic_real)
PROGRAM_CASE(cpu_timers)
PROGRAM_CASE(posix_timers)
PROGRAM_CASE(posix_timer_errors)
PROGRAM_CASE(thread_timer)

kunit_case cases[] = {
    KUNIT_CASE(clocks_case), KUNIT_CASE(setting_case), KUNIT_CASE(sleeping_case), KUNIT_CASE(interrupted_sleep_case),
    KUNIT_CASE(periodic_real_case), KUNIT_CASE(cpu_timers_case), KUNIT_CASE(posix_timers_case),
    KUNIT_CASE(posix_timer_errors_case), KUNIT_CASE(thread_timer_case), {},
};
kunit_suite suite = {.name = "time_syscalls", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
