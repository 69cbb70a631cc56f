// Entry to and exit from hard interrupt context (spec 10 E-28).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_HARDIRQ_H
#define _LINUX_HARDIRQ_H
#include <linux/preempt.h>
CF_C_BEGIN
/* Bracket every interrupt handler; interrupts off. irq_exit runs pending softirqs when it leaves the outermost one. */
void irq_enter(void);
void irq_exit(void);
void synchronize_irq(unsigned irq);
CF_C_END
#endif
