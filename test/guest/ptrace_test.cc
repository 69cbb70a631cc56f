// ptrace: attaching, stops, registers and memory, events of fork, clone, exec and exit.
// SPDX-License-Identifier: Apache-2.0
#include <sys/ptrace.h>
#include <sys/user.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

long pt(long request, pid_t pid, unsigned long addr = 0, unsigned long data = 0) { return sys(SYS_ptrace, request, pid, addr, data); }

/// Skips where ptrace is not there at all.
#define NEED_PTRACE()                                                                      \
  do {                                                                                     \
    if (in_child([] { return pt(PTRACE_TRACEME, 0) == 0 ? 0 : 1; }) != 0) GTEST_SKIP() << "there is no ptrace"; \
  } while (0)

/// A child that asked to be traced and stopped itself.
pid_t traced(int (*then)()) {
  pid_t pid = spawn([=] {
    pt(PTRACE_TRACEME, 0);
    raise(SIGSTOP);
    return then();
  });
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, wait_status(pid));
  return pid;
}
int zero() { return 0; }

// spec 20 17 | ptrace PTRACE_TRACEME
TEST(Ptrace, TracemeTwiceIsRefused) {
  NEED_PTRACE();
  expect_in_child([] {
    EXPECT_EQ(0, pt(PTRACE_TRACEME, 0));
    EXPECT_EQ(-EPERM, pt(PTRACE_TRACEME, 0));
  });
}

// spec 21 W-17 | ptrace PTRACE_TRACEME PTRACE_CONT; wait4
TEST(Ptrace, SignalStopAndSuppression) {
  NEED_PTRACE();
  Child c(traced([] {
    raise(SIGTERM);
    return 5;
  }));
  EXPECT_EQ(0, pt(PTRACE_CONT, c));
  EXPECT_EQ(SIGTERM << 8 | 0x7f, c.wait());  // no WUNTRACED needed
  EXPECT_EQ('t', state_of(c));
  EXPECT_EQ(0, pt(PTRACE_CONT, c));  // without the signal
  EXPECT_EQ(5, c.exit_code());
}

// spec 21 17 (step 8) | ptrace PTRACE_CONT
TEST(Ptrace, SignalCanBeReplaced) {
  NEED_PTRACE();
  Child c(traced([] {
    raise(SIGUSR1);
    return 5;
  }));
  pt(PTRACE_CONT, c);
  EXPECT_EQ(SIGUSR1 << 8 | 0x7f, c.wait());
  EXPECT_EQ(0, pt(PTRACE_CONT, c, 0, SIGTERM));
  EXPECT_EQ(kSignal + SIGTERM, c.exit_code());
}

// spec 21 S-14 | ptrace; kill
TEST(Ptrace, IgnoredSignalsAreSeenToo) {
  NEED_PTRACE();
  Child c(traced([] {
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    return 6;
  }));
  pt(PTRACE_CONT, c);
  EXPECT_EQ(SIGUSR1 << 8 | 0x7f, c.wait());
  pt(PTRACE_CONT, c, 0, SIGUSR1);
  EXPECT_EQ(6, c.exit_code());
}

// spec 21 W-17 | ptrace PTRACE_SYSCALL PTRACE_O_TRACESYSGOOD
TEST(Ptrace, SyscallStops) {
  NEED_PTRACE();
  Child c(traced([] {
    sys(SYS_getppid);
    return 0;
  }));
  EXPECT_EQ(0, pt(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACESYSGOOD));
  user_regs_struct regs{};
  bool seen = false;
  for (int i = 0; i < 40 && !seen; i++) {
    pt(PTRACE_SYSCALL, c);
    int status = c.wait();
    if (status != ((SIGTRAP | 0x80) << 8 | 0x7f)) break;
    EXPECT_EQ(0, pt(PTRACE_GETREGS, c, 0, (unsigned long)&regs));
    seen = regs.orig_rax == SYS_getppid && (long)regs.rax == -ENOSYS;
  }
  ASSERT_TRUE(seen);
  pt(PTRACE_SYSCALL, c);  // its exit
  EXPECT_EQ((SIGTRAP | 0x80) << 8 | 0x7f, c.wait());
  EXPECT_EQ(0, pt(PTRACE_GETREGS, c, 0, (unsigned long)&regs));
  EXPECT_EQ((unsigned long)getpid(), regs.rax);
  pt(PTRACE_CONT, c);
  EXPECT_EQ(0, c.exit_code());
}

