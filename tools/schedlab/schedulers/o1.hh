// The O(1) scheduler of Linux 2.6 before CFS, as spec 32 section 13 describes it: two arrays of 140 lists and a bitmap; who has used up
// its slice goes to the expired one; interactive tasks, known by how much they sleep, go back to the active one. A pure data
// structure: time is given. Times in ns.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "tools/schedlab/schedulers/lab_class.hh"

namespace o1 {

inline constexpr u64 kMs = 1'000'000;
inline constexpr int kMaxBonus = 10;
inline constexpr u64 kMaxSleepAvg = 1000 * kMs;
inline constexpr unsigned kPrios = 140;

// H-3.
constexpr u64 timeslice(int static_prio) {
  const int ms = (140 - static_prio) * (static_prio < 120 ? 20 : 5);
  return static_cast<u64>(ms < 5 ? 5 : ms) * kMs;
}
// H-5.
constexpr int bonus(u64 sleep_avg) { return static_cast<int>(sleep_avg * kMaxBonus / kMaxSleepAvg); }
constexpr int dynamic_prio(int static_prio, u64 sleep_avg) {
  const int prio = static_prio - (bonus(sleep_avg) - kMaxBonus / 2);
  return prio < 100 ? 100 : prio > 139 ? 139 : prio;
}
// H-7. floor((n + 20) * 10 / 40): n + 20 is never negative.
constexpr int delta(int nice) { return (nice + 20) * kMaxBonus / 40 - kMaxBonus / 2 + 2; }
constexpr bool interactive(int static_prio, u64 sleep_avg) {
  return dynamic_prio(static_prio, sleep_avg) <= static_prio - delta(static_prio - 120);
}
// H-6: a user task that slept longer is taken for an idle one. ms 100 * (6 + delta) - 1.
constexpr u64 long_sleep(int nice) { return (100ull * static_cast<unsigned>(6 + delta(nice)) - 1) * kMs; }
constexpr u64 slept(int static_prio, u64 avg, u64 s, bool uninterruptible) {
  if (s > kMaxSleepAvg) s = kMaxSleepAvg;
  const u64 threshold = long_sleep(static_prio - 120), most = kMaxSleepAvg - 100 * kMs;
  if (s > threshold && !uninterruptible) return avg > most ? avg : most;
  const int b = bonus(avg);
  u64 now = avg + s * static_cast<u64>(kMaxBonus - b < 1 ? 1 : kMaxBonus - b);
  if (uninterruptible && now > threshold) now = avg > threshold ? avg : threshold;
  return now > kMaxSleepAvg ? kMaxSleepAvg : now;
}
constexpr u64 after_running(u64 avg, u64 ran) {
  if (ran > kMaxSleepAvg) ran = kMaxSleepAvg;
  const int b = bonus(avg);
  const u64 less = ran / static_cast<u64>(b < 1 ? 1 : b);
  return avg > less ? avg - less : 0;
}
// H-10.
constexpr u64 granularity(u64 sleep_avg, unsigned cpus) {
  const int b = kMaxBonus - bonus(sleep_avg);
  return 10 * kMs * (1ull << ((b < 1 ? 1 : b) - 1)) * cpus;
}

struct Task : LabTaskBase {
  int static_prio = 120, prio = 120;
  s64 slice = static_cast<s64>(timeslice(120));
  u64 sleep_avg = 0, charged = 0, turn = 0;  // charged: of the stretch in hand; turn: since the last round robin
  bool to_expired = false;
  unsigned char where = 0;  // which array
  void reset() { *this = Task(); node = {&node, &node}; }
  void set_nice(int nice) {
    if (static_prio == 120 + nice) return;
    static_prio = 120 + nice;
    prio = dynamic_prio(static_prio, sleep_avg);
    slice = static_cast<s64>(timeslice(static_prio));
  }
};

struct Array {
  unsigned count = 0;
  u64 bitmap[3] = {};
  list_head lists[kPrios];
  Array() {
    for (list_head& l : lists) l = {&l, &l};
  }
  void add(Task& t, bool at_head) {
    if (at_head)
      list_add(&t.node, &lists[t.prio]);
    else
      list_add_tail(&t.node, &lists[t.prio]);
    bitmap[t.prio / 64] |= 1ull << t.prio % 64;
    count++;
  }
  void remove(Task& t, int prio) {
    list_del_init(&t.node);
    if (list_empty(&lists[prio])) bitmap[prio / 64] &= ~(1ull << prio % 64);
    count--;
  }
  Task* first() {
    for (unsigned w = 0; w < 3; w++)
      if (bitmap[w]) return container_of(lists[w * 64 + static_cast<unsigned>(__builtin_ctzll(bitmap[w]))].next, Task, node);
    return nullptr;
  }
};

struct Queue {
  using Task = o1::Task;
  Array arrays[2];
  unsigned active = 0;
  u64 expired_stamp = 0;   // 0: expired is empty
  int best_expired = 140;
  unsigned cpus = 1;

