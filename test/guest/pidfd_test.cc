// pidfds: opening, polling, signals, waiting, descriptors of others.
// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>
#include <sys/stat.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

constexpr int kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

int getfd(int pidfd, int fd, unsigned flags = 0) { return (int)sys(438 /* pidfd_getfd */, pidfd, fd, flags); }

// spec 20 F-120 | pidfd_open
TEST(Pidfd, OpenErrors) {
  EXPECT_EQ(-EINVAL, pidfd_open(0));
  EXPECT_EQ(-EINVAL, pidfd_open(-1));
  EXPECT_EQ(-EINVAL, pidfd_open(INT32_MIN));
  EXPECT_EQ(-ESRCH, pidfd_open(4194300));
  EXPECT_EQ(-EINVAL, pidfd_open(getpid(), 1));
  EXPECT_EQ(-EINVAL, pidfd_open(getpid(), O_CLOEXEC));
  EXPECT_EQ(-EINVAL, pidfd_open(4194300, 1));  // flags come first
}

// spec 20 F-120 | pidfd_open
TEST(Pidfd, OpenIsCloseOnExec) {
  Fd fd(pidfd_open(getpid()));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
  EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
}

// spec 20 F-120 | pidfd_open PIDFD_NONBLOCK
TEST(Pidfd, OpenNonblocking) {
  Fd fd(pidfd_open(getpid(), O_NONBLOCK));
  ASSERT_GE(fd, 0);
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

// spec 20 F-120 | pidfd_open
TEST(Pidfd, OnlyALeadersNumberOpens) {
  SKIP_FROM(6, 9, "another errno, and threads can be opened");
  expect_in_child([] {
    static Stack s;
    int tid = clone_fn([](void*) {
      for (;;) raw(SYS_pause);
      return 0;
    }, nullptr, s, kThread);
    EXPECT_EQ(-EINVAL, pidfd_open(tid));
    sys(SYS_exit_group, testing::Test::HasFailure() ? kFailed : 0);
  });
}

// spec 20 F-120 | pidfd_open
TEST(Pidfd, ZombieOpensButNotAReapedOne) {
  Child c([] { return 3; });
  EXPECT_TRUE(eventually_state(c, 'Z'));
  Fd fd(pidfd_open(c));
  EXPECT_GE(fd, 0);
  EXPECT_EQ(3, c.exit_code());
  EXPECT_EQ(-ESRCH, pidfd_open(c));
}

// spec 20 F-120 | pidfd_open; read; write
TEST(Pidfd, CannotBeReadOrWritten) {
  Fd fd(pidfd_open(getpid()));
  char b[8] = {};
  EXPECT_EQ(-EINVAL, sys(SYS_read, (int)fd, b, 8));
  EXPECT_EQ(-EINVAL, sys(SYS_write, (int)fd, b, 8));
}

// spec 20 F-120 | pidfd_open; poll
TEST(Pidfd, PollsReadableWhenTheProcessEnds) {
  Pipe go;
  Child c([&] { go.await(); });
  Fd fd(pidfd_open(c));
  pollfd p{fd, POLLIN, 0};
  EXPECT_EQ(0, poll(&p, 1, 0));
  go.post();
  EXPECT_EQ(1, poll(&p, 1, 30000));
  EXPECT_EQ(POLLIN, p.revents);
  EXPECT_EQ('Z', state_of(c));
  EXPECT_EQ(0, c.exit_code());
  EXPECT_EQ(1, poll(&p, 1, 0));  // reaped: still
  EXPECT_TRUE(p.revents & POLLIN);
}

// spec 20 F-120 | pidfd_open; epoll_wait
TEST(Pidfd, EpollIsWoken) {
  Pipe go;
  Child c([&] { go.await(); });
  Fd fd(pidfd_open(c)), ep(epoll_create1(EPOLL_CLOEXEC));
  epoll_event e{EPOLLIN, {}};
  EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
  EXPECT_EQ(0, epoll_wait(ep, &e, 1, 0));
  go.post();
  EXPECT_EQ(1, epoll_wait(ep, &e, 1, 30000));
  EXPECT_EQ(0, c.exit_code());
}

// spec 20 F-120 | pidfd_open; poll; exit
TEST(Pidfd, PollWaitsForAllThreads) {
  Pipe tids;
  Child c([&] {
    static Stack s;
    int tid = clone_fn([](void*) {
      for (;;) raw(SYS_pause);
      return 0;
    }, nullptr, s, kThread);
    tids.put(tid);
    raw(SYS_exit, 0);
  });
  tids.get<int>();
  Fd fd(pidfd_open(c));
  EXPECT_TRUE(eventually_state(c, 'Z'));
  pollfd p{fd, POLLIN, 0};
  EXPECT_EQ(0, poll(&p, 1, 0));
  c.kill(SIGKILL);
  EXPECT_EQ(1, poll(&p, 1, 30000));
}

// spec 21 15 | pidfd_send_signal
TEST(Pidfd, SendSignal) {
  Child c([] { pause(); });
  Fd fd(pidfd_open(c));
  EXPECT_EQ(0, pidfd_send_signal(fd, 0));
  EXPECT_EQ(0, pidfd_send_signal(fd, SIGTERM));
  EXPECT_EQ(kSignal + SIGTERM, c.exit_code());
  EXPECT_EQ(-ESRCH, pidfd_send_signal(fd, 0));
}

// spec 21 15, S-18 | pidfd_send_signal
TEST(Pidfd, SentInfo) {
  Fd fd(pidfd_open(getpid()));
  Blocked b{SIGUSR1};
  siginfo_t info{}, mine{};
  EXPECT_EQ(0, pidfd_send_signal(fd, SIGUSR1));
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}, &info));
  EXPECT_EQ(SI_USER, info.si_code);
  EXPECT_EQ(getpid(), info.si_pid);
  mine.si_signo = SIGUSR1;
  mine.si_code = SI_QUEUE;
  mine.si_value.sival_int = 31;
  EXPECT_EQ(0, pidfd_send_signal(fd, SIGUSR1, &mine));
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}, &info));
  EXPECT_EQ(SI_QUEUE, info.si_code);
  EXPECT_EQ(31, info.si_value.sival_int);
}

