// clone3: its argument block, its checks and their order, and what each flag does.
// SPDX-License-Identifier: Apache-2.0
#include <sys/prctl.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

/// The verdict of a clone3 that makes no child, or 0; a child made all the same exits at once and is reaped.
long verdict(const CloneArgs& args, size_t size = sizeof(CloneArgs)) {
  fflush(stdout);
  long r = clone3(args, size);
  if (r == 0) _exit(0);
  if (r > 0) {
    wait_status((pid_t)r);
    return 0;
  }
  return r;
}

/// The same with an argument block of bytes.
long verdict_of_bytes(const void* p, size_t size) {
  fflush(stdout);
  long r = sys(SYS_clone3, p, size);
  if (r == 0) _exit(0);
  if (r > 0) wait_status((pid_t)r);
  return r > 0 ? 0 : r;
}

CloneArgs with(uint64_t flags, uint64_t exit_signal = SIGCHLD) {
  CloneArgs a;
  a.flags = flags;
  a.exit_signal = exit_signal;
  return a;
}

/// A page at the end of which memory ends.
class Edge {
 public:
  Edge() : base_(static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    mprotect(base_ + 4096, 4096, PROT_NONE);
  }
  ~Edge() { munmap(base_, 8192); }
  char* end() const { return base_ + 4096; }

 private:
  char* base_;
};

// spec 20 F-1, F-2 | clone3
TEST(Clone3, SizeIsCheckedBeforeThePointer) {
  void* bad = reinterpret_cast<void*>(8);
  EXPECT_EQ(-EINVAL, sys(SYS_clone3, bad, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_clone3, bad, 63));
  EXPECT_EQ(-E2BIG, sys(SYS_clone3, bad, 4097));
  EXPECT_EQ(-E2BIG, sys(SYS_clone3, bad, ~0ul));
  EXPECT_EQ(-EFAULT, sys(SYS_clone3, bad, 64));
  EXPECT_EQ(-EFAULT, sys(SYS_clone3, bad, 4096));
}

// spec 20 F-2 | clone3
TEST(Clone3, FirstVersionsSizeWorks) {
  CloneArgs a = with(0);
  a.set_tid = 1;  // not looked at
  a.cgroup = ~0ul;
  EXPECT_EQ(0, verdict(a, 64));
}

// spec 20 F-3 | clone3
TEST(Clone3, SizesInsideAFieldAreLegal) {
  for (size_t size : {65, 71, 72, 79, 80, 81, 87, 88}) EXPECT_EQ(0, verdict(with(0), size)) << size;
}

// spec 20 F-3, F-6 | clone3
TEST(Clone3, PartOfAFieldCounts) {
  CloneArgs a = with(0);
  a.set_tid = 0x100;                       // its second byte
  EXPECT_EQ(0, verdict(a, 65));            // not within
  EXPECT_EQ(-EINVAL, verdict(a, 66));      // set_tid without a size
  a.set_tid = 0;
  a.set_tid_size = 1;
  EXPECT_EQ(0, verdict(a, 72));
  EXPECT_EQ(-EINVAL, verdict(a, 73));
}

// spec 20 F-3 | clone3
TEST(Clone3, ZeroTailIsFine) {
  char block[4096] = {};
  CloneArgs a = with(0);
  memcpy(block, &a, sizeof(a));
  for (size_t size : {89, 96, 128, 200, 4096}) EXPECT_EQ(0, verdict_of_bytes(block, size)) << size;
}

// spec 20 F-3 | clone3
TEST(Clone3, NonZeroTailIsE2big) {
  for (size_t at : {88, 95, 100, 199, 4095}) {
    char block[4096] = {};
    CloneArgs a = with(0);
    memcpy(block, &a, sizeof(a));
    block[at] = 1;
    EXPECT_EQ(-E2BIG, verdict_of_bytes(block, at + 1)) << at;
    EXPECT_EQ(0, verdict_of_bytes(block, at)) << at;
  }
}

