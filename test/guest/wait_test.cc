// wait4 and waitid: whom they find, what they say, what they leave.
// SPDX-License-Identifier: Apache-2.0
#include <sys/prctl.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

long wait4_raw(pid_t pid, int* status, int options, rusage* ru = nullptr) { return sys(SYS_wait4, pid, status, options, ru); }

// spec 21 9 | wait4
TEST(Wait, NoChildren) {
  int status = 77;
  EXPECT_EQ(-ECHILD, wait4_raw(-1, &status, 0));
  EXPECT_EQ(-ECHILD, wait4_raw(0, &status, 0));
  EXPECT_EQ(-ECHILD, wait4_raw(1, &status, 0));
  EXPECT_EQ(-ECHILD, wait4_raw(-12345, &status, 0));
  EXPECT_EQ(-ECHILD, wait4_raw(getpid(), &status, WNOHANG));
  EXPECT_EQ(77, status);
}

// spec 21 9 | wait4
TEST(Wait, InvalidOptions) {
  int status;
  for (unsigned bit = 0; bit < 32; bit++) {
    unsigned option = 1u << bit;
    bool valid = option == WNOHANG || option == WUNTRACED || option == WCONTINUED || option == (unsigned)__WNOTHREAD ||
                 option == (unsigned)__WALL || option == (unsigned)__WCLONE;
    EXPECT_EQ(valid ? -ECHILD : -EINVAL, wait4_raw(-1, &status, (int)option)) << bit;
  }
}

// spec 21 9 | wait4
TEST(Wait, SmallestPidIsEsrch) { EXPECT_EQ(-ESRCH, wait4_raw(INT32_MIN, nullptr, 0)); }

// spec 21 W-1, 9 | waitid
TEST(Waitid, InvalidArguments) {
  siginfo_t info;
  EXPECT_EQ(-EINVAL, waitid_raw(P_ALL, 0, &info, 0));
  EXPECT_EQ(-EINVAL, waitid_raw(P_ALL, 0, &info, WNOHANG));
  EXPECT_EQ(-EINVAL, waitid_raw(P_ALL, 0, &info, WNOWAIT));
  EXPECT_EQ(-EINVAL, waitid_raw(P_ALL, 0, &info, WEXITED | 16));
  EXPECT_EQ(-EINVAL, waitid_raw(4, 0, &info, WEXITED));
  EXPECT_EQ(-EINVAL, waitid_raw(-1, 0, &info, WEXITED));
  EXPECT_EQ(-EINVAL, waitid_raw(P_PID, 0, &info, WEXITED));
  EXPECT_EQ(-EINVAL, waitid_raw(P_PID, -5, &info, WEXITED));
  EXPECT_EQ(-EINVAL, waitid_raw(P_PGID, -1, &info, WEXITED));
  EXPECT_EQ(-EINVAL, waitid_raw(P_PIDFD, -1, &info, WEXITED));
  EXPECT_EQ(-EBADF, waitid_raw(P_PIDFD, 999, &info, WEXITED));
  EXPECT_EQ(-EBADF, waitid_raw(P_PIDFD, 0, &info, WEXITED));
  EXPECT_EQ(-ECHILD, waitid_raw(P_ALL, -99, &info, WEXITED));  // the id does not matter
}

// spec 21 W-1 | waitid WNOHANG
TEST(Waitid, NothingFoundZeroesTheInfo) {
  Child c([] { pause(); });
  siginfo_t info;
  memset(&info, 0x55, sizeof(info));
  EXPECT_EQ(0, waitid_raw(P_ALL, 0, &info, WEXITED | WNOHANG));
  EXPECT_EQ(0, info.si_signo);
  EXPECT_EQ(0, info.si_code);
  EXPECT_EQ(0, info.si_pid);
  EXPECT_EQ(0u, info.si_uid);
  EXPECT_EQ(0, info.si_status);
}

// spec 21 W-1 | waitid
TEST(Waitid, ErrorZeroesTheInfoToo) {
  siginfo_t info;
  memset(&info, 0x55, sizeof(info));
  EXPECT_EQ(-ECHILD, waitid_raw(P_ALL, 0, &info, WEXITED));
  EXPECT_EQ(0, info.si_signo);
  EXPECT_EQ(0, info.si_pid);
  EXPECT_EQ(0, info.si_status);
}

// spec 21 W-1 | waitid
TEST(Waitid, InfoMayBeNull) {
  Child c([] { return 3; });
  EXPECT_EQ(0, waitid_raw(P_PID, c, nullptr, WEXITED));
  c.forget();
  EXPECT_EQ(-ECHILD, waitid_raw(P_PID, c, nullptr, WEXITED));
}

