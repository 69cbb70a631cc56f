// CPU-time clocks, the timers and limits that go by them, and what becomes of timers in fork and exec (timer_create(2),
// clock_nanosleep(2), getrlimit(2)). The answers about clock ids were recorded on a real Linux 6.1.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/wait.h>

#include "kernel/time/user_time.hh"
#include "test/hosted/program.hh"

namespace {

using namespace program;
using Ts = __kernel_timespec;
constexpr s64 kMs = NSEC_PER_MSEC;

constexpr int cpu_clock(long pid, int kind, bool thread) { return static_cast<int>(~static_cast<unsigned>(pid) << 3) | kind | (thread ? 4 : 0); }
enum : int { kProf, kUser, kRuntime };
struct Sigevent {
  sigval_t value;
  int signo, notify, tid, pad[11];
};
enum : int { kSignal, kNone, kThread, kThreadId = 4 };

s64 now_ns(int clock) {
  Var<Ts> t;
  return sys(__NR_clock_gettime, clock, t.addr()) ? -1 : to_ns(t.get());
}
long create(int clock, int signo, int notify = kSignal, int tid = 0) {
  Var<Sigevent> e(Sigevent{{.sival_int = 7}, signo, notify, tid, {}});
  Var<int> id;
  long r = sys(__NR_timer_create, clock, e.addr(), id.addr());
  return r ? r : id.get();
}
long set(long id, s64 value, s64 interval, int flags = 0) {
  Var<UserItimerspec> t(UserItimerspec{user_timespec(interval), user_timespec(value)});
  return sys(__NR_timer_settime, id, flags, t.addr(), 0);
}
s64 remaining(long id) {
  Var<UserItimerspec> t;
  return sys(__NR_timer_gettime, id, t.addr()) ? -1 : to_ns(t.get().it_value);
}
void burn(s64 ms) {
  for (; ms > 0; ms -= 2) user::burn(2 * kMs);
}
long burns_for_ever(unsigned long) {
  for (;;) user::burn(kMs);
}

int signals, overruns, last_code;
void on_signal(int, unsigned long info, unsigned long) {
  const auto si = user::peek<kernel_siginfo>(info);
  signals++;
  overruns = si.si_overrun;
  last_code = si.si_code;
}
void catches(int sig) {
  signals = 0;
  user::sigaction(sig, on_signal, SA_SIGINFO);
}

// ---- Clocks ------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(clock_ids) {
  const long self = getpid();
  const struct {
    int clock;
    long get, resolution, settime, sleep, timer;
  } rows[] = {
      {CLOCK_PROCESS_CPUTIME_ID, 0, 1, -EINVAL, 1, 0},
      {CLOCK_THREAD_CPUTIME_ID, 0, 1, -EINVAL, -EOPNOTSUPP, 0},
      {CLOCK_MONOTONIC_RAW, 0, 1, -EINVAL, -EOPNOTSUPP, -EOPNOTSUPP},
      {CLOCK_MONOTONIC_COARSE, 0, 4000000, -EINVAL, -EOPNOTSUPP, -EOPNOTSUPP},
      {10, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL},
      {-1, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL},
      {cpu_clock(0, kRuntime, false), 0, 1, -EPERM, 1, 0},
      {cpu_clock(0, kRuntime, true), 0, 1, -EPERM, -EINVAL, 0},
      {cpu_clock(self, kProf, false), 0, 4000000, -EPERM, 1, 0},
      {cpu_clock(self, kUser, false), 0, 4000000, -EPERM, 1, 0},
      {cpu_clock(self, kRuntime, true), 0, 1, -EPERM, -EINVAL, 0},
      {cpu_clock(self, kProf, true), 0, 4000000, -EPERM, -EINVAL, 0},
      {cpu_clock(99999, kRuntime, false), -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL},
  };
  Var<Ts> t;
  for (auto& r : rows) {
    MUST(sys(__NR_clock_gettime, r.clock, t.addr()) == r.get);
    const long e = sys(__NR_clock_getres, r.clock, t.addr());
    MUST(r.resolution < 0 ? e == r.resolution : e == 0 && t.get().tv_nsec == r.resolution);
    t.set({1, 0});
    MUST(sys(__NR_clock_settime, r.clock, t.addr()) == r.settime);
    t.set({0, 1000});
    if (r.sleep != 1) MUST(sys(__NR_clock_nanosleep, r.clock, 0, t.addr(), 0) == r.sleep);
    const long id = create(r.clock, SIGUSR1);
    MUST(r.timer ? id == r.timer : id >= 0);
  }
  return 0;
}

