// Groups of fair tasks with real tasks in them: shares, nesting, idle groups, bandwidth, moves. Virtual time, so the figures
// are exact to a tick. Spec 31 sections 8 and 9.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "kernel/fault_inject.hh"
#include "test/hosted/hogs.hh"

// spec 31 F-11, the example with a group
static void a_slice_is_divided_on_the_way_up(kunit* test) {
  Group g(test);
  CfsTunables tun = CfsTunables::for_cpus(1);
  cfs_rq root, below;
  root.tun = below.tun = &tun;
  below.root = &root;
  sched_entity group = {}, a = {}, b = {}, c = {};
  a.load = b.load = c.load = weight_of_nice(0);
  group.load = {kNice0Load, 0};
  group.my_q = &below;
  group.cfs_rq = &root;
  below.owner = &group;
  root.enqueue(&a, 0, 0);
  below.enqueue(&b, 0, 0);
  below.enqueue(&c, 0, 0);
  root.enqueue(&group, 0, 0);
  root.count_tasks(2, 0);
  KUNIT_EXPECT_EQ(test, root.slice(&a), 2999998ull);
  KUNIT_EXPECT_EQ(test, below.slice(&b), 1499998ull);
}

// spec 31 F-46, F-47, F-48: two groups on one CPU share it by their shares, whatever the number of their tasks
static void shares_divide_the_cpu(kunit* test) {
  watch_from_above();
  Group light(test), heavy(test);
  KUNIT_ASSERT_TRUE(test, sched_group_set_shares(heavy, 3072).has_value());
  Hog a, b, c, d;
  a.start(test, 0, light);
  b.start(test, 0, light);
  c.start(test, 0, light);
  d.start(test, 0, heavy);
  const u64 t = let_run(8000);
  expect_near(test, a.ran() + b.ran() + c.ran(), t / 4, 60, "the light group");
  expect_near(test, d.ran(), t * 3 / 4, 60, "the heavy one");
  expect_near(test, a.ran(), b.ran(), 30, "brothers");
  expect_counts(test, 0);
}

// spec 31 F-46: a group within a group, beside a task in none
static void groups_nest(kunit* test) {
  watch_from_above();
  Group outer(test), inner(test, outer);
  Hog alone, out, in;
  alone.start(test, 0, nullptr);
  out.start(test, 0, outer);
  in.start(test, 0, inner);
  KUNIT_EXPECT_EQ(test, in.task->se.depth, 2);
  const u64 t = let_run(8000);
  expect_near(test, alone.ran(), t / 2, 80, "the task in no group");
  expect_near(test, out.ran(), t / 4, 80, "in the outer group");
  expect_near(test, in.ran(), t / 4, 80, "in the inner group");
  expect_counts(test, 0);
}

// spec 31 F-48: a group with work on two CPUs has half its weight on each
static void a_group_on_two_cpus_is_half_on_each(kunit* test) {
  watch_from_above();
  Group both(test);
  Hog a, b, other;
  a.start(test, 0, both);
  b.start(test, 1, both);
  other.start(test, 0, nullptr);
  const u64 t = let_run(8000);
  expect_near(test, a.ran(), t / 3, 150, "half a group against a task");
  expect_near(test, b.ran(), t, 50, "alone on its CPU");
  IrqSpinGuard guard(cpu_rq(0)->lock);
  expect_near(test, both.tg->cpu[0]->se.load.weight, kNice0Load / 2, kNice0Load / 16, "its weight");
}

// spec 31 F-50
static void an_idle_group_runs_when_nobody_else_wants_to(kunit* test) {
  watch_from_above();
  Group background(test);
  KUNIT_ASSERT_TRUE(test, sched_group_set_idle(background, true).has_value());
  KUNIT_EXPECT_EQ(test, sched_group_set_shares(background, 10).error().code(), EINVAL);
  Hog b, front;
  b.start(test, 0, background);
  const u64 alone = let_run(100);
  expect_near(test, b.ran(), alone, 3, "alone");
  front.start(test, 0, nullptr);
  msleep(4000);
  KUNIT_EXPECT_LT(test, b.ran(), alone + 40);
  {
    IrqSpinGuard guard(cpu_rq(0)->lock);
    KUNIT_EXPECT_EQ(test, cpu_rq(0)->cfs.idle_nr_running, 1u);
    KUNIT_EXPECT_EQ(test, cpu_rq(0)->cfs.idle_h_nr_running, 1u);
  }
  KUNIT_ASSERT_TRUE(test, sched_group_set_idle(background, false).has_value());
  {
    IrqSpinGuard guard(cpu_rq(0)->lock);
    KUNIT_EXPECT_EQ(test, cpu_rq(0)->cfs.idle_nr_running, 0u);
    KUNIT_EXPECT_EQ(test, cpu_rq(0)->cfs.idle_h_nr_running, 0u);
  }
  msleep(10000);  // it has its debt of virtual time to pay back first
  const u64 before = b.ran();
  const u64 t = let_run(4000);
  expect_near(test, b.ran() - before, t / 2, 100, "as heavy as any again");
}

