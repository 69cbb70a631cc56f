// The deadline class: SCHED_DEADLINE on a run queue. Spec 32 sections 8 to 12.
//
// Two bits of an entity say where its bandwidth is counted, so that every way in and out may simply set them:
//   counted     in this_bw of its CPU: it belongs there
//   contending  in running_bw: it is queued, throttled, or asleep before its 0-lag time
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/dl.hh"
#include "kernel/sched/pelt.hh"
#include "kernel/sched/stats.hh"

#include <linux/kernel.h>

#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

bool queued(const sched_dl_entity* e) { return !RB_EMPTY_NODE(&e->rb_node); }

void count(rq* r, sched_dl_entity* e, bool yes) {
  if (e->counted == yes) return;
  e->counted = yes;
  r->dl.bw.this_bw += yes ? e->dl_bw : 0 - e->dl_bw;
}
void contend(rq* r, sched_dl_entity* e, bool yes) {
  if (e->contending == yes) return;
  e->contending = yes;
  r->dl.bw.running_bw += yes ? e->dl_bw : 0 - e->dl_bw;
}

void note_overload(rq* r) {
  if (single_cpu()) return;
  const unsigned long bit = 1ul << r->cpu;
  const bool now = r->dl.nr_running > 1, noted = READ_ONCE(sched_state->dl_overloaded) & bit;
  if (now && !noted) __atomic_fetch_or(&sched_state->dl_overloaded, bit, __ATOMIC_RELAXED);
  if (!now && noted) __atomic_fetch_and(&sched_state->dl_overloaded, ~bit, __ATOMIC_RELAXED);
}

// The earliest deadline, for CPUs that look for a place without the lock (D-16). 0: none.
void publish_earliest(rq* r) {
  const sched_dl_entity* first = r->dl.first();
  WRITE_ONCE(r->dl_earliest, first ? first->deadline | 1 : 0);
  if (!single_cpu()) update_cpupri(r);
  note_overload(r);
}

void queue_entity(rq* r, sched_dl_entity* e) {
  r->dl.insert(e);
  add_nr_running(r, 1);
  publish_earliest(r);
}
void unqueue_entity(rq* r, sched_dl_entity* e) {
  if (!queued(e)) return;
  r->dl.erase(e);
  add_nr_running(r, -1);
  publish_earliest(r);
}

// ---- Timers -----------------------------------------------------------------------------------------------------------

// Until the next period. False: it has begun already. A running timer holds a reference on the task.
bool start_replenishment(rq* r, task_struct* p) {
  const u64 at = dl::next_period(p->dl);
  if (!dl::before(r->clock, at)) return false;
  if (!hrtimer_is_queued(&p->dl.dl_timer)) {
    get_task_struct(p);
    hrtimer_start(&p->dl.dl_timer, static_cast<ktime_t>(at), HRTIMER_MODE_ABS_HARD);
  }
  return true;
}

void replenish(task_struct* p, u64 now) {
  if (dl::replenish(p->dl, now) == dl::Lag::TooMuch) pr_warn_once("sched: DL replenish lagged too much\n");
}

// D-13.
enum hrtimer_restart dl_timer_fires(hrtimer* t) {
  task_struct* p = container_of(t, task_struct, dl.dl_timer);
  {
    TaskRqGuard g(p);
    rq* r = g.r;
    update_rq_clock(r);
    if (p->sched_class == &dl_sched_class && p->dl.throttled) {
      replenish(p, r->clock);
      if (task_on_rq_queued(p)) {
        queue_entity(r, &p->dl);
        check_preempt_curr(r, p, 0);
      }
    }
  }
  put_task_struct(p);
  return HRTIMER_NORESTART;
}

