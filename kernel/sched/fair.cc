// The fair class: cfs_rq connected to a run queue. Spec 31.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/fair.hh"

#include "kernel/sched/task_group.hh"

#include <linux/jiffies.h>

namespace {

void yield_task_fair(rq* r) {
  if (r->nr_running < 2) return;
  task_struct* p = r->curr;
  if (p->policy != SCHED_BATCH) rq_clock_skip_update(r);
  if (p->se.parent) [[unlikely]]
    return yield_in_groups(r, p);
  r->cfs.yield(r->clock, fair_kind(p));
}

// F-27. Both queues locked.
bool yield_to_task_fair(rq* r, task_struct* p) {
  if (!p->se.on_rq || p->se.cfs_rq->is_throttled()) return false;
  set_next_buddy(&p->se);
  yield_task_fair(r);
  return true;
}

task_struct* pick_next_task_fair(rq* r) {
  if (!r->cfs.nr_running) return nullptr;
  task_struct* p = pick_in_groups(r, nullptr);
  if (p) list_move(&p->se.group_node, &r->cfs_tasks);
  return p;
}

void put_prev_task_fair(rq* r, task_struct* p) { put_prev_in_groups(r, p); }
void set_next_task_fair(rq* r, task_struct* p) { set_next_in_groups(r, p); }

void task_tick_fair(rq* r, task_struct* p) {
  if (p->se.parent) [[unlikely]]
    return tick_in_groups(r, p);
  r->cfs.update_curr(r->clock);
  update_load_avg(&r->cfs, &p->se, r->clock, UPDATE_TG);
  if (r->cfs.tick(r->clock)) resched_curr(r);
}

void task_fork_fair(rq* r, task_struct* child) {
  init_entity_load(&child->se);
  child->se.cfs_rq->place_new(&child->se, r->clock);
}

// F-21: a task on its way between queues carries its vruntime relative to the queue's floor. Only a waking one is still
// absolute here; its old queue's lock is not held, so the floor is read once, as a hint, and its load is left for the
// queue's next update to take off (section 7.7).
void migrate_task_rq_fair(task_struct* p, unsigned) {
  if (READ_ONCE(p->__state) == TASK_WAKING) {
    p->se.vruntime -= READ_ONCE(p->se.cfs_rq->min_vruntime);
    remove_entity_load_avg(&p->se);
  }
  p->se.avg.last_update_time = 0;  // to be attached over there
}

void task_dead_fair(task_struct* p) { remove_entity_load_avg(&p->se); }

// F-22: a task that sleeps while it leaves or joins the class, or its group, is absolute, and must be made relative, or back.
bool vruntime_is_absolute(const task_struct* p) {
  // One that never ran is NEW: it may have run without having used time. Others see a task WAKING only on the list of a CPU, which it
  // may have been moved to (spec 30 S-49).
  const unsigned state = READ_ONCE(p->__state);
  return !p->on_rq && state != TASK_NEW && !(state == TASK_WAKING && p->sched_remote_wakeup);
}

// What came into or left q is heard of further up at once, and its fading will be.
void propagate_up(rq* r, cfs_rq* q) {
  for (sched_entity* se = q->owner; se; se = se->parent) {
    note_load_here(se->my_q, r);
    update_load_avg(se->cfs_rq, se, r->clock, UPDATE_TG);
    update_cfs_group(se, r->clock);
  }
}

// The load of a task that leaves the class or its group goes with it.
void detach_task(rq* r, task_struct* p) {
  cfs_rq* q = p->se.cfs_rq;
  if (vruntime_is_absolute(p)) {
    q->place_asleep(&p->se, r->clock);
    p->se.vruntime -= q->min_vruntime;
  }
  if (!p->se.avg.last_update_time) return;
  update_load_avg(q, &p->se, r->clock, 0);
  detach_entity_load_avg(q, &p->se);
  update_tg_load_avg(q);
  propagate_up(r, q);
  p->se.avg.last_update_time = 0;
}
void attach_task(rq* r, task_struct* p) {
  cfs_rq* q = p->se.cfs_rq;
  update_cfs_rq_load_avg(q, pelt_clock(q, r->clock));
  attach_entity_load_avg(q, &p->se);
  update_tg_load_avg(q);
  propagate_up(r, q);
  if (vruntime_is_absolute(p)) p->se.vruntime += q->min_vruntime;
}

void switched_from_fair(rq* r, task_struct* p) { detach_task(r, p); }
void switched_to_fair(rq* r, task_struct* p) {
  attach_task(r, p);
  if (!task_on_rq_queued(p)) return;
  if (r->curr == p)
    resched_curr(r);
  else
    check_preempt_curr(r, p, 0);
}

void task_change_group_fair(rq* r, task_struct* p, unsigned cpu) {
  if (READ_ONCE(p->__state) == TASK_NEW) {  // nothing is attached yet
    set_task_rq(p, cpu);
    return;
  }
  detach_task(r, p);
  set_task_rq(p, cpu);
  attach_task(r, p);
}

void prio_changed_fair(rq* r, task_struct* p, int old_prio) {
  if (!task_on_rq_queued(p) || r->cfs.h_nr_running == 1) return;
  if (r->curr != p)
    check_preempt_curr(r, p, 0);
  else if (p->prio > old_prio)
    resched_curr(r);
}

unsigned get_rr_interval_fair(rq* r, task_struct* p) {
  if (!r->cfs.load.weight) return 0;
  return p->se.cfs_rq->slice(&p->se) / (NSEC_PER_SEC / HZ);
}

void update_curr_fair(rq* r) {
  for (sched_entity* se = &r->curr->se; se; se = se->parent) se->cfs_rq->update_curr(r->clock);
}

}  // namespace

const sched_class fair_sched_class = {
    .rank = 1,
    .enqueue_task = fair_enqueue,
    .dequeue_task = fair_dequeue,
    .yield_task = yield_task_fair,
    .yield_to_task = yield_to_task_fair,
    .check_preempt_curr = fair_check_preempt,
    .pick_next_task = pick_next_task_fair,
    .put_prev_task = put_prev_task_fair,
    .set_next_task = set_next_task_fair,
    .select_task_rq = select_task_rq_fair,
    .task_tick = task_tick_fair,
    .task_fork = task_fork_fair,
    .migrate_task_rq = migrate_task_rq_fair,
    .task_dead = task_dead_fair,
    .task_change_group = task_change_group_fair,
    .switched_from = switched_from_fair,
    .switched_to = switched_to_fair,
    .prio_changed = prio_changed_fair,
    .get_rr_interval = get_rr_interval_fair,
    .update_curr = update_curr_fair,
};
