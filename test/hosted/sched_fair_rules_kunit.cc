// The fair class's own rules with real tasks: counts on the way up, leaving the class, bandwidth. Spec 31 sections 5 to 9.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/jiffies.h>

#include "kernel/fork/copy_process.hh"
#include "test/fork/helpers.hh"
#include "test/hosted/hogs.hh"

namespace {

constexpr u64 kTick = TICK_NSEC;

struct Counts {
  unsigned entities, tasks, idle_tasks;
  bool operator==(const Counts&) const = default;
};
Counts counts_of(const cfs_rq& q) { return {q.nr_running, q.h_nr_running, q.idle_h_nr_running}; }
void expect_level(kunit* test, const cfs_rq& q, Counts want, int line) {
  const Counts got = counts_of(q);
  KUNIT_EXPECT_TRUE_MSG(test, got == want, "line %d: %u entities, %u tasks, %u idle ones, not %u %u %u", line, got.entities, got.tasks,
                        got.idle_tasks, want.entities, want.tasks, want.idle_tasks);
}
#define EXPECT_LEVEL(q, ...) expect_level(test, q, Counts{__VA_ARGS__}, __LINE__)

// Waits for CPU 0 behind the test, which keeps it.
void put_behind_us(kunit* test, Hog* h, task_group* tg, int policy = SCHED_NORMAL) {
  h->start(test, 0, tg);
  if (policy != SCHED_NORMAL)
    KUNIT_EXPECT_TRUE(test, __sched_setscheduler(h->task, {.policy = static_cast<unsigned>(policy)}, SchedCaller::Kernel).has_value());
}
void stay_on_cpu_0() {
  watch_from_above();
  const cpumask_t here = {{1}};
  (void)set_cpus_allowed_ptr(current, &here);
}

// spec 31 F-19: each level that was empty gets its entity, one that was not only counts; idle ones count as such from the group that
// makes them so on; nothing is counted above a throttled queue
void queueing_counts_on_the_way_up(kunit* test) {
  stay_on_cpu_0();
  Group outer(test), inner(test, outer);
  rq* r = cpu_rq(0);
  const cfs_rq &in = inner.tg->cpu[0]->q, &out = outer.tg->cpu[0]->q, &root = r->cfs;
  Hog a, b, c, d;
  msleep(10);
  const unsigned before = r->nr_running;
  put_behind_us(test, &a, inner);
  EXPECT_LEVEL(in, 1, 1, 0);
  EXPECT_LEVEL(out, 1, 1, 0);
  EXPECT_LEVEL(root, 1, 1, 0);
  put_behind_us(test, &b, inner);
  EXPECT_LEVEL(in, 2, 2, 0);
  EXPECT_LEVEL(out, 1, 2, 0);
  EXPECT_LEVEL(root, 1, 2, 0);
  put_behind_us(test, &c, inner, SCHED_IDLE);
  EXPECT_LEVEL(in, 3, 3, 1);
  EXPECT_LEVEL(out, 1, 3, 1);
  EXPECT_LEVEL(root, 1, 3, 1);
  KUNIT_EXPECT_EQ(test, r->nr_running, before + 3);
  KUNIT_EXPECT_EQ(test, inner.tg->cpu[0]->se.runnable_weight, 3ul);
  KUNIT_ASSERT_TRUE(test, sched_group_set_idle(outer, true).has_value());
  put_behind_us(test, &d, inner);
  EXPECT_LEVEL(in, 4, 4, 1);
  EXPECT_LEVEL(out, 1, 4, 1);
  EXPECT_LEVEL(root, 1, 4, 4);
  d.finish();
  msleep(10);
  KUNIT_ASSERT_TRUE(test, sched_group_set_idle(outer, false).has_value());
  EXPECT_LEVEL(root, 1, 3, 1);

  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(outer, kMs, 1000 * kMs, 0).has_value());
  msleep(30);
  KUNIT_ASSERT_TRUE(test, out.throttled);
  EXPECT_LEVEL(out, 1, 3, 1);
  EXPECT_LEVEL(root, 0, 0, 0);
  KUNIT_EXPECT_EQ(test, r->nr_running, before);
  Hog e;
  put_behind_us(test, &e, inner);
  EXPECT_LEVEL(in, 4, 4, 1);
  EXPECT_LEVEL(out, 1, 4, 1);
  EXPECT_LEVEL(root, 0, 0, 0);
  KUNIT_EXPECT_EQ(test, r->nr_running, before);
}

