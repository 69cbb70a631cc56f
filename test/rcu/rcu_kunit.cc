// RCU on whatever CPUs there are (spec 33 W-50). Readers against grace periods on several CPUs: test/hosted/rcu_kunit.cc.
// SPDX-License-Identifier: Apache-2.0
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "test/sync/threads.hh"

namespace {

struct Callback {
  rcu_head head;
  int id;
};
constinit struct {
  int order[64];
  int n;
  bool soft, irqs_off;
} rec;

void record(rcu_head* h) {
  if (rec.n < 64) rec.order[rec.n] = container_of(h, Callback, head)->id;
  rec.soft = in_serving_softirq();
  rec.irqs_off = irqs_disabled();
  WRITE_ONCE(rec.n, rec.n + 1);
}
int setup(kunit*) {
  rec = {};
  return 0;
}

void runs_later_in_a_softirq(kunit* test) {
  Callback c{{}, 7};
  rcu_read_lock();
  call_rcu(&c.head, record);
  int at_once = READ_ONCE(rec.n);
  rcu_read_unlock();
  rcu_barrier();
  KUNIT_EXPECT_EQ(test, at_once, 0);
  KUNIT_EXPECT_EQ(test, rec.n, 1);
  KUNIT_EXPECT_TRUE(test, rec.soft);
  KUNIT_EXPECT_FALSE(test, rec.irqs_off);
}
void in_order(kunit* test) {  // callbacks of one CPU in order
  Callback c[32];
  preempt_disable();
  for (int i = 0; i < 32; i++) {
    c[i].id = i;
    call_rcu(&c[i].head, record);
  }
  preempt_enable();
  rcu_barrier();
  KUNIT_EXPECT_EQ(test, rec.n, 32);
  for (int i = 0; i < 32; i++) KUNIT_EXPECT_EQ(test, rec.order[i], i);
}
void barrier_waits_for_all(kunit* test) {
  for (int round = 0; round < 5; round++) {
    Callback c[3];
    for (auto& x : c) call_rcu(&x.head, record);
    rcu_barrier();
    KUNIT_EXPECT_EQ(test, rec.n, 3 * (round + 1));
  }
  rcu_barrier();  // with nothing queued
}
void many(kunit* test) {
  auto* c = static_cast<Callback*>(kcalloc(3000, sizeof(Callback), GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, c);
  for (int i = 0; i < 3000; i++) call_rcu(&c[i].head, record);
  rcu_barrier();
  KUNIT_EXPECT_EQ(test, rec.n, 3000);
  kfree(c);
}
Callback second;
void queue_another(rcu_head*) { call_rcu(&second.head, record); }
void callback_queues_a_callback(kunit* test) {
  Callback c;
  call_rcu(&c.head, queue_another);
  rcu_barrier();
  rcu_barrier();
  KUNIT_EXPECT_EQ(test, rec.n, 1);
}
struct FromTimer {
  timer_list timer;
  Callback c;
};
void queue_from_timer(timer_list* t) {
  FromTimer* x = from_timer(x, t, timer);
  call_rcu(&x->c.head, record);
}
void from_interrupt_context(kunit* test) {
  FromTimer x;
  timer_setup(&x.timer, queue_from_timer, 0);
  mod_timer(&x.timer, jiffies + 1);
  msleep(20);
  del_timer_sync(&x.timer);
  rcu_barrier();
  KUNIT_EXPECT_EQ(test, rec.n, 1);
}
struct Freed {
  int payload[4];
  rcu_head rcu;
};
void kfree_rcu_frees(kunit* test) {  // the leak check after the case is the proof
  for (int i = 0; i < 10; i++) {
    auto* f = static_cast<Freed*>(kmalloc(sizeof(Freed), GFP_KERNEL));
    KUNIT_ASSERT_NOT_NULL(test, f);
    kfree_rcu(f, rcu);
  }
  rcu_barrier();
}
void synchronize_returns(kunit* test) {
  for (int i = 0; i < 3; i++) synchronize_rcu();
  Callback c;
  call_rcu(&c.head, record);
  synchronize_rcu();
  rcu_barrier();
  KUNIT_EXPECT_EQ(test, rec.n, 1);
}
void idle_machine_ends_grace_periods(kunit* test) {  // with everybody asleep meanwhile
  Callback c;
  call_rcu(&c.head, record);
  msleep(60);
  KUNIT_EXPECT_EQ(test, READ_ONCE(rec.n), 1);
  rcu_barrier();
}
int spin_a_while(void*) {
  const unsigned long until = jiffies + 15;
  while (time_before(jiffies, until)) arch::cpu_relax();
  return 0;
}
void busy_kernel_thread_does_not_hold_it_up(kunit* test) {  // the tick finds it outside readers
  Callback c;
  Thread t;
  t.start(test, spin_a_while, nullptr);
  call_rcu(&c.head, record);
  t.join();
  msleep(40);
  KUNIT_EXPECT_EQ(test, READ_ONCE(rec.n), 1);
  rcu_barrier();
}
void pointers(kunit* test) {
  static int one = 1, two = 2;
  int* p = nullptr;
  rcu_assign_pointer(p, &one);
  rcu_read_lock();
  rcu_read_lock();  // nests
  int a = *rcu_dereference(p);
  rcu_read_unlock();
  int* old = rcu_replace_pointer(p, &two, true);
  rcu_read_unlock();
  KUNIT_EXPECT_EQ(test, a, 1);
  KUNIT_EXPECT_PTR_EQ(test, old, &one);
  KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(p), &two);
}

kunit_case cases[] = {
    KUNIT_CASE(runs_later_in_a_softirq), KUNIT_CASE(in_order), KUNIT_CASE(barrier_waits_for_all), KUNIT_CASE(many),
    KUNIT_CASE(callback_queues_a_callback), KUNIT_CASE(from_interrupt_context), KUNIT_CASE(kfree_rcu_frees),
    KUNIT_CASE(synchronize_returns), KUNIT_CASE(idle_machine_ends_grace_periods),
    KUNIT_CASE(busy_kernel_thread_does_not_hold_it_up), KUNIT_CASE(pointers), {},
};
kunit_suite suite = {.name = "rcu", .init = setup, .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