PROGRAM_CASE(a_childs_clock) {
  const long child = user::fork(burns_for_ever);
  nap(50);
  const s64 runtime = now_ns(cpu_clock(child, kRuntime, false)), ticks = now_ns(cpu_clock(child, kProf, false));
  MUST(runtime > 30 * kMs && ticks > 30 * kMs);
  MUST(now_ns(cpu_clock(child, kRuntime, true)) == -1);  // a thread, but of another process
  kill(child, SIGKILL);
  MUST(ends_by(child, SIGKILL));
  MUST(now_ns(cpu_clock(child, kRuntime, false)) == -1);
  return 0;
}

// ---- Timers --------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(counts_cpu_time_only) {
  catches(SIGUSR1);
  const long t = create(CLOCK_PROCESS_CPUTIME_ID, SIGUSR1);
  MUST(set(t, 20 * kMs, 20 * kMs) == 0);
  MUST(remaining(t) > 15 * kMs && remaining(t) <= 20 * kMs);
  nap(100);
  MUST(signals == 0);
  burn(200);
  MUST(signals >= 8 && signals <= 11 && last_code == SI_TIMER);
  MUST(set(t, 0, 0) == 0 && remaining(t) == 0);
  signals = 0;
  burn(60);
  MUST(signals == 0);
  MUST(sys(__NR_timer_delete, t) == 0);
  return 0;
}

PROGRAM_CASE(blocked_periods_are_overruns) {
  catches(SIGUSR1);
  const long t = create(cpu_clock(0, kUser, false), SIGUSR1);
  block(bit(SIGUSR1));
  MUST(set(t, 20 * kMs, 20 * kMs) == 0);
  burn(210);
  block(0);
  MUST(signals == 1 && overruns >= 6 && overruns <= 10);
  MUST(sys(__NR_timer_getoverrun, t) == overruns);
  return 0;
}

PROGRAM_CASE(goes_on_while_ignored) {
  user::sigaction(SIGUSR1, 1ul);
  const long t = create(CLOCK_PROCESS_CPUTIME_ID, SIGUSR1);
  MUST(set(t, 10 * kMs, 30 * kMs) == 0);
  burn(100);
  MUST(remaining(t) > 0 && remaining(t) <= 34 * kMs);
  catches(SIGUSR1);
  burn(60);
  MUST(signals >= 1);
  return 0;
}

PROGRAM_CASE(absolute_and_silent) {
  catches(SIGUSR1);
  burn(20);
  const long past = create(CLOCK_PROCESS_CPUTIME_ID, SIGUSR1);
  MUST(set(past, 1, 0, TIMER_ABSTIME) == 0 && signals == 1);  // has been already: at once
  const long silent = create(CLOCK_PROCESS_CPUTIME_ID, 0, kNone);
  MUST(set(silent, 10 * kMs, 0) == 0 && remaining(silent) > 0);
  burn(20);
  MUST(remaining(silent) == 0);
  return 0;
}

int thread_tid;
long thread_burns(unsigned long) {
  thread_tid = static_cast<int>(gettid());
  burn(400);
  return 0;
}
PROGRAM_CASE(a_threads_clock) {
  catches(SIGUSR1);
  thread_tid = 0;
  const long own = create(CLOCK_THREAD_CPUTIME_ID, SIGUSR1);
  MUST(set(own, 200 * kMs, 0) == 0);
  const long tid = user::thread(user::thread_stack(), thread_burns);
  while (!thread_tid) nap(1);
  catches(SIGUSR2);
  const long others = create(cpu_clock(tid, kRuntime, true), SIGUSR2, kThreadId, static_cast<int>(gettid()));
  MUST(others >= 0 && set(others, 20 * kMs, 0) == 0);
  for (int i = 0; i < 100 && !signals; i++) nap(10);
  MUST(signals == 1);  // the other's: ours has slept all the time
  MUST(remaining(own) > 100 * kMs);
  nap(600);
  MUST(remaining(others) == 0 && set(others, 1, 0) == -ESRCH);  // that thread has ended
  return 0;
}

