// The fair class's steps that core.cc takes without a call through the table: nearly every task is fair. rq lock held.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/rq.hh"

inline task_struct* task_of(sched_entity* se) { return container_of(se, task_struct, se); }

inline void fair_enqueue(rq* r, task_struct* p, int flags) {
  r->cfs.enqueue(&p->se, r->clock, flags);
  add_nr_running(r, 1);
}

inline void fair_dequeue(rq* r, task_struct* p, int flags) {
  r->cfs.dequeue(&p->se, r->clock, flags);
  add_nr_running(r, -1);
}

inline void fair_check_preempt(rq* r, task_struct* woken, int) {
  task_struct* curr = r->curr;
  if (test_tsk_thread_flag(curr, TIF_NEED_RESCHED)) return;
  if (r->cfs.should_preempt(&woken->se, r->clock, fair_kind(woken), fair_kind(curr))) resched_curr(r);
}

inline void mark_idle(rq* r) {
  if (!single_cpu()) __atomic_fetch_or(&sched_state->idle_cpus, 1ul << r->cpu, __ATOMIC_RELAXED);
}
inline void unmark_idle(rq* r) {
  if (!single_cpu()) __atomic_fetch_and(&sched_state->idle_cpus, ~(1ul << r->cpu), __ATOMIC_RELAXED);
}

// Only fair tasks are queued, and there is one. prev is fair or idle. F-26: a task picked again keeps its slice.
inline task_struct* fair_pick(rq* r, task_struct* prev) {
  if (sched_entity* c = r->cfs.curr; c && c->on_rq) r->cfs.update_curr(r->clock);
  task_struct* next = task_of(r->cfs.pick());
  if (next == prev) return next;
  bool was_idle = prev == r->idle;
  if (was_idle) unmark_idle(r);
  r->cfs.switch_curr(was_idle ? nullptr : &prev->se, &next->se, r->clock);
  return next;
}
