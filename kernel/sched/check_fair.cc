// Invariants of fair queues, groups, bandwidth and load: recounted from the entities. See INVARIANTS.md.
// SPDX-License-Identifier: Apache-2.0
#include <linux/minmax.h>

#include "kernel/sched/bandwidth.hh"
#include "kernel/sched/check.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/sync/guards.hh"

namespace sched_check {
namespace {

struct Recount {
  unsigned entities = 0, idle_entities = 0, tasks = 0, idle_tasks = 0, own_tasks = 0;
  unsigned long weight = 0;
};

bool task_in_group_is_right(const sched_entity* se, const task_struct* p) {
  const task_group* tg = p->sched_task_group;
  return tg ? se->cfs_rq == &tg->cpu[task_cpu(p)]->q && se->parent == &tg->cpu[task_cpu(p)]->se
            : se->cfs_rq == &task_rq(p)->cfs && !se->parent;
}

void check_average(const Where& w, const sched_avg& a, u64 clock) {
  require(w, a.period_contrib < pelt::kPeriod, "PELT-period-contrib", a.period_contrib);
  if (a.last_update_time) require(w, a.last_update_time <= clock, "PELT-not-ahead", static_cast<long>(a.last_update_time), static_cast<long>(clock));
  require(w, static_cast<long>(a.load_avg) >= 0 && static_cast<long>(a.util_avg) >= 0 && static_cast<long>(a.runnable_avg) >= 0,
          "PELT-not-negative", static_cast<long>(a.load_avg));
}

void check_task_entity(const Where& w, const cfs_rq* q, sched_entity* se) {
  const task_struct* p = task_of(se);
  require_equal(w, "CFS-task-cpu", task_cpu(p), w.r->cpu);
  require(w, p->sched_class == &fair_sched_class, "CFS-task-class", p->pid);
  require(w, task_on_rq_queued(p), "CFS-task-on-rq", p->pid, READ_ONCE(p->on_rq));
  require(w, task_in_group_is_right(se, p), "GROUP-task-under-its-group", p->pid);
  const load_weight want = p->policy == SCHED_IDLE ? weight_of_idle() : weight_of_nice(task_nice(p));
  require_equal(w, "CFS-weight-of-nice", se->load.weight, want.weight);
  require(w, !list_empty(&se->group_node), "CFS-task-listed", p->pid);
  require(w, se->avg.last_update_time, "PELT-queued-is-attached", p->pid);
  require(w, se->avg.util_avg <= pelt::kCapacityScale + 8, "PELT-task-util-bound", static_cast<long>(se->avg.util_avg));
  // Not by its own weight: one that was reniced in another class brings the load of its former weight back, and if it is reniced again
  // before that has faded it may have any (F-40, F-49). Only the stress does that.
  require_if_exact(w, se->avg.load_avg <= kPrioToWeight[0], "PELT-task-load-bound", static_cast<long>(se->avg.load_avg));
  check_average(w, se->avg, pelt_clock(q, w.r->clock));
}

void check_group_entity(const Where& w, sched_entity* se) {
  const cfs_rq* below = se->my_q;
  require(w, below->owner == se && below->cpu == w.r->cpu, "GROUP-owner", static_cast<long>(below->cpu));
  require_equal(w, "GROUP-runnable-weight", se->runnable_weight, below->h_nr_running);
  require(w, below->nr_running && !below->throttled, "GROUP-queued-only-with-work", below->nr_running, below->throttled);
}

void count_entity(const Where& w, const cfs_rq* q, sched_entity* se, Recount& n) {
  require(w, se->cfs_rq == q, "CFS-entity-queue");
  require_equal(w, "CFS-entity-on-rq", se->on_rq, 1u);
  require_equal(w, "GROUP-depth", se->depth, q->owner ? q->owner->depth + 1 : 0);
  // Nobody is placed further back than half a latency behind the floor, which never passes anybody.
  require_if_exact(w, static_cast<s64>(se->vruntime - q->min_vruntime + q->tun->latency) >= 0, "CFS-lag-bound",
          static_cast<long>(se->vruntime - q->min_vruntime), -static_cast<long>(q->tun->latency));
  n.entities++;
  n.weight += se->load.weight;
  const bool idle = cfs_rq::is_idle(se);
  n.idle_entities += idle;
  if (se->my_q) {
    check_group_entity(w, se);
    n.tasks += se->my_q->h_nr_running;
    n.idle_tasks += idle ? se->my_q->h_nr_running : se->my_q->idle_h_nr_running;
  } else {
    check_task_entity(w, q, se);
    n.own_tasks++;
    n.tasks++;
    n.idle_tasks += idle;
  }
}

bool vruntime_before(const rb_node* a, const rb_node* b) {
  return cfs_rq::before(container_of(a, sched_entity, run_node), container_of(b, sched_entity, run_node));
}

void check_buddy(const Where& w, const cfs_rq* q, const sched_entity* se) {
  if (se) require(w, se->on_rq && se->cfs_rq == q, "CFS-buddy-queued");
}

// Which entity of q runs: the one on the way from curr to the root, if that passes through q.
const sched_entity* running_entity(const rq* r, const cfs_rq* q) {
  if (r->curr->sched_class != &fair_sched_class) return nullptr;
  for (const sched_entity* se = &r->curr->se; se; se = se->parent)
    if (se->cfs_rq == q) return se;
  return nullptr;
}

void check_queue_load(const Where& w, cfs_rq* q) {
  const sched_avg& a = q->avg;
  check_average(w, a, pelt_clock(q, w.r->clock));
  require_equal(w, "PELT-copy-of-time", q->last_update_time_copy, a.last_update_time);
  require(w, a.util_sum >= a.util_avg * pelt::kMinDivider, "PELT-util-sum-floor", a.util_sum, static_cast<long>(a.util_avg));
  require(w, a.runnable_sum >= a.runnable_avg * pelt::kMinDivider, "PELT-runnable-sum-floor", static_cast<long>(a.runnable_sum),
          static_cast<long>(a.runnable_avg));
}

unsigned check_queue(const Where& w, cfs_rq* q) {
  Recount n;
  check_tree(w, q->timeline, vruntime_before, "CFS-tree-order", "CFS-leftmost", "CFS-tree-shape");
  for (rb_node* node = rb_first(&q->timeline.rb_root); node; node = rb_next(node)) {
    sched_entity* se = cfs_rq::entity(node);
    require(w, se != q->curr, "CFS-curr-not-in-tree");
    count_entity(w, q, se, n);
  }
  if (q->curr && q->curr->on_rq) count_entity(w, q, q->curr, n);
  require_equal(w, "CFS-nr-running", q->nr_running, n.entities);
  require_equal(w, "CFS-load-sum", q->load.weight, n.weight);
  require_equal(w, "CFS-idle-nr-running", q->idle_nr_running, n.idle_entities);
  require_equal(w, "CFS-h-nr-running", q->h_nr_running, n.tasks);
  require_equal(w, "CFS-idle-h-nr-running", q->idle_h_nr_running, n.idle_tasks);
  if (!w.in_schedule) require(w, q->curr == running_entity(w.r, q), "CFS-curr-is-current");
  for (const sched_entity* buddy : {q->next, q->last, q->skip}) check_buddy(w, q, buddy);
  require(w, static_cast<s64>(q->min_vruntime - q->checked_min_vruntime) >= 0, "CFS-min-vruntime-monotone",
          static_cast<long>(q->min_vruntime), static_cast<long>(q->checked_min_vruntime));
  q->checked_min_vruntime = q->min_vruntime;
  check_queue_load(w, q);
  return n.own_tasks;
}

// ---- Groups ------------------------------------------------------------------------------------------------------------

void check_group_queue(const Where& w, task_group* tg, cfs_rq* q) {
  const sched_entity* se = q->owner;
  require(w, q->tg == tg && q->root == &w.r->cfs, "GROUP-queue-links");
  const cfs_rq* up = tg->parent ? &tg->parent->cpu[w.r->cpu]->q : &w.r->cfs;
  require(w, se->cfs_rq == up && se->parent == up->owner, "GROUP-parent-queue");
  require_equal(w, "GROUP-queued-with-work", se->on_rq, q->nr_running && !q->throttled ? 1u : 0u);
  if (se->on_rq && !q->is_throttled()) {
    const unsigned long shares = READ_ONCE(tg->shares);
    // While they are being changed this CPU's turn may be still to come: it needs our lock.
    const bool settled = !mutex_is_locked(&sched_state->groups_lock);
    if (settled) require(w, q->idle ? se->load.weight == scale_load(kIdleWeight) : se->load.weight >= 2 && se->load.weight <= max(shares, 2ul),
            "GROUP-weight-within-shares", static_cast<long>(se->load.weight), static_cast<long>(shares));
    require(w, !list_empty(&q->leaf_node), "GROUP-load-listed");
  }
  if (w.when == When::Switch && q->is_throttled()) require(w, !running_entity(w.r, q), "BW-throttled-does-not-run");
  check_bandwidth(w, q);
}

// Sum of the CPUs' contributions; exact since no other CPU can act within an update.
void check_group_sum(const Where& w, task_group* tg) {
  if (!state.exact) return;
  long sum = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) sum += static_cast<long>(tg->cpu[cpu]->q.tg_load_avg_contrib);
  require_equal(w, "GROUP-load-avg-sum", atomic_long_read(&tg->load_avg), sum);
}

template <class F>
void for_each_group(list_head* siblings, F&& f) {
  for (list_head* l = READ_ONCE(siblings->next); l != siblings; l = READ_ONCE(l->next)) {
    task_group* tg = list_entry(l, task_group, sibling);
    f(tg);
    for_each_group(&tg->children, f);
  }
}

void check_leaf_list(const Where& w) {
  int depth = 1 << 20;
  cfs_rq* q;
  list_for_each_entry(q, &w.r->leaf_cfs_rqs, leaf_node) {
    require(w, q->owner && q->cpu == w.r->cpu, "LEAF-own-queues");
    require(w, q->owner->depth <= depth, "LEAF-children-first", q->owner->depth, depth);
    require(w, !q->is_throttled(), "LEAF-not-throttled");
    depth = q->owner->depth;
  }
}

void check_task_list(const Where& w, unsigned tasks) {
  unsigned n = 0;
  sched_entity* se;
  list_for_each_entry(se, &w.r->cfs_tasks, group_node) {
    n++;
    require(w, se->on_rq && task_cpu(task_of(se)) == w.r->cpu, "CFS-listed-is-queued", task_of(se)->pid);
  }
  require_equal(w, "CFS-task-list", n, tasks);
}

}  // namespace

