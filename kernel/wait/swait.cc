// Simple wait queues (spec 33 section 3, W-20).
// SPDX-License-Identifier: Apache-2.0
#include <linux/swait.h>

#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

extern "C" {

// q->lock held. The waiter's entry is gone from the list before it can run.
void swake_up_locked(swait_queue_head* q) {
  if (list_empty(&q->task_list)) return;
  swait_queue* w = list_first_entry(&q->task_list, swait_queue, task_list);
  task_struct* t = w->task;
  try_to_wake_up(t, TASK_NORMAL, 0);
  list_del_init_careful(&w->task_list);  // last: finish_swait may return, and w be gone, once it sees this
}
void swake_up_one(swait_queue_head* q) {
  IrqSpinGuard g(q->lock);
  swake_up_locked(q);
}
// One wake in each lock section, so that a long queue does not keep interrupts off.
void swake_up_all(swait_queue_head* q) {
  LIST_HEAD(all);
  _raw_spin_lock_irq(&q->lock);
  list_splice_init(&q->task_list, &all);
  while (!list_empty(&all)) {
    swait_queue* w = list_first_entry(&all, swait_queue, task_list);
    try_to_wake_up(w->task, TASK_NORMAL, 0);
    list_del_init_careful(&w->task_list);
    if (list_empty(&all)) break;
    _raw_spin_unlock_irq(&q->lock);
    _raw_spin_lock_irq(&q->lock);
  }
  _raw_spin_unlock_irq(&q->lock);
}

void __prepare_to_swait(swait_queue_head* q, swait_queue* w) {
  w->task = current;
  if (list_empty(&w->task_list)) list_add_tail(&w->task_list, &q->task_list);
}
void prepare_to_swait_exclusive(swait_queue_head* q, swait_queue* w, int state) {
  IrqSpinGuard g(q->lock);
  __prepare_to_swait(q, w);
  set_current_state(static_cast<unsigned>(state));
}
long prepare_to_swait_event(swait_queue_head* q, swait_queue* w, int state) {
  IrqSpinGuard g(q->lock);
  if (signal_pending_state(static_cast<unsigned>(state), current)) {
    list_del_init(&w->task_list);
    return -ERESTARTSYS;
  }
  __prepare_to_swait(q, w);
  set_current_state(static_cast<unsigned>(state));
  return 0;
}
void __finish_swait(swait_queue_head*, swait_queue* w) {
  __set_current_state(TASK_RUNNING);
  if (!list_empty(&w->task_list)) list_del_init(&w->task_list);
}
void finish_swait(swait_queue_head* q, swait_queue* w) {
  __set_current_state(TASK_RUNNING);
  if (list_empty_careful(&w->task_list)) return;
  IrqSpinGuard g(q->lock);
  list_del_init(&w->task_list);
}

}  // extern "C"
