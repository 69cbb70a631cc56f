// Scope guards for every lock of the kernel. A guard takes a reference or a pointer; unlock() ends it early.
//   SpinGuard g(p->alloc_lock);  IrqSpinGuard g(q->lock);  MutexGuard g(m);  RcuReadGuard rcu;
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#include "kernel/sync/annotations.hh"

#define CF_GUARD_COMMON(Name)        \
  Name(const Name&) = delete;        \
  Name& operator=(const Name&) = delete

// A guard whose lock and unlock need nothing but the lock.
#define CF_DEFINE_GUARD(Name, Type, lock_fn, unlock_fn, ACQ, REL)                       \
  class CF_SCOPED_CAPABILITY Name {                                                     \
   public:                                                                              \
    __attribute__((always_inline)) explicit Name(Type& l) ACQ(l) : l_(&l) { lock_fn(l_); } \
    __attribute__((always_inline)) explicit Name(Type* l) ACQ(l) : l_(l) { lock_fn(l_); }  \
    __attribute__((always_inline)) ~Name() REL() {                                      \
      if (held_) unlock_fn(l_);                                                         \
    }                                                                                   \
    __attribute__((always_inline)) void unlock() REL() {                                \
      unlock_fn(l_);                                                                    \
      held_ = false;                                                                    \
    }                                                                                   \
    CF_GUARD_COMMON(Name);                                                              \
                                                                                        \
   private:                                                                             \
    Type* l_;                                                                           \
    bool held_ = true; /* folded away where unlock() is not used */                     \
  }

// A guard that remembers the interrupt flag.
#define CF_DEFINE_IRQ_GUARD(Name, Type, lock_fn, unlock_fn, ACQ, REL)                   \
  class CF_SCOPED_CAPABILITY Name {                                                     \
   public:                                                                              \
    __attribute__((always_inline)) explicit Name(Type& l) ACQ(l) : l_(&l), flags_(lock_fn(l_)) {} \
    __attribute__((always_inline)) explicit Name(Type* l) ACQ(l) : l_(l), flags_(lock_fn(l_)) {}  \
    __attribute__((always_inline)) ~Name() REL() {                                      \
      if (held_) unlock_fn(l_, flags_);                                                 \
    }                                                                                   \
    __attribute__((always_inline)) void unlock() REL() {                                \
      unlock_fn(l_, flags_);                                                            \
      held_ = false;                                                                    \
    }                                                                                   \
    CF_GUARD_COMMON(Name);                                                              \
                                                                                        \
   private:                                                                             \
    Type* l_;                                                                           \
    unsigned long flags_;                                                               \
    bool held_ = true;                                                                  \
  }

CF_DEFINE_GUARD(SpinGuard, raw_spinlock_t, _raw_spin_lock, _raw_spin_unlock, ACQUIRE, RELEASE);
CF_DEFINE_IRQ_GUARD(IrqSpinGuard, raw_spinlock_t, _raw_spin_lock_irqsave, _raw_spin_unlock_irqrestore, ACQUIRE, RELEASE);
// Interrupts are known to be on: cheaper than IrqSpinGuard, and they are on afterwards whatever they were.
CF_DEFINE_GUARD(IrqOffSpinGuard, raw_spinlock_t, _raw_spin_lock_irq, _raw_spin_unlock_irq, ACQUIRE, RELEASE);
CF_DEFINE_GUARD(BhSpinGuard, raw_spinlock_t, _raw_spin_lock_bh, _raw_spin_unlock_bh, ACQUIRE, RELEASE);
using RawSpinGuard = SpinGuard;        // spinlock_t and raw_spinlock_t are one type
using IrqRawSpinGuard = IrqSpinGuard;

CF_DEFINE_GUARD(ReadGuard, rwlock_t, _raw_read_lock, _raw_read_unlock, ACQUIRE_SHARED, RELEASE_GENERIC);
CF_DEFINE_GUARD(WriteGuard, rwlock_t, _raw_write_lock, _raw_write_unlock, ACQUIRE, RELEASE);
CF_DEFINE_IRQ_GUARD(IrqReadGuard, rwlock_t, _raw_read_lock_irqsave, _raw_read_unlock_irqrestore, ACQUIRE_SHARED,
                    RELEASE_GENERIC);
CF_DEFINE_IRQ_GUARD(IrqWriteGuard, rwlock_t, _raw_write_lock_irqsave, _raw_write_unlock_irqrestore, ACQUIRE, RELEASE);
CF_DEFINE_GUARD(IrqOffWriteGuard, rwlock_t, _raw_write_lock_irq, _raw_write_unlock_irq, ACQUIRE, RELEASE);

CF_DEFINE_GUARD(MutexGuard, mutex, mutex_lock, mutex_unlock, ACQUIRE, RELEASE);
CF_DEFINE_GUARD(RwsemReadGuard, rw_semaphore, down_read, up_read, ACQUIRE_SHARED, RELEASE_GENERIC);
CF_DEFINE_GUARD(RwsemWriteGuard, rw_semaphore, down_write, up_write, ACQUIRE, RELEASE);

// Guards of a state of this CPU rather than of a lock.
class PreemptGuard {
 public:
  __attribute__((always_inline)) PreemptGuard() { preempt_disable(); }
  __attribute__((always_inline)) ~PreemptGuard() { preempt_enable(); }
  CF_GUARD_COMMON(PreemptGuard);
};
class RcuReadGuard {
 public:
  __attribute__((always_inline)) RcuReadGuard() { rcu_read_lock(); }
  __attribute__((always_inline)) ~RcuReadGuard() { rcu_read_unlock(); }
  CF_GUARD_COMMON(RcuReadGuard);
};
class IrqGuard {
 public:
  __attribute__((always_inline)) IrqGuard() : flags_(arch::irq_save()) {}
  __attribute__((always_inline)) ~IrqGuard() { arch::irq_restore(flags_); }
  CF_GUARD_COMMON(IrqGuard);

 private:
  unsigned long flags_;
};
class BhGuard {
 public:
  BhGuard() { local_bh_disable(); }
  ~BhGuard() { local_bh_enable(); }
  CF_GUARD_COMMON(BhGuard);
};