// The queue of CPU 0, from above.
struct Locked {
  rq* r = cpu_rq(0);
  unsigned long flags;
  Locked() {
    raw_spin_lock_irqsave(&r->lock, flags);
    update_rq_clock(r);
  }
  ~Locked() { raw_spin_unlock_irqrestore(&r->lock, flags); }
};

// spec 31 F-20: levels go with their last entity; the group of one who went to sleep is to go on; what is left of idle tasks only makes
// the CPU look for work at once
void dequeueing_climbs_while_it_empties(kunit* test) {
  stay_on_cpu_0();
  Group outer(test), inner(test, outer);
  const cfs_rq &in = inner.tg->cpu[0]->q, &out = outer.tg->cpu[0]->q;
  sched_entity &in_se = inner.tg->cpu[0]->se, &out_se = outer.tg->cpu[0]->se;
  Hog a, b, other, idle;
  put_behind_us(test, &a, inner);
  put_behind_us(test, &b, inner);
  put_behind_us(test, &other, nullptr);
  {
    Locked l;
    const unsigned before = l.r->nr_running;
    const cfs_rq& root = l.r->cfs;
    deactivate_task(l.r, b.task, DEQUEUE_SAVE | DEQUEUE_NOCLOCK);  // not a sleep
    KUNIT_EXPECT_NULL(test, root.next);
    activate_task(l.r, b.task, ENQUEUE_RESTORE | ENQUEUE_NOCLOCK);
    deactivate_task(l.r, b.task, DEQUEUE_SLEEP | DEQUEUE_NOCLOCK);
    KUNIT_EXPECT_PTR_EQ(test, out.next, &in_se);
    KUNIT_EXPECT_PTR_EQ(test, root.next, &out_se);
    EXPECT_LEVEL(in, 1, 1, 0);
    EXPECT_LEVEL(out, 1, 1, 0);
    EXPECT_LEVEL(root, 2, 2, 0);
    KUNIT_EXPECT_EQ(test, l.r->nr_running, before - 1);
    deactivate_task(l.r, a.task, DEQUEUE_SLEEP | DEQUEUE_NOCLOCK);
    EXPECT_LEVEL(in, 0, 0, 0);
    EXPECT_LEVEL(out, 0, 0, 0);
    EXPECT_LEVEL(root, 1, 1, 0);
    KUNIT_EXPECT_FALSE(test, in_se.on_rq || out_se.on_rq);
    KUNIT_EXPECT_NULL(test, root.next);  // nobody's buddy who is not queued
    activate_task(l.r, a.task, ENQUEUE_WAKEUP | ENQUEUE_NOCLOCK);
    activate_task(l.r, b.task, ENQUEUE_WAKEUP | ENQUEUE_NOCLOCK);
    KUNIT_EXPECT_TRUE(test, in_se.on_rq && out_se.on_rq);
    KUNIT_EXPECT_EQ(test, l.r->nr_running, before);
  }
  a.finish();
  b.finish();
  put_behind_us(test, &idle, nullptr, SCHED_IDLE);
  msleep(1);
  Locked l;
  const unsigned long due = l.r->next_balance = jiffies + 1000;
  const unsigned urgent = l.r->nr_running - l.r->cfs.h_nr_running;
  WRITE_ONCE(l.r->nr_running, l.r->nr_running - urgent);  // as if we did not run
  deactivate_task(l.r, idle.task, DEQUEUE_SLEEP | DEQUEUE_NOCLOCK);
  KUNIT_EXPECT_EQ(test, l.r->next_balance, due);
  activate_task(l.r, idle.task, ENQUEUE_WAKEUP | ENQUEUE_NOCLOCK);
  deactivate_task(l.r, other.task, DEQUEUE_SLEEP | DEQUEUE_NOCLOCK);
  KUNIT_EXPECT_EQ(test, l.r->next_balance, jiffies);
  activate_task(l.r, other.task, ENQUEUE_WAKEUP | ENQUEUE_NOCLOCK);
  WRITE_ONCE(l.r->nr_running, l.r->nr_running + urgent);
}

