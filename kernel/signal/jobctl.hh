// Job control: bits of task_struct::jobctl, group stops and their end. Spec 21 section 18. siglock guards all of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/signal/signal.hh"

inline constexpr unsigned long JOBCTL_STOP_SIGMASK = 0xffff;
inline constexpr unsigned long JOBCTL_STOP_DEQUEUED = 1ul << 16;  // a stop signal was dequeued; SIGCONT takes it back (S-40)
inline constexpr unsigned long JOBCTL_STOP_PENDING = 1ul << 17;   // to take part in a group stop
inline constexpr unsigned long JOBCTL_STOP_CONSUME = 1ul << 18;   // counted in group_stop_count
inline constexpr unsigned long JOBCTL_TRAP_STOP = 1ul << 19;      // traced: to stop for the tracer
inline constexpr unsigned long JOBCTL_TRAP_NOTIFY = 1ul << 20;    // seized: its group stopped or went on meanwhile
inline constexpr int JOBCTL_TRAPPING_BIT = 21;
inline constexpr unsigned long JOBCTL_TRAPPING = 1ul << JOBCTL_TRAPPING_BIT;  // an attach waits: from STOPPED to TRACED
inline constexpr unsigned long JOBCTL_LISTENING = 1ul << 22;      // PTRACE_LISTEN: traced, but not to be commanded
inline constexpr unsigned long JOBCTL_TRAP_FREEZE = 1ul << 23;    // its cgroup is to freeze
inline constexpr unsigned long JOBCTL_PTRACE_FROZEN = 1ul << 24;  // the tracer is at work on it: not even SIGKILL wakes it
inline constexpr unsigned long JOBCTL_STOPPED = 1ul << 26;        // sleeps in the stop; cleared by who wakes it
inline constexpr unsigned long JOBCTL_TRACED = 1ul << 27;         // the same for a stop that is the tracer's
inline constexpr unsigned long JOBCTL_TRAP_MASK = JOBCTL_TRAP_STOP | JOBCTL_TRAP_NOTIFY;
inline constexpr unsigned long JOBCTL_PENDING_MASK = JOBCTL_STOP_PENDING | JOBCTL_TRAP_MASK;
inline constexpr unsigned SIGNAL_CLD_MASK = SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED;
inline constexpr unsigned SIGNAL_STOP_MASK = SIGNAL_CLD_MASK | SIGNAL_STOP_STOPPED | SIGNAL_STOP_CONTINUED;

inline bool task_is_stopped(const task_struct* t) { return READ_ONCE(t->jobctl) & JOBCTL_STOPPED; }
inline bool task_is_traced(const task_struct* t) { return READ_ONCE(t->jobctl) & JOBCTL_TRACED; }
inline void jobctl_set(task_struct* t, unsigned long bits) { WRITE_ONCE(t->jobctl, t->jobctl | bits); }
inline void jobctl_clear(task_struct* t, unsigned long bits) { WRITE_ONCE(t->jobctl, t->jobctl & ~bits); }
inline void signal_set_stop_flags(signal_struct* s, unsigned flags) { WRITE_ONCE(s->flags, (s->flags & ~SIGNAL_STOP_MASK) | flags); }
bool task_set_jobctl_pending(task_struct* t, unsigned long bits);    // false: it is on its way out
void task_clear_jobctl_pending(task_struct* t, unsigned long which);  // of JOBCTL_PENDING_MASK
void task_clear_jobctl_trapping(task_struct* t);
void set_special_state(task_struct* self, unsigned state);            // current: STOPPED or TRACED (20 T-11)
void task_join_group_stop(task_struct* child);          // fork: a thread made during a stop (20 F-92)
bool task_participate_group_stop(task_struct* t);       // true: this completed the stop, tell the parent
bool do_signal_stop(int sig);                           // drops siglock if true: slept, look again
void continue_group(task_struct* p);                    // what sending SIGCONT does whatever its disposition (S-13)
enum class Told : unsigned char { RealParent, Tracer };
void do_notify_parent_cldstop(task_struct* t, Told who, int why);  // tasklist_lock
