// Timers: what the calls answer, when callbacks run (spec 33 section 5.3), and sleeping by them (section 4).
// SPDX-License-Identifier: Apache-2.0
#include <linux/interrupt.h>
#include <linux/timer.h>

#include "kernel/sched/sched.hh"
#include "test/sync/threads.hh"

namespace {

struct Probe {
  timer_list timer;
  int calls = 0;
  int rearm = 0;  // so many more times, a tick apart
  unsigned long at = 0;
  int count = 0;
  bool irqs_off = false, soft = false;
};
void fire(timer_list* t) {
  Probe* p = from_timer(p, t, timer);
  p->at = jiffies;
  p->count = preempt_count();
  p->irqs_off = irqs_disabled();
  p->soft = in_serving_softirq();
  WRITE_ONCE(p->calls, p->calls + 1);
  if (p->rearm) {
    p->rearm--;
    mod_timer(t, jiffies + 1);
  }
}

void answers(kunit* test) {  // spec 33 section 5.3
  Probe p;
  timer_setup(&p.timer, fire, 0);
  KUNIT_EXPECT_FALSE(test, timer_pending(&p.timer));
  KUNIT_EXPECT_EQ(test, del_timer(&p.timer), 0);
  KUNIT_EXPECT_EQ(test, mod_timer_pending(&p.timer, jiffies + 1000), 0);
  KUNIT_EXPECT_FALSE(test, timer_pending(&p.timer));
  KUNIT_EXPECT_EQ(test, mod_timer(&p.timer, jiffies + 1000), 0);
  KUNIT_EXPECT_TRUE(test, timer_pending(&p.timer));
  KUNIT_EXPECT_EQ(test, mod_timer(&p.timer, jiffies + 2000), 1);
  KUNIT_EXPECT_EQ(test, mod_timer_pending(&p.timer, jiffies + 3000), 1);
  unsigned long e = p.timer.expires;
  KUNIT_EXPECT_EQ(test, mod_timer(&p.timer, e), 1);
  KUNIT_EXPECT_EQ(test, timer_reduce(&p.timer, e + 500), 1);
  KUNIT_EXPECT_EQ(test, p.timer.expires, e);  // never later
  KUNIT_EXPECT_EQ(test, timer_reduce(&p.timer, e - 500), 1);
  KUNIT_EXPECT_EQ(test, p.timer.expires, e - 500);
  KUNIT_EXPECT_EQ(test, del_timer(&p.timer), 1);
  KUNIT_EXPECT_EQ(test, del_timer_sync(&p.timer), 0);
  KUNIT_EXPECT_EQ(test, timer_reduce(&p.timer, jiffies + 400), 0);
  KUNIT_EXPECT_EQ(test, try_to_del_timer_sync(&p.timer), 1);
  KUNIT_EXPECT_EQ(test, p.calls, 0);
}
void fires_in_its_softirq(kunit* test) {  // spec 33 section 5.2
  Probe p, safe;
  timer_setup(&p.timer, fire, 0);
  timer_setup(&safe.timer, fire, TIMER_IRQSAFE);
  unsigned long e = jiffies + 3;
  mod_timer(&p.timer, e);
  mod_timer(&safe.timer, e);
  msleep(40);
  KUNIT_EXPECT_EQ(test, p.calls, 1);
  KUNIT_EXPECT_GE(test, p.at, e);  // never early
  KUNIT_EXPECT_LE(test, p.at, e + 50);
  KUNIT_EXPECT_TRUE(test, p.soft);
  KUNIT_EXPECT_FALSE(test, p.irqs_off);
  KUNIT_EXPECT_TRUE(test, safe.irqs_off);
  KUNIT_EXPECT_FALSE(test, timer_pending(&p.timer));
  del_timer_sync(&p.timer);
  del_timer_sync(&safe.timer);
}
void past_expiry_fires_at_the_next_tick(kunit* test) {
  Probe p;
  timer_setup(&p.timer, fire, 0);
  unsigned long now = jiffies;
  mod_timer(&p.timer, now - 100);
  msleep(20);
  KUNIT_EXPECT_EQ(test, p.calls, 1);
  KUNIT_EXPECT_LE(test, p.at, now + 50);
}
unsigned cpu_of(const Probe& p) { return p.timer.flags & TIMER_CPUMASK; }
void go_to(unsigned cpu) {
  cpumask_t one = {{1ul << cpu}};
  (void)set_cpus_allowed_ptr(current, &one);
}
struct Busy {
  Probe* p;
  bool inside = false, go_on = false;
};
Busy* busy_callback;
void takes_long(timer_list*) {
  WRITE_ONCE(busy_callback->inside, true);
  while (!READ_ONCE(busy_callback->go_on)) cpu_relax();
}
// spec 33 W-28: a timer is on the CPU that armed it last, pinned or not; one whose callback runs stays where it runs
void the_cpu_of_a_timer(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  Probe p, pinned;
  timer_setup(&p.timer, fire, 0);
  timer_setup(&pinned.timer, fire, TIMER_PINNED);
  go_to(1);
  mod_timer(&p.timer, jiffies + 100);
  mod_timer(&pinned.timer, jiffies + 100);
  KUNIT_EXPECT_EQ(test, cpu_of(p), 1u);
  KUNIT_EXPECT_EQ(test, cpu_of(pinned), 1u);
  go_to(0);
  mod_timer(&p.timer, jiffies + 200);
  mod_timer(&pinned.timer, jiffies + 200);
  KUNIT_EXPECT_EQ(test, cpu_of(p), 0u);
  KUNIT_EXPECT_EQ(test, cpu_of(pinned), 0u);
  del_timer_sync(&p.timer);
  del_timer_sync(&pinned.timer);
  p.timer.expires = jiffies + 2;
  add_timer_on(&p.timer, 1);
  KUNIT_EXPECT_EQ(test, cpu_of(p), 1u);
  EXPECT_SOON(test, READ_ONCE(p.calls) == 1);

  Busy b{&p};
  busy_callback = &b;
  del_timer_sync(&p.timer);
  timer_setup(&p.timer, takes_long, 0);
  p.timer.expires = jiffies + 1;
  add_timer_on(&p.timer, 1);
  while (!READ_ONCE(b.inside)) cpu_relax();
  KUNIT_EXPECT_EQ(test, mod_timer(&p.timer, jiffies + 1000), 0);
  KUNIT_EXPECT_EQ(test, cpu_of(p), 1u);
  WRITE_ONCE(b.go_on, true);
  KUNIT_EXPECT_EQ(test, del_timer_sync(&p.timer), 1);
  (void)set_cpus_allowed_ptr(current, cpu_possible_mask);
}

void callback_rearms(kunit* test) {  // spec 33 W-30
  Probe p;
  p.rearm = 3;
  timer_setup(&p.timer, fire, 0);
  mod_timer(&p.timer, jiffies + 1);
  msleep(80);
  KUNIT_EXPECT_EQ(test, p.calls, 4);
  del_timer_sync(&p.timer);
}
void deleted_never_fires(kunit* test) {  // spec 33 W-29, W-62
  Probe p;
  p.rearm = 1000000;
  timer_setup(&p.timer, fire, 0);
  mod_timer(&p.timer, jiffies + 1);
  msleep(20);
  KUNIT_EXPECT_GT(test, READ_ONCE(p.calls), 0);
  del_timer_sync(&p.timer);
  int calls = READ_ONCE(p.calls);
  msleep(40);
  KUNIT_EXPECT_EQ(test, READ_ONCE(p.calls), calls);
  KUNIT_EXPECT_FALSE(test, timer_pending(&p.timer));
}
void far_away_and_back(kunit* test) {  // moves between levels of the wheel
  Probe p;
  timer_setup(&p.timer, fire, 0);
  mod_timer(&p.timer, jiffies + 1000000);
  mod_timer(&p.timer, jiffies + 40000);
  mod_timer(&p.timer, jiffies + 2);
  msleep(40);
  KUNIT_EXPECT_EQ(test, p.calls, 1);
}
struct Ordered {
  timer_list timer;
  int* next;
  int order;
};
void note_order(timer_list* t) {
  Ordered* o = from_timer(o, t, timer);
  o->order = (*o->next)++;
}
void highest_level_first(kunit* test) {  // spec 33 W-27
  int next = 0;
  Ordered far{{}, &next, -1}, near{{}, &next, -1};
  timer_setup(&far.timer, note_order, TIMER_PINNED);
  timer_setup(&near.timer, note_order, TIMER_PINNED);
  cpumask_t here{{1ul << smp_processor_id()}};
  KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(current, &here).has_value());
  const unsigned long expires = (jiffies + 70) | 7;  // both come up at expires + 1, a multiple of 8
  mod_timer(&far.timer, expires);                    // level 1
  msleep(100);
  mod_timer(&near.timer, expires);                   // level 0 by now
  EXPECT_SOON(test, READ_ONCE(next) == 2);
  KUNIT_EXPECT_EQ(test, far.order, 0);
  KUNIT_EXPECT_EQ(test, near.order, 1);
}
void many_fire_once_each(kunit* test) {  // spec 33 W-61
  Probe p[64];
  unsigned long now = jiffies;
  for (unsigned i = 0; i < 64; i++) {
    timer_setup(&p[i].timer, fire, 0);
    mod_timer(&p[i].timer, now + 1 + i * 3);
  }
  msleep(1000);
  for (unsigned i = 0; i < 64; i++) {
    KUNIT_EXPECT_EQ(test, p[i].calls, 1);
    KUNIT_EXPECT_GE(test, p[i].at, now + 1 + i * 3);
    KUNIT_EXPECT_LE(test, p[i].at, now + 1 + i * 3 + 60);
  }
}

