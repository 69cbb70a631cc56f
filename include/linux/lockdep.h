// Assertions about held locks; checked in the hosted machine by the lock-order checker (kernel/sync/lockorder.hh).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_LOCKDEP_H
#define _LINUX_LOCKDEP_H
#include <linux/spinlock_types.h>
#define SINGLE_DEPTH_NESTING 1
#ifdef __cplusplus
#include "kernel/sync/lockorder.hh"
inline void cf_assert_held(const void *lock, const struct lock_class_key *key)
{
	if constexpr (arch::kCheckLocks)
		if (key && !lockorder_held_slow(lock))
			lockorder_not_held(lock, key);
}
#else
void cf_assert_held(const void *lock, const struct lock_class_key *key);
#endif
/* For locks with a `key` member: spinlock_t, rwlock_t. */
#define lockdep_assert_held(l) cf_assert_held((l), (l)->key)
#define lockdep_assert_held_write(l) lockdep_assert_held(l)
#define lockdep_assert_held_read(l) lockdep_assert_held(l)
#define lockdep_set_class(l, k) ((l)->key = (k))
#define lockdep_register_key(k) ((void)(k))
#define lockdep_unregister_key(k) ((void)(k))
#endif
