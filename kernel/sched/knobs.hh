// What an administrator may set: /proc/sys/kernel/sched_*. Spec 30 section 14.5, 32 sections 2 and 3.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "lib/result.hh"

int sched_rr_timeslice_ms();
void set_sched_rr_timeslice_ms(int ms);  // 0 and below: the default, 100. Running slices end as they began

bool sched_schedstats();
Result<void> set_sched_schedstats(bool on);  // may sleep. ENOMEM: nothing changed

struct RtLimits {
  int period_us, runtime_us;  // runtime -1: no limit
};
RtLimits sched_rt_limits();
Result<void> set_sched_rt_limits(RtLimits l);  // EINVAL; EBUSY: more is admitted to deadline tasks. Nothing changes then
