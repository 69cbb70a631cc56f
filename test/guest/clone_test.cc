// The older clone: flags in 32 bits with the exit signal in the lowest eight, children on stacks of their own.
// SPDX-License-Identifier: Apache-2.0
#include <linux/futex.h>
#include <sys/prctl.h>

#include <atomic>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

long verdict(uint64_t flags, void* stack = nullptr, int* parent_tid = nullptr, int* child_tid = nullptr, uint64_t tls = 0) {
  fflush(stdout);
  long r = clone_raw(flags, stack, parent_tid, child_tid, tls);
  if (r == 0) _exit(0);
  if (r > 0) wait_status((pid_t)r);
  return r > 0 ? 0 : r;
}

// spec 20 9 | clone
TEST(Clone, UpperHalfOfFlagsIsIgnored) {
  EXPECT_EQ(0, verdict(0xffffffff'00000000ull | SIGCHLD));
  EXPECT_EQ(0, verdict(CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | SIGCHLD));
}

// spec 20 F-31 | clone exit_signal
TEST(Clone, AnyExitSignalNumberIsAccepted) {
  Blocked b{SIGHUP};
  for (int sig : {0, 1, 65, 66, 128, 200, 255}) EXPECT_EQ(0, verdict((uint64_t)sig)) << sig;
  poll_signal({SIGHUP});
}

// spec 20 F-31, spec 21 X-14 | clone exit_signal
TEST(Clone, ExitSignalIsSent) {
  Blocked b{SIGUSR2, SIGCHLD};
  pid_t pid = (pid_t)clone_raw(SIGUSR2);
  if (pid == 0) _exit(4);
  siginfo_t info;
  EXPECT_EQ(SIGUSR2, await_signal({SIGUSR2, SIGCHLD}, &info));
  EXPECT_EQ(CLD_EXITED, info.si_code);
  EXPECT_EQ(4, info.si_status);
  EXPECT_EQ(pid, info.si_pid);
  EXPECT_EQ(4, exit_code(pid));
}

// spec 20 F-20 | clone CLONE_PIDFD CLONE_PARENT_SETTID
TEST(Clone, PidfdAndParentSettidShareAPointer) {
  int word = 0;
  EXPECT_EQ(-EINVAL, verdict(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, nullptr, &word));
}

// spec 20 9 | clone CLONE_PIDFD
TEST(Clone, PidfdIsStoredAtParentTid) {
  int fd = -1;
  pid_t pid = (pid_t)clone_raw(CLONE_PIDFD | SIGCHLD, nullptr, &fd);
  if (pid == 0) _exit(8);
  Fd owned(fd);
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PIDFD, fd, &info, WEXITED));
  EXPECT_EQ(8, info.si_status);
}

// spec 20 F-28 | clone CLONE_PIDFD CLONE_DETACHED
TEST(Clone, DetachedIsIgnoredButNotWithPidfd) {
  int fd = -1;
  EXPECT_EQ(0, verdict(CLONE_DETACHED | SIGCHLD));
  EXPECT_EQ(-EINVAL, verdict(CLONE_DETACHED | CLONE_PIDFD | SIGCHLD, nullptr, &fd));
  EXPECT_EQ(-1, fd);
}

// spec 20 F-21..F-24 | clone CLONE_NEWNS CLONE_NEWUSER CLONE_THREAD CLONE_SIGHAND
TEST(Clone, FlagRules) {
  EXPECT_EQ(-EINVAL, verdict(CLONE_NEWNS | CLONE_FS | SIGCHLD));
  EXPECT_EQ(-EINVAL, verdict(CLONE_NEWUSER | CLONE_FS | SIGCHLD));
  EXPECT_EQ(-EINVAL, verdict(CLONE_THREAD | CLONE_VM));
  EXPECT_EQ(-EINVAL, verdict(CLONE_SIGHAND | SIGCHLD));
}

// spec 20 14 | clone CLONE_SETTLS
TEST(Clone, BadTlsBase) { EXPECT_EQ(-EPERM, verdict(CLONE_SETTLS | SIGCHLD, nullptr, nullptr, nullptr, 1ull << 63)); }

int exits_with(void* arg) { return (int)(long)arg; }

// spec 20 14 | clone stack
TEST(Clone, ChildRunsOnItsStack) {
  Stack s;
  int pid = clone_fn(exits_with, (void*)42, s, SIGCHLD);
  ASSERT_GT(pid, 0);
  EXPECT_EQ(42, exit_code(pid));
}

std::atomic<int> shared_word;
int writes_word(void* arg) {
  shared_word = (int)(long)arg;
  return 0;
}

