// Between the files of kernel/signal, and for kernel/exit.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/freezer.h>

#include "kernel/signal/jobctl.hh"
#include "kernel/signal/signal.hh"

enum class Wake : unsigned char { Normal, Fatal };
void signal_wake_up(task_struct* t, Wake how);  // siglock (S-23)
void signal_wake_up_state(task_struct* t, unsigned state);  // the same with TASK_INTERRUPTIBLE and these; jobctl is the caller's
int send_signal_locked(int sig, kernel_siginfo* info, task_struct* t, pid_type type);  // siglock
// The same with siginfo that is in the receiver's terms already: what the kernel says of a child. Force: S-12.
enum class Force : unsigned char { No, Yes };
int send_translated_locked(int sig, kernel_siginfo* info, task_struct* t, pid_type type, Force force);
// What SIGPENDING is to say (S-6). siglock. In line, like the next: they are a good part of a signal's cost.
inline bool has_pending_signals(const task_struct* t) {
  const u64 wanted = (READ_ONCE(t->pending.signal.sig[0]) | READ_ONCE(t->signal->shared_pending.signal.sig[0])) & ~t->blocked.sig[0];
  return wanted || (READ_ONCE(t->jobctl) & (JOBCTL_PENDING_MASK | JOBCTL_TRAP_FREEZE)) || READ_ONCE(t->frozen) ||
         freezing(const_cast<task_struct*>(t));
}
inline void recalc_own_sigpending(task_struct* self) {  // siglock, current
  const bool should = has_pending_signals(self);
  if (should == test_tsk_thread_flag(self, TIF_SIGPENDING)) return;
  if (should)
    set_tsk_thread_flag(self, TIF_SIGPENDING);
  else
    clear_tsk_thread_flag(self, TIF_SIGPENDING);
}
void recalc_sigpending_tsk(task_struct* t);      // siglock: may set it, never clears
void retarget_shared_pending(task_struct* self, u64 which);  // siglock: others take what self no longer does (S-32)
int dequeue_signal(task_struct* self, u64 mask, kernel_siginfo* info, pid_type* type = nullptr);  // siglock; 0: none. mask: blocked ones
int dequeue_synchronous_signal(kernel_siginfo* info);                   // siglock (S-30)
void fill_child_info(kernel_siginfo* info, task_struct* child, int sig, task_struct* parent);  // all but code and status
void wake_up_parent(task_struct* child, task_struct* parent);  // its waiters look again
void flush_group_signals(task_struct* p, u64 mask);  // siglock: from the shared and every thread's queue
int check_kill_permission(int sig, const kernel_siginfo* info, task_struct* t);  // RCU; 0, -EINVAL or -EPERM
void copy_actions(sighand_struct* to, const sighand_struct* from);  // from's siglock; to is fresh
