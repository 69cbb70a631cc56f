// Spin locks and reader-writer locks: the inline paths (spec 33 W-39 to W-41). Contended paths: spinlock.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/spinlock_types.h>

#include "kernel/sync/annotations.hh"
#include "kernel/sync/lockorder.hh"

#define CF_LOCK_FN inline __attribute__((always_inline))

void spin_lock_contended(raw_spinlock_t* l);
void read_lock_contended(rwlock_t* l);
void write_lock_contended(rwlock_t* l);

inline constexpr u32 kReader = 0x10000, kWriterHolds = 1, kWriterWaits = 0x100;

// ---- The word itself: no preemption or interrupt state, no checker -------------------------------------------------
CF_LOCK_FN bool arch_spin_trylock(raw_spinlock_t* l) {
  u32 unlocked = 0;
  return __atomic_compare_exchange_n(&l->val, &unlocked, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
CF_LOCK_FN void arch_spin_lock(raw_spinlock_t* l) {
  if (!arch_spin_trylock(l)) [[unlikely]]
    spin_lock_contended(l);
}
CF_LOCK_FN void arch_spin_unlock(raw_spinlock_t* l) { __atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE); }

// ---- raw_spinlock_t ------------------------------------------------------------------------------------------------
CF_LOCK_FN void cf_spin_acquire(raw_spinlock_t* l, unsigned subclass = 0) {
  arch::yield_point(arch::PreemptPoint::Lock);
  lockorder_acquire(l, l->key, LockUse::Exclusive, LockHow::Wait, subclass);
  arch_spin_lock(l);
}
CF_LOCK_FN void cf_spin_release(raw_spinlock_t* l) {
  lockorder_release(l, l->key);
  arch_spin_unlock(l);
  arch::yield_point(arch::PreemptPoint::Unlock);
}
CF_LOCK_FN bool cf_spin_try(raw_spinlock_t* l) {
  arch::yield_point(arch::PreemptPoint::Lock);
  if (!arch_spin_trylock(l)) return false;
  lockorder_acquire(l, l->key, LockUse::Exclusive, LockHow::Try);
  return true;
}

CF_LOCK_FN void _raw_spin_lock(raw_spinlock_t* l) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  preempt_disable();
  cf_spin_acquire(l);
}
CF_LOCK_FN void _raw_spin_lock_nested(raw_spinlock_t* l, unsigned subclass) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  preempt_disable();
  cf_spin_acquire(l, subclass);
}
CF_LOCK_FN void _raw_spin_unlock(raw_spinlock_t* l) RELEASE(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_spin_release(l);
  preempt_enable();
}
CF_LOCK_FN unsigned long _raw_spin_lock_irqsave(raw_spinlock_t* l) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  unsigned long flags = arch::irq_save();
  preempt_disable();
  cf_spin_acquire(l);
  return flags;
}
CF_LOCK_FN unsigned long _raw_spin_lock_irqsave_nested(raw_spinlock_t* l, unsigned subclass)
    ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  unsigned long flags = arch::irq_save();
  preempt_disable();
  cf_spin_acquire(l, subclass);
  return flags;
}
CF_LOCK_FN void _raw_spin_unlock_irqrestore(raw_spinlock_t* l, unsigned long flags)
    RELEASE(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_spin_release(l);
  arch::irq_restore(flags);
  preempt_enable();
}
CF_LOCK_FN void _raw_spin_lock_irq(raw_spinlock_t* l) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  arch::irq_disable();
  preempt_disable();
  cf_spin_acquire(l);
}
CF_LOCK_FN void _raw_spin_unlock_irq(raw_spinlock_t* l) RELEASE(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_spin_release(l);
  arch::irq_enable();
  preempt_enable();
}
// The lock proper adds its 1 to the 0x200 of the disabled bottom halves: +0x201 while held (W-41 table).
extern "C" void __local_bh_enable_ip(unsigned count);
CF_LOCK_FN void _raw_spin_lock_bh(raw_spinlock_t* l) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  arch::preempt_count_add(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET);
  cf_spin_acquire(l);
}
CF_LOCK_FN void _raw_spin_unlock_bh(raw_spinlock_t* l) RELEASE(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_spin_release(l);
  __local_bh_enable_ip(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET);
}
CF_LOCK_FN int _raw_spin_trylock(raw_spinlock_t* l) TRY_ACQUIRE(1, l) NO_THREAD_SAFETY_ANALYSIS {
  preempt_disable();
  if (cf_spin_try(l)) return 1;
  preempt_enable();
  return 0;
}
CF_LOCK_FN int _raw_spin_trylock_bh(raw_spinlock_t* l) TRY_ACQUIRE(1, l) NO_THREAD_SAFETY_ANALYSIS {
  arch::preempt_count_add(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET);
  if (cf_spin_try(l)) return 1;
  __local_bh_enable_ip(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET);
  return 0;
}
CF_LOCK_FN int cf_spin_trylock_irqsave(raw_spinlock_t* l, unsigned long* flags)
    TRY_ACQUIRE(1, l) NO_THREAD_SAFETY_ANALYSIS {
  *flags = arch::irq_save();
  preempt_disable();
  if (cf_spin_try(l)) return 1;
  arch::irq_restore(*flags);
  preempt_enable();
  return 0;
}
inline bool raw_spin_is_locked(const raw_spinlock_t* l) { return __atomic_load_n(&l->locked, __ATOMIC_RELAXED) != 0; }
inline bool raw_spin_is_contended(const raw_spinlock_t* l) {
  return __atomic_load_n(&l->val, __ATOMIC_RELAXED) > 0xff;
}
inline void __raw_spin_lock_init(raw_spinlock_t* l, lock_class_key* key) {
  l->val = 0;
  l->key = key;
}

