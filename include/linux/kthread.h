// Kernel threads (spec 50 part A).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_KTHREAD_H
#define _LINUX_KTHREAD_H
#include <linux/err.h>
#include <linux/sched.h>
CF_C_BEGIN
/* Not running yet; ERR_PTR on failure. May sleep. */
struct task_struct *kthread_create_on_node(int (*fn)(void *), void *data, int node, const char *fmt, ...) __printf(4, 5);
struct task_struct *kthread_create_on_cpu(int (*fn)(void *), void *data, unsigned cpu, const char *fmt); /* %u: the cpu */
struct task_struct *kthread_run_on_cpu(int (*fn)(void *), void *data, unsigned cpu, const char *fmt);
void kthread_bind(struct task_struct *k, unsigned cpu); /* before the first wake-up */
void kthread_bind_mask(struct task_struct *k, const struct cpumask *mask);
void kthread_set_per_cpu(struct task_struct *k, int cpu);
bool kthread_is_per_cpu(struct task_struct *k);
int kthread_stop(struct task_struct *k); /* what the thread function returned; -EINTR if it never ran. May sleep */
bool kthread_should_stop(void);
bool kthread_should_park(void);
bool kthread_freezable_should_stop(bool *was_frozen);
int kthread_park(struct task_struct *k);
void kthread_unpark(struct task_struct *k);
void kthread_parkme(void);
void *kthread_data(struct task_struct *k);
void *kthread_probe_data(struct task_struct *k);
void *kthread_func(struct task_struct *k);
void kthread_exit(long result) __noreturn;
void kthread_complete_and_exit(struct completion *c, long code) __noreturn;
void kthread_use_mm(struct mm_struct *mm);
void kthread_unuse_mm(struct mm_struct *mm);
extern struct task_struct *kthreadd_task;
int kthreadd(void *unused);   /* pid 2: makes all others (A1) */
void kthreadd_stop(void);     /* at power-off: it exits */

/* Part A6: a thread that runs queued work items in order. */
struct kthread_work;
typedef void (*kthread_work_func_t)(struct kthread_work *work);
struct kthread_worker {
	unsigned flags;
	raw_spinlock_t lock;
	struct list_head work_list, delayed_work_list;
	struct task_struct *task;
	struct kthread_work *current_work;
};
struct kthread_work {
	struct list_head node;
	kthread_work_func_t func;
	struct kthread_worker *worker;
	int canceling;
};
struct kthread_delayed_work {
	struct kthread_work work;
	struct timer_list timer;
};
void __kthread_init_worker(struct kthread_worker *w, const char *name, struct lock_class_key *key);
int kthread_worker_fn(void *worker);
struct kthread_worker *kthread_create_worker(unsigned flags, const char *fmt, ...) __printf(2, 3);
struct kthread_worker *kthread_create_worker_on_cpu(int cpu, unsigned flags, const char *fmt, ...) __printf(3, 4);
bool kthread_queue_work(struct kthread_worker *w, struct kthread_work *work);
bool kthread_queue_delayed_work(struct kthread_worker *w, struct kthread_delayed_work *work, unsigned long delay);
bool kthread_mod_delayed_work(struct kthread_worker *w, struct kthread_delayed_work *work, unsigned long delay);
void kthread_flush_work(struct kthread_work *work);
void kthread_flush_worker(struct kthread_worker *w);
bool kthread_cancel_work_sync(struct kthread_work *work);
bool kthread_cancel_delayed_work_sync(struct kthread_delayed_work *work);
void kthread_destroy_worker(struct kthread_worker *w);
void kthread_delayed_work_timer_fn(struct timer_list *t);
CF_C_END
#define KTW_FREEZABLE 1
#define NUMA_NO_NODE (-1)
#define kthread_create(fn, data, ...) kthread_create_on_node((fn), (data), NUMA_NO_NODE, __VA_ARGS__)
#define kthread_run(fn, data, ...)                                              \
	({                                                                      \
		struct task_struct *__k = kthread_create((fn), (data), __VA_ARGS__); \
		if (!IS_ERR(__k))                                               \
			wake_up_process(__k);                                   \
		__k;                                                            \
	})
#define kthread_init_worker(w) \
	do { static struct lock_class_key __key = { #w }; __kthread_init_worker((w), #w, &__key); } while (0)
#define kthread_init_work(w, fn)                        \
	do {                                            \
		INIT_LIST_HEAD(&(w)->node);             \
		(w)->func = (fn);                       \
		(w)->worker = NULL;                     \
		(w)->canceling = 0;                     \
	} while (0)
#define kthread_init_delayed_work(dw, fn)                                                       \
	do {                                                                                    \
		kthread_init_work(&(dw)->work, (fn));                                           \
		init_timer_key(&(dw)->timer, kthread_delayed_work_timer_fn, TIMER_IRQSAFE);     \
	} while (0)
#include <linux/timer.h>
#endif
