// Core dumps (core(5)). Spec 40 section 20, 21 section 2 step 3.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/completion.h>

#include "kernel/task/task.hh"

// A thread that waits at the beginning of its exit until the dump of its process is done. On its stack.
struct CoreThread {
  task_struct* task;  // null: go on
  CoreThread* next;
};
// A dump in progress: signal_struct::core, under siglock. On the stack of the thread that dumps.
struct CoreDump {
  atomic_t left;        // threads that have not come to rest yet
  completion at_rest;   // all have
  CoreThread* threads;  // pushed by each before it counts down
};

// current's process is about to die of the signal that info tells of, which dumps core by default. Ends the other threads, has
// them wait, writes the dump, and notes in the group's exit code whether there is one. Returns with nothing done if the process
// is dying already or may not be dumped. May sleep.
void do_coredump(const kernel_siginfo* info);
void core_dump_join(CoreDump* core);  // an exiting thread's part

// /proc/sys/kernel/core_*. Set at boot and by sysctl.
inline constexpr size_t kCorePatternSize = 128;
struct CoreSettings {
  char pattern[kCorePatternSize];
  int uses_pid, pipe_limit;
};
extern CoreSettings core_settings;
