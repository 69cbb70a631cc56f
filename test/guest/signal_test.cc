// Signals: dispositions, masks, queues, order, siginfo, permissions, restarts. Frames and stacks: signal_frame_test.cc.
// SPDX-License-Identifier: Apache-2.0
#include <sys/signalfd.h>
#include <ucontext.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

std::vector<int>* order = new std::vector<int>;
void note(int sig) { order->push_back(sig); }
void nothing(int) {}

// spec 21 S-1 | rt_sigaction
TEST(Signal, ActionArgumentErrors) {
  KernelAction a{SIG_DFL, 0, nullptr, 0};
  EXPECT_EQ(-EINVAL, rt_sigaction(SIGUSR1, &a, nullptr, 4));
  EXPECT_EQ(-EINVAL, rt_sigaction(0, &a, nullptr));
  EXPECT_EQ(-EINVAL, rt_sigaction(65, &a, nullptr));
  EXPECT_EQ(-EINVAL, rt_sigaction(-1, nullptr, nullptr));
  EXPECT_EQ(-EINVAL, rt_sigaction(SIGKILL, &a, nullptr));
  EXPECT_EQ(-EINVAL, rt_sigaction(SIGSTOP, &a, nullptr));
  EXPECT_EQ(-EFAULT, rt_sigaction(99, (KernelAction*)8, nullptr));
  EXPECT_EQ(-EFAULT, rt_sigaction(SIGUSR1, nullptr, (KernelAction*)8));
}

// spec 21 S-1 | rt_sigaction
TEST(Signal, KillAndStopCanBeRead) {
  for (int sig : {SIGKILL, SIGSTOP}) {
    KernelAction a{nothing, 1, nullptr, 1};
    EXPECT_EQ(0, rt_sigaction(sig, nullptr, &a));
    EXPECT_EQ(SIG_DFL, a.handler);
  }
}

// spec 21 S-2 | rt_sigaction SA_UNSUPPORTED
TEST(Signal, UnknownFlagsAreCleared) {
  expect_in_child([] {
    KernelAction a{nothing, ~0ul, nullptr, 0}, now{};
    EXPECT_EQ(0, rt_sigaction(SIGUSR1, &a, nullptr));
    EXPECT_EQ(0, rt_sigaction(SIGUSR1, nullptr, &now));
    EXPECT_EQ(0xdc000807ul, now.flags);
  });
}

// spec 21 S-3 | rt_sigaction
TEST(Signal, KillAndStopLeaveTheMask) {
  expect_in_child([] {
    KernelAction a{nothing, 0, nullptr, ~0ull}, now{};
    EXPECT_EQ(0, rt_sigaction(SIGUSR1, &a, nullptr));
    EXPECT_EQ(0, rt_sigaction(SIGUSR1, nullptr, &now));
    EXPECT_EQ(~(1ull << 8 | 1ull << 18), now.mask);
  });
}

// spec 21 S-3 | rt_sigaction SIG_IGN
TEST(Signal, IgnoringDiscardsWhatIsPending) {
  Blocked b{SIGUSR1, SIGRTMIN, SIGURG};
  Handler h(SIGURG, nothing);
  Handler h2(SIGUSR1, nothing);
  kill(getpid(), SIGUSR1);
  raise(SIGUSR1);
  kill(getpid(), SIGURG);
  queue_signal(getpid(), SIGRTMIN, 1);
  signal(SIGUSR1, SIG_IGN);
  signal(SIGURG, SIG_DFL);  // default is to ignore
  sigset_t pending;
  sigpending(&pending);
  EXPECT_FALSE(sigismember(&pending, SIGUSR1));
  EXPECT_FALSE(sigismember(&pending, SIGURG));
  EXPECT_EQ(SIGRTMIN, poll_signal({SIGRTMIN}));
}

// spec 21 S-4 | rt_sigprocmask
TEST(Signal, MaskArguments) {
  uint64_t set = 0, old = 0;
  EXPECT_EQ(-EINVAL, sys(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 4));
  EXPECT_EQ(-EINVAL, sys(SYS_rt_sigprocmask, 3, &set, &old, 8));
  EXPECT_EQ(-EINVAL, sys(SYS_rt_sigprocmask, -1, &set, &old, 8));
  EXPECT_EQ(0, sys(SYS_rt_sigprocmask, 99, nullptr, &old, 8));
  EXPECT_EQ(-EFAULT, sys(SYS_rt_sigprocmask, SIG_BLOCK, (void*)8, nullptr, 8));
  EXPECT_EQ(-EFAULT, sys(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, (void*)8, 8));
}

