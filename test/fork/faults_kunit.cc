// On both machines: each step of a fork fails in turn, also those that only this machine has. What is compared field by field is in test/faults.
// SPDX-License-Identifier: Apache-2.0
#include "test/fork/helpers.hh"

#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/rcupdate.h>

#include "kernel/fault_inject.hh"
#include "kernel/fork/task_memory.hh"
#include "kernel/pid/pid_namespace.hh"

namespace {

int ends(void*) { do_exit(0); }

struct Counts {
  int tasks, stacks;
  unsigned pids;
  bool operator==(const Counts&) const = default;
};
Counts count() { return {nr_threads, kernel_stacks_in_use(), init_pid_ns.pid_allocated}; }
// Once what was there before, or was made just now, is gone: when nothing has changed for a while, or is as wanted.
Counts settled(const Counts* wanted = nullptr) {
  Counts was{};
  for (int same = 0, tries = 0; same < 10 && tries < 500; tries++) {
    msleep(1);
    rcu_barrier();
    const Counts now = count();
    if (wanted && now == *wanted) return now;
    same = now == was ? same + 1 : 0;
    was = now;
  }
  return was;
}

// spec 20 F-50, F-51
void each_step_fails(kunit* test, unsigned long flags) {
  long result = 0, steps = 0;
  for (int i = 0; i < 2; i++) {  // caches get warm
    KUNIT_ASSERT_GT(test, user_mode_thread(ends, nullptr, flags), 0);
    (void)settled();
  }
  const Counts before = settled();
  for (long n = 1; n < 1000; n++) {
    bool fired;
    {
      FaultInjection inject(current, n);
      result = user_mode_thread(ends, nullptr, flags);
      fired = inject.fired();
    }
    if (!fired) break;
    steps++;
    const bool may = result > 0 || result == -ENOMEM || result == -EAGAIN || result == -EINTR || result == -ERESTARTNOINTR || result == -ENOSPC;
    KUNIT_EXPECT_TRUE_MSG(test, may, "step %ld answers %ld", n, result);
    const Counts now = settled(&before);
    KUNIT_EXPECT_EQ(test, now.tasks, before.tasks);
    KUNIT_EXPECT_EQ(test, now.stacks, before.stacks);
    KUNIT_EXPECT_EQ(test, now.pids, before.pids);
  }
  KUNIT_EXPECT_GT(test, result, 0l);
  KUNIT_EXPECT_GT(test, steps, 8l);
  (void)settled();
  kunit_info(test, "%ld steps failed", steps);
}
void a_process(kunit* test) { each_step_fails(test, SIGCHLD); }
void all_shared(kunit* test) { each_step_fails(test, CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD); }
void a_container(kunit* test) {
  each_step_fails(test, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP | SIGCHLD);
}

kunit_case cases[] = {KUNIT_CASE(a_process), KUNIT_CASE(all_shared), KUNIT_CASE(a_container), {}};
kunit_suite suite = {.name = "fork_faults", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
