// The uncontended rwsem, inline (mmap_lock is taken by every page fault). The rest is rwsem.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <asm/current.h>
#include <linux/preempt.h>
#include <linux/wait_types.h>

#include "kernel/sync/annotations.hh"
#include "kernel/sync/lockorder.hh"

extern "C" void __down_read_slowpath(rw_semaphore* s);
extern "C" void __down_write_slowpath(rw_semaphore* s);
extern "C" void __rwsem_wake(rw_semaphore* s);

inline constexpr s64 kRwsemWriter = 1, kRwsemWaiters = 2, kRwsemReader = 256;

inline __attribute__((always_inline)) void down_read_nested(rw_semaphore* s, int subclass)
    ACQUIRE_SHARED(s) NO_THREAD_SAFETY_ANALYSIS {
  might_sleep();
  arch::yield_point(arch::PreemptPoint::Lock);
  lockorder_acquire(s, s->key, LockUse::SleepingShared, LockHow::Wait, subclass);
  if (__atomic_fetch_add(&s->count.counter, kRwsemReader, __ATOMIC_ACQUIRE) & (kRwsemWriter | kRwsemWaiters)) [[unlikely]]
    __down_read_slowpath(s);
}
inline __attribute__((always_inline)) void down_read(rw_semaphore* s) ACQUIRE_SHARED(s) NO_THREAD_SAFETY_ANALYSIS {
  down_read_nested(s, 0);
}
inline __attribute__((always_inline)) void up_read(rw_semaphore* s) RELEASE_SHARED(s) NO_THREAD_SAFETY_ANALYSIS {
  lockorder_release(s, s->key);
  // The last reader, with somebody waiting: only the waiters bit is left.
  if (__atomic_sub_fetch(&s->count.counter, kRwsemReader, __ATOMIC_RELEASE) == kRwsemWaiters) [[unlikely]]
    __rwsem_wake(s);
  arch::yield_point(arch::PreemptPoint::Unlock);
}
inline __attribute__((always_inline)) void down_write_nested(rw_semaphore* s, int subclass)
    ACQUIRE(s) NO_THREAD_SAFETY_ANALYSIS {
  might_sleep();
  arch::yield_point(arch::PreemptPoint::Lock);
  lockorder_acquire(s, s->key, LockUse::Sleeping, LockHow::Wait, subclass);
  s64 unlocked = 0;
  if (!__atomic_compare_exchange_n(&s->count.counter, &unlocked, kRwsemWriter, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    [[unlikely]] __down_write_slowpath(s);
  atomic_long_set(&s->owner, reinterpret_cast<s64>(static_cast<task_struct*>(current)));
}
inline __attribute__((always_inline)) void down_write(rw_semaphore* s) ACQUIRE(s) NO_THREAD_SAFETY_ANALYSIS {
  down_write_nested(s, 0);
}
inline __attribute__((always_inline)) void up_write(rw_semaphore* s) RELEASE(s) NO_THREAD_SAFETY_ANALYSIS {
  lockorder_release(s, s->key);
  atomic_long_set(&s->owner, 0);
  if (__atomic_sub_fetch(&s->count.counter, kRwsemWriter, __ATOMIC_RELEASE) & kRwsemWaiters) [[unlikely]]
    __rwsem_wake(s);
  arch::yield_point(arch::PreemptPoint::Unlock);
}
inline int rwsem_is_locked(const rw_semaphore* s) { return atomic_long_read(&s->count) != 0; }
inline int rwsem_is_contended(const rw_semaphore* s) { return (atomic_long_read(&s->count) & kRwsemWaiters) != 0; }