// spec 21 S-4 | rt_sigprocmask
TEST(Signal, KillAndStopCannotBeBlocked) {
  expect_in_child([] {
    uint64_t all = ~0ull, now = 0;
    EXPECT_EQ(0, sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, 8));
    EXPECT_EQ(0, sys(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &now, 8));
    EXPECT_EQ(~(1ull << 8 | 1ull << 18), now);
    EXPECT_EQ("fffffffffffbfeff", status_field(getpid(), "SigBlk"));
  });
}

// spec 21 S-4 | rt_sigprocmask
TEST(Signal, OldMaskIsStoredEvenIfItFaultsAfterwards) {
  expect_in_child([] {
    uint64_t usr1 = 1ull << (SIGUSR1 - 1), now = 0;
    EXPECT_EQ(-EFAULT, sys(SYS_rt_sigprocmask, SIG_BLOCK, &usr1, (void*)8, 8));
    EXPECT_EQ(0, sys(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &now, 8));
    EXPECT_EQ(usr1, now);  // the new mask stands
  });
}

// spec 21 S-7 | rt_sigpending
TEST(Signal, PendingIsPrivateAndShared) {
  Blocked b{SIGUSR1, SIGUSR2};
  kill(getpid(), SIGUSR1);
  tgkill_raw(getpid(), getpid(), SIGUSR2);
  sigset_t set;
  sigpending(&set);
  EXPECT_TRUE(sigismember(&set, SIGUSR1) && sigismember(&set, SIGUSR2));
  EXPECT_EQ("0000000000000200", status_field(getpid(), "ShdPnd"));
  EXPECT_EQ("0000000000000800", status_field(getpid(), "SigPnd"));
  uint64_t big[2];
  EXPECT_EQ(-EINVAL, sys(SYS_rt_sigpending, big, 16));
  EXPECT_EQ(0, sys(SYS_rt_sigpending, big, 4));  // shorter is allowed
  poll_signal({SIGUSR1});
  poll_signal({SIGUSR2});
}

// spec 21 S-15 | kill
TEST(Signal, StandardSignalsDoNotQueue) {
  Blocked b{SIGUSR1};
  queue_signal(getpid(), SIGUSR1, 1);
  queue_signal(getpid(), SIGUSR1, 2);
  siginfo_t info;
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}, &info));
  EXPECT_EQ(1, info.si_value.sival_int);  // the first stays
  EXPECT_EQ(-1, poll_signal({SIGUSR1}));
}

// spec 21 S-15 | rt_sigqueueinfo
TEST(Signal, RealTimeSignalsQueueInOrder) {
  Blocked b{SIGRTMIN, SIGRTMIN + 1};
  for (int i = 0; i < 10; i++) EXPECT_EQ(0, queue_signal(getpid(), SIGRTMIN + (i & 1), i));
  siginfo_t info;
  for (int i : {0, 2, 4, 6, 8, 1, 3, 5, 7, 9}) {
    EXPECT_EQ(SIGRTMIN + (i & 1), poll_signal({SIGRTMIN, SIGRTMIN + 1}, &info));
    EXPECT_EQ(i, info.si_value.sival_int);
    EXPECT_EQ(SI_QUEUE, info.si_code);
  }
}