// spec 20 F-3, F-4 | clone3
TEST(Clone3, BlockThatEndsAtUnreadableMemory) {
  Edge e;
  CloneArgs a = with(0);
  memcpy(e.end() - 88, &a, 88);
  EXPECT_EQ(0, verdict_of_bytes(e.end() - 88, 88));
  EXPECT_EQ(-EFAULT, verdict_of_bytes(e.end() - 88, 89));
  memcpy(e.end() - 64, &a, 64);
  EXPECT_EQ(0, verdict_of_bytes(e.end() - 64, 64));
  EXPECT_EQ(-EFAULT, verdict_of_bytes(e.end() - 64, 72));
}

// spec 20 F-3 | clone3
TEST(Clone3, TailIsCheckedUpToTheFault) {
  // A non-zero byte found before the unreadable part decides.
  Edge e;
  memset(e.end() - 96, 0, 96);
  CloneArgs a = with(0);
  memcpy(e.end() - 96, &a, 88);
  e.end()[-1] = 1;
  EXPECT_EQ(-E2BIG, verdict_of_bytes(e.end() - 96, 96));
  EXPECT_EQ(-E2BIG, verdict_of_bytes(e.end() - 96, 104));
  e.end()[-1] = 0;
  EXPECT_EQ(-EFAULT, verdict_of_bytes(e.end() - 96, 104));
}

// spec 20 F-5 | clone3 set_tid
TEST(Clone3, SetTidHasAtMost32Levels) {
  pid_t tids[40] = {};
  CloneArgs a = with(0);
  a.set_tid = address(tids);
  a.set_tid_size = 33;
  EXPECT_EQ(-EINVAL, verdict(a));
  a.set_tid_size = ~0ul;
  EXPECT_EQ(-EINVAL, verdict(a));
}

// spec 20 F-6 | clone3 set_tid
TEST(Clone3, SetTidNeedsBothPointerAndSize) {
  pid_t tid = 0;
  CloneArgs a = with(0);
  a.set_tid_size = 1;
  EXPECT_EQ(-EINVAL, verdict(a));
  a.set_tid_size = 0;
  a.set_tid = address(&tid);
  EXPECT_EQ(-EINVAL, verdict(a));
}

// spec 20 F-66 | clone3 set_tid
TEST(Clone3, SetTidMoreLevelsThanThereAre) {
  pid_t tids[32];
  for (auto& t : tids) t = 40000;
  CloneArgs a = with(0);
  a.set_tid = address(tids);
  a.set_tid_size = 32;
  EXPECT_EQ(-EINVAL, verdict(a));
}

// spec 20 F-67 | clone3 set_tid
TEST(Clone3, SetTidOutOfRange) {
  NEED_CAPABILITY(kCapSysAdmin);
  int pid_max = atoi(read_file("/proc/sys/kernel/pid_max").c_str());
  for (pid_t tid : {0, -1, INT32_MIN, pid_max, pid_max + 1, INT32_MAX}) {
    CloneArgs a = with(0);
    a.set_tid = address(&tid);
    a.set_tid_size = 1;
    EXPECT_EQ(-EINVAL, verdict(a)) << tid;
  }
}

// spec 20 F-70 | clone3 set_tid
TEST(Clone3, SetTidTaken) {
  NEED_CAPABILITY(kCapSysAdmin);
  pid_t tid = getpid();
  CloneArgs a = with(0);
  a.set_tid = address(&tid);
  a.set_tid_size = 1;
  EXPECT_EQ(-EEXIST, verdict(a));
}

// spec 20 F-67, F-70 | clone3 set_tid
TEST(Clone3, SetTidGivesTheNumber) {
  NEED_CAPABILITY(kCapSysAdmin);
  pid_t tid = atoi(read_file("/proc/sys/kernel/pid_max").c_str()) - 17;
  while (exists("/proc/" + std::to_string(tid))) tid--;
  CloneArgs a = with(0);
  a.set_tid = address(&tid);
  a.set_tid_size = 1;
  pid_t pid = spawn3(a, [&] { EXPECT_EQ(tid, getpid()); });
  EXPECT_EQ(tid, pid);
  EXPECT_EQ(-EEXIST, verdict(a));
  EXPECT_EQ(0, exit_code(pid));
  EXPECT_EQ(0, verdict(a));  // free again
}

