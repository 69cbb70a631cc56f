// Ends: statuses, groups of threads, reparenting, subreapers, the death of the parent.
// SPDX-License-Identifier: Apache-2.0
#include <sys/prctl.h>

#include <atomic>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

constexpr int kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

std::atomic<int> flag;
void spin_until(int value) {
  while (flag.load() != value) raw(SYS_sched_yield);
}

// spec 21 1, X-1 | exit_group
TEST(Exit, StatusIsEightBits) {
  for (int code : {0, 1, 42, 255, 256, 257, -1, 0x1234}) EXPECT_EQ((code & 0xff) << 8, wait_status(spawn([&] { sys(SYS_exit_group, code); })));
}

// spec 21 1 | exit
TEST(Exit, ExitOfTheOnlyThread) { EXPECT_EQ(0x2a00, wait_status(spawn([] { sys(SYS_exit, 0x12a); }))); }

// spec 21 X-4 | exit; clone CLONE_THREAD
TEST(Exit, StatusIsThatOfTheLastThread) {
  int status = wait_status(spawn([] {
    static Stack s;
    flag = 0;
    clone_fn([](void*) {
      spin_until(1);
      // The leader has left when it is a zombie; its exit came first.
      for (int i = 0; i < 200; i++) raw(SYS_sched_yield);
      timespec t{0, 50'000'000};
      raw(SYS_nanosleep, (long)&t, 0);
      raw(SYS_exit, 9);
      return 0;
    }, nullptr, s, kThread);
    flag = 1;
    raw(SYS_exit, 5);
  }));
  EXPECT_EQ(9 << 8, status);
}

// spec 21 X-2, X-3 | exit_group; clone CLONE_THREAD
TEST(Exit, ExitGroupByAThreadEndsAll) {
  int status = wait_status(spawn([] {
    static Stack s;
    clone_fn([](void*) {
      raw(SYS_exit_group, 17);
      return 0;
    }, nullptr, s, kThread);
    for (;;) pause();
  }));
  EXPECT_EQ(17 << 8, status);
}

// spec 21 S-21 | kill; clone CLONE_THREAD
TEST(Exit, FatalSignalEndsAllThreads) {
  Child c([] {
    static Stack s;
    clone_fn([](void*) {
      for (;;) raw(SYS_sched_yield);
      return 0;
    }, nullptr, s, kThread);
    for (;;) pause();
  });
  EXPECT_TRUE(eventually([&] { return status_field(c, "Threads") == "2"; }));
  c.kill(SIGTERM);
  EXPECT_EQ(kSignal + SIGTERM, c.exit_code());
}

// spec 21 X-28, W-9 | exit; wait4 WNOHANG; kill
TEST(Exit, DeadLeaderWithLivingThreads) {
  Pipe tids;
  Child c([&] {
    static Stack s;
    int tid = clone_fn([](void*) {
      for (;;) raw(SYS_pause);
      return 0;
    }, nullptr, s, kThread);
    tids.put(tid);
    raw(SYS_exit, 3);
  });
  int tid = tids.get<int>();
  EXPECT_TRUE(eventually([&] { return thread_state(c, c) == 'Z'; }));
  EXPECT_EQ('Z', state_of(c));
  EXPECT_EQ(0, sys(SYS_wait4, c.pid(), nullptr, WNOHANG, nullptr));
  EXPECT_EQ(0, c.kill(0));
  EXPECT_EQ("2", status_field(c, "Threads"));
  EXPECT_EQ(0, tgkill_raw(c, tid, 0));
  // A stop and its end are still reported.
  c.kill(SIGSTOP);
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait(WUNTRACED));
  c.kill(SIGCONT);
  EXPECT_EQ(0xffff, c.wait(WCONTINUED));
  c.kill(SIGUSR1);  // reaches the thread
  EXPECT_EQ(kSignal + SIGUSR1, c.exit_code());
}

// spec 21 X-16, X-18 | exit_group; prctl PR_SET_CHILD_SUBREAPER
TEST(Exit, OrphansGoToTheSubreaper) {
  expect_in_child([] {
    EXPECT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
    Pipe ids, go;
    pid_t middle = spawn([&] {
      pid_t pid = spawn([&] {
        go.await();
        return getppid() & 0x7f;
      });
      ids.put(pid);
    });
    EXPECT_EQ(0, exit_code(middle));
    go.post();
    EXPECT_EQ(getpid() & 0x7f, exit_code(ids.get<pid_t>()));
  });
}

// spec 21 X-16 | exit_group; prctl PR_SET_CHILD_SUBREAPER
TEST(Exit, NearestSubreaperIsTaken) {
  expect_in_child([] {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    expect_in_child([] {
      prctl(PR_SET_CHILD_SUBREAPER, 1);
      Pipe ids;
      EXPECT_EQ(0, exit_code(spawn([&] { ids.put(spawn([] { return 6; })); })));
      EXPECT_EQ(6, exit_code(ids.get<pid_t>()));
    });
  });
}

