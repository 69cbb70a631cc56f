// Counting semaphores (spec 33 W-47). s->lock guards count and the FIFO; up() gives a unit straight to the first waiter.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>
#include <linux/semaphore.h>

#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

struct SemaWaiter {
  list_head list;
  task_struct* task;
  bool up;  // under s->lock
};

int down_common(semaphore* s, unsigned state, long timeout) {
  might_sleep();
  IrqSpinGuard g(s->lock);
  if (s->count > 0) {
    s->count--;
    return 0;
  }
  SemaWaiter w{{}, current, false};
  list_add_tail(&w.list, &s->wait_list);
  for (;;) {
    if (signal_pending_state(state, current) || timeout <= 0) {
      list_del(&w.list);
      return timeout <= 0 ? -ETIME : -EINTR;
    }
    __set_current_state(state);  // ordered by s->lock, which up() takes
    _raw_spin_unlock_irq(&s->lock);
    timeout = schedule_timeout(timeout);
    _raw_spin_lock_irq(&s->lock);
    if (w.up) return 0;
  }
}

}  // namespace

extern "C" {

void down(semaphore* s) { (void)down_common(s, TASK_UNINTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT); }
int down_interruptible(semaphore* s) { return down_common(s, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT); }
int down_killable(semaphore* s) { return down_common(s, TASK_KILLABLE, MAX_SCHEDULE_TIMEOUT); }
int down_timeout(semaphore* s, long t) { return down_common(s, TASK_UNINTERRUPTIBLE, t); }
int down_trylock(semaphore* s) {
  IrqSpinGuard g(s->lock);
  if (s->count == 0) return 1;
  s->count--;
  return 0;
}
void up(semaphore* s) {
  IrqSpinGuard g(s->lock);
  if (list_empty(&s->wait_list)) {
    s->count++;
    return;
  }
  SemaWaiter* w = list_first_entry(&s->wait_list, SemaWaiter, list);
  list_del(&w->list);
  w->up = true;
  wake_up_process(w->task);  // its frame stays until it has taken s->lock
}

}  // extern "C"
