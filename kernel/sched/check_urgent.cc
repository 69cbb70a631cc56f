// Invariants of the real-time and deadline queues. See INVARIANTS.md.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/check.hh"
#include "kernel/sched/dl.hh"

namespace sched_check {
namespace {

task_struct* task_of_rt(sched_rt_entity* e) { return container_of(e, task_struct, rt); }

void check_rt_task(const Where& w, const task_struct* p, int prio) {
  require_equal(w, "RT-list-of-priority", p->prio, prio);
  require(w, p->rt.on_list && p->rt.on_rq, "RT-entity-flags", p->pid);
  require(w, p->sched_class == &rt_sched_class, "RT-task-class", p->pid);
  require(w, task_cpu(p) == w.r->cpu && task_on_rq_queued(p), "RT-task-cpu", p->pid, task_cpu(p));
  if (p->policy == SCHED_RR) require(w, p->rt.time_slice >= 1 && p->rt.time_slice <= sched_state->rr_slice_largest, "RT-slice-bound", p->rt.time_slice);
}

void check_overload(const Where& w, const char* name, unsigned long mask, bool overloaded) {
  if (!single_cpu()) require_equal(w, name, mask >> w.r->cpu & 1, overloaded);
}

void check_rt_bandwidth(const Where& w) {
  const RtBandwidth& b = w.r->rt_bandwidth;
  const bool limited = b.runtime < b.period;
  require(w, !limited || b.throttled || b.used <= b.runtime, "RT-throttled-beyond-limit", static_cast<long>(b.used), static_cast<long>(b.runtime));
  if (b.throttled && w.r->rt_period_timer.function)
    require(w, hrtimer_active(&w.r->rt_period_timer), "RT-throttled-timer-armed");
  if (w.when == When::Switch && b.throttled) require(w, w.r->curr->sched_class != &rt_sched_class, "RT-throttled-does-not-run");
}

// A task that waits behind one at least as urgent, though another CPU, which it may use, does something less urgent: that is so for
// moments, until it has been pushed or fetched. Seen twice, with no switch there in between, for longer than an interrupt takes.
constexpr u64 kOnItsWay = 200'000;  // ns

bool does_less(const rq* other, const task_struct* p) {
  return other->online && !other->rt_bandwidth.throttled && !other->dl.nr_running && other->rt.best() > p->prio &&
         READ_ONCE(other->curr)->prio > p->prio && !test_tsk_thread_flag(READ_ONCE(other->curr), TIF_NEED_RESCHED);
}
PassedOver who_is_passed_over(const rq* r) {
  sched_rt_entity* e;
  for (int prio = r->curr->prio < 0 ? 0 : r->curr->prio; prio < MAX_RT_PRIO; prio++)
    list_for_each_entry(e, &r->rt.queue[prio], run_list) {
      const task_struct* p = task_of_rt(e);
      if (p == r->curr || task_on_cpu(p) || is_migration_disabled(p)) continue;
      unsigned cpu;
      for_each_online_cpu(cpu)
        if (cpu != r->cpu && READ_ONCE(cpu_rq(cpu)->rd) == READ_ONCE(r->rd) && is_cpu_allowed(p, cpu) && does_less(cpu_rq(cpu), p)) return {p, cpu, cpu_rq(cpu)->nr_switches, r->clock};
    }
  return {};
}

void check_passed_over(const Where& w) {
  if (!state.exact || !(READ_ONCE(sched_state->rt_overloaded) >> w.r->cpu & 1) || w.in_schedule || w.r->rt_bandwidth.throttled) {
    state.passed_over[w.r->cpu] = {};
    return;
  }
  PassedOver& seen = state.passed_over[w.r->cpu];
  const PassedOver now = who_is_passed_over(w.r);
  const bool same = now.task && now.task == seen.task && now.cpu == seen.cpu && now.switches == seen.switches;
  if (!same) seen = now;
  require(w, w.r->clock - seen.since <= kOnItsWay || !same, "RT-passed-over", now.task ? now.task->pid : 0, now.cpu);
}

}  // namespace

void check_rt(const Where& w) {
  const rt_rq& q = w.r->rt;
  unsigned n = 0, rr = 0, migratory = 0;
  for (int prio = 0; prio < MAX_RT_PRIO; prio++) {
    require_equal(w, "RT-bitmap", q.active[prio / 64] >> prio % 64 & 1, !list_empty(&q.queue[prio]));
    sched_rt_entity* e;
    list_for_each_entry(e, &q.queue[prio], run_list) {
      const task_struct* p = task_of_rt(e);
      check_rt_task(w, p, prio);
      n++;
      rr += p->policy == SCHED_RR;
      migratory += p->rt.migratory;
    }
  }
  require_equal(w, "RT-nr-running", q.nr_running, n);
  require_equal(w, "RT-rr-nr-running", q.rr_nr_running, rr);
  require_equal(w, "RT-nr-migratory", q.nr_migratory, migratory);
  check_overload(w, "RT-overload-noted", READ_ONCE(sched_state->rt_overloaded), n > 1 && migratory);
  if (!single_cpu() && w.r->online)
    require_equal(w, "RT-cpupri-level", sched_state->pri.level_of_cpu[w.r->cpu], cpupri::level_of(w.r->dl.nr_running ? -1 : q.best()));
  check_rt_bandwidth(w);
  check_passed_over(w);
  const task_struct* curr = w.r->curr;
  if (w.when == When::Switch && curr->sched_class == &rt_sched_class) {
    require_equal(w, "RT-highest-runs", curr->prio, q.best());
    require(w, q.first() == &curr->rt, "RT-first-of-list-runs", curr->pid);
  }
}

namespace {

bool deadline_before(const rb_node* a, const rb_node* b) {
  return dl::before(container_of(a, sched_dl_entity, rb_node)->deadline, container_of(b, sched_dl_entity, rb_node)->deadline);
}

void check_dl_entity(const Where& w, sched_dl_entity* e) {
  const task_struct* p = task_of_dl(e);
  require(w, p->sched_class == &dl_sched_class, "DL-task-class", p->pid);
  require(w, task_cpu(p) == w.r->cpu && task_on_rq_queued(p), "DL-task-cpu", p->pid, task_cpu(p));
  require(w, !e->throttled, "DL-queued-not-throttled", p->pid);
  require(w, e->counted && e->contending, "DL-queued-counts", p->pid);
  require_if_exact(w, e->runtime > 0 && e->runtime <= static_cast<s64>(e->dl_runtime), "DL-runtime-bound", e->runtime, static_cast<long>(e->dl_runtime));
}

}  // namespace

void check_dl(const Where& w) {
  const dl_rq& q = w.r->dl;
  const unsigned n = check_tree(w, q.root, deadline_before, "DL-tree-order", "DL-leftmost", "DL-tree-shape");
  require_equal(w, "DL-nr-running", q.nr_running, n);
  u64 queued = 0;
  for (sched_dl_entity* e = q.first(); e; e = dl_rq::next(e)) {
    check_dl_entity(w, e);
    queued += e->dl_bw;
  }
  require(w, q.bw.running_bw >= queued, "DL-running-bw-covers-queued", static_cast<long>(q.bw.running_bw), static_cast<long>(queued));
  require(w, q.bw.this_bw >= q.bw.running_bw, "DL-this-bw-covers-running", static_cast<long>(q.bw.this_bw), static_cast<long>(q.bw.running_bw));
  // More than the root domain has, but not than the machine: a partition may take CPUs that its parent's tasks were promised.
  const dl::Admission& a = READ_ONCE(w.r->rd)->admitted;
  if (a.bw != dl::kNoLimit && a.bw) require(w, a.total <= a.bw * nr_cpu_ids, "DL-admitted-within-capacity", static_cast<long>(a.total));
  const sched_dl_entity* first = q.first();
  require_equal(w, "DL-earliest-published", READ_ONCE(w.r->dl_earliest), first ? first->deadline | 1 : 0);
  check_overload(w, "DL-overload-noted", READ_ONCE(sched_state->dl_overloaded), n > 1);
  const task_struct* curr = w.r->curr;
  if (w.when == When::Switch && curr->sched_class == &dl_sched_class) require(w, first == &curr->dl, "DL-earliest-runs", curr->pid);
}

}  // namespace sched_check
