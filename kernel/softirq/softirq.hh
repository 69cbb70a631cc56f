// Boot interface of softirqs; operations are in linux/interrupt.h. Spec 33 section 7.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/interrupt.h>

#include "init/report.hh"

void softirq_init();
void spawn_ksoftirqd();  // after kthreadd, and after CPUs came up: a thread for each online CPU without one. May sleep
void softirq_quiesce();
void softirq_exit(LeakReport& report);
