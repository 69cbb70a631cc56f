// Boot interface of softirqs; operations are in linux/interrupt.h. Spec 33 section 7.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/interrupt.h>

#include "init/report.hh"
#include "lib/result.hh"

void softirq_init();
void spawn_ksoftirqd();  // after kthreadd, and after CPUs came up: a thread for each online CPU without one. May sleep
void softirq_quiesce();
// A CPU goes: its thread is parked, and gets what it left (softirqs of the dead CPU's lists are raised where those have gone).
Result<void> ksoftirqd_create(unsigned cpu);  // if there is none yet; asleep. ENOMEM
void ksoftirqd_park(unsigned cpu);
void ksoftirqd_unpark(unsigned cpu);
void softirqs_dead_cpu(unsigned dead);  // task context
void softirq_exit(LeakReport& report);