// Those whose inactive_timer runs are on a list, for the end of the world: nobody else knows the dead among them. rq lock held. A
// task whose callback waits for that lock is still there.
void start_inactive_timer(task_struct* p, u64 at) {
  get_task_struct(p);
  {
    SpinGuard guard(sched_state->dl_lock);
    if (list_empty(&p->dl.inactive_node)) list_add_tail(&p->dl.inactive_node, &sched_state->dl_inactive);
  }
  hrtimer_start(&p->dl.inactive_timer, static_cast<ktime_t>(at), HRTIMER_MODE_ABS_HARD);
}
void leave_inactive_list(task_struct* p) {
  SpinGuard guard(sched_state->dl_lock);
  list_del_init(&p->dl.inactive_node);
}

// D-18, D-24: the share of a sleeper, of one that left the class, or of a dead task is free from here on.
void zero_lag_reached(rq* r, task_struct* p) {
  leave_inactive_list(p);
  const bool gone = p->sched_class != &dl_sched_class || READ_ONCE(p->__state) == TASK_DEAD;
  if (gone) {
    count(r, &p->dl, false);
    dl_give_back_admission(&p->dl);
  }
  if (!task_on_rq_queued(p) || gone) contend(r, &p->dl, false);
}
enum hrtimer_restart inactive_timer_fires(hrtimer* t) {
  task_struct* p = container_of(t, task_struct, dl.inactive_timer);
  {
    TaskRqGuard g(p);
    // Else the task ran and slept again while we waited for the lock: that time is still to come.
    if (!hrtimer_is_queued(t)) zero_lag_reached(g.r, p);
  }
  put_task_struct(p);
  return HRTIMER_NORESTART;
}

// The task sleeps, dies or leaves the class: its share is its own until the 0-lag time.
void release_at_zero_lag(rq* r, task_struct* p, bool gone) {
  sched_dl_entity* e = &p->dl;
  if (!e->dl_runtime || hrtimer_is_queued(&e->inactive_timer)) return;
  const u64 at = dl::zero_lag(*e);
  if (dl::before(r->clock, at)) {
    start_inactive_timer(p, at);
    return;
  }
  contend(r, e, false);
  if (!gone) return;
  count(r, e, false);
  dl_give_back_admission(e);
}

// A callback that runs already looks again under the lock, and drops the reference itself.
void cancel(task_struct* p, hrtimer* t) {
  if (hrtimer_try_to_cancel(t) != 1) return;
  if (t == &p->dl.inactive_timer) leave_inactive_list(p);
  put_task_struct(p);
}

// ---- Running ----------------------------------------------------------------------------------------------------------

void enqueue_task_dl(rq* r, task_struct* p, int flags);

// D-6.
void throttle_curr(rq* r, task_struct* p) {
  sched_dl_entity* e = &p->dl;
  e->throttled = 1;
  if (e->runtime <= 0 && !e->yielded && (e->flags & SCHED_FLAG_DL_OVERRUN)) WRITE_ONCE(e->overrun, 1);
  unqueue_entity(r, e);
  if (e->boosted || !start_replenishment(r, p)) {
    replenish(p, r->clock);
    queue_entity(r, e);
  }
  if (r->dl.first() != e) resched_curr(r);
}

void update_curr_dl(rq* r) {
  task_struct* p = r->curr;
  if (p->sched_class != &dl_sched_class) return;
  sched_dl_entity* e = &p->dl;
  const u64 d = r->clock - p->se.exec_start;
  if (static_cast<s64>(d) > 0) {
    p->se.exec_start = r->clock;
    p->se.sum_exec_runtime += d;
    schedstat_ran(p, d);
    e->runtime -= static_cast<s64>(e->flags & SCHED_FLAG_RECLAIM ? r->dl.bw.charge(d, *e) : d);
    rt_charge(r, d);
    pelt::update_busy(r->avg_dl, r->clock, true);
  }
  if (e->throttled || !queued(e)) return;
  if (e->runtime <= 0 || e->yielded) throttle_curr(r, p);
}

