// Making, weighing and leaving groups of fair tasks. Spec 31 section 8.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/task_group.hh"

#include <linux/kernel.h>
#include <linux/slab.h>

#include <linux/minmax.h>

#include <new>

#include "kernel/sched/autogroup.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/params.hh"
#include "kernel/sync/guards.hh"

namespace {

void free_group(task_group* tg) {
  unsigned cpu;
  for_each_possible_cpu(cpu) kfree(tg->cpu[cpu]);
  kfree(tg);
}

void free_group_rcu(rcu_head* head) { free_group(container_of(head, task_group, rcu)); }

sched_entity* parent_entity(const task_group* tg, unsigned cpu) { return tg->parent ? &tg->parent->cpu[cpu]->se : nullptr; }
cfs_rq* parent_queue(const task_group* tg, unsigned cpu) {
  return tg->parent ? &tg->parent->cpu[cpu]->q : &cpu_rq(cpu)->cfs;
}

void init_part(task_group* tg, unsigned cpu) {
  auto* part = ::new (tg->cpu[cpu]) task_group::PerCpuPart();
  cfs_rq& q = part->q;
  q.tun = &sched_state->tunables;
  q.tg = tg;
  q.cpu = cpu;
  q.owner = &part->se;
  q.root = &cpu_rq(cpu)->cfs;
  part->se = {};
  part->se.load = {tg->shares, 0};
  part->se.my_q = &q;
  part->se.cfs_rq = parent_queue(tg, cpu);
  part->se.parent = parent_entity(tg, cpu);
  part->se.depth = part->se.parent ? part->se.parent->depth + 1 : 0;
  INIT_LIST_HEAD(&part->se.group_node);
}

bool allocate_parts(task_group* tg) {
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    tg->cpu[cpu] = static_cast<task_group::PerCpuPart*>(kzalloc(sizeof(task_group::PerCpuPart), GFP_KERNEL));
    if (!tg->cpu[cpu]) return false;
  }
  return true;
}

// A group born below a throttled one is throttled too, and its load is attached to its parent's from now on.
void join_parent(task_group* tg, unsigned cpu) {
  rq* r = cpu_rq(cpu);
  IrqSpinGuard guard(r->lock);
  update_rq_clock(r);
  cfs_rq& q = tg->cpu[cpu]->q;
  q.throttle_count = q.owner->cfs_rq->throttle_count;
  q.throttled_clock_pelt = r->clock;
  q.avg.last_update_time = q.last_update_time_copy = pelt_clock(&q, r->clock);
  update_load_avg(q.owner->cfs_rq, q.owner, r->clock, DO_ATTACH);
}

void leave_parent(task_group* tg, unsigned cpu) {
  rq* r = cpu_rq(cpu);
  IrqSpinGuard guard(r->lock);
  update_rq_clock(r);
  cfs_rq& q = tg->cpu[cpu]->q;
  if (q.throttled) unthrottle_cfs_rq(&q, r);
  if (q.owner->avg.last_update_time) {
    update_load_avg(q.owner->cfs_rq, q.owner, r->clock, DO_DETACH);
    q.owner->avg.last_update_time = 0;
  }
  list_del_init(&q.leaf_node);
}

}  // namespace

Result<task_group*> sched_create_group(task_group* parent) {
  auto* tg = static_cast<task_group*>(kzalloc(sizeof(task_group), GFP_KERNEL));
  if (!tg) return fail(ENOMEM);
  tg->parent = parent;
  tg->shares = scale_load(kDefaultShares);
  ::new (&tg->bandwidth) CfsBandwidth();
  INIT_LIST_HEAD(&tg->children);
  INIT_LIST_HEAD(&tg->sibling);
  if (!allocate_parts(tg)) {
    free_group(tg);
    return fail(ENOMEM);
  }
  init_bandwidth(&tg->bandwidth);
  unsigned cpu;
  for_each_possible_cpu(cpu) init_part(tg, cpu);
  MutexGuard guard(sched_state->groups_lock);
  list_add_tail_rcu(&tg->sibling, parent ? &parent->children : &sched_state->groups);
  for_each_possible_cpu(cpu) join_parent(tg, cpu);
  return tg;
}