// spec 21 S-17 | rt_sigqueueinfo; prlimit64 RLIMIT_SIGPENDING
TEST(Signal, QueueLimit) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    become_user(54322, 54322);
    Blocked b{SIGRTMIN, SIGUSR1};
    rlimit r{3, 3};
    EXPECT_EQ(0, setrlimit(RLIMIT_SIGPENDING, &r));
    for (int i = 0; i < 3; i++) EXPECT_EQ(0, queue_signal(getpid(), SIGRTMIN, i));
    EXPECT_EQ(-EAGAIN, queue_signal(getpid(), SIGRTMIN, 3));
    EXPECT_EQ(-EAGAIN, tgkill_raw(getpid(), getpid(), SIGRTMIN));
    EXPECT_EQ(0, kill(getpid(), SIGRTMIN));                // loses its info only
    EXPECT_EQ(0, queue_signal(getpid(), SIGUSR1, 9));      // a standard one never fails
    EXPECT_EQ(0, queue_signal(getpid(), SIGRTMIN + 5, 0) == -EAGAIN ? 0 : 1);
    EXPECT_EQ("3/3", status_field(getpid(), "SigQ").substr(0, 3));
    siginfo_t info;
    EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}, &info));
    EXPECT_EQ(SI_USER, info.si_code);
    EXPECT_EQ(0, info.si_pid);
    while (poll_signal({SIGRTMIN}) > 0) {
    }
  });
}

// spec 21 S-18, 13 | kill
TEST(Signal, InfoOfKill) {
  Blocked b{SIGUSR1};
  Child c([] { kill(getppid(), SIGUSR1); });
  siginfo_t info;
  memset(&info, 0x55, sizeof(info));
  EXPECT_EQ(SIGUSR1, await_signal({SIGUSR1}, &info));
  EXPECT_EQ(SIGUSR1, info.si_signo);
  EXPECT_EQ(0, info.si_errno);
  EXPECT_EQ(SI_USER, info.si_code);
  EXPECT_EQ(c.pid(), info.si_pid);
  EXPECT_EQ(getuid(), info.si_uid);
  EXPECT_EQ(0, c.exit_code());
}

// spec 21 S-18 | tgkill; tkill
TEST(Signal, InfoOfTgkill) {
  Blocked b{SIGUSR1};
  siginfo_t info;
  tgkill_raw(getpid(), getpid(), SIGUSR1);
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}, &info));
  EXPECT_EQ(SI_TKILL, info.si_code);
  EXPECT_EQ(getpid(), info.si_pid);
  sys(SYS_tkill, getpid(), SIGUSR1);
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}, &info));
  EXPECT_EQ(SI_TKILL, info.si_code);
}

// spec 21 13, X-12 | kill; SIGCHLD
TEST(Signal, InfoOfSigchld) {
  Blocked b{SIGCHLD};
  Child c([] { return 7; });
  siginfo_t info;
  EXPECT_EQ(SIGCHLD, await_signal({SIGCHLD}, &info));
  EXPECT_EQ(CLD_EXITED, info.si_code);
  EXPECT_EQ(7, info.si_status);
  EXPECT_EQ(c.pid(), info.si_pid);
  EXPECT_EQ(getuid(), info.si_uid);
  EXPECT_EQ(7, c.exit_code());
}

// spec 21 S-24 | kill; tgkill; tkill
TEST(Signal, KillErrors) {
  EXPECT_EQ(-EINVAL, sys(SYS_kill, getpid(), 65));
  EXPECT_EQ(-EINVAL, sys(SYS_kill, getpid(), -1));
  EXPECT_EQ(0, sys(SYS_kill, getpid(), 0));
  EXPECT_EQ(-ESRCH, sys(SYS_kill, 4194300, 65));
  EXPECT_EQ(-ESRCH, sys(SYS_kill, INT32_MIN, SIGUSR1));
  EXPECT_EQ(-ESRCH, sys(SYS_kill, -4194300, SIGUSR1));
  EXPECT_EQ(-EINVAL, sys(SYS_tkill, 0, SIGUSR1));
  EXPECT_EQ(-EINVAL, sys(SYS_tkill, -1, SIGUSR1));
  EXPECT_EQ(-EINVAL, sys(SYS_tgkill, 0, getpid(), SIGUSR1));
  EXPECT_EQ(-EINVAL, sys(SYS_tgkill, getpid(), 0, SIGUSR1));
  EXPECT_EQ(-ESRCH, sys(SYS_tgkill, getppid() + 100000, getpid(), SIGUSR1));
  EXPECT_EQ(-EINVAL, sys(SYS_tgkill, getpid(), getpid(), 65));
}

