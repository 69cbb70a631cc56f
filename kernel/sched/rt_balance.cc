// Spreading real-time tasks: whoever waits behind a more urgent one goes where something less urgent runs (spec 32 section
// 5, in a form where the CPU that should run it comes and takes it). At quiescence the N most urgent run on N CPUs.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/rq.hh"

namespace {

task_struct* task_of_rt(sched_rt_entity* e) { return container_of(e, task_struct, rt); }

// The most urgent task of r that waits, is better than `than`, and suits. r locked.
template <class F>
task_struct* first_waiting(rq* r, int than, F&& suits) {
  for (int prio = r->rt.best(); prio < than; prio++) {
    sched_rt_entity* e;
    list_for_each_entry(e, &r->rt.queue[prio], run_list) {
      task_struct* p = task_of_rt(e);
      if (p != r->curr && !task_on_cpu(p) && !p->migration_disabled && suits(p)) return p;
    }
  }
  return nullptr;
}

int running_prio(unsigned cpu) {
  task_struct* curr = cpu_curr(cpu);
  return curr == cpu_rq(cpu)->idle ? MAX_PRIO : READ_ONCE(curr->prio);
}

}  // namespace

// r's lock is held, and dropped for moments. Called before r picks, so that what comes is considered.
void rt_pull(rq* r) {
  if (r->rt_bandwidth.throttled || !r->online || r->dl.nr_running) return;
  unsigned long others = READ_ONCE(sched_state->rt_overloaded) & ~(1ul << r->cpu);
  for (; others; others &= others - 1) {
    rq* from = cpu_rq(static_cast<unsigned>(__builtin_ctzl(others)));
    double_lock_rq(r, from);
    task_struct* p = first_waiting(from, r->rt.best(), [r](task_struct* t) { return is_cpu_allowed(t, r->cpu); });
    if (p) pull_task(from, p, r);
    raw_spin_unlock(&from->lock);
  }
}

// Somebody waits on r behind a more urgent task: the CPU with the least urgent work is told to look. No rq lock held,
// interrupts off.
void rt_kick(rq* r) {
  if (single_cpu()) return;
  int prio = MAX_RT_PRIO;
  unsigned long allowed = 0;
  raw_spin_lock(&r->lock);
  if (task_struct* p = first_waiting(r, MAX_RT_PRIO, [](task_struct* t) { return t->nr_cpus_allowed > 1; })) {
    prio = p->prio;
    allowed = READ_ONCE(p->cpus_ptr->bits[0]) & READ_ONCE(cpu_active_mask->bits[0]) & ~(1ul << r->cpu);
  }
  raw_spin_unlock(&r->lock);
  unsigned target = NR_CPUS;
  for (; allowed; allowed &= allowed - 1) {
    auto cpu = static_cast<unsigned>(__builtin_ctzl(allowed));
    if (int there = running_prio(cpu); there > prio) {
      prio = there;
      target = cpu;
    }
  }
  if (target < NR_CPUS) resched_cpu(target);
}
