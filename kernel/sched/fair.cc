// The fair class: cfs_rq connected to a run queue. Spec 31.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/fair.hh"

#include <linux/jiffies.h>

namespace {

void yield_task_fair(rq* r) {
  if (r->nr_running < 2) return;
  r->cfs.yield(r->clock, fair_kind(r->curr));
}

task_struct* pick_next_task_fair(rq* r) {
  sched_entity* se = r->cfs.pick();
  if (!se) return nullptr;
  r->cfs.set_next(se, r->clock);
  return task_of(se);
}

void put_prev_task_fair(rq* r, task_struct* p) { r->cfs.put_prev(&p->se, r->clock); }
void set_next_task_fair(rq* r, task_struct* p) { r->cfs.set_next(&p->se, r->clock); }

// F-76 to F-78 in the simple form: all CPUs share one cache, and the mask of idle CPUs says at once who is free.
unsigned select_task_rq_fair(task_struct* p, unsigned prev, int wake_flags) {
  unsigned here = smp_processor_id();
  unsigned long idle = READ_ONCE(sched_state->idle_cpus) & READ_ONCE(p->cpus_ptr->bits[0]) & READ_ONCE(cpu_active_mask->bits[0]);
  if (!(wake_flags & WF_TTWU)) return idlest_cpu(p, here);  // fork, exec
  if (idle >> prev & 1) return prev;
  bool waker_leaves = (wake_flags & WF_SYNC) && READ_ONCE(this_rq()->nr_running) == 1;
  if (waker_leaves && cpumask_test_cpu(here, p->cpus_ptr)) return here;
  if (idle >> here & 1) return here;
  if (idle) {
    unsigned long above = idle & (~0ul << prev);  // from prev upwards, then around
    return __builtin_ctzl(above ? above : idle);
  }
  return prev;
}

void task_tick_fair(rq* r, task_struct*) {
  if (r->cfs.tick(r->clock)) resched_curr(r);
}

void task_fork_fair(rq* r, task_struct* child) { r->cfs.place_new(&child->se, r->clock); }

// F-21: a task on its way between queues carries its vruntime relative to the queue's floor. Only a waking one is still
// absolute here; its old queue's lock is not held, so the floor is read once, as a hint.
void migrate_task_rq_fair(task_struct* p, unsigned) {
  if (READ_ONCE(p->__state) == TASK_WAKING) p->se.vruntime -= READ_ONCE(task_rq(p)->cfs.min_vruntime);
}

// F-22: a task that sleeps while it leaves or joins the class is absolute, and must be made relative, or back.
bool vruntime_is_absolute(const task_struct* p) {
  return !p->on_rq && p->se.sum_exec_runtime && READ_ONCE(p->__state) != TASK_WAKING;
}
void switched_from_fair(rq* r, task_struct* p) {
  if (vruntime_is_absolute(p)) p->se.vruntime -= r->cfs.min_vruntime;
}
void switched_to_fair(rq* r, task_struct* p) {
  if (vruntime_is_absolute(p)) p->se.vruntime += r->cfs.min_vruntime;
  if (!task_on_rq_queued(p)) return;
  if (r->curr == p)
    resched_curr(r);
  else
    check_preempt_curr(r, p, 0);
}

void prio_changed_fair(rq* r, task_struct* p, int old_prio) {
  if (!task_on_rq_queued(p) || r->cfs.nr_running == 1) return;
  if (r->curr != p)
    check_preempt_curr(r, p, 0);
  else if (p->prio > old_prio)
    resched_curr(r);
}

unsigned get_rr_interval_fair(rq* r, task_struct* p) {
  if (!r->cfs.load.weight) return 0;
  return r->cfs.slice(&p->se) / (NSEC_PER_SEC / HZ);
}

void update_curr_fair(rq* r) { r->cfs.update_curr(r->clock); }

}  // namespace

const sched_class fair_sched_class = {
    .rank = 1,
    .enqueue_task = fair_enqueue,
    .dequeue_task = fair_dequeue,
    .yield_task = yield_task_fair,
    .check_preempt_curr = fair_check_preempt,
    .pick_next_task = pick_next_task_fair,
    .put_prev_task = put_prev_task_fair,
    .set_next_task = set_next_task_fair,
    .select_task_rq = select_task_rq_fair,
    .task_tick = task_tick_fair,
    .task_fork = task_fork_fair,
    .migrate_task_rq = migrate_task_rq_fair,
    .switched_from = switched_from_fair,
    .switched_to = switched_to_fair,
    .prio_changed = prio_changed_fair,
    .get_rr_interval = get_rr_interval_fair,
    .update_curr = update_curr_fair,
};
