// Per-entity load tracking: how much an entity has lately wanted and had of a CPU, as a sum in which what is 32 ms old counts
// half. Pure integer arithmetic, exact to the bit. Spec 31 section 7.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/compiler.h>
#include <linux/sched.h>

#include "kernel/sched/weights.hh"

// Times in ns; PELT's own unit is 1024 ns ("us"), its period 1024 of these. The caller serialises all access to a sched_avg.
namespace pelt {

inline constexpr unsigned kHalfLife = 32;                     // periods
inline constexpr unsigned kPeriod = 1024;                     // us
inline constexpr u64 kMax = 47742;                            // the sum of an entity that was always there (F-34)
inline constexpr u64 kMinDivider = kMax - kPeriod;
inline constexpr unsigned kCapacityScale = 1024;

// F-33: floor((2^32 - 1) * 2^(-i/32)).
inline constexpr u32 kInverse[kHalfLife] = {
    0xffffffff, 0xfa83b2da, 0xf5257d14, 0xefe4b99a, 0xeac0c6e6, 0xe5b906e6, 0xe0ccdeeb, 0xdbfbb796,
    0xd744fcc9, 0xd2a81d91, 0xce248c14, 0xc9b9bd85, 0xc5672a10, 0xc12c4cc9, 0xbd08a39e, 0xb8fbaf46,
    0xb504f333, 0xb123f581, 0xad583ee9, 0xa9a15ab4, 0xa5fed6a9, 0xa2704302, 0x9ef5325f, 0x9b8d39b9,
    0x9837f050, 0x94f4efa8, 0x91c3d373, 0x8ea4398a, 0x8b95c1e3, 0x88980e80, 0x85aac367, 0x82cd8698};

// F-35: v after n periods.
constexpr u64 decay(u64 v, u64 n) {
  if (n > kHalfLife * 63) return 0;
  v >>= n / kHalfLife;
  return static_cast<u64>((static_cast<unsigned __int128>(v) * kInverse[n % kHalfLife]) >> 32);
}

// What an entity did since the last update.
struct Activity {
  unsigned long load = 0;      // weight that was wanted: 1 for an entity that was queued, the queue's weight for a queue
  unsigned long runnable = 0;  // how many were queued
  bool running = false;
};

// Other CPUs look at averages as hints, without the lock: each store is whole.
template <class T>
[[gnu::always_inline]] constexpr void publish(T& average, T v) {
  if consteval {
    average = v;
  } else {
    WRITE_ONCE(average, v);
  }
}

// F-37.
constexpr u64 divider(const sched_avg& a) { return kMinDivider + a.period_contrib; }

noinline constexpr void average(sched_avg& a, unsigned long weight) {
  const u64 d = divider(a);
  publish(a.load_avg, static_cast<unsigned long>(weight * a.load_sum / d));
  publish(a.runnable_avg, static_cast<unsigned long>(a.runnable_sum / d));
  publish(a.util_avg, static_cast<unsigned long>(a.util_sum / d));
}

// The sum that `us` of activity leaves, of which the first part ends the period begun at a.period_contrib, whole periods
// follow, and the rest begins a new one.
constexpr u64 contribution(const sched_avg& a, u64 periods, u64 rest) {
  const u64 first = decay(kPeriod - a.period_contrib, periods);
  const u64 whole = kMax - decay(kMax, periods) - kPeriod;
  return first + whole + rest;
}

// Where a period ends: what was fades by as many as ended. d in us, not 0.
noinline constexpr void accumulate_periods(sched_avg& a, u64 d, Activity did) {
  const u64 total = d + a.period_contrib, periods = total / kPeriod;
  a.load_sum = decay(a.load_sum, periods);
  a.runnable_sum = decay(a.runnable_sum, periods);
  a.util_sum = static_cast<u32>(decay(a.util_sum, periods));
  const u64 contrib = did.load ? contribution(a, periods, total % kPeriod) : 0;
  a.period_contrib = static_cast<u32>(total % kPeriod);
  a.load_sum += did.load * contrib;
  a.runnable_sum += did.runnable * contrib << 10;
  if (did.running) a.util_sum += static_cast<u32>(contrib << 10);
}

// F-36, without the averages. True: at least one period ended, so the averages are due. A switch takes less than a period
// mostly, and a few additions then.
[[gnu::always_inline]] constexpr bool accumulate(sched_avg& a, u64 now, Activity did) {
  u64 d = now - a.last_update_time;
  if (static_cast<s64>(d) < 0) [[unlikely]] {
    a.last_update_time = now;
    return false;
  }
  d >>= 10;
  if (!d) return false;
  a.last_update_time += d << 10;
  if (!did.load) did.runnable = 0, did.running = false;
  const u64 total = d + a.period_contrib;
  if (total >= kPeriod) [[unlikely]] {
    accumulate_periods(a, d, did);
    return true;
  }
  a.period_contrib = static_cast<u32>(total);
  if (!did.load) return false;
  a.load_sum += did.load * d;
  a.runnable_sum += did.runnable * d << 10;
  if (did.running) a.util_sum += static_cast<u32>(d << 10);
  return false;
}

// weight: what the load average is multiplied by (the entity's, scaled down; 1 for a queue). True: the averages changed.
[[gnu::always_inline]] constexpr bool update(sched_avg& a, u64 now, Activity did, unsigned long weight) {
  if (!accumulate(a, now, did)) return false;
  average(a, weight);
  return true;
}

// The three of F-36's table. An entity of a group counts all tasks below it as runnable.
[[gnu::always_inline]] constexpr bool update_entity(sched_avg& a, u64 now, unsigned long weight, bool queued, unsigned long runnable, bool running) {
  return update(a, now, {.load = queued, .runnable = runnable, .running = running}, scale_load_down(weight));
}
[[gnu::always_inline]] constexpr bool update_queue(sched_avg& a, u64 now, unsigned long weight, unsigned long tasks, bool running) {
  return update(a, now, {.load = scale_load_down(weight), .runnable = tasks, .running = running}, 1);
}
// The signals of the real-time and deadline queues: busy or not.
constexpr bool update_busy(sched_avg& a, u64 now, bool running) {
  return update(a, now, {.load = running, .runnable = running, .running = running}, 1);
}

// a - b, but not below zero.
template <class T>
constexpr void sub_positive(T& a, T b) {
  publish(a, a > b ? a - b : T{0});
}

// Sums that lost a part may not fall below what their averages say.
constexpr void floor_sums(sched_avg& a) {
  a.load_sum = a.load_sum < a.load_avg * kMinDivider ? a.load_avg * kMinDivider : a.load_sum;
  a.runnable_sum = a.runnable_sum < a.runnable_avg * kMinDivider ? a.runnable_avg * kMinDivider : a.runnable_sum;
  const u64 util = a.util_avg * kMinDivider;
  a.util_sum = static_cast<u32>(a.util_sum < util ? util : a.util_sum);
}

// F-40: an entity of this (scaled) weight brings its averages into a queue. Its own clock becomes the queue's.
constexpr void attach(sched_avg& queue, sched_avg& se, unsigned long weight) {
  const u64 d = divider(queue);
  const u64 w = scale_load_down(weight);
  se.last_update_time = queue.last_update_time;
  se.period_contrib = queue.period_contrib;
  se.util_sum = static_cast<u32>(se.util_avg * d);
  se.runnable_sum = se.runnable_avg * d;
  se.load_sum = w < se.load_avg * d ? se.load_avg * d / w : 1;
  publish(queue.load_avg, queue.load_avg + se.load_avg);
  queue.load_sum += w * se.load_sum;
  publish(queue.util_avg, queue.util_avg + se.util_avg);
  queue.util_sum += se.util_sum;
  publish(queue.runnable_avg, queue.runnable_avg + se.runnable_avg);
  queue.runnable_sum += se.runnable_sum;
}

// F-41.
constexpr void detach(sched_avg& queue, const sched_avg& se, unsigned long weight) {
  sub_positive(queue.load_avg, se.load_avg);
  sub_positive(queue.load_sum, scale_load_down(weight) * se.load_sum);
  sub_positive(queue.util_avg, se.util_avg);
  sub_positive(queue.util_sum, se.util_sum);
  sub_positive(queue.runnable_avg, se.runnable_avg);
  sub_positive(queue.runnable_sum, se.runnable_sum);
  floor_sums(queue);
}

// Section 7.7: what left a queue without its lock, to be taken off at the next update.
constexpr void remove(sched_avg& queue, unsigned long load, unsigned long util, unsigned long runnable) {
  const u64 d = divider(queue);
  sub_positive(queue.load_avg, load);
  sub_positive(queue.load_sum, load * d);
  sub_positive(queue.util_avg, util);
  sub_positive(queue.util_sum, static_cast<u32>(util * d));
  sub_positive(queue.runnable_avg, runnable);
  sub_positive(queue.runnable_sum, runnable * d);
  floor_sums(queue);
}

// F-43: what a new fair task is assumed to use, before it has shown it. weight is the task's, as it is kept (scaled).
constexpr unsigned long new_task_util(const sched_avg& queue, unsigned long weight, unsigned long capacity = kCapacityScale) {
  const long cap = (static_cast<long>(capacity) - static_cast<long>(queue.util_avg)) / 2;
  if (cap <= 0) return 0;
  if (!queue.util_avg) return static_cast<unsigned long>(cap);
  const unsigned long guess = queue.util_avg * weight / (queue.load_avg + 1);
  return guess < static_cast<unsigned long>(cap) ? guess : static_cast<unsigned long>(cap);
}

// F-44: what a task that sleeps most of the time uses when it does run, in sched_avg::util_est.
inline constexpr u32 kUtilUnchanged = 0x80000000;  // in enqueued: util_avg has not moved since the task was queued
inline constexpr u32 kUtilMargin = kCapacityScale / 100;

constexpr u32 estimated_util(const sched_avg& a) {
  const u32 e = a.util_est.enqueued & ~kUtilUnchanged;
  return e > a.util_est.ewma ? e : a.util_est.ewma;
}

constexpr u32 distance(s64 d) { return static_cast<u32>(d < 0 ? -d : d); }

// The task goes to sleep, its utilisation being a.util_avg.
constexpr void estimate_at_sleep(sched_avg& a, u32 capacity = kCapacityScale) {
  auto& e = a.util_est;
  if (e.enqueued & kUtilUnchanged) return;
  const u32 util = static_cast<u32>(a.util_avg);
  if (e.ewma < util) {
    e.enqueued = e.ewma = util;
    return;
  }
  const s64 d = s64{util} - e.ewma;
  const bool moved = distance(s64{util} - e.enqueued) >= kUtilMargin;
  if (distance(d) < kUtilMargin) {
    if (moved) e.enqueued = util;
    return;
  }
  e.enqueued = util;
  if (util <= capacity) e.ewma = static_cast<u32>((s64{e.ewma} * 4 + d) >> 2);
}

}  // namespace pelt
