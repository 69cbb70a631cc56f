// The end of tasks: exit, reparenting, reaping, wait. Spec 21 (X, W).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

[[noreturn]] void do_exit(long code);
[[noreturn]] void do_group_exit(int code);
extern "C" [[noreturn]] void make_task_dead(int sig);  // an oops in process context ends the task; panics for init, idle, irq
void release_task(task_struct* p);
bool is_current_pgrp_orphaned();
void exit_mm_release(task_struct* self);  // before current lets go of its mm: robust futexes, clear_child_tid, vfork parent
void exec_mm_release(task_struct* self);
