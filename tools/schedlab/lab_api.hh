// Where schedlab's two halves meet: the host program and what runs in the kernel. Builtin types only; included from both.
// SPDX-License-Identifier: Apache-2.0
#pragma once

enum class LabOpKind : int { Run, Sleep, Timer, Lock, Unlock, Suspend, Resume, Yield, Barrier };
struct LabOp {
  LabOpKind kind;
  unsigned object;    // Lock, Unlock, Suspend, Resume, Barrier: which
  long low, high;     // ns: Run, Sleep, Timer; drawn between the two
};
struct LabPhase {
  unsigned first_op, ops;
  long loops;
};
struct LabTask {
  char name[16];
  unsigned policy;  // SCHED_*
  int nice;
  unsigned priority;
  unsigned long dl_runtime, dl_deadline, dl_period;  // ns
  unsigned long affinity;  // 0: any CPU
  int group;               // index, or -1
  unsigned first_phase, phases;
  long loops;              // -1: for ever
  unsigned long delay;     // ns before it begins
  // Filled in by the run:
  int pid;
  int error;               // a parameter was refused: -errno
};
struct LabGroup {
  char path[64];  // "/a" or "/a/b"; parents come first
  long weight;    // 0: as it is
  long quota_us, period_us;  // 0: none
};
enum class LabScheduler : int { Cfs, O1, Mlfq, MlfqBasic };
struct LabWorkload {
  LabTask* tasks;
  unsigned nr_tasks;
  const LabPhase* phases;
  const LabOp* ops;
  const LabGroup* groups;
  unsigned nr_groups, nr_objects, nr_barriers;
  const unsigned* barrier_sizes;  // tasks that meet there, by object
  unsigned long duration;  // ns
  unsigned long seed;
  LabScheduler scheduler;
  int wants_text;  // each event as a line of Linux's trace text, too
};

enum class LabEventKind : int { Switch, Waking, Wakeup, Migrate, Exit, Start, End, Born };
struct LabEvent {
  unsigned long time;
  LabEventKind kind;
  unsigned cpu;
  int pid, next;          // Born: a task runs on cpu and has said its pid; Switch: who leaves, who comes; Migrate: next is the destination
  int prio;
  long state;             // Switch: what the one who leaves is recorded as (0x100: preempted)
};

extern "C" {
extern const LabWorkload* lab_workload;  // set by the host before the run
void lab_event(const LabEvent* e);       // provided by the host
void lab_problem(const char* text);      // likewise
void lab_text(const char* text, unsigned long size);
}
