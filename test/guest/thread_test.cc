// Threads made by raw clone and by the C library: ids, lists, signals, exec among them.
// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include <atomic>
#include <thread>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

// spec 20 T-1, 1 | clone CLONE_THREAD; gettid; getpid
TEST(Thread, HasItsOwnTidAndTheGroupsPid) {
  pid_t pid = 0, tid = 0;
  std::thread t([&] {
    pid = (pid_t)sys(SYS_getpid);
    tid = (pid_t)sys(SYS_gettid);
  });
  t.join();
  EXPECT_EQ(getpid(), pid);
  EXPECT_NE(getpid(), tid);
}

// spec 20 F-92 | clone CLONE_THREAD; /proc/PID/task
TEST(Thread, IsListedBelowTask) {
  std::atomic<pid_t> tid = 0;
  std::atomic<bool> end = false;
  std::thread t([&] {
    tid = gettid();
    while (!end) sched_yield();
  });
  EXPECT_TRUE(eventually([&] { return tid != 0; }));
  EXPECT_TRUE(exists("/proc/self/task/" + std::to_string(tid)));
  EXPECT_EQ("2", status_field(getpid(), "Threads"));
  EXPECT_EQ(2, count_entries("/proc/self/task"));
  EXPECT_EQ(std::to_string(getpid()), status_field(tid, "Tgid"));
  EXPECT_EQ(std::to_string(tid), status_field(tid, "Pid"));
  end = true;
  t.join();
  EXPECT_TRUE(eventually([&] { return !exists("/proc/self/task/" + std::to_string(tid)); }));
}

// spec 20 F-91 | clone CLONE_THREAD; wait4
TEST(Thread, IsNotAChild) {
  std::atomic<bool> end = false;
  std::atomic<pid_t> tid = 0;
  std::thread t([&] {
    tid = gettid();
    while (!end) sched_yield();
  });
  EXPECT_TRUE(eventually([&] { return tid != 0; }));
  EXPECT_EQ(-ECHILD, sys(SYS_wait4, (pid_t)tid, nullptr, __WALL | WNOHANG, nullptr));
  end = true;
  t.join();
}

// spec 21 S-10, S-20 | tgkill; kill
TEST(Thread, DirectedSignalStaysWithIt) {
  std::atomic<bool> end = false, blocked = false;
  std::atomic<pid_t> tid = 0;
  Blocked b{SIGUSR1};
  std::thread t([&] {
    tid = gettid();
    blocked = true;
    while (!end) sched_yield();
  });
  EXPECT_TRUE(eventually([&] { return blocked.load(); }));
  EXPECT_EQ(0, tgkill_raw(getpid(), tid, SIGUSR1));
  EXPECT_EQ(-1, poll_signal({SIGUSR1}));  // not ours
  EXPECT_EQ("0000000000000200", status_field(tid, "SigPnd"));
  end = true;
  t.join();
}

std::atomic<pid_t> taker;
void takes(int) { taker = (pid_t)sys(SYS_gettid); }

// spec 21 S-20 | kill; rt_sigprocmask
TEST(Thread, ProcessSignalGoesToOneThatWantsIt) {
  Handler h(SIGUSR1, takes);
  taker = 0;
  std::atomic<bool> end = false;
  std::atomic<pid_t> tid = 0;
  std::thread t([&] {
    tid = gettid();
    while (!end) sched_yield();
  });
  EXPECT_TRUE(eventually([&] { return tid != 0; }));
  {
    Blocked b{SIGUSR1};
    kill(getpid(), SIGUSR1);
    EXPECT_TRUE(eventually([&] { return taker != 0; }));
    EXPECT_EQ(tid, taker);
  }
  end = true;
  t.join();
}

// spec 21 S-5, S-32 | rt_sigprocmask; kill
TEST(Thread, PendingSignalIsTakenByTheFirstToUnblock) {
  Handler h(SIGUSR1, takes);
  taker = 0;
  std::atomic<int> step = 0;
  Blocked b{SIGUSR1};
  pid_t tid = 0;
  std::thread t([&] {
    tid = gettid();
    while (step != 1) sched_yield();
    sigset_t set = set_of({SIGUSR1});
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  });
  kill(getpid(), SIGUSR1);
  step = 1;
  t.join();
  EXPECT_EQ(tid, taker);
}

