// Tasklets (spec 33 W-38). SCHED is set from tasklet_schedule until just before the run: whoever sets it owns the queueing.
// RUN is a lock between CPUs. Queues belong to a CPU and change there with interrupts off.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/softirq/tasklet.hh"

#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "kernel/percpu.hh"
#include "kernel/sync/guards.hh"
#include "lib/late.hh"

namespace {

struct TaskletQueue {
  tasklet_struct* head;
  tasklet_struct** tail;  // null: empty queue not used yet
};
struct TaskletCpu {
  TaskletQueue normal, high;
};
constinit Late<PerCpu<TaskletCpu>> queues;

inline constexpr unsigned long kSched = 1ul << TASKLET_STATE_SCHED, kRun = 1ul << TASKLET_STATE_RUN;

void push(TaskletQueue& q, tasklet_struct* t) {
  t->next = nullptr;
  if (!q.head) q.tail = &q.head;
  *q.tail = t;
  q.tail = &t->next;
}
TaskletQueue& queue_of(int nr) {
  TaskletCpu& c = queues->this_cpu();
  return nr == HI_SOFTIRQ ? c.high : c.normal;
}
void schedule_on(tasklet_struct* t, int nr) {
  if (__atomic_fetch_or(&t->state, kSched, __ATOMIC_SEQ_CST) & kSched) return;
  IrqGuard off;
  push(queue_of(nr), t);
  raise_softirq_irqoff(static_cast<unsigned>(nr));
}

bool try_lock(tasklet_struct* t) { return !(__atomic_fetch_or(&t->state, kRun, __ATOMIC_ACQUIRE) & kRun); }
void unlock(tasklet_struct* t) { __atomic_fetch_and(&t->state, ~kRun, __ATOMIC_RELEASE); }

// False: it runs elsewhere or is disabled, and must be tried again.
bool try_run(tasklet_struct* t) {
  if (!try_lock(t)) return false;
  if (atomic_read(&t->count)) {
    unlock(t);
    return false;
  }
  BUG_ON(!(__atomic_fetch_and(&t->state, ~kSched, __ATOMIC_SEQ_CST) & kSched));
  if (t->use_callback)
    t->callback(t);
  else
    t->func(t->data);
  unlock(t);
  return true;
}

void run_queue(int nr) {
  arch::irq_disable();
  tasklet_struct* list = queue_of(nr).head;
  queue_of(nr).head = nullptr;
  arch::irq_enable();
  while (list) {
    tasklet_struct* t = list;
    list = list->next;
    if (try_run(t)) continue;
    IrqGuard off;
    push(queue_of(nr), t);
    __raise_softirq_irqoff(static_cast<unsigned>(nr));
  }
}
void normal_softirq(softirq_action*) { run_queue(TASKLET_SOFTIRQ); }
void high_softirq(softirq_action*) { run_queue(HI_SOFTIRQ); }

}  // namespace

void tasklets_init() {
  queues.construct();
  open_softirq(TASKLET_SOFTIRQ, normal_softirq);
  open_softirq(HI_SOFTIRQ, high_softirq);
}
static void adopt(TaskletQueue& from, int nr) {
  if (!from.head) return;
  TaskletQueue& to = queue_of(nr);
  if (!to.head) to.tail = &to.head;
  *to.tail = from.head;
  to.tail = from.tail;
  from.head = nullptr;
  raise_softirq_irqoff(static_cast<unsigned>(nr));
}
void tasklets_dead_cpu(unsigned dead) {
  IrqGuard off;
  adopt(queues->on(dead).normal, TASKLET_SOFTIRQ);
  adopt(queues->on(dead).high, HI_SOFTIRQ);
}

void tasklets_exit(LeakReport& report) {
  queues->for_each([&](TaskletCpu& c) { report.expect_zero("tasklets still queued", c.normal.head || c.high.head); });
  queues.destroy();
}

extern "C" {

void tasklet_setup(tasklet_struct* t, void (*callback)(tasklet_struct*)) {
  t->next = nullptr;
  t->state = 0;
  atomic_set(&t->count, 0);
  t->use_callback = true;
  t->callback = callback;
  t->data = 0;
}
void tasklet_init(tasklet_struct* t, void (*func)(unsigned long), unsigned long data) {
  tasklet_setup(t, nullptr);
  t->use_callback = false;
  t->func = func;
  t->data = data;
}
void tasklet_schedule(tasklet_struct* t) { schedule_on(t, TASKLET_SOFTIRQ); }
void tasklet_hi_schedule(tasklet_struct* t) { schedule_on(t, HI_SOFTIRQ); }
void tasklet_unlock_wait(tasklet_struct* t) {
  while (__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) & kRun) arch::cpu_relax();
}
void tasklet_kill(tasklet_struct* t) {
  BUG_ON(in_interrupt());
  while (__atomic_fetch_or(&t->state, kSched, __ATOMIC_SEQ_CST) & kSched) schedule_timeout_uninterruptible(1);
  tasklet_unlock_wait(t);
  __atomic_fetch_and(&t->state, ~kSched, __ATOMIC_SEQ_CST);
}

}  // extern "C"
