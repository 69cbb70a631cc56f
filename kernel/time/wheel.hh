// The arithmetic of the timer wheel (spec 33 W-26): which bucket a timer goes into and when that bucket comes up. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <bit>

inline constexpr unsigned kWheelLevels = 9, kWheelLevelBits = 6, kWheelLevelSize = 64, kWheelShift = 3;
inline constexpr unsigned kWheelSize = kWheelLevels * kWheelLevelSize;
inline constexpr unsigned long kWheelCut = 63ul << (kWheelShift * (kWheelLevels - 1));    // 1056964608
inline constexpr unsigned long kWheelMax = 62ul << (kWheelShift * (kWheelLevels - 1));    // 1040187392

struct WheelSlot {
  unsigned index;
  unsigned long fires;  // the clock value at which the bucket is run
  constexpr bool operator==(const WheelSlot&) const = default;
};

constexpr WheelSlot wheel_slot_at(unsigned long expires, unsigned level) {
  const unsigned long e = (expires >> (kWheelShift * level)) + 1;
  return {level * kWheelLevelSize + static_cast<unsigned>(e % kWheelLevelSize), e << (kWheelShift * level)};
}

constexpr WheelSlot wheel_slot(unsigned long expires, unsigned long clock) {
  const unsigned long delta = expires - clock;
  if (static_cast<long>(delta) < 0) return {static_cast<unsigned>(clock % kWheelLevelSize), clock};
  if (delta >= kWheelCut) return wheel_slot_at(clock + kWheelMax, kWheelLevels - 1);
  unsigned level = 0;
  for (unsigned long limit = kWheelLevelSize - 1; delta >= limit; limit <<= kWheelShift) level++;
  return wheel_slot_at(expires, level);
}

// The earliest clock value, not before `clock`, at which a pending bucket comes up. pending: a word for each level.
// False: none.
constexpr bool wheel_next(const u64 (&pending)[kWheelLevels], unsigned long clock, unsigned long* next) {
  bool found = false;
  unsigned long at = clock;  // in units of the level; a level's bucket that has begun has been run already
  for (unsigned level = 0; level < kWheelLevels; level++) {
    if (u64 turned = std::rotr(pending[level], static_cast<int>(at % kWheelLevelSize))) {
      const unsigned long fires = (at + static_cast<unsigned long>(std::countr_zero(turned))) << (kWheelShift * level);
      if (!found || static_cast<long>(fires - *next) < 0) *next = fires;
      found = true;
    }
    at = (at >> kWheelShift) + ((at & ((1ul << kWheelShift) - 1)) != 0);
  }
  return found;
}
