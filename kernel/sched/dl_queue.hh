// Deadline scheduling: the constant-bandwidth server's arithmetic, the queue in order of deadlines, admission. Pure: told the
// time and the entities, it knows no CPU, lock or task. Spec 32 part 2. Times in ns; the caller serialises all access.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/rbtree.h>
#include <linux/sched.h>

#include "kernel/sched/pelt.hh"

namespace dl {

inline constexpr unsigned kBwShift = 20;
inline constexpr u64 kBwUnit = 1ull << kBwShift;  // a whole CPU
inline constexpr u64 kNoLimit = ~0ull;
inline constexpr u64 kMinRuntime = 1024;
inline constexpr u64 kPeriodMin = 100'000, kPeriodMax = (1ull << 22) * 1000;  // defaults of sched_deadline_period_{min,max}_us

// D-5.
constexpr u64 to_ratio(u64 period, u64 runtime) {
  if (runtime == kNoLimit) return kBwUnit;
  return period ? (runtime << kBwShift) / period : 0;
}

// D-1. period as given: 0 stands for the deadline.
constexpr bool valid(u64 runtime, u64 deadline, u64 period, u64 period_min = kPeriodMin, u64 period_max = kPeriodMax) {
  if (!deadline || runtime < kMinRuntime) return false;
  if ((deadline | period) >> 63) return false;
  if (!period) period = deadline;
  if (deadline > period || runtime > deadline) return false;
  return period >= period_min && period <= period_max;
}

constexpr void set_params(sched_dl_entity& e, u64 runtime, u64 deadline, u64 period, unsigned flags) {
  e.dl_runtime = runtime;
  e.dl_deadline = deadline;
  e.dl_period = period ? period : deadline;
  e.flags = flags;
  e.dl_bw = to_ratio(e.dl_period, runtime);
  e.dl_density = to_ratio(deadline, runtime);
}

constexpr bool before(u64 a, u64 b) { return static_cast<s64>(a - b) < 0; }
// As the task's owner asked for, whosever it runs by (D-20).
struct Params {
  u64 runtime, deadline, period;
  constexpr bool operator==(const Params&) const = default;
};
constexpr Params own_params(const sched_dl_entity& e) {
  return e.boosted ? Params{e.own.runtime, e.own.deadline, e.own.period} : Params{e.dl_runtime, e.dl_deadline, e.dl_period};
}
// e goes on by the donor's parameters, with a fresh instance.
constexpr void borrow(sched_dl_entity& e, const sched_dl_entity& donor) {
  if (!e.boosted) e.own = {e.dl_runtime, e.dl_deadline, e.dl_period, e.dl_density};
  e.boosted = 1;
  e.dl_runtime = donor.dl_runtime;
  e.dl_deadline = donor.dl_deadline;
  e.dl_period = donor.dl_period;
  e.dl_density = donor.dl_density;
  e.throttled = e.yielded = 0;
}
constexpr void give_back(sched_dl_entity& e) {
  if (!e.boosted) return;
  e.boosted = 0;
  e.dl_runtime = e.own.runtime;
  e.dl_deadline = e.own.deadline;
  e.dl_period = e.own.period;
  e.dl_density = e.own.density;
}

constexpr bool implicit(const sched_dl_entity& e) { return e.dl_deadline == e.dl_period; }
constexpr u64 next_period(const sched_dl_entity& e) { return e.deadline - e.dl_deadline + e.dl_period; }
// D-18: until then a task that went to sleep still counts: it could come back and claim what is left of its share.
constexpr u64 zero_lag(const sched_dl_entity& e) {
  return e.deadline - static_cast<u64>(e.runtime * static_cast<s64>(e.dl_period) / static_cast<s64>(e.dl_runtime));
}

// D-8.
constexpr void new_instance(sched_dl_entity& e, u64 now) {
  e.deadline = now + e.dl_deadline;
  e.runtime = static_cast<s64>(e.dl_runtime);
}

// D-10: more is left than the rest of the time is worth.
constexpr bool overflows(const sched_dl_entity& e, u64 now) {
  const s64 left = static_cast<s64>(e.dl_deadline >> 10) * (e.runtime >> 10);
  const s64 right = static_cast<s64>((e.deadline - now) >> 10) * static_cast<s64>(e.dl_runtime >> 10);
  return right < left;
}

// D-9: at a wake-up.
constexpr void wake(sched_dl_entity& e, u64 now) {
  const bool past = before(e.deadline, now);
  if (!past && !overflows(e, now)) return;
  if (implicit(e) || past || e.boosted)
    new_instance(e, now);
  else
    e.runtime = static_cast<s64>(e.dl_density * (e.deadline - now) >> kBwShift);
}

// D-11: a constrained task that wakes behind its deadline, but in the same period, waits for the next one.
constexpr bool must_wait_for_period(const sched_dl_entity& e, u64 now) {
  return !implicit(e) && before(e.deadline, now) && before(now, next_period(e));
}

enum class Lag : unsigned char { None, TooMuch };

// D-7.
constexpr Lag replenish(sched_dl_entity& e, u64 now) {
  Lag lag = Lag::None;
  if (e.yielded && e.runtime > 0) e.runtime = 0;
  while (e.runtime <= 0) {
    e.deadline += e.dl_period;
    e.runtime += static_cast<s64>(e.dl_runtime);
  }
  if (before(e.deadline, now)) {
    new_instance(e, now);
    lag = Lag::TooMuch;
  }
  e.yielded = e.throttled = 0;
  return lag;
}

// ---- Bandwidth ----------------------------------------------------------------------------------------------------

// D-3, D-4: what is admitted in a root domain.
struct Admission {
  u64 bw = to_ratio(1'000'000, 950'000);  // per CPU; kNoLimit: no test
  u64 total = 0;
  // capacity: sum over the CPUs, 1024 each.
  constexpr bool refuses(u64 capacity, u64 old_bw, u64 new_bw) const {
    return bw != kNoLimit && bw * capacity / pelt::kCapacityScale < total - old_bw + new_bw;
  }
};

// D-19: GRUB. What a running entity with RECLAIM is charged for d.
struct Reclaim {
  u64 this_bw = 0, running_bw = 0;  // of all that belong to the CPU; of those that are active
  u64 extra_bw = to_ratio(1'000'000, 950'000);
  u64 bw_ratio = to_ratio(950'000, 1'000'000) >> 12;
  constexpr u64 charge(u64 d, const sched_dl_entity& e) const {
    const u64 inactive = this_bw - running_bw;
    const u64 least = e.dl_bw * bw_ratio >> 8;
    const u64 u = inactive + extra_bw > kBwUnit - least ? least : kBwUnit - inactive - extra_bw;
    return d * u >> kBwShift;
  }
};

}  // namespace dl

// D-15: entities in order of their deadlines, equal ones FIFO. The running one stays in the tree.
struct dl_rq {
  rb_root_cached root{};
  unsigned nr_running = 0;
  dl::Reclaim bw;

  static sched_dl_entity* entity(rb_node* n) { return n ? container_of(n, sched_dl_entity, rb_node) : nullptr; }
  sched_dl_entity* first() const { return entity(root.rb_leftmost); }
  static sched_dl_entity* next(sched_dl_entity* e) { return entity(rb_next(&e->rb_node)); }

  void insert(sched_dl_entity* e) {
    rb_node **link = &root.rb_root.rb_node, *parent = nullptr;
    bool leftmost = true;
    while (*link) {
      parent = *link;
      const bool left = dl::before(e->deadline, entity(parent)->deadline);
      link = left ? &parent->rb_left : &parent->rb_right;
      leftmost &= left;
    }
    rb_link_node(&e->rb_node, parent, link);
    rb_insert_color_cached(&e->rb_node, &root, leftmost);
    nr_running++;
  }
  void erase(sched_dl_entity* e) {
    rb_erase_cached(&e->rb_node, &root);
    RB_CLEAR_NODE(&e->rb_node);
    nr_running--;
  }
};