void sched_destroy_group(task_group* tg) {
  destroy_bandwidth(&tg->bandwidth);
  {
    MutexGuard guard(sched_state->groups_lock);
    list_del_rcu(&tg->sibling);
    unsigned cpu;
    for_each_possible_cpu(cpu) leave_parent(tg, cpu);
  }
  destroy_bandwidth(&tg->bandwidth);  // leaving may have started it again
  call_rcu(&tg->rcu, free_group_rcu);
}

// ---- Moving -----------------------------------------------------------------------------------------------------------

void sched_change_group(task_struct* p, task_group* to) {
  WRITE_ONCE(p->sched_task_group, to);
  rq* r = task_rq(p);
  if (p->sched_class->task_change_group)
    p->sched_class->task_change_group(r, p, task_cpu(p));
  else
    set_task_rq(p, task_cpu(p));
}

// Its pi_lock and rq lock held. to: its cgroup's.
static void move_task(rq* r, task_struct* p, task_group* to) {
  to = autogroup_task_group(p, to);
  if (p->sched_task_group == to) return;
  update_rq_clock(r);
  const bool queued = task_on_rq_queued(p), running = task_current(r, p);
  constexpr int flags = DEQUEUE_SAVE | DEQUEUE_MOVE | DEQUEUE_NOCLOCK;
  if (queued) p->sched_class->dequeue_task(r, p, flags);
  if (running) p->sched_class->put_prev_task(r, p);
  sched_change_group(p, to);
  if (queued) p->sched_class->enqueue_task(r, p, flags);
  if (running) {
    p->sched_class->set_next_task(r, p);
    resched_curr(r);  // its new group may be throttled
  } else if (queued) {
    check_preempt_curr(r, p, 0);  // its old one may have been, and the CPU idle
  }
}

void sched_move_task(task_struct* p, task_group* to) {
  TaskRqGuard g(p);
  move_task(g.r, p, to);
}

void sched_move_session_task(task_struct* p) {
  TaskRqGuard g(p);
  task_group* tg = p->sched_task_group;
  if (!tg || tg->session) move_task(g.r, p, nullptr);
}

// ---- Weights (F-47, F-50) -----------------------------------------------------------------------------------------------

// The entities of all CPUs, and those above them, take the new shares into account.
static void reweigh(task_group* tg) {
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    rq* r = cpu_rq(cpu);
    IrqSpinGuard guard(r->lock);
    update_rq_clock(r);
    for (sched_entity* se = &tg->cpu[cpu]->se; se; se = se->parent) {
      update_load_avg(se->cfs_rq, se, r->clock, UPDATE_TG);
      update_cfs_group(se, r->clock);
    }
  }
}

Result<void> sched_group_set_shares(task_group* tg, unsigned long shares) {
  MutexGuard guard(sched_state->groups_lock);
  if (tg->idle) return fail(EINVAL);
  WRITE_ONCE(tg->shares, scale_load(clamp(shares, kMinShares, kMaxShares)));
  reweigh(tg);
  return {};
}

// A group becomes, or is no longer, one that runs only when nobody else wants to: what it was counted as above it changes.
static void set_queue_idle(cfs_rq* q, rq* r, bool idle) {
  sched_entity* se = q->owner;
  update_rq_clock(r);
  q->idle = idle;
  if (se->on_rq) se->cfs_rq->idle_nr_running += idle ? 1u : ~0u;
  if (q->throttled) return;
  const int plain = static_cast<int>(q->h_nr_running - q->idle_h_nr_running);
  for (; se && se->on_rq; se = se->parent) {
    cfs_rq* up = se->cfs_rq;
    up->count_tasks(0, idle ? plain : -plain);
    if (up->idle || up->throttled) return;  // counted as idle further up anyway, or not at all
  }
}

Result<void> sched_group_set_idle(task_group* tg, bool idle) {
  MutexGuard guard(sched_state->groups_lock);
  if (tg->idle == idle) return {};
  tg->idle = idle;
  if (!idle) WRITE_ONCE(tg->shares, scale_load(kDefaultShares));
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    rq* r = cpu_rq(cpu);
    IrqSpinGuard rq_guard(r->lock);
    set_queue_idle(&tg->cpu[cpu]->q, r, idle);
  }
  reweigh(tg);
  return {};
}