// spec 21 W-1 | waitid
TEST(Waitid, UnwritableInfo) {
  Child c([] { return 3; });
  EXPECT_EQ(-EFAULT, waitid_raw(P_PID, c, (siginfo_t*)8, WEXITED));
  c.forget();  // reaped all the same
  EXPECT_EQ(-ECHILD, waitid_raw(P_PID, c, nullptr, WEXITED));
}

// spec 21 W-2 | wait4
TEST(Wait, UnwritableStatus) {
  Child c([] { return 3; });
  EXPECT_EQ(-EFAULT, wait4_raw(c, (int*)8, 0));
  c.forget();
  EXPECT_EQ(-ECHILD, wait4_raw(c, nullptr, 0));
}

// spec 21 10.2 | waitid CLD_EXITED
TEST(Waitid, ExitedInfo) {
  Child c([] { return 0x12; });
  siginfo_t info;
  memset(&info, 0x55, sizeof(info));
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WEXITED));
  c.forget();
  EXPECT_EQ(SIGCHLD, info.si_signo);
  EXPECT_EQ(0, info.si_errno);
  EXPECT_EQ(CLD_EXITED, info.si_code);
  EXPECT_EQ(c.pid(), info.si_pid);
  EXPECT_EQ(getuid(), info.si_uid);
  EXPECT_EQ(0x12, info.si_status);
}

// spec 21 10.2 | waitid CLD_KILLED
TEST(Waitid, KilledInfo) {
  Child c([] { pause(); });
  c.kill(SIGTERM);
  siginfo_t info;
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WEXITED));
  c.forget();
  EXPECT_EQ(CLD_KILLED, info.si_code);
  EXPECT_EQ(SIGTERM, info.si_status);
}

// spec 21 X-1, 10.2 | wait4
TEST(Wait, CoreSignalWithoutCore) {
  Child c([] {
    rlimit r{0, 0};
    setrlimit(RLIMIT_CORE, &r);
    signal(SIGABRT, SIG_DFL);
    kill(getpid(), SIGABRT);
  });
  EXPECT_EQ(SIGABRT, c.wait());
}

// spec 21 10.2 | wait4 WUNTRACED WCONTINUED
TEST(Wait, StatusWords) {
  Child c([] {
    for (;;) pause();
  });
  setpgid(c, c);  // a group that is not orphaned: SIGTSTP stops it
  int status = 0;
  c.kill(SIGSTOP);
  EXPECT_EQ(c.pid(), wait4_raw(c, &status, WUNTRACED));
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, status);
  c.kill(SIGCONT);
  EXPECT_EQ(c.pid(), wait4_raw(c, &status, WCONTINUED));
  EXPECT_EQ(0xffff, status);
  c.kill(SIGTSTP);
  EXPECT_EQ(c.pid(), wait4_raw(c, &status, WUNTRACED));
  EXPECT_EQ(SIGTSTP << 8 | 0x7f, status);
  c.kill(SIGKILL);
  EXPECT_EQ(SIGKILL, c.wait());
}

// spec 21 W-17 | wait4 WUNTRACED
TEST(Wait, StopIsReportedOnce) {
  Child c([] { pause(); });
  c.kill(SIGSTOP);
  int status;
  EXPECT_EQ(c.pid(), wait4_raw(c, &status, WUNTRACED));
  EXPECT_EQ(0, wait4_raw(c, &status, WUNTRACED | WNOHANG));
  c.kill(SIGKILL);
}

// spec 21 W-17 | waitid WSTOPPED WNOWAIT
TEST(Waitid, NowaitLeavesTheStop) {
  Child c([] { pause(); });
  c.kill(SIGSTOP);
  siginfo_t info{};
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED | WNOWAIT));
    EXPECT_EQ(CLD_STOPPED, info.si_code);
    EXPECT_EQ(SIGSTOP, info.si_status);
  }
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED));
  EXPECT_EQ(CLD_STOPPED, info.si_code);
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED | WNOHANG));
  EXPECT_EQ(0, info.si_pid);
}

// spec 21 W-18 | waitid WCONTINUED WNOWAIT
TEST(Waitid, ContinuedIsReportedOnce) {
  Child c([] {
    for (;;) pause();
  });
  c.kill(SIGSTOP);
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED));
  c.kill(SIGCONT);
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WCONTINUED | WNOWAIT));
  EXPECT_EQ(CLD_CONTINUED, info.si_code);
  EXPECT_EQ(SIGCONT, info.si_status);
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WCONTINUED));
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WCONTINUED | WNOHANG));
  EXPECT_EQ(0, info.si_pid);
}

