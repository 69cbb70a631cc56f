// Throttling groups that have used up their quota, and the timers that give them more. Spec 31 section 9.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/bandwidth.hh"

#include <linux/kernel.h>

#include "kernel/sched/fair.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr u64 kSlice = 5'000'000;             // sched_cfs_bandwidth_slice
constexpr u64 kKeep = 1'000'000;              // what a queue that went idle keeps for its next task
constexpr u64 kSlackDelay = 5'000'000, kSlackMargin = 2'000'000;

// ---- Taking from the pool -------------------------------------------------------------------------------------------

void start_period(CfsBandwidth* b) {
  if (b->period_active) return;
  b->period_active = true;
  hrtimer_forward_now(&b->period_timer, static_cast<ktime_t>(b->pool.period));
  hrtimer_start(&b->period_timer, hrtimer_get_expires(&b->period_timer), HRTIMER_MODE_ABS_PINNED_HARD);
}

// b->lock held. True: the queue has time left.
bool assign_runtime(CfsBandwidth* b, cfs_rq* q, s64 target) {
  if (b->pool.quota != kNoQuota) start_period(b);
  q->runtime_remaining += static_cast<s64>(b->pool.take(static_cast<u64>(target - q->runtime_remaining)));
  return q->runtime_remaining > 0;
}

CfsBandwidth* bandwidth_of(cfs_rq* q) { return &q->tg->bandwidth; }

// ---- The subtree of a throttled queue -----------------------------------------------------------------------------

// Every queue of this CPU from q's group down. The tree of groups is walked under RCU.
template <class F>
void for_each_queue_below(cfs_rq* q, F&& f) {
  RcuReadGuard rcu;
  task_group* tg = q->tg;
  const task_group* top = tg;
  for (;;) {
    f(&tg->cpu[q->cpu]->q);
    if (list_head* child = READ_ONCE(tg->children.next); child != &tg->children) {
      tg = list_entry(child, task_group, sibling);
      continue;
    }
    for (;;) {
      if (tg == top) return;
      list_head* next = READ_ONCE(tg->sibling.next);
      if (next != &tg->parent->children) {
        tg = list_entry(next, task_group, sibling);
        break;
      }
      tg = tg->parent;
    }
  }
}

void stop_clock(cfs_rq* q, u64 now) {
  WRITE_ONCE(q->throttle_count, q->throttle_count + 1);  // balancers look without the lock
  if (q->throttle_count > 1) return;
  q->throttled_clock_pelt = now;
  list_del_init(&q->leaf_node);
}

void restart_clock(cfs_rq* q, rq* r) {
  WRITE_ONCE(q->throttle_count, q->throttle_count - 1);
  if (q->throttle_count) return;
  q->throttled_clock_pelt_time += r->clock - q->throttled_clock_pelt;
  if (q->load.weight || q->avg.load_sum) note_load_here(q, r);
}

// ---- F-55, F-56 -------------------------------------------------------------------------------------------------------

// False: a last look at the pool found something after all.
bool throttle_cfs_rq(cfs_rq* q, rq* r) {
  CfsBandwidth* b = bandwidth_of(q);
  {
    SpinGuard guard(b->lock);
    if (assign_runtime(b, q, 1)) return false;
    list_add_tail(&q->throttled_node, &b->throttled);
  }
  const u64 now = r->clock;
  for_each_queue_below(q, [now](cfs_rq* below) { stop_clock(below, now); });
  const int tasks = static_cast<int>(q->h_nr_running);
  int idle = static_cast<int>(q->idle ? q->h_nr_running : q->idle_h_nr_running);
  sched_entity* se = q->owner;
  bool above = se->on_rq;  // else nothing above knows of these tasks
  while (above && se && se->on_rq) {
    cfs_rq* up = se->cfs_rq;
    dequeue_entity(up, se, now, DEQUEUE_SLEEP, 0);
    up->count_tasks(-tasks, -idle);
    if (up->idle) idle = tasks;
    se = se->parent;
    if (up->throttled) above = false;
    if (up->load.weight) break;
  }
  for (; above && se; se = se->parent) {
    cfs_rq* up = se->cfs_rq;
    update_load_avg(up, se, now, 0);
    se_update_runnable(se);
    up->count_tasks(-tasks, -idle);
    if (up->idle) idle = tasks;
    if (up->throttled) above = false;
  }
  if (above) add_nr_running(r, -tasks);
  q->throttled = true;
  q->throttled_clock = now;
  return true;
}

}  // namespace