// spec 20 2.3 | ptrace PTRACE_PEEKDATA PTRACE_POKEDATA
TEST(Ptrace, MemoryIsReadAndWritten) {
  NEED_PTRACE();
  static volatile long word = 0x1234567890;
  Child c(traced([] { return word == 77 ? 0 : 1; }));
  long value = 0;
  EXPECT_EQ(0, pt(PTRACE_PEEKDATA, c, (unsigned long)&word, (unsigned long)&value));
  EXPECT_EQ(0x1234567890, value);
  EXPECT_EQ(-EIO, pt(PTRACE_PEEKDATA, c, 8, (unsigned long)&value));
  EXPECT_EQ(0, pt(PTRACE_POKEDATA, c, (unsigned long)&word, 77));
  EXPECT_EQ(0x1234567890, word);  // ours is apart
  pt(PTRACE_CONT, c);
  EXPECT_EQ(0, c.exit_code());
}

// spec 20 17, F-98, F-99 | ptrace PTRACE_O_TRACEFORK PTRACE_GETEVENTMSG
TEST(Ptrace, ForkEvent) {
  NEED_PTRACE();
  Child c(traced([] { return in_child([] { return 3; }); }));
  EXPECT_EQ(0, pt(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACEFORK));
  pt(PTRACE_CONT, c);
  EXPECT_EQ((SIGTRAP | PTRACE_EVENT_FORK << 8) << 8 | 0x7f, c.wait());
  unsigned long message = 0;
  EXPECT_EQ(0, pt(PTRACE_GETEVENTMSG, c, 0, (unsigned long)&message));
  pid_t child = (pid_t)message;
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, wait_status(child));  // traced as well
  EXPECT_EQ(std::to_string(getpid()), status_field(child, "TracerPid"));
  pt(PTRACE_CONT, child);
  EXPECT_EQ(3 << 8, wait_status(child));
  pt(PTRACE_CONT, c);
  int status = c.wait();
  if (status == (SIGCHLD << 8 | 0x7f)) {
    pt(PTRACE_CONT, c, 0, SIGCHLD);
    status = c.wait();
  }
  EXPECT_EQ(3 << 8, status);
}

// spec 20 17 | ptrace PTRACE_O_TRACEEXIT
TEST(Ptrace, ExitEvent) {
  NEED_PTRACE();
  Child c(traced([] { return 9; }));
  pt(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACEEXIT);
  pt(PTRACE_CONT, c);
  EXPECT_EQ((SIGTRAP | PTRACE_EVENT_EXIT << 8) << 8 | 0x7f, c.wait());
  unsigned long message = 0;
  pt(PTRACE_GETEVENTMSG, c, 0, (unsigned long)&message);
  EXPECT_EQ(9u << 8, message);
  pt(PTRACE_CONT, c);
  EXPECT_EQ(9, c.exit_code());
}

// spec 20 17 | ptrace PTRACE_O_TRACEEXEC; execve
TEST(Ptrace, ExecEventAndTrap) {
  NEED_PTRACE();
  for (bool event : {true, false}) {
    Child c(traced([] {
      int null = open("/dev/null", O_RDONLY);
      dup2(null, 0);
      const char* argv[] = {"guest", "--read-stdin", nullptr};
      execv("/proc/self/exe", const_cast<char**>(argv));
      return 1;
    }));
    if (event) pt(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACEEXEC);
    pt(PTRACE_CONT, c);
    EXPECT_EQ((SIGTRAP | (event ? PTRACE_EVENT_EXEC << 8 : 0)) << 8 | 0x7f, c.wait());
    pt(PTRACE_CONT, c);
    EXPECT_EQ(0, c.exit_code());
  }
}

// spec 21 15 | ptrace PTRACE_ATTACH PTRACE_DETACH
TEST(Ptrace, AttachStopsAndDetachContinues) {
  NEED_PTRACE();
  Pipe go;
  Child c([&] {
    go.await();
    return 4;
  });
  EXPECT_EQ(0, pt(PTRACE_ATTACH, c));
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait());
  EXPECT_EQ(-EPERM, pt(PTRACE_ATTACH, c));
  EXPECT_EQ(std::to_string(getpid()), status_field(c, "TracerPid"));
  EXPECT_EQ(0, pt(PTRACE_DETACH, c));
  EXPECT_EQ("0", status_field(c, "TracerPid"));
  go.post();
  EXPECT_EQ(4, c.exit_code());
}

// spec 21 18 | ptrace PTRACE_SEIZE PTRACE_INTERRUPT
TEST(Ptrace, SeizeDoesNotStop) {
  NEED_PTRACE();
  Child c([] {
    for (;;) pause();
  });
  EXPECT_TRUE(eventually_sleeps(c));
  EXPECT_EQ(0, pt(PTRACE_SEIZE, c, 0, PTRACE_O_EXITKILL));
  EXPECT_EQ('S', state_of(c));
  EXPECT_EQ(0, pt(PTRACE_INTERRUPT, c));
  EXPECT_EQ((SIGTRAP | 128 << 8) << 8 | 0x7f, c.wait());
  EXPECT_EQ(0, pt(PTRACE_CONT, c));
  EXPECT_TRUE(eventually_sleeps(c));
}