// spec 21 15 | pidfd_send_signal
TEST(Pidfd, SendErrors) {
  Child c([] { pause(); });
  Fd fd(pidfd_open(c)), null(open("/dev/null", O_RDONLY));
  EXPECT_EQ(-EINVAL, pidfd_send_signal(fd, SIGUSR1, nullptr, 1u << 31));
  EXPECT_EQ(-EBADF, pidfd_send_signal(null, SIGUSR1));
  EXPECT_EQ(-EBADF, pidfd_send_signal(987, SIGUSR1));
  EXPECT_EQ(-EINVAL, pidfd_send_signal(fd, 65));
  EXPECT_EQ(-EFAULT, pidfd_send_signal(fd, SIGUSR1, (siginfo_t*)8));
  siginfo_t info{};
  info.si_signo = SIGUSR2;
  info.si_code = SI_QUEUE;
  EXPECT_EQ(-EINVAL, pidfd_send_signal(fd, SIGUSR1, &info));
  info.si_signo = SIGUSR1;
  info.si_code = SI_USER;
  EXPECT_EQ(-EPERM, pidfd_send_signal(fd, SIGUSR1, &info));
}

// spec 21 15 | pidfd_send_signal /proc/PID
TEST(Pidfd, ProcDirectoryServesToo) {
  Child c([] { pause(); });
  Fd dir(open(("/proc/" + std::to_string(c.pid())).c_str(), O_RDONLY | O_DIRECTORY));
  EXPECT_EQ(0, pidfd_send_signal(dir, SIGTERM));
  EXPECT_EQ(kSignal + SIGTERM, c.exit_code());
  EXPECT_EQ(-ESRCH, pidfd_send_signal(dir, 0));
}

// spec 21 S-25 | pidfd_send_signal
TEST(Pidfd, SendNeedsPermission) {
  NEED_CAPABILITY(kCapSetuid);
  Child c([] { pause(); });
  Fd fd(pidfd_open(c));
  expect_in_child([&] {
    become_user();
    EXPECT_EQ(-EPERM, pidfd_send_signal(fd, SIGTERM));
    EXPECT_EQ(-EPERM, pidfd_send_signal(fd, 0));
  });
}

// spec 21 W-3 | waitid P_PIDFD
TEST(Pidfd, NonblockingWait) {
  Pipe go;
  Child c([&] { go.await(); });
  Fd fd(pidfd_open(c, O_NONBLOCK));
  siginfo_t info{};
  EXPECT_EQ(-EAGAIN, waitid_raw(P_PIDFD, fd, &info, WEXITED));
  EXPECT_EQ(0, waitid_raw(P_PIDFD, fd, &info, WEXITED | WNOHANG));
  EXPECT_EQ(0, info.si_pid);
  go.post();
  EXPECT_TRUE(eventually_state(c, 'Z'));
  EXPECT_EQ(0, waitid_raw(P_PIDFD, fd, &info, WEXITED));
  EXPECT_EQ(c.pid(), info.si_pid);
  c.forget();
  EXPECT_EQ(-ECHILD, waitid_raw(P_PIDFD, fd, &info, WEXITED));
}

// spec 21 9 | waitid P_PIDFD
TEST(Pidfd, WaitForAStranger) {
  Fd fd(pidfd_open(getpid()));
  siginfo_t info;
  EXPECT_EQ(-ECHILD, waitid_raw(P_PIDFD, fd, &info, WEXITED));
}

// spec 21 W-17 | waitid P_PIDFD WSTOPPED
TEST(Pidfd, WaitForAStop) {
  Child c([] { pause(); });
  Fd fd(pidfd_open(c));
  pidfd_send_signal(fd, SIGSTOP);
  siginfo_t info{};
  EXPECT_EQ(0, waitid_raw(P_PIDFD, fd, &info, WSTOPPED));
  EXPECT_EQ(CLD_STOPPED, info.si_code);
}