// spec 31 F-60: 20 ms in 100
static void a_quota_is_kept(kunit* test) {
  watch_from_above();
  Group g(test);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(g, 20 * kMs, 100 * kMs, 0).has_value());
  Hog h;
  h.start(test, 0, g);
  const u64 t = let_run(1000);
  expect_near(test, h.ran(), t / 5, 21, "a fifth of a second");
  const BandwidthPool& pool = g.tg->bandwidth.pool;
  expect_near(test, pool.nr_periods, 10, 1, "periods");
  expect_near(test, pool.nr_throttled, 10, 1, "periods with a throttled queue");
  expect_counts(test, 0);
  const u64 before = h.ran();
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(g, kNoQuota, 100 * kMs, 0).has_value());
  const u64 free = let_run(100);
  expect_near(test, h.ran() - before, free, 2, "without a quota");
}

// spec 31 F-61: the pool is shared by the CPUs
static void two_cpus_share_a_quota(kunit* test) {
  watch_from_above();
  Group g(test);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(g, 50 * kMs, 100 * kMs, 0).has_value());
  Hog a, b;
  a.start(test, 0, g);
  b.start(test, 1, g);
  const u64 t = let_run(2000);
  expect_near(test, a.ran() + b.ran(), t / 2, 60, "both");
  KUNIT_EXPECT_GT(test, a.ran(), 300ull);
  KUNIT_EXPECT_GT(test, b.ran(), 300ull);
}

// spec 31 F-55, F-56: a throttled group's children stand still too, tasks can come, leave and move while it is
static void a_throttled_subtree_can_be_changed(kunit* test) {
  watch_from_above();
  Group outer(test), inner(test, outer);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(outer, 2 * kMs, 1000 * kMs, 0).has_value());
  Hog a, b;
  a.start(test, 0, inner);
  msleep(50);
  KUNIT_EXPECT_TRUE(test, outer.tg->cpu[0]->q.throttled);
  KUNIT_EXPECT_EQ(test, inner.tg->cpu[0]->q.throttle_count, 1);
  expect_counts(test, 0);
  b.start(test, 0, inner);
  {
    Group late(test, inner);  // born throttled
    KUNIT_EXPECT_EQ(test, late.tg->cpu[0]->q.throttle_count, 1);
  }
  msleep(50);
  KUNIT_EXPECT_LE(test, b.ran(), 1ull);
  expect_counts(test, 0);
  sched_move_task(b.task, nullptr);
  msleep(50);
  KUNIT_EXPECT_GE(test, b.ran(), 48ull);
  expect_counts(test, 0);
  const u64 before = a.ran();
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(outer, kNoQuota, 100 * kMs, 0).has_value());
  msleep(100);
  KUNIT_EXPECT_GT(test, a.ran(), before + 40);
  expect_counts(test, 0);
}

// spec 31 F-52
static void bad_quotas_are_refused(kunit* test) {
  Group g(test);
  struct {
    u64 quota, period, burst;
  } bad[] = {{kMs - 1, 100 * kMs, 0}, {20 * kMs, kMs - 1, 0}, {20 * kMs, 1001 * kMs, 0}, {20 * kMs, 100 * kMs, 21 * kMs}};
  for (auto& b : bad) KUNIT_EXPECT_EQ(test, sched_group_set_bandwidth(g, b.quota, b.period, b.burst).error().code(), EINVAL);
}

