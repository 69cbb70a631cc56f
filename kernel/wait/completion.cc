// Completions (spec 33 section 2). x->wait.lock guards done and the queue; it is taken with interrupts off, so that
// complete() may come from anywhere.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/limits.h>
#include <linux/sched.h>
#include <linux/swait.h>

#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

inline constexpr unsigned kDoneForAll = ~0u;

enum class Sleep : unsigned char { Plain, Io };

void consume(completion* x) {
  if (x->done != kDoneForAll) WRITE_ONCE(x->done, x->done - 1);  // some look without the lock
}

long sleep_for(long timeout, Sleep how) {
  if (how == Sleep::Plain) return schedule_timeout(timeout);
  current->in_iowait = 1;
  timeout = schedule_timeout(timeout);
  current->in_iowait = 0;
  return timeout;
}

// Remaining jiffies, at least 1, if it was completed; 0 after the timeout; -ERESTARTSYS (W-16, W-19).
long wait_common(completion* x, long timeout, unsigned state, Sleep how) {
  might_sleep();
  swait_queue w;
  INIT_LIST_HEAD(&w.task_list);
  _raw_spin_lock_irq(&x->wait.lock);
  while (!x->done && timeout) {
    if (signal_pending_state(state, current)) {
      timeout = -ERESTARTSYS;
      break;
    }
    __prepare_to_swait(&x->wait, &w);
    __set_current_state(state);  // ordered by the lock, which the completer takes too
    _raw_spin_unlock_irq(&x->wait.lock);
    timeout = sleep_for(timeout, how);
    _raw_spin_lock_irq(&x->wait.lock);
  }
  __finish_swait(&x->wait, &w);
  if (x->done && timeout >= 0) {
    consume(x);
    if (!timeout) timeout = 1;
  }
  _raw_spin_unlock_irq(&x->wait.lock);
  return timeout;
}

int wait_int(completion* x, unsigned state) {
  long r = wait_common(x, MAX_SCHEDULE_TIMEOUT, state, Sleep::Plain);
  return r == -ERESTARTSYS ? -ERESTARTSYS : 0;
}

}  // namespace

extern "C" {

void complete(completion* x) {  // W-15
  IrqSpinGuard g(x->wait.lock);
  if (x->done != kDoneForAll) WRITE_ONCE(x->done, x->done + 1);  // saturates (W-17)
  swake_up_locked(&x->wait);
}
void complete_all(completion* x) {
  IrqSpinGuard g(x->wait.lock);
  WRITE_ONCE(x->done, kDoneForAll);
  while (!list_empty(&x->wait.task_list)) swake_up_locked(&x->wait);
}

void wait_for_completion(completion* x) { wait_common(x, MAX_SCHEDULE_TIMEOUT, TASK_UNINTERRUPTIBLE, Sleep::Plain); }
void wait_for_completion_io(completion* x) { wait_common(x, MAX_SCHEDULE_TIMEOUT, TASK_UNINTERRUPTIBLE, Sleep::Io); }
int wait_for_completion_interruptible(completion* x) { return wait_int(x, TASK_INTERRUPTIBLE); }
int wait_for_completion_killable(completion* x) { return wait_int(x, TASK_KILLABLE); }
int wait_for_completion_state(completion* x, unsigned state) { return wait_int(x, state); }
unsigned long wait_for_completion_timeout(completion* x, unsigned long t) {
  return static_cast<unsigned long>(wait_common(x, static_cast<long>(t), TASK_UNINTERRUPTIBLE, Sleep::Plain));
}
unsigned long wait_for_completion_io_timeout(completion* x, unsigned long t) {
  return static_cast<unsigned long>(wait_common(x, static_cast<long>(t), TASK_UNINTERRUPTIBLE, Sleep::Io));
}
long wait_for_completion_interruptible_timeout(completion* x, unsigned long t) {
  return wait_common(x, static_cast<long>(t), TASK_INTERRUPTIBLE, Sleep::Plain);
}
long wait_for_completion_killable_timeout(completion* x, unsigned long t) {
  return wait_common(x, static_cast<long>(t), TASK_KILLABLE, Sleep::Plain);
}

bool try_wait_for_completion(completion* x) {
  if (!READ_ONCE(x->done)) return false;
  IrqSpinGuard g(x->wait.lock);
  if (!x->done) return false;
  consume(x);
  return true;
}
// True also means that no complete() is inside its lock section any more, so x may be freed (W-18).
bool completion_done(completion* x) {
  if (!READ_ONCE(x->done)) return false;
  IrqSpinGuard g(x->wait.lock);
  return true;
}

}  // extern "C"
