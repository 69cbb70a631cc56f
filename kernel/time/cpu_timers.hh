// CPU-time clocks, and timers that measure them (clock_getres(2), timer_create(2), clock_nanosleep(2)).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/list.h>

#include "kernel/task/task.hh"

// What a clock counts: all ticks, those in user mode, or the precise run time. The numbers are those of the clock ids.
enum class CpuClockKind : unsigned char { Prof = 0, User = 1, Runtime = 2 };

struct CpuClock {
  CpuClockKind kind;
  bool thread;  // of one thread, not of its process
  pid_t nr;     // 0: the caller's
  // CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, and the negative ids that clock_getcpuclockid(3) makes. EINVAL
  static Result<CpuClock> of_id(int clock);
};
enum class CpuClockUse : unsigned char { Read, Time };
// Whose clock it is, referenced. EINVAL: nobody's, or a thread of another process. Reading a process's takes any thread's number
// if the thread is the caller.
Result<struct pid*> cpu_clock_pid(const CpuClock& c, CpuClockUse use);
Result<u64> read_cpu_clock(int clock);  // ns

struct CpuTimer;
struct CpuTimerOps {
  // From the tick of the measured process, no lock held: it has reached `expires`. The arming's reference goes along. `arming`
  // is the timer's then: another since means that it has been disarmed or set anew.
  void (*fire)(CpuTimer* t, unsigned arming);
  void (*put)(CpuTimer* t);  // drops an arming's reference; never the last one
};
struct CpuTimer {
  hlist_node node;   // signal_struct::cpu_timers of who is measured, with its siglock; unhashed: not armed
  CpuClock clock;
  struct pid* pid;   // of the clock
  u64 expires;
  unsigned arming;   // counts settings
  const CpuTimerOps* ops;
  task_struct* sleeper;  // instead of ops: to wake
  bool reached;          // sleeper: woken because time had come
};
// The clock's time now. ESRCH: the process or thread has ended.
Result<u64> cpu_timer_now(const CpuTimer* t);
// Arms t, which is not armed, for t->expires. The caller has taken the arming's reference; false: ended meanwhile, not armed.
bool cpu_timer_arm(CpuTimer* t);
bool cpu_timer_disarm(CpuTimer* t);  // true: was armed, the reference is the caller's again
inline bool cpu_timer_armed(const CpuTimer* t) { return !hlist_unhashed(&t->node); }

// A task's end; its siglock is held.
void __cpu_timers_exit(task_struct* p);
inline void cpu_timers_exit(task_struct* p) {
  if (!hlist_empty(&p->signal->cpu_timers)) [[unlikely]] __cpu_timers_exit(p);
}

// clock_nanosleep on a CPU clock.
long cpu_clock_nanosleep(int clock, int flags, u64 ns);
