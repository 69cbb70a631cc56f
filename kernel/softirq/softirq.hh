// Boot interface of softirqs; operations are in linux/interrupt.h. Spec 33 section 7.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/interrupt.h>

#include "init/report.hh"

void softirq_init();
void spawn_ksoftirqd();  // after kthreadd; a thread for each possible CPU
void softirq_quiesce();
void softirq_exit(LeakReport& report);
