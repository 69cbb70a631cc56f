// Moving tasks between CPUs: affinity, tasks that must leave, waiting until one is off its CPU. Spec 30 sections 9 and 10.
// There is no stopper thread: a running task that must leave is handed on by its own CPU's next switch (rq::push_curr).
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>

#include "kernel/sched/dl.hh"
#include "kernel/sched/fair.hh"
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
}

// S-69. While p is MIGRATING nobody else touches it: whoever wants its rq waits in task_rq_lock.
void move_queued_task(rq* from, task_struct* p, unsigned to) {
  deactivate_task(from, p, DEQUEUE_NOCLOCK);
  set_task_cpu(p, to);
  raw_spin_unlock(&from->lock);
  attach(cpu_rq(to), p);
  raw_spin_lock(&from->lock);
}

void push_away(rq* from, task_struct* p) {
  int asked = from->push_to;  // written and read on this CPU only once push_task is set
  from->push_to = -1;
  unsigned to = asked >= 0 && is_cpu_allowed(p, asked) ? asked : select_task_rq(p, task_cpu(p), WF_EXEC);
  set_task_cpu(p, to);
  attach(cpu_rq(to), p);
}

// Waits until a running p has left a CPU that it may no longer use. Its own next switch moves it.
static void wait_until_allowed(task_struct* p) {
  if (p == current) {
    schedule();
    return;
  }
  // Its CPU has been sent an interrupt: mostly it is a matter of a moment.
  auto settled = [p] {
    return cpumask_test_cpu(task_cpu(p), p->cpus_ptr) ||
           (!task_on_cpu(p) && !READ_ONCE(p->on_rq) && READ_ONCE(p->__state) != TASK_WAKING);
  };
  for (int spins = 0; !settled(); spins++) {
    if (spins < 1000)
      cpu_relax();
    else
      schedule_timeout_uninterruptible(1);
  }
}

static void store_mask(task_struct* p, const cpumask_t* mask) {
  WRITE_ONCE(p->cpus_mask.bits[0], mask->bits[0]);  // p itself, and wakers, look without the lock
  WRITE_ONCE(p->nr_cpus_allowed, cpumask_weight(mask));
}

enum class Settled : unsigned char { Yes, AtNextSwitch };
static Result<Settled> change_affinity(task_struct* p, const cpumask_t* mask) {
  const cpumask_t* valid = data_race(p->flags) & PF_KTHREAD ? cpu_online_mask : cpu_active_mask;
  TaskRqGuard g(p);
  if (cpumask_equal(&p->cpus_mask, mask)) return Settled::Yes;
  if (dl_refuses_affinity(p, mask)) return fail(EBUSY);
  if (!cpumask_intersects(valid, mask)) return fail(EINVAL);
  update_rq_clock(g.r);
  store_mask(p, mask);
  if (cpumask_test_cpu(task_cpu(p), mask)) return Settled::Yes;
  if (task_current(g.r, p)) {
    g.r->push_curr = true;
    resched_curr(g.r);
    return Settled::AtNextSwitch;
  }
  // The CPU that is taking it in sends it on (spec 30 S-49).
  if (READ_ONCE(p->__state) == TASK_WAKING) return Settled::AtNextSwitch;
  if (task_on_rq_queued(p)) {
    cpumask_t there;
    cpumask_and(&there, valid, mask);
    move_queued_task(g.r, p, cpumask_first(&there));
  }
  return Settled::Yes;
}

Result<void> set_cpus_allowed_ptr(task_struct* p, const cpumask_t* mask) {
  if (TRY(change_affinity(p, mask)) == Settled::AtNextSwitch) wait_until_allowed(p);
  return {};
}
Result<void> set_cpus_allowed_nowait(task_struct* p, const cpumask_t* mask) {
  TRY(change_affinity(p, mask));
  return {};
}

// S-72: exec is the moment when a task has least in the caches.
void sched_exec() {
  if (single_cpu()) return;
  task_struct* p = current;
  {
    TaskRqGuard g(p);
    if (g.r->nr_running < 2 || p->nr_cpus_allowed == 1) return;
    unsigned to = select_task_rq(p, task_cpu(p), WF_EXEC);
    if (to == task_cpu(p)) return;
    g.r->push_curr = true;
    g.r->push_to = static_cast<int>(to);
    resched_curr(g.r);
  }  // the guard's unlock preempts us, and we go on over there
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
