// Switches on several CPUs: who is asked for a barrier, who may look at a task that has left its CPU for good. Spec 22.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/delay.h>
#include <linux/kernel.h>

#include "kernel/sched/sched.hh"
#include "kernel/sys/membarrier.hh"
#include "test/fork/helpers.hh"
#include "test/hosted/program.hh"

namespace {

using namespace program;

enum { kPrivate = 8, kRegisterPrivate = 16 };
long membarrier(int cmd) { return sys(__NR_membarrier, cmd, 0, 0); }
void run_on(unsigned long cpus) {
  Var<unsigned long> mask(cpus);
  sys(__NR_sched_setaffinity, 0, sizeof cpus, mask.addr());
}

unsigned long words;  // shared page: [0] how many are ready, [1] stop
long computes(unsigned long cpus) {
  run_on(cpus);
  user::compare_exchange(words, 0, 1);
  while (!user::peek<int>(words + 4)) user::burn(20'000);
  return 0;
}
// Calls of membarrier with somebody computing on CPU 1: the most CPUs that one of them asked.
unsigned long most_asked() {
  unsigned long most = 0;
  for (int i = 0; i < 20; i++) {
    const unsigned long before = membarrier_requests();
    if (membarrier(kPrivate)) return 99;
    most = max(most, membarrier_requests() - before);
  }
  return most;
}
// spec 22 C-71: a thread of the caller's is interrupted at its computing, wherever it is; other processes and idle CPUs are not
PROGRAM_CASE(only_the_process_is_asked) {
  words = shared_page();
  run_on(1);
  MUST(membarrier(kRegisterPrivate) == 0);
  MUST(most_asked() == 0);
  const long stranger = user::fork(computes, 2);
  MUST(comes_true(words, 1));
  MUST(most_asked() == 0);
  user::poke<int>(words + 4, 1);
  MUST(ends_by(stranger, 0));
  user::poke<u64>(words, 0);
  MUST(user::thread(user::thread_stack(), computes, 2) > 0);
  MUST(comes_true(words, 1));
  MUST(most_asked() == 1);
  user::poke<int>(words + 4, 1);
  return 0;
}

// ---- The dead ----------------------------------------------------------------------------------------------------------------------

struct Gone {
  bool go;
};
void stay_on(unsigned cpu) {
  cpumask_t one{};
  cpumask_set_cpu(cpu, &one);
  (void)set_cpus_allowed_ptr(current, &one);
}
int ends_elsewhere(void* p) {
  stay_on(1);
  while (!smp_load_acquire(&static_cast<Gone*>(p)->go)) msleep(1);
  do_exit(0);
}
bool has_number(pid_t nr) {
  RcuReadGuard rcu;
  return find_task_by_vpid(nr) != nullptr;
}
// spec 22 C-42, C-40: who reaps itself may have lost its number, and the reaper's reference, while it still runs towards its last switch
void reaped_before_the_last_switch(kunit* test) {
  int still_running = 0;
  stay_on(0);
  for (int i = 0; i < 60; i++) {
    Gone g{};
    const pid_t nr = user_mode_thread(ends_elsewhere, &g, SIGCHLD);  // this thread ignores SIGCHLD
    TaskRef t(nr);
    KUNIT_ASSERT_NOT_NULL(test, t.get());
    smp_store_release(&g.go, true);
    while (has_number(nr)) cpu_relax();
    const unsigned refs = refcount_read(&t->rcu_users);
    if (smp_load_acquire(&t->on_cpu)) {
      still_running++;
      KUNIT_EXPECT_LE(test, refs, 2u);
      KUNIT_EXPECT_GE(test, refcount_read(&t->usage), 1u);
    }
    for (int n = 0; n < 100 && refcount_read(&t->rcu_users); n++) msleep(1);
    KUNIT_EXPECT_EQ(test, refcount_read(&t->rcu_users), 0u);
    KUNIT_EXPECT_NULL(test, READ_ONCE(t->stack));
  }
  KUNIT_EXPECT_GT(test, still_running, 0);
}

kunit_case cases[] = {KUNIT_CASE(only_the_process_is_asked), KUNIT_CASE(reaped_before_the_last_switch), {}};
kunit_suite suite = {.name = "switch_smp", .test_cases = cases, .world = {.cpus = 3}};
kunit_test_suite(suite);

}  // namespace