PROGRAM_CASE(another_process_is_measured) {
  catches(SIGUSR1);
  const long child = user::fork(burns_for_ever);
  const long t = create(cpu_clock(child, kRuntime, false), SIGUSR1);
  MUST(t >= 0 && set(t, 30 * kMs, 30 * kMs) == 0);
  for (int i = 0; i < 3; i++) nap(500);
  MUST(signals == 3);  // each nap is interrupted
  kill(child, SIGKILL);
  MUST(ends_by(child, SIGKILL));
  MUST(set(t, 30 * kMs, 0) == -ESRCH && remaining(t) == 0 && sys(__NR_timer_getoverrun, t) >= 0);
  MUST(sys(__NR_timer_delete, t) == 0);
  return 0;
}

// Armed on somebody who goes first, and by somebody who goes first: neither may leave anything.
long measures_parent(unsigned long parent) {
  const long t = create(cpu_clock(static_cast<long>(parent), kRuntime, false), SIGUSR1);
  return t < 0 || set(t, 30 * kMs, 30 * kMs) ? 1 : 0;
}
PROGRAM_CASE(ends_of_both_sides) {
  MUST(ends_by(user::fork(measures_parent, static_cast<unsigned long>(getpid())), 0));
  burn(50);
  const long child = user::fork(burns_for_ever);
  const long t = create(cpu_clock(child, kUser, false), SIGUSR1);
  MUST(set(t, NSEC_PER_SEC, 0) == 0);
  kill(child, SIGKILL);
  MUST(ends_by(child, SIGKILL));
  return 0;
}

// ---- Sleeping ----------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(sleeping_on_a_childs_time) {
  const long child = user::fork(burns_for_ever);
  const int clock = cpu_clock(child, kRuntime, false);
  Var<Ts> t(Ts{0, 40 * kMs}), rest;
  const s64 begin = now_ns(clock);
  MUST(sys(__NR_clock_nanosleep, clock, 0, t.addr(), 0) == 0);
  MUST(now_ns(clock) - begin >= 40 * kMs);
  t.set(user_timespec(begin));
  MUST(sys(__NR_clock_nanosleep, clock, TIMER_ABSTIME, t.addr(), 0) == 0);  // has been
  user::sigaction(SIGALRM, on_signal, SA_SIGINFO);
  Var<UserItimerval> alarm(UserItimerval{{}, {0, 20000}});
  MUST(sys(__NR_setitimer, 0, alarm.addr(), 0) == 0);
  t.set({5, 0});
  MUST(sys(__NR_clock_nanosleep, clock, 0, t.addr(), rest.addr()) == -EINTR);
  MUST(to_ns(rest.get()) > 4800 * kMs && to_ns(rest.get()) < 5000 * kMs);
  kill(child, SIGKILL);
  MUST(ends_by(child, SIGKILL));
  return 0;
}

// A stop in between is not seen: the call goes on by itself (spec 21 S-47).
long sleeps_on_parent(unsigned long parent) {
  Var<Ts> t(Ts{0, 60 * kMs});
  return sys(__NR_clock_nanosleep, cpu_clock(static_cast<long>(parent), kRuntime, false), 0, t.addr(), 0) ? 1 : 0;
}
PROGRAM_CASE(sleep_goes_on_after_a_stop) {
  const long child = user::fork(sleeps_on_parent, static_cast<unsigned long>(getpid()));
  burn(20);
  kill(child, SIGSTOP);
  burn(20);
  kill(child, SIGCONT);
  burn(100);
  MUST(ends_by(child, 0));
  return 0;
}

// ---- Limits --------------------------------------------------------------------------------------------------------------------

