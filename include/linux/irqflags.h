// Interrupt flag of this CPU.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_IRQFLAGS_H
#define _LINUX_IRQFLAGS_H
#include <linux/compiler.h>
#include <linux/types.h>
#ifdef __cplusplus
#include "arch/contract/arch.hh"
#define local_irq_save(f) ((f) = arch::irq_save())
#define local_irq_restore(f) arch::irq_restore(f)
#define local_irq_disable() arch::irq_disable()
#define local_irq_enable() arch::irq_enable()
static inline bool irqs_disabled() { return arch::irqs_disabled(); }
#else
unsigned long cf_irq_save(void);
void cf_irq_restore(unsigned long flags);
void cf_irq_disable(void);
void cf_irq_enable(void);
bool cf_irqs_disabled(void);
#define local_irq_save(f) ((f) = cf_irq_save())
#define local_irq_restore(f) cf_irq_restore(f)
#define local_irq_disable() cf_irq_disable()
#define local_irq_enable() cf_irq_enable()
#define irqs_disabled() cf_irqs_disabled()
#endif
#define local_save_flags(f) ((f) = irqs_disabled() ? 0 : 1)
#endif