// spec 20 8, F-80 | clone CLONE_VM
TEST(Clone, VmSharesMemory) {
  Stack s;
  shared_word = 0;
  int pid = clone_fn(writes_word, (void*)9, s, CLONE_VM | SIGCHLD);
  EXPECT_EQ(0, exit_code(pid));
  EXPECT_EQ(9, shared_word);
}

char* mapped_by_child;
int maps_memory(void*) {
  long p = raw(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mapped_by_child = (char*)p;
  *mapped_by_child = 'm';
  return 0;
}

// spec 20 8 | clone CLONE_VM
TEST(Clone, VmSharesMappings) {
  Stack s;
  int pid = clone_fn(maps_memory, nullptr, s, CLONE_VM | SIGCHLD);
  EXPECT_EQ(0, exit_code(pid));
  EXPECT_EQ('m', *mapped_by_child);
  EXPECT_EQ(0, munmap(mapped_by_child, 4096));
}

int ignores_usr1(void*) {
  struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    uint64_t mask;
  } act = {(void*)1, 0, nullptr, 0};
  return (int)-raw(SYS_rt_sigaction, SIGUSR1, (long)&act, 0, 8);
}

// spec 20 12.5 | clone CLONE_SIGHAND CLONE_VM
TEST(Clone, SighandSharesHandlers) {
  Stack s;
  Handler h(SIGUSR1, [](int) {});
  int pid = clone_fn(ignores_usr1, nullptr, s, CLONE_VM | CLONE_SIGHAND | SIGCHLD);
  EXPECT_EQ(0, exit_code(pid));
  struct sigaction sa;
  sigaction(SIGUSR1, nullptr, &sa);
  EXPECT_EQ(SIG_IGN, sa.sa_handler);
}

// spec 20 12.5 | clone CLONE_VM
TEST(Clone, VmWithoutSighandCopiesHandlers) {
  Stack s;
  Handler h(SIGUSR1, [](int) {});
  int pid = clone_fn(ignores_usr1, nullptr, s, CLONE_VM | SIGCHLD);
  EXPECT_EQ(0, exit_code(pid));
  struct sigaction sa;
  sigaction(SIGUSR1, nullptr, &sa);
  EXPECT_NE(SIG_IGN, sa.sa_handler);
}

int blocks_all(void*) {
  uint64_t all = ~0ull;
  return (int)-raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, 0, 8);
}

// spec 20 12.5 | clone CLONE_SIGHAND
TEST(Clone, MaskIsNeverShared) {
  Stack s;
  sigset_t before, after;
  sigprocmask(SIG_SETMASK, nullptr, &before);
  EXPECT_EQ(0, exit_code(clone_fn(blocks_all, nullptr, s, CLONE_VM | CLONE_SIGHAND | SIGCHLD)));
  sigprocmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(0, memcmp(&before, &after, 8));
}

std::atomic<int> altstack_state;
int asks_altstack(void*) {
  stack_t now{};
  raw(SYS_sigaltstack, 0, (long)&now);
  altstack_state = now.ss_flags;
  return 0;
}

// spec 20 S25 | clone CLONE_VM; sigaltstack
TEST(Clone, AlternateStackIsDisabledWithSharedMemory) {
  static char area[32768];
  stack_t ss{}, off{};
  ss.ss_sp = area;
  ss.ss_size = sizeof(area);
  off.ss_flags = SS_DISABLE;
  sigaltstack(&ss, nullptr);
  Stack s;
  EXPECT_EQ(0, exit_code(clone_fn(asks_altstack, nullptr, s, CLONE_VM | SIGCHLD)));
  EXPECT_EQ(SS_DISABLE, altstack_state);
  EXPECT_EQ(0, exit_code(clone_fn(asks_altstack, nullptr, s, CLONE_VM | CLONE_VFORK | SIGCHLD)));
  EXPECT_EQ(0, altstack_state);
  sigaltstack(&off, nullptr);
}

// spec 21 3, X-10 | clone CLONE_CHILD_CLEARTID; futex FUTEX_WAIT
TEST(Clone, CleartidWakesAWaiterInSharedMemory) {
  Stack s;
  static int tid;
  tid = -1;
  int pid = clone_fn(exits_with, (void*)3, s, CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, nullptr, nullptr, &tid);
  ASSERT_GT(pid, 0);
  for (;;) {
    int now = __atomic_load_n(&tid, __ATOMIC_ACQUIRE);
    if (now == 0) break;
    EXPECT_TRUE(now == -1 || now == pid) << now;
    raw(SYS_futex, (long)&tid, FUTEX_WAIT, now, 0, 0, 0);
  }
  EXPECT_EQ(3, exit_code(pid));
}

