// Keeping the load of fair entities and their queues up to date: pelt.hh applied at the scheduler's events. Spec 31 sections
// 7 and 8. rq lock held everywhere unless said otherwise; `now` is the rq's clock.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/cfs_queue.hh"
#include "kernel/sched/pelt.hh"

enum : int { UPDATE_TG = 1, SKIP_AGE_LOAD = 2, DO_ATTACH = 4, DO_DETACH = 8 };

// F-45: a throttled queue's time stands still. (CPU capacity and frequency are both full scale: no other difference.)
inline u64 pelt_clock(const cfs_rq* q, u64 now) {
  const u64 t = q->throttle_count ? q->throttled_clock_pelt : now;
  return t - q->throttled_clock_pelt_time;
}

inline unsigned long se_runnable(const sched_entity* se) { return se->my_q ? se->runnable_weight : !!se->on_rq; }
inline void se_update_runnable(sched_entity* se) {
  if (se->my_q) se->runnable_weight = se->my_q->h_nr_running;
}

// Section 7.4, where something is to be done.
void __update_load_avg(cfs_rq* q, sched_entity* se, u64 clock, int flags);

// Ages se and q, takes in what came from below, attaches or detaches.
inline void update_load_avg(cfs_rq* q, sched_entity* se, u64 now, int flags) {
  const u64 clock = pelt_clock(q, now);
  const bool due = (clock - q->avg.last_update_time) >> 10 || (clock - se->avg.last_update_time) >> 10;
  if (due || (flags & DO_DETACH) || (se->my_q && se->my_q->propagate)) __update_load_avg(q, se, clock, flags);
}

// Ages the queue alone and takes off what was removed. True: its averages changed.
bool update_cfs_rq_load_avg(cfs_rq* q, u64 clock);
void update_tg_load_avg(cfs_rq* q);  // F-42

void attach_entity_load_avg(cfs_rq* q, sched_entity* se);
void detach_entity_load_avg(cfs_rq* q, sched_entity* se);
// A waking or dying task leaves a queue whose lock is not held; pi_lock, or nobody else knows se.
void remove_entity_load_avg(sched_entity* se);

void init_entity_load(sched_entity* se);                           // F-43, at fork
void post_init_entity_util_avg(cfs_rq* q, sched_entity* se);       // F-43, when the new task is first queued

// F-48: the owner's weight follows what its queue is of the whole group. No-op for tasks.
void __update_cfs_group(sched_entity* se, u64 now);
inline void update_cfs_group(sched_entity* se, u64 now) {
  if (se->my_q) [[unlikely]]
    __update_cfs_group(se, now);
}
// F-49.
void reweight_entity(cfs_rq* q, sched_entity* se, load_weight w, u64 now);

// F-44. q: the root queue.
inline void util_est_enqueue(cfs_rq* q, const sched_entity* se) { q->avg.util_est.enqueued += pelt::estimated_util(se->avg); }
inline void util_est_dequeue(cfs_rq* q, const sched_entity* se) {
  pelt::sub_positive(q->avg.util_est.enqueued, pelt::estimated_util(se->avg));
}
