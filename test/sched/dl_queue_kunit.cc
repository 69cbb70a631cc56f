// The constant-bandwidth server, admission and GRUB: the worked numbers of spec 32 part 2.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "kernel/sched/dl_queue.hh"

namespace {

constexpr u64 kMs = 1'000'000;

sched_dl_entity entity(u64 runtime, u64 deadline, u64 period = 0) {
  sched_dl_entity e = {};
  dl::set_params(e, runtime * kMs, deadline * kMs, period * kMs, 0);
  return e;
}

// spec 32 D-1
void parameters(kunit* test) {
  KUNIT_EXPECT_TRUE(test, dl::valid(10 * kMs, 100 * kMs, 0));
  KUNIT_EXPECT_TRUE(test, dl::valid(10 * kMs, 50 * kMs, 100 * kMs));
  KUNIT_EXPECT_TRUE(test, dl::valid(1024, 100'000, 0));
  KUNIT_EXPECT_FALSE(test, dl::valid(10 * kMs, 0, 100 * kMs));
  KUNIT_EXPECT_FALSE(test, dl::valid(1023, 100 * kMs, 0));
  KUNIT_EXPECT_FALSE(test, dl::valid(10 * kMs, 100 * kMs, 50 * kMs));
  KUNIT_EXPECT_FALSE(test, dl::valid(101 * kMs, 100 * kMs, 0));
  KUNIT_EXPECT_FALSE(test, dl::valid(10 * kMs, 100 * kMs, 1ull << 63));
  KUNIT_EXPECT_FALSE(test, dl::valid(2000, 99'999, 0));
  KUNIT_EXPECT_TRUE(test, dl::valid(2000, kMs, 4'194'304'000));
  KUNIT_EXPECT_FALSE(test, dl::valid(2000, kMs, 4'194'304'001));
}

// spec 32 D-5
void ratios(kunit* test) {
  struct {
    u64 period, runtime, want;
  } rows[] = {{100, 10, 104857}, {100, 30, 314572}, {3, 1, 349525},     {10, 5, 524288},
              {100, 95, 996147}, {1000, 951, 997195}, {0, 5, 0}, {7, dl::kNoLimit, 1 << 20}};
  for (auto& r : rows) KUNIT_EXPECT_EQ(test, dl::to_ratio(r.period, r.runtime), r.want);
}

// spec 32 D-3: how many of a kind fit
void admission(kunit* test) {
  struct {
    u64 runtime;
    int fit[3];  // on 1, 2, 4 CPUs
  } rows[] = {{10, {9, 19, 38}}, {30, {3, 6, 12}}, {50, {1, 3, 7}}, {95, {1, 2, 4}}, {96, {0, 1, 3}}};
  for (auto& r : rows) {
    for (int i = 0; i < 3; i++) {
      dl::Admission a;
      const u64 bw = dl::to_ratio(100, r.runtime);
      int n = 0;
      for (; n < 100 && !a.refuses(1024ull << i, 0, bw); n++) a.total += bw;
      KUNIT_EXPECT_EQ_MSG(test, n, r.fit[i], "%llu/100 on %d CPUs", r.runtime, 1 << i);
    }
  }
  dl::Admission open{.bw = dl::kNoLimit};
  KUNIT_EXPECT_FALSE(test, open.refuses(1024, 0, 5ull << 20));
}

// spec 32 D-9, D-10
void waking(kunit* test) {
  struct {
    s64 left;
    u64 now;
    bool refresh;
  } rows[] = {{5, 40, false}, {5, 60, true}, {2, 79, false}, {2, 81, true}, {10, 0, false}, {10, 20, true}};
  for (auto& r : rows) {
    sched_dl_entity e = entity(10, 100);
    e.deadline = 100 * kMs;
    e.runtime = r.left * static_cast<s64>(kMs);
    dl::wake(e, r.now * kMs);
    KUNIT_EXPECT_EQ_MSG(test, e.deadline, r.refresh ? (r.now + 100) * kMs : 100 * kMs, "%lld left at %llu", r.left, r.now);
    KUNIT_EXPECT_EQ(test, e.runtime, static_cast<s64>(kMs) * (r.refresh ? 10 : r.left));
  }
  sched_dl_entity late = entity(10, 100);
  late.deadline = 100 * kMs;
  dl::wake(late, 101 * kMs);
  KUNIT_EXPECT_EQ(test, late.deadline, 201 * kMs);
}

// spec 32 D-10, the revised rule for D < P
void waking_constrained(kunit* test) {
  struct {
    u64 laxity;
    s64 want;
  } rows[] = {{30, 5999994}, {10, 1999998}};
  for (auto& r : rows) {
    sched_dl_entity e = entity(10, 50, 100);
    KUNIT_EXPECT_EQ(test, e.dl_density, 209715ull);
    e.deadline = 200 * kMs;
    e.runtime = 10 * kMs;
    dl::wake(e, (200 - r.laxity) * kMs);
    KUNIT_EXPECT_EQ(test, e.runtime, r.want);
    KUNIT_EXPECT_EQ(test, e.deadline, 200 * kMs);
  }
}

// spec 32 D-11
void constrained_behind_its_deadline(kunit* test) {
  sched_dl_entity e = entity(10, 50, 100);
  e.deadline = 50 * kMs;  // the period ends at 100
  KUNIT_EXPECT_FALSE(test, dl::must_wait_for_period(e, 49 * kMs));
  KUNIT_EXPECT_TRUE(test, dl::must_wait_for_period(e, 60 * kMs));
  KUNIT_EXPECT_FALSE(test, dl::must_wait_for_period(e, 101 * kMs));
  sched_dl_entity i = entity(10, 100);
  i.deadline = 50 * kMs;
  KUNIT_EXPECT_FALSE(test, dl::must_wait_for_period(i, 60 * kMs));
}

// spec 32 D-7, D-12
void replenishing(kunit* test) {
  sched_dl_entity e = entity(10, 100);
  e.deadline = 100 * kMs;
  e.runtime = -25 * static_cast<s64>(kMs);
  KUNIT_EXPECT_TRUE(test, dl::replenish(e, 100 * kMs) == dl::Lag::None);
  KUNIT_EXPECT_EQ(test, e.deadline, 400 * kMs);
  KUNIT_EXPECT_EQ(test, e.runtime, static_cast<s64>(5 * kMs));
  e.yielded = e.throttled = 1;
  KUNIT_EXPECT_TRUE(test, dl::replenish(e, 400 * kMs) == dl::Lag::None);
  KUNIT_EXPECT_EQ(test, e.runtime, static_cast<s64>(10 * kMs));  // what was left is forfeit
  KUNIT_EXPECT_EQ(test, e.deadline, 500 * kMs);
  KUNIT_EXPECT_FALSE(test, e.yielded || e.throttled);
  e.runtime = 0;
  KUNIT_EXPECT_TRUE(test, dl::replenish(e, 2000 * kMs) == dl::Lag::TooMuch);
  KUNIT_EXPECT_EQ(test, e.deadline, 2100 * kMs);
}

// spec 32 D-18
void zero_lag_time(kunit* test) {
  sched_dl_entity e = entity(20, 100);
  e.deadline = 100 * kMs;
  e.runtime = 5 * kMs;
  KUNIT_EXPECT_EQ(test, dl::zero_lag(e), 75 * kMs);
  e.runtime = -static_cast<s64>(kMs);
  KUNIT_EXPECT_EQ(test, dl::zero_lag(e), 105 * kMs);
}

// spec 32 D-19
void reclaiming(kunit* test) {
  struct {
    u64 cpus, extra, cost;
  } rows[] = {{1, 891290, 149999}, {2, 943718, 105076}, {4, 969933, 105076}};
  for (auto& r : rows) {
    sched_dl_entity e = entity(10, 100);
    dl::Reclaim bw;
    KUNIT_EXPECT_EQ(test, bw.bw_ratio, 269ull);
    bw.this_bw = bw.running_bw = e.dl_bw;
    bw.extra_bw -= e.dl_bw / r.cpus;
    KUNIT_EXPECT_LE(test, bw.extra_bw > r.extra ? bw.extra_bw - r.extra : r.extra - bw.extra_bw, 1ull);
    KUNIT_EXPECT_EQ_MSG(test, bw.charge(kMs, e), r.cost, "%llu CPUs", r.cpus);
  }
}

// spec 32 D-15
void order(kunit* test) {
  dl_rq q;
  sched_dl_entity e[4] = {};
  const u64 deadlines[] = {300, 100, 200, 100};
  for (int i = 0; i < 4; i++) {
    e[i].deadline = deadlines[i];
    q.insert(&e[i]);
  }
  KUNIT_EXPECT_PTR_EQ(test, q.first(), &e[1]);
  KUNIT_EXPECT_PTR_EQ(test, dl_rq::next(&e[1]), &e[3]);
  q.erase(&e[1]);
  q.erase(&e[3]);
  KUNIT_EXPECT_PTR_EQ(test, q.first(), &e[2]);
  KUNIT_EXPECT_EQ(test, q.nr_running, 2u);
  KUNIT_EXPECT_TRUE(test, dl::before(~0ull, 5));  // clocks wrap
}

kunit_case cases[] = {
    KUNIT_CASE(parameters), KUNIT_CASE(ratios), KUNIT_CASE(admission), KUNIT_CASE(waking), KUNIT_CASE(waking_constrained),
    KUNIT_CASE(constrained_behind_its_deadline), KUNIT_CASE(replenishing), KUNIT_CASE(zero_lag_time), KUNIT_CASE(reclaiming),
    KUNIT_CASE(order), {},
};
kunit_suite suite = {.name = "dl_queue", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
