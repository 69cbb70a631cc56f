// What fork and exec hand on of how a task is scheduled, and how a new task begins. Spec 30 section 7.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/sched.h>

#include "test/hosted/program.hh"

namespace {

using namespace program;

constexpr long kResetOnFork = 0x40000000;

long set_policy(long policy, int priority) {
  Var<int> param(priority);
  return sys(__NR_sched_setscheduler, 0, policy, param.addr());
}
unsigned long affinity() {
  Var<unsigned long> mask;
  return sys(__NR_sched_getaffinity, 0, 8, mask.addr()) > 0 ? mask.get() : 0;
}
int rt_priority() {
  Var<int> param;
  return sys(__NR_sched_getparam, 0, param.addr()) ? -1 : param.get();
}
// What it is asked for: policy, nice, real-time priority, CPUs. 0: all of it is so.
struct Expected {
  long policy;
  int nice, rt_priority;
  unsigned long cpus;
};
Expected expected;
long looks(unsigned long) {
  MUST(sys(__NR_sched_getscheduler, 0) == expected.policy);
  MUST(20 - sys(__NR_getpriority, 0, 0) == expected.nice);
  MUST(rt_priority() == expected.rt_priority);
  MUST(affinity() == expected.cpus);
  return 0;
}
long executes_it(unsigned long) {
  static unsigned char elf[user::kElfSize];
  const size_t size = user::make_elf(looks, elf, sizeof(elf));
  user::Str path("/looks");
  const long fd = sys(__NR_open, path.addr(), O_RDWR | O_CREAT | O_TRUNC, 0755);
  const unsigned long at = user::map(sizeof(elf));
  user::write_bytes(at, elf, size);
  MUST(sys(__NR_write, fd, at, size) == static_cast<long>(size) && sys(__NR_close, fd) == 0);
  return sys(__NR_execve, path.addr(), 0, 0);
}

// spec 30 S-56
PROGRAM_CASE(fork_and_exec_hand_on) {
  Var<unsigned long> mask(0b10);
  MUST(sys(__NR_sched_setaffinity, 0, 8, mask.addr()) == 0);
  MUST(sys(__NR_setpriority, 0, 0, 7) == 0);
  expected = {SCHED_NORMAL, 7, 0, 0b10};
  MUST(ends_by(user::fork(looks), 0));
  MUST(ends_by(user::fork(executes_it), 0));
  MUST(set_policy(SCHED_FIFO, 9) == 0);
  expected = {SCHED_FIFO, 7, 9, 0b10};
  MUST(ends_by(user::fork(looks), 0));
  MUST(ends_by(user::fork(executes_it), 0));
  MUST(set_policy(SCHED_RR | kResetOnFork, 3) == 0);
  expected = {SCHED_NORMAL, 0, 0, 0b10};  // and without the flag
  MUST(ends_by(user::fork(looks), 0));
  MUST(ends_by(user::fork(executes_it), 0));
  MUST(sys(__NR_sched_getscheduler, 0) == (SCHED_RR | kResetOnFork));
  return 0;
}

unsigned long tid_at;
long finds_its_number(unsigned long) { return user::peek<int>(tid_at) == static_cast<int>(gettid()) ? 0 : 1; }
// spec 30 S-21: the number is stored once the switch is over: the page may still have to be brought in
PROGRAM_CASE(a_new_task_stores_its_number) {
  tid_at = user::map(8192) + 4096;
  MUST(ends_by(user::clone(CLONE_CHILD_SETTID | SIGCHLD, 0, finds_its_number, 0, 0, tid_at), 0));
  return 0;
}

kunit_case cases[] = {KUNIT_CASE(fork_and_exec_hand_on), KUNIT_CASE(a_new_task_stores_its_number), {}};
kunit_suite suite = {.name = "sched_inherit", .test_cases = cases, .world = {.cpus = 2, .seeds = 3}};

}  // namespace

kunit_test_suite(suite);
