// Timers in jiffies (spec 33 section 5). Callbacks run in the TIMER softirq.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_TIMER_H
#define _LINUX_TIMER_H
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/wait_types.h>
#define TIMER_CPUMASK 0x0003ffffu
#define TIMER_MIGRATING 0x00040000u
#define TIMER_DEFERRABLE 0x00080000u /* does not wake an idle CPU */
#define TIMER_PINNED 0x00100000u
#define TIMER_IRQSAFE 0x00200000u    /* callback with interrupts off; del_timer_sync from interrupts allowed */
#define TIMER_BASEMASK (TIMER_CPUMASK | TIMER_MIGRATING)
#define TIMER_INIT_FLAGS (TIMER_DEFERRABLE | TIMER_PINNED | TIMER_IRQSAFE)
#define TIMER_ARRAYSHIFT 22
#define TIMER_ARRAYMASK 0xffc00000u
CF_C_BEGIN
void init_timer_key(struct timer_list *t, void (*fn)(struct timer_list *), unsigned flags);
void add_timer(struct timer_list *t);
void add_timer_on(struct timer_list *t, int cpu);
int mod_timer(struct timer_list *t, unsigned long expires);         /* 1 if it was pending */
int mod_timer_pending(struct timer_list *t, unsigned long expires); /* only if pending */
int timer_reduce(struct timer_list *t, unsigned long expires);      /* never later */
int del_timer(struct timer_list *t);                                /* 1 if it was pending; does not wait */
int try_to_del_timer_sync(struct timer_list *t);                    /* -1: its callback runs */
int del_timer_sync(struct timer_list *t);                           /* waits for the callback; not from hard interrupts */
unsigned long round_jiffies(unsigned long j);
unsigned long round_jiffies_relative(unsigned long j);
CF_C_END
#define timer_setup(t, fn, flags) init_timer_key((t), (fn), (flags))
#define timer_setup_on_stack(t, fn, flags) init_timer_key((t), (fn), (flags))
#define destroy_timer_on_stack(t) ((void)(t))
#define timer_delete(t) del_timer(t)
#define timer_delete_sync(t) del_timer_sync(t)
#define __TIMER_INITIALIZER(fn, fl) { { NULL, NULL }, 0, (fn), (fl) }
#define DEFINE_TIMER(name, fn) struct timer_list name = __TIMER_INITIALIZER(fn, 0)
#define from_timer(var, t, field) container_of(t, __typeof__(*var), field)
static inline int timer_pending(const struct timer_list *t) { return !hlist_unhashed(&t->entry); }
#endif
