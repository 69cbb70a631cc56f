// What CPU time a task has had: precise total, split by what the ticks saw. Spec 20, 30.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/rcupdate.h>

#include "kernel/sched/cputime.hh"
#include "kernel/sched/rq.hh"
#include "kernel/sync/guards.hh"

u64 task_sched_runtime(task_struct* p) {
  // Neither on a CPU nor queued: the sum does not change under our hands.
  if (!task_on_cpu(p) || !READ_ONCE(p->on_rq)) return data_race(p->se.sum_exec_runtime);
  TaskRqGuard g(p);
  if (task_current(g.r, p) && task_on_rq_queued(p)) {
    update_rq_clock(g.r);
    p->sched_class->update_curr(g.r);
  }
  return p->se.sum_exec_runtime;
}

void task_cputime_adjusted(task_struct* p, u64* utime, u64* stime) {
  const TaskTimes t{READ_ONCE(p->utime), READ_ONCE(p->stime), task_sched_runtime(p)};
  IrqRawSpinGuard guard(p->signal->cputime_lock);
  PrevCputime prev{p->prev_utime, p->prev_stime};
  adjust_cputime(t.utime, t.stime, t.runtime, &prev);
  *utime = p->prev_utime = prev.utime;
  *stime = p->prev_stime = prev.stime;
}

// The group's dead are in signal_struct, the living are summed up.
TaskTimes thread_group_cputime(task_struct* p) {
  signal_struct* sig = p->signal;
  TaskTimes sum{READ_ONCE(sig->utime), READ_ONCE(sig->stime), READ_ONCE(sig->sum_sched_runtime)};
  RcuReadGuard rcu;
  task_struct* t;
  for_each_thread(p, t) {
    sum.utime += READ_ONCE(t->utime);
    sum.stime += READ_ONCE(t->stime);
    sum.runtime += task_sched_runtime(t);
  }
  return sum;
}

void thread_group_cputime_adjusted(task_struct* p, u64* utime, u64* stime) {
  const TaskTimes t = thread_group_cputime(p);
  signal_struct* sig = p->signal;
  IrqRawSpinGuard guard(sig->cputime_lock);
  PrevCputime prev{sig->prev_utime, sig->prev_stime};
  adjust_cputime(t.utime, t.stime, t.runtime, &prev);
  *utime = sig->prev_utime = prev.utime;
  *stime = sig->prev_stime = prev.stime;
}

void account_process_tick(task_struct* p, TickFrom from) {
  if (p->flags & PF_IDLE) return;
  u64& bucket = from == TickFrom::User ? p->utime : p->stime;
  WRITE_ONCE(bucket, bucket + TICK_NSEC);
  u64& of_cpu = from == TickFrom::User ? this_rq()->user_time : this_rq()->system_time;
  WRITE_ONCE(of_cpu, of_cpu + TICK_NSEC);
}

// Idle time is what is left: an idle CPU has no tick to count with.
void sched_cpu_times(unsigned cpu, u64* user, u64* system, u64* idle) {
  rq* r = cpu_rq(cpu);
  *user = READ_ONCE(r->user_time);
  *system = READ_ONCE(r->system_time);
  const u64 gone = READ_ONCE(r->offline_since);
  u64 up = (gone ? gone : arch::clock_ns()) - r->online_since, busy = *user + *system;
  *idle = up > busy ? up - busy : 0;
}
