// The uncontended mutex, inline: one compare-and-exchange each way. The rest is mutex.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <asm/current.h>
#include <linux/preempt.h>
#include <linux/wait_types.h>

#include "kernel/sync/annotations.hh"
#include "kernel/sync/lockorder.hh"

extern "C" void __mutex_lock_slowpath(mutex* m);
extern "C" void __mutex_unlock_slowpath(mutex* m);

inline constexpr s64 kMutexWaiters = 1, kMutexHandoff = 2, kMutexPickup = 4, kMutexFlags = 7;

inline s64 mutex_self() { return reinterpret_cast<s64>(static_cast<task_struct*>(current)); }

inline __attribute__((always_inline)) void mutex_lock_nested(mutex* m, unsigned subclass)
    ACQUIRE(m) NO_THREAD_SAFETY_ANALYSIS {
  might_sleep();
  arch::yield_point(arch::PreemptPoint::Lock);
  lockorder_acquire(m, m->key, LockUse::Sleeping, LockHow::Wait, subclass);
  s64 nobody = 0;
  if (!__atomic_compare_exchange_n(&m->owner.counter, &nobody, mutex_self(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    [[unlikely]] __mutex_lock_slowpath(m);
}
inline __attribute__((always_inline)) void mutex_lock(mutex* m) ACQUIRE(m) NO_THREAD_SAFETY_ANALYSIS {
  mutex_lock_nested(m, 0);
}
inline __attribute__((always_inline)) void mutex_unlock(mutex* m) RELEASE(m) NO_THREAD_SAFETY_ANALYSIS {
  lockorder_release(m, m->key);
  s64 me = mutex_self();
  if (!__atomic_compare_exchange_n(&m->owner.counter, &me, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    [[unlikely]] __mutex_unlock_slowpath(m);
  arch::yield_point(arch::PreemptPoint::Unlock);
}
inline bool mutex_is_locked(const mutex* m) { return (atomic_long_read(&m->owner) & ~kMutexFlags) != 0; }
