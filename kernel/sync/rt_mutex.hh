// Priority inheritance, towards futexes and the scheduler. Spec 30 section 11.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/rtmutex.h>
#include <linux/sched.h>

// On the stack of who waits. All but `task` and `lock` are guarded by the graph's lock (rt_mutex.cc).
struct rt_mutex_waiter {
  rb_node tree_entry;     // among the lock's waiters
  rb_node pi_tree_entry;  // among the owner's pi_waiters, while it is the first of its lock
  task_struct* task;
  rt_mutex* lock;
  int prio;      // as it counts for the order: all but real-time and deadline tasks are equal (S-74)
  u64 deadline;  // tells deadline tasks apart
};

void rt_mutex_init_task(task_struct* child);  // fork: owns nothing, waits for nothing

// p's priority has changed otherwise than by a boost; if it waits, those who hold what it waits for are told. No lock of
// the scheduler held.
void rt_mutex_adjust_pi(task_struct* p);

// ---- For futexes: the owner is named by somebody else, and the lock goes from hand to hand, never free between ------

void rt_mutex_init_proxy_locked(rt_mutex* lock, task_struct* owner);  // nobody else knows the lock yet
// Makes task, which runs or sleeps on the caller's behalf, wait for the lock. -EDEADLK: it would wait for itself.
int rt_mutex_start_proxy_lock(rt_mutex* lock, rt_mutex_waiter* waiter, task_struct* task);
void rt_mutex_cleanup_proxy_lock(rt_mutex* lock, rt_mutex_waiter* waiter);  // it waits no longer. Not for who got the lock
rt_mutex_waiter* rt_mutex_top_waiter(const rt_mutex* lock);  // null: nobody waits
// The lock is w's from now on, who is no waiter any more and is not woken.
void rt_mutex_hand_over(rt_mutex* lock, rt_mutex_waiter* w);
