// The real-time queue: positions and slices (spec 32 part 1).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "kernel/sched/rt_bandwidth.hh"
#include "kernel/sched/rt_queue.hh"

struct Rt {
  rt_rq q;
  sched_rt_entity e[4] = {};
  Rt() {
    for (auto& x : e) INIT_LIST_HEAD(&x.run_list);
  }
};

// spec 32 R-6
static void best_priority_first_across_both_words(kunit* test) {
  Rt f;
  KUNIT_EXPECT_EQ(test, f.q.best(), MAX_RT_PRIO);
  KUNIT_EXPECT_NULL(test, f.q.first());
  f.q.enqueue(&f.e[0], 98, false, 0);
  KUNIT_EXPECT_EQ(test, f.q.best(), 98);
  f.q.enqueue(&f.e[1], 64, false, 0);
  f.q.enqueue(&f.e[2], 63, false, 0);
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[2]);
  f.q.dequeue(&f.e[2], 63, false, DEQUEUE_SLEEP);
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[1]);
}

// spec 32
static void tail_by_default_head_on_request(kunit* test) {
  Rt f;
  f.q.enqueue(&f.e[0], 50, false, 0);
  f.q.enqueue(&f.e[1], 50, false, 0);
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[0]);
  f.q.enqueue(&f.e[2], 50, false, ENQUEUE_HEAD);
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[2]);
  KUNIT_EXPECT_EQ(test, f.q.nr_running, 3u);
  for (int i = 0; i < 3; i++) f.q.dequeue(&f.e[i], 50, false, DEQUEUE_SLEEP);
  KUNIT_EXPECT_EQ(test, f.q.best(), MAX_RT_PRIO);
}

// spec 32 R-3
static void save_without_move_keeps_the_position(kunit* test) {
  Rt f;
  f.q.enqueue(&f.e[0], 50, false, 0);
  f.q.enqueue(&f.e[1], 50, false, 0);
  f.q.dequeue(&f.e[0], 50, false, DEQUEUE_SAVE);
  f.q.enqueue(&f.e[0], 50, true, ENQUEUE_RESTORE);
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[0]);
  KUNIT_EXPECT_EQ(test, f.q.rr_nr_running, 1u);
  f.q.dequeue(&f.e[0], 50, true, DEQUEUE_SAVE | DEQUEUE_MOVE);
  f.q.enqueue(&f.e[0], 50, true, ENQUEUE_RESTORE | ENQUEUE_MOVE);
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[1]);
}

// spec 32 section 2.1: yield goes to the tail
static void yield_goes_to_the_tail(kunit* test) {
  Rt f;
  f.q.enqueue(&f.e[0], 50, false, 0);
  f.q.requeue_tail(&f.e[0], 50);  // alone: nothing changes
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[0]);
  f.q.enqueue(&f.e[1], 50, false, 0);
  f.q.requeue_tail(&f.e[0], 50);
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[1]);
}

// spec 32 R-7
static void round_robin_turns_after_a_slice(kunit* test) {
  Rt f;
  f.e[0].time_slice = f.e[1].time_slice = 3;
  f.q.enqueue(&f.e[0], 50, true, 0);
  f.q.enqueue(&f.e[1], 50, true, 0);
  KUNIT_EXPECT_FALSE(test, f.q.rr_tick(&f.e[0], 50, 3));
  KUNIT_EXPECT_FALSE(test, f.q.rr_tick(&f.e[0], 50, 3));
  KUNIT_EXPECT_TRUE(test, f.q.rr_tick(&f.e[0], 50, 3));
  KUNIT_EXPECT_PTR_EQ(test, f.q.first(), &f.e[1]);
  KUNIT_EXPECT_EQ(test, f.e[0].time_slice, 3u);
}

// spec 32 R-7: alone on its list it goes on, with a new slice
static void round_robin_alone_goes_on(kunit* test) {
  Rt f;
  f.e[0].time_slice = 1;
  f.q.enqueue(&f.e[0], 50, true, 0);
  f.q.enqueue(&f.e[1], 60, true, 0);
  KUNIT_EXPECT_FALSE(test, f.q.rr_tick(&f.e[0], 50, 25));
  KUNIT_EXPECT_EQ(test, f.e[0].time_slice, 25u);
}

