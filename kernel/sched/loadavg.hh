// The arithmetic of the load averages (spec 30 S-79). Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/jiffies.h>

inline constexpr unsigned kLoadShiftBits = 11;
inline constexpr unsigned long kLoadOne = 1ul << kLoadShiftBits;
inline constexpr unsigned long kLoadFreq = 5 * HZ + 1;               // jiffies
inline constexpr unsigned long kLoadDecay[3] = {1884, 2014, 2037};  // 1, 5, 15 minutes

constexpr unsigned long load_sample(unsigned long old, unsigned long decay, unsigned long active) {
  unsigned long a = active * kLoadOne;
  unsigned long sum = old * decay + a * (kLoadOne - decay);
  if (a >= old) sum += kLoadOne - 1;
  return sum / kLoadOne;
}
