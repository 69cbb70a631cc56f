// Keeping the load of fair entities and their queues up to date: pelt.hh applied at the scheduler's events. Spec 31 sections
// 7 and 8. rq lock held everywhere unless said otherwise; `now` is the rq's clock.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/cfs_queue.hh"
#include "kernel/sched/pelt.hh"

enum : int { UPDATE_TG = 1, DO_ATTACH = 4, DO_DETACH = 8 };

// F-45: a throttled queue's time stands still. (CPU capacity and frequency are both full scale: no other difference.)
inline u64 pelt_clock(const cfs_rq* q, u64 now) {
  const u64 t = q->throttle_count ? q->throttled_clock_pelt : now;
  return t - q->throttled_clock_pelt_time;
}

inline void se_update_runnable(sched_entity* se) {
  if (se->my_q) se->runnable_weight = se->my_q->h_nr_running;
}

// The entity alone. At a switch its being current changes, which its queue, that has a current one before and after, does not
// notice.
inline void age_entity(cfs_rq* q, sched_entity* se, u64 clock) {
  const bool queued = se->on_rq, running = q->curr == se;
  const unsigned long runnable = se->my_q ? se->runnable_weight : queued;
  if (!pelt::update_entity(se->avg, clock, se->load.weight, queued, runnable, running)) [[likely]] return;
  if (!se->my_q) se->avg.util_est.enqueued &= ~pelt::kUtilUnchanged;
}

// Section 7.4: attaching, detaching, and what came from below.
void update_load_avg_slow(cfs_rq* q, sched_entity* se, int flags, bool changed);
void take_off_removed(cfs_rq* q);

// Ages the queue alone and takes off what was removed. True: its averages changed.
inline bool update_cfs_rq_load_avg(cfs_rq* q, u64 clock) {
  const bool removed = READ_ONCE(q->removed.nr);
  if (removed) [[unlikely]]
    take_off_removed(q);
  const bool changed = pelt::update_queue(q->avg, clock, q->load.weight, q->h_nr_running, q->curr != nullptr);
  WRITE_ONCE(q->last_update_time_copy, q->avg.last_update_time);
  return changed | removed;
}

// Ages se and q, takes in what came from below, attaches or detaches.
inline void update_load_avg(cfs_rq* q, sched_entity* se, u64 now, int flags) {
  const u64 clock = pelt_clock(q, now);
  if (se->avg.last_update_time) [[likely]]
    age_entity(q, se, clock);
  const bool changed = update_cfs_rq_load_avg(q, clock);
  if (se->avg.last_update_time && !se->my_q && !(flags & DO_DETACH) && !(changed && q->tg)) [[likely]] return;
  update_load_avg_slow(q, se, flags, changed);
}

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
inline void util_est_enqueue(cfs_rq* q, const sched_entity* se) {
  pelt::publish(q->avg.util_est.enqueued, q->avg.util_est.enqueued + pelt::estimated_util(se->avg));
}
inline void util_est_dequeue(cfs_rq* q, const sched_entity* se) {
  pelt::sub_positive(q->avg.util_est.enqueued, pelt::estimated_util(se->avg));
}
