// What time, idle and the scheduler tell RCU, and boot. How grace periods work: README.md.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/rcupdate.h>

#include "init/report.hh"

// Scheduler, once in each __schedule() that switches or not, preemption off: no reader is active on this CPU.
void rcu_note_context_switch(bool preempt);
// Idle loop, through tick_nohz_idle_enter/exit: between them this CPU is no reader, however long.
void rcu_idle_enter();
void rcu_idle_exit();
void rcu_irq_enter();  // an interrupt on a CPU that idles may read again
void rcu_irq_exit();
// Tick, hard interrupt.
enum class RcuTickFrom : unsigned char { User, Kernel };
void rcu_sched_clock_irq(RcuTickFrom from);
bool rcu_needs_cpu();  // callbacks wait: keep the tick

void rcu_cpu_starting(unsigned cpu);  // takes part in grace periods from now on
void rcu_report_dead(unsigned cpu);   // no more: it reads nothing until it starts again
void rcu_adopt_callbacks(unsigned dead);  // those of a CPU that is dead become this one's. Task context
void rcu_init();
void rcu_quiesce();
void rcu_exit(LeakReport& report);
// Everything else has ended (no task, other CPUs idle): runs what callbacks are left, here and now, and those they queue.
void rcu_drain();