// spec 21 15 | rt_sigqueueinfo; rt_tgsigqueueinfo
TEST(Signal, SpoofedCodesGoToOneselfOnly) {
  Child c([] { pause(); });
  siginfo_t info{};
  info.si_signo = SIGUSR1;
  for (int code : {(int)SI_USER, (int)SI_KERNEL, 1, (int)SI_TKILL}) {
    info.si_code = code;
    EXPECT_EQ(-EPERM, sys(SYS_rt_sigqueueinfo, c.pid(), SIGUSR1, &info)) << code;
    EXPECT_EQ(-EPERM, sys(SYS_rt_tgsigqueueinfo, c.pid(), c.pid(), SIGUSR1, &info)) << code;
    EXPECT_EQ(-EPERM, sys(SYS_rt_sigqueueinfo, 4194300, SIGUSR1, &info)) << code;  // before it looks for the target
  }
  info.si_code = SI_QUEUE;
  EXPECT_EQ(-ESRCH, sys(SYS_rt_sigqueueinfo, 4194300, SIGUSR1, &info));
  EXPECT_EQ(-EINVAL, sys(SYS_rt_tgsigqueueinfo, 0, c.pid(), SIGUSR1, &info));
  EXPECT_EQ(-EFAULT, sys(SYS_rt_sigqueueinfo, c.pid(), SIGUSR1, (void*)8));
  Blocked b{SIGUSR1};
  info.si_code = 77;
  EXPECT_EQ(0, sys(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
  siginfo_t got{};
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}, &got));
  EXPECT_EQ(77, got.si_code);
}

// spec 21 15 | rt_sigqueueinfo
TEST(Signal, QueuedNumberIsTheArguments) {
  Blocked b{SIGUSR1};
  siginfo_t info{}, got{};
  info.si_signo = SIGUSR2;  // replaced
  info.si_code = SI_QUEUE;
  info.si_value.sival_int = 5;
  EXPECT_EQ(0, sys(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}, &got));
  EXPECT_EQ(SIGUSR1, got.si_signo);
  EXPECT_EQ(5, got.si_value.sival_int);
}

// spec 21 S-25 | kill
TEST(Signal, PermissionByUser) {
  NEED_CAPABILITY(kCapSetuid);
  Child root([] { pause(); });
  Pipe ready;
  Child other([&] {
    become_user(1001, 1001);
    ready.post();
    pause();
  });
  ready.await();
  expect_in_child([&] {
    become_user(1000, 1000);
    EXPECT_EQ(-EPERM, sys(SYS_kill, root.pid(), 0));
    EXPECT_EQ(-EPERM, sys(SYS_kill, other.pid(), SIGTERM));
    EXPECT_EQ(0, sys(SYS_kill, root.pid(), SIGCONT));  // the same session
    EXPECT_EQ(-EPERM, sys(SYS_kill, 1, SIGKILL));
    Child own([] { pause(); });
    EXPECT_EQ(0, own.kill(SIGTERM));
    EXPECT_EQ(kSignal + SIGTERM, own.exit_code());
  });
}

// spec 21 S-25 | kill SIGCONT; setsid
TEST(Signal, ContinueOnlyWithinTheSession) {
  NEED_CAPABILITY(kCapSetuid);
  Pipe ready;
  Child root([&] {
    setsid();
    ready.post();
    pause();
  });
  ready.await();
  expect_in_child([&] {
    become_user();
    EXPECT_EQ(-EPERM, sys(SYS_kill, root.pid(), SIGCONT));
  });
}

// spec 21 S-25 | kill; setresuid
TEST(Signal, PermissionLooksAtSavedIds) {
  NEED_CAPABILITY(kCapSetuid);
  Pipe ready;
  Child target([&] {
    setresuid(2000, 2001, 2002);  // real, effective, saved
    ready.post();
    pause();
  });
  ready.await();
  for (auto [uid, answer] : {std::pair<uid_t, long>{2000, 0}, {2001, -EPERM}, {2002, 0}, {2003, -EPERM}})
    expect_in_child([&, uid = uid, answer = answer] {
      become_user(uid, 2000);
      EXPECT_EQ(answer, sys(SYS_kill, target.pid(), 0)) << uid;
    });
}

