// Standing still for a suspend: processes, and kernel threads that agree to it (spec 33 section 10).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_FREEZER_H
#define _LINUX_FREEZER_H
#include <linux/sched.h>

CF_C_BEGIN
extern unsigned freezer_active; /* 0: nobody is freezing, and freezing() is a test of this word */
bool freezing_slow_path(struct task_struct *p);
bool frozen(struct task_struct *p);
/* True: it was frozen for a while. May sleep; no locks held. check_kthr_stop: kthread_stop() ends it. */
bool __refrigerator(bool check_kthr_stop);
bool freeze_task(struct task_struct *p); /* asks p to freeze; false: it is frozen, or need not. Any context */
void __thaw_task(struct task_struct *p);
bool set_freezable(void); /* a kernel thread that calls try_to_freeze() now and then; what that returns */

/* For who suspends the machine: current stays awake. 0, or -EBUSY and everybody is thawed. May sleep. */
int freeze_processes(void);
int freeze_kernel_threads(void); /* after freeze_processes(); on failure only kernel threads are thawed */
void thaw_processes(void);
void thaw_kernel_threads(void);
void pm_system_wakeup(void); /* something happened that must not be slept through: ends a freeze. Any context */
extern unsigned freeze_timeout_msecs;
CF_C_END

/* Is p to freeze? Any context. */
static inline bool freezing(struct task_struct *p) { return READ_ONCE(freezer_active) && freezing_slow_path(p); }
/* Where current may stop for long. True: it was frozen. */
static inline bool try_to_freeze(void) { return freezing(current) && __refrigerator(false); }
#endif
