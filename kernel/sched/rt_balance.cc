// Spreading real-time tasks: who waits behind a more urgent one is pushed to where something less urgent runs, and a CPU whose
// work becomes less urgent pulls. At quiescence the N most urgent run on N CPUs. Spec 32 section 5. Debian's 6.1 pulls by
// itself (NO_RT_PUSH_IPI), and so does this.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/rq.hh"
#include "kernel/sync/guards.hh"

namespace {

task_struct* task_of_rt(sched_rt_entity* e) { return container_of(e, task_struct, rt); }
bool is_pushable(const rq* r, const task_struct* p) { return p != r->curr && !task_on_cpu(p) && p->nr_cpus_allowed > 1; }

// The most urgent task of r that waits, is better than `than`, and suits. r locked.
template <class F>
task_struct* first_pushable(rq* r, int than, F&& suits) {
  for (int prio = r->rt.best(); prio < than; prio++) {
    sched_rt_entity* e;
    list_for_each_entry(e, &r->rt.queue[prio], run_list) {
      task_struct* p = task_of_rt(e);
      if (is_pushable(r, p) && suits(p)) return p;
    }
  }
  return nullptr;
}
// One that may not move keeps none of those after it from being pushed: who pulls has the one that runs moved for it.
task_struct* first_pushable(rq* r) {
  return first_pushable(r, MAX_RT_PRIO, [](const task_struct* p) { return !is_migration_disabled(p); });
}
bool overloaded(const rq* r) { return READ_ONCE(sched_state->rt_overloaded) >> r->cpu & 1; }

// p and target are as they were chosen, although r's lock was dropped.
bool still_fits(const rq* r, const task_struct* p, const rq* target) {
  return task_rq(p) == r && is_cpu_allowed(p, target->cpu) && !task_on_cpu(p) && p->sched_class == &rt_sched_class &&
         !is_migration_disabled(p) && task_on_rq_queued(p);
}

// A CPU for p, locked; null: none. r locked, dropped for moments. p is referenced.
rq* find_lock_lowest_rq(rq* r, task_struct* p) {
  for (int tries = 0; tries < 3; tries++) {
    const int cpu = find_lowest_rq(p);
    if (cpu < 0 || static_cast<unsigned>(cpu) == r->cpu) return nullptr;
    rq* target = cpu_rq(static_cast<unsigned>(cpu));
    if (target->rt.best() <= p->prio) return nullptr;
    if (double_lock_rq(r, target) && !still_fits(r, p, target)) {
      raw_spin_unlock(&target->lock);
      return nullptr;
    }
    if (target->rt.best() > p->prio) return target;
    raw_spin_unlock(&target->lock);
  }
  return nullptr;
}

void hand_over(rq* r, task_struct* p, rq* target) {
  pull_task(r, p, target);
  resched_curr(target);
  raw_spin_unlock(&target->lock);
}

// The most urgent one for which there is a place. Beyond, which gives up if there is none for the very first: those after it may go
// where that one may not. Where one that may go anywhere finds no place there is none for less urgent ones.
task_struct* first_with_place(rq* r) {
  bool any_place = true;
  return first_pushable(r, MAX_RT_PRIO, [&](const task_struct* p) {
    if (is_migration_disabled(p) || !any_place) return false;
    const int cpu = find_lowest_rq(p);
    if (cpu >= 0 && static_cast<unsigned>(cpu) != r->cpu) return true;
    any_place = root_domain_of(r->cpu) & READ_ONCE(cpu_active_mask->bits[0]) & ~READ_ONCE(p->cpus_ptr->bits[0]);
    return false;
  });
}

// True: try once more. r locked.
bool push_rt_task(rq* r) {
  const task_struct* head = overloaded(r) ? first_pushable(r) : nullptr;
  if (!head) return false;
  if (head->prio < r->curr->prio) {
    resched_curr(r);
    return false;
  }
  task_struct* p = first_with_place(r);
  if (!p) return false;
  get_task_struct(p);
  rq* target = find_lock_lowest_rq(r, p);
  if (target) hand_over(r, p, target);
  put_task_struct(p);
  return target || first_with_place(r) != p;
}

// ---- Pushing the one that runs, since the one that waits may not move -------------------------------------------------------

// On the CPU that it ran on, and may by now wait on.
int push_cpu_stop(void* arg) {
  auto* p = static_cast<task_struct*>(arg);
  rq* r = this_rq();
  {
    IrqSpinGuard settled(p->pi_lock);
    SpinGuard guard(r->lock);
    r->push_busy = false;
    if (rq* target = still_fits(r, p, r) ? find_lock_lowest_rq(r, p) : nullptr) hand_over(r, p, target);
  }
  put_task_struct(p);
  return 0;
}

// Who of `from` should leave it for another CPU, and may; null: nobody. from locked. The caller, once it has no lock, has the
// stopper push it.
task_struct* running_one_to_push(rq* from) {
  task_struct* curr = from->curr;
  if (from->push_busy || curr->sched_class != &rt_sched_class || is_migration_disabled(curr) || !task_on_rq_queued(curr)) return nullptr;
  const int cpu = find_lowest_rq(curr);
  if (cpu < 0 || static_cast<unsigned>(cpu) == from->cpu) return nullptr;
  from->push_busy = true;
  return get_task_struct(curr);
}
void let_stopper_push(rq* from, task_struct* p) {
  if (stop_one_cpu_nowait(from->cpu, push_cpu_stop, p, &from->push_work)) return;
  raw_spin_lock(&from->lock);  // that CPU goes: all leave it
  from->push_busy = false;
  raw_spin_unlock(&from->lock);
  put_task_struct(p);
}

// The most urgent one that waits on `from` and would be the most urgent here, if it is not about to preempt there. Both locked.
template <class F>
task_struct* worth_pulling(const rq* r, rq* from, F&& suits) {
  task_struct* p = first_pushable(from, r->rt.best(), suits);
  return p && p->prio >= from->curr->prio ? p : nullptr;
}

// R-23 for one CPU. r's lock is held, and may be dropped for moments.
void pull_from(rq* r, rq* from) {
  double_lock_rq(r, from);
  task_struct* p = worth_pulling(r, from, [r](const task_struct* t) {
    return is_migration_disabled(t) ? cpumask_test_cpu(r->cpu, t->cpus_ptr) : is_cpu_allowed(t, r->cpu);
  });
  task_struct* push = nullptr;
  if (p && is_migration_disabled(p)) {
    push = running_one_to_push(from);
    p = push ? nullptr : worth_pulling(r, from, [r](const task_struct* t) { return is_cpu_allowed(t, r->cpu); });
  }
  if (p) pull_task(from, p, r);
  raw_spin_unlock(&from->lock);
  if (!push) [[likely]] return;
  raw_spin_unlock(&r->lock);
  let_stopper_push(from, push);
  raw_spin_lock(&r->lock);
  update_rq_clock(r);
}

}  // namespace

