// Waking tasks: sleeping ones, new ones, and where they go. Spec 30 sections 6 and 7, 22 section 15.2.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/sched/wake_q.h>

#include "kernel/cgroup/cpuset.hh"
#include "kernel/entry/rseq.hh"
#include "kernel/sched/check.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/polling.hh"
#include "kernel/sched/stats.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/trace/trace.hh"
#include "lib/chain.hh"

// S-51. A kernel thread that is no CPU's own does not stay on one that is going.
bool is_cpu_allowed(const task_struct* p, unsigned cpu) {
  if (is_migration_disabled(p)) [[unlikely]] return cpu == task_cpu(p) && cpu_online(cpu);
  if (!cpumask_test_cpu(cpu, p->cpus_ptr)) return false;
  if (cpumask_test_cpu(cpu, cpu_active_mask)) [[likely]] return true;
  if (!(data_race(p->flags) & PF_KTHREAD) || !cpu_online(cpu)) return false;
  return kthread_is_per_cpu(const_cast<task_struct*>(p)) || !cpumask_test_cpu(cpu, &__cpu_dying_mask);
}

// S-52: nobody of the mask is there; the mask gives way.
__cold noinline unsigned select_fallback_rq(task_struct* p, unsigned cpu) {
  const unsigned any = any_allowed_cpu(p);
  if (any < NR_CPUS) return any;
  // The cpuset's, if one of them is there; else all.
  cpumask_t wider;
  cpuset_cpus_allowed(p, &wider);
  if (!cpumask_intersects(&wider, cpu_active_mask)) cpumask_copy(&wider, cpu_possible_mask);
  if (!(data_race(p->flags) & PF_KTHREAD))
    pr_warn("process %d (%s) no longer affine to cpu%u\n", p->pid, p->comm, cpu);
  WRITE_ONCE(p->cpus_mask.bits[0], wider.bits[0]);
  WRITE_ONCE(p->nr_cpus_allowed, cpumask_weight(&wider));
  cpumask_and(&wider, &wider, cpu_active_mask);
  return cpumask_empty(&wider) ? cpumask_first(cpu_online_mask) : cpumask_first(&wider);
}

// S-50. pi_lock held.
unsigned select_task_rq(task_struct* p, unsigned cpu, int wake_flags) {
  if (single_cpu()) return cpu;
  if (p->nr_cpus_allowed > 1 && !is_migration_disabled(p))
    cpu = p->sched_class->select_task_rq(p, cpu, wake_flags);
  else
    cpu = is_migration_disabled(p) ? task_cpu(p) : cpumask_first(p->cpus_ptr);
  return is_cpu_allowed(p, cpu) ? cpu : select_fallback_rq(p, cpu);
}

void __set_task_cpu(task_struct* p, unsigned cpu) {
  // Pairs with the re-check in task_rq_lock (S-45): who sees the new CPU sees on_rq as it was set before.
  set_task_rq(p, cpu);
  if (p->rseq && p->cpu != cpu) rseq_mark(p);  // user code is told its new CPU (spec 22 C-75)
  smp_store_release(&p->cpu, cpu);
  p->wake_cpu = cpu;
}

// S-68.
void set_task_cpu(task_struct* p, unsigned cpu) {
  if (task_cpu(p) == cpu) return;
  trace_sched_migrate_task(p, cpu);
  p->sched_class->migrate_task_rq(p, cpu);
  p->se.nr_migrations++;
  p->sched_must_leave = 0;
  __set_task_cpu(p, cpu);
}

// S-7.
rq* __task_rq_lock(task_struct* p) {
  for (;;) {
    rq* r = task_rq(p);
    raw_spin_lock(&r->lock);
    // on_rq first: a task in flight gets its new CPU without the old one's lock (attach), so "still here" followed by "not in
    // flight any more" could both be answered while it is on its way. Its CPU is stored before on_rq.
    const bool in_flight = task_on_rq_migrating(p);
    smp_rmb();
    if (!in_flight && r == task_rq(p)) [[likely]] return r;
    raw_spin_unlock(&r->lock);
    while (task_on_rq_migrating(p)) cpu_relax();
  }
}

