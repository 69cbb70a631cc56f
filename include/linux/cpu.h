// CPUs that come and go.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_CPU_H
#define _LINUX_CPU_H
#include <linux/cpumask.h>
CF_C_BEGIN
void cpus_read_lock(void); /* may sleep; until unlocked no CPU comes or goes. Not while holding it already */
void cpus_read_unlock(void);
void cpu_hotplug_disable(void); /* add_cpu and remove_cpu say -EBUSY until it is enabled as often. May sleep */
void cpu_hotplug_enable(void);
int add_cpu(unsigned cpu);    /* may sleep; 0 or -errno */
int remove_cpu(unsigned cpu);
bool cpu_is_hotpluggable(unsigned cpu);
CF_C_END
#endif