// spec 20 21 | pidfd_getfd
TEST(Pidfd, GetfdSharesTheFile) {
  Pipe ready;
  Child c([&] {
    int fd = (int)sys(SYS_memfd_create, "x", 0);
    EXPECT_EQ(3, write(fd, "abc", 3));
    dup2(fd, 200);
    ready.post();
    pause();
  });
  ready.await();
  Fd pidfd(pidfd_open(c));
  Fd fd(getfd(pidfd, 200));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
  EXPECT_EQ(3, lseek(fd, 0, SEEK_CUR));  // the same offset
}

// spec 20 21 | pidfd_getfd
TEST(Pidfd, GetfdErrors) {
  Child c([] { pause(); });
  Fd pidfd(pidfd_open(c)), null(open("/dev/null", O_RDONLY));
  EXPECT_EQ(-EINVAL, getfd(pidfd, 0, 1));
  EXPECT_EQ(-EBADF, getfd(pidfd, 987));
  EXPECT_EQ(-EBADF, getfd(pidfd, -1));
  EXPECT_EQ(-EBADF, getfd(null, 0));
  EXPECT_EQ(-EBADF, getfd(987, 0));
  c.kill(SIGKILL);
  EXPECT_EQ(kSignal + SIGKILL, c.exit_code());
  EXPECT_EQ(-ESRCH, getfd(pidfd, 0));
}

// spec 20 21 | pidfd_getfd
TEST(Pidfd, GetfdNeedsPtraceAccess) {
  NEED_CAPABILITY(kCapSetuid);
  Child c([] { pause(); });
  Fd pidfd(pidfd_open(c));
  expect_in_child([&] {
    become_user();
    EXPECT_EQ(-EPERM, getfd(pidfd, 0));
  });
}

// spec 20 F-120 | /proc/PID/fdinfo
TEST(Pidfd, FdinfoShowsThePid) {
  if (!exists("/proc/self/fdinfo")) GTEST_SKIP() << "there is no /proc/PID/fdinfo";
  Child c([] { pause(); });
  Fd fd(pidfd_open(c));
  std::string text = read_file("/proc/self/fdinfo/" + std::to_string((int)fd));
  EXPECT_NE(std::string::npos, text.find("Pid:\t" + std::to_string(c.pid()) + "\n")) << text;
  c.kill(SIGKILL);
  c.wait();
  text = read_file("/proc/self/fdinfo/" + std::to_string((int)fd));
  EXPECT_NE(std::string::npos, text.find("Pid:\t-1\n")) << text;
}

std::string fdinfo(int fd) { return read_file("/proc/self/fdinfo/" + std::to_string(fd)); }

// spec 20 F-120 | /proc/PID/fdinfo; open O_CLOEXEC
TEST(Fdinfo, ShowsPlaceAndFlags) {
  Fd fd(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  lseek(fd, 5, SEEK_SET);
  std::string text = fdinfo(fd);
  EXPECT_EQ(0u, text.find("pos:\t5\nflags:\t02100000\nmnt_id:\t")) << text;
}

// spec 20 F-120 | /proc/PID/fdinfo; eventfd2
TEST(Fdinfo, ShowsAnEventfdsCount) {
  Fd fd((int)sys(SYS_eventfd2, 42, 0));
  EXPECT_NE(std::string::npos, fdinfo(fd).find("eventfd-count:               2a\n")) << fdinfo(fd);
}

// spec 20 F-120 | /proc/PID/fdinfo; signalfd4
TEST(Fdinfo, ShowsASignalfdsSignals) {
  uint64_t set = 1u << (SIGUSR1 - 1) | 1u << (SIGKILL - 1);
  Fd fd((int)sys(SYS_signalfd4, -1, &set, 8, 0));
  EXPECT_NE(std::string::npos, fdinfo(fd).find("sigmask:\t0000000000000200\n")) << fdinfo(fd);
}

// spec 20 F-120 | /proc/PID/fdinfo
TEST(Fdinfo, OfAStrangerIsNotShown) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    std::string of_parent = "/proc/" + std::to_string(getppid()) + "/fdinfo/0";
    if (setresuid(1000, 1000, 1000)) return 1;
    return open(of_parent.c_str(), O_RDONLY) == -1 && errno == EACCES ? 0 : 2;
  });
}

// spec 20 F-120 | /proc/PID/fd
TEST(Pidfd, IsAnAnonymousInode) {
  SKIP_FROM(6, 9, "pidfds have a file system of their own");
  Fd fd(pidfd_open(getpid()));
  char link[64] = {};
  EXPECT_GT(readlink(("/proc/self/fd/" + std::to_string((int)fd)).c_str(), link, sizeof(link) - 1), 0);
  EXPECT_STREQ("anon_inode:[pidfd]", link);
}

}  // namespace
