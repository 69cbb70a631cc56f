// Spreading fair tasks over the CPUs: pull when a CPU runs dry, push and pull at the tick. Spec 31 section 10 in a simple
// form: one level of CPUs, counting tasks.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>

#include "kernel/sched/fair.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr unsigned long kBusyInterval = HZ / 60 + 1;  // jiffies between pulls of a CPU that has work of its own

rq* busiest_rq(unsigned except, unsigned at_least) {
  rq* busiest = nullptr;
  unsigned cpu, most = at_least - 1;
  for_each_cpu(cpu, cpu_active_mask) {
    unsigned n = READ_ONCE(cpu_rq(cpu)->cfs.h_nr_running);
    if (cpu == except || n <= most) continue;
    most = n;
    busiest = cpu_rq(cpu);
  }
  return busiest;
}

// A queued, not running fair task of `from` that may run on `cpu`; the one that ran longest ago. Those of a throttled group
// would not run there either.
task_struct* movable_task(rq* from, unsigned cpu) {
  sched_entity* se;
  list_for_each_entry_reverse(se, &from->cfs_tasks, group_node) {
    task_struct* p = task_of(se);
    if (se->cfs_rq->is_throttled() || (p->sched_task_group && p->sched_task_group->cpu[cpu]->q.is_throttled())) continue;
    if (is_cpu_allowed(p, cpu) && !p->migration_disabled && !task_on_cpu(p)) return p;
  }
  return nullptr;
}

// r locked, dropped for a moment perhaps. Takes one task off a CPU with at least min_tasks fair ones.
bool pull_one(rq* r, unsigned min_tasks) {
  rq* busiest = busiest_rq(r->cpu, min_tasks);
  if (!busiest) return false;
  double_lock_rq(r, busiest);
  bool moved = false;
  if (busiest->cfs.h_nr_running >= min_tasks) {
    task_struct* p = movable_task(busiest, r->cpu);
    if (p) pull_task(busiest, p, r);
    moved = p;
  }
  raw_spin_unlock(&busiest->lock);
  return moved;
}

// Hands a waiting task of this busy CPU to an idle one, whose tick is off and who would never look.
void push_to_idle(rq* r) {
  unsigned long idle = READ_ONCE(sched_state->idle_cpus) & READ_ONCE(cpu_active_mask->bits[0]);
  if (!idle) return;
  raw_spin_lock(&r->lock);
  if (r->cfs.h_nr_running >= 2) {
    unsigned to = __builtin_ctzl(idle);
    update_rq_clock(r);
    if (task_struct* p = movable_task(r, to)) move_queued_task(r, p, to);
  }
  raw_spin_unlock(&r->lock);
}

// Section 10.10: an idle CPU's tick is off, so others see to it that what slept or left there fades. Every 32 ms; whoever
// ticks first does it.
constexpr unsigned long kBlockedInterval = HZ * 32 / 1000;

void age_idle_cpus(rq* mine) {
  const unsigned long due = READ_ONCE(sched_state->next_blocked_update);
  if (time_before(jiffies, due)) return;
  unsigned long expected = due;
  if (!__atomic_compare_exchange_n(&sched_state->next_blocked_update, &expected, jiffies + kBlockedInterval, false,
                                   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return;
  unsigned long cpus = READ_ONCE(sched_state->idle_cpus) & READ_ONCE(cpu_active_mask->bits[0]);
  cpus |= 1ul << mine->cpu;
  for (; cpus; cpus &= cpus - 1) {
    rq* r = cpu_rq(static_cast<unsigned>(__builtin_ctzl(cpus)));
    SpinGuard guard(r->lock);
    update_rq_clock(r);
    update_blocked_averages(r);
  }
}

}  // namespace

// F-74. Called by __schedule with nothing to run; what was prev may be woken while the lock is dropped.
bool newidle_pull(rq* r) {
  if (single_cpu() || !r->online) return false;
  update_blocked_averages(r);
  pull_one(r, 2);
  return r->nr_running != 0;
}

void balance_tick(rq* r) {
  if (!r->online) return;
  age_idle_cpus(r);
  if (single_cpu()) return;
  if (READ_ONCE(r->cfs.h_nr_running) >= 2) {
    push_to_idle(r);
    return;
  }
  if (time_before(jiffies, r->next_balance)) return;
  r->next_balance = jiffies + kBusyInterval;
  raw_spin_lock(&r->lock);
  // The tick may have hit the idle task, which would sleep on with the task it got.
  if (pull_one(r, r->cfs.h_nr_running + 2) && r->curr == r->idle) resched_curr(r);
  raw_spin_unlock(&r->lock);
}

// F-75: an idle CPU, or the one with least to do; `prefer` wins ties. pi_lock held.
unsigned idlest_cpu(const task_struct* p, unsigned prefer) {
  unsigned best = prefer, cpu, least = ~0u;
  if (is_cpu_allowed(p, prefer)) least = READ_ONCE(cpu_rq(prefer)->nr_running);
  for_each_cpu(cpu, p->cpus_ptr) {
    if (!is_cpu_allowed(p, cpu)) continue;
    unsigned n = READ_ONCE(cpu_rq(cpu)->nr_running);
    if (n >= least) continue;
    least = n;
    best = cpu;
  }
  return best;
}