void enqueue_task_dl(rq* r, task_struct* p, int flags) {
  sched_dl_entity* e = &p->dl;
  cancel(p, &e->inactive_timer);
  count(r, e, true);
  contend(r, e, true);
  if (!e->throttled) {
    if (flags & ENQUEUE_WAKEUP) {
      if (!e->boosted && dl::must_wait_for_period(*e, r->clock)) {  // D-11
        e->throttled = 1;
        if (e->runtime > 0) e->runtime = 0;
      } else {
        dl::wake(*e, r->clock);
      }
    } else if (dl::before(e->deadline, r->clock)) {
      dl::new_instance(*e, r->clock);  // D-8
    }
  }
  if (e->throttled) {
    if (start_replenishment(r, p)) return;  // it is queued by the timer
    replenish(p, r->clock);
  }
  queue_entity(r, e);
}

void dequeue_task_dl(rq* r, task_struct* p, int flags) {
  update_curr_dl(r);
  sched_dl_entity* e = &p->dl;
  unqueue_entity(r, e);
  const bool dead = (flags & DEQUEUE_SLEEP) && READ_ONCE(p->__state) == TASK_DEAD;
  if (dead) cancel(p, &e->dl_timer);  // its last instant may have used up its budget
  if ((flags & DEQUEUE_SLEEP) && !e->boosted) {
    release_at_zero_lag(r, p, dead);
  } else {  // to another CPU, or to have its parameters changed: whoever queues it again counts it there
    contend(r, e, false);
    count(r, e, false);
  }
}

// D-12.
void yield_task_dl(rq* r) {
  r->curr->dl.yielded = 1;
  update_curr_dl(r);
}

void check_preempt_curr_dl(rq* r, task_struct* p, int) {
  if (queued(&p->dl) && dl::before(p->dl.deadline, r->curr->dl.deadline)) resched_curr(r);
}

void set_next_task_dl(rq* r, task_struct* p) {
  p->se.exec_start = r->clock;
  pelt::update_busy(r->avg_dl, r->clock, false);
}

task_struct* pick_next_task_dl(rq* r) {
  sched_dl_entity* e = r->dl.first();
  if (!e) return nullptr;
  task_struct* p = task_of_dl(e);
  set_next_task_dl(r, p);
  return p;
}

void put_prev_task_dl(rq* r, task_struct*) { update_curr_dl(r); }  // it stays in the tree (D-15)

// D-17: away from a CPU whose task is at least as urgent.
unsigned select_task_rq_dl(task_struct* p, unsigned cpu, int wake_flags) {
  if (!(wake_flags & WF_TTWU)) return cpu;
  const u64 there = READ_ONCE(cpu_rq(cpu)->dl_earliest);
  if (!there || dl::before(p->dl.deadline, there)) return cpu;
  const int later = find_later_cpu(p);
  return later < 0 ? cpu : static_cast<unsigned>(later);
}

void task_tick_dl(rq* r, task_struct*) { update_curr_dl(r); }
void task_fork_dl(rq*, task_struct*) {}

// A waking task takes its share along; the lock of the CPU that it leaves is not held.
void migrate_task_rq_dl(task_struct* p, unsigned) {
  if (READ_ONCE(p->__state) != TASK_WAKING) return;
  rq* r = task_rq(p);
  IrqSpinGuard guard(r->lock);
  cancel(p, &p->dl.inactive_timer);
  contend(r, &p->dl, false);
  count(r, &p->dl, false);
}

// D-22, D-24.
void switched_from_dl(rq* r, task_struct* p) {
  if (r->curr == p) r->rt_pull_wanted = true;
  cancel(p, &p->dl.dl_timer);
  p->dl.throttled = p->dl.yielded = 0;
  contend(r, &p->dl, false);
  count(r, &p->dl, false);
  release_at_zero_lag(r, p, true);
}

void switched_to_dl(rq* r, task_struct* p) {
  cancel(p, &p->dl.inactive_timer);
  if (!task_on_rq_queued(p)) {
    count(r, &p->dl, true);
    return;
  }
  if (r->curr != p) check_preempt_curr(r, p, 0);
}

void prio_changed_dl(rq* r, task_struct* p, int) {
  if (!task_on_rq_queued(p)) return;
  if (r->curr == p ? r->dl.first() != &p->dl : r->dl.first() == &p->dl) resched_curr(r);
}

