// The judgements of load balancing and of placing tasks: pure functions of what was counted. Spec 31 sections 10.3 to 10.6 and
// 10.11.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/minmax.h>
#include <linux/types.h>

#include "kernel/sched/domains.hh"

namespace lb {

// Ascending badness (section 10.3).
enum class GroupType : unsigned char { HasSpare, FullyBusy, Misfit, AsymPacking, Imbalanced, Overloaded };
// What is to be moved, and what the amount counts.
enum class Migrate : unsigned char { Load, Util, Task, Misfit };

struct GroupStats {
  unsigned long avg_load;  // load by capacity: of overloaded groups, and of the local one when it is needed
  unsigned long load, capacity, util, runnable;
  unsigned nr_running, nr_fair;  // tasks of all classes; fair ones
  unsigned idle_cpus, weight;
  bool asym_packing, imbalanced;
  unsigned long misfit_load;  // largest of a task on a CPU that is too small for it; 0: none
  GroupType type;
};

// F-66.
constexpr bool is_overloaded(const GroupStats& g, unsigned pct) {
  if (g.nr_running <= g.weight) return false;
  return g.capacity * 100 < g.util * pct || g.capacity * pct < g.runnable * 100;
}
constexpr bool has_capacity(const GroupStats& g, unsigned pct) {
  if (g.nr_running < g.weight) return true;
  return !(g.capacity * pct < g.runnable * 100) && g.capacity * 100 > g.util * pct;
}
constexpr GroupType classify(const GroupStats& g, unsigned pct) {
  if (is_overloaded(g, pct)) return GroupType::Overloaded;
  if (g.imbalanced) return GroupType::Imbalanced;
  if (g.asym_packing) return GroupType::AsymPacking;
  if (g.misfit_load) return GroupType::Misfit;
  return has_capacity(g, pct) ? GroupType::HasSpare : GroupType::FullyBusy;
}
constexpr unsigned long avg_load(unsigned long load, unsigned long capacity) {
  return capacity ? load * kCpuCapacity / capacity : 0;
}

// Section 10.4: a is worse than b, the worst so far (null: there is none yet).
constexpr bool busier(const GroupStats& a, const GroupStats* b) {
  if (!a.nr_fair) return false;
  if (!b) return true;
  if (a.type != b->type) return a.type > b->type;
  switch (a.type) {
    case GroupType::Overloaded:
    case GroupType::FullyBusy: return a.avg_load > b->avg_load;
    case GroupType::Misfit: return a.misfit_load > b->misfit_load;
    case GroupType::Imbalanced:
    case GroupType::AsymPacking: return false;
    case GroupType::HasSpare: break;
  }
  if (a.idle_cpus != b->idle_cpus) return a.idle_cpus < b->idle_cpus;
  return a.nr_running > b->nr_running;
}

// What is said of the domain and of the CPU that asks.
struct Asker {
  IdleType idle;
  unsigned pct;               // imbalance_pct
  bool prefer_sibling;        // of the child domain
  bool shares_cache, asym_capacity, numa;
  unsigned imb_numa_nr;
  unsigned long total_load, total_capacity;  // of the whole domain
  unsigned long domain_avg() const { return avg_load(total_load, total_capacity); }
};

struct Decision {
  Migrate what = Migrate::Load;
  long amount = 0;  // 0: balanced
};

inline unsigned not_below_zero(unsigned a, unsigned b) { return a > b ? a - b : 0; }

// The row of section 10.6 for a local group with room.
inline Decision fill_spare(const GroupStats& local, const GroupStats& busiest, const Asker& by) {
  if (busiest.type > GroupType::FullyBusy && !by.shares_cache) {
    const unsigned long util = max(local.capacity, local.util) - local.util;
    if (!util && by.idle != IdleType::NotIdle) return {Migrate::Task, 1};
    return {Migrate::Util, static_cast<long>(util)};
  }
  long n = busiest.weight == 1 || by.prefer_sibling ? not_below_zero(busiest.nr_running, local.nr_running)
                                                    : not_below_zero(local.idle_cpus, busiest.idle_cpus);
  if (by.numa && n <= 2 && local.nr_running + 1 <= by.imb_numa_nr) n = 0;
  return {Migrate::Task, n >> 1};
}

// Section 10.6.
inline Decision imbalance(const GroupStats& local, const GroupStats& busiest, const Asker& by) {
  switch (busiest.type) {
    case GroupType::Misfit:
      if (by.asym_capacity) return {Migrate::Misfit, 1};
      return {Migrate::Load, static_cast<long>(busiest.misfit_load)};
    case GroupType::AsymPacking: return {Migrate::Task, static_cast<long>(busiest.nr_fair)};
    case GroupType::Imbalanced: return {Migrate::Task, 1};
    default: break;
  }
  if (local.type == GroupType::HasSpare) return fill_spare(local, busiest, by);
  const unsigned long domain = by.domain_avg();
  unsigned long here = local.avg_load;
  if (local.type < GroupType::Overloaded) {
    here = avg_load(local.load, local.capacity);
    if (here >= busiest.avg_load || here >= domain) return {};
  }
  if (busiest.avg_load <= domain || domain <= here) return {};
  const unsigned long out = (busiest.avg_load - domain) * busiest.capacity, in = (domain - here) * local.capacity;
  return {Migrate::Load, static_cast<long>(min(out, in) / kCpuCapacity)};
}

// Section 10.5, row by row. busiest null: no group has anything to give.
inline Decision decide(const GroupStats& local, const GroupStats* busiest, const Asker& by) {
  if (!busiest) return {};
  if (busiest->type == GroupType::Misfit || busiest->type == GroupType::AsymPacking || busiest->type == GroupType::Imbalanced)
    return imbalance(local, *busiest, by);
  if (local.type > busiest->type) return {};
  if (local.type == GroupType::Overloaded) {
    if (local.avg_load >= busiest->avg_load || local.avg_load >= by.domain_avg()) return {};
    if (100 * busiest->avg_load <= by.pct * local.avg_load) return {};
  }
  const bool spread = by.prefer_sibling && local.type == GroupType::HasSpare && busiest->nr_running > local.nr_running + 1;
  if (!spread && busiest->type != GroupType::Overloaded) {
    if (by.idle == IdleType::NotIdle) return {};
    if (busiest->weight > 1 && local.idle_cpus <= busiest->idle_cpus + 1) return {};
    if (busiest->nr_fair == 1) return {};
  }
  return imbalance(local, *busiest, by);
}

// ---- Placing tasks (section 10.11) --------------------------------------------------------------------------------------

// F-75: fork and exec. True: the task goes to the idlest of the other groups.
constexpr bool other_group_is_better(const GroupStats& local, const GroupStats& idlest, unsigned pct) {
  if (local.type != idlest.type) return local.type > idlest.type;
  if (local.type == GroupType::HasSpare) return idlest.idle_cpus > local.idle_cpus;
  if (local.type == GroupType::Misfit) return idlest.capacity > local.capacity;
  if (local.type == GroupType::AsymPacking || local.type == GroupType::Imbalanced) return false;
  constexpr unsigned long kNice0 = 1024;
  const unsigned long slack = kNice0 * (pct - 100) / 100;
  return local.avg_load > idlest.avg_load + slack && 100 * local.avg_load > pct * idlest.avg_load;
}
// Which of two other groups is idler.
constexpr bool idler(const GroupStats& a, const GroupStats* b) {
  if (!b) return true;
  if (a.type != b->type) return a.type < b->type;
  switch (a.type) {
    case GroupType::Overloaded:
    case GroupType::FullyBusy: return a.avg_load < b->avg_load;
    case GroupType::Misfit: return a.capacity > b->capacity;
    case GroupType::HasSpare: break;
    default: return false;
  }
  if (a.idle_cpus != b->idle_cpus) return a.idle_cpus > b->idle_cpus;
  return a.util < b->util;
}

// F-76: the waker wakes so many that they should not gather around it.
constexpr bool is_wide(unsigned waker_flips, unsigned wakee_flips, unsigned cache_cpus) {
  const unsigned more = max(waker_flips, wakee_flips), less = min(waker_flips, wakee_flips);
  return less >= cache_cpus && more >= less * cache_cpus;
}

// F-77, the weights. Loads of whole CPUs as they are; curr: the waker's load, to be left out if the wake-up is synchronous.
struct AffineLoads {
  unsigned long here, prev, task, curr, here_capacity, prev_capacity;
};
enum class WakeSync : unsigned char { No, Yes };
constexpr bool weight_says_here(const AffineLoads& l, unsigned pct, WakeSync sync) {
  unsigned long here = l.here;
  if (sync == WakeSync::Yes) {
    if (l.curr > here) return true;
    here -= l.curr;
  }
  const long a = static_cast<long>((here + l.task) * 100 * l.prev_capacity);
  const long rest = static_cast<long>(l.prev) - static_cast<long>(l.task);
  const long b = rest * static_cast<long>(100 + (pct - 100) / 2) * static_cast<long>(l.here_capacity);
  return a < b + (sync == WakeSync::Yes);
}

// F-79.
constexpr int idle_scan(unsigned long sum_util, unsigned cpus, unsigned pct) {
  const unsigned long x = sum_util / cpus;
  const unsigned long y = min(kCpuCapacity, x * x * pct * pct / (10000 * kCpuCapacity));
  return static_cast<int>(cpus * (kCpuCapacity - y) / kCpuCapacity);
}

// Section 10.1: what real-time work, deadlines and interrupts leave of a CPU.
constexpr unsigned long capacity_left(unsigned long rt, unsigned long dl, unsigned long irq) {
  if (irq >= kCpuCapacity || rt + dl >= kCpuCapacity) return 1;
  const unsigned long left = (kCpuCapacity - rt - dl) * (kCpuCapacity - irq) / kCpuCapacity;
  return left ? left : 1;
}
// A CPU that has become noticeably smaller than it was.
constexpr bool capacity_is_reduced(unsigned long capacity, unsigned long pct) { return capacity * pct < kCpuCapacity * 100; }

}  // namespace lb
