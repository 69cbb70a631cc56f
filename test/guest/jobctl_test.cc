// Job control: stops, continues, orphaned groups, sessions and groups.
// SPDX-License-Identifier: Apache-2.0
#include "test/guest/guest.hh"

using namespace guest;

namespace {

void nothing(int) {}

/// A child in a group of its own (not orphaned) that waits for signals.
pid_t sleeper() {
  pid_t pid = spawn([] {
    for (;;) pause();
  });
  setpgid(pid, pid);
  return pid;
}

// spec 21 S-42 | kill SIGSTOP SIGTSTP SIGTTIN SIGTTOU; waitid WSTOPPED
TEST(Jobctl, EachStopSignalStops) {
  for (int sig : {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU}) {
    Child c(sleeper());
    c.kill(sig);
    siginfo_t info{};
    EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED));
    EXPECT_EQ(sig, info.si_status);
    EXPECT_EQ('T', state_of(c));
  }
}

// spec 21 X-27 | kill SIGTSTP SIGTTIN SIGTTOU
TEST(Jobctl, TerminalStopsDoNothingInAnOrphanedGroup) {
  Pipe ready;
  Child c([&] {
    setsid();
    ready.post();
    for (;;) pause();
  });
  ready.await();
  for (int sig : {SIGTSTP, SIGTTIN, SIGTTOU}) c.kill(sig);
  EXPECT_TRUE(eventually([&] { return status_field(c, "ShdPnd") == "0000000000000000"; }));
  EXPECT_TRUE(eventually_sleeps(c));
  c.kill(SIGSTOP);  // this one always stops
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait(WUNTRACED));
}

// spec 21 S-42 | SIGCHLD; kill SIGSTOP
TEST(Jobctl, ParentIsToldOfAStop) {
  Blocked b{SIGCHLD};
  Child c(sleeper());
  c.kill(SIGSTOP);
  siginfo_t info{};
  EXPECT_EQ(SIGCHLD, await_signal({SIGCHLD}, &info));
  EXPECT_EQ(CLD_STOPPED, info.si_code);
  EXPECT_EQ(SIGSTOP, info.si_status);
  EXPECT_EQ(c.pid(), info.si_pid);
  c.kill(SIGCONT);
  EXPECT_EQ(SIGCHLD, await_signal({SIGCHLD}, &info));
  EXPECT_EQ(CLD_CONTINUED, info.si_code);
  EXPECT_EQ(SIGCONT, info.si_status);
}

// spec 21 S-42, S-45 | rt_sigaction SA_NOCLDSTOP
TEST(Jobctl, NocldstopSuppressesTheSignalOnly) {
  Blocked b{SIGCHLD};
  Handler h(SIGCHLD, nothing, SA_NOCLDSTOP);
  Child c(sleeper());
  c.kill(SIGSTOP);
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait(WUNTRACED));
  c.kill(SIGCONT);
  EXPECT_EQ(0xffff, c.wait(WCONTINUED));
  EXPECT_EQ(-1, poll_signal({SIGCHLD}));
}

// spec 21 S-46 | kill SIGKILL
TEST(Jobctl, KillEndsAStoppedProcess) {
  Child c(sleeper());
  c.kill(SIGSTOP);
  EXPECT_TRUE(eventually_state(c, 'T'));
  c.kill(SIGTERM);
  EXPECT_EQ('T', state_of(c));
  c.kill(SIGKILL);
  EXPECT_EQ(SIGKILL, c.wait(WCONTINUED));
}

// spec 21 S-13 | kill SIGCONT
TEST(Jobctl, SignalsOfAStoppedProcessWait) {
  Child c([] {
    static volatile int seen;
    const sigset_t usr1 = set_of({SIGUSR1}), none = set_of({});
    sigprocmask(SIG_BLOCK, &usr1, nullptr);  // so that it cannot come between the look and the sleep
    signal(SIGUSR1, [](int) { seen = seen + 1; });
    while (!seen) sigsuspend(&none);
    return 5;
  });
  EXPECT_TRUE(eventually([&] { return status_field(c, "SigCgt") != "0000000000000000"; }));
  c.kill(SIGSTOP);
  EXPECT_TRUE(eventually_state(c, 'T'));
  c.kill(SIGUSR1);
  EXPECT_EQ("0000000000000200", status_field(c, "ShdPnd"));
  c.kill(SIGCONT);
  EXPECT_EQ(5, c.exit_code());
}

// spec 21 S-13 | kill SIGCONT; rt_sigprocmask
TEST(Jobctl, BlockedContinueContinues) {
  Pipe ready;
  Child c([&] {
    sigset_t set = set_of({SIGCONT});
    sigprocmask(SIG_BLOCK, &set, nullptr);
    ready.post();
    for (;;) pause();
  });
  ready.await();
  c.kill(SIGSTOP);
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait(WUNTRACED));
  c.kill(SIGCONT);
  EXPECT_EQ(0xffff, c.wait(WCONTINUED));
  EXPECT_EQ("0000000000020000", status_field(c, "ShdPnd"));
}

