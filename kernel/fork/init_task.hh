// What builds the first task. Private to fork.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

void init_init_task();
void pid_early_init();   // kernel/pid
void cred_early_init();  // kernel/cred
// A zeroed signal_struct becomes that of a process with one thread; pids, limits and tty are the caller's.
void init_signal_struct(signal_struct* s, task_struct* leader);