  unsigned nr_queued() const { return arrays[0].count + arrays[1].count; }

  // H-1.
  Task* pick() {
    if (!arrays[active].count) {
      active ^= 1;
      expired_stamp = 0;
      best_expired = 140;
    }
    return arrays[active].first();
  }
  void add(Task& t, Added why, u64 now) {
    if (why == Added::Woken) {
      t.sleep_avg = slept(t.static_prio, t.sleep_avg, t.slept, t.uninterruptible);
      t.prio = dynamic_prio(t.static_prio, t.sleep_avg);
    }
    const bool expires = t.to_expired;
    t.to_expired = false;
    t.where = static_cast<unsigned char>(expires ? active ^ 1 : active);
    if (expires) {
      if (!expired_stamp) expired_stamp = now ? now : 1;
      if (t.static_prio < best_expired) best_expired = t.static_prio;
    }
    // Pushed off its CPU with time left, it goes on where it was; with its slice renewed, at the tail.
    arrays[t.where].add(t, why == Added::Preempted && !expires && t.turn);
  }
  void remove(Task& t, bool, u64) { arrays[t.where].remove(t, t.prio); }
  void start(Task& t, u64) { t.charged = 0; t.turn = 1; }
  void charge(Task& t, u64 ran) {
    t.slice -= static_cast<s64>(ran - t.charged);
    t.charged = ran;
  }
  // H-6: what it ran is taken off what it slept.
  void stop(Task& t, u64 ran, bool runnable, u64 now) {
    charge(t, ran);
    t.sleep_avg = after_running(t.sleep_avg, ran);
    if (runnable && t.slice <= 0) expire(t, now, 1);
    t.since = now;
  }
  // H-8, H-9.
  void expire(Task& t, u64 now, unsigned running) {
    t.prio = dynamic_prio(t.static_prio, t.sleep_avg);
    t.slice = static_cast<s64>(timeslice(t.static_prio));
    t.turn = 0;
    const bool starving = (expired_stamp && now - expired_stamp >= kMaxSleepAvg * (nr_queued() + running) + 4 * kMs) ||
                          t.static_prio > best_expired;
    t.to_expired = !interactive(t.static_prio, t.sleep_avg) || starving;
  }
  bool tick(Task& t, u64 ran, u64) {
    const u64 before = t.charged;
    charge(t, ran);
    if (t.slice <= 0) return true;  // stop() renews it
    const u64 g = granularity(t.sleep_avg, cpus);
    if (!interactive(t.static_prio, t.sleep_avg) || t.slice < static_cast<s64>(g)) return false;
    if (ran / g == before / g) return false;
    t.turn = 0;  // H-10: round robin among its equals
    return true;
  }
  // H-2.
  bool preempts(const Task& woken, const Task& running) const { return woken.prio < running.prio; }
  void yield(Task& t) { t.turn = 0; t.to_expired = true; }
  // H-4.
  static void fork(Task& parent, Task& child) {
    const s64 whole = parent.slice > 0 ? parent.slice : 0;
    child.slice = (whole + 1) / 2;
    parent.slice = whole / 2;
    child.sleep_avg = static_cast<u64>(bonus(parent.sleep_avg)) * 95 / 100 * kMaxSleepAvg / kMaxBonus;
    child.prio = dynamic_prio(child.static_prio, child.sleep_avg);
  }
  template <class May>
  Task* coldest(May may) {
    for (unsigned a : {active ^ 1, active})
      for (list_head& l : arrays[a].lists)
        for (list_head* n = l.prev; n != &l; n = n->prev)
          if (Task* t = container_of(n, Task, node); may(t->p)) return t;
    return nullptr;
  }
};

}  // namespace o1
