// Spin locks and reader-writer locks with Linux's names. Context: spinning, never sleeping; see spec 33 section 8.1.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/spinlock_types.h>

#ifdef __cplusplus
#include "kernel/sync/spinlock.hh"
#else
void __raw_spin_lock_init(raw_spinlock_t *l, struct lock_class_key *key);
void __rwlock_init(rwlock_t *l, struct lock_class_key *key);
void _raw_spin_lock(raw_spinlock_t *l);
void _raw_spin_lock_nested(raw_spinlock_t *l, unsigned subclass);
void _raw_spin_unlock(raw_spinlock_t *l);
unsigned long _raw_spin_lock_irqsave(raw_spinlock_t *l);
unsigned long _raw_spin_lock_irqsave_nested(raw_spinlock_t *l, unsigned subclass);
void _raw_spin_unlock_irqrestore(raw_spinlock_t *l, unsigned long flags);
void _raw_spin_lock_irq(raw_spinlock_t *l);
void _raw_spin_unlock_irq(raw_spinlock_t *l);
void _raw_spin_lock_bh(raw_spinlock_t *l);
void _raw_spin_unlock_bh(raw_spinlock_t *l);
int _raw_spin_trylock(raw_spinlock_t *l);
int _raw_spin_trylock_bh(raw_spinlock_t *l);
int cf_spin_trylock_irqsave(raw_spinlock_t *l, unsigned long *flags);
bool raw_spin_is_locked(const raw_spinlock_t *l);
bool raw_spin_is_contended(const raw_spinlock_t *l);
int __cond_resched_lock(raw_spinlock_t *l); /* l held, nothing else; 1: it was let go for a moment */
void _raw_read_lock(rwlock_t *l);
void _raw_read_unlock(rwlock_t *l);
void _raw_write_lock(rwlock_t *l);
void _raw_write_unlock(rwlock_t *l);
unsigned long _raw_read_lock_irqsave(rwlock_t *l);
void _raw_read_unlock_irqrestore(rwlock_t *l, unsigned long flags);
void _raw_read_lock_irq(rwlock_t *l);
void _raw_read_unlock_irq(rwlock_t *l);
unsigned long _raw_write_lock_irqsave(rwlock_t *l);
void _raw_write_unlock_irqrestore(rwlock_t *l, unsigned long flags);
void _raw_write_lock_irq(rwlock_t *l);
void _raw_write_unlock_irq(rwlock_t *l);
void _raw_read_lock_bh(rwlock_t *l);
void _raw_read_unlock_bh(rwlock_t *l);
void _raw_write_lock_bh(rwlock_t *l);
void _raw_write_unlock_bh(rwlock_t *l);
int _raw_read_trylock(rwlock_t *l);
int _raw_write_trylock(rwlock_t *l);
#endif

/* One lock class per place that initialises. */
#define raw_spin_lock_init(l) do { static struct lock_class_key __k = { #l }; __raw_spin_lock_init((l), &__k); } while (0)
#define rwlock_init(l) do { static struct lock_class_key __k = { #l }; __rwlock_init((l), &__k); } while (0)
#define raw_spin_lock(l) _raw_spin_lock(l)
#define raw_spin_lock_nested(l, sub) _raw_spin_lock_nested((l), (sub))
#define raw_spin_unlock(l) _raw_spin_unlock(l)
#define raw_spin_lock_irqsave(l, f) ((f) = _raw_spin_lock_irqsave(l))
#define raw_spin_lock_irqsave_nested(l, f, sub) ((f) = _raw_spin_lock_irqsave_nested((l), (sub)))
#define raw_spin_unlock_irqrestore(l, f) _raw_spin_unlock_irqrestore((l), (f))
#define raw_spin_lock_irq(l) _raw_spin_lock_irq(l)
#define raw_spin_unlock_irq(l) _raw_spin_unlock_irq(l)
#define raw_spin_lock_bh(l) _raw_spin_lock_bh(l)
#define raw_spin_unlock_bh(l) _raw_spin_unlock_bh(l)
#define raw_spin_trylock(l) _raw_spin_trylock(l)
#define raw_spin_trylock_irqsave(l, f) cf_spin_trylock_irqsave((l), &(f))
#define spin_lock_init(l) raw_spin_lock_init(l)
#define spin_lock(l) _raw_spin_lock(l)
#define spin_lock_nested(l, sub) _raw_spin_lock_nested((l), (sub))
#define spin_unlock(l) _raw_spin_unlock(l)
#define spin_lock_irqsave(l, f) ((f) = _raw_spin_lock_irqsave(l))
#define spin_lock_irqsave_nested(l, f, sub) ((f) = _raw_spin_lock_irqsave_nested((l), (sub)))
#define spin_unlock_irqrestore(l, f) _raw_spin_unlock_irqrestore((l), (f))
#define spin_lock_irq(l) _raw_spin_lock_irq(l)
#define spin_unlock_irq(l) _raw_spin_unlock_irq(l)
#define spin_lock_bh(l) _raw_spin_lock_bh(l)
#define spin_unlock_bh(l) _raw_spin_unlock_bh(l)
#define spin_trylock(l) _raw_spin_trylock(l)
#define spin_trylock_bh(l) _raw_spin_trylock_bh(l)
#define spin_trylock_irqsave(l, f) cf_spin_trylock_irqsave((l), &(f))
#define spin_is_locked(l) raw_spin_is_locked(l)
#define spin_is_contended(l) raw_spin_is_contended(l)
#define read_lock(l) _raw_read_lock(l)
#define read_unlock(l) _raw_read_unlock(l)
#define write_lock(l) _raw_write_lock(l)
#define write_unlock(l) _raw_write_unlock(l)
#define read_lock_irqsave(l, f) ((f) = _raw_read_lock_irqsave(l))
#define read_unlock_irqrestore(l, f) _raw_read_unlock_irqrestore((l), (f))
#define read_lock_irq(l) _raw_read_lock_irq(l)
#define read_unlock_irq(l) _raw_read_unlock_irq(l)
#define write_lock_irqsave(l, f) ((f) = _raw_write_lock_irqsave(l))
#define write_unlock_irqrestore(l, f) _raw_write_unlock_irqrestore((l), (f))
#define write_lock_irq(l) _raw_write_lock_irq(l)
#define write_unlock_irq(l) _raw_write_unlock_irq(l)
#define read_lock_bh(l) _raw_read_lock_bh(l)
#define read_unlock_bh(l) _raw_read_unlock_bh(l)
#define write_lock_bh(l) _raw_write_lock_bh(l)
#define write_unlock_bh(l) _raw_write_unlock_bh(l)
#define read_trylock(l) _raw_read_trylock(l)
#define write_trylock(l) _raw_write_trylock(l)
#define assert_spin_locked(l) lockdep_assert_held(l)
#include <linux/lockdep.h>
#endif