int naps(void* stop) {
  while (!READ_ONCE(*static_cast<bool*>(stop))) {
    set_current_state(TASK_UNINTERRUPTIBLE);
    if (!READ_ONCE(*static_cast<bool*>(stop))) schedule();
    __set_current_state(TASK_RUNNING);
  }
  return 0;
}

// spec 31 F-22: whoever leaves the class asleep is placed as if it woke now and made relative, so that it takes no credit for the sleep
// along; whoever comes back is made absolute; one that never ran is relative as it is
void leaving_the_class_makes_vruntime_relative(kunit* test) {
  stay_on_cpu_0();
  bool stop = false;
  task_struct* p = kthread_create(naps, &stop, "naps");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
  get_task_struct(p);
  kthread_bind(p, 0);
  wake_up_process(p);
  msleep(10);
  Hog h;
  h.start(test, 0, nullptr);
  msleep(400);
  const s64 credit = static_cast<s64>(sched_state->tunables.latency / 2);
  const cfs_rq& q = cpu_rq(0)->cfs;
  KUNIT_EXPECT_LT(test, static_cast<s64>(p->se.vruntime - q.min_vruntime), -credit);
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(p, {.policy = SCHED_FIFO, .rt_priority = 1}, SchedCaller::Kernel).has_value());
  KUNIT_EXPECT_EQ(test, static_cast<s64>(p->se.vruntime), -credit);
  msleep(100);
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(p, {}, SchedCaller::Kernel).has_value());
  KUNIT_EXPECT_EQ(test, static_cast<s64>(p->se.vruntime - q.min_vruntime), -credit);

  become_parent();
  auto made = copy_process({.flags = CLONE_VM, .exit_signal = SIGCHLD, .fn = [](void*) -> int { do_exit(0); }});
  KUNIT_ASSERT_TRUE(test, made.has_value());
  task_struct* child = *made;
  const pid_t nr = task_pid_vnr(child);
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(child, {}, SchedCaller::Kernel).has_value());
  child->se.vruntime = 12345;
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(child, {.policy = SCHED_FIFO, .rt_priority = 1}, SchedCaller::Kernel).has_value());
  KUNIT_EXPECT_EQ(test, child->se.vruntime, 12345ull);
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(child, {}, SchedCaller::Kernel).has_value());
  KUNIT_EXPECT_EQ(test, child->se.vruntime, 12345ull);
  wake_up_new_task(child);
  KUNIT_EXPECT_EQ(test, wait_for(nr).result, nr);
  WRITE_ONCE(stop, true);
  wake_up_process(p);
  while (READ_ONCE(p->__state) != TASK_DEAD) msleep(1);
  put_task_struct(p);
}

