// Restartable sequences: rseq(2). Spec 22 C-75.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

// The scheduler calls this when a registered task moves to another CPU, the user loop when it was preempted.
inline void rseq_mark(task_struct* t) {
  if (t->rseq) set_tsk_thread_flag(t, TIF_NOTIFY_RESUME);
}
void rseq_handle_notify_resume(pt_regs* regs);  // current; may sleep; SIGSEGV if the user's area is bad
void rseq_signal_deliver(pt_regs* regs);        // the same, before a frame is built
void rseq_fork(task_struct* child, u64 clone_flags);
void rseq_execve(task_struct* t);