void unthrottle_cfs_rq(cfs_rq* q, rq* r) {
  CfsBandwidth* b = bandwidth_of(q);
  update_rq_clock(r);
  const u64 now = r->clock;
  q->throttled = false;
  {
    SpinGuard guard(b->lock);
    b->pool.throttled_time += now - q->throttled_clock;
    list_del_init(&q->throttled_node);
  }
  for_each_queue_below(q, [r](cfs_rq* below) { restart_clock(below, r); });
  if (!q->load.weight) return;
  const int tasks = static_cast<int>(q->h_nr_running);
  int idle = static_cast<int>(q->idle ? q->h_nr_running : q->idle_h_nr_running);
  bool reaches_top = true;
  sched_entity* se = q->owner;
  for (; se && reaches_top && !se->on_rq; se = se->parent) {
    cfs_rq* up = se->cfs_rq;
    enqueue_entity(up, se, now, ENQUEUE_WAKEUP);
    up->count_tasks(tasks, idle);
    if (up->idle) idle = tasks;
    reaches_top = !up->throttled;
  }
  for (; se && reaches_top; se = se->parent) {
    cfs_rq* up = se->cfs_rq;
    update_load_avg(up, se, now, UPDATE_TG);
    se_update_runnable(se);
    up->count_tasks(tasks, idle);
    if (up->idle) idle = tasks;
    reaches_top = !up->throttled;
  }
  if (reaches_top) add_nr_running(r, tasks);
  if (r->curr == r->idle && r->cfs.nr_running) resched_curr(r);
}

void account_runtime(cfs_rq* q, rq* r) {
  if (q->runtime_remaining > 0 || q->throttled) return;
  CfsBandwidth* b = bandwidth_of(q);
  bool enough;
  {
    SpinGuard guard(b->lock);
    enough = assign_runtime(b, q, kSlice);
  }
  if (!enough && q->curr) resched_curr(r);
}

bool throttle_if_spent_slow(cfs_rq* q, rq* r) { return q->throttled || throttle_cfs_rq(q, r); }

void check_enqueue_throttle(cfs_rq* q, rq* r) {
  if (!q->runtime_enabled || q->curr || q->is_throttled()) return;
  account_runtime(q, r);
  if (q->runtime_remaining <= 0) throttle_cfs_rq(q, r);
}

// ---- The period timer (F-57, F-58) --------------------------------------------------------------------------------------

namespace {

// Each gets just enough to run again; the rest it takes itself when it runs. No lock held. b stays: its group cancels the
// timers before it goes.
void distribute(CfsBandwidth* b) {
  for (;;) {
    cfs_rq* q;
    {
      SpinGuard guard(b->lock);
      if (!b->pool.runtime) return;
      q = list_first_entry_or_null(&b->throttled, cfs_rq, throttled_node);
      if (!q) return;
    }
    rq* r = cpu_rq(q->cpu);
    SpinGuard rq_guard(r->lock);
    if (!q->throttled) continue;
    {
      SpinGuard guard(b->lock);
      q->runtime_remaining += static_cast<s64>(b->pool.take(static_cast<u64>(1 - q->runtime_remaining)));
    }
    if (q->runtime_remaining > 0) unthrottle_cfs_rq(q, r);
  }
}

// True: the timer is to go on. Else it is noted as stopped in the same breath: who throttles afterwards starts it again.
bool period_over(CfsBandwidth* b, u64 overruns) {
  {
    SpinGuard guard(b->lock);
    BandwidthPool& pool = b->pool;
    if (pool.quota == kNoQuota) return b->period_active = false;
    const bool throttled = !list_empty(&b->throttled);
    pool.nr_periods += overruns;
    pool.refill();
    if (pool.idle && !throttled) return b->period_active = false;
    if (!throttled) {
      pool.idle = true;
      return true;
    }
    pool.nr_throttled += overruns;
  }
  distribute(b);
  SpinGuard guard(b->lock);
  b->pool.idle = false;
  return true;
}

// So short a period that its timer does nothing else: everything twice as long, the ratio stays.
void stretch(BandwidthPool& pool) {
  if (pool.period * 2 > kMaxPeriod) return;
  WRITE_ONCE(pool.period, pool.period * 2);  // the timer reads it without the lock
  WRITE_ONCE(pool.quota, pool.quota * 2);
  pool.burst *= 2;
  pr_warn("cfs_period_timer: period too short, now %llu us with quota %llu us\n", pool.period / 1000, pool.quota / 1000);
}

enum hrtimer_restart period_timer_fires(hrtimer* t) {
  CfsBandwidth* b = container_of(t, CfsBandwidth, period_timer);
  for (int rounds = 1;; rounds++) {
    const u64 overruns = hrtimer_forward_now(t, static_cast<ktime_t>(READ_ONCE(b->pool.period)));
    if (!overruns) return HRTIMER_RESTART;
    if (!period_over(b, overruns)) return HRTIMER_NORESTART;
    SpinGuard guard(b->lock);
    if (rounds == 4) stretch(b->pool);
  }
}

// ---- Slack (F-59) -------------------------------------------------------------------------------------------------------

// The pool is filled again within `ns` anyway. b->lock held.
bool refresh_within(CfsBandwidth* b, u64 ns) {
  return hrtimer_get_remaining(&b->period_timer) < static_cast<ktime_t>(ns);
}

enum hrtimer_restart slack_timer_fires(hrtimer* t) {
  CfsBandwidth* b = container_of(t, CfsBandwidth, slack_timer);
  {
    SpinGuard guard(b->lock);
    b->slack_started = false;
    if (refresh_within(b, kSlackMargin) || b->pool.quota == kNoQuota || b->pool.runtime <= kSlice) return HRTIMER_NORESTART;
  }
  distribute(b);
  return HRTIMER_NORESTART;
}

}  // namespace

