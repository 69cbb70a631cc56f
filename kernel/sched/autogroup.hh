// Autogroups: while the switch is on, each session shares the CPUs as one group, whatever the number of its tasks. Spec 31 F-51.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/rq.hh"

struct Autogroup;  // a session's; referenced by the processes in it

// setsid(2): a new group for current's process; none if there is no memory for it. May sleep, no lock held.
void sched_autogroup_create_attach();

// A new process is in its parent's group. Any context.
Autogroup* autogroup_get_slow(const signal_struct* s);
inline void sched_autogroup_fork(signal_struct* child, const signal_struct* parent) {
  if (READ_ONCE(parent->autogroup)) child->autogroup = autogroup_get_slow(parent);
}
// The process is gone, all its threads have been through cgroup_exit(). May sleep.
void autogroup_put(Autogroup* ag);
inline void sched_autogroup_exit(signal_struct* s) {
  if (READ_ONCE(s->autogroup)) autogroup_put(xchg(&s->autogroup, nullptr));
}

// ---- Which task_group a task is in ------------------------------------------------------------------------------------------

// Whether the switch was ever on: if not, no task is in an autogroup's task_group.
inline bool autogroup_ever() { return READ_ONCE(sched_state->autogroup_ever); }
// What p, whose cgroup says `tg`, is in. Its rq lock held, or p is new and its fork holds the thread-group lock.
task_group* autogroup_task_group(const task_struct* p, task_group* tg);
// If p's session wants a task_group and has none yet, it is made now; without memory p goes without. May sleep.
void autogroup_prepare(const task_struct* p);

// ---- Files --------------------------------------------------------------------------------------------------------------------

int sched_autogroup_enabled();
void set_sched_autogroup_enabled(bool on);  // counts for who forks, begins a session or changes its cgroup from now on

void autogroup_boot();
