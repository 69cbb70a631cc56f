// Boot and power-off of the lock checker, and might_sleep().
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sync/sync.hh"

#include <linux/kernel.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "init/init.hh"
#include "kernel/sync/lockorder.hh"

void sync_init() {
  if constexpr (arch::kCheckLocks) lockorder_reset();
}
void sync_exit(LeakReport& report) {
  if constexpr (arch::kCheckLocks) lockorder_exit(report);
}

extern "C" void __might_sleep(const char* file, int line) {
  if (data_race(system_state) == SYSTEM_BOOTING || (preempt_count() == 0 && !irqs_disabled())) return;
  panic("sleeping function called from invalid context at %s:%d, preempt_count %x, interrupts %s", file, line,
        static_cast<unsigned>(preempt_count()), irqs_disabled() ? "off" : "on");
}
