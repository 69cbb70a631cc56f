// What each call that waits does when a signal comes: signal(7)'s lists, and spec 21 S-47, 10 section 14. Each is tried three
// times in a child: with a handler, with a handler and SA_RESTART, and with a stop and its end, which no handler sees.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/futex.h>
#include <uapi/linux/poll.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/wait.h>

#include "test/hosted/program.hh"

namespace {

using namespace program;
using Ts = __kernel_timespec;

constexpr long kMinute = 60;
struct Pair {
  int fd[2];
};
Pair make_pipe() {
  Var<Pair> p;
  sys(__NR_pipe2, p.addr(), 0);
  return p.get();
}
struct UserPollfd {
  int fd;
  short events, revents;
};

// ---- The calls: each would wait a minute at least ------------------------------------------------------------------------------

long reads_pipe() {
  Var<u64> b;
  return sys(__NR_read, make_pipe().fd[0], b.addr(), 8);
}
long writes_full_pipe() {
  const int fd = make_pipe().fd[1];
  const unsigned long at = user::map(65536);
  sys(__NR_write, fd, at, 65536);
  return sys(__NR_write, fd, at, 4096);
}
long opens_fifo() {
  user::Str path("/restart_fifo");
  sys(__NR_mknod, path.addr(), 0010644, 0);
  return sys(__NR_open, path.addr(), O_RDONLY, 0);
}
long waits_for_child() {
  user::fork(waits_for_signals);
  return sys(__NR_wait4, -1, 0, 0, 0);
}
long waits_by_id() {
  user::fork(waits_for_signals);
  return sys(__NR_waitid, P_ALL, 0, 0, WEXITED, 0);
}
long reads_eventfd() {
  Var<u64> b;
  return sys(__NR_read, sys(__NR_eventfd2, 0, 0), b.addr(), 8);
}
long reads_timerfd() {
  Var<u64> b;
  return sys(__NR_read, sys(__NR_timerfd_create, CLOCK_MONOTONIC, 0), b.addr(), 8);
}
long reads_signalfd() {
  Var<u64> set(bit(SIGTERM));
  user::Frame room(128);
  sys(__NR_rt_sigprocmask, SIG_BLOCK, set.addr(), 0, 8);
  return sys(__NR_read, sys(__NR_signalfd4, -1, set.addr(), 8, 0), room.addr(), 128);
}
long receives() {
  Var<Pair> p;
  sys(__NR_socketpair, 1 /* AF_UNIX */, 1 /* SOCK_STREAM */, 0, p.addr());
  Var<u64> b;
  return sys(__NR_recvfrom, p.get().fd[0], b.addr(), 8, 0, 0, 0);
}
long futex_waits() {
  Var<u32> w(1);
  return sys(__NR_futex, w.addr(), FUTEX_WAIT, 1, 0);
}
long futex_waits_a_minute() {
  Var<u32> w(1);
  Var<Ts> t(Ts{kMinute, 0});
  return sys(__NR_futex, w.addr(), FUTEX_WAIT, 1, t.addr());
}
long pauses() { return sys(__NR_pause); }
long suspends() {
  Var<u64> none(0);
  return sys(__NR_rt_sigsuspend, none.addr(), 8);
}
long awaits_signal() {
  Var<u64> set(bit(SIGTERM));
  return sys(__NR_rt_sigtimedwait, set.addr(), 0, 0, 8);
}
long polls() {
  Var<UserPollfd> p(UserPollfd{make_pipe().fd[0], POLLIN, 0});
  return sys(__NR_poll, p.addr(), 1, -1);
}
long polls_a_minute() {
  Var<UserPollfd> p(UserPollfd{make_pipe().fd[0], POLLIN, 0});
  return sys(__NR_poll, p.addr(), 1, kMinute * 1000);
}
long polls_with_mask() {
  Var<UserPollfd> p(UserPollfd{make_pipe().fd[0], POLLIN, 0});
  Var<Ts> t(Ts{kMinute, 0});
  Var<u64> none(0);
  return sys(__NR_ppoll, p.addr(), 1, t.addr(), none.addr(), 8);
}
long selects() {
  Var<u64> set(1ull << make_pipe().fd[0]);
  return sys(__NR_select, 32, set.addr(), 0, 0, 0);
}
long selects_with_mask() {
  Var<u64> set(1ull << make_pipe().fd[0]);
  Var<Ts> t(Ts{kMinute, 0});
  return sys(__NR_pselect6, 32, set.addr(), 0, 0, t.addr(), 0);
}
long epolls() {
  user::Frame events(12);
  return sys(__NR_epoll_wait, sys(__NR_epoll_create1, 0), events.addr(), 1, -1);
}
long epolls_with_mask() {
  user::Frame events(12);
  Var<u64> none(0);
  return sys(__NR_epoll_pwait, sys(__NR_epoll_create1, 0), events.addr(), 1, kMinute * 1000, none.addr(), 8);
}
long sleeps() {
  Var<Ts> t(Ts{kMinute, 0});
  return sys(__NR_nanosleep, t.addr(), 0);
}
long sleeps_until() {
  Var<Ts> t;
  sys(__NR_clock_gettime, CLOCK_MONOTONIC, t.addr());
  t.set({t.get().tv_sec + kMinute, 0});
  return sys(__NR_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, t.addr(), 0);
}
// Uninterruptible but by death: a vfork parent.
long vforks() { return user::vfork(waits_for_signals); }

// ---- What is expected -------------------------------------------------------------------------------------------------------------

enum class Then : unsigned char { GoesOn, Eintr };
struct Row {
  const char* name;
  long (*call)();
  Then handler, restart, stop;
};
constexpr Then kOn = Then::GoesOn, kEintr = Then::Eintr;
const Row kRows[] = {
    {"read from a pipe", reads_pipe, kEintr, kOn, kOn},
    {"write to a full pipe", writes_full_pipe, kEintr, kOn, kOn},
    {"open of a FIFO", opens_fifo, kEintr, kOn, kOn},
    {"wait4", waits_for_child, kEintr, kOn, kOn},
    {"waitid", waits_by_id, kEintr, kOn, kOn},
    {"read from an eventfd", reads_eventfd, kEintr, kOn, kOn},
    {"read from a timerfd", reads_timerfd, kEintr, kOn, kOn},
    {"read from a signalfd", reads_signalfd, kEintr, kOn, kOn},
    {"recv", receives, kEintr, kOn, kOn},
    {"futex", futex_waits, kEintr, kOn, kOn},
    {"futex with a timeout", futex_waits_a_minute, kEintr, kEintr, kOn},
    {"pause", pauses, kEintr, kEintr, kOn},
    {"sigsuspend", suspends, kEintr, kEintr, kOn},
    {"sigtimedwait", awaits_signal, kEintr, kEintr, kEintr},
    {"poll", polls, kEintr, kEintr, kOn},
    {"poll with a timeout", polls_a_minute, kEintr, kEintr, kOn},
    {"ppoll", polls_with_mask, kEintr, kEintr, kOn},
    {"select", selects, kEintr, kEintr, kOn},
    {"pselect", selects_with_mask, kEintr, kEintr, kOn},
    {"epoll_wait", epolls, kEintr, kEintr, kEintr},
    {"epoll_pwait", epolls_with_mask, kEintr, kEintr, kEintr},
    {"nanosleep", sleeps, kEintr, kEintr, kOn},
    {"clock_nanosleep to a time", sleeps_until, kEintr, kEintr, kOn},
    {"vfork", vforks, kOn, kOn, kOn},
};

int handled, returned;
long result;
const Row* row;
void on_signal(int, unsigned long, unsigned long) { handled++; }
enum : unsigned long { kPlain, kRestart, kStop };

long performer(unsigned long how) {
  user::sigaction(SIGUSR1, on_signal, how == kRestart ? SA_RESTART : 0);
  result = row->call();
  returned = 1;
  return waits_for_signals(0);
}

// 0, or which expectation failed.
long try_call(unsigned long how, Then expected) {
  handled = returned = 0;
  const long pid = user::fork(performer, how);
  nap(10);
  MUST(!returned);
  if (how == kStop) {
    kill(pid, SIGSTOP);
    if (row->call != vforks) MUST(wait4(pid, WUNTRACED).status == stopped(SIGSTOP));
    kill(pid, SIGCONT);
  } else {
    kill(pid, SIGUSR1);
  }
  nap(10);
  if (row->call != vforks) MUST(handled == (how == kStop ? 0 : 1));
  if (expected == Then::GoesOn) {
    MUST(!returned);
  } else {
    MUST(returned && result == -EINTR);
  }
  kill(pid, SIGKILL);  // in any state (S-46)
  MUST(ends_by(pid, SIGKILL));
  return 0;
}

long tries(unsigned long) {
  pr_info("%s\n", row->name);
  if (long e = try_call(kPlain, row->handler)) return e;
  if (long e = try_call(kRestart, row->restart)) return e;
  return try_call(kStop, row->stop);
}

void describe(const Row* r, char* text) { strscpy(text, r->name, KUNIT_PARAM_DESC_SIZE); }
KUNIT_ARRAY_PARAM(rows, kRows, describe);
void interrupted(kunit* test) {  // spec 21 S-23, S-46, S-47
  row = static_cast<const Row*>(test->param_value);
  KUNIT_EXPECT_EQ(test, user::run_process(tries), 0);
}

// A sleep that is continued sleeps no longer than it was to.
PROGRAM_CASE(stops_do_not_lengthen_sleeps) {  // spec 21 S-47
  Var<Ts> begin, end;
  sys(__NR_clock_gettime, CLOCK_MONOTONIC, begin.addr());
  const long pid = user::fork([](unsigned long) -> long {
    nap(100);
    return 0;
  });
  for (int i = 0; i < 4; i++) {
    nap(10);
    kill(pid, SIGSTOP);
    nap(10);
    kill(pid, SIGCONT);
  }
  MUST(ends_by(pid, 0));
  sys(__NR_clock_gettime, CLOCK_MONOTONIC, end.addr());
  const long took = (end.get().tv_sec - begin.get().tv_sec) * 1000 + (end.get().tv_nsec - begin.get().tv_nsec) / 1'000'000;
  MUST(took >= 100 && took <= 110);
  return 0;
}

kunit_case cases[] = {KUNIT_CASE_PARAM(interrupted, rows_gen_params), KUNIT_CASE(stops_do_not_lengthen_sleeps), {}};
kunit_suite suite = {.name = "restart", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
