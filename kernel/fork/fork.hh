// Making tasks. Spec 20 sections 9-19.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

struct kernel_clone_args {
  u64 flags = 0;
  int* pidfd = nullptr;       // user address
  int* child_tid = nullptr;   // user address
  int* parent_tid = nullptr;  // user address
  int exit_signal = 0;
  unsigned long stack = 0, stack_size = 0;
  unsigned long tls = 0;
  const int* set_tid = nullptr;  // kernel memory, innermost level first
  size_t set_tid_size = 0;
  int cgroup = -1;
  int trace_event = 0;  // kernel_clone's: PTRACE_EVENT_* that the caller's tracer asked for; the child is traced then
  bool io_thread = false, kthread = false, idle = false;
  int (*fn)(void*) = nullptr;  // kernel function to run instead of returning to user mode
  void* fn_arg = nullptr;
};

Result<pid_t> kernel_clone(kernel_clone_args args);                     // may sleep; number in the caller's namespace
pid_t kernel_thread(int (*fn)(void*), void* arg, unsigned long flags);  // or -errno
pid_t user_mode_thread(int (*fn)(void*), void* arg, unsigned long flags);
task_struct* fork_idle(unsigned cpu);  // null: no memory
void unmake_idle(task_struct* idle);   // its CPU has stopped

void mm_release_vfork(task_struct* t);  // completes t->vfork_done once (F-96); used by exec and exit