// spec 20 F-69 | clone3 set_tid
TEST(Clone3, SetTidNeedsACapability) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([&] {
    become_user();
    pid_t tid = 30011;
    CloneArgs a = with(0);
    a.set_tid = address(&tid);
    a.set_tid_size = 1;
    EXPECT_EQ(-EPERM, verdict(a));
    tid = 0;  // the range is looked at first
    EXPECT_EQ(-EINVAL, verdict(a));
    tid = getpid();  // but not whether it is taken
    EXPECT_EQ(-EPERM, verdict(a));
  });
}

// spec 20 F-9 | clone3 set_tid
TEST(Clone3, SetTidUnreadable) {
  CloneArgs a = with(0);
  a.set_tid = 8;
  a.set_tid_size = 1;
  EXPECT_EQ(-EFAULT, verdict(a));
  a.set_tid = 0xffff'8000'0000'0000;
  EXPECT_EQ(-EFAULT, verdict(a));
}

// spec 20 F-9, F-10 | clone3 set_tid
TEST(Clone3, UnreadableSetTidComesBeforeBadFlags) {
  CloneArgs a = with(1ull << 40);
  EXPECT_EQ(-EINVAL, verdict(a));
  a.set_tid = 8;
  a.set_tid_size = 1;
  EXPECT_EQ(-EFAULT, verdict(a));
}

// spec 20 F-7 | clone3 exit_signal
TEST(Clone3, ExitSignalRange) {
  for (uint64_t sig : {65ull, 255ull, 256ull, 1ull << 32, (1ull << 32) | SIGCHLD, ~0ull}) EXPECT_EQ(-EINVAL, verdict(with(0, sig))) << sig;
  for (uint64_t sig : {0, 1, 17, 34, 64}) {
    Blocked b{SIGHUP, SIGCHLD, 34, 64};
    EXPECT_EQ(0, verdict(with(0, sig))) << sig;
    while (poll_signal({SIGHUP, SIGCHLD, 34, 64}) > 0) {
    }
  }
}

// spec 20 F-10 | clone3
TEST(Clone3, UnknownFlags) {
  for (int bit = 34; bit < 64; bit++) EXPECT_EQ(-EINVAL, verdict(with(1ull << bit))) << bit;
}

// spec 20 F-11 | clone3 CLONE_DETACHED
TEST(Clone3, DetachedAndSignalBitsAreRefused) {
  EXPECT_EQ(-EINVAL, verdict(with(CLONE_DETACHED)));
  for (int bit = 0; bit < 7; bit++) EXPECT_EQ(-EINVAL, verdict(with(1ull << bit))) << bit;
  EXPECT_EQ(-EINVAL, verdict(with(SIGCHLD)));
}

// spec 20 F-12 | clone3 CLONE_CLEAR_SIGHAND CLONE_SIGHAND
TEST(Clone3, SharedHandlersCannotBeCleared) {
  EXPECT_EQ(-EINVAL, verdict(with(CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND)));
}

// spec 20 F-13 | clone3 CLONE_THREAD CLONE_PARENT
TEST(Clone3, ThreadsAndSiblingsHaveNoExitSignal) {
  EXPECT_EQ(-EINVAL, verdict(with(CLONE_PARENT)));
  EXPECT_EQ(-EINVAL, verdict(with(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)));
}

// spec 20 F-14 | clone3 stack
TEST(Clone3, StackAndSizeGoTogether) {
  Stack s;
  CloneArgs a = with(0);
  a.stack = address(s.base());
  EXPECT_EQ(-EINVAL, verdict(a));
  a.stack = 0;
  a.stack_size = 4096;
  EXPECT_EQ(-EINVAL, verdict(a));
}

// spec 20 F-14 | clone3 stack
TEST(Clone3, StackMustBeAUserRange) {
  CloneArgs a = with(0);
  a.stack = 0xffff'8000'0000'0000;
  a.stack_size = 4096;
  EXPECT_EQ(-EINVAL, verdict(a));
  a.stack = 0x7fff'ffff'0000;
  a.stack_size = 0x1'0000'0000;
  EXPECT_EQ(-EINVAL, verdict(a));
  a.stack = 4096;
  a.stack_size = ~0ull;
  EXPECT_EQ(-EINVAL, verdict(a));
}

