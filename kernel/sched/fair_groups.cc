// Fair tasks in groups: the same steps at each level, from the task's own queue up to the CPU's. Spec 31 sections 5, 6 and 8.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/bandwidth.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/task_group.hh"

// ---- Entering and leaving (F-19, F-20) ------------------------------------------------------------------------------

// A level that was queued already: only its counts and its load change.
static void recount(cfs_rq* q, sched_entity* se, u64 now, int tasks, int idle_tasks) {
  update_load_avg(q, se, now, UPDATE_TG);
  se_update_runnable(se);
  update_cfs_group(se, now);
  q->count_tasks(tasks, idle_tasks);
}

// The entity has just entered its queue, one of a group. False: the queue is throttled, so what is above stays as it is.
static bool entered(cfs_rq* q, rq* r) {
  if (!q->tg) return true;
  note_load_here(q, r);
  if (q->nr_running == 1) check_enqueue_throttle(q, r);
  return !q->throttled;
}

bool enqueue_in_groups(rq* r, task_struct* p) {
  const u64 now = r->clock;
  cfs_rq* q = p->se.cfs_rq;
  bool idle = cfs_rq::is_idle(&p->se) || q->idle;
  if (!entered(q, r)) return false;
  sched_entity* se = p->se.parent;
  for (; se && !se->on_rq; se = se->parent) {
    q = se->cfs_rq;
    enqueue_entity(q, se, now, ENQUEUE_WAKEUP);
    q->count_tasks(+1, idle);
    idle |= q->idle;
    if (!entered(q, r)) return false;
  }
  for (; se; se = se->parent) {
    q = se->cfs_rq;
    recount(q, se, now, +1, idle);
    idle |= q->idle;
    if (q->throttled) return false;
  }
  return true;
}

void set_next_buddy(sched_entity* se) {
  for (; se; se = se->parent) {
    if (!se->on_rq || cfs_rq::is_idle(se)) return;
    se->cfs_rq->next = se;
  }
}
static void set_last_buddy(sched_entity* se) {
  for (; se; se = se->parent) {
    if (!se->on_rq || cfs_rq::is_idle(se)) return;
    se->cfs_rq->last = se;
  }
}

bool dequeue_in_groups(rq* r, task_struct* p, int flags) {
  const u64 now = r->clock;
  cfs_rq* q = p->se.cfs_rq;
  bool idle = cfs_rq::is_idle(&p->se) || q->idle;
  return_unused_runtime(q, r);
  if (q->throttled) return false;
  // As long as what is below has become empty, so has this entity's reason to be queued.
  sched_entity* se = p->se.parent;
  for (; se && !se->my_q->load.weight; se = se->parent) {
    q = se->cfs_rq;
    dequeue_entity(q, se, now, flags | DEQUEUE_SLEEP, 0);
    q->count_tasks(-1, -static_cast<int>(idle));
    idle |= q->idle;
    return_unused_runtime(q, r);
    if (q->throttled) return false;
  }
  // Its siblings are likely to share its cache: the group goes on first.
  if ((flags & DEQUEUE_SLEEP) && se && !se->my_q->is_throttled()) set_next_buddy(se);
  for (; se; se = se->parent) {
    q = se->cfs_rq;
    recount(q, se, now, -1, -static_cast<int>(idle));
    idle |= q->idle;
    if (q->throttled) return false;
  }
  return true;
}

// ---- Choosing and preempting (section 6) ------------------------------------------------------------------------------

void check_preempt_in_groups(rq* r, task_struct* curr, task_struct* woken) {
  sched_entity *a = &curr->se, *b = &woken->se;
  if (b->cfs_rq->is_throttled()) return;
  while (a->depth > b->depth) a = a->parent;
  while (b->depth > a->depth) b = b->parent;
  while (a->cfs_rq != b->cfs_rq) a = a->parent, b = b->parent;
  cfs_rq* q = a->cfs_rq;
  if (!q->should_preempt(b, r->clock, fair_kind(woken), fair_kind(curr))) return;
  resched_curr(r);
  if (q->next == b) set_next_buddy(b);
  if (q->last == a) set_last_buddy(&curr->se);
}

