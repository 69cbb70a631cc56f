// Simple wait queues: FIFO, no callbacks, one waiter per wake (spec 33 section 3).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SWAIT_H
#define _LINUX_SWAIT_H
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

struct swait_queue {
	struct task_struct *task;
	struct list_head task_list;
};
CF_C_BEGIN
void swake_up_one(struct swait_queue_head *q);
void swake_up_all(struct swait_queue_head *q); /* interrupts on */
void swake_up_locked(struct swait_queue_head *q);
void prepare_to_swait_exclusive(struct swait_queue_head *q, struct swait_queue *w, int state);
long prepare_to_swait_event(struct swait_queue_head *q, struct swait_queue *w, int state);
void __prepare_to_swait(struct swait_queue_head *q, struct swait_queue *w);
void finish_swait(struct swait_queue_head *q, struct swait_queue *w);
void __finish_swait(struct swait_queue_head *q, struct swait_queue *w);
CF_C_END
#define __SWAIT_QUEUE_HEAD_INITIALIZER(name) { __RAW_SPIN_LOCK_UNLOCKED(name), LIST_HEAD_INIT((name).task_list) }
#define DECLARE_SWAIT_QUEUE_HEAD(name) struct swait_queue_head name = __SWAIT_QUEUE_HEAD_INITIALIZER(name)
#define init_swait_queue_head(q) do { raw_spin_lock_init(&(q)->lock); INIT_LIST_HEAD(&(q)->task_list); } while (0)
#define DECLARE_SWAITQUEUE(name) struct swait_queue name = { current, LIST_HEAD_INIT((name).task_list) }
static inline int swait_active(struct swait_queue_head *q) { return !list_empty(&q->task_list); }
static inline bool swq_has_sleeper(struct swait_queue_head *q) { smp_mb(); return swait_active(q); }

#define ___swait_event(q, condition, state, ret, cmd)                                      \
	({                                                                                 \
		struct swait_queue __w;                                                    \
		long __ret = (ret);                                                        \
		INIT_LIST_HEAD(&__w.task_list);                                            \
		for (;;) {                                                                 \
			long __sig = prepare_to_swait_event(&(q), &__w, (state));          \
			if (condition)                                                     \
				break;                                                     \
			if (___wait_is_interruptible(state) && __sig) {                    \
				__ret = __sig;                                             \
				break;                                                     \
			}                                                                  \
			cmd;                                                               \
		}                                                                          \
		finish_swait(&(q), &__w);                                                  \
		__ret;                                                                     \
	})
#define swait_event_exclusive(q, c) \
	do { if (!(c)) (void)___swait_event(q, c, TASK_UNINTERRUPTIBLE, 0, schedule()); } while (0)
#define swait_event_idle_exclusive(q, c) \
	do { if (!(c)) (void)___swait_event(q, c, TASK_IDLE, 0, schedule()); } while (0)
#define swait_event_interruptible_exclusive(q, c) \
	({ long __r = 0; if (!(c)) __r = ___swait_event(q, c, TASK_INTERRUPTIBLE, 0, schedule()); __r; })
#define __swait_timed(q, c, t, state)                                                              \
	({ long __limit = (t), __ret = __limit;                                                    \
	   if (!___wait_cond_timeout(c))                                                           \
		   __ret = ___swait_event(q, ___wait_cond_timeout(c), state, __limit, __ret = schedule_timeout(__ret)); \
	   __ret; })
#define swait_event_timeout_exclusive(q, c, t) __swait_timed(q, c, t, TASK_UNINTERRUPTIBLE)
#define swait_event_interruptible_timeout_exclusive(q, c, t) __swait_timed(q, c, t, TASK_INTERRUPTIBLE)
#define swait_event_idle_timeout_exclusive(q, c, t) __swait_timed(q, c, t, TASK_IDLE)
#endif