// Preemption off.
int find_lowest_rq(const task_struct* p) {
  if (p->nr_cpus_allowed == 1) return -1;
  const unsigned long allowed = READ_ONCE(p->cpus_ptr->bits[0]) & READ_ONCE(cpu_active_mask->bits[0]) & root_domain_of(task_cpu(p));
  const unsigned long set = sched_state->pri.find(READ_ONCE(p->prio), allowed);
  if (!set) return -1;
  const unsigned last = task_cpu(p), here = smp_processor_id();
  if (set >> last & 1) return static_cast<int>(last);
  for (const sched_domain* sd = lowest_domain(last); sd; sd = sd->parent) {
    if (!(sd->flags & SD_WAKE_AFFINE)) continue;
    if (sd->span & set & 1ul << here) return static_cast<int>(here);
    if (const unsigned long near = sd->span & set) {  // not always the same one
      const unsigned long after = here + 1 < NR_CPUS ? near & (~0ul << (here + 1)) : 0;
      return __builtin_ctzl(after ? after : near);
    }
  }
  return set >> here & 1 ? static_cast<int>(here) : __builtin_ctzl(set);
}

// Somebody waits on r behind a more urgent task, or may. No rq lock held, interrupts off.
void push_rt_tasks(rq* r) {
  if (single_cpu() || !overloaded(r)) return;
  raw_spin_lock(&r->lock);
  update_rq_clock(r);
  while (push_rt_task(r)) {
  }
  raw_spin_unlock(&r->lock);
}

// prev, which left its list, was more urgent than all that is left here.
bool wants_rt_pull(const rq* r, const task_struct* prev) {
  if (r->rt_pull_wanted) return true;
  return prev->sched_class->rank >= rt_sched_class.rank && !prev->rt.on_list && r->rt.best() > prev->prio;
}

// r's lock is held, and dropped for moments. Called before r picks, so that what comes is considered.
void rt_pull(rq* r) {
  r->rt_pull_wanted = false;
  if (r->rt_bandwidth.throttled || !r->online || r->dl.nr_running) return;
  unsigned long others = READ_ONCE(sched_state->rt_overloaded) & root_domain_of(r->cpu) & ~(1ul << r->cpu);
  for (; others; others &= others - 1) pull_from(r, cpu_rq(static_cast<unsigned>(__builtin_ctzl(others))));
}
