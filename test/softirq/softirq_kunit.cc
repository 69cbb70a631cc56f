// Softirqs and tasklets (spec 33 section 7). The suites use the numbers of the network and block layers, which we lack.
// SPDX-License-Identifier: Apache-2.0
#include <linux/interrupt.h>
#include <linux/timer.h>

#include "test/sync/threads.hh"

namespace {

struct Record {
  int order[32];
  int n;
  int count, depth_seen;
  bool irqs_off;
  int again;
};
constinit Record rec;

void note(int nr) {
  if (rec.n < 32) rec.order[rec.n++] = nr;
  rec.count = preempt_count();
  rec.irqs_off |= irqs_disabled();
}
void net_tx(softirq_action*) { note(NET_TX_SOFTIRQ); }
void net_rx(softirq_action*) {
  note(NET_RX_SOFTIRQ);
  if (rec.again) {
    rec.again--;
    raise_softirq(NET_TX_SOFTIRQ);
    raise_softirq(NET_RX_SOFTIRQ);
  }
}
void leaky(softirq_action*) { preempt_disable(); }

int setup(kunit*) {
  rec = {};
  open_softirq(NET_TX_SOFTIRQ, net_tx);
  open_softirq(NET_RX_SOFTIRQ, net_rx);
  return 0;
}

void bh_enable_runs_them(kunit* test) {  // spec 33 W-35 W-36 W-37
  local_bh_disable();
  local_bh_disable();
  raise_softirq(NET_RX_SOFTIRQ);
  raise_softirq(NET_TX_SOFTIRQ);
  local_bh_enable();
  int early = rec.n;
  local_bh_enable();
  KUNIT_EXPECT_EQ(test, early, 0);
  KUNIT_EXPECT_EQ(test, rec.n, 2);
  KUNIT_EXPECT_EQ(test, rec.order[0], (int)NET_TX_SOFTIRQ);  // the lowest number first
  KUNIT_EXPECT_EQ(test, rec.order[1], (int)NET_RX_SOFTIRQ);
  KUNIT_EXPECT_FALSE(test, rec.irqs_off);
  KUNIT_EXPECT_TRUE(test, rec.count & SOFTIRQ_OFFSET);
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
}
void raised_meanwhile_run_in_the_next_round(kunit* test) {  // spec 33 W-35
  rec.again = 3;
  local_bh_disable();
  raise_softirq(NET_RX_SOFTIRQ);
  local_bh_enable();
  settle();
  const int want[] = {NET_RX_SOFTIRQ, NET_TX_SOFTIRQ, NET_RX_SOFTIRQ, NET_TX_SOFTIRQ, NET_RX_SOFTIRQ, NET_TX_SOFTIRQ,
                      NET_RX_SOFTIRQ};
  KUNIT_EXPECT_EQ(test, rec.n, 7);
  for (int i = 0; i < 7; i++) KUNIT_EXPECT_EQ(test, rec.order[i], want[i]);
}
void ksoftirqd_takes_over(kunit* test) {  // spec 33 W-35: after ten rounds
  rec.again = 14;
  local_bh_disable();
  raise_softirq(NET_RX_SOFTIRQ);
  local_bh_enable();
  EXPECT_SOON(test, rec.n == 29);
  KUNIT_EXPECT_EQ(test, rec.again, 0);
}
void raised_outside_interrupts_they_run_soon(kunit* test) {  // spec 33 W-35: ksoftirqd is woken
  raise_softirq(NET_TX_SOFTIRQ);
  EXPECT_SOON(test, rec.n == 1);
}
void lost_preempt_count_is_repaired(kunit* test) {
  open_softirq(NET_TX_SOFTIRQ, leaky);
  local_bh_disable();
  raise_softirq(NET_TX_SOFTIRQ);
  local_bh_enable();
  int count = preempt_count();
  if (count) preempt_count_sub(count);
  KUNIT_EXPECT_EQ(test, count, 0);
}

// ---- Tasklets --------------------------------------------------------------------------------------------------------
struct Tasklet {
  tasklet_struct t;
  int id, calls, again;
};
void tasklet_fn(tasklet_struct* t) {
  Tasklet* x = from_tasklet(x, t, t);
  note(x->id);
  WRITE_ONCE(x->calls, x->calls + 1);
  if (x->again) {
    x->again--;
    tasklet_schedule(t);
  }
}
void make(Tasklet* x, int id) {
  tasklet_setup(&x->t, tasklet_fn);
  x->id = id;
  x->calls = x->again = 0;
}
void tasklet_runs_once_per_schedule(kunit* test) {  // spec 33 W-38
  Tasklet a;
  make(&a, 1);
  local_bh_disable();
  tasklet_schedule(&a.t);
  tasklet_schedule(&a.t);
  tasklet_schedule(&a.t);
  local_bh_enable();
  EXPECT_SOON(test, a.calls == 1);
  tasklet_kill(&a.t);
}
void high_tasklets_before_normal_ones(kunit* test) {  // spec 33 W-38
  Tasklet t[4];
  for (int i = 0; i < 4; i++) make(&t[i], i);
  local_bh_disable();
  tasklet_schedule(&t[0].t);
  tasklet_hi_schedule(&t[1].t);
  tasklet_schedule(&t[2].t);
  tasklet_hi_schedule(&t[3].t);
  local_bh_enable();
  settle();
  const int want[] = {1, 3, 0, 2};
  KUNIT_EXPECT_EQ(test, rec.n, 4);
  for (int i = 0; i < 4; i++) KUNIT_EXPECT_EQ(test, rec.order[i], want[i]);
  for (auto& x : t) tasklet_kill(&x.t);
}
void tasklet_from_itself(kunit* test) {  // spec 33 W-38
  Tasklet a;
  make(&a, 1);
  a.again = 4;
  tasklet_schedule(&a.t);
  msleep(50);
  KUNIT_EXPECT_EQ(test, a.calls, 5);
  tasklet_kill(&a.t);
}
void disabled_tasklet_waits(kunit* test) {  // spec 33 W-38
  Tasklet a;
  make(&a, 1);
  tasklet_disable(&a.t);
  tasklet_schedule(&a.t);
  settle();
  KUNIT_EXPECT_EQ(test, READ_ONCE(a.calls), 0);
  tasklet_enable(&a.t);
  EXPECT_SOON(test, READ_ONCE(a.calls) == 1);
  tasklet_kill(&a.t);
}

kunit_case cases[] = {
    KUNIT_CASE(bh_enable_runs_them),
    KUNIT_CASE(raised_meanwhile_run_in_the_next_round),
    KUNIT_CASE(ksoftirqd_takes_over),
    KUNIT_CASE(raised_outside_interrupts_they_run_soon),
    KUNIT_CASE(lost_preempt_count_is_repaired),
    KUNIT_CASE(tasklet_runs_once_per_schedule),
    KUNIT_CASE(high_tasklets_before_normal_ones),
    KUNIT_CASE(tasklet_from_itself),
    KUNIT_CASE(disabled_tasklet_waits),
    {},
};
kunit_suite suite = {.name = "softirq", .init = setup, .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