// spec 20 F-14 | clone3 stack
TEST(Clone3, StackPointerIsBasePlusSize) {
  Stack s;
  Shared<volatile uint64_t> seen;
  CloneArgs a = with(0);
  a.stack = address(s.base());
  a.stack_size = Stack::kSize - 24;
  long pid;
  uint64_t* out = (uint64_t*)&*seen;
  asm volatile("syscall\n test %%rax, %%rax\n jnz 1f\n mov %%rsp, (%[out])\n mov $60, %%eax\n xor %%edi, %%edi\n syscall\n1:\n"
               : "=a"(pid)
               : "a"(SYS_clone3), "D"(&a), "S"(sizeof(a)), [out] "r"(out)
               : "rcx", "r11", "memory");
  ASSERT_GT(pid, 0);
  EXPECT_EQ(0, exit_code((pid_t)pid));
  EXPECT_EQ(address(s.top()) - 24, *seen);  // no alignment is asked for: spec 20 F-32
}

// spec 20 F-21 | clone3 CLONE_NEWNS CLONE_FS
TEST(Clone3, NewMountNamespaceNeedsItsOwnFs) { EXPECT_EQ(-EINVAL, verdict(with(CLONE_NEWNS | CLONE_FS))); }

// spec 20 F-22 | clone3 CLONE_NEWUSER CLONE_FS
TEST(Clone3, NewUserNamespaceNeedsItsOwnFs) { EXPECT_EQ(-EINVAL, verdict(with(CLONE_NEWUSER | CLONE_FS))); }

// spec 20 F-23 | clone3 CLONE_THREAD
TEST(Clone3, ThreadNeedsSharedHandlers) { EXPECT_EQ(-EINVAL, verdict(with(CLONE_THREAD | CLONE_VM, 0))); }

// spec 20 F-24 | clone3 CLONE_SIGHAND
TEST(Clone3, SharedHandlersNeedSharedMemory) { EXPECT_EQ(-EINVAL, verdict(with(CLONE_SIGHAND))); }

// spec 20 F-26 | clone3 CLONE_THREAD CLONE_NEWPID CLONE_NEWUSER
TEST(Clone3, ThreadsStayInTheirPidAndUserNamespace) {
  EXPECT_EQ(-EINVAL, verdict(with(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWPID, 0)));
  EXPECT_EQ(-EINVAL, verdict(with(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER, 0)));
}

// spec 20 F-28 | clone3 CLONE_PIDFD CLONE_THREAD
TEST(Clone3, NoPidfdOfAThread) {
  SKIP_FROM(6, 9, "a pidfd may be of a thread");
  int fd = -7;
  CloneArgs a = with(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_PIDFD, 0);
  a.pidfd = address(&fd);
  EXPECT_EQ(-EINVAL, verdict(a));
  EXPECT_EQ(-7, fd);
}

// spec 20 F-20 | clone3 CLONE_PIDFD CLONE_PARENT_SETTID
TEST(Clone3, PidfdAndTidNeedDifferentPlaces) {
  int word = 0;
  CloneArgs a = with(CLONE_PIDFD | CLONE_PARENT_SETTID);
  a.pidfd = a.parent_tid = address(&word);
  EXPECT_EQ(-EINVAL, verdict(a));
}

// spec 20 F-29 | clone3 CLONE_NEWIPC CLONE_SYSVSEM
TEST(Clone3, NewIpcNamespaceNeedsItsOwnUndoList) {
  NEED_CAPABILITY(kCapSysAdmin);
  EXPECT_EQ(-EINVAL, verdict(with(CLONE_NEWIPC | CLONE_SYSVSEM)));
}

// spec 20 F-64 | clone3 CLONE_NEWUTS CLONE_NEWPID CLONE_NEWNS CLONE_NEWIPC CLONE_NEWNET CLONE_NEWCGROUP CLONE_NEWTIME
TEST(Clone3, NamespacesNeedACapability) {
  NEED_CAPABILITY(kCapSetuid);
  std::vector<uint64_t> kinds;
  for (uint64_t flag : {CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWTIME})
    if (has_namespace((int)flag)) kinds.push_back(flag);
  if (kinds.empty()) GTEST_SKIP() << "there are no namespaces";
  expect_in_child([&] {
    become_user();
    for (uint64_t flag : kinds)
      EXPECT_EQ(-EPERM, verdict(with(flag))) << std::hex << flag;
  });
}

