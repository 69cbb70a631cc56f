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

// What readers were told last: neither of the two may step back, however the ticks that came since shift the split.
struct PrevCputime {
  u64 utime, stime;
};

// As above, never below prev, which is brought up to date. A total that is behind what was told already (a reader on another
// CPU was faster) is answered with that. The caller has whatever guards prev.
inline void adjust_cputime(u64 user_ticks, u64 kernel_ticks, u64 total, PrevCputime* prev) {
  if (total <= prev->utime + prev->stime) return;
  u64 utime, stime;
  adjust_cputime(user_ticks, kernel_ticks, total, &utime, &stime);
  if (stime < prev->stime) stime = prev->stime;
  if (total - stime < prev->utime) stime = total - prev->utime;
  *prev = {total - stime, stime};
}
