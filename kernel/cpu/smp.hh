// The CPUs other than the first.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/contract/arch.hh"

void smp_init();                      // their idle tasks; init_task is current
void smp_start_cpus();                // pid 1; returns once they are online
[[noreturn]] void cpu_startup();      // called by the machine on each of them
Result<void> smp_start_cpu(unsigned cpu);   // one that is not online; returns once it is. May sleep; ENODEV, EIO
void smp_wait_for_death(unsigned cpu);      // of one that is offline already; may sleep
void smp_idle_check_stop();           // in the idle loop of a CPU other than the first; may not return
void smp_stop_others();               // the boot CPU's idle task, when no thread is left
void smp_exit(struct LeakReport&);