// spec 21 X-19 | prctl PR_SET_CHILD_SUBREAPER
TEST(Exit, SubreaperReachesOlderDescendants) {
  // The attribute is set after the grandchild was made.
  expect_in_child([] {
    Pipe ids, go;
    pid_t middle = spawn([&] {
      ids.put(spawn([] { return 7; }));
      go.await();
    });
    pid_t grandchild = ids.get<pid_t>();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    go.post();
    EXPECT_EQ(0, exit_code(middle));
    EXPECT_EQ(7, exit_code(grandchild));
  });
}

// spec 21 X-18 | SIGCHLD; prctl PR_SET_CHILD_SUBREAPER
TEST(Exit, AdoptedChildsExitSignalIsSigchld) {
  expect_in_child([] {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    Blocked b{SIGCHLD, SIGUSR1};
    Pipe ids, go;
    pid_t middle = spawn([&] {
      pid_t pid = (pid_t)clone_raw(SIGUSR1);
      if (pid == 0) {
        go.await();
        _exit(4);
      }
      ids.put(pid);
    });
    EXPECT_EQ(0, exit_code(middle));
    siginfo_t info{};
    EXPECT_EQ(SIGCHLD, await_signal({SIGCHLD, SIGUSR1}));
    go.post();
    EXPECT_EQ(SIGCHLD, await_signal({SIGCHLD, SIGUSR1}, &info));
    pid_t pid = ids.get<pid_t>();
    EXPECT_EQ(pid, info.si_pid);
    EXPECT_EQ(pid, sys(SYS_wait4, -1, nullptr, 0, nullptr));  // no clone child any more
  });
}

// spec 21 X-18 | exit_group; wait4
TEST(Exit, ZombieOfADeadParentIsHandedOn) {
  expect_in_child([] {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    Pipe ids;
    pid_t middle = spawn([&] {
      pid_t pid = spawn([] { return 8; });
      eventually_state(pid, 'Z');
      ids.put(pid);
    });
    EXPECT_EQ(0, exit_code(middle));
    EXPECT_EQ(8, exit_code(ids.get<pid_t>()));
  });
}

// spec 21 X-17 | prctl PR_SET_PDEATHSIG
TEST(Exit, ParentDeathSignalIsSent) {
  Pipe out, ready, go;
  Child middle([&] {
    spawn([&] {
      sigset_t set = set_of({SIGUSR1});
      sigprocmask(SIG_BLOCK, &set, nullptr);
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      ready.post();
      siginfo_t info{};
      int words[3] = {await_signal({SIGUSR1}, &info), info.si_code, info.si_pid};
      out.put(words);
    });
    ready.await();
  });
  int words[3] = {};
  out.read_all(words, sizeof(words));
  EXPECT_EQ(SIGUSR1, words[0]);
  EXPECT_EQ(SI_USER, words[1]);
  EXPECT_EQ(middle.pid(), words[2]);
  EXPECT_EQ(0, middle.exit_code());
}

// spec 21 X-17 | prctl PR_SET_PDEATHSIG
TEST(Exit, ParentDeathSignalArguments) {
  EXPECT_EQ(-EINVAL, sys(SYS_prctl, PR_SET_PDEATHSIG, 65));
  EXPECT_EQ(-EINVAL, sys(SYS_prctl, PR_SET_PDEATHSIG, -1));
  EXPECT_EQ(-EFAULT, sys(SYS_prctl, PR_GET_PDEATHSIG, 8));
}

// spec 21 X-16 | getppid; clone CLONE_THREAD
TEST(Exit, ChildrenOfADyingThreadGoToItsSiblings) {
  expect_in_child([] {
    static Stack s;
    static Pipe* go;
    static std::atomic<int> child;
    Pipe p;
    go = &p;
    child = 0;
    clone_fn([](void*) {
      long pid = raw(SYS_fork);
      if (pid == 0) {
        char c;
        raw(SYS_read, go->r, (long)&c, 1);
        raw(SYS_exit_group, 11);
      }
      child = (int)pid;
      raw(SYS_exit, 0);
      return 0;
    }, nullptr, s, kThread);
    EXPECT_TRUE(eventually([] { return child != 0 && status_field(getpid(), "Threads") == "1"; }));
    EXPECT_EQ(std::to_string(getpid()), stat_field(child, 4));
    p.post();
    EXPECT_EQ(11, exit_code(child));
  });
}