// spec 21 S-13 | kill SIGCONT; rt_sigaction SIG_IGN
TEST(Jobctl, IgnoredContinueContinues) {
  Pipe ready;
  Child c([&] {
    signal(SIGCONT, SIG_IGN);
    ready.post();
    for (;;) pause();
  });
  ready.await();
  c.kill(SIGSTOP);
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait(WUNTRACED));
  c.kill(SIGCONT);
  EXPECT_EQ(0xffff, c.wait(WCONTINUED));
}

// spec 21 S-13 | kill SIGCONT SIGTSTP
TEST(Jobctl, ContinueRemovesPendingStops) {
  expect_in_child([] {
    Blocked b{SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};
    Handler h(SIGCONT, nothing);
    for (int sig : {SIGTSTP, SIGTTIN, SIGTTOU}) kill(getpid(), sig);
    sigset_t set;
    sigpending(&set);
    EXPECT_TRUE(sigismember(&set, SIGTSTP) && sigismember(&set, SIGTTIN) && sigismember(&set, SIGTTOU));
    kill(getpid(), SIGCONT);
    sigpending(&set);
    EXPECT_FALSE(sigismember(&set, SIGTSTP) || sigismember(&set, SIGTTIN) || sigismember(&set, SIGTTOU));
    EXPECT_TRUE(sigismember(&set, SIGCONT));
    kill(getpid(), SIGTSTP);
    sigpending(&set);
    EXPECT_FALSE(sigismember(&set, SIGCONT));
    EXPECT_TRUE(sigismember(&set, SIGTSTP));
    poll_signal({SIGTSTP});
  });
}

// spec 21 S-42, S-45 | waitid WSTOPPED WCONTINUED
TEST(Jobctl, ContinueErasesAnUnreportedStop) {
  Child c(sleeper());
  c.kill(SIGSTOP);
  EXPECT_TRUE(eventually_state(c, 'T'));
  c.kill(SIGCONT);
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED | WCONTINUED));
  EXPECT_EQ(CLD_CONTINUED, info.si_code);
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED | WCONTINUED | WNOHANG));
  EXPECT_EQ(0, info.si_pid);
}

// spec 21 W-17 | waitid WSTOPPED WCONTINUED
TEST(Jobctl, StopErasesAnUnreportedContinue) {
  Child c(sleeper());
  c.kill(SIGSTOP);
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait(WUNTRACED));
  c.kill(SIGCONT);
  EXPECT_TRUE(eventually_sleeps(c));
  c.kill(SIGTSTP);
  EXPECT_TRUE(eventually_state(c, 'T'));
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED | WCONTINUED));
  EXPECT_EQ(CLD_STOPPED, info.si_code);
  EXPECT_EQ(SIGTSTP, info.si_status);
}

// spec 21 S-42 | kill SIGSTOP
TEST(Jobctl, SecondStopWhileStoppedIsNotReported) {
  Child c(sleeper());
  c.kill(SIGSTOP);
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait(WUNTRACED));
  c.kill(SIGTSTP);
  c.kill(SIGSTOP);
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PID, c, &info, WSTOPPED | WNOHANG));
  EXPECT_EQ(0, info.si_pid);
  c.kill(SIGCONT);  // and both are gone
  EXPECT_EQ(0xffff, c.wait(WCONTINUED));
  EXPECT_TRUE(eventually_sleeps(c));
}

// spec 21 S-41, S-42 | kill SIGSTOP; clone CLONE_THREAD
TEST(Jobctl, AllThreadsStop) {
  Pipe tids;
  Child c([&] {
    static Stack s;
    int tid = clone_fn([](void*) {
      for (;;) raw(SYS_pause);
      return 0;
    }, nullptr, s, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD);
    tids.put(tid);
    for (;;) pause();
  });
  int tid = tids.get<int>();
  ASSERT_GT(tid, 0);
  kill(tid, SIGSTOP);
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, c.wait(WUNTRACED));
  EXPECT_EQ('T', thread_state(c, c));
  EXPECT_EQ('T', thread_state(c, tid));
  c.kill(SIGCONT);
  EXPECT_TRUE(eventually([&] { return thread_state(c, tid) == 'S' && thread_state(c, c) == 'S'; }));
}

