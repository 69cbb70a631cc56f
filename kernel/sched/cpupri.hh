// How urgent the most urgent real-time work of each CPU is, so that a place for a task is found without a look at any queue. A
// pure data structure; CPUs write their own level, anybody reads. Spec 32 section 5.1.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/types.h>

struct cpupri {
  static constexpr int kInvalid = -1, kHighest = 100, kLevels = 101;  // invalid: the CPU is offline

  // prio: as tasks have it; 99 and above: no real-time work; -1: deadline.
  static constexpr int level_of(int prio) { return prio < 0 ? kHighest : prio >= 99 ? 0 : 99 - prio; }

  unsigned counts[kLevels]{};
  unsigned long masks[kLevels]{};
  int level_of_cpu[NR_CPUS];

  cpupri() {
    for (int& l : level_of_cpu) l = kInvalid;
  }

  // By that CPU's queue, locked. The new level first: a CPU that is there is never missed.
  void set(unsigned cpu, int level) {
    const int old = level_of_cpu[cpu];
    if (old == level) return;
    if (level != kInvalid) {
      __atomic_fetch_or(&masks[level], 1ul << cpu, __ATOMIC_RELEASE);
      __atomic_fetch_add(&counts[level], 1, __ATOMIC_RELEASE);  // pairs with the read in find(): who sees it sees the mask
    }
    if (old != kInvalid) {
      __atomic_fetch_sub(&counts[old], 1, __ATOMIC_SEQ_CST);
      __atomic_fetch_and(&masks[old], ~(1ul << cpu), __ATOMIC_SEQ_CST);
    }
    WRITE_ONCE(level_of_cpu[cpu], level);
  }

  // of the CPUs in `allowed` those at the lowest level below that of prio; 0: none, never one that is as urgent.
  unsigned long find(int prio, unsigned long allowed) const {
    const int below = level_of(prio);
    for (int l = 0; l < below; l++) {
      if (!__atomic_load_n(&counts[l], __ATOMIC_ACQUIRE)) continue;
      if (const unsigned long found = READ_ONCE(masks[l]) & allowed) return found;
    }
    return 0;
  }
};
