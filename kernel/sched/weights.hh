// Weights of fair tasks and the fixed-point arithmetic on them (spec 31 section 1). Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/sched.h>

#include <bit>

// Index: nice + 20. Both tables are literal: the inverses follow no single rounding rule (spec 31 F-1).
inline constexpr unsigned kPrioToWeight[NICE_WIDTH] = {
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
    172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15};
inline constexpr u32 kPrioToInverse[NICE_WIDTH] = {
    48388,    59856,    76040,    92818,    118348,   147320,   184698,    229616,    287308,    360437,
    449829,   563644,   704093,   875809,   1099582,  1376151,  1717300,   2157191,   2708050,   3363326,
    4194304,  5237765,  6557202,  8165337,  10153587, 12820798, 15790321,  19976592,  24970740,  31350126,
    39045157, 49367440, 61356676, 76695844, 95443717, 119304647, 148102320, 186737708, 238609294, 286331153};
inline constexpr unsigned kIdleWeight = 3;               // SCHED_IDLE, whatever the nice value (F-2)
inline constexpr u32 kIdleInverse = 1431655765;
inline constexpr int kLoadShift = 10;                    // internal weights are table weights << 10
inline constexpr unsigned long kNice0Load = 1024ul << kLoadShift;

constexpr unsigned long scale_load(unsigned long w) { return w << kLoadShift; }
// F-3: every non-zero weight stays at least 2.
constexpr unsigned long scale_load_down(unsigned long w) {
  if (!w) return 0;
  unsigned long down = w >> kLoadShift;
  return down < 2 ? 2 : down;
}

constexpr load_weight weight_of_nice(int nice) {
  return {scale_load(kPrioToWeight[nice + 20]), kPrioToInverse[nice + 20]};
}
constexpr load_weight weight_of_idle() { return {scale_load(kIdleWeight), kIdleInverse}; }

constexpr void load_set(load_weight& lw, unsigned long w) { lw = {w, 0}; }
constexpr void load_add(load_weight& lw, unsigned long w) { lw = {lw.weight + w, 0}; }
constexpr void load_sub(load_weight& lw, unsigned long w) { lw = {lw.weight - w, 0}; }

// F-4: fills the cached inverse in; the only division of the fair class.
constexpr u32 load_inverse(load_weight& lw) {
  if (lw.inv_weight) return lw.inv_weight;
  unsigned long w = scale_load_down(lw.weight);
  lw.inv_weight = w >= 0xffffffffu ? 1 : !w ? 0xffffffffu : static_cast<u32>(0xffffffffu / w);
  return lw.inv_weight;
}

// F-5: d * weight / lw.weight, without dividing.
constexpr u64 calc_delta(u64 d, unsigned long weight, load_weight& lw) {
  u64 fact = scale_load_down(weight);
  int shift = 32;
  if (u64 high = fact >> 32) {
    int s = std::bit_width(high);
    shift -= s;
    fact >>= s;
  }
  fact = u64{static_cast<u32>(fact)} * load_inverse(lw);
  if (u64 high = fact >> 32) {
    int s = std::bit_width(high);
    shift -= s;
    fact >>= s;
  }
  return static_cast<u64>((static_cast<unsigned __int128>(d) * static_cast<u32>(fact)) >> shift);
}

// F-6: real time to virtual time.
constexpr u64 calc_delta_fair(u64 d, sched_entity& se) {
  if (se.load.weight == kNice0Load) [[likely]] return d;
  return calc_delta(d, kNice0Load, se.load);
}
