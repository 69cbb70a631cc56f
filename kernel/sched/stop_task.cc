// The stop class: one task per CPU, the stopper, above everything else (spec 32 R-25). It is in no queue but the count.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>

#include "kernel/sched/params.hh"

namespace {

void enqueue_task_stop(rq* r, task_struct*, int) { add_nr_running(r, 1); }
void dequeue_task_stop(rq* r, task_struct*, int) { add_nr_running(r, -1); }
void yield_task_stop(rq*) { BUG(); }
void never_preempted(rq*, task_struct*, int) {}

void update_curr_stop(rq* r) {
  task_struct* p = r->curr;
  if (p->sched_class != &stop_sched_class) return;
  const u64 d = r->clock - p->se.exec_start;
  if (static_cast<s64>(d) <= 0) return;
  p->se.exec_start = r->clock;
  p->se.sum_exec_runtime += d;
}

void set_next_task_stop(rq* r, task_struct* p) { p->se.exec_start = r->clock; }
task_struct* pick_next_task_stop(rq* r) {
  if (!r->stop || !task_on_rq_queued(r->stop)) return nullptr;
  set_next_task_stop(r, r->stop);
  return r->stop;
}
void put_prev_task_stop(rq* r, task_struct*) { update_curr_stop(r); }
unsigned select_task_rq_stop(task_struct* p, unsigned, int) { return task_cpu(p); }
void task_tick_stop(rq* r, task_struct*) { update_curr_stop(r); }
void task_fork_stop(rq*, task_struct*) { BUG(); }
void migrate_task_rq_stop(task_struct*, unsigned) {}
void switched_from_stop(rq*, task_struct*) {}
void switched_to_stop(rq*, task_struct*) { BUG(); }
void prio_changed_stop(rq*, task_struct*, int) { BUG(); }
unsigned get_rr_interval_stop(rq*, task_struct*) { return 0; }

}  // namespace

const sched_class stop_sched_class = {
    .rank = 4,
    .enqueue_task = enqueue_task_stop,
    .dequeue_task = dequeue_task_stop,
    .yield_task = yield_task_stop,
    .check_preempt_curr = never_preempted,
    .pick_next_task = pick_next_task_stop,
    .put_prev_task = put_prev_task_stop,
    .set_next_task = set_next_task_stop,
    .select_task_rq = select_task_rq_stop,
    .task_tick = task_tick_stop,
    .task_fork = task_fork_stop,
    .migrate_task_rq = migrate_task_rq_stop,
    .switched_from = switched_from_stop,
    .switched_to = switched_to_stop,
    .prio_changed = prio_changed_stop,
    .get_rr_interval = get_rr_interval_stop,
    .update_curr = update_curr_stop,
};

// S-4: to user space a task of FIFO 99.
static void become_fifo_99(task_struct* p) {
  ParamLock locked(p);
  ParamChange change(locked, 0);
  p->sched_reset_on_fork = false;
  WRITE_ONCE(p->policy, SCHED_FIFO);
  WRITE_ONCE(p->rt_priority, MAX_RT_PRIO - 1);
  p->normal_prio = normal_prio(p);
}

// Throttled real-time work elsewhere on its CPU must not keep it from ending.
static void become_ordinary(task_struct* p) {
  ParamLock locked(p);
  ParamChange change(locked, DEFAULT_PRIO);
  WRITE_ONCE(p->policy, SCHED_NORMAL);
  WRITE_ONCE(p->rt_priority, 0u);
  p->normal_prio = normal_prio(p);
  set_load_weight(p);
}

void sched_set_stop_task(unsigned cpu, task_struct* stop) {
  rq* r = cpu_rq(cpu);
  if (r->stop) {
    become_ordinary(r->stop);
    TaskRqGuard g(r->stop);
    r->stop = nullptr;
  }
  if (!stop) return;
  become_fifo_99(stop);
  TaskRqGuard g(stop);
  BUG_ON(stop->on_rq);
  stop->sched_class = &stop_sched_class;
  r->stop = stop;
}
