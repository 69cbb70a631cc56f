// Futexes: waiting on a word of user memory. Spec 60 sections 1, 2, 4 and 5.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <uapi/linux/futex.h>

#include "kernel/task/task.hh"

// deadline: absolute, on the clock that op names; null: none. val2: the number that goes with two-word operations.
// May sleep. -errno or the operation's count.
long do_futex(u32* uaddr, int op, u32 val, const ktime_t* deadline, u32* uaddr2, u32 val2, u32 val3);

// Wakes up to nr waiters; flags: FUTEX_PRIVATE_FLAG or 0.
long futex_wake(u32* uaddr, unsigned flags, int nr, u32 bitset);

// The order of a task's end (spec 60 section 4): robust list while its mm is still there; then clear_child_tid.
void futex_init_task(task_struct* t);     // fork: no robust list
void futex_exit_recursive(task_struct* t);
void futex_exit_release(task_struct* t);  // exit: t is current, its mm attached
void futex_exec_release(task_struct* t);  // exec: likewise
void futex_clear_child_tid(task_struct* t);  // T-1: stores 0 and wakes one, if the mm has another user
