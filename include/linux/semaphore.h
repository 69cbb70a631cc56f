// Counting semaphores (spec 33 section 8.4).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SEMAPHORE_H
#define _LINUX_SEMAPHORE_H
#include <linux/spinlock.h>
#include <linux/wait_types.h>
CF_C_BEGIN
void down(struct semaphore *s);
int down_interruptible(struct semaphore *s) __must_check;      /* 0 or -EINTR */
int down_killable(struct semaphore *s) __must_check;           /* 0 or -EINTR */
int down_timeout(struct semaphore *s, long jiffies_) __must_check; /* 0 or -ETIME */
int down_trylock(struct semaphore *s) __must_check;            /* 0 got it, 1 not; any context */
void up(struct semaphore *s);                                  /* any context, anybody */
CF_C_END
#define __SEMAPHORE_INITIALIZER(name, n) { __RAW_SPIN_LOCK_UNLOCKED(name), (n), LIST_HEAD_INIT((name).wait_list) }
#define DEFINE_SEMAPHORE(name) struct semaphore name = __SEMAPHORE_INITIALIZER(name, 1)
#define sema_init(s, n) do { raw_spin_lock_init(&(s)->lock); (s)->count = (unsigned)(n); INIT_LIST_HEAD(&(s)->wait_list); } while (0)
#endif