// spec 20 F-8 | clone3 CLONE_INTO_CGROUP
TEST(Clone3, CgroupDescriptorRange) {
  CloneArgs a = with(CLONE_INTO_CGROUP);
  a.cgroup = 1ull << 31;
  EXPECT_EQ(-EINVAL, verdict(a));
  a.cgroup = ~0ull;
  EXPECT_EQ(-EINVAL, verdict(a));
  a.cgroup = 0;
  EXPECT_EQ(-EINVAL, verdict(a, 80));
  EXPECT_EQ(-EINVAL, verdict(a, 87));
}

// spec 20 12.10 | clone3 CLONE_INTO_CGROUP
TEST(Clone3, CgroupMustBeACgroupDirectory) {
  CloneArgs a = with(CLONE_INTO_CGROUP);
  a.cgroup = 987;
  EXPECT_EQ(-EBADF, verdict(a));
  Fd null(open("/dev/null", O_RDONLY)), proc(open("/proc", O_RDONLY));
  a.cgroup = (uint64_t)(int)null;
  EXPECT_EQ(-EBADF, verdict(a));
  a.cgroup = (uint64_t)(int)proc;
  EXPECT_EQ(-EBADF, verdict(a));
}

// spec 20 12.10 | clone3
TEST(Clone3, CgroupIsNotLookedAtWithoutTheFlag) {
  CloneArgs a = with(0);
  a.cgroup = ~0ull;
  EXPECT_EQ(0, verdict(a));
}

// spec 20 F-120 | clone3 CLONE_PIDFD
TEST(Clone3, PidfdRefersToTheChild) {
  int fd = -1;
  CloneArgs a = with(CLONE_PIDFD);
  a.pidfd = address(&fd);
  pid_t pid = spawn3(a, [] { return 21; });
  ASSERT_GT(pid, 0);
  Fd owned(fd);
  EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PIDFD, fd, &info, WEXITED));
  EXPECT_EQ(pid, info.si_pid);
  EXPECT_EQ(21, info.si_status);
}

// spec 20 S24 | clone3 CLONE_PIDFD
TEST(Clone3, ChildDoesNotHaveThePidfd) {
  int fd = -1;
  CloneArgs a = with(CLONE_PIDFD);
  a.pidfd = address(&fd);
  int next = open("/dev/null", O_RDONLY);
  close(next);
  pid_t pid = spawn3(a, [&] { EXPECT_EQ(-1, fcntl(next, F_GETFD)); });
  EXPECT_EQ(next, fd);  // the lowest free number
  Fd owned(fd);
  EXPECT_EQ(0, exit_code(pid));
}

// spec 20 S24 | clone3 CLONE_PIDFD
TEST(Clone3, UnwritablePidfdFailsAndLeavesNothing) {
  CloneArgs a = with(CLONE_PIDFD);
  a.pidfd = 8;
  int fds = count_entries("/proc/self/fd");
  EXPECT_EQ(-EFAULT, verdict(a));
  EXPECT_EQ(fds, count_entries("/proc/self/fd"));
  siginfo_t info;
  EXPECT_EQ(-ECHILD, waitid_raw(P_ALL, 0, &info, WEXITED | __WALL));
}

// spec 20 S24 | clone3 CLONE_PIDFD
TEST(Clone3, NoFreeDescriptorForThePidfd) {
  expect_in_child([] {
    rlimit r{3, 3};
    for (int fd = 3; fd < 20; fd++) close(fd);
    EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
    int fd = -1;
    CloneArgs a = with(CLONE_PIDFD);
    a.pidfd = address(&fd);
    EXPECT_EQ(-EMFILE, verdict(a));
    EXPECT_EQ(-1, fd);
    EXPECT_EQ(0, verdict(with(0)));
  });
}

// spec 20 10 (step 5) | clone3 CLONE_PARENT_SETTID
TEST(Clone3, ParentSettidStoresInTheParentOnly) {
  static volatile int tid;
  tid = -1;
  CloneArgs a = with(CLONE_PARENT_SETTID);
  a.parent_tid = address(&tid);
  // The store happens after memory was copied.
  pid_t pid = spawn3(a, [] { EXPECT_EQ(-1, tid); });
  EXPECT_EQ(pid, tid);
  EXPECT_EQ(0, exit_code(pid));
}

