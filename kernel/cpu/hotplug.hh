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

void cpu_hotplug_init();
void cpu_hotplug_exit(struct LeakReport&);
