// Sleepable RCU: readers may sleep; each domain has its own grace periods (spec 33 section 8).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SRCU_H
#define _LINUX_SRCU_H
#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
struct srcu_struct {
	atomic_t readers[2]; /* that came while idx was 0, 1 */
	unsigned idx;        /* whose bit 0 new readers take; changed by the one who synchronizes */
	struct mutex mutex;  /* one grace period at a time */
};
CF_C_BEGIN
void cf_init_srcu_struct(struct srcu_struct *s, struct lock_class_key *key);
void cleanup_srcu_struct(struct srcu_struct *s);
int srcu_read_lock(struct srcu_struct *s) __must_check; /* any context; gives the index for the unlock */
void srcu_read_unlock(struct srcu_struct *s, int idx);
void synchronize_srcu(struct srcu_struct *s);           /* may sleep; not inside a reader of s */
CF_C_END
#define init_srcu_struct(s) ({ static struct lock_class_key __k = { #s }; cf_init_srcu_struct((s), &__k); 0; })
#define synchronize_srcu_expedited(s) synchronize_srcu(s)
#define srcu_dereference(p, s) rcu_dereference_raw(p)
#endif