rq* task_rq_lock(task_struct* p, unsigned long* flags) {
  raw_spin_lock_irqsave(&p->pi_lock, *flags);
  return __task_rq_lock(p);
}

void task_rq_unlock(rq* r, task_struct* p, unsigned long flags) {
  sched_check_rq(r, sched_check::When::Change);
  raw_spin_unlock(&r->lock);
  raw_spin_unlock_irqrestore(&p->pi_lock, flags);
}

namespace {

// Rule 4: p has not left its queue. It will see RUNNING in its own schedule() (S-38). pi_lock held.
bool wake_queued(task_struct* p, int wake_flags) {
  rq* r = __task_rq_lock(p);
  bool queued = task_on_rq_queued(p);
  if (queued) {
    update_rq_clock(r);
    if (r->curr != p) check_preempt_curr(r, p, wake_flags);
    WRITE_ONCE(p->__state, TASK_RUNNING);
    trace_sched_wakeup(p);
  }
  raw_spin_unlock(&r->lock);
  return queued;
}

// How long this CPU has been idle now that somebody is woken here. rq lock held.
noinline void update_avg_idle(rq* r) {
  const s64 gap = static_cast<s64>(r->clock - r->idle_stamp) - static_cast<s64>(r->avg_idle);
  WRITE_ONCE(r->avg_idle, min(static_cast<u64>(static_cast<s64>(r->avg_idle) + gap / 8), 2 * READ_ONCE(r->max_idle_balance_cost)));
  WRITE_ONCE(r->idle_stamp, 0);
}

// Rule 9, under the lock of the chosen CPU's queue; p is in no queue and on no CPU.
[[gnu::always_inline]] inline void activate_woken(rq* r, task_struct* p, int wake_flags) {
  if (p->sched_contributes_to_load) WRITE_ONCE(r->nr_uninterruptible, r->nr_uninterruptible - 1);
  activate_task(r, p, ENQUEUE_WAKEUP | ENQUEUE_NOCLOCK | (wake_flags & WF_MIGRATED ? ENQUEUE_MIGRATED : 0));
  check_preempt_curr(r, p, wake_flags);
  WRITE_ONCE(p->__state, TASK_RUNNING);
  trace_sched_wakeup(p);
  if (r->idle_stamp) update_avg_idle(r);
}

bool urgent_waits(const rq* r) { return r->rt.nr_running > 1 || r->dl.nr_running > 1; }
void kick_for_urgent(rq* r) {
  dl_kick(r);
  push_rt_tasks(r);
}

// pi_lock held.
void wake_asleep(task_struct* p, int wake_flags) {
  rq* r = task_rq(p);
  raw_spin_lock(&r->lock);
  update_rq_clock(r);
  activate_woken(r, p, wake_flags);
  sched_check_rq(r, sched_check::When::Wake);
  const bool waits = urgent_waits(r);
  raw_spin_unlock(&r->lock);
  if (waits) [[unlikely]]
    kick_for_urgent(r);
}

// S-48: better to let that CPU take p in than to fetch its queue over here. Only fair tasks: an urgent one on its way would be
// seen by nobody who looks for the CPU with the least urgent work.
noinline bool wakes_remotely(const task_struct* p, unsigned cpu) {
  if (p->sched_class != &fair_sched_class) [[unlikely]] return false;
  const unsigned here = smp_processor_id();
  if (cpu == here || !cpumask_test_cpu(cpu, cpu_active_mask) || !cpumask_test_cpu(cpu, p->cpus_ptr)) return false;
  return !shares_cache(here, cpu) || !READ_ONCE(cpu_rq(cpu)->nr_running);
}

// S-49. pi_lock held, p WAKING on that CPU.
noinline void push_to_wake_list(task_struct* p, unsigned cpu, int wake_flags) {
  rq* r = cpu_rq(cpu);
  p->sched_remote_wakeup = (wake_flags & WF_MIGRATED) != 0;
  WRITE_ONCE(r->ttwu_pending, true);
  task_struct* first = READ_ONCE(r->wake_list);
  do WRITE_ONCE(p->wake_entry, first);
  while (!__atomic_compare_exchange_n(&r->wake_list, &first, p, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  if (first) return;
  if (set_nr_if_polling(r->idle))
    trace_sched_wake_idle_without_ipi(cpu);
  else
    arch::send_ipi(cpu, arch::Ipi::Reschedule);
}

// Rule 6: p has left its queue, and is on its way off its CPU, which will take p in again when it is done. pi_lock held.
bool leave_to_its_cpu(task_struct* p, int wake_flags) {
  const unsigned cpu = task_cpu(p);
  if (!wakes_remotely(p, cpu)) return false;
  // Pairs with the store in deactivate_task: that CPU took p in from the list the last time before, so the links are ours.
  (void)smp_load_acquire(&p->on_rq);
  push_to_wake_list(p, cpu, wake_flags);
  if (schedstat_enabled()) __schedstat_wakeup(p, cpu, wake_flags);
  return true;
}

// Rules 3 to 9. pi_lock held.
int wake_locked(task_struct* p, unsigned state, int wake_flags) {
  // Pairs with set_current_state's barrier (S-39) and the one in __schedule (S-40): either the sleeper sees the
  // condition we stored, or we see its state.
  smp_mb();
  if (!(READ_ONCE(p->__state) & state)) return 0;
  trace_sched_waking(p);
  // S-41: state before on_rq. Pairs with the rq lock of whoever queued p last.
  smp_rmb();
  if (READ_ONCE(p->on_rq) && wake_queued(p, wake_flags)) {
    if (schedstat_enabled()) __schedstat_wakeup(p, task_cpu(p), wake_flags);
    return 1;
  }
  // S-42, S-43: on_rq before on_cpu, and our store of the state after p's own CPU has read it.
  smp_rmb();
  WRITE_ONCE(p->__state, TASK_WAKING);
  if (p->in_iowait) atomic_dec(&task_rq(p)->nr_iowait);
  if (smp_load_acquire(&p->on_cpu) && leave_to_its_cpu(p, wake_flags)) return 1;
  // Rule 7. Pairs with the release in finish_task_switch (S-44). No deadlock: that CPU needs nothing that we hold.
  while (smp_load_acquire(&p->on_cpu)) cpu_relax();
  unsigned cpu = select_task_rq(p, p->wake_cpu, wake_flags | WF_TTWU);
  if (cpu != task_cpu(p)) {
    wake_flags |= WF_MIGRATED;
    set_task_cpu(p, cpu);
  }
  if (!single_cpu() && wakes_remotely(p, cpu))
    push_to_wake_list(p, cpu, wake_flags);
  else
    wake_asleep(p, wake_flags);
  if (schedstat_enabled()) __schedstat_wakeup(p, cpu, wake_flags);
  return 1;
}

}  // namespace

namespace {

// r locked; dropped if p's affinity changed while it was on the list.
noinline void take_in(rq* r, task_struct* p) {
  while (smp_load_acquire(&p->on_cpu)) cpu_relax();  // pairs with finish_task_switch: it may have been pushed before that
  activate_woken(r, p, p->sched_remote_wakeup ? WF_MIGRATED : 0);
  if (is_cpu_allowed(p, r->cpu)) [[likely]] return;
  const unsigned to = any_allowed_cpu(p);
  if (to < NR_CPUS) move_queued_task(r, p, to);
}

}  // namespace

// S-49: in the order of pushing; the CPU does not count as idle before all are queued. Hard interrupt, or the idle task.
void wake_list_interrupt(rq* r) {
  unsigned long flags;
  raw_spin_lock_irqsave(&r->lock, flags);
  update_rq_clock(r);
  task_struct* next;
  for (task_struct* p = reversed<&task_struct::wake_entry>(__atomic_exchange_n(&r->wake_list, nullptr, __ATOMIC_SEQ_CST)); p; p = next) {
    next = p->wake_entry;  // once it runs it may be on another list
    take_in(r, p);
  }
  WRITE_ONCE(r->ttwu_pending, false);
  sched_check_rq(r, sched_check::When::Wake);
  const bool waits = urgent_waits(r);
  raw_spin_unlock_irqrestore(&r->lock, flags);
  if (waits) [[unlikely]]
    kick_for_urgent(r);
}

// A full barrier before p's state is read, whether or not p is woken (S-37).
int try_to_wake_up(task_struct* p, unsigned state, int wake_flags) {
  arch::yield_point(arch::PreemptPoint::Wake);
  if (p == current) {
    // It runs, hence is queued: nobody else changes its state to sleep.
    if (!(READ_ONCE(p->__state) & state)) return 0;
    trace_sched_waking(p);
    WRITE_ONCE(p->__state, TASK_RUNNING);
    trace_sched_wakeup(p);
    if (schedstat_enabled()) __schedstat_wakeup(p, task_cpu(p), wake_flags);
    return 1;
  }
  unsigned long flags;
  raw_spin_lock_irqsave(&p->pi_lock, flags);
  int woken = wake_locked(p, state, wake_flags);
  raw_spin_unlock_irqrestore(&p->pi_lock, flags);  // may preempt us in favour of p
  return woken;
}

int wake_up_process(task_struct* p) { return try_to_wake_up(p, TASK_NORMAL, 0); }
int wake_up_state(task_struct* p, unsigned state) { return try_to_wake_up(p, state, 0); }
int default_wake_function(wait_queue_entry* e, unsigned mode, int flags, void*) {
  return try_to_wake_up(static_cast<task_struct*>(e->private_), mode, flags);
}

// S-55.
void wake_up_new_task(task_struct* p) {
  unsigned long flags;
  raw_spin_lock_irqsave(&p->pi_lock, flags);
  WRITE_ONCE(p->__state, TASK_RUNNING);
  p->recent_used_cpu = task_cpu(p);
  __set_task_cpu(p, select_task_rq(p, task_cpu(p), WF_FORK));
  rq* r = __task_rq_lock(p);
  update_rq_clock(r);
  if (p->sched_class == &fair_sched_class)
    post_init_entity_util_avg(p->se.cfs_rq, &p->se);
  activate_task(r, p, ENQUEUE_NOCLOCK);
  trace_sched_wakeup_new(p);
  check_preempt_curr(r, p, WF_FORK);
  sched_check_rq(r, sched_check::When::Wake);
  const bool waits = urgent_waits(r);
  raw_spin_unlock(&r->lock);
  if (waits) [[unlikely]]
    kick_for_urgent(r);
  raw_spin_unlock_irqrestore(&p->pi_lock, flags);
}

// ---- Wake queues ----------------------------------------------------------------------------------------------------

static bool wake_q_link(wake_q_head* h, task_struct* t) {
  task_struct* none = nullptr;
  // A full barrier: the owner of the queue that t is in already wakes it after this store, and so after our changes.
  if (!__atomic_compare_exchange_n(&t->wake_q_next, &none, WAKE_Q_TAIL, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    return false;
  *h->lastp = t;
  h->lastp = &t->wake_q_next;
  return true;
}
void wake_q_add(wake_q_head* h, task_struct* t) {
  if (wake_q_link(h, t)) get_task_struct(t);
}
void wake_q_add_safe(wake_q_head* h, task_struct* t) {
  if (!wake_q_link(h, t)) put_task_struct(t);
}
void wake_up_q(wake_q_head* h) {
  for (task_struct* t = h->first; t != WAKE_Q_TAIL;) {
    task_struct* next = READ_ONCE(t->wake_q_next);  // others who would wake t look at it, and fail
    WRITE_ONCE(t->wake_q_next, nullptr);  // before the wake-up: afterwards t may be queued again
    wake_up_process(t);
    put_task_struct(t);
    t = next;
  }
}
