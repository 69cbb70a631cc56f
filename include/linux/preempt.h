// Preemption and execution context: preempt_count and what it tells (spec 10 E-27).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_PREEMPT_H
#define _LINUX_PREEMPT_H
#include <linux/compiler.h>
#include <linux/types.h>

#define PREEMPT_OFFSET 0x1
#define SOFTIRQ_OFFSET 0x100
#define SOFTIRQ_DISABLE_OFFSET 0x200
#define HARDIRQ_OFFSET 0x10000
#define NMI_OFFSET 0x100000
#define PREEMPT_MASK 0xff
#define SOFTIRQ_MASK 0xff00
#define HARDIRQ_MASK 0xf0000
#define NMI_MASK 0xf00000
/* Inverted: clear when a reschedule is wanted, so that "count 0 and reschedule wanted" is a compare with 0. */
#define PREEMPT_NEED_RESCHED 0x80000000u
#define PREEMPT_ENABLED ((int)PREEMPT_NEED_RESCHED)
#define PREEMPT_DISABLED ((int)(PREEMPT_NEED_RESCHED + PREEMPT_OFFSET)) /* an idle task at boot */
#define INIT_PREEMPT_COUNT PREEMPT_DISABLED
#define FORK_PREEMPT_COUNT 2 /* preempt part when a new task first runs (spec 22 section 15.1) */

#ifdef __cplusplus
#include "kernel/sync/preempt.hh"
#else
int preempt_count(void);
void preempt_count_add(int n);
void preempt_count_sub(int n);
void preempt_disable(void);
void preempt_enable(void);
void preempt_enable_no_resched(void);
bool cf_irqs_disabled(void);
unsigned cf_cpu_id(void);
void cf_might_sleep(const char *file, int line);
int cond_resched(void);
#endif

#define irq_count() (preempt_count() & (HARDIRQ_MASK | SOFTIRQ_MASK | NMI_MASK))
#define hardirq_count() (preempt_count() & HARDIRQ_MASK)
#define softirq_count() (preempt_count() & SOFTIRQ_MASK)
#define nmi_count() (preempt_count() & NMI_MASK)
#define in_nmi() (nmi_count() != 0)
#define in_hardirq() (hardirq_count() != 0)
#define in_irq() in_hardirq()
#define in_softirq() (softirq_count() != 0)
#define in_serving_softirq() ((softirq_count() & SOFTIRQ_OFFSET) != 0)
#define in_interrupt() (irq_count() != 0)
#define in_task() (!(preempt_count() & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET)))
#define in_atomic() (preempt_count() != 0)
#define preemptible() (preempt_count() == 0 && !cf_irqs_disabled())

/* Gives way here in the modes none (cond_resched alone) and voluntary, if a reschedule is wanted and preemption is on: 1. In the
   mode full the kernel is preempted anywhere (preempt=, spec 30 S-31). might_sleep() also reports, in the hosted machine, a call
   from a context that may not sleep. */
#define might_sleep() cf_might_sleep(__FILE__, __LINE__)
#define might_sleep_if(c) do { if (c) might_sleep(); } while (0)
#define cond_resched_lock(l) __cond_resched_lock(l)

/* current stays on its CPU, and may be preempted and sleep there (spec 30 S-70). Nests. Task context. */
CF_C_BEGIN
void migrate_disable(void);
void migrate_enable(void);
CF_C_END

#define smp_processor_id() cf_cpu_id() /* preemption off, or the answer is old */
#define raw_smp_processor_id() cf_cpu_id()
#define get_cpu() ({ preempt_disable(); cf_cpu_id(); })
#define put_cpu() preempt_enable()
#endif