// spec 20 F-95, F-96 | clone CLONE_VFORK CLONE_VM
TEST(Clone, VforkOnItsOwnStack) {
  Stack s;
  shared_word = 0;
  int pid = clone_fn(writes_word, (void*)5, s, CLONE_VM | CLONE_VFORK | SIGCHLD);
  EXPECT_EQ(5, shared_word);
  EXPECT_EQ(0, exit_code(pid));
}

// spec 21 W-6 | clone exit_signal; wait4 __WCLONE __WALL
TEST(Clone, ChildWithAnotherExitSignalIsACloneChild) {
  pid_t pid = (pid_t)clone_raw(0);
  if (pid == 0) _exit(6);
  int status;
  EXPECT_EQ(-ECHILD, sys(SYS_wait4, pid, &status, 0, 0));
  EXPECT_EQ(-ECHILD, sys(SYS_wait4, -1, &status, WNOHANG, 0));
  EXPECT_EQ(pid, sys(SYS_wait4, -1, &status, __WCLONE, 0));
  EXPECT_EQ(6 << 8, status);
}

// spec 21 W-6 | wait4 __WCLONE
TEST(Clone, WcloneDoesNotSeeOrdinaryChildren) {
  pid_t pid = (pid_t)clone_raw(SIGCHLD);
  if (pid == 0) _exit(6);
  int status;
  EXPECT_EQ(-ECHILD, sys(SYS_wait4, pid, &status, __WCLONE, 0));
  EXPECT_EQ(pid, sys(SYS_wait4, pid, &status, __WALL, 0));
}

// spec 21 X-11 | clone exit_signal; execve
TEST(Clone, ExecMakesTheExitSignalSigchld) {
  Blocked b{SIGUSR2, SIGCHLD};
  int null = open("/dev/null", O_RDONLY);
  pid_t pid = (pid_t)clone_raw(SIGUSR2);
  if (pid == 0) {
    dup2(null, 0);
    const char* argv[] = {"guest", "--read-stdin", nullptr};
    execv("/proc/self/exe", const_cast<char**>(argv));
    _exit(9);
  }
  EXPECT_EQ(SIGCHLD, await_signal({SIGUSR2, SIGCHLD}));
  int status;
  EXPECT_EQ(pid, sys(SYS_wait4, -1, &status, 0, 0));  // no clone child any more
  EXPECT_EQ(0, status);
  close(null);
}

// spec 20 F-64 | clone CLONE_NEWUTS CLONE_NEWNS CLONE_NEWIPC CLONE_NEWPID CLONE_NEWNET CLONE_NEWCGROUP
TEST(Clone, NamespacesNeedACapability) {
  NEED_CAPABILITY(kCapSetuid);
  std::vector<uint64_t> kinds;
  for (uint64_t flag : {CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWCGROUP})
    if (has_namespace((int)flag)) kinds.push_back(flag);
  if (kinds.empty()) GTEST_SKIP() << "there are no namespaces";
  expect_in_child([&] {
    become_user();
    for (uint64_t flag : kinds)
      EXPECT_EQ(-EPERM, verdict(flag | SIGCHLD)) << std::hex << flag;
  });
}

// spec 20 F-62 | clone; prlimit64 RLIMIT_NPROC
TEST(Clone, ProcessLimitCountsTheChild) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    become_user(54321, 54321);
    rlimit r{3, 3};
    EXPECT_EQ(0, setrlimit(RLIMIT_NPROC, &r));
    Pipe p;
    Child a([&] { p.await(); });
    Child b([&] { p.await(); });
    EXPECT_GT(a.pid(), 0);
    EXPECT_GT(b.pid(), 0);
    EXPECT_EQ(-EAGAIN, verdict(SIGCHLD));
    p.post();
    EXPECT_EQ(0, wait_status(-1));
    EXPECT_EQ(0, verdict(SIGCHLD));  // room again
    p.post();
    EXPECT_EQ(0, wait_status(-1));
    a.forget();
    b.forget();
  });
}

// spec 20 F-62 | clone; prlimit64 RLIMIT_NPROC
TEST(Clone, ProcessLimitDoesNotBindRoot) {
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([] {
    rlimit r{0, 0};
    EXPECT_EQ(0, setrlimit(RLIMIT_NPROC, &r));
    EXPECT_EQ(0, verdict(SIGCHLD));
  });
}

}  // namespace
