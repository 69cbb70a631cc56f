// What the hosted machine promises the kernel of interrupts.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/hardirq.h>
#include <linux/hrtimer.h>

#include "arch/contract/arch.hh"
#include "kernel/sched/sched.hh"

namespace {

struct Seen {
  hrtimer timer;
  int calls = 0, count = 0;
  bool irqs_off = false, folded = true;
};
enum hrtimer_restart note(hrtimer* t) {
  Seen* s = container_of(t, Seen, timer);
  s->calls++;
  s->count = preempt_count();
  s->irqs_off = irqs_disabled();
  s->folded = test_preempt_need_resched();
  return HRTIMER_NORESTART;
}

// spec 33 W-42: "interrupts off" is a flag of the CPU; what comes meanwhile is delivered when it is set again, the timer's before those
// of other CPUs, with the counts of an interrupt
void interrupts_wait_for_the_flag(kunit* test) {
  Seen s;
  hrtimer_init(&s.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
  s.timer.function = note;
  preempt_disable();
  local_irq_disable();
  hrtimer_start(&s.timer, 1000, HRTIMER_MODE_REL_PINNED_HARD);
  const u64 until = arch::clock_ns() + 20'000;
  while (arch::clock_ns() < until) cpu_relax();
  clear_preempt_need_resched();
  set_thread_flag(TIF_NEED_RESCHED);  // as another CPU would
  arch::send_ipi(smp_processor_id(), arch::Ipi::Reschedule);
  KUNIT_EXPECT_EQ(test, s.calls, 0);
  KUNIT_EXPECT_FALSE(test, test_preempt_need_resched());
  local_irq_enable();
  KUNIT_EXPECT_EQ(test, s.calls, 1);
  KUNIT_EXPECT_EQ(test, s.count, static_cast<int>(HARDIRQ_OFFSET) + 1);
  KUNIT_EXPECT_TRUE(test, s.irqs_off);
  KUNIT_EXPECT_FALSE(test, s.folded);                    // before the other's
  KUNIT_EXPECT_TRUE(test, test_preempt_need_resched());  // which has been delivered as well
  KUNIT_EXPECT_EQ(test, preempt_count(), 1);
  preempt_enable();
  KUNIT_EXPECT_FALSE(test, test_thread_flag(TIF_NEED_RESCHED));
}

kunit_case cases[] = {KUNIT_CASE(interrupts_wait_for_the_flag), {}};
kunit_suite suite = {.name = "hosted_machine_rules", .test_cases = cases, .world = {.cpus = 2, .seeds = 5}};

}  // namespace

kunit_test_suite(suite);
