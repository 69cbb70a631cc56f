// The cpuset controller, towards the scheduler: which CPUs a task's cgroup leaves it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/cpumask.h>

struct task_struct;

// Some of them are active. Any context.
void cpuset_cpus_allowed(task_struct* p, cpumask_t* mask);
// CPUs have become active or ceased to be: tasks of cpusets go where they may now. May sleep.
void cpuset_update_active_cpus();
// A fork in the root cgroup while partitions have CPUs: it may have missed that they took them. Any context.
extern unsigned long cpuset_taken_from_root;
void cpuset_fork_in_root(task_struct* child);