namespace {

// The way down from the root; the last of it is a task.
sched_entity* pick_down(rq* r) {
  cfs_rq* q = &r->cfs;
  sched_entity* se;
  do {
    if (sched_entity* c = q->curr; c && c->on_rq) {
      q->update_curr(r->clock);
      if (throttle_if_spent(q, r)) {  // its group went: once more from the top
        q = &r->cfs;
        if (!q->nr_running) return nullptr;
        continue;
      }
    }
    se = q->pick();
    if (!se) return nullptr;
    q = se->my_q;
  } while (q);
  return se;
}

void put_up(rq* r, sched_entity* se) {
  cfs_rq* q = se->cfs_rq;
  if (se->on_rq) {
    q->update_curr(r->clock);
    throttle_if_spent(q, r);
  }
  put_prev_entity(q, se, r->clock);
}

void set_down(rq* r, sched_entity* se) {
  set_next_entity(se->cfs_rq, se, r->clock);
  if (se->cfs_rq->runtime_enabled) account_runtime(se->cfs_rq, r);
}

}  // namespace

void put_prev_in_groups(rq* r, task_struct* p) {
  for (sched_entity* se = &p->se; se; se = se->parent) put_up(r, se);
}
void set_next_in_groups(rq* r, task_struct* p) {
  for (sched_entity* se = &p->se; se; se = se->parent) set_down(r, se);
}

// F-26: only where the two ways down differ is anything put or set.
task_struct* pick_in_groups(rq* r, task_struct* prev) {
  sched_entity* se = pick_down(r);
  if (!se) return nullptr;
  task_struct* next = task_of(se);
  if (next == prev) return next;
  if (!prev) {
    set_next_in_groups(r, next);
    return next;
  }
  sched_entity* out = &prev->se;
  while (out && se && out->cfs_rq != se->cfs_rq) {
    const int was = out->depth, is = se->depth;
    if (was >= is) put_up(r, std::exchange(out, out->parent));
    if (is >= was) set_down(r, std::exchange(se, se->parent));
  }
  put_up(r, out);
  set_down(r, se);
  return next;
}

void tick_in_groups(rq* r, task_struct* p) {
  bool resched = false;
  for (sched_entity* se = &p->se; se; se = se->parent) {
    cfs_rq* q = se->cfs_rq;
    q->update_curr(r->clock);
    update_load_avg(q, se, r->clock, UPDATE_TG);
    update_cfs_group(se, r->clock);
    resched |= q->tick(r->clock);
    if (q->runtime_enabled) account_runtime(q, r);
  }
  if (resched) resched_curr(r);
}

void yield_in_groups(rq* r, task_struct* p) {
  const FairKind kind = fair_kind(p);
  for (sched_entity* se = &p->se; se; se = se->parent) {
    cfs_rq* q = se->cfs_rq;
    q->clear_buddies(se);
    if (kind != FairKind::Batch) q->update_curr(r->clock);
    q->skip = se;
  }
}

// ---- Load that nobody runs (section 7.7) ------------------------------------------------------------------------------

// Deeper queues come first, so that what fades below is seen above in the same walk.
void note_load_here(cfs_rq* q, rq* r) {
  if (!list_empty(&q->leaf_node) || q->is_throttled()) return;
  list_head* at = r->leaf_cfs_rqs.next;
  while (at != &r->leaf_cfs_rqs && list_entry(at, cfs_rq, leaf_node)->owner->depth > q->owner->depth) at = at->next;
  list_add_tail(&q->leaf_node, at);
}

static bool fully_decayed(const cfs_rq* q) {
  return !q->load.weight && !q->avg.load_sum && !q->avg.util_sum && !q->avg.runnable_sum && !q->removed.nr && !q->propagate;
}

void update_blocked_averages(rq* r) {
  cfs_rq *q, *next;
  list_for_each_entry_safe(q, next, &r->leaf_cfs_rqs, leaf_node) {
    const u64 clock = pelt_clock(q, r->clock);
    if (update_cfs_rq_load_avg(q, clock)) update_tg_load_avg(q);
    if (!q->owner->my_q->is_throttled()) update_load_avg(q->owner->cfs_rq, q->owner, r->clock, UPDATE_TG);
    if (fully_decayed(q)) list_del_init(&q->leaf_node);
  }
  update_cfs_rq_load_avg(&r->cfs, pelt_clock(&r->cfs, r->clock));
}