// spec 21 X-26 | exit_group; kill
TEST(Jobctl, NewlyOrphanedStoppedGroupGetsHupAndCont) {
  Pipe out;
  Blocked b{SIGCHLD};
  Child leader([&] {
    // A child in a group of its own, stopped; its parent's death orphans the group.
    pid_t pid = spawn([&] {
      setpgid(0, 0);
      sigset_t set = set_of({SIGHUP, SIGCONT});
      sigprocmask(SIG_BLOCK, &set, nullptr);
      kill(getpid(), SIGSTOP);
      siginfo_t hup{}, cont{};
      int first = await_signal({SIGHUP}, &hup), second = await_signal({SIGCONT}, &cont);
      int words[4] = {first, second, hup.si_code, cont.si_code};
      out.put(words);
    });
    EXPECT_EQ(SIGSTOP << 8 | 0x7f, wait_status(pid, WUNTRACED));
  });
  int words[4] = {};
  EXPECT_EQ((ssize_t)sizeof(words), out.read_all(words, sizeof(words)));
  EXPECT_EQ(SIGHUP, words[0]);
  EXPECT_EQ(SIGCONT, words[1]);
  EXPECT_EQ(SI_KERNEL, words[2]);
  EXPECT_EQ(SI_KERNEL, words[3]);
  EXPECT_EQ(0, leader.exit_code());
  poll_signal({SIGCHLD});
}

// spec 21 X-26 | exit_group
TEST(Jobctl, OrphanedRunningGroupGetsNothing) {
  Pipe out, go;
  Child leader([&] {
    spawn([&] {
      setpgid(0, 0);
      sigset_t set = set_of({SIGHUP, SIGCONT}), pending;
      sigprocmask(SIG_BLOCK, &set, nullptr);
      out.post();
      go.await();
      sigpending(&pending);
      out.post(sigisemptyset(&pending) ? 'y' : 'n');
    });
    out.w.reset();
    char c;
    EXPECT_EQ(1, read(out.r, &c, 1));
  });
  EXPECT_EQ(0, leader.exit_code());
  go.post();
  EXPECT_EQ('y', out.await());
}

// spec 20 18 | setpgid
TEST(Jobctl, SetpgidErrors) {
  EXPECT_EQ(-EINVAL, sys(SYS_setpgid, 0, -1));
  EXPECT_EQ(-ESRCH, sys(SYS_setpgid, 4194300, 0));
  EXPECT_EQ(-ESRCH, sys(SYS_setpgid, getppid(), 0));  // neither oneself nor a child
  Child c(sleeper());
  EXPECT_EQ(0, sys(SYS_setpgid, c.pid(), c.pid()));
  EXPECT_EQ(-EPERM, sys(SYS_setpgid, c.pid(), 4194300));  // no such group
  EXPECT_EQ(0, sys(SYS_setpgid, c.pid(), getpgrp()));
  EXPECT_EQ(getpgrp(), getpgid(c));
}

// spec 20 18 | setpgid; execve
TEST(Jobctl, SetpgidOfAChildThatHasExeced) {
  Pipe in;
  int r = in.r;
  Child c([&] {
    dup2(r, 0);
    const char* argv[] = {"guest", "--read-stdin", nullptr};
    execv("/proc/self/exe", const_cast<char**>(argv));
  });
  EXPECT_TRUE(eventually([&] { return (strtoul(stat_field(c, 9).c_str(), nullptr, 10) & 0x40) == 0; }));
  EXPECT_EQ(-EACCES, sys(SYS_setpgid, c.pid(), c.pid()));
  in.post('\0');
  EXPECT_EQ(0, c.exit_code());
}

// spec 20 18 | setsid
TEST(Jobctl, SetsidMakesSessionAndGroup) {
  expect_in_child([] {
    EXPECT_EQ(getpid(), sys(SYS_setsid));
    EXPECT_EQ(getpid(), getsid(0));
    EXPECT_EQ(getpid(), getpgrp());
    EXPECT_EQ(-EPERM, sys(SYS_setsid));          // a group leader cannot
    EXPECT_EQ(-EPERM, sys(SYS_setpgid, 0, 0));   // nor change its group
    expect_in_child([] { EXPECT_EQ(getppid(), getsid(0)); });
  });
}

// spec 20 18 | setsid
TEST(Jobctl, GroupLeaderCannotMakeASession) {
  expect_in_child([] {
    EXPECT_EQ(0, setpgid(0, 0));
    EXPECT_EQ(-EPERM, sys(SYS_setsid));
  });
}

// spec 20 18 | setpgid; setsid
TEST(Jobctl, GroupsDoNotCrossSessions) {
  Pipe ready;
  Child other([&] {
    setsid();
    ready.post();
    for (;;) pause();
  });
  ready.await();
  EXPECT_EQ(-EPERM, sys(SYS_setpgid, other.pid(), other.pid()));  // another session's leader
  expect_in_child([&] { EXPECT_EQ(-EPERM, sys(SYS_setpgid, 0, other.pid())); });
}

// spec 20 T-1 | getpgid; getsid
TEST(Jobctl, GetpgidAndGetsidErrors) {
  EXPECT_EQ(-ESRCH, sys(SYS_getpgid, 4194300));
  EXPECT_EQ(-ESRCH, sys(SYS_getsid, 4194300));
  EXPECT_EQ(-ESRCH, sys(SYS_getpgid, -1));
}

}  // namespace