// spec 21 W-17 | waitid WEXITED
TEST(Waitid, OnlyAskedEventsAreReported) {
  Child c([] { pause(); });
  c.kill(SIGSTOP);
  EXPECT_TRUE(eventually_state(c, 'T'));
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WEXITED | WCONTINUED | WNOHANG));
  EXPECT_EQ(0, info.si_pid);
  c.kill(SIGKILL);
  EXPECT_TRUE(eventually_state(c, 'Z'));
  EXPECT_EQ(-ECHILD, waitid_raw(P_PID, c, &info, WSTOPPED | WCONTINUED | WNOHANG));  // a zombie will do neither any more
}

// spec 21 W-13 | waitid WNOWAIT
TEST(Waitid, NowaitLeavesTheZombie) {
  Child c([] { return 9; });
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WEXITED | WNOWAIT));
  EXPECT_EQ(9, info.si_status);
  EXPECT_EQ('Z', state_of(c));
  EXPECT_EQ(9, c.exit_code());
  EXPECT_EQ(0, state_of(c));
}

// spec 21 W-5 | wait4
TEST(Wait, AnyChildIsTakenOldestFirst) {
  std::vector<pid_t> pids;
  for (int i = 0; i < 5; i++) pids.push_back(spawn([] {}));
  for (pid_t p : pids) EXPECT_TRUE(eventually_state(p, 'Z'));
  for (pid_t p : pids) EXPECT_EQ(p, wait4_raw(-1, nullptr, 0));
}

// spec 21 9 | wait4; setpgid
TEST(Wait, ByProcessGroup) {
  Child own([] { return 1; });
  Child other([] {
    setpgid(0, 0);
    return 2;
  });
  EXPECT_TRUE(eventually_state(own, 'Z'));
  EXPECT_TRUE(eventually_state(other, 'Z'));
  EXPECT_EQ(other.pid(), wait4_raw(-other.pid(), nullptr, 0));
  other.forget();
  EXPECT_EQ(-ECHILD, wait4_raw(-other.pid(), nullptr, 0));
  EXPECT_EQ(own.pid(), wait4_raw(0, nullptr, 0));
  own.forget();
}

// spec 21 9 | waitid P_PGID
TEST(Waitid, GroupZeroIsTheCallersOwn) {
  Child own([] { return 1; });
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PGID, 0, &info, WEXITED));
  EXPECT_EQ(own.pid(), info.si_pid);
  own.forget();
}

// spec 21 9 | wait4
TEST(Wait, OfAStrangerOrGrandchild) {
  Pipe p;
  Child c([&] {
    Child grandchild([] { pause(); });
    p.put(grandchild.pid());
    pause();
  });
  pid_t grandchild = p.get<pid_t>();
  EXPECT_EQ(-ECHILD, wait4_raw(grandchild, nullptr, WNOHANG));
  EXPECT_EQ(-ECHILD, wait4_raw(getppid(), nullptr, WNOHANG));
  kill(grandchild, SIGKILL);
}

// spec 21 10 | wait4 WNOHANG
TEST(Wait, NohangReturnsZeroWhileTheChildLives) {
  Pipe p;
  Child c([&] { p.await(); });
  int status = 55;
  EXPECT_EQ(0, wait4_raw(c, &status, WNOHANG));
  EXPECT_EQ(55, status);
  p.post();
  EXPECT_EQ(0, c.exit_code());
}

// spec 21 X-13, W-11 | wait4; rt_sigaction SIG_IGN
TEST(Wait, IgnoredSigchldReapsByItself) {
  expect_in_child([] {
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = spawn([] { return 5; });
    EXPECT_EQ(-ECHILD, wait4_raw(-1, nullptr, 0));  // when the last is gone
    EXPECT_TRUE(eventually([&] { return state_of(pid) == 0; }));
  });
}

// spec 21 X-13 | rt_sigaction SA_NOCLDWAIT
TEST(Wait, NocldwaitReapsAndStillSends) {
  expect_in_child([] {
    static std::vector<int>* seen = new std::vector<int>;
    struct sigaction sa {};
    sa.sa_handler = [](int sig) { seen->push_back(sig); };
    sa.sa_flags = SA_NOCLDWAIT | SA_RESTART;
    EXPECT_EQ(0, sigaction(SIGCHLD, &sa, nullptr));
    spawn([] { return 5; });
    EXPECT_EQ(-ECHILD, wait4_raw(-1, nullptr, 0));
    EXPECT_EQ(1u, seen->size());
  });
}

