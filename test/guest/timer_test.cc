// Interval timers and POSIX timers, as signals see them.
// SPDX-License-Identifier: Apache-2.0
#include <sys/time.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

struct Timer {
  explicit Timer(int clock, int sig, int value = 0, int notify = SIGEV_SIGNAL, pid_t tid = 0) {
    struct sigevent e {};
    e.sigev_notify = notify;
    e.sigev_signo = sig;
    e.sigev_value.sival_int = value;
    e._sigev_un._tid = tid;
    result = sys(SYS_timer_create, clock, &e, &id);
  }
  ~Timer() {
    if (id >= 0) sys(SYS_timer_delete, id);
  }
  long set(long ns, long every_ns = 0, int flags = 0) {
    itimerspec t{{every_ns / 1'000'000'000, every_ns % 1'000'000'000}, {ns / 1'000'000'000, ns % 1'000'000'000}};
    return sys(SYS_timer_settime, id, flags, &t, nullptr);
  }
  int id = -1;
  long result;
};

// spec 21 13 | timer_create SIGEV_SIGNAL; timer_settime
TEST(Timer, SignalCarriesIdAndValue) {
  Blocked b{SIGRTMIN};
  Timer t(CLOCK_MONOTONIC, SIGRTMIN, 4242);
  ASSERT_EQ(0, t.result);
  EXPECT_EQ(0, t.set(1'000'000));
  siginfo_t info{};
  EXPECT_EQ(SIGRTMIN, await_signal({SIGRTMIN}, &info));
  EXPECT_EQ(SI_TIMER, info.si_code);
  EXPECT_EQ(4242, info.si_value.sival_int);
  EXPECT_EQ(t.id, info.si_timerid);
  EXPECT_EQ(0, info.si_overrun);
}

