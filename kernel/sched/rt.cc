// The real-time class: SCHED_FIFO and SCHED_RR on a run queue. Spec 32 part 1; without groups.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/rcupdate.h>

#include "kernel/sched/pelt.hh"
#include "kernel/sched/rq.hh"
#include "kernel/sched/stats.hh"
#include "kernel/sync/guards.hh"

namespace {

bool is_rr(const task_struct* p) { return p->policy == SCHED_RR; }
task_struct* task_of_rt(sched_rt_entity* e) { return container_of(e, task_struct, rt); }

void unthrottle(rq* r) {
  add_nr_running(r, static_cast<int>(r->rt.nr_running));
  if (r->rt.nr_running && r->rt.best() < r->curr->prio) resched_curr(r);
}

enum hrtimer_restart rt_period_ends(hrtimer* t) {
  rq* r = container_of(t, rq, rt_period_timer);
  bool again = false;
  raw_spin_lock(&r->lock);
  update_rq_clock(r);
  if (r->rt_bandwidth.replenish(r->clock)) unthrottle(r);
  if (r->rt_bandwidth.throttled) {
    hrtimer_set_expires(t, static_cast<ktime_t>(r->rt_bandwidth.next_period()));
    again = true;
  }
  raw_spin_unlock(&r->lock);
  return again ? HRTIMER_RESTART : HRTIMER_NORESTART;
}

// the throttled queue is not picked from; its tasks stay on their lists.
__cold void throttle(rq* r) {
  pr_warn_once("sched: RT throttling activated\n");
  add_nr_running(r, -static_cast<int>(r->rt.nr_running));
  resched_curr(r);
  if (!r->rt_period_timer.function) {  // timers are not there yet when the run queues are made
    hrtimer_init(&r->rt_period_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
    r->rt_period_timer.function = rt_period_ends;
  }
  hrtimer_start(&r->rt_period_timer, static_cast<ktime_t>(r->rt_bandwidth.next_period()), HRTIMER_MODE_ABS_PINNED_HARD);
}

// A tick may come before the period's timer: what ended meanwhile is settled first, with the counts of the queue.
void charge(rq* r, u64 ns) {
  if (r->rt_bandwidth.replenish(r->clock)) unthrottle(r);
  if (r->rt_bandwidth.charge(ns)) throttle(r);
}
}  // namespace

// Its budget is nobody's; whatever waits for it goes to other CPUs, and has theirs.
void rt_rq_offline(rq* r) {
  RtBandwidth& b = r->rt_bandwidth;
  b.used = 0;
  if (!b.throttled) return;
  b.throttled = false;
  unthrottle(r);
}

void rt_charge(rq* r, u64 ns) {
  if (r->rt_bandwidth.active) charge(r, ns);
}

namespace {

// The running time of every class is kept in se.
void update_curr_rt(rq* r) {
  task_struct* p = r->curr;
  if (p->sched_class != &rt_sched_class) return;
  u64 d = r->clock - p->se.exec_start;
  if (static_cast<s64>(d) <= 0) return;
  p->se.exec_start = r->clock;
  p->se.sum_exec_runtime += d;
  schedstat_ran(p, d);
  pelt::update_busy(r->avg_rt, r->clock, true);
  charge(r, d);
}

//
void note_overload(rq* r) {
  if (single_cpu()) return;
  update_cpupri(r);
  unsigned long bit = 1ul << r->cpu;
  bool now = r->rt.nr_running > 1 && r->rt.nr_migratory, noted = READ_ONCE(sched_state->rt_overloaded) & bit;
  if (now && !noted) __atomic_fetch_or(&sched_state->rt_overloaded, bit, __ATOMIC_RELAXED);
  if (!now && noted) __atomic_fetch_and(&sched_state->rt_overloaded, ~bit, __ATOMIC_RELAXED);
}

void count_migratory(rq* r, task_struct* p, bool yes) {
  if (p->rt.migratory == yes) return;
  p->rt.migratory = yes;
  r->rt.nr_migratory += yes ? 1u : ~0u;
}

void enqueue_task_rt(rq* r, task_struct* p, int flags) {
  r->rt_bandwidth.begin(r->clock);
  if (r->rt_bandwidth.replenish(r->clock)) unthrottle(r);
  r->rt.enqueue(&p->rt, p->prio, is_rr(p), flags);
  count_migratory(r, p, p->nr_cpus_allowed > 1);
  note_overload(r);
  if (!r->rt_bandwidth.throttled) add_nr_running(r, 1);
}

void dequeue_task_rt(rq* r, task_struct* p, int flags) {
  update_curr_rt(r);
  r->rt.dequeue(&p->rt, p->prio, is_rr(p), flags);
  count_migratory(r, p, false);
  note_overload(r);
  if (!r->rt_bandwidth.throttled) add_nr_running(r, -1);
}

void yield_task_rt(rq* r) { r->rt.requeue_tail(&r->curr->rt, r->curr->prio); }

bool has_place_elsewhere(const task_struct* p) {
  return p->nr_cpus_allowed > 1 && sched_state->pri.find(p->prio, p->cpus_ptr->bits[0] & READ_ONCE(cpu_active_mask->bits[0]) & root_domain_of(task_cpu(p)));
}

// Of equals the one that runs gives way only if it can go elsewhere and the one that woke cannot.
void check_preempt_curr_rt(rq* r, task_struct* p, int) {
  if (r->rt_bandwidth.throttled) return;
  task_struct* curr = r->curr;
  if (p->prio < curr->prio) return resched_curr(r);
  if (p->prio != curr->prio || single_cpu() || test_tsk_thread_flag(curr, TIF_NEED_RESCHED)) return;
  if (!has_place_elsewhere(curr) || has_place_elsewhere(p)) return;
  r->rt.requeue_head(&p->rt, p->prio);
  resched_curr(r);
}

void set_next_task_rt(rq* r, task_struct* p) {
  p->se.exec_start = r->clock;
  pelt::update_busy(r->avg_rt, r->clock, false);
}

task_struct* pick_next_task_rt(rq* r) {
  sched_rt_entity* e = r->rt_bandwidth.throttled ? nullptr : r->rt.first();
  if (!e) return nullptr;
  task_struct* p = task_of_rt(e);
  set_next_task_rt(r, p);
  return p;
}

void put_prev_task_rt(rq* r, task_struct*) { update_curr_rt(r); }  // it stays on its list

// A hint: pushing and pulling mend it.
unsigned select_task_rq_rt(task_struct* p, unsigned cpu, int wake_flags) {
  if (!(wake_flags & (WF_TTWU | WF_FORK))) return cpu;
  const task_struct* curr = cpu_curr(cpu);
  const int prio = READ_ONCE(curr->prio);
  if (!rt_prio(prio) || (READ_ONCE(curr->nr_cpus_allowed) > 1 && prio > p->prio)) return cpu;
  const int target = find_lowest_rq(p);
  if (target < 0 || data_race(cpu_rq(static_cast<unsigned>(target))->rt.best()) <= p->prio) return cpu;
  return static_cast<unsigned>(target);
}

void task_tick_rt(rq* r, task_struct* p) {
  update_curr_rt(r);
  p->rt.timeout++;  // what RLIMIT_RTTIME counts
  if (is_rr(p) && r->rt.rr_tick(&p->rt, p->prio, sched_state->rr_slice)) resched_curr(r);
}

void migrate_task_rq_rt(task_struct*, unsigned) {}
void task_fork_rt(rq*, task_struct*) {}
// The last one that leaves makes room for one that waits elsewhere; so does the running one that becomes less urgent.
void look_elsewhere(rq* r) {
  if (!READ_ONCE(sched_state->rt_overloaded)) return;
  r->rt_pull_wanted = true;
  resched_curr(r);
}
void switched_from_rt(rq* r, task_struct* p) {
  if (task_on_rq_queued(p) && (!r->rt.nr_running || r->curr == p)) look_elsewhere(r);
}

void switched_to_rt(rq* r, task_struct* p) {
  if (!task_on_rq_queued(p)) return;
  // It runs, and was a deadline task: what waited behind it may be the better one now (S-13).
  const bool give_way = r->curr == p && (r->dl.nr_running || r->rt.best() < p->prio);
  if (give_way || (r->curr != p && p->prio < r->curr->prio)) resched_curr(r);
}

void prio_changed_rt(rq* r, task_struct* p, int old_prio) {
  if (!task_on_rq_queued(p)) return;
  if (r->curr == p) {
    if (old_prio < p->prio) look_elsewhere(r);
    if (old_prio < p->prio && r->rt.best() < p->prio) resched_curr(r);
  } else if (p->prio < r->curr->prio) {
    resched_curr(r);
  }
}

unsigned get_rr_interval_rt(rq*, task_struct* p) { return is_rr(p) ? sched_state->rr_slice : 0; }

}  // namespace

void update_cpupri(rq* r) {
  if (!r->online) return sched_state->pri.set(r->cpu, cpupri::kInvalid);
  sched_state->pri.set(r->cpu, cpupri::level_of(r->dl.nr_running ? -1 : r->rt.best()));
}
void rt_mask_changed(task_struct* p) {
  if (!p->rt.on_rq) return;
  count_migratory(task_rq(p), p, p->nr_cpus_allowed > 1);
  note_overload(task_rq(p));
}

const sched_class rt_sched_class = {
    .rank = 2,
    .enqueue_task = enqueue_task_rt,
    .dequeue_task = dequeue_task_rt,
    .yield_task = yield_task_rt,
    .check_preempt_curr = check_preempt_curr_rt,
    .pick_next_task = pick_next_task_rt,
    .put_prev_task = put_prev_task_rt,
    .set_next_task = set_next_task_rt,
    .select_task_rq = select_task_rq_rt,
    .task_tick = task_tick_rt,
    .task_fork = task_fork_rt,
    .migrate_task_rq = migrate_task_rq_rt,
    .switched_from = switched_from_rt,
    .switched_to = switched_to_rt,
    .prio_changed = prio_changed_rt,
    .get_rr_interval = get_rr_interval_rt,
    .update_curr = update_curr_rt,
};
