// Job control: bits of task_struct::jobctl, group stops and their end. Spec 21 section 18. siglock guards all of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/signal/signal.hh"

inline constexpr unsigned long JOBCTL_STOP_SIGMASK = 0xffff;
inline constexpr unsigned long JOBCTL_STOP_DEQUEUED = 1ul << 16;  // a stop signal was dequeued; SIGCONT takes it back (S-40)
inline constexpr unsigned long JOBCTL_STOP_PENDING = 1ul << 17;   // to take part in a group stop
inline constexpr unsigned long JOBCTL_STOP_CONSUME = 1ul << 18;   // counted in group_stop_count
inline constexpr unsigned long JOBCTL_STOPPED = 1ul << 26;        // sleeps in the stop; cleared by who wakes it
inline constexpr unsigned long JOBCTL_PENDING_MASK = JOBCTL_STOP_PENDING;
inline constexpr unsigned SIGNAL_CLD_MASK = SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED;
inline constexpr unsigned SIGNAL_STOP_MASK = SIGNAL_CLD_MASK | SIGNAL_STOP_STOPPED | SIGNAL_STOP_CONTINUED;

inline bool task_is_stopped(const task_struct* t) { return READ_ONCE(t->jobctl) & JOBCTL_STOPPED; }
inline void signal_set_stop_flags(signal_struct* s, unsigned flags) { WRITE_ONCE(s->flags, (s->flags & ~SIGNAL_STOP_MASK) | flags); }
void task_clear_jobctl_pending(task_struct* t);
void task_join_group_stop(task_struct* child);          // fork: a thread made during a stop (20 F-92)
bool task_participate_group_stop(task_struct* t);       // true: this completed the stop, tell the parent
bool do_signal_stop(int sig);                           // drops siglock if true: slept, look again
void continue_group(task_struct* p);                    // what sending SIGCONT does whatever its disposition (S-13)
void do_notify_parent_cldstop(task_struct* t, int why);  // tasklist_lock
