// Wake queues: tasks collected under a lock and woken once it is dropped.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SCHED_WAKE_Q_H
#define _LINUX_SCHED_WAKE_Q_H
#include <linux/sched.h>
struct wake_q_head { struct task_struct *first, **lastp; };
/* Ends every chain: a task is in some wake queue iff its wake_q_next is not NULL. */
#define WAKE_Q_TAIL ((struct task_struct *)1)
#define DEFINE_WAKE_Q(name) struct wake_q_head name = { WAKE_Q_TAIL, &(name).first }
static inline bool wake_q_empty(const struct wake_q_head *h) { return h->first == WAKE_Q_TAIL; }
CF_C_BEGIN
/* Takes a reference. A task that is in a wake queue already stays there: its wake-up is still to come and will see what
 * the caller changed before this call. */
void wake_q_add(struct wake_q_head *h, struct task_struct *t);
void wake_q_add_safe(struct wake_q_head *h, struct task_struct *t); /* consumes the caller's reference */
void wake_up_q(struct wake_q_head *h);
CF_C_END
#endif
