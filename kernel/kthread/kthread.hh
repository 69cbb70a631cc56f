// What fork and exit do for kernel threads, and boot. The API is in linux/kthread.h. Spec 50 part A.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/kthread.h>

#include "init/report.hh"

// Every PF_KTHREAD task that fork makes owns a struct kthread, in worker_private. May sleep; false: no memory.
bool set_kthread_struct(task_struct* t);
void free_kthread_struct(task_struct* t);  // with the last reference to t

void kthread_init();
void kthread_exit(LeakReport& report);  // not to be taken for kthread_exit(long)