// spec 32
static void a_wakeup_resets_the_time_without_sleep(kunit* test) {
  Rt f;
  f.e[0].timeout = 7;
  f.q.enqueue(&f.e[0], 50, false, 0);
  KUNIT_EXPECT_EQ(test, f.e[0].timeout, 7ul);
  f.q.dequeue(&f.e[0], 50, false, DEQUEUE_SLEEP);
  f.q.enqueue(&f.e[0], 50, false, ENQUEUE_WAKEUP);
  KUNIT_EXPECT_EQ(test, f.e[0].timeout, 0ul);
}

// spec 32 R-14: a FIFO hog under ticks of so many ms; the milliseconds at which it is throttled and let go again
struct Hog {
  RtBandwidth b;
  int n = 0;
  u64 throttled[8], released[8];
  void run(u64 tick_ms, u64 end_ms) {
    constexpr u64 ms = 1'000'000;
    b.begin(0);
    for (u64 t = tick_ms; t <= end_ms; t += tick_ms) {
      if (b.throttled) {
        if (b.replenish(t * ms)) released[n - 1] = t;
      } else if ((b.replenish(t * ms), b.charge(tick_ms * ms))) {
        throttled[n++] = t;
      }
    }
  }
};
static void a_hog_gets_ninety_five_percent(kunit* test) {
  static const struct {
    u64 tick;
    int n;
    u64 at[5];
  } rows[] = {{1, 4, {951, 1950, 2950, 3950}}, {4, 5, {952, 1952, 2948, 3952, 4948}}, {10, 3, {960, 1950, 2950}}};
  for (auto& r : rows) {
    Hog h;
    h.run(r.tick, 5000);
    KUNIT_ASSERT_GE(test, h.n, r.n);
    for (int i = 0; i < r.n; i++) {
      KUNIT_EXPECT_EQ_MSG(test, h.throttled[i], r.at[i], "tick of %llu ms, period %d", r.tick, i);
      KUNIT_EXPECT_EQ(test, h.released[i], (static_cast<u64>(i) + 1) * 1000);
    }
  }
}

// spec 32 R-11
static void no_limit_no_throttle(kunit* test) {
  RtBandwidth b;
  b.runtime = RtBandwidth::kUnlimited;
  b.begin(0);
  KUNIT_EXPECT_FALSE(test, b.charge(10'000'000'000));
  RtBandwidth zero;
  zero.runtime = 0;
  zero.begin(0);
  KUNIT_EXPECT_FALSE(test, zero.charge(5));
  KUNIT_EXPECT_EQ(test, zero.used, 0ull);
}

// spec 32 R-13: idle periods give back all, never more
static void idle_periods_give_back(kunit* test) {
  RtBandwidth b;
  b.begin(0);
  b.charge(900'000'000);
  KUNIT_EXPECT_FALSE(test, b.replenish(7'500'000'000));
  KUNIT_EXPECT_EQ(test, b.used, 0ull);
  KUNIT_EXPECT_EQ(test, b.next_period(), 8'000'000'000ull);
}

static kunit_case cases[] = {
    KUNIT_CASE(best_priority_first_across_both_words),
    KUNIT_CASE(tail_by_default_head_on_request),
    KUNIT_CASE(save_without_move_keeps_the_position),
    KUNIT_CASE(yield_goes_to_the_tail),
    KUNIT_CASE(round_robin_turns_after_a_slice),
    KUNIT_CASE(round_robin_alone_goes_on),
    KUNIT_CASE(a_wakeup_resets_the_time_without_sleep),
    KUNIT_CASE(a_hog_gets_ninety_five_percent),
    KUNIT_CASE(no_limit_no_throttle),
    KUNIT_CASE(idle_periods_give_back),
    {},
};
static kunit_suite suite = {.name = "sched_rt_queue", .test_cases = cases};
kunit_test_suite(suite);
