// Wait queues and the wait_event family (spec 33 section 1).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_WAIT_H
#define _LINUX_WAIT_H
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait_types.h>

#define WQ_FLAG_EXCLUSIVE 0x01
#define WQ_FLAG_WOKEN 0x02
#define WQ_FLAG_BOOKMARK 0x04
#define WQ_FLAG_CUSTOM 0x08
#define WQ_FLAG_DONE 0x10
#define WQ_FLAG_PRIORITY 0x20

CF_C_BEGIN
void __init_waitqueue_head(struct wait_queue_head *q, const char *name, struct lock_class_key *key);
void add_wait_queue(struct wait_queue_head *q, struct wait_queue_entry *e);
void add_wait_queue_exclusive(struct wait_queue_head *q, struct wait_queue_entry *e);
void add_wait_queue_priority(struct wait_queue_head *q, struct wait_queue_entry *e);
void remove_wait_queue(struct wait_queue_head *q, struct wait_queue_entry *e);

/* Any context; see spec 33 section 1.3 for the walk. nr_exclusive 0: all. */
void __wake_up(struct wait_queue_head *q, unsigned mode, int nr_exclusive, void *key);
void __wake_up_sync(struct wait_queue_head *q, unsigned mode);
void __wake_up_sync_key(struct wait_queue_head *q, unsigned mode, void *key);
void __wake_up_locked(struct wait_queue_head *q, unsigned mode, int nr);          /* q->lock held */
void __wake_up_locked_key(struct wait_queue_head *q, unsigned mode, void *key);   /* q->lock held */
void __wake_up_locked_sync_key(struct wait_queue_head *q, unsigned mode, void *key);
void __wake_up_pollfree(struct wait_queue_head *q);

void prepare_to_wait(struct wait_queue_head *q, struct wait_queue_entry *e, int state);
bool prepare_to_wait_exclusive(struct wait_queue_head *q, struct wait_queue_entry *e, int state);
long prepare_to_wait_event(struct wait_queue_head *q, struct wait_queue_entry *e, int state);
void finish_wait(struct wait_queue_head *q, struct wait_queue_entry *e);
void init_wait_entry(struct wait_queue_entry *e, int flags);
long wait_woken(struct wait_queue_entry *e, unsigned mode, long timeout);
int default_wake_function(struct wait_queue_entry *e, unsigned mode, int flags, void *key);
int autoremove_wake_function(struct wait_queue_entry *e, unsigned mode, int flags, void *key);
int woken_wake_function(struct wait_queue_entry *e, unsigned mode, int flags, void *key);
int cf_wait_hrtimeout_start(struct hrtimer_sleeper *s, ktime_t timeout);
void cf_wait_hrtimeout_end(struct hrtimer_sleeper *s);
CF_C_END

