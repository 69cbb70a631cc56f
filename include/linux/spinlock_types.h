// spinlock_t, rwlock_t: the types. Operations: linux/spinlock.h. Guards for C++: kernel/sync/guards.hh.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SPINLOCK_TYPES_H
#define _LINUX_SPINLOCK_TYPES_H
#include <linux/thread_annotations.h>
#include <linux/types.h>

/* Checks the order in which locks are taken, in the hosted machine; a class per initialisation site. */
struct lock_class_key { const char *name; };

/*
 * FIFO among those who wait, and one word that is 0 whenever nobody holds or wants the lock, so that the uncontended
 * lock is one compare-and-exchange and the unlock one byte store. Bits 0-7: held; 8-19: ticket that is next to get it;
 * 20-31: ticket to be drawn (on top, so that it wraps away).
 */
typedef struct CF_CAPABILITY("spinlock") raw_spinlock {
	union {
		u32 val;
		u8 locked;
	};
	struct lock_class_key *key; /* NULL: not checked */
} raw_spinlock_t;
typedef struct raw_spinlock spinlock_t;

/*
 * Writers exclude everybody; readers (which may be interrupts) may come in while readers hold it. Byte 0: a writer
 * holds it; byte 1: a writer waits; bits 16-31: readers.
 */
typedef struct CF_CAPABILITY("rwlock") cf_rwlock {
	union {
		u32 cnts;
		u8 wlocked;
	};
	struct lock_class_key *key;
} rwlock_t;

#define __SPIN_LOCK_UNLOCKED(name) { { 0 }, NULL }
#define __RAW_SPIN_LOCK_UNLOCKED(name) __SPIN_LOCK_UNLOCKED(name)
#define __RW_LOCK_UNLOCKED(name) { { 0 }, NULL }
#define DEFINE_SPINLOCK(x) spinlock_t x = __SPIN_LOCK_UNLOCKED(x)
#define DEFINE_RAW_SPINLOCK(x) raw_spinlock_t x = __SPIN_LOCK_UNLOCKED(x)
#define DEFINE_RWLOCK(x) rwlock_t x = __RW_LOCK_UNLOCKED(x)
#endif
