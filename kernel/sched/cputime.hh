// Splitting the precise run time by the ratio that the ticks saw. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/math64.h>

// utime + stime == total on return; with no tick seen at all everything is user time.
inline void adjust_cputime(u64 user_ticks, u64 kernel_ticks, u64 total, u64* utime, u64* stime) {
  u64 s = 0;
  if (kernel_ticks) s = user_ticks ? mul_u64_u64_div_u64(kernel_ticks, total, kernel_ticks + user_ticks) : total;
  *stime = s;
  *utime = total - s;
}