#define __WAIT_QUEUE_HEAD_INITIALIZER(name) { __SPIN_LOCK_UNLOCKED(name), LIST_HEAD_INIT((name).head) }
#define DECLARE_WAIT_QUEUE_HEAD(name) struct wait_queue_head name = __WAIT_QUEUE_HEAD_INITIALIZER(name)
#define DECLARE_WAIT_QUEUE_HEAD_ONSTACK(name) DECLARE_WAIT_QUEUE_HEAD(name)
#define init_waitqueue_head(q) \
	do { static struct lock_class_key __k = { #q }; __init_waitqueue_head((q), #q, &__k); } while (0)
#define DECLARE_WAITQUEUE(name, tsk) \
	struct wait_queue_entry name = { 0, (struct task_struct *)(tsk), default_wake_function, { NULL, NULL } }
#define DEFINE_WAIT_FUNC(name, function) \
	struct wait_queue_entry name = { 0, (struct task_struct *)current, function, LIST_HEAD_INIT((name).entry) }
#define DEFINE_WAIT(name) DEFINE_WAIT_FUNC(name, autoremove_wake_function)
#define init_wait(e) init_wait_entry((e), 0)
static inline void init_waitqueue_entry(struct wait_queue_entry *e, struct task_struct *p)
{
	e->flags = 0;
	e->private_ = p;
	e->func = default_wake_function;
}
static inline void init_waitqueue_func_entry(struct wait_queue_entry *e, wait_queue_func_t func)
{
	e->flags = 0;
	e->private_ = NULL;
	e->func = func;
}
/* Unlocked: the caller has a full barrier between making the condition true and this test (pairs with prepare_to_wait). */
static inline int waitqueue_active(const struct wait_queue_head *q) { return !list_empty(&q->head); }
static inline bool wq_has_single_sleeper(const struct wait_queue_head *q) { return list_is_singular(&q->head); }
static inline bool wq_has_sleeper(const struct wait_queue_head *q)
{
	smp_mb();
	return waitqueue_active(q);
}
static inline void __add_wait_queue(struct wait_queue_head *q, struct wait_queue_entry *e)
{
	struct list_head *pos = &q->head;
	struct wait_queue_entry *i;
	list_for_each_entry(i, &q->head, entry) {
		if (!(i->flags & WQ_FLAG_PRIORITY))
			break;
		pos = &i->entry;
	}
	list_add(&e->entry, pos);
}
static inline void __add_wait_queue_entry_tail(struct wait_queue_head *q, struct wait_queue_entry *e)
{
	list_add_tail(&e->entry, &q->head);
}
static inline void __remove_wait_queue(struct wait_queue_head *q, struct wait_queue_entry *e) { list_del(&e->entry); }

#define poll_to_key(m) ((void *)(unsigned long)(unsigned)(m))
#define key_to_poll(k) ((unsigned)(unsigned long)(k))
#define wake_up(q) __wake_up((q), TASK_NORMAL, 1, NULL)
#define wake_up_nr(q, nr) __wake_up((q), TASK_NORMAL, (nr), NULL)
#define wake_up_all(q) __wake_up((q), TASK_NORMAL, 0, NULL)
#define wake_up_locked(q) __wake_up_locked((q), TASK_NORMAL, 1)
#define wake_up_all_locked(q) __wake_up_locked((q), TASK_NORMAL, 0)
#define wake_up_sync(q) __wake_up_sync((q), TASK_NORMAL)
#define wake_up_interruptible(q) __wake_up((q), TASK_INTERRUPTIBLE, 1, NULL)
#define wake_up_interruptible_nr(q, nr) __wake_up((q), TASK_INTERRUPTIBLE, (nr), NULL)
#define wake_up_interruptible_all(q) __wake_up((q), TASK_INTERRUPTIBLE, 0, NULL)
#define wake_up_interruptible_sync(q) __wake_up_sync((q), TASK_INTERRUPTIBLE)
#define wake_up_poll(q, m) __wake_up((q), TASK_NORMAL, 1, poll_to_key(m))
#define wake_up_locked_poll(q, m) __wake_up_locked_key((q), TASK_NORMAL, poll_to_key(m))
#define wake_up_interruptible_poll(q, m) __wake_up((q), TASK_INTERRUPTIBLE, 1, poll_to_key(m))
#define wake_up_interruptible_sync_poll(q, m) __wake_up_sync_key((q), TASK_INTERRUPTIBLE, poll_to_key(m))
#define wake_up_pollfree(q) __wake_up_pollfree(q)

#define ___wait_is_interruptible(state) (((state) & (TASK_INTERRUPTIBLE | TASK_WAKEKILL)) != 0)
/* The condition, and with the timeout at its end the least answer that still says "true" (W-12). Uses __ret. */
#define ___wait_cond_timeout(condition) \
	({ bool __cond = (condition); if (__cond && !__ret) __ret = 1; __cond || !__ret; })

/* The one loop of the family (section 1.6). The value is `ret`, or what __ret inside cmd became, or -ERESTARTSYS. */
#define ___wait_event(q, condition, state, exclusive, ret, cmd)                            \
	({                                                                                 \
		struct wait_queue_entry __we;                                              \
		long __ret = (ret);                                                        \
		init_wait_entry(&__we, (exclusive) ? WQ_FLAG_EXCLUSIVE : 0);               \
		for (;;) {                                                                 \
			long __sig = prepare_to_wait_event(&(q), &__we, (state));          \
			if (condition)                                                     \
				break;                                                     \
			if (___wait_is_interruptible(state) && __sig) {                    \
				__ret = __sig;                                             \
				break;                                                     \
			}                                                                  \
			cmd;                                                               \
		}                                                                          \
		finish_wait(&(q), &__we);                                                  \
		__ret;                                                                     \
	})
#define __wait_void(q, c, state, excl, cmd)                                \
	do {                                                               \
		might_sleep();                                             \
		if (!(c))                                                  \
			(void)___wait_event(q, c, state, excl, 0, cmd);    \
	} while (0)
#define __wait_int(q, c, state, excl, cmd)                                 \
	({                                                                 \
		long __r = 0;                                              \
		might_sleep();                                             \
		if (!(c))                                                  \
			__r = ___wait_event(q, c, state, excl, 0, cmd);    \
		(int)__r;                                                  \
	})
#define __wait_timed(q, c, state, excl, t)                                                     \
	({                                                                                     \
		long __limit = (t), __ret = __limit;                                           \
		might_sleep();                                                                 \
		if (!___wait_cond_timeout(c))                                                  \
			__ret = ___wait_event(q, ___wait_cond_timeout(c), state, excl, __limit, \
					      __ret = schedule_timeout(__ret));                \
		__ret;                                                                         \
	})
#define __wait_hrtimed(q, c, timeout, state)                                                   \
	({                                                                                     \
		int __hr = 0;                                                                  \
		struct hrtimer_sleeper __hs;                                                   \
		might_sleep();                                                                 \
		if (!(c)) {                                                                    \
			cf_wait_hrtimeout_start(&__hs, (timeout));                             \
			__hr = (int)___wait_event(q, c, state, 0, 0,                           \
				if (!__hs.task) { __ret = -ETIME; break; } schedule());        \
			cf_wait_hrtimeout_end(&__hs);                                          \
		}                                                                              \
		__hr;                                                                          \
	})

#define wait_event(q, c) __wait_void(q, c, TASK_UNINTERRUPTIBLE, 0, schedule())
#define io_wait_event(q, c) __wait_void(q, c, TASK_UNINTERRUPTIBLE, 0, io_schedule())
#define wait_event_idle(q, c) __wait_void(q, c, TASK_IDLE, 0, schedule())
#define wait_event_idle_exclusive(q, c) __wait_void(q, c, TASK_IDLE, 1, schedule())
#define wait_event_cmd(q, c, before, after) \
	__wait_void(q, c, TASK_UNINTERRUPTIBLE, 0, before; schedule(); after)
#define wait_event_exclusive_cmd(q, c, before, after) \
	__wait_void(q, c, TASK_UNINTERRUPTIBLE, 1, before; schedule(); after)
#define wait_event_interruptible(q, c) __wait_int(q, c, TASK_INTERRUPTIBLE, 0, schedule())
#define wait_event_interruptible_exclusive(q, c) __wait_int(q, c, TASK_INTERRUPTIBLE, 1, schedule())
#define wait_event_killable(q, c) __wait_int(q, c, TASK_KILLABLE, 0, schedule())
#define wait_event_killable_exclusive(q, c) __wait_int(q, c, TASK_KILLABLE, 1, schedule())
#define wait_event_freezable(q, c) __wait_int(q, c, (TASK_INTERRUPTIBLE | TASK_FREEZABLE), 0, schedule())
#define wait_event_freezable_exclusive(q, c) __wait_int(q, c, (TASK_INTERRUPTIBLE | TASK_FREEZABLE), 1, schedule())
#define wait_event_state(q, c, state) __wait_int(q, c, (state), 0, schedule())
#define wait_event_timeout(q, c, t) __wait_timed(q, c, TASK_UNINTERRUPTIBLE, 0, t)
#define wait_event_idle_timeout(q, c, t) __wait_timed(q, c, TASK_IDLE, 0, t)
#define wait_event_idle_exclusive_timeout(q, c, t) __wait_timed(q, c, TASK_IDLE, 1, t)
#define wait_event_interruptible_timeout(q, c, t) __wait_timed(q, c, TASK_INTERRUPTIBLE, 0, t)
#define wait_event_killable_timeout(q, c, t) __wait_timed(q, c, TASK_KILLABLE, 0, t)
#define wait_event_freezable_timeout(q, c, t) __wait_timed(q, c, (TASK_INTERRUPTIBLE | TASK_FREEZABLE), 0, t)
#define wait_event_hrtimeout(q, c, t) __wait_hrtimed(q, c, t, TASK_UNINTERRUPTIBLE)
#define wait_event_interruptible_hrtimeout(q, c, t) __wait_hrtimed(q, c, t, TASK_INTERRUPTIBLE)
/* The condition is tested under lock, which is dropped while sleeping; lock is held, interrupts off, around these. */
#define wait_event_lock_irq(q, c, lock) \
	do { if (!(c)) (void)___wait_event(q, c, TASK_UNINTERRUPTIBLE, 0, 0, \
		spin_unlock_irq(&(lock)); schedule(); spin_lock_irq(&(lock))); } while (0)
#define wait_event_lock_irq_cmd(q, c, lock, cmd) \
	do { if (!(c)) (void)___wait_event(q, c, TASK_UNINTERRUPTIBLE, 0, 0, \
		spin_unlock_irq(&(lock)); cmd; schedule(); spin_lock_irq(&(lock))); } while (0)
#define wait_event_interruptible_lock_irq(q, c, lock) \
	({ long __r = 0; if (!(c)) __r = ___wait_event(q, c, TASK_INTERRUPTIBLE, 0, 0, \
		spin_unlock_irq(&(lock)); schedule(); spin_lock_irq(&(lock))); (int)__r; })
#endif
