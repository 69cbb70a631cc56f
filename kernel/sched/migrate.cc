// Moving tasks between CPUs: affinity, tasks that must leave, migration disabled, waiting until one is off its CPU. Spec 30
// sections 9 and 10. A task that runs is moved by its CPU's stopper, which stands on the CPU in its stead meanwhile.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>

#include "kernel/sched/dl.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/stop.hh"
#include "kernel/sync/guards.hh"
#include "kernel/trace/trace.hh"

// S-6: two rq locks in CPU order.
bool double_lock_rq(rq* mine, rq* other) {
  if (raw_spin_trylock(&other->lock)) return false;
  if (mine->cpu < other->cpu) {
    raw_spin_lock_nested(&other->lock, 1);
    return false;
  }
  raw_spin_unlock(&mine->lock);
  raw_spin_lock(&other->lock);
  raw_spin_lock_nested(&mine->lock, 1);
  return true;
}

void pull_task(rq* from, task_struct* p, rq* to) {
  update_rq_clock(from);
  update_rq_clock(to);
  deactivate_task(from, p, DEQUEUE_NOCLOCK);
  set_task_cpu(p, to->cpu);
  activate_task(to, p, ENQUEUE_NOCLOCK);
}

static void attach(rq* to, task_struct* p) {
  raw_spin_lock(&to->lock);
  activate_task(to, p, 0);
  check_preempt_curr(to, p, 0);
  raw_spin_unlock(&to->lock);
  push_rt_tasks(to);  // it, or whom it will displace
}

// S-69. While p is MIGRATING nobody else touches it: whoever wants its rq waits in task_rq_lock.
void move_queued_task(rq* from, task_struct* p, unsigned to) {
  deactivate_task(from, p, DEQUEUE_NOCLOCK);
  set_task_cpu(p, to);
  raw_spin_unlock(&from->lock);
  attach(cpu_rq(to), p);
  raw_spin_lock(&from->lock);
}

// ---- By the stopper ---------------------------------------------------------------------------------------------------

// Of those that p may use, an idle one before others. NR_CPUS: none.
unsigned any_allowed_cpu(const task_struct* p) {
  unsigned cpu, found = NR_CPUS;
  for_each_cpu(cpu, p->cpus_ptr) {
    if (!is_cpu_allowed(p, cpu)) continue;
    if (idle_cpu(cpu)) return cpu;
    if (found == NR_CPUS) found = cpu;
  }
  return found;
}

// p may not stay here. rq and pi_lock held; the former may be dropped and taken again.
static void move_off(rq* r, task_struct* p) {
  if (is_migration_disabled(p) || is_cpu_allowed(p, r->cpu)) return;
  if (!task_on_rq_queued(p)) return;  // its next wake-up looks for a CPU
  const unsigned to = select_fallback_rq(p, r->cpu);
  update_rq_clock(r);
  move_queued_task(r, p, to);
}

void evict_from_this_cpu() {
  rq* r = this_rq();
  RcuReadGuard rcu;
  task_struct *p, *t;
  for_each_process_thread(p, t) {
    if (t == current || task_cpu(t) != r->cpu || !READ_ONCE(t->on_rq) || is_cpu_allowed(t, r->cpu)) continue;
    TaskRqGuard g(t);
    if (g.r == r) move_off(r, t);
  }
}

namespace {

struct Migration {
  task_struct* task;
  unsigned to;  // kAnywhere: only if it may not stay
};
constexpr unsigned kAnywhere = NR_CPUS;

// On the CPU that the task ran on.
int migration_cpu_stop(void* arg) {
  const auto* m = static_cast<const Migration*>(arg);
  task_struct* p = m->task;
  wake_list_interrupt(this_rq());  // it may be there
  TaskRqGuard g(p);
  if (g.r != this_rq() || is_migration_disabled(p)) return 0;
  if (m->to == kAnywhere) {
    move_off(g.r, p);
  } else if (is_cpu_allowed(p, m->to) && m->to != g.r->cpu) {
    if (task_on_rq_queued(p)) {
      update_rq_clock(g.r);
      move_queued_task(g.r, p, m->to);
    } else {
      p->wake_cpu = static_cast<int>(m->to);
    }
  }
  return 0;
}

int evict_cpu_stop(void*) {
  __atomic_store_n(&this_rq()->evicting, false, __ATOMIC_SEQ_CST);  // before we look: who comes later queues us again
  evict_from_this_cpu();
  return 0;
}

void ask_for_eviction(unsigned cpu) {
  rq* r = cpu_rq(cpu);
  if (__atomic_exchange_n(&r->evicting, true, __ATOMIC_SEQ_CST)) return;
  if (!stop_one_cpu_nowait(cpu, evict_cpu_stop, nullptr, &r->evict_work)) __atomic_store_n(&r->evicting, false, __ATOMIC_SEQ_CST);
}

}  // namespace

