// What priority inheritance asks of the scheduler. Spec 30 S-73 to S-78.
// SPDX-License-Identifier: Apache-2.0
#pragma once
struct task_struct;

// donor is the most urgent task that waits for something p owns; null: nobody. p runs at the better of its own priority and
// the donor's from now on. The callers take turns (the lock of the graph of waiters); pi_lock and rq lock are taken here.
void rt_mutex_setprio(task_struct* p, task_struct* donor);