struct Limit {
  int which;
  unsigned long soft, hard;
};
void set_limit(Limit l) {
  Var<rlimit> r(rlimit{l.soft, l.hard});
  sys(__NR_prlimit64, 0, l.which, r.addr(), 0);
}
unsigned long soft_limit(int which) {
  Var<rlimit> r;
  sys(__NR_prlimit64, 0, which, 0, r.addr());
  return r.get().rlim_cur;
}
long runs_into_cpu_limit(unsigned long) {
  catches(SIGXCPU);
  set_limit({RLIMIT_CPU, 1, 3});
  const s64 begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  while (signals < 1) burn(10);
  MUST(now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin >= 900 * kMs && last_code == SI_KERNEL && soft_limit(RLIMIT_CPU) == 2);
  while (signals < 2) burn(10);
  MUST(now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin >= 1900 * kMs);
  return burns_for_ever(0);
}
PROGRAM_CASE(cpu_limit) {
  Var<int> status;
  struct Times {
    long utime[2], stime[2], rest[14];
  };
  Var<Times> usage;
  const long child = user::fork(runs_into_cpu_limit);
  MUST(sys(__NR_wait4, child, status.addr(), 0, usage.addr()) == child && status.get() == SIGKILL);
  const Times t = usage.get();
  const s64 used = (t.utime[0] + t.stime[0]) * NSEC_PER_SEC + (t.utime[1] + t.stime[1]) * 1000;
  MUST(used >= 2900 * kMs && used <= 3100 * kMs);
  return 0;
}
long has_no_cpu_time(unsigned long) {
  set_limit({RLIMIT_CPU, 0, ~0ul});
  if (soft_limit(RLIMIT_CPU)) return 1;
  return burns_for_ever(0);
}
PROGRAM_CASE(cpu_limit_of_nothing) {
  const Ended e = wait4(user::fork(has_no_cpu_time));
  MUST((e.status & 0x7f) == SIGXCPU);
  return 0;
}

long runs_real_time(unsigned long) {
  catches(SIGXCPU);
  Var<int> priority(5);
  MUST(sys(__NR_sched_setscheduler, 0, 1 /* FIFO */, priority.addr()) == 0);
  set_limit({RLIMIT_RTTIME, 100000, 2500000});
  for (int i = 0; i < 4; i++) {
    burn(50);
    nap(5);  // whoever sleeps starts anew
  }
  MUST(signals == 0);
  s64 begin = now_ns(CLOCK_THREAD_CPUTIME_ID);
  while (signals < 1) user::burn(kMs);
  s64 used = now_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
  MUST(used > 90 * kMs && used < 120 * kMs && last_code == SI_KERNEL && soft_limit(RLIMIT_RTTIME) == 1100000);
  while (signals < 2) user::burn(kMs);
  used = now_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
  MUST(used > 1000 * kMs && used < 1200 * kMs);
  return burns_for_ever(0);
}
PROGRAM_CASE(realtime_limit) {
  MUST(ends_by(user::fork(runs_real_time), SIGKILL));
  return 0;
}

// ---- fork, exec, /proc -------------------------------------------------------------------------------------------------------------

long has_no_timers(unsigned long id) {
  Var<UserItimerval> it;
  for (int which = 0; which < 3; which++)
    MUST(sys(__NR_getitimer, which, it.addr()) == 0 && !it.get().it_value.tv_sec && !it.get().it_value.tv_usec);
  MUST(remaining(static_cast<long>(id)) == -1);
  return 0;
}
PROGRAM_CASE(fork_inherits_no_timer) {
  Var<UserItimerval> it(UserItimerval{{100, 0}, {100, 0}});
  for (int which = 0; which < 3; which++) MUST(sys(__NR_setitimer, which, it.addr(), 0) == 0);
  const long t = create(CLOCK_MONOTONIC, SIGUSR1), c = create(CLOCK_PROCESS_CPUTIME_ID, SIGUSR1);
  MUST(set(t, 100 * NSEC_PER_SEC, 0) == 0 && set(c, 100 * NSEC_PER_SEC, 0) == 0);
  MUST(ends_by(user::fork(has_no_timers, static_cast<unsigned long>(c)), 0));
  MUST(remaining(c) > 0 && remaining(t) > 0);
  return 0;
}