// ---- Affinity -----------------------------------------------------------------------------------------------------------

// Somebody who waits until a task has enabled migration again. On the waiter's stack, in a list by the task's pi_lock.
struct affinity_waiter {
  affinity_waiter* next;
  completion enabled;
};

// Somebody waits there whose affinity has changed: to a CPU, perhaps, that does something less urgent. No lock held.
static void push_from(unsigned cpu) {
  IrqGuard off;
  push_rt_tasks(cpu_rq(cpu));
}

static void store_mask(task_struct* p, const cpumask_t* mask) {
  WRITE_ONCE(p->cpus_mask.bits[0], mask->bits[0]);  // p itself, and wakers, look without the lock
  WRITE_ONCE(p->nr_cpus_allowed, cpumask_weight(mask));
  rt_mask_changed(p);
}

void do_set_cpus_allowed(task_struct* p, const cpumask_t* mask) {
  TaskRqGuard g(p);
  store_mask(p, mask);
}

namespace {

enum class Settled : unsigned char { Yes, RunsThere, Pinned };

// Section 10.2, the table. A task that runs where it may not is left to the caller.
Settled settle(rq* r, task_struct* p) {
  if (cpumask_test_cpu(r->cpu, p->cpus_ptr)) return Settled::Yes;
  if (is_migration_disabled(p)) return Settled::Pinned;
  // One that is WAKING is sent on by the CPU that takes it in (S-49).
  if (task_current(r, p) || READ_ONCE(p->__state) == TASK_WAKING) {
    p->sched_must_leave = 1;
    return Settled::RunsThere;
  }
  if (!task_on_rq_queued(p)) return Settled::Yes;
  const unsigned to = any_allowed_cpu(p);
  if (to < NR_CPUS) move_queued_task(r, p, to);
  return Settled::Yes;
}

// Section 10.2. A kernel thread may stay on a CPU that is no longer active, or not yet.
const cpumask_t* usable_cpus(const task_struct* p) {
  return is_migration_disabled(p) || data_race(p->flags) & PF_KTHREAD ? cpu_online_mask : cpu_active_mask;
}

// who: a cpuset takes its deadline tasks along; their bandwidth was asked for before.
enum class Who : unsigned char { Task, Cpuset };
Result<Settled> change_affinity(TaskRqGuard& g, task_struct* p, const cpumask_t* mask, Who who) {
  if (cpumask_equal(&p->cpus_mask, mask)) return Settled::Yes;
  if (who == Who::Task && dl_refuses_affinity(p, mask)) return fail(EBUSY);
  if (p == current && is_migration_disabled(p) && WARN_ON_ONCE(!cpumask_test_cpu(task_cpu(p), mask))) return fail(EBUSY);
  if (!cpumask_intersects(usable_cpus(p), mask)) return fail(EINVAL);
  update_rq_clock(g.r);
  store_mask(p, mask);
  return settle(g.r, p);
}

// Until it runs where it may, whatever that is by then: the last one to change the mask wins. p is referenced.
void wait_until_settled(task_struct* p, Settled how, unsigned cpu) {
  while (how == Settled::RunsThere) {
    Migration m{p, kAnywhere};
    stop_one_cpu(cpu, migration_cpu_stop, &m);
    TaskRqGuard g(p);
    update_rq_clock(g.r);
    how = settle(g.r, p);
    cpu = task_cpu(p);
  }
}

void wait_until_enabled(task_struct* p) {
  affinity_waiter w;
  init_completion(&w.enabled);
  {
    IrqSpinGuard guard(p->pi_lock);
    if (!is_migration_disabled(p)) return;
    w.next = p->affinity_waiters;
    p->affinity_waiters = &w;
  }
  wait_for_completion(&w.enabled);
}

}  // namespace