// spec 21 15 | kill
TEST(Signal, KillOfAGroupNeedsOneSuccess) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    setpgid(0, 0);
    Pipe ready;
    Child user([&] {
      become_user(1005, 1005);
      ready.post();
      pause();
    });
    ready.await();
    expect_in_child([&] {  // in the same group, of which two are root's
      become_user(1005, 1005);
      EXPECT_EQ(0, sys(SYS_kill, 0, 0));
      setpgid(0, 0);
      EXPECT_EQ(0, sys(SYS_kill, -getppid(), 0));
    });
    user.kill(SIGKILL);
    user.wait();
    expect_in_child([&] {
      become_user(1005, 1005);
      pid_t group = getpgrp();
      setpgid(0, 0);
      EXPECT_EQ(-EPERM, sys(SYS_kill, -group, 0));
    });
  });
}

// spec 21 15 | kill
TEST(Signal, KillByThreadId) {
  Stack s;
  static Pipe* go;
  Pipe p;
  go = &p;
  Blocked b{SIGUSR1};
  int tid = clone_fn(
      [](void*) {
        char c;
        raw(SYS_read, go->r, (long)&c, 1);
        raw(SYS_exit, 0);
        return 0;
      },
      nullptr, s, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES);
  ASSERT_GT(tid, 0);
  EXPECT_EQ(0, sys(SYS_kill, tid, SIGUSR1));  // the whole group is the target
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}));
  p.post();
  EXPECT_TRUE(eventually([&] { return tgkill_raw(getpid(), tid, 0) == -ESRCH; }));
}

// spec 21 S-30 | rt_sigprocmask
TEST(Signal, DeliveryOrder) {
  // Private before shared; synchronous kinds first, then the lowest number. The last frame runs first.
  order->clear();
  std::vector<int> sigs{SIGUSR1, SIGTERM, SIGCHLD, SIGSEGV, SIGTRAP, SIGHUP, SIGRTMIN, SIGRTMIN + 2};
  expect_in_child([&] {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    struct sigaction sa {};
    sa.sa_handler = note;
    for (int s : sigs) {
      sigaction(s, &sa, nullptr);
      kill(getpid(), s);
    }
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::vector<int> expected{SIGRTMIN + 2, SIGRTMIN, SIGCHLD, SIGTERM, SIGUSR1, SIGHUP, SIGSEGV, SIGTRAP};
    EXPECT_EQ(expected, *order);
  });
}

// spec 21 S-30, S-31 | rt_sigprocmask
TEST(Signal, PrivateQueueComesFirst) {
  expect_in_child([] {
    order->clear();
    Handler a(SIGHUP, note), c(SIGTERM, note);
    {
      Blocked b{SIGHUP, SIGTERM};
      kill(getpid(), SIGHUP);
      raise(SIGTERM);
    }
    EXPECT_EQ((std::vector<int>{SIGHUP, SIGTERM}), *order);  // TERM was taken first, so its frame is the lower one
  });
}

// spec 21 S-53 | rt_sigaction SA_NODEFER
TEST(Signal, SignalIsBlockedInItsHandler) {
  static std::vector<int>* depth = new std::vector<int>;
  static int level, raised;
  auto handler = [](int sig) {
    level++;
    if (raised++ == 0) raise(sig);
    depth->push_back(level);
    level--;
  };
  expect_in_child([&] {
    Handler h(SIGUSR1, handler);
    raise(SIGUSR1);
    EXPECT_EQ((std::vector<int>{1, 1}), *depth);
  });
  expect_in_child([&] {
    Handler h(SIGUSR1, handler, SA_NODEFER);
    raise(SIGUSR1);
    EXPECT_EQ((std::vector<int>{2, 1}), *depth);
  });
}

// spec 21 S-53 | rt_sigaction
TEST(Signal, MaskOfTheActionHoldsInTheHandler) {
  static uint64_t inside;
  struct sigaction sa {};
  sa.sa_handler = [](int) { raw(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&inside, 8); };
  sa.sa_mask = set_of({SIGUSR2, SIGTERM});
  expect_in_child([&] {
    sigaction(SIGUSR1, &sa, nullptr);
    raise(SIGUSR1);
    EXPECT_EQ(1ull << (SIGUSR1 - 1) | 1ull << (SIGUSR2 - 1) | 1ull << (SIGTERM - 1), inside);
    uint64_t now;
    raw(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&now, 8);
    EXPECT_EQ(0u, now);
  });
}

