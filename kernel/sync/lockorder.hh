// The lock-order checker: which lock class is taken while which others are held, over the whole run. Hosted only
// (arch::kCheckLocks); the calls vanish elsewhere. It reports, with both chains, an order that contradicts an earlier
// one, a class taken in an interrupt that is elsewhere taken with interrupts on (spec 33 W-40), a lock taken twice, and
// a lock still held at exit. A report is a panic, unless a test has said that it expects one.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/spinlock_types.h>

#include "arch/contract/arch.hh"
#include "kernel/sync/preempt.hh"

struct LeakReport;

enum class LockUse : unsigned char {
  Exclusive,   // spin lock, write lock: no sleep while held
  Shared,      // read side of a rwlock
  Sleeping,    // mutex, writer of a rwsem
  SleepingShared,
};
enum class LockHow : unsigned char { Wait, Try };  // a trylock cannot close a cycle, but what is taken under it can

void lockorder_acquire_slow(const void* lock, lock_class_key* key, LockUse use, LockHow how, unsigned subclass);
void lockorder_release_slow(const void* lock);
bool lockorder_held_slow(const void* lock);
void lockorder_not_held(const void* lock, const lock_class_key* key);
void lockorder_reset();                    // at boot: forgets everything
void lockorder_exit(LeakReport& report);   // at power-off: held locks are reported
void lockorder_task_exit(const task_struct* t);  // the last the checker hears of t: it holds nothing any more
// For tests of the checker: reports are counted and kept instead of being fatal, until the end is called.
void lockorder_expect_begin();
unsigned lockorder_expect_end();           // how many came
const char* lockorder_last_report();       // its text

inline void lockorder_acquire(const void* lock, lock_class_key* key, LockUse use, LockHow how = LockHow::Wait,
                              unsigned subclass = 0) {
  if constexpr (arch::kCheckLocks) {
    if (key) lockorder_acquire_slow(lock, key, use, how, subclass);
  }
}
inline void lockorder_release(const void* lock, lock_class_key* key) {
  if constexpr (arch::kCheckLocks) {
    if (key) lockorder_release_slow(lock);
  }
}
