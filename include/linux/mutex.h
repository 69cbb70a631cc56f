// Mutexes: sleeping, owned, one holder (spec 33 section 8.2). Task context only.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_MUTEX_H
#define _LINUX_MUTEX_H
#include <linux/spinlock.h>
#include <linux/wait_types.h>

CF_C_BEGIN
void __mutex_init(struct mutex *m, const char *name, struct lock_class_key *key);
int mutex_lock_interruptible(struct mutex *m) __must_check; /* 0 or -EINTR */
int mutex_lock_killable(struct mutex *m) __must_check;      /* 0 or -EINTR */
void mutex_lock_io(struct mutex *m);
int mutex_trylock(struct mutex *m);                         /* 1 or 0; not from interrupts */
void mutex_destroy(struct mutex *m);
int atomic_dec_and_mutex_lock(atomic_t *cnt, struct mutex *m);
CF_C_END

#ifdef __cplusplus
#include "kernel/sync/mutex.hh"
#else
void mutex_lock(struct mutex *m);
void mutex_lock_nested(struct mutex *m, unsigned subclass);
void mutex_unlock(struct mutex *m);
bool mutex_is_locked(const struct mutex *m);
#endif

#define __MUTEX_INITIALIZER(name) \
	{ { 0 }, __RAW_SPIN_LOCK_UNLOCKED(name), LIST_HEAD_INIT((name).wait_list), NULL }
#define DEFINE_MUTEX(name) struct mutex name = __MUTEX_INITIALIZER(name)
#define mutex_init(m) do { static struct lock_class_key __k = { #m }; __mutex_init((m), #m, &__k); } while (0)
#endif
