// Spreading fair tasks over the CPUs: pull when a CPU runs dry, push and pull at the tick. Spec 31 section 10 in a simple
// form: one level of CPUs, counting tasks.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>

#include "kernel/sched/fair.hh"

namespace {

constexpr unsigned long kBusyInterval = HZ / 60 + 1;  // jiffies between pulls of a CPU that has work of its own

rq* busiest_rq(unsigned except, unsigned at_least) {
  rq* busiest = nullptr;
  unsigned cpu, most = at_least - 1;
  for_each_cpu(cpu, cpu_active_mask) {
    unsigned n = READ_ONCE(cpu_rq(cpu)->cfs.nr_running);
    if (cpu == except || n <= most) continue;
    most = n;
    busiest = cpu_rq(cpu);
  }
  return busiest;
}

// A queued, not running fair task of `from` that may run on `cpu`; the one that would wait longest.
task_struct* movable_task(rq* from, unsigned cpu) {
  for (rb_node* n = rb_last(&from->cfs.timeline.rb_root); n; n = rb_prev(n)) {
    task_struct* p = task_of(cfs_rq::entity(n));
    if (is_cpu_allowed(p, cpu) && !p->migration_disabled && !task_on_cpu(p)) return p;
  }
  return nullptr;
}

// Both rqs locked, both clocks updated.
bool move_one(rq* from, rq* to) {
  task_struct* p = movable_task(from, to->cpu);
  if (!p) return false;
  deactivate_task(from, p, DEQUEUE_NOCLOCK);
  set_task_cpu(p, to->cpu);
  activate_task(to, p, ENQUEUE_NOCLOCK);
  return true;
}

// r locked, dropped for a moment perhaps. Takes one task off a CPU with at least min_tasks fair ones.
bool pull_one(rq* r, unsigned min_tasks) {
  rq* busiest = busiest_rq(r->cpu, min_tasks);
  if (!busiest) return false;
  double_lock_rq(r, busiest);
  bool moved = false;
  if (busiest->cfs.nr_running >= min_tasks) {
    update_rq_clock(r);
    update_rq_clock(busiest);
    moved = move_one(busiest, r);
  }
  raw_spin_unlock(&busiest->lock);
  return moved;
}

// Hands a waiting task of this busy CPU to an idle one, whose tick is off and who would never look.
void push_to_idle(rq* r) {
  unsigned long idle = READ_ONCE(sched_state->idle_cpus) & READ_ONCE(cpu_active_mask->bits[0]);
  if (!idle) return;
  raw_spin_lock(&r->lock);
  if (r->cfs.nr_running >= 2) {
    unsigned to = __builtin_ctzl(idle);
    update_rq_clock(r);
    if (task_struct* p = movable_task(r, to)) move_queued_task(r, p, to);
  }
  raw_spin_unlock(&r->lock);
}

}  // namespace

// F-74. Called by __schedule with nothing to run; what was prev may be woken while the lock is dropped.
bool newidle_pull(rq* r) {
  if (single_cpu() || !r->online) return false;
  pull_one(r, 2);
  return r->nr_running != 0;
}

void balance_tick(rq* r) {
  if (single_cpu() || !r->online) return;
  if (READ_ONCE(r->cfs.nr_running) >= 2) {
    push_to_idle(r);
    return;
  }
  if (time_before(jiffies, r->next_balance)) return;
  r->next_balance = jiffies + kBusyInterval;
  raw_spin_lock(&r->lock);
  // The tick may have hit the idle task, which would sleep on with the task it got.
  if (pull_one(r, r->cfs.nr_running + 2) && r->curr == r->idle) resched_curr(r);
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