// spec 21 S-30 | rt_sigaction SA_RESETHAND
TEST(Signal, ResethandIsForOneSignal) {
  expect_in_child([] {
    Handler h(SIGUSR1, nothing, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction sa;
    sigaction(SIGUSR1, nullptr, &sa);
    EXPECT_EQ(SIG_DFL, sa.sa_handler);
    EXPECT_TRUE(sa.sa_flags & (int)SA_RESETHAND);
  });
  EXPECT_EQ(kSignal + SIGUSR1, in_child([] {
              struct sigaction sa {};
              sa.sa_handler = nothing;
              sa.sa_flags = (int)SA_RESETHAND;
              sigaction(SIGUSR1, &sa, nullptr);
              raise(SIGUSR1);
              raise(SIGUSR1);
            }));
}

// spec 21 11 | kill
TEST(Signal, DefaultActions) {
  rlimit none{0, 0}, old;
  getrlimit(RLIMIT_CORE, &old);
  for (int sig = 1; sig <= 64; sig++) {
    if (sig == 32 || sig == 33) continue;  // the C library's
    bool ignored = sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH || sig == SIGCONT;
    bool stops = sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
    if (stops) continue;
    int code = in_child([&] {
      setrlimit(RLIMIT_CORE, &none);
      signal(sig, SIG_DFL);
      kill(getpid(), sig);
      return 0;
    });
    EXPECT_EQ(ignored ? 0 : kSignal + sig, code);
  }
}

// spec 21 S-8 | rt_sigsuspend
TEST(Signal, SuspendSwapsTheMask) {
  expect_in_child([] {
    order->clear();
    Handler h(SIGUSR1, note);
    Blocked b{SIGUSR1, SIGUSR2};
    raise(SIGUSR1);
    sigset_t mask = set_of({SIGUSR2});
    EXPECT_EQ(-1, sigsuspend(&mask));
    EXPECT_EQ(EINTR, errno);
    EXPECT_EQ(std::vector<int>{SIGUSR1}, *order);
    sigset_t now;
    sigprocmask(SIG_SETMASK, nullptr, &now);
    EXPECT_TRUE(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2));
  });
}

// spec 21 S-53 | rt_sigsuspend
TEST(Signal, FrameSavesTheMaskFromBeforeSuspend) {
  static uint64_t saved;
  expect_in_child([] {
    Handler h(SIGUSR1, [](int, siginfo_t*, void* uc) { memcpy(&saved, &static_cast<ucontext_t*>(uc)->uc_sigmask, 8); });
    Blocked b{SIGUSR1, SIGUSR2};
    raise(SIGUSR1);
    sigset_t mask = set_of({});
    sigsuspend(&mask);
    EXPECT_EQ(1ull << (SIGUSR1 - 1) | 1ull << (SIGUSR2 - 1), saved);
  });
}

