// The structures of wait queues, completions, mutexes, rwsems, timers and hrtimers. Operations: the header of each.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_WAIT_TYPES_H
#define _LINUX_WAIT_TYPES_H
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rbtree_types.h>
#include <linux/spinlock_types.h>

struct task_struct;
struct wait_queue_entry;
/* Runs under the queue's lock in the waker's context; >0 woken, 0 not, <0 stop the walk (spec 33 W-8). */
typedef int (*wait_queue_func_t)(struct wait_queue_entry *e, unsigned mode, int flags, void *key);
struct wait_queue_entry {
	unsigned flags; /* WQ_FLAG_* */
	void *private_; /* usually the task */
	wait_queue_func_t func;
	struct list_head entry;
};
typedef struct wait_queue_entry wait_queue_entry_t;
struct wait_queue_head {
	spinlock_t lock; /* taken with interrupts off; protects head */
	struct list_head head;
};
typedef struct wait_queue_head wait_queue_head_t;

struct swait_queue_head {
	raw_spinlock_t lock;
	struct list_head task_list;
};
struct completion {
	unsigned done; /* under wait.lock; UINT_MAX after complete_all */
	struct swait_queue_head wait;
};
struct CF_CAPABILITY("mutex") mutex {
	atomic_long_t owner; /* task pointer, low bits: 1 waiters, 2 hand-off wanted, 4 to be picked up (spec 33 W-44) */
	raw_spinlock_t wait_lock;
	struct list_head wait_list; /* under wait_lock */
	struct lock_class_key *key;
};
struct CF_CAPABILITY("rwsem") rw_semaphore {
	atomic_long_t count; /* 1 writer, 2 waiters, 256 per reader */
	atomic_long_t owner; /* the writing task, for diagnosis; 0 else */
	raw_spinlock_t wait_lock;
	struct list_head wait_list; /* under wait_lock */
	struct lock_class_key *key;
};
struct semaphore {
	raw_spinlock_t lock;
	unsigned count;
	struct list_head wait_list;
};

struct timer_list {
	struct hlist_node entry; /* pending iff hashed */
	unsigned long expires;   /* jiffies */
	void (*function)(struct timer_list *t);
	u32 flags;
};

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode {
	HRTIMER_MODE_ABS = 0, HRTIMER_MODE_REL = 1, HRTIMER_MODE_PINNED = 2, HRTIMER_MODE_SOFT = 4, HRTIMER_MODE_HARD = 8,
	HRTIMER_MODE_ABS_HARD = 8, HRTIMER_MODE_REL_HARD = 9, HRTIMER_MODE_ABS_PINNED = 2, HRTIMER_MODE_REL_PINNED = 3,
	HRTIMER_MODE_ABS_SOFT = 4, HRTIMER_MODE_REL_SOFT = 5, HRTIMER_MODE_ABS_PINNED_HARD = 10, HRTIMER_MODE_REL_PINNED_HARD = 11,
};
struct hrtimer_clock_base;
struct hrtimer {
	struct rb_node node;
	ktime_t expires, softexpires; /* hard and soft expiry, ns of the base's clock */
	enum hrtimer_restart (*function)(struct hrtimer *t);
	struct hrtimer_clock_base *base;
	u8 state, is_rel, is_soft, is_hard;
};
#endif