void return_unused_runtime_slow(cfs_rq* q) {
  const s64 slack = q->runtime_remaining - static_cast<s64>(kKeep);
  if (slack <= 0) return;
  CfsBandwidth* b = bandwidth_of(q);
  SpinGuard guard(b->lock);
  if (b->pool.quota == kNoQuota) return;
  q->runtime_remaining -= slack;
  b->pool.runtime += static_cast<u64>(slack);
  if (b->pool.runtime <= kSlice || list_empty(&b->throttled) || b->slack_started) return;
  if (refresh_within(b, kSlackDelay + kSlackMargin)) return;
  b->slack_started = true;
  hrtimer_start(&b->slack_timer, static_cast<ktime_t>(kSlackDelay), HRTIMER_MODE_REL_PINNED_HARD);
}

// ---- Making and setting -------------------------------------------------------------------------------------------------

void init_bandwidth(CfsBandwidth* b) {
  raw_spin_lock_init(&b->lock);
  INIT_LIST_HEAD(&b->throttled);
  hrtimer_init(&b->period_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
  b->period_timer.function = period_timer_fires;
  hrtimer_init(&b->slack_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
  b->slack_timer.function = slack_timer_fires;
}

void destroy_bandwidth(CfsBandwidth* b) {
  hrtimer_cancel(&b->period_timer);
  hrtimer_cancel(&b->slack_timer);
}

// F-52, 9.2. Times in ns. The cgroup layer has seen to it that a child's share is bounded by its parent's (v2: at use).
Result<void> sched_group_set_bandwidth(task_group* tg, u64 quota, u64 period, u64 burst) {
  if (period < kMinPeriod || period > kMaxPeriod) return fail(EINVAL);
  if (quota != kNoQuota && (quota < kMinQuota || burst > quota)) return fail(EINVAL);
  if (quota == kNoQuota && burst) return fail(EINVAL);
  CfsBandwidth* b = &tg->bandwidth;
  const bool enabled = quota != kNoQuota;
  MutexGuard serial(sched_state->groups_lock);
  {
    IrqSpinGuard guard(b->lock);
    WRITE_ONCE(b->pool.period, period);
    WRITE_ONCE(b->pool.quota, quota);  // a CPU that comes up looks at it without the lock, and is told below
    b->pool.burst = burst;
    b->pool.runtime = b->pool.runtime_snap = enabled ? quota : 0;
    if (enabled) start_period(b);
  }
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    rq* r = cpu_rq(cpu);
    cfs_rq* q = &tg->cpu[cpu]->q;
    IrqSpinGuard guard(r->lock);
    q->runtime_enabled = enabled;
    q->runtime_remaining = 0;
    if (q->throttled) unthrottle_cfs_rq(q, r);
  }
  return {};
}

void set_cfs_bandwidth_online(rq* r, bool online) {
  RcuReadGuard rcu;
  task_group* top;
  list_for_each_entry_rcu(top, &sched_state->groups, sibling) {
    for_each_queue_below(&top->cpu[r->cpu]->q, [&](cfs_rq* q) {
      q->runtime_enabled = online && READ_ONCE(bandwidth_of(q)->pool.quota) != kNoQuota;
      if (online || !q->throttled) return;
      q->runtime_remaining = 1;
      unthrottle_cfs_rq(q, r);
    });
  }
}
