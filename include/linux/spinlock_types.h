// spinlock_t, rwlock_t: the types. Operations: linux/spinlock.h. Guards for C++: kernel/sync/guards.hh.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SPINLOCK_TYPES_H
#define _LINUX_SPINLOCK_TYPES_H
#include <linux/types.h>

/* Checks the order in which locks are taken, in the hosted machine; a class per initialisation site. */
struct lock_class_key { const char *name; };

/* A ticket lock: FIFO, and the whole lock is one word. `owner` is the ticket being served, `next` the one to be drawn. */
typedef struct raw_spinlock {
	union {
		u32 val;
		struct { u16 owner, next; };
	};
	struct lock_class_key *key; /* NULL: not checked */
} raw_spinlock_t;
typedef struct raw_spinlock spinlock_t;

/* Writers exclude everybody; readers (which may be interrupts) may come in while readers hold it. */
typedef struct { u32 cnts; struct lock_class_key *key; } rwlock_t;

#define __SPIN_LOCK_UNLOCKED(name) { { 0 }, NULL }
#define __RW_LOCK_UNLOCKED(name) { 0, NULL }
#define DEFINE_SPINLOCK(x) spinlock_t x = __SPIN_LOCK_UNLOCKED(x)
#define DEFINE_RAW_SPINLOCK(x) raw_spinlock_t x = __SPIN_LOCK_UNLOCKED(x)
#define DEFINE_RWLOCK(x) rwlock_t x = __RW_LOCK_UNLOCKED(x)
#endif