// spec 31 F-57, F-63: the pool alone
static void burst_is_saved_up(kunit* test) {
  BandwidthPool p{.quota = 20, .burst = 10, .runtime = 20, .runtime_snap = 20};
  struct {
    u64 use, left, burst_time, bursts;
  } rows[] = {{10, 30, 0, 0}, {30, 20, 10, 1}, {20, 20, 10, 1}, {20, 20, 10, 1}, {5, 30, 10, 1}, {30, 20, 20, 2}};
  for (auto& r : rows) {
    KUNIT_EXPECT_EQ(test, p.take(r.use), r.use);
    p.refill();
    KUNIT_EXPECT_EQ(test, p.runtime, r.left);
    KUNIT_EXPECT_EQ(test, p.burst_time, r.burst_time);
    KUNIT_EXPECT_EQ(test, p.nr_bursts, r.bursts);
  }
}

// spec 31 section 8: moves of running, queued and sleeping tasks keep them scheduled and the counts right
static void tasks_move_between_groups(kunit* test) {
  watch_from_above();
  Group a(test), b(test, a);
  Hog x, y;
  x.start(test, 0, a);
  y.start(test, 0, b);
  task_group* stops[] = {a, b, nullptr};
  for (int i = 0; i < 30; i++) {
    sched_move_task(x.task, stops[i % 3]);
    sched_move_task(y.task, stops[(i + 1) % 3]);
    msleep(7);
    expect_counts(test, 0);
  }
  KUNIT_EXPECT_GT(test, x.ran(), 50ull);
  KUNIT_EXPECT_GT(test, y.ran(), 50ull);
  sched_move_task(current, a);
  msleep(1);
  sched_move_task(current, nullptr);
}

// Each allocation of a group may fail.
static void a_group_that_cannot_be_made_leaves_nothing(kunit* test) {
  { Group warms_the_caches(test); }
  int failures = 0;
  for (long n = 1;; n++) {
    KUNIT_ASSERT_LT(test, n, 40l);
    FaultInjection inject(current, n);
    auto made = sched_create_group(nullptr);
    if (made) {
      sched_destroy_group(*made);
      if (inject.fired()) continue;  // a page less than wished for was enough
      KUNIT_EXPECT_EQ(test, failures, 1 + static_cast<int>(num_possible_cpus()));
      return;
    }
    failures++;
    KUNIT_EXPECT_EQ(test, made.error().code(), ENOMEM);
    KUNIT_EXPECT_TRUE(test, list_empty(&sched_state->groups));
  }
}

// spec 31 section 7.7: what slept or died fades away, and the queue leaves the list
static void blocked_load_fades(kunit* test) {
  watch_from_above();
  Group g(test);
  {
    Hog h;
    h.start(test, 0, g);
    msleep(300);
    IrqSpinGuard guard(cpu_rq(0)->lock);
    KUNIT_EXPECT_GT(test, g.tg->cpu[0]->q.avg.util_avg, 900ul);
    KUNIT_EXPECT_GT(test, cpu_rq(0)->cfs.avg.util_avg, 900ul);
  }
  for (int i = 0; i < 200; i++) {
    msleep(20);
    IrqSpinGuard guard(cpu_rq(0)->lock);
    update_rq_clock(cpu_rq(0));
    update_blocked_averages(cpu_rq(0));
  }
  IrqSpinGuard guard(cpu_rq(0)->lock);
  KUNIT_EXPECT_EQ(test, g.tg->cpu[0]->q.avg.util_avg, 0ul);
  KUNIT_EXPECT_TRUE(test, list_empty(&g.tg->cpu[0]->q.leaf_node));
}

static kunit_case cases[] = {
    KUNIT_CASE(a_slice_is_divided_on_the_way_up),
    KUNIT_CASE(shares_divide_the_cpu),
    KUNIT_CASE(groups_nest),
    KUNIT_CASE(a_group_on_two_cpus_is_half_on_each),
    KUNIT_CASE(an_idle_group_runs_when_nobody_else_wants_to),
    KUNIT_CASE(a_quota_is_kept),
    KUNIT_CASE(two_cpus_share_a_quota),
    KUNIT_CASE(a_throttled_subtree_can_be_changed),
    KUNIT_CASE(bad_quotas_are_refused),
    KUNIT_CASE(burst_is_saved_up),
    KUNIT_CASE(tasks_move_between_groups),
    KUNIT_CASE(a_group_that_cannot_be_made_leaves_nothing),
    KUNIT_CASE(blocked_load_fades),
    {},
};
static kunit_suite suite = {.name = "sched_groups", .test_cases = cases, .world = {.cpus = 2, .seeds = 5, .deterministic = "measures shares of CPU time"}};
kunit_test_suite(suite);