// spec 21 S-8 | rt_sigtimedwait
TEST(Signal, TimedWaitErrors) {
  uint64_t set = 1ull << (SIGUSR1 - 1);
  siginfo_t info;
  timespec zero{0, 0}, bad{0, 1'000'000'000}, negative{-1, 0};
  EXPECT_EQ(-EAGAIN, sys(SYS_rt_sigtimedwait, &set, &info, &zero, 8));
  EXPECT_EQ(-EINVAL, sys(SYS_rt_sigtimedwait, &set, &info, &bad, 8));
  EXPECT_EQ(-EINVAL, sys(SYS_rt_sigtimedwait, &set, &info, &negative, 8));
  EXPECT_EQ(-EINVAL, sys(SYS_rt_sigtimedwait, &set, &info, &zero, 16));
  EXPECT_EQ(-EFAULT, sys(SYS_rt_sigtimedwait, (void*)8, &info, &zero, 8));
  EXPECT_EQ(-EFAULT, sys(SYS_rt_sigtimedwait, &set, &info, (void*)8, 8));
}

// spec 21 S-8 | rt_sigtimedwait
TEST(Signal, TimedWaitIsInterruptedByAnother) {
  expect_in_child([] {
    Handler h(SIGUSR2, nothing, SA_RESTART);
    Blocked b{SIGUSR1};
    pid_t me = getpid();
    Child c([&] {
      eventually_sleeps(me);
      for (;;) {
        kill(me, SIGUSR2);
        usleep(20000);
      }
    });
    uint64_t set = 1ull << (SIGUSR1 - 1);
    EXPECT_EQ(-EINTR, sys(SYS_rt_sigtimedwait, &set, nullptr, nullptr, 8));  // whatever SA_RESTART says
  });
}

// spec 21 S-8 | rt_sigtimedwait
TEST(Signal, TimedWaitTakesAnUnblockedSignalToo) {
  expect_in_child([] {
    order->clear();
    Handler h(SIGUSR1, note);
    pid_t me = getpid();
    Child c([&] {
      eventually_sleeps(me);
      kill(me, SIGUSR1);
    });
    uint64_t set = 1ull << (SIGUSR1 - 1);
    EXPECT_EQ(SIGUSR1, sys(SYS_rt_sigtimedwait, &set, nullptr, nullptr, 8));
    EXPECT_TRUE(order->empty());
    EXPECT_EQ(0, c.exit_code());
  });
}

// spec 21 S-47 | read; rt_sigaction SA_RESTART
TEST(Signal, ReadRestartsOrNot) {
  for (int flags : {0, SA_RESTART}) {
    Pipe data;
    Child c([&] {
      struct sigaction sa {};
      sa.sa_handler = nothing;
      sa.sa_flags = flags;
      sigaction(SIGUSR1, &sa, nullptr);
      char b;
      long n = sys(SYS_read, (int)data.r, &b, 1);
      return n == 1 ? 1 : n == -EINTR ? 2 : 3;
    });
    EXPECT_TRUE(eventually([&] { return status_field(c, "SigCgt") != "0000000000000000"; }));
    eventually_sleeps(c);
    c.kill(SIGUSR1);
    EXPECT_TRUE(eventually([&] { return status_field(c, "ShdPnd") == "0000000000000000"; }));
    usleep(20000);
    if (flags) data.post();
    EXPECT_EQ(flags ? 1 : 2, c.exit_code());
  }
}

// spec 21 S-47 | nanosleep; rt_sigaction SA_RESTART
TEST(Signal, NanosleepIsNeverRestartedAfterAHandler) {
  Child c([] {
    struct sigaction sa {};
    sa.sa_handler = nothing;
    sa.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &sa, nullptr);
    timespec t{1000, 0}, left{};
    long r = sys(SYS_nanosleep, &t, &left);
    return r == -EINTR && left.tv_sec > 900 ? 0 : 1;
  });
  EXPECT_TRUE(eventually([&] { return status_field(c, "SigCgt") != "0000000000000000"; }));
  eventually_sleeps(c);
  c.kill(SIGUSR1);
  EXPECT_EQ(0, c.exit_code());
}

// spec 21 S-47 | pause; kill SIGSTOP SIGCONT
TEST(Signal, StopAndContinueDoNotEndPause) {
  Child c([] { return (int)-sys(SYS_pause); });
  eventually_sleeps(c);
  c.kill(SIGSTOP);
  EXPECT_TRUE(eventually_state(c, 'T'));
  c.kill(SIGCONT);
  EXPECT_TRUE(eventually_sleeps(c));
  c.kill(SIGKILL);
  EXPECT_EQ(kSignal + SIGKILL, c.exit_code());
}

// spec 21 S-47 | nanosleep; kill SIGSTOP SIGCONT
TEST(Signal, SleepGoesOnAfterStopAndContinue) {
  Child c([] {
    timespec t{0, 300'000'000}, left{9, 9};
    return (int)-sys(SYS_nanosleep, &t, &left);
  });
  eventually_sleeps(c);
  c.kill(SIGSTOP);
  EXPECT_TRUE(eventually_state(c, 'T'));
  c.kill(SIGCONT);
  EXPECT_EQ(0, c.exit_code());
}

// spec 21 S-47 | epoll_wait; rt_sigtimedwait
TEST(Signal, SomeCallsShowAStop) {
  Child c([] {
    uint64_t set = 1ull << (SIGUSR1 - 1);
    return (int)-sys(SYS_rt_sigtimedwait, &set, nullptr, nullptr, 8);
  });
  eventually_sleeps(c);
  c.kill(SIGSTOP);
  EXPECT_TRUE(eventually_state(c, 'T'));
  c.kill(SIGCONT);
  EXPECT_EQ(EINTR, c.exit_code());
}