// spec 21 W-5 | wait4 __WNOTHREAD; clone CLONE_THREAD
TEST(Exit, WnothreadSeesOnlyOnesOwnChildren) {
  expect_in_child([] {
    static Stack s;
    static std::atomic<long> result;
    result = 1;
    Child c([] { return 12; });
    clone_fn([](void*) {
      long r = raw(SYS_wait4, -1, 0, __WNOTHREAD | WNOHANG, 0);
      result = r;
      raw(SYS_exit, 0);
      return 0;
    }, nullptr, s, kThread);
    EXPECT_TRUE(eventually([] { return result != 1; }));
    EXPECT_EQ(-ECHILD, result);
    EXPECT_EQ(12, c.exit_code());
  });
}

// spec 21 2 (step 14), X-14 | close; exit_group
TEST(Exit, DescriptorsAreClosedBeforeTheParentIsTold) {
  for (int i = 0; i < 20; i++) {
    Pipe p;
    Child c([&] {});
    p.w.reset();
    EXPECT_EQ(0, c.exit_code());
    pollfd f{p.r, POLLIN, 0};
    EXPECT_EQ(1, poll(&f, 1, 0));
    EXPECT_EQ(POLLHUP, f.revents);
  }
}

// spec 21 8 | kill; /proc/PID
TEST(Exit, ReapedProcessIsGone) {
  Child c([] {});
  EXPECT_EQ(0, c.exit_code());
  EXPECT_FALSE(exists("/proc/" + std::to_string(c.pid())));
  EXPECT_EQ(-ESRCH, sys(SYS_kill, c.pid(), 0));
  EXPECT_EQ(-ESRCH, sys(SYS_getpgid, c.pid()));
}

// spec 21 X-28 | /proc/PID/stat; /proc/PID/status
TEST(Exit, ZombieInProc) {
  Child c([] { return 3; });
  EXPECT_TRUE(eventually_state(c, 'Z'));
  EXPECT_EQ("Z (zombie)", status_field(c, "State"));
  EXPECT_EQ("", read_file("/proc/" + std::to_string(c.pid()) + "/cmdline"));
  EXPECT_EQ("0", stat_field(c, 23));  // vsize
  EXPECT_EQ("", status_field(c, "VmSize"));
  EXPECT_EQ(std::to_string(3 << 8), stat_field(c, 52));  // exit_code
  EXPECT_EQ(3, c.exit_code());
}

// spec 21 X-9 | set_robust_list
TEST(Exit, RobustListLength) {
  long head[3] = {};
  EXPECT_EQ(-EINVAL, sys(SYS_set_robust_list, head, 23));
  EXPECT_EQ(-EINVAL, sys(SYS_set_robust_list, head, 12));
}

// spec 21 X-9 | set_robust_list; exit_group
TEST(Exit, RobustFutexIsMarked) {
  struct Node {
    void* next;
    uint32_t word;
  };
  Shared<Node> node;
  Node* n = &*node;
  pid_t pid = spawn([&] {
    struct {
      void* next;
      long offset;
      void* pending;
    } head{n, offsetof(Node, word), nullptr};
    n->next = &head;
    n->word = (uint32_t)gettid() | 0x80000000u;  // waiters
    EXPECT_EQ(0, sys(SYS_set_robust_list, &head, sizeof(head)));
    sys(SYS_exit_group, 0);
  });
  EXPECT_EQ(0, exit_code(pid));
  EXPECT_EQ(0xc0000000u, n->word);
}

// spec 21 X-9 | set_robust_list
TEST(Exit, RobustFutexOfAnotherOwnerIsLeft) {
  struct Node {
    void* next;
    uint32_t word;
  };
  Shared<Node> node;
  Node* n = &*node;
  EXPECT_EQ(0, exit_code(spawn([&] {
              struct {
                void* next;
                long offset;
                void* pending;
              } head{n, offsetof(Node, word), nullptr};
              n->next = &head;
              n->word = (uint32_t)getppid();
              sys(SYS_set_robust_list, &head, sizeof(head));
              sys(SYS_exit_group, 0);
            })));
  EXPECT_EQ((uint32_t)getpid(), n->word);
}

// spec 21 X-10 | set_tid_address
TEST(Exit, SetTidAddressReturnsTheTid) {
  expect_in_child([] {
    int word;
    EXPECT_EQ(gettid(), sys(SYS_set_tid_address, &word));
    EXPECT_EQ(gettid(), sys(SYS_set_tid_address, (void*)8));  // never checked
    sys(SYS_exit_group, 0);
  });
}

// spec 21 X-13 | exit_group; getrusage RUSAGE_CHILDREN
TEST(Exit, FaultsOfReapedChildrenAdd) {
  expect_in_child([] {
    rusage before, after;
    getrusage(RUSAGE_CHILDREN, &before);
    EXPECT_EQ(0, before.ru_minflt);
    expect_in_child([] {
      auto* m = static_cast<volatile char*>(mmap(nullptr, 50 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      for (int i = 0; i < 50; i++) m[i * 4096] = 1;
    });
    getrusage(RUSAGE_CHILDREN, &after);
    EXPECT_GE(after.ru_minflt, 50);
  });
}

}  // namespace
