// How much of each period real-time tasks may have on a CPU (spec 32 section 3). Pure: told the time, like the queues.
// The periods are counted when somebody asks, which gives the same figures as a timer at each of their ends.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

struct RtBandwidth {
  static constexpr u64 kUnlimited = ~0ull;
  u64 period = 1'000'000'000, runtime = 950'000'000;  // ns
  u64 used = 0, period_start = 0;
  bool active = false;  // the first real-time task has been seen: periods count from then
  bool throttled = false;

  void begin(u64 now) {
    if (active) return;
    active = true;
    period_start = now;
  }
  // what the ends of periods since the last call give back. True: it was throttled and is not any more.
  bool replenish(u64 now) {
    if (!active || now - period_start < period) return false;
    u64 periods = (now - period_start) / period;
    period_start += periods * period;
    u64 back = runtime > used / periods ? used : periods * runtime;
    used -= back < used ? back : used;
    if (!throttled || used >= runtime) return false;
    throttled = false;
    return true;
  }
  // d ns were used; periods that ended have been replenished before. True: this exceeded the limit.
  bool charge(u64 d) {
    if (runtime >= period) return false;
    used += d;
    if (throttled || used <= runtime) return false;
    if (!runtime) {
      used = 0;
      return false;
    }
    throttled = true;
    return true;
  }
  u64 next_period() const { return period_start + period; }
};
