// Boot and power-off of the lock checker, and might_sleep().
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sync/sync.hh"

#include <linux/kernel.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "init/init.hh"
#include "kernel/sync/lockorder.hh"

// Reports of might_sleep() that a test expects, and has got; -1: it expects none.
static constinit int expected_reports = -1;

void sync_init() {
  if constexpr (arch::kCheckLocks) lockorder_reset();
  expected_reports = -1;
}
void sync_exit(LeakReport& report) {
  if constexpr (arch::kCheckLocks) lockorder_exit(report);
}

void atomic_sleep_expect_begin() { expected_reports = 0; }
int atomic_sleep_expect_end() {
  const int n = expected_reports;
  expected_reports = -1;
  return n;
}

// Spec 30 S-32, not more than some in a row. Linux goes on, and so does a test that asked for it; in other hosted runs it is the end.
static __cold noinline void report_atomic_sleep(const char* file, int line) {
  static cf_ratelimit limit;
  if (cf_printk_ratelimit(&limit)) {
    pr_err("BUG: sleeping function called from invalid context at %s:%d\n", file, line);
    pr_err("in_atomic(): %d, irqs_disabled(): %d, non_block: 0, pid: %d, name: %s\n", preempt_count() != 0, irqs_disabled(),
           current->pid, current->comm);
    pr_err("preempt_count: %x, expected: 0\n", static_cast<unsigned>(preempt_count()));
    dump_stack();
    add_taint(TAINT_WARN, 1);
  }
  if (expected_reports < 0) panic("sleeping function called from invalid context at %s:%d", file, line);
  expected_reports++;
}

extern "C" void __might_sleep(const char* file, int line) {
  if (data_race(system_state) == SYSTEM_BOOTING || (preempt_count() == 0 && !irqs_disabled())) return;
  report_atomic_sleep(file, line);
}
