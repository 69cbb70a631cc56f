// Resource usage of tasks and processes.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

inline constexpr int RUSAGE_BOTH = -2;  // own and waited-for children's
// p is pinned; who: RUSAGE_*.
void getrusage_of(task_struct* p, int who, rusage* ru);