unsigned get_rr_interval_dl(rq*, task_struct*) { return 0; }

}  // namespace

const sched_class dl_sched_class = {
    .rank = 3,
    .enqueue_task = enqueue_task_dl,
    .dequeue_task = dequeue_task_dl,
    .yield_task = yield_task_dl,
    .check_preempt_curr = check_preempt_curr_dl,
    .pick_next_task = pick_next_task_dl,
    .put_prev_task = put_prev_task_dl,
    .set_next_task = set_next_task_dl,
    .select_task_rq = select_task_rq_dl,
    .task_tick = task_tick_dl,
    .task_fork = task_fork_dl,
    .migrate_task_rq = migrate_task_rq_dl,
    .switched_from = switched_from_dl,
    .switched_to = switched_to_dl,
    .prio_changed = prio_changed_dl,
    .get_rr_interval = get_rr_interval_dl,
    .update_curr = update_curr_dl,
};

// ---- Making, admitting ----------------------------------------------------------------------------------------------------

void init_dl_task(task_struct* p) {
  p->dl = {};
  RB_CLEAR_NODE(&p->dl.rb_node);
  INIT_LIST_HEAD(&p->dl.inactive_node);
  INIT_LIST_HEAD(&p->dl.admitted_node);
  hrtimer_init(&p->dl.dl_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
  p->dl.dl_timer.function = dl_timer_fires;
  hrtimer_init(&p->dl.inactive_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
  p->dl.inactive_timer.function = inactive_timer_fires;
}

void dl_set_params(task_struct* p, u64 runtime, u64 deadline, u64 period, unsigned flags) {
  rq* r = task_rq(p);
  dl::give_back(p->dl);
  const bool counted = p->dl.counted, contending = p->dl.contending;
  contend(r, &p->dl, false);
  count(r, &p->dl, false);
  dl::set_params(p->dl, runtime, deadline, period, flags);
  count(r, &p->dl, counted);
  contend(r, &p->dl, contending);
}

void dl_inherit(task_struct* p, const task_struct* donor) {
  sched_dl_entity* e = &p->dl;
  const bool own_class = p->normal_prio < MAX_DL_PRIO;
  const bool better = donor && dl_prio(READ_ONCE(donor->prio)) && (!own_class || e->boosted || dl::before(donor->dl.deadline, e->deadline));
  if (!better) {
    dl::give_back(*e);
    return;
  }
  if (e->boosted && e->dl_runtime == donor->dl.dl_runtime && e->dl_deadline == donor->dl.dl_deadline) return;
  cancel(p, &e->dl_timer);
  dl::borrow(*e, donor->dl);
  dl::new_instance(*e, task_rq(p)->clock);
}

bool dl_refuses_affinity(const task_struct* p, const cpumask_t* mask) {
  if (p->policy != SCHED_DEADLINE) return false;
  const unsigned long span = READ_ONCE(dl_root_domain(p)->span) & READ_ONCE(cpu_active_mask->bits[0]);
  return span & ~mask->bits[0];
}

void dl_tick_signals(task_struct* p) {
  if (!READ_ONCE(p->dl.overrun)) [[likely]]
    return;
  WRITE_ONCE(p->dl.overrun, 0);
  do_send_sig_info(SIGXCPU, SEND_SIG_PRIV, p, PIDTYPE_TGID);
}

void dl_quiesce() {
  for (;;) {
    task_struct* p;
    {
      IrqSpinGuard guard(sched_state->dl_lock);
      auto* e = list_first_entry_or_null(&sched_state->dl_inactive, sched_dl_entity, inactive_node);
      if (!e) return;
      p = get_task_struct(task_of_dl(e));
    }
    {
      TaskRqGuard g(p);
      cancel(p, &p->dl.inactive_timer);
      contend(g.r, &p->dl, false);
      count(g.r, &p->dl, false);
      dl_give_back_admission(&p->dl);
    }
    put_task_struct(p);
  }
}