// spec 21 section 21: exec keeps interval timers and drops the others.
int kept_timer;
long after_exec(unsigned long) {
  Var<UserItimerval> it;
  for (int which = 0; which < 3; which++) MUST(sys(__NR_getitimer, which, it.addr()) == 0 && it.get().it_value.tv_sec >= 90);
  MUST(remaining(kept_timer) == -1 && remaining(kept_timer + 1) == -1);
  return 0;
}
long executes(unsigned long) {
  static unsigned char elf[user::kElfSize];
  const size_t size = user::make_elf(after_exec, elf, sizeof(elf));
  user::Str path("/after");
  const long fd = sys(__NR_open, path.addr(), O_RDWR | O_CREAT, 0755);
  const unsigned long at = user::map(sizeof(elf));
  user::write_bytes(at, elf, size);
  MUST(sys(__NR_write, fd, at, size) == static_cast<long>(size) && sys(__NR_close, fd) == 0);
  Var<UserItimerval> it(UserItimerval{{100, 0}, {100, 0}});
  for (int which = 0; which < 3; which++) MUST(sys(__NR_setitimer, which, it.addr(), 0) == 0);
  kept_timer = static_cast<int>(create(CLOCK_MONOTONIC, SIGUSR1));
  MUST(set(kept_timer, 100 * NSEC_PER_SEC, 0) == 0);
  const long c = create(CLOCK_THREAD_CPUTIME_ID, SIGUSR1);
  MUST(c == kept_timer + 1 && set(c, 100 * NSEC_PER_SEC, 0) == 0);
  return sys(__NR_execve, path.addr(), 0, 0);
}
PROGRAM_CASE(exec_and_timers) {
  MUST(ends_by(user::fork(executes), 0));
  return 0;
}

PROGRAM_CASE(proc_timers) {
  user::Str dir("/mnt"), type("proc"), file("/mnt/self/timers"), of_thread("/mnt/thread-self/timers");
  MUST(sys(__NR_mkdir, dir.addr(), 0755) == 0 && sys(__NR_mount, type.addr(), dir.addr(), type.addr(), 0, 0) == 0);
  const long a = create(CLOCK_MONOTONIC, 34), b = create(CLOCK_PROCESS_CPUTIME_ID, SIGUSR1, kThreadId, static_cast<int>(gettid())),
             c = create(CLOCK_REALTIME, 99, kNone);
  MUST(a >= 0 && b == a + 1 && c == b + 1);
  const long fd = sys(__NR_open, file.addr(), O_RDONLY, 0);
  const unsigned long at = user::map(4096);
  const long n = sys(__NR_read, fd, at, 4095);
  char text[512] = {}, expected[512] = {};
  MUST(n > 0 && n < 500);
  user::read_bytes(text, at, static_cast<size_t>(n));
  auto add = [&](const char* before, long number) {
    __builtin_strcat(expected, before);
    append_number(expected, number);
  };
  add("ID: ", c);
  add("\nsignal: 99/0000000000000007\nnotify: none/pid.", getpid());
  add("\nClockID: 0\nID: ", b);
  add("\nsignal: 10/0000000000000007\nnotify: signal/tid.", gettid());
  add("\nClockID: 2\nID: ", a);
  add("\nsignal: 34/0000000000000007\nnotify: signal/pid.", getpid());
  __builtin_strcat(expected, "\nClockID: 1\n");
  MUST(!__builtin_strcmp(text, expected));
  MUST(sys(__NR_open, of_thread.addr(), O_RDONLY, 0) == -ENOENT);
  MUST(sys(__NR_close, fd) == 0 && sys(__NR_umount2, dir.addr(), 0) == 0);
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(clock_ids), KUNIT_CASE(a_childs_clock), KUNIT_CASE(counts_cpu_time_only), KUNIT_CASE(blocked_periods_are_overruns),
    KUNIT_CASE(goes_on_while_ignored), KUNIT_CASE(absolute_and_silent), KUNIT_CASE(a_threads_clock),
    KUNIT_CASE(another_process_is_measured), KUNIT_CASE(ends_of_both_sides), KUNIT_CASE(sleeping_on_a_childs_time),
    KUNIT_CASE(sleep_goes_on_after_a_stop), KUNIT_CASE(cpu_limit), KUNIT_CASE(cpu_limit_of_nothing), KUNIT_CASE(realtime_limit),
    KUNIT_CASE(fork_inherits_no_timer), KUNIT_CASE(exec_and_timers), KUNIT_CASE(proc_timers), {},
};
kunit_suite suite = {.name = "cpu_timers", .test_cases = cases, .world = {.deterministic = "asserts times to the tick"}};
kunit_test_suite(suite);

}  // namespace
