// What stands in the way of balance and what is done about it: threads that may not move, tasks that run, affinity. Spec 31 section 10.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/preempt.h>

#include "kernel/sched/params.hh"
#include "kernel/sched/rq.hh"

namespace {

constexpr cpumask_t cpus(unsigned long bits) { return {{bits}}; }

// Wants a CPU all the time. If it is to stay, it has migration disabled and counts where it was elsewhere.
struct Runner {
  enum class Way : unsigned char { Free, Stays } way;
  task_struct* task = nullptr;
  bool stop = false;
  unsigned strayed = 0;

  static int run(void* data) {
    auto* r = static_cast<Runner*>(data);
    if (r->way == Way::Stays) migrate_disable();
    const unsigned home = raw_smp_processor_id();
    while (!READ_ONCE(r->stop)) {
      if (r->way == Way::Stays && raw_smp_processor_id() != home) r->strayed++;
      cpu_relax();
    }
    if (r->way == Way::Stays) migrate_enable();
    return 0;
  }
  void start(kunit* test, cpumask_t mask, SchedRequest how = {}) {
    task = kthread_create(run, this, "runner");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
    get_task_struct(task);
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(task, &mask).has_value());
    KUNIT_EXPECT_TRUE(test, __sched_setscheduler(task, how, SchedCaller::Kernel).has_value());
    wake_up_process(task);
  }
  void allow(kunit* test, cpumask_t mask) { KUNIT_EXPECT_TRUE(test, set_cpus_allowed_nowait(task, &mask).has_value()); }
  void end() {
    WRITE_ONCE(stop, true);
    while (READ_ONCE(task->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
    put_task_struct(task);
  }
};

template <class F>
bool before_long(unsigned ticks, F&& holds) {
  for (unsigned i = 0; i < ticks; i++) {
    if (holds()) return true;
    schedule_timeout_uninterruptible(1);
  }
  return holds();
}

}  // namespace

// spec 30 S-70; spec 31 F-71: an idle CPU beside them or not, they stay
static void those_with_migration_disabled_stay(kunit* test) {
  Runner r[3] = {{Runner::Way::Stays}, {Runner::Way::Stays}, {Runner::Way::Stays}};
  for (Runner& each : r) each.start(test, cpus(2));
  KUNIT_EXPECT_TRUE(test, before_long(100, [&] {
                      return is_migration_disabled(r[0].task) && is_migration_disabled(r[1].task) && is_migration_disabled(r[2].task);
                    }));
  for (Runner& each : r) each.allow(test, cpus(3));
  schedule_timeout_uninterruptible(100);
  for (Runner& each : r) {
    KUNIT_EXPECT_EQ(test, task_cpu(each.task), 1u);
    each.end();
    KUNIT_EXPECT_EQ(test, each.strayed, 0u);
  }
}

// spec 31 section 10.7, failure handling: the one task that could go runs nearly all the time, so that its CPU has to give it up; each time anew
static void a_running_task_is_given_up(kunit* test) {
  Runner bound = {Runner::Way::Free}, moves = {Runner::Way::Free};
  bound.start(test, cpus(2), {.policy = SCHED_IDLE});
  moves.start(test, cpus(2));
  for (int round = 0; round < 5; round++) {
    moves.allow(test, cpus(2));
    KUNIT_EXPECT_TRUE(test, before_long(10, [&] { return task_cpu(moves.task) == 1; }));
    moves.allow(test, cpus(1 | 2));
    KUNIT_EXPECT_TRUE_MSG(test, before_long(150, [&] { return task_cpu(moves.task) == 0; }), "round %d", round);
  }
  moves.end();
  bound.end();
}

// spec 31 F-66, section 10.7: CPU 0 cannot have either of CPU 1's two tasks, so CPU 3 of the other package takes one, though both packages look alike
static void affinity_is_heard_of_above(kunit* test) {
  Runner r[3] = {{Runner::Way::Free}, {Runner::Way::Free}, {Runner::Way::Free}};
  r[0].start(test, cpus(2));
  r[1].start(test, cpus(2));
  r[2].start(test, cpus(4));
  schedule_timeout_uninterruptible(10);
  for (Runner& each : r) each.allow(test, cpus(2 | 4 | 8));
  const auto spread = [&] { return (1u << task_cpu(r[0].task) | 1u << task_cpu(r[1].task) | 1u << task_cpu(r[2].task)) == 0b1110; };
  KUNIT_EXPECT_TRUE(test, before_long(1000, spread));
  for (Runner& each : r) each.end();
}

static kunit_case two[] = {KUNIT_CASE(those_with_migration_disabled_stay), KUNIT_CASE(a_running_task_is_given_up), {}};
static kunit_suite two_suite = {.name = "sched_balance_rules", .test_cases = two, .world = {.cpus = 2, .seeds = 3}};
static kunit_case packages[] = {KUNIT_CASE(affinity_is_heard_of_above), {}};
static kunit_suite packages_suite = {.name = "sched_balance_rules_packages", .test_cases = packages, .world = {.cpus = 4, .cmdline = "topology=2x2", .seeds = 3}};
kunit_test_suites(&two_suite, &packages_suite);
