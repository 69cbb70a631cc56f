// One CPU with a tick of 1 ms and nothing but a fair queue: what the worked timelines of spec 31 are computed with.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <kunit/test.h>

#include "kernel/sched/cfs_queue.hh"

inline constexpr u64 kMs = 1'000'000;

inline sched_entity fair_entity(int nice) {
  sched_entity se = {};
  se.load = weight_of_nice(nice);
  return se;
}
inline sched_entity idle_entity() {
  sched_entity se = {};
  se.load = weight_of_idle();
  return se;
}

struct FairSim {
  CfsTunables tun = CfsTunables::for_cpus(1);
  cfs_rq q;
  u64 now = 0;
  sched_entity* running = nullptr;
  struct Start {
    int who;
    u64 ms;
  };
  Start starts[64];
  int nr_starts = 0;
  sched_entity* entities[16];
  int nr_entities = 0;

  FairSim() {
    q.tun = &tun;
    q.min_vruntime = 0;
  }
  FairSim(const FairSim&) = delete;

  void add(sched_entity* se) {
    entities[nr_entities++] = se;
    q.enqueue(se, now, 0);
  }
  int index(const sched_entity* se) const {
    for (int i = 0; i < nr_entities; i++)
      if (entities[i] == se) return i;
    return -1;
  }
  void reschedule() {
    q.update_curr(now);
    sched_entity* next = q.pick();
    if (next == running) return;  // F-26: keeps its slice
    q.switch_curr(running, next, now);
    running = next;
    if (nr_starts < 64) starts[nr_starts++] = {index(next), now / kMs};
  }
  void run_until_ms(u64 end) {
    if (!running) reschedule();
    while (now < end * kMs) {
      now += kMs;
      if (q.tick(now)) reschedule();
    }
  }
};

// Expects the first starts of a simulation to be these {who, ms} pairs.
inline void expect_starts(kunit* test, const FairSim& sim, const FairSim::Start* want, int n) {
  KUNIT_ASSERT_GE(test, sim.nr_starts, n);
  for (int i = 0; i < n; i++) {
    KUNIT_EXPECT_EQ_MSG(test, sim.starts[i].who, want[i].who, "start %d", i);
    KUNIT_EXPECT_EQ_MSG(test, sim.starts[i].ms, want[i].ms, "start %d", i);
  }
}