// ---- rwlock_t ------------------------------------------------------------------------------------------------------
CF_LOCK_FN void cf_read_acquire(rwlock_t* l) {
  arch::yield_point(arch::PreemptPoint::Lock);
  lockorder_acquire(l, l->key, LockUse::Shared);
  if (__atomic_fetch_add(&l->cnts, kReader, __ATOMIC_ACQUIRE) & (kReader - 1)) [[unlikely]]
    read_lock_contended(l);
}
CF_LOCK_FN void cf_read_release(rwlock_t* l) {
  lockorder_release(l, l->key);
  __atomic_fetch_sub(&l->cnts, kReader, __ATOMIC_RELEASE);
  arch::yield_point(arch::PreemptPoint::Unlock);
}
CF_LOCK_FN void cf_write_acquire(rwlock_t* l) {
  arch::yield_point(arch::PreemptPoint::Lock);
  lockorder_acquire(l, l->key, LockUse::Exclusive);
  u32 unlocked = 0;
  if (!__atomic_compare_exchange_n(&l->cnts, &unlocked, kWriterHolds, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    [[unlikely]] write_lock_contended(l);
}
CF_LOCK_FN void cf_write_release(rwlock_t* l) {
  lockorder_release(l, l->key);
  __atomic_store_n(&l->wlocked, 0, __ATOMIC_RELEASE);
  arch::yield_point(arch::PreemptPoint::Unlock);
}

CF_LOCK_FN void _raw_read_lock(rwlock_t* l) ACQUIRE_SHARED(l) NO_THREAD_SAFETY_ANALYSIS {
  preempt_disable();
  cf_read_acquire(l);
}
CF_LOCK_FN void _raw_read_unlock(rwlock_t* l) RELEASE_SHARED(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_read_release(l);
  preempt_enable();
}
CF_LOCK_FN void _raw_write_lock(rwlock_t* l) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  preempt_disable();
  cf_write_acquire(l);
}
CF_LOCK_FN void _raw_write_unlock(rwlock_t* l) RELEASE(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_write_release(l);
  preempt_enable();
}
CF_LOCK_FN unsigned long _raw_read_lock_irqsave(rwlock_t* l) ACQUIRE_SHARED(l) NO_THREAD_SAFETY_ANALYSIS {
  unsigned long flags = arch::irq_save();
  _raw_read_lock(l);
  return flags;
}
CF_LOCK_FN void _raw_read_unlock_irqrestore(rwlock_t* l, unsigned long flags)
    RELEASE_SHARED(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_read_release(l);
  arch::irq_restore(flags);
  preempt_enable();
}
CF_LOCK_FN void _raw_read_lock_irq(rwlock_t* l) ACQUIRE_SHARED(l) NO_THREAD_SAFETY_ANALYSIS {
  arch::irq_disable();
  _raw_read_lock(l);
}
CF_LOCK_FN void _raw_read_unlock_irq(rwlock_t* l) RELEASE_SHARED(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_read_release(l);
  arch::irq_enable();
  preempt_enable();
}
CF_LOCK_FN unsigned long _raw_write_lock_irqsave(rwlock_t* l) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  unsigned long flags = arch::irq_save();
  _raw_write_lock(l);
  return flags;
}
CF_LOCK_FN void _raw_write_unlock_irqrestore(rwlock_t* l, unsigned long flags) RELEASE(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_write_release(l);
  arch::irq_restore(flags);
  preempt_enable();
}
CF_LOCK_FN void _raw_write_lock_irq(rwlock_t* l) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  arch::irq_disable();
  _raw_write_lock(l);
}
CF_LOCK_FN void _raw_write_unlock_irq(rwlock_t* l) RELEASE(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_write_release(l);
  arch::irq_enable();
  preempt_enable();
}
CF_LOCK_FN void _raw_read_lock_bh(rwlock_t* l) ACQUIRE_SHARED(l) NO_THREAD_SAFETY_ANALYSIS {
  arch::preempt_count_add(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET);
  cf_read_acquire(l);
}
CF_LOCK_FN void _raw_read_unlock_bh(rwlock_t* l) RELEASE_SHARED(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_read_release(l);
  __local_bh_enable_ip(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET);
}
CF_LOCK_FN void _raw_write_lock_bh(rwlock_t* l) ACQUIRE(l) NO_THREAD_SAFETY_ANALYSIS {
  arch::preempt_count_add(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET);
  cf_write_acquire(l);
}
CF_LOCK_FN void _raw_write_unlock_bh(rwlock_t* l) RELEASE(l) NO_THREAD_SAFETY_ANALYSIS {
  cf_write_release(l);
  __local_bh_enable_ip(SOFTIRQ_DISABLE_OFFSET + PREEMPT_OFFSET);
}
CF_LOCK_FN int _raw_read_trylock(rwlock_t* l) TRY_ACQUIRE_SHARED(1, l) NO_THREAD_SAFETY_ANALYSIS {
  preempt_disable();
  if (!(__atomic_fetch_add(&l->cnts, kReader, __ATOMIC_ACQUIRE) & (kReader - 1))) {
    lockorder_acquire(l, l->key, LockUse::Shared, LockHow::Try);
    return 1;
  }
  __atomic_fetch_sub(&l->cnts, kReader, __ATOMIC_RELEASE);
  preempt_enable();
  return 0;
}
CF_LOCK_FN int _raw_write_trylock(rwlock_t* l) TRY_ACQUIRE(1, l) NO_THREAD_SAFETY_ANALYSIS {
  preempt_disable();
  u32 unlocked = 0;
  if (__atomic_compare_exchange_n(&l->cnts, &unlocked, kWriterHolds, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
    lockorder_acquire(l, l->key, LockUse::Exclusive, LockHow::Try);
    return 1;
  }
  preempt_enable();
  return 0;
}
inline void __rwlock_init(rwlock_t* l, lock_class_key* key) {
  l->cnts = 0;
  l->key = key;
}