// spec 21 2 (exec) | execve; clone CLONE_THREAD
TEST(Thread, ExecByAThreadTakesTheLeadersId) {
  Pipe in;
  int r = in.r;
  Child c([&] {
    std::thread t([&] {
      dup2(r, 0);
      const char* argv[] = {"guest", "--read-stdin", nullptr};
      execv("/proc/self/exe", const_cast<char**>(argv));
    });
    for (;;) pause();
  });
  EXPECT_TRUE(eventually([&] { return (strtoul(stat_field(c, 9).c_str(), nullptr, 10) & 0x40) == 0 && state_of(c) == 'S'; }));
  EXPECT_EQ("1", status_field(c, "Threads"));
  in.post('\7');
  EXPECT_EQ(7, c.exit_code());
}

// spec 21 X-28 | execve; exit
TEST(Thread, ExecAfterTheLeaderHasLeft) {
  Pipe in;
  static int r;
  r = in.r;
  Child c([&] {
    static Stack s;
    clone_fn([](void*) {
      static const char* argv[] = {"guest", "--read-stdin", nullptr};
      timespec t{0, 30'000'000};
      raw(SYS_nanosleep, (long)&t, 0);
      raw(SYS_dup2, r, 0);
      raw(SYS_execve, (long)"/proc/thread-self/exe", (long)argv, 0);
      raw(SYS_exit_group, 88);
      return 0;
    }, nullptr, s, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD);
    raw(SYS_exit, 3);
  });
  in.post('\5');
  EXPECT_EQ(5, c.exit_code());
}

// spec 20 18 | clone CLONE_THREAD; setitimer; timer_create
TEST(Thread, TimersBelongToTheProcess) {
  int id = -1;
  struct sigevent e {};
  e.sigev_notify = SIGEV_NONE;
  ASSERT_EQ(0, sys(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
  long r = -1;
  std::thread t([&] { r = sys(SYS_timer_delete, id); });
  t.join();
  EXPECT_EQ(0, r);
}

// spec 20 18, 2.6 | clone CLONE_THREAD; getrusage RUSAGE_THREAD
TEST(Thread, TimesOfAThreadAreItsOwn) {
  rusage thread{}, process{};
  std::thread t([&] {
    volatile unsigned long sink = 0;
    do {
      for (int i = 0; i < 50000; i++) sink = sink + 1;
      getrusage(RUSAGE_THREAD, &thread);
    } while (thread.ru_utime.tv_sec == 0 && thread.ru_utime.tv_usec < 50000);
  });
  t.join();
  getrusage(RUSAGE_SELF, &process);
  EXPECT_GE(process.ru_utime.tv_usec + 1000000 * process.ru_utime.tv_sec + 10000, thread.ru_utime.tv_usec);
}

// spec 20 8 | clone CLONE_THREAD; pthread_create
TEST(Thread, ManyStartAndJoin) {
  constexpr int kThreads = 200;
  std::atomic<int> ran = 0;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 64 << 10);
  pthread_t threads[kThreads];
  for (auto& t : threads)
    ASSERT_EQ(0, pthread_create(&t, &attr, [](void* p) -> void* {
                static_cast<std::atomic<int>*>(p)->fetch_add(1);
                return nullptr;
              }, &ran));
  for (auto& t : threads) EXPECT_EQ(0, pthread_join(t, nullptr));
  EXPECT_EQ(kThreads, ran);
  EXPECT_TRUE(eventually([] { return status_field(getpid(), "Threads") == "1"; }));
}

// spec 20 18 | clone CLONE_THREAD; prctl PR_SET_NAME
TEST(Thread, NameIsTheThreads) {
  std::thread t([] { pthread_setname_np(pthread_self(), "other"); });
  t.join();
  EXPECT_NE("other\n", read_file("/proc/self/comm"));
}

// spec 20 12.3 | clone CLONE_THREAD; setpriority
TEST(Thread, NiceIsTheThreads) {
  int before = getpriority(PRIO_PROCESS, 0), inside = 0;
  std::thread t([&] {
    setpriority(PRIO_PROCESS, 0, before + 1);
    inside = getpriority(PRIO_PROCESS, 0);
  });
  t.join();
  EXPECT_EQ(before + 1, inside);
  EXPECT_EQ(before, getpriority(PRIO_PROCESS, 0));
}

// spec 21 S-57 | clone CLONE_THREAD; sigaltstack
TEST(Thread, AltStackIsTheThreads) {
  static char area[32768];
  stack_t ss{}, off{}, seen{};
  ss.ss_sp = area;
  ss.ss_size = sizeof(area);
  off.ss_flags = SS_DISABLE;
  sigaltstack(&ss, nullptr);
  std::thread t([&] { sigaltstack(nullptr, &seen); });
  t.join();
  EXPECT_EQ(SS_DISABLE, seen.ss_flags);
  sigaltstack(&off, nullptr);
}

}  // namespace
