// CPUs that come and go.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_CPU_H
#define _LINUX_CPU_H
#include <linux/cpumask.h>
CF_C_BEGIN
void cpus_read_lock(void); /* may sleep; until unlocked no CPU comes or goes. Not while holding it already */
void cpus_read_unlock(void);
CF_C_END
#endif
