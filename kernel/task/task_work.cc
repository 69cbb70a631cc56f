// Task work: a lock-free stack of callbacks per task, emptied by its owner.
// SPDX-License-Identifier: Apache-2.0
#include <linux/atomic.h>
#include <linux/task_work.h>

#include "kernel/signal/signal.hh"
#include "lib/chain.hh"

namespace {

// Where an exiting task's stack ends: nothing may be pushed on top of it.
constinit callback_head work_exited{};

// Oldest first, as the files closed first are to be released first.
void run_all(callback_head* w) {
  for (w = reversed<&callback_head::next>(w); w;) {
    callback_head* next = w->next;
    w->func(w);
    w = next;
  }
}

void notify(task_struct* task, task_work_notify_mode mode) {
  if (mode == TWA_RESUME) {
    set_tsk_thread_flag(task, TIF_NOTIFY_RESUME);
  } else if (mode == TWA_SIGNAL) {
    set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL);
    if (!wake_up_state(task, TASK_INTERRUPTIBLE)) kick_process(task);
  }
}

}  // namespace

int task_work_add(task_struct* task, callback_head* work, task_work_notify_mode mode) {
  callback_head* head = READ_ONCE(task->task_works);
  do {
    if (head == &work_exited) return -ESRCH;
    work->next = head;
    // Release: the owner's exchange in task_work_run sees the entry's contents.
  } while (!try_cmpxchg(&task->task_works, &head, work));
  if (mode != TWA_NONE) notify(task, mode);
  return 0;
}

void task_work_run() {
  task_struct* self = current;
  callback_head* w;
  while ((w = READ_ONCE(self->task_works)) && w != &work_exited) run_all(xchg(&self->task_works, nullptr));
}

void exit_task_work(task_struct* self) {
  for (;;) {
    callback_head* head = nullptr;
    if (try_cmpxchg(&self->task_works, &head, &work_exited) || head == &work_exited) return;
    task_work_run();
  }
}
