// Completions: "it has happened", counted, safe to free once waited for (spec 33 section 2).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_COMPLETION_H
#define _LINUX_COMPLETION_H
#include <linux/spinlock.h>
#include <linux/wait_types.h>
CF_C_BEGIN
void complete(struct completion *x);     /* any context */
void complete_all(struct completion *x); /* any context */
void wait_for_completion(struct completion *x);
void wait_for_completion_io(struct completion *x);
int wait_for_completion_interruptible(struct completion *x) __must_check;
int wait_for_completion_killable(struct completion *x) __must_check;
int wait_for_completion_state(struct completion *x, unsigned state) __must_check;
unsigned long wait_for_completion_timeout(struct completion *x, unsigned long timeout);
unsigned long wait_for_completion_io_timeout(struct completion *x, unsigned long timeout);
long wait_for_completion_interruptible_timeout(struct completion *x, unsigned long timeout);
long wait_for_completion_killable_timeout(struct completion *x, unsigned long timeout);
bool try_wait_for_completion(struct completion *x); /* any context */
bool completion_done(struct completion *x);
CF_C_END
#define COMPLETION_INITIALIZER(work) \
	{ 0, { __RAW_SPIN_LOCK_UNLOCKED(work), LIST_HEAD_INIT((work).wait.task_list) } }
#define DECLARE_COMPLETION(work) struct completion work = COMPLETION_INITIALIZER(work)
#define COMPLETION_INITIALIZER_ONSTACK(work) COMPLETION_INITIALIZER(work)
#define DECLARE_COMPLETION_ONSTACK(work) DECLARE_COMPLETION(work)
#define init_completion(x)                                      \
	do {                                                    \
		(x)->done = 0;                                  \
		raw_spin_lock_init(&(x)->wait.lock);            \
		INIT_LIST_HEAD(&(x)->wait.task_list);           \
	} while (0)
static inline void reinit_completion(struct completion *x) { x->done = 0; }
#endif