// spec 31 F-42
void the_groups_load_is_told_of_larger_changes_only(kunit* test) {
  Group g(test);
  cfs_rq* q = &g.tg->cpu[0]->q;
  const unsigned long old = q->avg.load_avg, old_contrib = q->tg_load_avg_contrib;
  const s64 before = atomic_long_read(&g.tg->load_avg);
  Locked l;
  auto tell = [&](unsigned long contrib, unsigned long now) {
    atomic_long_set(&g.tg->load_avg, 10'000);
    q->tg_load_avg_contrib = contrib;
    q->avg.load_avg = now;
    update_tg_load_avg(q);
    return atomic_long_read(&g.tg->load_avg);
  };
  KUNIT_EXPECT_EQ(test, tell(6400, 6500), 10'000);
  KUNIT_EXPECT_EQ(test, tell(6400, 6300), 10'000);
  KUNIT_EXPECT_EQ(test, q->tg_load_avg_contrib, 6400ul);
  KUNIT_EXPECT_EQ(test, tell(6400, 6501), 10'101);
  KUNIT_EXPECT_EQ(test, q->tg_load_avg_contrib, 6501ul);
  KUNIT_EXPECT_EQ(test, tell(6400, 6299), 9'899);
  KUNIT_EXPECT_EQ(test, tell(0, 1), 10'001);
  q->avg.load_avg = old;
  q->tg_load_avg_contrib = old_contrib;
  atomic_long_set(&g.tg->load_avg, before);
}

// spec 31 F-45: with full capacity and frequency it is the queue's clock, and it stands still while the queue is throttled
void the_load_clock_stands_still_while_throttled(kunit* test) {
  stay_on_cpu_0();
  KUNIT_EXPECT_EQ(test, pelt_clock(&cpu_rq(0)->cfs, 123'456'789), 123'456'789ull);
  Group g(test);
  Hog h;
  h.start(test, 0, g);
  msleep(200);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(g, 20 * kMs, 1000 * kMs, 0).has_value());
  msleep(60);
  cfs_rq* q = &g.tg->cpu[0]->q;
  u64 stopped;
  unsigned long util;
  {
    Locked l;
    KUNIT_ASSERT_TRUE(test, q->throttled);
    stopped = pelt_clock(q, l.r->clock);
    update_cfs_rq_load_avg(q, stopped);
    util = q->avg.util_avg;
  }
  KUNIT_EXPECT_GT(test, util, 800ul);
  msleep(400);
  {
    Locked l;
    KUNIT_EXPECT_EQ(test, pelt_clock(q, l.r->clock), stopped);
    update_cfs_rq_load_avg(q, pelt_clock(q, l.r->clock));
    KUNIT_EXPECT_EQ(test, q->avg.util_avg, util);  // it would be nothing by now
  }
  u64 ended;
  {
    KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(g, kNoQuota, 100 * kMs, 0).has_value());
    Locked l;
    ended = l.r->clock;
    KUNIT_EXPECT_LE(test, pelt_clock(q, ended) - stopped, 10 * kMs);
  }
  msleep(20);
  Locked l;
  KUNIT_EXPECT_GE(test, pelt_clock(q, l.r->clock) - stopped, l.r->clock - ended);
}

// ---- Bandwidth ---------------------------------------------------------------------------------------------------------------

// spec 31 F-53: a slice at the first entity's coming, then what was used goes off it and the rest of a slice is fetched when it is spent;
// what CPUs have, what they used and what the pool has are the quota together
void runtime_is_taken_by_slices(kunit* test) {
  stay_on_cpu_0();
  Group g(test);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(g, 40 * kMs, 500 * kMs, 0).has_value());
  const BandwidthPool& pool = g.tg->bandwidth.pool;
  cfs_rq* q = &g.tg->cpu[0]->q;
  Hog h;
  h.start(test, 0, g);  // waits behind us
  KUNIT_EXPECT_EQ(test, q->runtime_remaining, s64{5 * kMs});
  KUNIT_EXPECT_EQ(test, pool.runtime, 35 * kMs);
  KUNIT_EXPECT_FALSE(test, pool.idle);
  KUNIT_EXPECT_TRUE(test, g.tg->bandwidth.period_active);
  for (int i = 0; i < 6; i++) {
    msleep(1);
    Locked l;
    const s64 used = static_cast<s64>(h.task->se.sum_exec_runtime);
    KUNIT_EXPECT_EQ(test, static_cast<s64>(pool.runtime) + q->runtime_remaining + used, s64{40 * kMs});
    KUNIT_EXPECT_LE(test, q->runtime_remaining, s64{5 * kMs});
    KUNIT_EXPECT_GT(test, q->runtime_remaining, -static_cast<s64>(kTick));
    if (q->throttled) break;
  }
  while (!READ_ONCE(q->throttled)) msleep(1);
  Locked l;
  KUNIT_EXPECT_EQ(test, pool.runtime, 0ull);
  KUNIT_EXPECT_LE(test, q->runtime_remaining, s64{0});
  KUNIT_EXPECT_EQ(test, q->runtime_remaining + static_cast<s64>(h.task->se.sum_exec_runtime), s64{40 * kMs});
}

// spec 31 F-59
void what_is_left_goes_back(kunit* test) {
  stay_on_cpu_0();
  Group g(test);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(g, 20 * kMs, 1000 * kMs, 0).has_value());
  const CfsBandwidth& b = g.tg->bandwidth;
  Hog above[2], queued[2], h;
  for (unsigned i = 0; i < 2; i++) {  // CPUs 1 and 2: taken by others, so that what waits there in the group only holds its slice
    above[i].start(test, i + 1, nullptr);
    KUNIT_ASSERT_TRUE(test, __sched_setscheduler(above[i].task, {.policy = SCHED_FIFO, .rt_priority = 10}, SchedCaller::Kernel).has_value());
  }
  msleep(10);
  for (unsigned i = 0; i < 2; i++) {
    queued[i].start(test, i + 1, g);
    KUNIT_EXPECT_EQ(test, g.tg->cpu[i + 1]->q.runtime_remaining, s64{5 * kMs});
  }
  h.start(test, 0, g);
  KUNIT_EXPECT_EQ(test, b.pool.runtime, 5 * kMs);
  const cfs_rq& q = g.tg->cpu[0]->q;
  while (!READ_ONCE(q.throttled)) msleep(1);
  const u64 ran = h.task->se.sum_exec_runtime;
  KUNIT_EXPECT_GE(test, ran, 10 * kMs);
  KUNIT_EXPECT_FALSE(test, b.slack_started);
  sched_move_task(queued[0].task, nullptr);
  KUNIT_EXPECT_EQ(test, g.tg->cpu[1]->q.runtime_remaining, s64{1 * kMs});
  KUNIT_EXPECT_EQ(test, b.pool.runtime, 4 * kMs);
  KUNIT_EXPECT_FALSE(test, b.slack_started);  // not more than a slice
  sched_move_task(queued[1].task, nullptr);
  KUNIT_EXPECT_EQ(test, b.pool.runtime, 8 * kMs);
  KUNIT_EXPECT_TRUE(test, b.slack_started);
  KUNIT_EXPECT_TRUE(test, q.throttled);
  const u64 asked = arch::clock_ns();
  while (READ_ONCE(q.throttled) && arch::clock_ns() < asked + 50 * kMs) udelay(100);
  const u64 waited = arch::clock_ns() - asked;
  KUNIT_EXPECT_GE(test, waited, 5 * kMs);
  KUNIT_EXPECT_LT(test, waited, 6 * kMs);
  msleep(40);
  KUNIT_EXPECT_TRUE(test, q.throttled);
  KUNIT_EXPECT_GE(test, h.task->se.sum_exec_runtime, ran + 4 * kMs);
  KUNIT_EXPECT_EQ(test, b.pool.nr_periods, 0ull);
}

// spec 31 F-62: four CPUs that share 100 ms use it up in 25; a quota of two CPUs is never used up by one
void a_quota_is_shared_or_never_reached(kunit* test) {
  stay_on_cpu_0();
  Group four(test), rich(test);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(rich, 200 * kMs, 100 * kMs, 0).has_value());
  Hog h[4], alone;
  alone.start(test, 0, rich);
  u64 before = alone.ran();
  const u64 t = let_run(1000);
  expect_near(test, alone.ran() - before, t, 5, "the rich one");
  KUNIT_EXPECT_EQ(test, rich.tg->bandwidth.pool.nr_throttled, 0ull);
  alone.finish();
  for (unsigned i = 0; i < 4; i++) h[i].start(test, i, four);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(four, 100 * kMs, 100 * kMs, 0).has_value());
  u64 ran[4];
  const BandwidthPool& pool = four.tg->bandwidth.pool;
  const u64 periods = READ_ONCE(pool.nr_periods);
  while (READ_ONCE(pool.nr_periods) == periods) udelay(200);
  for (unsigned i = 0; i < 4; i++) ran[i] = task_sched_runtime(h[i].task);
  msleep(50);
  u64 sum = 0;
  for (unsigned i = 0; i < 4; i++) {
    KUNIT_EXPECT_TRUE(test, four.tg->cpu[i]->q.throttled);
    const u64 used = task_sched_runtime(h[i].task) - ran[i];
    expect_near(test, used / 1000, 25'000, (5 + 2 * kTick / kMs) * 1000, "us of one of four");
    sum += used;
  }
  expect_near(test, sum / kMs, 100, 4 * kTick / kMs, "all four");
}

// spec 31 F-64: a CPU is over by a tick at most, and pays it back
s64 runtime_left(const Group& g, unsigned cpu) {
  IrqSpinGuard guard(cpu_rq(cpu)->lock);
  return g.tg->cpu[cpu]->q.runtime_remaining;
}
void overrun_is_paid_back(kunit* test) {
  stay_on_cpu_0();
  Group g(test);
  KUNIT_ASSERT_TRUE(test, sched_group_set_bandwidth(g, 30 * kMs, 100 * kMs, 0).has_value());
  Hog h[3];
  for (unsigned i = 0; i < 3; i++) h[i].start(test, i + 1, g);
  const BandwidthPool& pool = g.tg->bandwidth.pool;
  for (int n = 0; n < 12; n++) {
    const u64 periods = READ_ONCE(pool.nr_periods);
    while (READ_ONCE(pool.nr_periods) == periods) msleep(1);
    u64 used = 0;
    for (auto& one : h) used += task_sched_runtime(one.task);
    const u64 given = (READ_ONCE(pool.nr_periods) + 1) * 30 * kMs;
    KUNIT_EXPECT_LE(test, used, given + 3 * kTick);       // what is over does not add up
    KUNIT_EXPECT_GE(test, used + 30 * kMs, given);  // and nothing of this period may have been used yet
    for (unsigned i = 0; i < 3; i++) KUNIT_EXPECT_GE(test, runtime_left(g, i + 1), -static_cast<s64>(kTick));
  }
}

kunit_case cases[] = {
    KUNIT_CASE(queueing_counts_on_the_way_up),
    KUNIT_CASE(dequeueing_climbs_while_it_empties),
    KUNIT_CASE(leaving_the_class_makes_vruntime_relative),
    KUNIT_CASE(the_groups_load_is_told_of_larger_changes_only),
    KUNIT_CASE(the_load_clock_stands_still_while_throttled),
    KUNIT_CASE(runtime_is_taken_by_slices),
    KUNIT_CASE(what_is_left_goes_back),
    KUNIT_CASE(a_quota_is_shared_or_never_reached),
    KUNIT_CASE(overrun_is_paid_back),
    {},
};
kunit_suite suite = {.name = "sched_fair_rules", .test_cases = cases, .world = {.cpus = 4, .seeds = 3}};

// ---- Where a woken task goes --------------------------------------------------------------------------------------------------------

// Two packages of two cores with two threads each: 0 to 3 share a cache, 0 and 1 a core.
struct Choice {
  task_struct* p;
  Hog busy[8];
  bool stop = false;

  explicit Choice(kunit* test) {
    p = kthread_create(naps, &stop, "chooser");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
    get_task_struct(p);
    wake_up_process(p);
    msleep(10);
  }
  ~Choice() {
    WRITE_ONCE(stop, true);
    wake_up_process(p);
    while (READ_ONCE(p->__state) != TASK_DEAD) msleep(1);
    put_task_struct(p);
  }
  void occupy(kunit* test, unsigned long cpus, unsigned policy = SCHED_NORMAL) {
    for (unsigned cpu = 0; cpu < 8; cpu++)
      if (cpus >> cpu & 1) {
        busy[cpu].start(test, cpu, nullptr);
        if (policy != SCHED_NORMAL) (void)__sched_setscheduler(busy[cpu].task, {.policy = policy}, SchedCaller::Kernel);
      }
    msleep(10);
  }
  // Where a synchronous wake-up by current, alone on its CPU, would put p: that CPU is the target.
  unsigned where(unsigned prev, unsigned recent) {
    unsigned long flags;
    raw_spin_lock_irqsave(&p->pi_lock, flags);
    current->wakee_flips = p->wakee_flips = 0;
    p->recent_used_cpu = static_cast<int>(recent);
    const unsigned cpu = select_task_rq(p, prev, WF_TTWU | WF_SYNC);
    raw_spin_unlock_irqrestore(&p->pi_lock, flags);
    return cpu;
  }
};
void go_to(unsigned cpu) {
  const cpumask_t there = {{1ul << cpu}};
  (void)set_cpus_allowed_ptr(current, &there);
}

struct PerCpuWaker {
  Choice* c;
  unsigned found = ~0u;
};
int wakes_from_its_cpu(void* d) {
  auto* w = static_cast<PerCpuWaker*>(d);
  w->found = w->c->where(2, 2);
  return 0;
}

// spec 31 F-78, row by row
void where_a_woken_task_goes(kunit* test) {
  go_to(0);
  Choice c(test);
  {  // the target itself, if only SCHED_IDLE tasks are there
    go_to(4);
    c.occupy(test, 0b1111'1110, SCHED_IDLE);
    go_to(0);
    KUNIT_EXPECT_EQ(test, c.where(1, 1), 1u);
    for (auto& h : c.busy) h.finish();
    msleep(10);
  }
  KUNIT_EXPECT_EQ(test, c.where(3, 3), 3u);  // prev, idle, with the same cache
  {                                           // a thread of one CPU, woken from there: it will be gone
    PerCpuWaker w{&c};
    task_struct* t = kthread_run_on_cpu(wakes_from_its_cpu, &w, 2, "percpu/%u");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
    msleep(20);
    KUNIT_EXPECT_EQ(test, w.found, 2u);
  }
  c.occupy(test, 0b0000'0010);                // CPU 1
  KUNIT_EXPECT_EQ(test, c.where(1, 3), 3u);  // where it was before that
  KUNIT_EXPECT_EQ(test, c.p->recent_used_cpu, 1);
  KUNIT_EXPECT_EQ(test, c.where(1, 6), 2u);  // not with another cache: then a whole idle core
  c.occupy(test, 0b0000'0100);                // CPU 2: no core is idle
  KUNIT_EXPECT_EQ(test, c.where(2, 2), 3u);  // the idle sibling of prev
  c.busy[1].finish();
  msleep(10);
  KUNIT_EXPECT_EQ(test, c.where(2, 2), 3u);
  c.occupy(test, 0b0000'1010);                // all of this cache
  KUNIT_EXPECT_EQ(test, c.where(1, 1), 0u);  // the target then
  go_to(0);
}

// spec 31 F-78: one thread per core: from the one after the target on, around; no further than the scan may look
void where_the_scan_looks(kunit* test) {
  go_to(1);
  Choice c(test);
  c.occupy(test, 0b0000'0101);  // 0 and 2, and 1 is ours
  sched_domain_shared* shared = cpu_rq(1)->dom->cache->shared;
  const int before = shared->nr_idle_scan;
  auto where = [&](int may_look) {
    WRITE_ONCE(shared->nr_idle_scan, may_look);  // each CPU that runs dry sets it
    return c.where(2, 2);
  };
  KUNIT_EXPECT_EQ(test, where(8), 3u);
  c.occupy(test, 0b0101'1000);  // 3, 4 and 6
  KUNIT_EXPECT_EQ(test, where(8), 5u);
  c.busy[0].finish();
  c.occupy(test, 0b1010'0000);  // 5 and 7: around
  KUNIT_EXPECT_EQ(test, where(8), 0u);
  KUNIT_EXPECT_EQ(test, where(6), 1u);  // it gives up: 0 is the seventh
  KUNIT_EXPECT_EQ(test, where(0), 1u);
  WRITE_ONCE(shared->nr_idle_scan, before);
}

kunit_case smt_cases[] = {KUNIT_CASE(where_a_woken_task_goes), {}};
kunit_suite smt = {.name = "sched_wake_placing_smt", .test_cases = smt_cases, .world = {.cpus = 8, .cmdline = "topology=2x2x2"}};
kunit_case core_cases[] = {KUNIT_CASE(where_the_scan_looks), {}};
kunit_suite cores = {.name = "sched_wake_placing", .test_cases = core_cases, .world = {.cpus = 8, .cmdline = "topology=1x8"}};

}  // namespace

kunit_test_suite(suite);
kunit_test_suite(smt);
kunit_test_suite(cores);