void check_fair(const Where& w) {
  unsigned tasks = check_queue(w, &w.r->cfs);
  require(w, !w.r->cfs.throttle_count && !w.r->cfs.owner, "CFS-root-never-throttled", w.r->cfs.throttle_count);
  {
    RcuReadGuard rcu;
    for_each_group(&sched_state->groups, [&](task_group* tg) {
      cfs_rq* q = &tg->cpu[w.r->cpu]->q;
      tasks += check_queue(w, q);
      check_group_queue(w, tg, q);
      check_group_sum(w, tg);
    });
  }
  check_task_list(w, tasks);
  check_leaf_list(w);
  if (w.when != When::Tick || w.r->curr->sched_class != &fair_sched_class) return;
  // The tick has just brought the running task's load up to date: less than one unit of PELT's may be missing.
  const sched_entity& se = w.r->curr->se;
  const u64 behind = pelt_clock(se.cfs_rq, w.r->clock) - se.avg.last_update_time;
  require(w, behind < 1024, "PELT-current-at-tick", static_cast<long>(behind), 1023);
  require(w, se.exec_start == w.r->clock, "CFS-accounted-at-tick", static_cast<long>(w.r->clock - se.exec_start));
}

void check_bandwidth(const Where& w, cfs_rq* q) {
  CfsBandwidth& b = q->tg->bandwidth;
  int above = 0;
  for (const cfs_rq* up = q; up; up = up->owner ? up->owner->cfs_rq : nullptr) above += up->throttled;
  require_equal(w, "BW-throttle-count", q->throttle_count, above);
  require_equal(w, "BW-throttled-is-listed", q->throttled, !list_empty(&q->throttled_node));
  if (q->throttled) {
    require(w, q->runtime_remaining <= 0, "BW-throttled-has-nothing", q->runtime_remaining);
    require(w, !q->owner->on_rq, "BW-throttled-not-queued");
    // Not of a group that has just lost its limit: its queues are let go one after the other.
    if (!raw_spin_is_locked(&b.lock) && data_race(b.pool.quota) != kNoQuota)
      require(w, data_race(b.period_active), "BW-throttled-timer-armed");
  }
  require(w, q->runtime_enabled || !q->throttled, "BW-no-quota-no-throttle");
  if (b.pool.quota == kNoQuota) return;
  const u64 most = b.pool.quota + b.pool.burst + nr_cpu_ids * 5'000'000ull;
  require(w, b.pool.runtime <= most, "BW-pool-within-quota", static_cast<long>(b.pool.runtime), static_cast<long>(most));
}

}  // namespace sched_check
