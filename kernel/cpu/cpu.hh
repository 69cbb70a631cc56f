// Which CPUs there are: the masks of linux/cpumask.h. CPU 0 is online from the start; the others' bring-up sets theirs.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/cpumask.h>

void cpu_init();
inline void set_cpu_online(unsigned cpu, bool online) {
  if (online) {  // active comes later (sched_cpu_activate)
    cpumask_set_cpu(cpu, &__cpu_online_mask);
  } else {
    cpumask_clear_cpu(cpu, &__cpu_active_mask);
    cpumask_clear_cpu(cpu, &__cpu_online_mask);
  }
}
