// For tests: something happens exactly when a given task is at its k-th yield point. Who is to act waits on a CPU of its own, in a loop that
// lets others go on (cpu_relax(), or user::burn() and system calls of a program); when the task comes to that point, this CPU goes on instead, and keeps the
// machine until it waits for something (a lock that the task holds, say).
// SPDX-License-Identifier: Apache-2.0
#pragma once

struct task_struct;

namespace hosted {

// From now on `task`'s yield points are counted from 1; at number `at` the CPU `cpu` goes on. One appointment at a time in a world.
void appointment_make(const task_struct* task, unsigned long at, unsigned cpu);
// The task has come to the point.
bool appointment_met();
// No more of it: how many yield points there were.
unsigned long appointment_end();

}  // namespace hosted
