// Work that a task does for itself before it returns to user mode (or exits).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_TASK_WORK_H
#define _LINUX_TASK_WORK_H
#include <linux/types.h>
struct task_struct;
typedef void (*task_work_func_t)(struct callback_head *);
enum task_work_notify_mode {
	TWA_NONE,   /* whenever it next runs its work */
	TWA_RESUME, /* before it next enters user mode */
	TWA_SIGNAL, /* the same, and interrupts its sleep */
};
static inline void init_task_work(struct callback_head *w, task_work_func_t func)
{
	w->next = NULL;
	w->func = func;
}
CF_C_BEGIN
/* 0, or -ESRCH when the task exits and takes no more (then the caller must do the work otherwise). Any context. */
int task_work_add(struct task_struct *task, struct callback_head *work, enum task_work_notify_mode notify);
void task_work_run(void);  /* current; may sleep */
void exit_task_work(struct task_struct *task); /* current, in do_exit: runs what is there and refuses the rest */
CF_C_END
#endif