// spec 20 10 (step 5) | clone3 CLONE_PARENT_SETTID
TEST(Clone3, ParentSettidFaultIsIgnored) {
  CloneArgs a = with(CLONE_PARENT_SETTID);
  a.parent_tid = 8;
  EXPECT_EQ(0, verdict(a));
}

// spec 20 F-101 | clone3 CLONE_CHILD_SETTID
TEST(Clone3, ChildSettidStoresInTheChildOnly) {
  static volatile int tid;
  tid = -1;
  CloneArgs a = with(CLONE_CHILD_SETTID);
  a.child_tid = address(&tid);
  pid_t pid = spawn3(a, [] { EXPECT_EQ(getpid(), tid); });
  EXPECT_EQ(0, exit_code(pid));
  EXPECT_EQ(-1, tid);
}

// spec 20 F-101 | clone3 CLONE_CHILD_SETTID
TEST(Clone3, ChildSettidFaultIsIgnored) {
  CloneArgs a = with(CLONE_CHILD_SETTID);
  a.child_tid = 8;
  EXPECT_EQ(0, verdict(a));
}

// spec 21 X-10 | clone3 CLONE_CHILD_CLEARTID
TEST(Clone3, ChildCleartidNeedsAnObserver) {
  // The last user of an address space writes nothing, even to shared memory.
  Shared<volatile int> word;
  *word = 77;
  CloneArgs a = with(CLONE_CHILD_CLEARTID);
  a.child_tid = address(&*word);
  EXPECT_EQ(0, verdict(a));
  EXPECT_EQ(77, *word);
}

// spec 20 12.5 | clone3 CLONE_CLEAR_SIGHAND
TEST(Clone3, ClearSighandResetsCaughtSignals) {
  Handler h(SIGUSR1, [](int) {}, SA_RESTART);
  Handler ignored(SIGUSR2, SIG_IGN);
  pid_t pid = spawn3(with(CLONE_CLEAR_SIGHAND), [] {
    struct sigaction sa;
    EXPECT_EQ(0, sigaction(SIGUSR1, nullptr, &sa));
    EXPECT_EQ(SIG_DFL, sa.sa_handler);
    EXPECT_EQ(0, sa.sa_flags & SA_RESTART);
    EXPECT_EQ(0, sigaction(SIGUSR2, nullptr, &sa));
    EXPECT_EQ(SIG_IGN, sa.sa_handler);
  });
  EXPECT_EQ(0, exit_code(pid));
  struct sigaction sa;
  sigaction(SIGUSR1, nullptr, &sa);
  EXPECT_NE(SIG_DFL, sa.sa_handler);
}

// spec 20 14 | clone3 CLONE_SETTLS
TEST(Clone3, TlsBaseMustBeAUserAddress) {
  CloneArgs a = with(CLONE_SETTLS);
  a.tls = 0x0000'8000'0000'0000;
  EXPECT_EQ(-EPERM, verdict(a));
  a.tls = ~0ull;
  EXPECT_EQ(-EPERM, verdict(a));
}

// spec 20 14 | clone3 CLONE_SETTLS
TEST(Clone3, TlsBaseIsSet) {
  static uint64_t area[4] = {0x1122334455667788};
  Shared<volatile uint64_t> seen;
  CloneArgs a = with(CLONE_SETTLS);
  a.tls = address(area);
  long pid;
  asm volatile("syscall\n test %%rax, %%rax\n jnz 1f\n mov %%fs:0, %%rax\n mov %%rax, (%[out])\n"
               "mov $60, %%eax\n xor %%edi, %%edi\n syscall\n1:\n"
               : "=a"(pid)
               : "a"(SYS_clone3), "D"(&a), "S"(sizeof(a)), [out] "r"((uint64_t*)&*seen)
               : "rcx", "r11", "memory");
  ASSERT_GT(pid, 0);
  EXPECT_EQ(0, exit_code((pid_t)pid));
  EXPECT_EQ(area[0], *seen);
}

