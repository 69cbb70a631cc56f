// Spreading deadline tasks: with N CPUs the N earliest deadlines run. As for real-time tasks (rt_balance.cc), the CPU that
// should run a waiting one comes and takes it. Spec 32 section 9.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/dl.hh"

namespace {

// The earliest task of r that waits and suits. r locked.
template <class F>
task_struct* first_waiting(rq* r, F&& suits) {
  for (sched_dl_entity* e = r->dl.first(); e; e = dl_rq::next(e)) {
    task_struct* p = task_of_dl(e);
    if (p != r->curr && !task_on_cpu(p) && !is_migration_disabled(p) && suits(p)) return p;
  }
  return nullptr;
}

}  // namespace

// D-16, D-17: a CPU without deadline tasks, best the one p ran on or this one; else the one whose earliest is latest.
int find_later_cpu(const task_struct* p) {
  const unsigned long allowed = READ_ONCE(p->cpus_ptr->bits[0]) & READ_ONCE(cpu_active_mask->bits[0]) & root_domain_of(task_cpu(p));
  unsigned long free = 0;
  int latest = -1;
  u64 latest_deadline = p->dl.deadline;
  for (unsigned long left = allowed; left; left &= left - 1) {
    const int cpu = __builtin_ctzl(left);
    const u64 there = READ_ONCE(cpu_rq(static_cast<unsigned>(cpu))->dl_earliest);
    if (!there) {
      free |= 1ul << cpu;
    } else if (dl::before(latest_deadline, there)) {
      latest = cpu;
      latest_deadline = there;
    }
  }
  if (!free) return latest;
  if (free >> task_cpu(p) & 1) return static_cast<int>(task_cpu(p));
  const unsigned here = raw_smp_processor_id();
  return free >> here & 1 ? static_cast<int>(here) : __builtin_ctzl(free);
}

// r's lock is held, and dropped for moments.
void dl_pull(rq* r) {
  if (!r->online) return;
  unsigned long others = READ_ONCE(sched_state->dl_overloaded) & root_domain_of(r->cpu) & ~(1ul << r->cpu);
  for (; others; others &= others - 1) {
    rq* from = cpu_rq(static_cast<unsigned>(__builtin_ctzl(others)));
    double_lock_rq(r, from);
    const sched_dl_entity* mine = r->dl.first();
    task_struct* p = first_waiting(from, [r](task_struct* t) { return is_cpu_allowed(t, r->cpu); });
    if (p && (!mine || dl::before(p->dl.deadline, mine->deadline))) pull_task(from, p, r);
    raw_spin_unlock(&from->lock);
  }
}

// Somebody waits on r: the CPU that should have it is told to look. No rq lock held, interrupts off.
void dl_kick(rq* r) {
  if (single_cpu()) return;
  int target = -1;
  raw_spin_lock(&r->lock);
  if (task_struct* p = first_waiting(r, [](task_struct* t) { return t->nr_cpus_allowed > 1; })) target = find_later_cpu(p);
  raw_spin_unlock(&r->lock);
  if (target >= 0 && static_cast<unsigned>(target) != r->cpu) resched_cpu(static_cast<unsigned>(target));
}