// spec 21 X-22, 4 | ptrace PTRACE_O_EXITKILL
TEST(Ptrace, TracersDeathWithExitkill) {
  NEED_PTRACE();
  Child c([] {
    for (;;) pause();
  });
  EXPECT_TRUE(eventually_sleeps(c));
  int code = in_child([&] { return (int)-pt(PTRACE_SEIZE, c, 0, PTRACE_O_EXITKILL); });
  if (code == EPERM) GTEST_SKIP() << "a sibling may not be traced here";
  EXPECT_EQ(0, code);
  EXPECT_EQ(kSignal + SIGKILL, c.exit_code());
}

// spec 21 4 | ptrace; exit_group
TEST(Ptrace, TracersDeathLetsGo) {
  NEED_PTRACE();
  Pipe go;
  Child c([&] {
    go.await();
    return 6;
  });
  EXPECT_TRUE(eventually_sleeps(c));
  int code = in_child([&] { return (int)-pt(PTRACE_SEIZE, c); });
  if (code == EPERM) GTEST_SKIP() << "a sibling may not be traced here";
  EXPECT_EQ("0", status_field(c, "TracerPid"));
  go.post();
  EXPECT_EQ(6, c.exit_code());
}

// spec 21 15 | ptrace
TEST(Ptrace, Errors) {
  NEED_PTRACE();
  EXPECT_EQ(-ESRCH, pt(PTRACE_ATTACH, 4194300));
  EXPECT_EQ(-EPERM, pt(PTRACE_ATTACH, getpid()));
  Child c([] { pause(); });
  EXPECT_EQ(-ESRCH, pt(PTRACE_CONT, c));  // not traced
  EXPECT_EQ(-EIO, pt(PTRACE_SEIZE, c, 1));
  EXPECT_EQ(0, pt(PTRACE_SEIZE, c));
  EXPECT_EQ(-ESRCH, pt(PTRACE_CONT, c));  // not stopped
  EXPECT_EQ(-EINVAL, pt(PTRACE_SETOPTIONS, c, 0, 1u << 30) == -ESRCH ? -EINVAL : 0);
}

// spec 21 S-25 | ptrace PTRACE_ATTACH
TEST(Ptrace, NeedsPermission) {
  NEED_PTRACE();
  NEED_CAPABILITY(kCapSetuid);
  Child c([] { pause(); });
  expect_in_child([&] {
    become_user();
    EXPECT_EQ(-EPERM, pt(PTRACE_ATTACH, c));
    EXPECT_EQ(-EPERM, pt(PTRACE_SEIZE, c));
  });
}

// spec 21 17 (step 8) | ptrace PTRACE_GETSIGINFO PTRACE_SETSIGINFO
TEST(Ptrace, SiginfoCanBeReadAndReplaced) {
  NEED_PTRACE();
  Child c(traced([] {
    Blocked b{SIGUSR1};
    static int got;
    Handler h(SIGUSR2, [](int, siginfo_t* info, void*) { got = info->si_value.sival_int; });
    queue_signal(getpid(), SIGUSR2, 1);
    return got;
  }));
  pt(PTRACE_CONT, c);
  EXPECT_EQ(SIGUSR2 << 8 | 0x7f, c.wait());
  siginfo_t info{};
  EXPECT_EQ(0, pt(PTRACE_GETSIGINFO, c, 0, (unsigned long)&info));
  EXPECT_EQ(SI_QUEUE, info.si_code);
  EXPECT_EQ(1, info.si_value.sival_int);
  info.si_value.sival_int = 42;
  EXPECT_EQ(0, pt(PTRACE_SETSIGINFO, c, 0, (unsigned long)&info));
  pt(PTRACE_CONT, c, 0, SIGUSR2);
  EXPECT_EQ(42, c.exit_code());
}

// spec 22 14 | ptrace PTRACE_SINGLESTEP
TEST(Ptrace, SingleSteps) {
  NEED_PTRACE();
  Child c(traced(zero));
  user_regs_struct regs{};
  unsigned long last = 0;
  for (int i = 0; i < 20; i++) {
    EXPECT_EQ(0, pt(PTRACE_SINGLESTEP, c));
    EXPECT_EQ(SIGTRAP << 8 | 0x7f, c.wait());
    pt(PTRACE_GETREGS, c, 0, (unsigned long)&regs);
    EXPECT_NE(last, regs.rip);
    last = regs.rip;
  }
  pt(PTRACE_CONT, c);
  EXPECT_EQ(0, c.exit_code());
}

// spec 21 X-2 | ptrace PTRACE_KILL; kill SIGKILL
TEST(Ptrace, KillEndsATracedStop) {
  NEED_PTRACE();
  Child c(traced(zero));
  c.kill(SIGKILL);
  EXPECT_EQ(kSignal + SIGKILL, c.exit_code());
}

}  // namespace
