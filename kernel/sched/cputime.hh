// Splitting the precise run time by the ratio that the ticks saw. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

// a * b / c; low bits of product and divisor are dropped alike when the product does not fit.
constexpr u64 mul_div(u64 a, u64 b, u64 c) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  while (product >> 64) {
    product >>= 1;
    c >>= 1;
  }
  return c ? static_cast<u64>(product) / c : b;
}

// utime + stime == total on return; with no tick seen at all everything is user time.
constexpr void adjust_cputime(u64 user_ticks, u64 kernel_ticks, u64 total, u64* utime, u64* stime) {
  u64 s = 0;
  if (kernel_ticks) s = user_ticks ? mul_div(kernel_ticks, total, kernel_ticks + user_ticks) : total;
  *stime = s;
  *utime = total - s;
}
