// Read-copy update (spec 33 W-50). A reader disables preemption: it may nest, be in an interrupt, but not sleep.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_RCUPDATE_H
#define _LINUX_RCUPDATE_H
#include <linux/compiler.h>
#include <linux/preempt.h>
#include <linux/types.h>

typedef void (*rcu_callback_t)(struct rcu_head *head);
CF_C_BEGIN
void call_rcu(struct rcu_head *head, rcu_callback_t func); /* any context but NMI; func runs in a softirq */
void synchronize_rcu(void);                                /* may sleep; not inside a reader */
void synchronize_rcu_expedited(void);
void rcu_barrier(void);                                    /* may sleep: all callbacks queued before have run */
void kvfree_call_rcu(struct rcu_head *head, size_t offset);
bool rcu_is_watching(void);
CF_C_END

static inline void rcu_read_lock(void) { preempt_disable(); }
static inline void rcu_read_unlock(void) { preempt_enable(); }
static inline void rcu_read_lock_sched(void) { preempt_disable(); }
static inline void rcu_read_unlock_sched(void) { preempt_enable(); }
/* Bottom halves run with BH counted, so they are readers already. */
#define rcu_read_lock_bh() local_bh_disable()
#define rcu_read_unlock_bh() local_bh_enable()
static inline bool rcu_read_lock_held(void) { return in_atomic(); }

/* The address dependency is enough on the machines we run on; acquire says it to the compiler and to TSan. */
#define rcu_dereference_raw(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_dereference(p) rcu_dereference_raw(p)
#define rcu_dereference_check(p, c) rcu_dereference_raw(p)
#define rcu_dereference_sched(p) rcu_dereference_raw(p)
#define rcu_dereference_bh(p) rcu_dereference_raw(p)
#define rcu_dereference_protected(p, c) (p)
#define rcu_access_pointer(p) READ_ONCE(p)
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
#define RCU_INIT_POINTER(p, v) WRITE_ONCE(p, v)
#define rcu_replace_pointer(p, v, c) ({ __typeof__(p) __old = (p); rcu_assign_pointer((p), (v)); __old; })
#define rcu_pointer_handoff(p) (p)

/* kfree_rcu(object, name of its rcu_head) */
#define kfree_rcu(ptr, field)                                                                       \
	do {                                                                                        \
		__typeof__(ptr) __kp = (ptr);                                                       \
		if (__kp)                                                                           \
			kvfree_call_rcu(&__kp->field, (size_t)((char *)&__kp->field - (char *)__kp)); \
	} while (0)
#define kvfree_rcu(ptr, field) kfree_rcu(ptr, field)
#endif
