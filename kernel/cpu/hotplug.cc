// CPUs that come and go while the kernel runs (spec 30 section 10.5).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cpu/hotplug.hh"

#include <linux/rwsem.h>

#include "lib/late.hh"

namespace {

struct CpuHotplug {
  rw_semaphore lock;  // readers: the set of online CPUs stays. Writer: one CPU comes or goes
};
constinit Late<CpuHotplug> hotplug;

}  // namespace

void cpu_hotplug_init() { init_rwsem(&hotplug.construct().lock); }

void cpu_hotplug_exit(LeakReport&) { hotplug.destroy(); }

extern "C" {

void cpus_read_lock() { down_read(&hotplug->lock); }
void cpus_read_unlock() { up_read(&hotplug->lock); }

}  // extern "C"
