// Tracepoints: what the rest of the kernel calls when something worth recording happens. Spec 30 section 15.
// Not enabled, each costs one test of one word. Any context; none of them sleeps, takes a lock or wakes anybody.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/compiler.h>
#include <linux/types.h>

struct sched_entity;
struct task_struct;

// In the order of Linux's IDs: sched_wake_idle_without_ipi is 301 there, print is 5.
enum class TraceEvent : unsigned char {
  SchedWakeIdleWithoutIpi, SchedPiSetprio, SchedStatRuntime, SchedStatBlocked, SchedStatIowait, SchedStatSleep, SchedStatWait,
  SchedProcessExec, SchedProcessFork, SchedProcessWait, SchedWaitTask, SchedProcessExit, SchedProcessFree, SchedMigrateTask,
  SchedSwitch, SchedWakeupNew, SchedWakeup, SchedWaking, SchedKthreadStopRet, SchedKthreadStop,
  Print,  // trace_marker: no switch of its own
};
inline constexpr unsigned kNrTraceEvents = static_cast<unsigned>(TraceEvent::Print) + 1;

// A bit per event that is recorded now: enabled, and tracing is on. Written by kernel/trace, read everywhere.
extern u32 trace_events_live;
// The highest bit is no event: kernel.sched_schedstats is on (kernel/sched/stats.hh).
inline constexpr u32 kSchedStatsLive = 1u << 31;
static_assert(static_cast<unsigned>(TraceEvent::Print) < 31);
void trace_set_schedstats(bool on);
inline bool trace_live(TraceEvent e) { return unlikely(READ_ONCE(trace_events_live) & 1u << static_cast<unsigned>(e)); }

void __trace_sched_switch(bool preempt, const task_struct* prev, unsigned prev_state, const task_struct* next);
void __trace_sched_wake(TraceEvent e, const task_struct* p);
void __trace_sched_migrate_task(const task_struct* p, unsigned dest_cpu);
void __trace_sched_process_fork(const task_struct* parent, const task_struct* child);
void __trace_sched_process_exec(const task_struct* p, int old_pid, const char* filename);
void __trace_sched_task(TraceEvent e, const task_struct* p);
void __trace_sched_process_wait(int pid);
void __trace_sched_stat(TraceEvent e, const task_struct* p, u64 delay);
void __trace_sched_stat_runtime(const sched_entity* se, u64 runtime);
void __trace_sched_pi_setprio(const task_struct* p, int newprio);
void __trace_sched_kthread_stop(const task_struct* t);
void __trace_one_int(TraceEvent e, int value);

#define CF_TRACE(event, call)                   \
  do {                                          \
    if (trace_live(TraceEvent::event)) call;    \
  } while (0)

// prev_state: as __schedule read it (S-86). rq lock held, interrupts off.
inline void trace_sched_switch(bool preempt, const task_struct* prev, unsigned prev_state, const task_struct* next) {
  CF_TRACE(SchedSwitch, __trace_sched_switch(preempt, prev, prev_state, next));
}
inline void trace_sched_waking(const task_struct* p) { CF_TRACE(SchedWaking, __trace_sched_wake(TraceEvent::SchedWaking, p)); }
inline void trace_sched_wakeup(const task_struct* p) { CF_TRACE(SchedWakeup, __trace_sched_wake(TraceEvent::SchedWakeup, p)); }
inline void trace_sched_wakeup_new(const task_struct* p) {
  CF_TRACE(SchedWakeupNew, __trace_sched_wake(TraceEvent::SchedWakeupNew, p));
}
inline void trace_sched_migrate_task(const task_struct* p, unsigned dest_cpu) {
  CF_TRACE(SchedMigrateTask, __trace_sched_migrate_task(p, dest_cpu));
}
// In the parent, before the child is woken (S-87).
inline void trace_sched_process_fork(const task_struct* parent, const task_struct* child) {
  CF_TRACE(SchedProcessFork, __trace_sched_process_fork(parent, child));
}
inline void trace_sched_process_exec(const task_struct* p, int old_pid, const char* filename) {
  CF_TRACE(SchedProcessExec, __trace_sched_process_exec(p, old_pid, filename));
}
// pid: whom current waits for; 0: any child.
inline void trace_sched_process_wait(int pid) {
  CF_TRACE(SchedProcessWait, __trace_sched_process_wait(pid));
}
inline void trace_sched_wait_task(const task_struct* p) { CF_TRACE(SchedWaitTask, __trace_sched_task(TraceEvent::SchedWaitTask, p)); }
inline void trace_sched_process_exit(const task_struct* p) {
  CF_TRACE(SchedProcessExit, __trace_sched_task(TraceEvent::SchedProcessExit, p));
}
inline void trace_sched_process_free(const task_struct* p) {
  CF_TRACE(SchedProcessFree, __trace_sched_task(TraceEvent::SchedProcessFree, p));
}
// With schedstats only. delay: ns.
inline void trace_sched_stat_wait(const task_struct* p, u64 delay) {
  CF_TRACE(SchedStatWait, __trace_sched_stat(TraceEvent::SchedStatWait, p, delay));
}
inline void trace_sched_stat_sleep(const task_struct* p, u64 delay) {
  CF_TRACE(SchedStatSleep, __trace_sched_stat(TraceEvent::SchedStatSleep, p, delay));
}
inline void trace_sched_stat_iowait(const task_struct* p, u64 delay) {
  CF_TRACE(SchedStatIowait, __trace_sched_stat(TraceEvent::SchedStatIowait, p, delay));
}
inline void trace_sched_stat_blocked(const task_struct* p, u64 delay) {
  CF_TRACE(SchedStatBlocked, __trace_sched_stat(TraceEvent::SchedStatBlocked, p, delay));
}
// se has just been charged for runtime ns; a group's entity says nothing.
inline void trace_sched_stat_runtime(const sched_entity* se, u64 runtime) {
  constexpr u32 kWanted = 1u << static_cast<unsigned>(TraceEvent::SchedStatRuntime) | kSchedStatsLive;
  if (unlikely(READ_ONCE(trace_events_live) & kWanted)) __trace_sched_stat_runtime(se, runtime);
}
// Before p->prio changes. newprio: what it will be.
inline void trace_sched_pi_setprio(const task_struct* p, int newprio) {
  CF_TRACE(SchedPiSetprio, __trace_sched_pi_setprio(p, newprio));
}
inline void trace_sched_kthread_stop(const task_struct* t) { CF_TRACE(SchedKthreadStop, __trace_sched_kthread_stop(t)); }
inline void trace_sched_kthread_stop_ret(int ret) {
  CF_TRACE(SchedKthreadStopRet, __trace_one_int(TraceEvent::SchedKthreadStopRet, ret));
}
inline void trace_sched_wake_idle_without_ipi(unsigned cpu) {
  CF_TRACE(SchedWakeIdleWithoutIpi, __trace_one_int(TraceEvent::SchedWakeIdleWithoutIpi, static_cast<int>(cpu)));
}
#undef CF_TRACE
