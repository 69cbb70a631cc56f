// Softirqs, tasklets and bottom-half disabling (spec 33 section 7).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_INTERRUPT_H
#define _LINUX_INTERRUPT_H
#include <linux/atomic.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/types.h>

enum {
	HI_SOFTIRQ, TIMER_SOFTIRQ, NET_TX_SOFTIRQ, NET_RX_SOFTIRQ, BLOCK_SOFTIRQ, IRQ_POLL_SOFTIRQ, TASKLET_SOFTIRQ,
	SCHED_SOFTIRQ, HRTIMER_SOFTIRQ, RCU_SOFTIRQ, NR_SOFTIRQS
};
struct softirq_action { void (*action)(struct softirq_action *a); };

struct tasklet_struct {
	struct tasklet_struct *next;
	unsigned long state; /* TASKLET_STATE_ bits */
	atomic_t count;      /* > 0: disabled */
	bool use_callback;
	union {
		void (*func)(unsigned long data);
		void (*callback)(struct tasklet_struct *t);
	};
	unsigned long data;
};
enum { TASKLET_STATE_SCHED, TASKLET_STATE_RUN };

CF_C_BEGIN
void open_softirq(int nr, void (*action)(struct softirq_action *));
void raise_softirq(unsigned nr);         /* any context */
void raise_softirq_irqoff(unsigned nr);  /* interrupts off */
void __raise_softirq_irqoff(unsigned nr);/* the bit only: no ksoftirqd wake-up */
void do_softirq(void);
void __local_bh_enable_ip(unsigned count);

void tasklet_setup(struct tasklet_struct *t, void (*callback)(struct tasklet_struct *));
void tasklet_init(struct tasklet_struct *t, void (*func)(unsigned long), unsigned long data);
void tasklet_schedule(struct tasklet_struct *t);
void tasklet_hi_schedule(struct tasklet_struct *t);
void tasklet_kill(struct tasklet_struct *t);      /* may sleep */
void tasklet_unlock_wait(struct tasklet_struct *t);
CF_C_END

static inline void local_bh_disable(void) { preempt_count_add(SOFTIRQ_DISABLE_OFFSET); barrier(); }
static inline void local_bh_enable(void) { __local_bh_enable_ip(SOFTIRQ_DISABLE_OFFSET); }
static inline void tasklet_disable_nosync(struct tasklet_struct *t) { atomic_inc(&t->count); smp_mb(); }
static inline void tasklet_disable(struct tasklet_struct *t) { tasklet_disable_nosync(t); tasklet_unlock_wait(t); }
static inline void tasklet_enable(struct tasklet_struct *t) { smp_mb(); atomic_dec(&t->count); }
#define DECLARE_TASKLET(name, cb) \
	struct tasklet_struct name = { .next = NULL, .state = 0, .count = ATOMIC_INIT(0), .use_callback = true, { .callback = cb }, .data = 0 }
#define from_tasklet(var, t, field) container_of(t, __typeof__(*var), field)
#endif
