// What the scheduler does when CPUs come and go. Spec 30 section 10.5. All in task context, one CPU at a time, unless said.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "lib/result.hh"

void sched_cpu_active_at_boot(unsigned cpu);
// No task is sent there any more when this returns, and those of cpusets have been told to go. EBUSY: what deadline tasks were
// promised would not fit on the others. ENOMEM. Neither leaves a trace.
Result<void> sched_cpu_deactivate(unsigned cpu);
// ENOMEM: it is as after sched_cpu_deactivate(), and has to be emptied.
Result<void> sched_cpu_activate(unsigned cpu);
// Until no tasks are left there but the CPU's own threads. Those with migration disabled are waited for.
void sched_cpu_wait_empty(unsigned cpu);
void sched_cpu_starting();  // on the CPU, interrupts off, before it is online
void sched_cpu_dying();     // on the CPU, in its stopper, nobody else running, offline already: the last tasks leave
void sched_cpu_dead(unsigned cpu);