// spec 21 17 | timer_settime; timer_getoverrun
TEST(Timer, OneEntryIsQueuedAndOverrunsCount) {
  Blocked b{SIGRTMIN};
  Timer t(CLOCK_MONOTONIC, SIGRTMIN);
  EXPECT_EQ(0, t.set(1'000'000, 1'000'000));
  usleep(60'000);
  siginfo_t info{};
  EXPECT_EQ(SIGRTMIN, await_signal({SIGRTMIN}, &info));
  EXPECT_GE(info.si_overrun, 10);
  EXPECT_EQ(info.si_overrun, sys(SYS_timer_getoverrun, t.id));
  t.set(0);
  poll_signal({SIGRTMIN});  // it may have expired again meanwhile
}

// spec 21 S-3 | timer_delete
TEST(Timer, NoSignalAfterDeletion) {
  Blocked b{SIGRTMIN};
  {
    Timer t(CLOCK_MONOTONIC, SIGRTMIN);
    t.set(20'000'000);
  }
  usleep(60'000);
  EXPECT_EQ(-1, poll_signal({SIGRTMIN}));
}

// spec 21 14 | timer_create
TEST(Timer, CreateErrors) {
  EXPECT_EQ(-EINVAL, Timer(99, SIGRTMIN).result);
  EXPECT_EQ(-EINVAL, Timer(CLOCK_MONOTONIC, 65).result);
  EXPECT_EQ(-EINVAL, Timer(CLOCK_MONOTONIC, 0).result);
  EXPECT_EQ(-EINVAL, Timer(CLOCK_MONOTONIC, SIGRTMIN, 0, 77).result);
  EXPECT_EQ(-EINVAL, Timer(CLOCK_MONOTONIC, SIGRTMIN, 0, 4 /* SIGEV_THREAD_ID */, getppid()).result);
  EXPECT_EQ(-EFAULT, sys(SYS_timer_create, CLOCK_MONOTONIC, (void*)8, (void*)8));
  EXPECT_EQ(-EFAULT, sys(SYS_timer_create, CLOCK_MONOTONIC, nullptr, (void*)8));
}

// spec 21 14 | timer_settime; timer_gettime; timer_delete; timer_getoverrun
TEST(Timer, UnknownIds) {
  itimerspec t{};
  EXPECT_EQ(-EINVAL, sys(SYS_timer_settime, 12345, 0, &t, nullptr));
  EXPECT_EQ(-EINVAL, sys(SYS_timer_gettime, 12345, &t));
  EXPECT_EQ(-EINVAL, sys(SYS_timer_getoverrun, 12345));
  EXPECT_EQ(-EINVAL, sys(SYS_timer_delete, 12345));
}

// spec 21 14 | timer_settime TIMER_ABSTIME
TEST(Timer, InvalidTimes) {
  Timer timer(CLOCK_MONOTONIC, SIGRTMIN);
  itimerspec t{{0, 0}, {0, 1'000'000'000}};
  EXPECT_EQ(-EINVAL, sys(SYS_timer_settime, timer.id, 0, &t, nullptr));
  t.it_value = {-1, 0};
  EXPECT_EQ(-EINVAL, sys(SYS_timer_settime, timer.id, 0, &t, nullptr));
  EXPECT_EQ(-EINVAL, sys(SYS_timer_settime, timer.id, 0, nullptr, nullptr));
}

// spec 21 14 | timer_settime TIMER_ABSTIME
TEST(Timer, AbsoluteTimeInThePastFiresAtOnce) {
  Blocked b{SIGRTMIN};
  Timer t(CLOCK_MONOTONIC, SIGRTMIN);
  EXPECT_EQ(0, t.set(1, 0, TIMER_ABSTIME));
  EXPECT_EQ(SIGRTMIN, await_signal({SIGRTMIN}));
}

// spec 21 14 | timer_settime; timer_gettime
TEST(Timer, GettimeAndOldValue) {
  Timer timer(CLOCK_MONOTONIC, SIGRTMIN);
  timer.set(1'000'000'000'000, 5'000'000'000);
  itimerspec t{}, off{}, old{};
  EXPECT_EQ(0, sys(SYS_timer_gettime, timer.id, &t));
  EXPECT_GT(t.it_value.tv_sec, 900);
  EXPECT_EQ(5, t.it_interval.tv_sec);
  EXPECT_EQ(0, sys(SYS_timer_settime, timer.id, 0, &off, &old));
  EXPECT_GT(old.it_value.tv_sec, 900);
  EXPECT_EQ(0, sys(SYS_timer_gettime, timer.id, &t));
  EXPECT_EQ(0, t.it_value.tv_sec);
  EXPECT_EQ(0, t.it_value.tv_nsec);
}

// spec 21 14 | timer_create SIGEV_THREAD_ID
TEST(Timer, ThreadDirectedTimer) {
  Blocked b{SIGRTMIN};
  Timer t(CLOCK_MONOTONIC, SIGRTMIN, 3, 4 /* SIGEV_THREAD_ID */, getpid());
  ASSERT_EQ(0, t.result);
  t.set(1'000'000);
  EXPECT_TRUE(eventually([] { return status_field(getpid(), "SigPnd") != "0000000000000000"; }));  // the private queue
  EXPECT_EQ(SIGRTMIN, poll_signal({SIGRTMIN}));
}

// spec 21 13 | setitimer ITIMER_REAL; SIGALRM
TEST(Timer, RealIntervalTimer) {
  Blocked b{SIGALRM};
  itimerval t{{0, 5000}, {0, 1000}}, off{};
  EXPECT_EQ(0, setitimer(ITIMER_REAL, &t, nullptr));
  siginfo_t info{};
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(SIGALRM, await_signal({SIGALRM}, &info));
    EXPECT_EQ(SI_KERNEL, info.si_code);
  }
  setitimer(ITIMER_REAL, &off, nullptr);
  poll_signal({SIGALRM});
}

// spec 21 13 | setitimer ITIMER_VIRTUAL ITIMER_PROF; SIGVTALRM; SIGPROF
TEST(Timer, CpuIntervalTimers) {
  for (auto [which, sig] : {std::pair<int, int>{ITIMER_VIRTUAL, SIGVTALRM}, {ITIMER_PROF, SIGPROF}})
    EXPECT_EQ(kSignal + sig, in_child([&, which = which] {
                itimerval t{{0, 0}, {0, 20000}};
                sys(SYS_setitimer, which, &t, nullptr);
                for (;;) {
                }
              }));
}

// spec 21 13 | setitimer; getitimer
TEST(Timer, IntervalTimerErrors) {
  itimerval t{{0, 0}, {0, 1'000'000}};
  EXPECT_EQ(-EINVAL, sys(SYS_setitimer, ITIMER_REAL, &t, nullptr));
  EXPECT_EQ(-EINVAL, sys(SYS_setitimer, 3, nullptr, nullptr));
  EXPECT_EQ(-EINVAL, sys(SYS_getitimer, 3, &t));
  EXPECT_EQ(-EFAULT, sys(SYS_getitimer, 0, (void*)8));
}

// spec 21 13 | alarm
TEST(Timer, AlarmReturnsWhatWasLeft) {
  expect_in_child([] {
    EXPECT_EQ(0u, alarm(1000));
    EXPECT_GE(alarm(0), 990u);
    EXPECT_EQ(0u, alarm(0));
  });
}

// spec 21 21 | execve; setitimer; timer_create
TEST(Timer, ExecKeepsIntervalTimersOnly) {
  Child c([] {
    itimerval t{{0, 0}, {1000, 0}};
    setitimer(ITIMER_REAL, &t, nullptr);
    Timer timer(CLOCK_MONOTONIC, SIGRTMIN);
    const char* argv[] = {"guest", "--timer-state", nullptr};
    execv("/proc/self/exe", const_cast<char**>(argv));
  });
  EXPECT_EQ(0, c.exit_code());
}

}  // namespace
