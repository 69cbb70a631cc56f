// The fair class's steps that core.cc takes without a call through the table: nearly every task is fair. rq lock held.
// A task in no group has one level, and its steps are here; the walks through groups' levels are in fair_groups.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/jiffies.h>

#include "kernel/sched/fair_load.hh"
#include "kernel/sched/rq.hh"

inline task_struct* task_of(sched_entity* se) { return container_of(se, task_struct, se); }

// ---- One level ----------------------------------------------------------------------------------------------------

inline void enqueue_entity(cfs_rq* q, sched_entity* se, u64 now, int flags) {
  // Before the counts change: what was so far is what is aged.
  update_load_avg(q, se, now, UPDATE_TG | DO_ATTACH);
  se_update_runnable(se);
  update_cfs_group(se, now);
  q->enqueue(se, now, flags);
}

inline void dequeue_entity(cfs_rq* q, sched_entity* se, u64 now, int flags, int load_flags) {
  q->update_curr(now);
  update_load_avg(q, se, now, UPDATE_TG | load_flags);
  se_update_runnable(se);
  q->dequeue(se, now, flags);
  update_cfs_group(se, now);
}

inline void set_next_entity(cfs_rq* q, sched_entity* se, u64 now) {
  if (se->on_rq) update_load_avg(q, se, now, UPDATE_TG);
  q->set_next(se, now);
}

inline void put_prev_entity(cfs_rq* q, sched_entity* prev, u64 now) {
  if (prev->on_rq) {
    q->update_curr(now);
    update_load_avg(q, prev, now, 0);
  }
  q->put_prev(prev, now);
}

// ---- fair_groups.cc: the levels above a grouped task's own ----------------------------------------------------------

// p has entered or left its own queue. True: it counts for the CPU; false: it, or a group above it, is throttled.
bool enqueue_in_groups(rq* r, task_struct* p);
bool dequeue_in_groups(rq* r, task_struct* p, int flags);
void check_preempt_in_groups(rq* r, task_struct* curr, task_struct* woken);
task_struct* pick_in_groups(rq* r, task_struct* prev);  // prev: fair, and put if another is picked; or null
void put_prev_in_groups(rq* r, task_struct* p);
void set_next_in_groups(rq* r, task_struct* p);
void tick_in_groups(rq* r, task_struct* p);
void yield_in_groups(rq* r, task_struct* p);
void set_next_buddy(sched_entity* se);                  // at each level; idle-type entities are never buddies
void note_load_here(cfs_rq* q, rq* r);                  // onto the rq's list of queues with load
void update_blocked_averages(rq* r);                    // ages what nobody runs

unsigned select_task_rq_fair(task_struct* p, unsigned prev, int wake_flags);  // select.cc

// ---- The steps ----------------------------------------------------------------------------------------------------

inline void fair_enqueue(rq* r, task_struct* p, int flags) {
  sched_entity* se = &p->se;
  cfs_rq* q = se->cfs_rq;
  util_est_enqueue(&r->cfs, se);
  enqueue_entity(q, se, r->clock, flags);
  list_add(&se->group_node, &r->cfs_tasks);
  if (!se->parent || enqueue_in_groups(r, p)) [[likely]]
    add_nr_running(r, 1);
}

// F-20: nobody but SCHED_IDLE tasks is left, so the CPU is as good as idle: it looks for work at once.
inline bool counts_as_idle(const sched_entity* se) {
  for (; se; se = se->parent)
    if (cfs_rq::is_idle(se)) return true;
  return false;
}
inline void note_idle_only(rq* r, const task_struct* gone) {
  if (r->nr_running == r->cfs.idle_h_nr_running && !counts_as_idle(&gone->se)) WRITE_ONCE(r->next_balance, jiffies);
}

inline void fair_dequeue(rq* r, task_struct* p, int flags) {
  sched_entity* se = &p->se;
  cfs_rq* q = se->cfs_rq;
  util_est_dequeue(&r->cfs, se);
  // S-12: a task on its way to another CPU takes its load along; a sleeper's stays and fades.
  dequeue_entity(q, se, r->clock, flags, task_on_rq_migrating(p) ? DO_DETACH : 0);
  list_del_init(&se->group_node);
  if (!se->parent || dequeue_in_groups(r, p, flags)) [[likely]]
    add_nr_running(r, -1);
  if (r->cfs.idle_h_nr_running) [[unlikely]]
    note_idle_only(r, p);
  if (flags & DEQUEUE_SLEEP) pelt::estimate_at_sleep(se->avg);
}

inline FairKind fair_kind(const task_struct* p) {
  return p->policy == SCHED_IDLE ? FairKind::Idle : p->policy == SCHED_BATCH ? FairKind::Batch : FairKind::Normal;
}

inline void fair_check_preempt(rq* r, task_struct* woken, int) {
  task_struct* curr = r->curr;
  if (test_tsk_thread_flag(curr, TIF_NEED_RESCHED)) return;
  if (curr->se.cfs_rq != woken->se.cfs_rq) [[unlikely]]
    return check_preempt_in_groups(r, curr, woken);
  if (woken->se.cfs_rq->should_preempt(&woken->se, r->clock, fair_kind(woken), fair_kind(curr))) resched_curr(r);
}

inline void mark_idle(rq* r) {
  r->idle_since = r->clock | 1;
  if (!single_cpu()) __atomic_fetch_or(&sched_state->idle_cpus, 1ul << r->cpu, __ATOMIC_RELAXED);
}
inline void unmark_idle(rq* r) {
  if (r->idle_since) {
    WRITE_ONCE(r->idle_time, r->idle_time + (r->clock - (r->idle_since & ~1ull)));
    WRITE_ONCE(r->idle_since, 0);
  }
  if (!single_cpu()) __atomic_fetch_and(&sched_state->idle_cpus, ~(1ul << r->cpu), __ATOMIC_RELAXED);
}

// Only fair tasks are queued, and there is one. prev is fair or idle. F-26: a task picked again keeps its slice. Null: all
// that is here is throttled now.
inline task_struct* fair_pick(rq* r, task_struct* prev) {
  const bool was_idle = prev == r->idle;
  cfs_rq* q = &r->cfs;
  if (sched_entity* c = q->curr; c && c->on_rq) q->update_curr(r->clock);
  sched_entity* se = q->pick();
  task_struct* next;
  if (se->my_q || prev->se.parent) [[unlikely]] {
    next = pick_in_groups(r, was_idle ? nullptr : prev);
    if (!next) return nullptr;
  } else {
    next = task_of(se);
    if (next == prev) return next;
    const u64 clock = pelt_clock(q, r->clock);
    if (!was_idle && prev->se.on_rq) age_entity(q, &prev->se, clock);
    age_entity(q, se, clock);
    q->switch_curr(was_idle ? nullptr : &prev->se, se, r->clock);
  }
  if (was_idle) unmark_idle(r);
  if (next != prev) list_move(&next->se.group_node, &r->cfs_tasks);
  return next;
}
