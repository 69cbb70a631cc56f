// The TSC is the clock (spec 10 section 6.2).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

namespace x86 {
void tsc_calibrate();        // boot CPU, interrupts off; clock_ns() counts from here
u64 tsc_of_ns(u64 clock_ns);  // the TSC value at that time
u64 tsc_khz();
// clock_ns() == (tsc - base) * ns_per_tick >> 32
struct TscScale {
  u64 base, ns_per_tick;
};
TscScale tsc_scale();
void udelay_early(unsigned us);
}  // namespace x86
