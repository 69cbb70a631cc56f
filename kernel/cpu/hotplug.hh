// CPUs that come and go while the kernel runs.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/cpu.h>

#include "lib/result.hh"

class CpusReadGuard {
 public:
  CpusReadGuard() { cpus_read_lock(); }
  ~CpusReadGuard() { cpus_read_unlock(); }
  CpusReadGuard(const CpusReadGuard&) = delete;
};

// Both may sleep, and do nothing for a CPU that is there already, or not. EINVAL: no such CPU. EBUSY: it is the last one or the boot
// CPU, nothing may be changed now, or deadline tasks' bandwidth needs it. ENOMEM, EIO. An error leaves things as they were.
Result<void> cpu_down(unsigned cpu);
Result<void> cpu_up(unsigned cpu);

void cpu_hotplug_init();
void cpu_hotplug_quiesce();
void cpu_hotplug_exit(struct LeakReport&);