// spec 20 F-91 | clone3 CLONE_PARENT
TEST(Clone3, ParentMakesASibling) {
  // The child of our child is ours, with our child's exit signal.
  Pipe p;
  Child c([&] {
    pid_t pid = spawn3(with(CLONE_PARENT, 0), [] { return 33; });
    p.put(pid);
    siginfo_t info;
    EXPECT_EQ(-ECHILD, waitid_raw(P_ALL, 0, &info, WEXITED | __WALL));
  });
  pid_t sibling = p.get<pid_t>();
  ASSERT_GT(sibling, 0);
  EXPECT_EQ(0, c.exit_code());
  EXPECT_EQ(33, exit_code(sibling));
}

// spec 20 F-91, spec 21 W-6 | clone3 CLONE_PARENT exit_signal
TEST(Clone3, SiblingHasTheCallersExitSignal) {
  Pipe p;
  Blocked b{SIGUSR1};
  pid_t first = spawn3(with(0, SIGUSR1), [&] {
    pid_t pid = spawn3(with(CLONE_PARENT, 0), [] { return 0; });
    p.put(pid);
    pause();
  });
  pid_t sibling = p.get<pid_t>();
  siginfo_t info;
  EXPECT_EQ(SIGUSR1, await_signal({SIGUSR1}, &info));
  EXPECT_EQ(sibling, info.si_pid);
  EXPECT_EQ(CLD_EXITED, info.si_code);
  EXPECT_EQ(0, exit_code(sibling));
  kill(first, SIGKILL);
  EXPECT_EQ(kSignal + SIGKILL, exit_code(first));
  EXPECT_EQ(SIGUSR1, await_signal({SIGUSR1}));
}

// spec 20 F-25 | clone3 CLONE_PARENT
TEST(Clone3, InitCannotMakeSiblings) {
  // pid 1 of a namespace of its own.
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  fflush(stdout);
  long pid = clone3(with(CLONE_NEWPID));
  if (pid == 0) child_exit(verdict(with(CLONE_PARENT, 0)) == -EINVAL ? 0 : 1);
  EXPECT_EQ(0, exit_code((pid_t)pid));
}

// spec 20 12.4 | clone3 CLONE_FILES
TEST(Clone3, FilesShareTheTable) {
  int fd = open("/dev/null", O_RDONLY);
  pid_t pid = spawn3(with(CLONE_FILES), [&] {
    EXPECT_EQ(0, close(fd));
    EXPECT_EQ(1, dup2(1, 60) == 60);
  });
  EXPECT_EQ(0, exit_code(pid));
  EXPECT_EQ(-1, fcntl(fd, F_GETFD));
  EXPECT_EQ(0, fcntl(60, F_GETFD));
  close(60);
}

// spec 20 12.4 | clone3 CLONE_FS
TEST(Clone3, FsSharesDirectoryAndUmask) {
  expect_in_child([] {
    pid_t pid = spawn3(with(CLONE_FS), [] {
      EXPECT_EQ(0, chdir("/proc"));
      umask(0123);
    });
    EXPECT_EQ(0, exit_code(pid));
    char cwd[100] = {};
    EXPECT_TRUE(getcwd(cwd, sizeof(cwd)));
    EXPECT_STREQ("/proc", cwd);
    EXPECT_EQ(0123u, umask(022));
  });
}

// spec 20 18 | clone3 CLONE_IO CLONE_UNTRACED CLONE_SYSVSEM
TEST(Clone3, HarmlessFlagsAreAccepted) {
  for (uint64_t flag : {(uint64_t)CLONE_IO, (uint64_t)CLONE_UNTRACED, (uint64_t)CLONE_SYSVSEM, (uint64_t)CLONE_PTRACE})
    EXPECT_EQ(0, verdict(with(flag))) << std::hex << flag;
}

// spec 20 F-97 | clone3 CLONE_VFORK
TEST(Clone3, VforkWithoutVmWaitsToo) {
  Shared<volatile int> done;
  pid_t pid = spawn3(with(CLONE_VFORK), [&] {
    usleep(20000);
    *done = 1;
  });
  EXPECT_EQ(1, *done);
  EXPECT_EQ(0, exit_code(pid));
}

}  // namespace
