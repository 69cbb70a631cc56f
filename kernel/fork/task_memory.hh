// Memory of tasks: task_struct, kernel stack, and the structs that threads share. Private to fork and exit.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

struct LeakReport;

Result<task_struct*> dup_task_struct(task_struct* orig);  // spec 20 12.1. May sleep
void free_task(task_struct* t);                           // of a task that never ran and has no stack users left
void reclaim_stacks();                                    // gives back stacks that no cache had room for. May sleep
void drain_stacks();                                      // and those in the caches; nobody forks or exits meanwhile. May sleep
int kernel_stacks_in_use();
sighand_struct* alloc_sighand();                          // count 1, all actions SIG_DFL; null: no memory
void __cleanup_sighand(sighand_struct* s);                // drops a reference. Any context
signal_struct* alloc_signal_struct();                     // zeroed; null: no memory
void free_signal_struct(signal_struct* s);
void put_signal_struct(signal_struct* s);                 // drops a sigcnt reference
void task_memory_init();
void task_memory_exit(LeakReport& report);
