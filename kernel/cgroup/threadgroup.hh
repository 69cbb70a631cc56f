// The thread-group lock: fork, exec and exit change who is in a process under its read side; whoever moves a whole process to
// another cgroup takes the write side. Readers are everywhere and writers rare, so a reader tests one word and counts on its
// own CPU; the writer sets the word, waits a grace period until every CPU has seen it, then for the sum of the counts.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/sched.h>
#include <linux/wait.h>

#include "kernel/percpu.hh"
#include "kernel/sync/lockorder.hh"

struct ThreadgroupLock {
  int writer;  // set by the writer, who holds cgroup_mutex
  wait_queue_head_t readers_wait, writer_waits;
};
extern ThreadgroupLock threadgroup_lock;
extern PerCpu<long> threadgroup_readers;  // own CPU only, preemption off; single values mean nothing, the sum does
extern lock_class_key threadgroup_lock_key;
void threadgroup_read_slow();
void threadgroup_wake_writer();

// May sleep. Nests in cgroup_mutex, and outside of tasklist_lock and siglock.
inline void cgroup_threadgroup_change_begin() {
  lockorder_acquire(&threadgroup_lock, &threadgroup_lock_key, LockUse::SleepingShared);
  preempt_disable();
  long& n = threadgroup_readers.this_cpu();
  // Pairs with the writer's grace period: either it sees our count, or we see its word. Acquire: what it did before is seen.
  const bool free = !__atomic_load_n(&threadgroup_lock.writer, __ATOMIC_ACQUIRE);
  if (free) [[likely]]
    WRITE_ONCE(n, n + 1);
  preempt_enable();
  if (!free) [[unlikely]]
    threadgroup_read_slow();
}
inline void cgroup_threadgroup_change_end() {
  lockorder_release(&threadgroup_lock, &threadgroup_lock_key);
  preempt_disable();
  long& n = threadgroup_readers.this_cpu();
  __atomic_store_n(&n, READ_ONCE(n) - 1, __ATOMIC_RELEASE);  // with the writer's acquire: what we did is seen
  if (READ_ONCE(threadgroup_lock.writer)) [[unlikely]]
    threadgroup_wake_writer();
  preempt_enable();
}
class ThreadgroupReadGuard {
 public:
  ThreadgroupReadGuard() { cgroup_threadgroup_change_begin(); }
  ~ThreadgroupReadGuard() { cgroup_threadgroup_change_end(); }
  ThreadgroupReadGuard(const ThreadgroupReadGuard&) = delete;
};

void threadgroup_lock_init();
void threadgroup_write_lock();    // cgroup_mutex held; may sleep
void threadgroup_write_unlock();
class ThreadgroupWriteGuard {
 public:
  ThreadgroupWriteGuard() { threadgroup_write_lock(); }
  ~ThreadgroupWriteGuard() { threadgroup_write_unlock(); }
  ThreadgroupWriteGuard(const ThreadgroupWriteGuard&) = delete;
};
// Nobody forks, executes, begins to exit or is moved to another cgroup meanwhile. Takes cgroup_mutex too. May sleep, for a grace period.
class ThreadgroupsStill {
 public:
  ThreadgroupsStill();
  ~ThreadgroupsStill();
  ThreadgroupsStill(const ThreadgroupsStill&) = delete;
};
