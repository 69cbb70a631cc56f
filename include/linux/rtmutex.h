// rt_mutex: a sleeping lock whose owner runs at the priority of its most urgent waiter (spec 30 section 11, 33 section 8.5).
// Task context only. The owner unlocks.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_RTMUTEX_H
#define _LINUX_RTMUTEX_H
#include <linux/atomic.h>
#include <linux/rbtree_types.h>
#include <linux/spinlock_types.h>

struct CF_CAPABILITY("rt_mutex") rt_mutex {
	atomic_long_t owner; /* task pointer; bit 0: there are waiters, so that the owner's unlock takes the slow path */
	struct rb_root_cached waiters; /* the most urgent first; guarded with all others by one lock (kernel/sync/rt_mutex.cc) */
	struct lock_class_key *key;
};

CF_C_BEGIN
void __rt_mutex_init(struct rt_mutex *lock, const char *name, struct lock_class_key *key);
void rt_mutex_destroy(struct rt_mutex *lock);
/* A cycle of owners is reported, and its last member sleeps for ever. */
void rt_mutex_lock(struct rt_mutex *lock);
int rt_mutex_lock_interruptible(struct rt_mutex *lock) __must_check; /* 0, -EINTR, -EDEADLK */
int rt_mutex_lock_killable(struct rt_mutex *lock) __must_check;      /* likewise */
int rt_mutex_trylock(struct rt_mutex *lock);                         /* 1 or 0 */
void rt_mutex_unlock(struct rt_mutex *lock);
CF_C_END

static inline bool rt_mutex_is_locked(const struct rt_mutex *lock) { return (atomic_long_read(&lock->owner) & ~1l) != 0; }

#define __RT_MUTEX_INITIALIZER(name) { { 0 }, { { NULL }, NULL }, NULL }
#define DEFINE_RT_MUTEX(name) struct rt_mutex name = __RT_MUTEX_INITIALIZER(name)
#define rt_mutex_init(lock) do { static struct lock_class_key __k = { #lock }; __rt_mutex_init((lock), #lock, &__k); } while (0)
#endif
