// Reader-writer semaphores: many readers or one writer, sleeping (spec 33 section 8.3). Task context.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_RWSEM_H
#define _LINUX_RWSEM_H
#include <linux/spinlock.h>
#include <linux/wait_types.h>

CF_C_BEGIN
void __init_rwsem(struct rw_semaphore *s, const char *name, struct lock_class_key *key);
int down_read_interruptible(struct rw_semaphore *s) __must_check; /* 0 or -EINTR */
int down_read_killable(struct rw_semaphore *s) __must_check;
int down_write_killable(struct rw_semaphore *s) __must_check;
int down_read_trylock(struct rw_semaphore *s);  /* 1 or 0 */
int down_write_trylock(struct rw_semaphore *s);
void downgrade_write(struct rw_semaphore *s);   /* keeps it as a reader */
CF_C_END

#ifdef __cplusplus
#include "kernel/sync/rwsem.hh"
#else
void down_read(struct rw_semaphore *s);
void down_read_nested(struct rw_semaphore *s, int subclass);
void up_read(struct rw_semaphore *s);
void down_write(struct rw_semaphore *s);
void down_write_nested(struct rw_semaphore *s, int subclass);
void up_write(struct rw_semaphore *s);
int rwsem_is_locked(const struct rw_semaphore *s);
int rwsem_is_contended(const struct rw_semaphore *s);
#endif

#define __RWSEM_INITIALIZER(name) \
	{ { 0 }, { 0 }, __RAW_SPIN_LOCK_UNLOCKED(name), LIST_HEAD_INIT((name).wait_list), NULL }
#define DECLARE_RWSEM(name) struct rw_semaphore name = __RWSEM_INITIALIZER(name)
#define init_rwsem(s) do { static struct lock_class_key __k = { #s }; __init_rwsem((s), #s, &__k); } while (0)
#endif
