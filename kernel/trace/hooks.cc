// The tracepoints' slow halves: each fills in its entry. Any context.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "kernel/sched/fair.hh"
#include "kernel/sched/stats.hh"
#include "kernel/trace/internal.hh"

namespace {

TraceComm comm_of(const task_struct* p) {
  static_assert(sizeof(TraceComm) == sizeof(p->comm));
  TraceComm c = data_race(*reinterpret_cast<const TraceComm*>(p->comm));  // it may get another name meanwhile
  c.text[TASK_COMM_LEN - 1] = 0;
  return c;
}

constexpr unsigned kReport = 0x7f, kReportIdle = 0x80, kReportPreempted = 0x100;

// S-86: the highest bit that is reported.
s64 reported_state(bool preempt, const task_struct* prev, unsigned state) {
  if (preempt) return kReportPreempted;
  if ((state & TASK_IDLE) == TASK_IDLE) return kReportIdle;
  const unsigned bits = (state | static_cast<unsigned>(prev->exit_state)) & kReport;
  return bits ? 1u << (31 - __builtin_clz(bits)) : 0;
}

}  // namespace

void __trace_sched_switch(bool preempt, const task_struct* prev, unsigned prev_state, const task_struct* next) {
  SwitchEntry e{{}, comm_of(prev), prev->pid, prev->prio, reported_state(preempt, prev, prev_state),
                comm_of(next), next->pid, next->prio};
  trace_record(TraceEvent::SchedSwitch, &e.common, sizeof(e));
}

void __trace_sched_wake(TraceEvent event, const task_struct* p) {
  WakeEntry e{{}, comm_of(p), p->pid, p->prio, static_cast<s32>(task_cpu(p))};
  trace_record(event, &e.common, sizeof(e));
}

void __trace_sched_migrate_task(const task_struct* p, unsigned dest_cpu) {
  MigrateEntry e{{}, comm_of(p), p->pid, p->prio, static_cast<s32>(task_cpu(p)), static_cast<s32>(dest_cpu)};
  trace_record(TraceEvent::SchedMigrateTask, &e.common, sizeof(e));
}

void __trace_sched_process_fork(const task_struct* parent, const task_struct* child) {
  ForkEntry e{{}, comm_of(parent), parent->pid, comm_of(child), child->pid};
  trace_record(TraceEvent::SchedProcessFork, &e.common, sizeof(e));
}

void __trace_sched_process_exec(const task_struct* p, int old_pid, const char* filename) {
  ExecEntry e;
  const size_t n = min(strlen(filename), kMaxTraceFilename - 1);
  e.filename = static_cast<u32>((n + 1) << 16 | __builtin_offsetof(ExecEntry, text));
  e.pid = p->pid;
  e.old_pid = old_pid;
  memcpy(e.text, filename, n);
  e.text[n] = 0;
  trace_record(TraceEvent::SchedProcessExec, &e.common, __builtin_offsetof(ExecEntry, text) + n + 1);
}

void __trace_sched_task(TraceEvent event, const task_struct* p) {
  TaskEntry e{{}, comm_of(p), p->pid, p->prio};
  trace_record(event, &e.common, sizeof(e));
}

void __trace_sched_process_wait(int pid) {
  TaskEntry e{{}, comm_of(current), pid, current->prio};
  trace_record(TraceEvent::SchedProcessWait, &e.common, sizeof(e));
}

void __trace_sched_stat(TraceEvent event, const task_struct* p, u64 delay) {
  StatEntry e{{}, comm_of(p), p->pid, 0, delay};
  trace_record(event, &e.common, sizeof(e));
}

void __trace_sched_stat_runtime(const sched_entity* se, u64 runtime) {
  if (se->my_q) return;
  task_struct* p = task_of(const_cast<sched_entity*>(se));
  schedstat_ran(p, runtime);
  if (!trace_live(TraceEvent::SchedStatRuntime)) return;
  RuntimeEntry e{{}, comm_of(p), p->pid, 0, runtime, se->vruntime};
  trace_record(TraceEvent::SchedStatRuntime, &e.common, sizeof(e));
}

void __trace_sched_pi_setprio(const task_struct* p, int newprio) {
  SetprioEntry e{{}, comm_of(p), p->pid, p->prio, newprio};
  trace_record(TraceEvent::SchedPiSetprio, &e.common, sizeof(e));
}

void __trace_sched_kthread_stop(const task_struct* t) {
  KthreadEntry e{{}, comm_of(t), t->pid};
  trace_record(TraceEvent::SchedKthreadStop, &e.common, sizeof(e));
}

void __trace_one_int(TraceEvent event, int value) {
  IntEntry e{{}, value};
  trace_record(event, &e.common, sizeof(e));
}