// ---- Sleeping --------------------------------------------------------------------------------------------------------
void schedule_timeout_answers(kunit* test) {  // spec 33 W-21 W-23
  unsigned long begin = jiffies;
  KUNIT_EXPECT_EQ(test, schedule_timeout_uninterruptible(5), 0);
  KUNIT_EXPECT_GE(test, jiffies - begin, 5ul);
  KUNIT_EXPECT_EQ(test, schedule_timeout_interruptible(0), 0);
  KUNIT_EXPECT_EQ(test, READ_ONCE(current->__state), (unsigned)TASK_RUNNING);
}
void running_only_yields(kunit* test) {  // spec 33 W-22
  long left = schedule_timeout(100);
  KUNIT_EXPECT_GE(test, left, 50);
  KUNIT_EXPECT_LE(test, left, 100);
}
int sleep_long(void*) { return static_cast<int>(schedule_timeout_interruptible(1000)); }
void early_wake_leaves_the_rest(kunit* test) {  // spec 33 W-23
  Thread t;
  t.start(test, sleep_long, nullptr);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  wake_up_process(t.task);
  int left = t.join();
  KUNIT_EXPECT_GT(test, left, 900);
  KUNIT_EXPECT_LE(test, left, 1000);
}
void msleep_is_long_enough(kunit* test) {  // spec 33 section 4
  ktime_t begin = ktime_get();
  msleep(10);
  KUNIT_EXPECT_GE(test, ktime_get() - begin, 10 * NSEC_PER_MSEC);
  begin = ktime_get();
  usleep_range(1500, 1600);
  KUNIT_EXPECT_GE(test, ktime_get() - begin, 1500 * NSEC_PER_USEC);
  begin = ktime_get();
  udelay(50);
  KUNIT_EXPECT_GE(test, ktime_get() - begin, 50 * NSEC_PER_USEC);
  PendingSignal pending;
  KUNIT_EXPECT_GE(test, msleep_interruptible(100), 100ul);  // not at all
}

kunit_case cases[] = {
    KUNIT_CASE(answers),
    KUNIT_CASE(fires_in_its_softirq),
    KUNIT_CASE(past_expiry_fires_at_the_next_tick),
    KUNIT_CASE(the_cpu_of_a_timer),
    KUNIT_CASE(callback_rearms),
    KUNIT_CASE(deleted_never_fires),
    KUNIT_CASE(far_away_and_back),
    KUNIT_CASE(highest_level_first),
    KUNIT_CASE(many_fire_once_each),
    KUNIT_CASE(schedule_timeout_answers),
    KUNIT_CASE(running_only_yields),
    KUNIT_CASE(early_wake_leaves_the_rest),
    KUNIT_CASE(msleep_is_long_enough),
    {},
};
kunit_suite suite = {.name = "timer", .test_cases = cases, .world = {.cpus = 2}};
kunit_test_suite(suite);

}  // namespace
