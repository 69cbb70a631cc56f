// CPU bandwidth of groups: so much time per period, shared by all CPUs through a pool. Spec 31 section 9.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/hrtimer.h>

#include "kernel/sched/rq.hh"

inline constexpr u64 kNoQuota = ~0ull;
inline constexpr u64 kMinQuota = 1'000'000, kMinPeriod = 1'000'000, kMaxPeriod = 1'000'000'000;  // ns (F-52)

// The pool alone: pure arithmetic. Times in ns.
struct BandwidthPool {
  u64 quota = kNoQuota, period = 100'000'000, burst = 0;
  u64 runtime = 0, runtime_snap = 0;  // what is left; what it was after the last refill
  bool idle = true;                   // nobody took anything since the last period's end
  u64 nr_periods = 0, nr_throttled = 0, nr_bursts = 0, throttled_time = 0, burst_time = 0;

  // F-53: up to `want`.
  u64 take(u64 want) {
    if (quota == kNoQuota) return want;
    const u64 got = runtime < want ? runtime : want;
    runtime -= got;
    if (got) idle = false;
    return got;
  }
  // F-57.
  void refill() {
    if (quota == kNoQuota) return;
    runtime += quota;
    if (runtime_snap > runtime) {
      burst_time += runtime_snap - runtime;
      nr_bursts++;
    }
    if (runtime > quota + burst) runtime = quota + burst;
    runtime_snap = runtime;
  }
};

// Of a task_group. lock nests inside rq locks.
struct CfsBandwidth {
  raw_spinlock_t lock;
  BandwidthPool pool;           // lock
  list_head throttled;          // cfs_rq::throttled_node, in the order of throttling; lock
  hrtimer period_timer, slack_timer;
  bool period_active = false, slack_started = false;  // lock
};

void init_bandwidth(CfsBandwidth* b);
void destroy_bandwidth(CfsBandwidth* b);  // waits for its timers; no lock held

// The queue has a quota and has used time: gets more, or asks its CPU to choose again. rq locked.
void account_runtime(cfs_rq* q, rq* r);
// F-54: true if the queue is throttled now.
bool throttle_if_spent_slow(cfs_rq* q, rq* r);
inline bool throttle_if_spent(cfs_rq* q, rq* r) {
  return q->runtime_enabled && q->runtime_remaining <= 0 && throttle_if_spent_slow(q, r);
}
// F-54: the first entity enters a queue that does not run. rq locked.
void check_enqueue_throttle(cfs_rq* q, rq* r);
// F-59: the last entity has left. rq locked.
void return_unused_runtime_slow(cfs_rq* q);
inline void return_unused_runtime(cfs_rq* q, rq*) {
  if (q->runtime_enabled && !q->nr_running) [[unlikely]]
    return_unused_runtime_slow(q);
}
void unthrottle_cfs_rq(cfs_rq* q, rq* r);  // rq locked
void set_cfs_bandwidth_online(rq* r, bool online);  // rq locked; offline: no quota counts there, nothing stays throttled
