// Running a function on given CPUs above everything else: the stopper threads "migration/N" (spec 30 S-71).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_STOP_MACHINE_H
#define _LINUX_STOP_MACHINE_H
#include <linux/cpumask.h>
#include <linux/list.h>
CF_C_BEGIN
typedef int (*cpu_stop_fn_t)(void *arg); /* in the stop class, preemption off: may not sleep */
struct cpu_stop_done;
struct cpu_stop_work {
	struct list_head list; /* the stopper's lock */
	cpu_stop_fn_t fn;
	void *arg;
	struct cpu_stop_done *done; /* NULL: nobody waits */
};
/* May sleep. What fn returned; -ENOENT: the CPU is offline, fn was not run. */
int stop_one_cpu(unsigned cpu, cpu_stop_fn_t fn, void *arg);
/* Both at a time, interrupts off; fn runs on cpu1. May sleep. -ENOENT: one of them is offline. */
int stop_two_cpus(unsigned cpu1, unsigned cpu2, cpu_stop_fn_t fn, void *arg);
/* Any context without an rq lock. work is the stopper's until fn begins. false: the CPU is offline. */
bool stop_one_cpu_nowait(unsigned cpu, cpu_stop_fn_t fn, void *arg, struct cpu_stop_work *work);
/* fn on the CPUs of cpus (NULL: on one of them), once all online CPUs stand with interrupts off. May sleep. */
int stop_machine(cpu_stop_fn_t fn, void *data, const struct cpumask *cpus);
int stop_machine_cpuslocked(cpu_stop_fn_t fn, void *data, const struct cpumask *cpus);
CF_C_END
#endif