// spec 21 S-19, S-14 | kill
TEST(Signal, IgnoredSignalDoesNotInterrupt) {
  Child c([] {
    signal(SIGUSR1, SIG_IGN);
    return (int)-sys(SYS_pause);
  });
  EXPECT_TRUE(eventually([&] { return strtoul(status_field(c, "SigIgn").c_str(), nullptr, 16) >> (SIGUSR1 - 1) & 1; }));
  eventually_sleeps(c);
  EXPECT_EQ(0, c.kill(SIGUSR1));
  EXPECT_EQ(0, c.kill(SIGWINCH));
  EXPECT_EQ("0000000000000000", status_field(c, "ShdPnd"));
  EXPECT_EQ('S', state_of(c));
}

// spec 21 S-14 | kill
TEST(Signal, BlockedIgnoredSignalStaysPending) {
  expect_in_child([] {
    Blocked b{SIGUSR1};
    signal(SIGUSR1, SIG_IGN);
    kill(getpid(), SIGUSR1);
    sigset_t set;
    sigpending(&set);
    EXPECT_TRUE(sigismember(&set, SIGUSR1));
    EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}));
  });
}

// spec 21 15 | kill
TEST(Signal, ZombieTakesSignals) {
  Child c([] { return 3; });
  EXPECT_TRUE(eventually_state(c, 'Z'));
  EXPECT_EQ(0, c.kill(SIGKILL));
  EXPECT_EQ(0, c.kill(0));
  EXPECT_EQ(3, c.exit_code());
  EXPECT_EQ(-ESRCH, sys(SYS_kill, c.pid(), 0));
}

// spec 21 S-5, 11 | signalfd4
TEST(Signal, SignalfdReadsWhatIsPending) {
  Blocked b{SIGUSR1, SIGUSR2};
  sigset_t set = set_of({SIGUSR1, SIGUSR2});
  Fd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  ASSERT_GE(fd, 0);
  signalfd_siginfo info[3]{};
  EXPECT_EQ(-1, read(fd, info, sizeof(info)));
  EXPECT_EQ(EAGAIN, errno);
  pollfd p{fd, POLLIN, 0};
  EXPECT_EQ(0, poll(&p, 1, 0));
  queue_signal(getpid(), SIGUSR2, 8);
  raise(SIGUSR1);
  EXPECT_EQ(1, poll(&p, 1, 0));
  EXPECT_EQ((ssize_t)(2 * sizeof(info[0])), read(fd, info, sizeof(info)));
  EXPECT_EQ((unsigned)SIGUSR1, info[0].ssi_signo);
  EXPECT_EQ(SI_TKILL, info[0].ssi_code);
  EXPECT_EQ((unsigned)SIGUSR2, info[1].ssi_signo);
  EXPECT_EQ(8, info[1].ssi_int);
  EXPECT_EQ((unsigned)getpid(), info[1].ssi_pid);
}

// spec 21 11 | signalfd4
TEST(Signal, SignalfdErrors) {
  uint64_t set = 1 << (SIGUSR1 - 1);
  EXPECT_EQ(-EINVAL, sys(SYS_signalfd4, -1, &set, 8, 1));
  EXPECT_EQ(-EINVAL, sys(SYS_signalfd4, -1, &set, 4, 0));
  EXPECT_EQ(-EBADF, sys(SYS_signalfd4, 999, &set, 8, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_signalfd4, 0, &set, 8, 0));
  Fd fd((int)sys(SYS_signalfd4, -1, &set, 8, O_NONBLOCK));
  char small[100];
  EXPECT_EQ(-1, read(fd, small, sizeof(small)));
  EXPECT_EQ(EINVAL, errno);
}

// spec 21 21 | execve
TEST(Signal, ExecResetsHandlersAndKeepsMaskAndPending) {
  Child c([] {
    signal(SIGUSR1, nothing);
    signal(SIGUSR2, SIG_IGN);
    sigset_t set = set_of({SIGHUP, SIGTERM});
    sigprocmask(SIG_SETMASK, &set, nullptr);
    kill(getpid(), SIGTERM);
    const char* argv[] = {"guest", "--signal-state", nullptr};
    execv("/proc/self/exe", const_cast<char**>(argv));
  });
  EXPECT_EQ(0, c.exit_code());
}

}  // namespace
