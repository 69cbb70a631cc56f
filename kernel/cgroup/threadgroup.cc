// The thread-group lock's slow sides.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/threadgroup.hh"

#include <linux/rcupdate.h>

#include "kernel/cgroup/internal.hh"

constinit ThreadgroupLock threadgroup_lock{};
constinit PerCpu<long> threadgroup_readers;
constinit lock_class_key threadgroup_lock_key = {"threadgroup_lock"};

namespace {

// Only readers that came before the word was seen are counted, and they only count down, so 0 means that all have left.
long readers_left() {
  long sum = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) sum += __atomic_load_n(&threadgroup_readers.on(cpu), __ATOMIC_ACQUIRE);
  return sum;
}

bool writer_is_in() { return __atomic_load_n(&threadgroup_lock.writer, __ATOMIC_ACQUIRE); }

}  // namespace

void threadgroup_lock_init() {
  threadgroup_lock.writer = 0;
  init_waitqueue_head(&threadgroup_lock.readers_wait);
  init_waitqueue_head(&threadgroup_lock.writer_waits);
  threadgroup_readers.for_each([](long& n) { n = 0; });
}

void threadgroup_read_slow() {
  for (;;) {
    wait_event(threadgroup_lock.readers_wait, !writer_is_in());
    preempt_disable();
    long& n = threadgroup_readers.this_cpu();
    const bool free = !writer_is_in();
    if (free) WRITE_ONCE(n, n + 1);
    preempt_enable();
    if (free) return;
  }
}

void threadgroup_wake_writer() {
  smp_mb();  // the count is seen by a writer that is about to sleep, or it is in the queue
  wake_up(&threadgroup_lock.writer_waits);
}

void threadgroup_write_lock() {
  lockorder_acquire(&threadgroup_lock, &threadgroup_lock_key, LockUse::Sleeping);
  WRITE_ONCE(threadgroup_lock.writer, 1);
  synchronize_rcu();
  wait_event(threadgroup_lock.writer_waits, readers_left() == 0);
}

void threadgroup_write_unlock() {
  lockorder_release(&threadgroup_lock, &threadgroup_lock_key);
  __atomic_store_n(&threadgroup_lock.writer, 0, __ATOMIC_RELEASE);
  wake_up_all(&threadgroup_lock.readers_wait);
}

ThreadgroupsStill::ThreadgroupsStill() {
  mutex_lock(&cgroup_mutex);
  threadgroup_write_lock();
}
ThreadgroupsStill::~ThreadgroupsStill() {
  threadgroup_write_unlock();
  mutex_unlock(&cgroup_mutex);
}