// spec 21 X-15 | rt_sigaction SIG_IGN; wait4
TEST(Wait, ZombieFromBeforeIgnoringStays) {
  expect_in_child([] {
    pid_t pid = spawn([] { return 5; });
    EXPECT_TRUE(eventually_state(pid, 'Z'));
    signal(SIGCHLD, SIG_IGN);
    EXPECT_EQ('Z', state_of(pid));
    EXPECT_EQ(5, exit_code(pid));
  });
}

// spec 21 X-13 | rt_sigaction SIG_DFL
TEST(Wait, DefaultSigchldDoesNotReap) {
  signal(SIGCHLD, SIG_DFL);
  Child c([] { return 5; });
  EXPECT_TRUE(eventually_state(c, 'Z'));
  EXPECT_EQ(5, c.exit_code());
}

volatile int handled;
void count(int) { handled = handled + 1; }

// spec 21 10 | wait4
TEST(Wait, InterruptedByAHandler) {
  handled = 0;
  Handler h(SIGUSR1, count);
  pid_t me = getpid();
  Child c([&] {
    eventually_sleeps(me);
    for (;;) {
      kill(me, SIGUSR1);
      usleep(20000);
    }
  });
  EXPECT_EQ(-EINTR, wait4_raw(c, nullptr, 0));
  EXPECT_GE(handled, 1);
}

// spec 21 10 | wait4; rt_sigaction SA_RESTART
TEST(Wait, RestartedWithSaRestart) {
  handled = 0;
  Handler h(SIGUSR1, count, SA_RESTART);
  pid_t me = getpid();
  Child c([&] {
    for (int i = 0; i < 3; i++) {
      eventually_sleeps(me);
      kill(me, SIGUSR1);
    }
    return 4;
  });
  int status = 0;
  EXPECT_EQ(c.pid(), wait4_raw(c, &status, 0));
  EXPECT_EQ(4 << 8, status);
  EXPECT_GE(handled, 1);
  c.forget();
}

// spec 21 W-4, W-15 | wait4; getrusage RUSAGE_CHILDREN
TEST(Wait, RusageIsTheChildsAndItsReapedOnes) {
  auto burn = [](int ticks) {
    volatile unsigned long sink = 0;
    for (;;) {
      rusage ru;
      getrusage(RUSAGE_SELF, &ru);
      if (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + 1000000 * (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) >= ticks * 10000) break;
      for (int i = 0; i < 20000; i++) sink = sink + 1;
    }
  };
  Child c([&] {
    expect_in_child([&] { burn(6); });
    burn(3);
  });
  rusage ru{}, children{};
  int status = 0;
  EXPECT_EQ(c.pid(), wait4_raw(c, &status, 0, &ru));
  c.forget();
  EXPECT_EQ(0, status);
  long us = ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + 1000000 * (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec);
  EXPECT_GE(us, 80000);
  getrusage(RUSAGE_CHILDREN, &children);
  long all = children.ru_utime.tv_usec + children.ru_stime.tv_usec + 1000000 * (children.ru_utime.tv_sec + children.ru_stime.tv_sec);
  EXPECT_GE(all + 10000, us);
  EXPECT_GE(children.ru_maxrss, ru.ru_maxrss);
}

// spec 21 W-15 | wait4
TEST(Wait, AutoreapedChildrenDoNotCount) {
  expect_in_child([] {
    signal(SIGCHLD, SIG_IGN);
    spawn([] {
      volatile unsigned long sink = 0;
      rusage ru;
      do {
        for (int i = 0; i < 20000; i++) sink = sink + 1;
        getrusage(RUSAGE_SELF, &ru);
      } while (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec < 30000);
    });
    EXPECT_EQ(-ECHILD, wait4_raw(-1, nullptr, 0));
    rusage ru;
    getrusage(RUSAGE_CHILDREN, &ru);
    EXPECT_EQ(0, ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
    EXPECT_EQ(0, ru.ru_minflt);
  });
}

// spec 21 10.2 | waitid
TEST(Waitid, RusageOfAStoppedChild) {
  Child c([] { pause(); });
  c.kill(SIGSTOP);
  rusage ru;
  memset(&ru, 0x55, sizeof(ru));
  siginfo_t info;
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED, &ru));
  EXPECT_LT(ru.ru_utime.tv_sec, 1000);
  EXPECT_GT(ru.ru_minflt, 0);
}

}  // namespace