Result<void> set_cpus_allowed_ptr(task_struct* p, const cpumask_t* mask) {
  Settled how;
  unsigned cpu;
  {
    TaskRqGuard g(p);
    how = TRY(change_affinity(g, p, mask, Who::Task));
    cpu = task_cpu(p);
  }
  push_from(cpu);
  if (how == Settled::Yes) [[likely]] return {};
  get_task_struct(p);
  if (how == Settled::Pinned) {
    wait_until_enabled(p);
    how = Settled::RunsThere;
  }
  wait_until_settled(p, how, cpu);
  put_task_struct(p);
  return {};
}

Result<void> set_cpus_allowed_nowait(task_struct* p, const cpumask_t* mask) {
  Settled how;
  unsigned cpu;
  {
    TaskRqGuard g(p);
    how = TRY(change_affinity(g, p, mask, Who::Cpuset));
    cpu = task_cpu(p);
  }
  dl_settle(p);
  push_from(cpu);
  if (how == Settled::RunsThere) ask_for_eviction(cpu);
  return {};
}

// ---- Migration disabled (S-70) --------------------------------------------------------------------------------------------

extern "C" void migrate_disable() {
  task_struct* p = current;
  if (p->migration_disabled) return WRITE_ONCE(p->migration_disabled, p->migration_disabled + 1);
  PreemptGuard no_preemption;  // one step with the count, for who takes this CPU down
  WRITE_ONCE(this_rq()->nr_pinned, this_rq()->nr_pinned + 1);
  WRITE_ONCE(p->migration_disabled, 1u);
}

extern "C" void migrate_enable() {
  task_struct* p = current;
  if (p->migration_disabled > 1) return WRITE_ONCE(p->migration_disabled, p->migration_disabled - 1);
  if (WARN_ON_ONCE(!p->migration_disabled)) return;
  affinity_waiter* waiters;
  bool leave;
  {
    TaskRqGuard g(p);
    WRITE_ONCE(p->migration_disabled, 0u);
    WRITE_ONCE(g.r->nr_pinned, g.r->nr_pinned - 1);
    waiters = p->affinity_waiters;
    p->affinity_waiters = nullptr;
    leave = !is_cpu_allowed(p, g.r->cpu);
  }
  if (leave) ask_for_eviction(task_cpu(p));
  while (waiters) {
    affinity_waiter* next = waiters->next;  // the waiter's stack is its own as soon as it is told
    complete(&waiters->enabled);
    waiters = next;
  }
}

// S-72: exec is the moment when a task has least in the caches.
void sched_exec() {
  if (single_cpu()) return;
  task_struct* p = current;
  Migration m{p, kAnywhere};
  unsigned here;
  {
    IrqSpinGuard guard(p->pi_lock);
    here = task_cpu(p);
    if (READ_ONCE(cpu_rq(here)->nr_running) < 2 || p->nr_cpus_allowed == 1) return;
    m.to = select_task_rq(p, here, WF_EXEC);
  }
  if (m.to != here && cpu_active(m.to)) stop_one_cpu(here, migration_cpu_stop, &m);
}

// Returns when p is neither running nor queued, or at once if its state is not match_state any more (0: any).
void wait_task_inactive(task_struct* p, unsigned match_state) {
  for (;;) {
    while (task_on_cpu(p)) {
      if (match_state && READ_ONCE(p->__state) != match_state) return;
      if (task_current(task_rq(p), p) && task_on_rq_queued(p)) schedule_timeout_uninterruptible(1);
      cpu_relax();
    }
    bool running, queued;
    {
      TaskRqGuard g(p);
      trace_sched_wait_task(p);
      running = task_current(g.r, p) || task_on_cpu(p) || READ_ONCE(p->__state) == TASK_WAKING;
      queued = p->on_rq;
      if (match_state && READ_ONCE(p->__state) != match_state) return;
    }
    if (!running && !queued) return;
    if (running) cpu_relax();
    if (queued && !running) schedule_timeout_uninterruptible(1);
  }
}
