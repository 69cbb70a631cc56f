// What is counted about tasks and CPUs. Spec 30 sections 6.6 and 14.
//
// Always: how long a task waited for a CPU, and how often it got one. The rest only while kernel.sched_schedstats is 1, which is
// a bit of the word that the tracepoints test (kernel/trace): off costs a test of it, next to a tracepoint not even that.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/knobs.hh"
#include "kernel/sched/rq.hh"
#include "kernel/trace/trace.hh"

// Of a task; task_struct::stats, there once the switch has been on. Written under the lock of the task's rq, but for the wake-up
// counts, which are under its pi_lock; read as they are at some moment. ns.
struct sched_statistics {
  u64 wait_start, sleep_start, block_start;  // since when; 0: it does not. Between CPUs, wait_start is how long so far
  u64 sum_sleep_runtime, sum_block_runtime, sleep_max, block_max, exec_max, slice_max;
  u64 wait_max, wait_sum, wait_count, iowait_sum, iowait_count;
  u64 nr_migrations_cold, nr_failed_migrations_affine, nr_failed_migrations_running, nr_failed_migrations_hot,
      nr_forced_migrations;
  u64 nr_wakeups, nr_wakeups_sync, nr_wakeups_migrate, nr_wakeups_local, nr_wakeups_remote, nr_wakeups_affine,
      nr_wakeups_affine_attempts, nr_wakeups_passive, nr_wakeups_idle;
};

inline bool schedstat_enabled() { return unlikely(READ_ONCE(trace_events_live) & kSchedStatsLive); }
// Null: it has none yet. Pairs with the release in give_statistics: the zeroes are seen before the pointer.
inline sched_statistics* statistics_of(const task_struct* p) { return __atomic_load_n(&p->stats, __ATOMIC_ACQUIRE); }
inline void schedstat_inc(u64& n) { WRITE_ONCE(n, n + 1); }
// A count of a domain's lines in /proc/schedstat.
inline void domain_stat(unsigned& n, unsigned by = 1) {
  if (schedstat_enabled()) bump(n, by);
}

// ---- Always -----------------------------------------------------------------------------------------------------------
// p waits from now on. An idle task never does: its time of waiting is nobody's loss (idle.cc sets it when it is picked).
inline void sched_info_queued(const rq* r, task_struct* p) { p->last_queued = r->clock; }
// p, which waited, is taken to another CPU.
inline void sched_info_dequeued(rq* r, task_struct* p) {
  const u64 waited = r->clock - p->last_queued;
  WRITE_ONCE(p->run_delay, p->run_delay + waited);
  WRITE_ONCE(r->run_delay, r->run_delay + waited);
}
// prev may still want the CPU; if it sleeps, its next wake-up overwrites the mark.
inline void sched_info_switch(rq* r, task_struct* prev, task_struct* next) {
  prev->last_queued = r->clock;
  sched_info_dequeued(r, next);
}
// How often p was given a CPU: as often as it left one, and once more if it has one now.
u64 sched_info_pcount(const task_struct* p);

// ---- While the switch is on. rq lock held, unless said otherwise ----------------------------------------------------------
void __schedstat_enqueue(rq* r, task_struct* p, int flags);
void __schedstat_dequeue(rq* r, task_struct* p, int flags);
void __schedstat_switch(rq* r, task_struct* prev, task_struct* next);
void __schedstat_wakeup(task_struct* p, unsigned cpu, int wake_flags);  // pi_lock, or p is current
void __schedstat_affine(sched_domain* sd, task_struct* p, bool came);   // pi_lock: p was wanted on this CPU
void __schedstat_ran(task_struct* p, u64 ns);                           // in one stretch
inline void schedstat_ran(task_struct* p, u64 ns) {
  if (schedstat_enabled()) __schedstat_ran(p, ns);
}

inline void schedstat_count(task_struct* p, u64 sched_statistics::* n) {
  if (!schedstat_enabled()) return;
  if (sched_statistics* s = statistics_of(p)) schedstat_inc(s->*n);
}

void sched_stats_boot();                     // schedstats=, once there is memory
void __sched_stats_fork(task_struct* child);
inline void sched_stats_fork(task_struct* child) {  // nobody knows it yet
  if (schedstat_enabled()) __sched_stats_fork(child);
}
