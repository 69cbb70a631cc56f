// Load tracking: the worked numbers of spec 31 section 7.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include <utility>

#include "kernel/sched/pelt.hh"

namespace {

constexpr u64 kPeriodNs = 1024 * 1024;
constexpr unsigned long kNice0 = kNice0Load;

struct Task {
  sched_avg avg = {};
  u64 now = 0;
  void run(u64 periods) { step(periods, true); }
  void sleep(u64 periods) { step(periods, false); }
  void step(u64 periods, bool on) { pelt::update_entity(avg, now += periods * kPeriodNs, kNice0, on, on, on); }
};

// spec 31 F-33
void inverses(kunit* test) {
  KUNIT_EXPECT_EQ(test, pelt::kInverse[0], 0xffffffffu);
  KUNIT_EXPECT_EQ(test, pelt::kInverse[1], 0xfa83b2dau);
  KUNIT_EXPECT_EQ(test, pelt::kInverse[2], 0xf5257d14u);
  KUNIT_EXPECT_EQ(test, pelt::kInverse[8], 0xd744fcc9u);
  KUNIT_EXPECT_EQ(test, pelt::kInverse[16], 0xb504f333u);
  KUNIT_EXPECT_EQ(test, pelt::kInverse[31], 0x82cd8698u);
}

// spec 31 F-34
void the_maximum_is_a_fixed_point(kunit* test) {
  u64 m = 1024, before = 0;
  while (m != before) before = std::exchange(m, (m * pelt::kInverse[1] >> 32) + 1024);
  KUNIT_EXPECT_EQ(test, m, pelt::kMax);
}

// spec 31 F-35
void decaying(kunit* test) {
  struct {
    u64 v, n, want;
  } rows[] = {{1024, 1, 1002},   {1024, 2, 980},    {1024, 16, 724},   {1024, 32, 511},  {1024, 64, 255}, {47742, 1, 46718},
              {47742, 2, 45717}, {47742, 32, 23870}, {47742, 64, 11934}, {47742, 345, 26}, {1 << 30, 2017, 0}};
  for (auto& r : rows) KUNIT_EXPECT_EQ_MSG(test, pelt::decay(r.v, r.n), r.want, "%llu after %llu", r.v, r.n);
}

// spec 31 F-36, F-37
void one_update_by_hand(kunit* test) {
  sched_avg a = {.load_sum = 20000, .util_sum = 10000 << 10, .period_contrib = 300};
  a.runnable_sum = 20000ull << 10;
  KUNIT_EXPECT_TRUE(test, pelt::update_entity(a, 2500 << 10, kNice0, true, 1, true));
  KUNIT_EXPECT_EQ(test, a.period_contrib, 752u);
  KUNIT_EXPECT_EQ(test, a.load_sum, 21598ull);
  KUNIT_EXPECT_EQ(test, a.runnable_sum, 22116419ull);
  KUNIT_EXPECT_EQ(test, a.util_sum, 12310561u);
  KUNIT_EXPECT_EQ(test, a.load_avg, 465ul);
  KUNIT_EXPECT_EQ(test, a.runnable_avg, 465ul);
  KUNIT_EXPECT_EQ(test, a.util_avg, 259ul);
}

// spec 31 F-36: time that goes back, and time too short to count.
void odd_times(kunit* test) {
  sched_avg a = {.last_update_time = 10 << 20, .load_sum = 5, .period_contrib = 7};
  KUNIT_EXPECT_FALSE(test, pelt::update_entity(a, 9 << 20, kNice0, true, 1, true));
  KUNIT_EXPECT_EQ(test, a.last_update_time, 9ull << 20);
  KUNIT_EXPECT_EQ(test, a.load_sum, 5ull);
  KUNIT_EXPECT_FALSE(test, pelt::update_entity(a, (9 << 20) + 1023, kNice0, true, 1, true));
  KUNIT_EXPECT_EQ(test, a.last_update_time, 9ull << 20);  // the remainder is not lost
  KUNIT_EXPECT_FALSE(test, pelt::update_entity(a, (9 << 20) + 1024 + 1023, kNice0, true, 1, true));
  KUNIT_EXPECT_EQ(test, a.last_update_time, (9ull << 20) + 1024);
  KUNIT_EXPECT_EQ(test, a.period_contrib, 8u);
  KUNIT_EXPECT_EQ(test, a.load_avg, 0ul);  // no period has ended
  sched_avg idle = {};
  pelt::update_queue(idle, 5 << 20, 0, 3, true);  // no weight: neither runnable nor running
  KUNIT_EXPECT_EQ(test, idle.util_sum, 0u);
  KUNIT_EXPECT_EQ(test, idle.runnable_sum, 0ull);
}

// spec 31 section 7.3
void running_from_nothing(kunit* test) {
  struct {
    u64 n, load_sum, util, stepwise;
  } rows[] = {{1, 1002, 21, 21},      {2, 1981, 43, 43},      {8, 7433, 162, 163},    {16, 13684, 299, 300},  {32, 23359, 512, 512},
              {64, 35039, 768, 768},  {96, 40879, 896, 896},  {128, 43799, 960, 960}, {200, 46105, 1010, 1011}, {345, 46692, 1023, 1024}};
  for (auto& r : rows) {
    Task once, steps;
    once.run(r.n);
    for (u64 i = 0; i < r.n; i++) steps.run(1);
    KUNIT_EXPECT_EQ_MSG(test, once.avg.load_sum, r.load_sum, "%llu periods", r.n);
    KUNIT_EXPECT_EQ_MSG(test, once.avg.util_avg, r.util, "%llu periods", r.n);
    KUNIT_EXPECT_EQ_MSG(test, steps.avg.util_avg, r.stepwise, "%llu periods", r.n);
  }
}

// spec 31 section 7.3
void sleeping_from_full(kunit* test) {
  struct {
    u64 n, load, util;
  } rows[] = {{1, 1002, 1002}, {2, 980, 980},  {4, 938, 939}, {8, 861, 861},  {16, 724, 724},
              {32, 511, 511},  {64, 255, 255}, {128, 63, 63}, {256, 3, 3}, {320, 0, 0}};
  for (auto& r : rows) {
    Task t{.avg = {.load_sum = 46718, .util_sum = 46718 << 10}};
    t.sleep(r.n);
    KUNIT_EXPECT_EQ_MSG(test, t.avg.load_avg, r.load, "%llu periods", r.n);
    KUNIT_EXPECT_EQ_MSG(test, t.avg.util_avg, r.util, "%llu periods", r.n);
  }
}

// spec 31 F-38
void cycles(kunit* test) {
  struct {
    int cycle;
    unsigned long after_run, after_sleep;
  } rows[] = {{1, 163, 137}, {2, 278, 234}, {3, 359, 302}, {4, 417, 351}, {8, 521, 438}, {16, 554, 466}, {64, 556, 468}};
  Task t;
  int row = 0;
  for (int cycle = 1; cycle <= 64; cycle++) {
    for (int i = 0; i < 8; i++) t.run(1);
    const unsigned long run = t.avg.util_avg;
    for (int i = 0; i < 8; i++) t.sleep(1);
    if (cycle != rows[row].cycle) continue;
    KUNIT_EXPECT_EQ_MSG(test, run, rows[row].after_run, "cycle %d", cycle);
    KUNIT_EXPECT_EQ_MSG(test, t.avg.util_avg, rows[row].after_sleep, "cycle %d", cycle);
    row++;
  }
  Task light;
  unsigned long run = 0;
  for (int cycle = 0; cycle < 64; cycle++) {
    for (int i = 0; i < 2; i++) light.run(1);
    run = light.avg.util_avg;
    for (int i = 0; i < 8; i++) light.sleep(1);
  }
  KUNIT_EXPECT_EQ(test, run, 223ul);
  KUNIT_EXPECT_EQ(test, light.avg.util_avg, 187ul);
}

// spec 31 F-39
void a_queue_of_two(kunit* test) {
  struct {
    int n;
    unsigned long load, runnable, util;
  } rows[] = {{1, 43, 43, 21}, {2, 86, 86, 43}, {8, 326, 326, 163}, {32, 1024, 1024, 512}, {64, 1537, 1537, 768}, {2000, 2049, 2049, 1024}};
  sched_avg q = {};
  int row = 0;
  for (int n = 1; n <= 2000; n++) {
    pelt::update_queue(q, n * kPeriodNs, 2 * kNice0, 2, true);
    if (n != rows[row].n) continue;
    KUNIT_EXPECT_EQ_MSG(test, q.load_avg, rows[row].load, "%d periods", n);
    KUNIT_EXPECT_EQ_MSG(test, q.runnable_avg, rows[row].runnable, "%d periods", n);
    KUNIT_EXPECT_EQ_MSG(test, q.util_avg, rows[row].util, "%d periods", n);
    row++;
  }
}

// spec 31 F-40, F-41: what comes and goes again leaves nothing, and a queue never falls below zero.
void attach_and_detach(kunit* test) {
  sched_avg q = {.last_update_time = 77 << 20, .period_contrib = 500}, se = {};
  se.load_avg = 1024, se.util_avg = 300, se.runnable_avg = 400;
  pelt::attach(q, se, kNice0);
  KUNIT_EXPECT_EQ(test, se.last_update_time, q.last_update_time);
  KUNIT_EXPECT_EQ(test, se.period_contrib, 500u);
  KUNIT_EXPECT_EQ(test, se.load_sum, 46718ull + 500);
  KUNIT_EXPECT_EQ(test, u64{se.util_sum}, 300ull * 47218);
  KUNIT_EXPECT_EQ(test, q.load_avg, 1024ul);
  KUNIT_EXPECT_EQ(test, q.load_sum, 1024ull * 47218);
  pelt::detach(q, se, kNice0);
  KUNIT_EXPECT_EQ(test, q.load_avg + q.util_avg + q.runnable_avg, 0ul);
  KUNIT_EXPECT_EQ(test, q.load_sum + q.util_sum + q.runnable_sum, 0ull);
  pelt::detach(q, se, kNice0);
  KUNIT_EXPECT_EQ(test, q.load_avg, 0ul);
  // A heavy entity with next to no load keeps a sum of one.
  sched_avg tiny = {};
  pelt::attach(q, tiny, scale_load(88761));
  KUNIT_EXPECT_EQ(test, tiny.load_sum, 1ull);
}

// spec 31 F-40, F-49: an average brought back at a lower weight has a sum beyond that of an entity that was always there, so after a change
// to a higher weight it exceeds any. That is so on Linux too.
void a_load_from_a_heavier_time(kunit* test) {
  sched_avg q = {}, se = {.load_avg = 88761};
  pelt::attach(q, se, scale_load(15));
  KUNIT_EXPECT_EQ(test, se.load_sum, 88761 * pelt::kMinDivider / 15);
  KUNIT_EXPECT_EQ(test, q.load_avg, 88761ul);
  pelt::average(se, 88761);
  KUNIT_EXPECT_GT(test, se.load_avg, 5000 * 88761ul);
}

// spec 31 F-41: sums are floored at what the averages say.
void sums_do_not_fall_below_their_averages(kunit* test) {
  sched_avg q = {.load_sum = 10, .util_sum = 10, .load_avg = 5, .util_avg = 7};
  pelt::detach(q, sched_avg{}, kNice0);
  KUNIT_EXPECT_EQ(test, q.load_sum, 5 * pelt::kMinDivider);
  KUNIT_EXPECT_EQ(test, u64{q.util_sum}, 7 * pelt::kMinDivider);
}

// spec 31 F-43
void new_tasks(kunit* test) {
  sched_avg empty = {}, half = {.load_avg = 1024, .util_avg = 512}, loaded = {.load_avg = 3000, .util_avg = 300}, full = {.util_avg = 1024};
  KUNIT_EXPECT_EQ(test, pelt::new_task_util(empty, kNice0), 512ul);
  KUNIT_EXPECT_EQ(test, pelt::new_task_util(half, kNice0), 256ul);
  KUNIT_EXPECT_EQ(test, pelt::new_task_util(loaded, kNice0), 362ul);
  KUNIT_EXPECT_EQ(test, pelt::new_task_util(full, kNice0), 0ul);
}

// spec 31 F-44
void estimated_utilisation(kunit* test) {
  const u32 utils[] = {200, 400, 100, 100, 100, 300, 95, 96}, want[] = {200, 400, 325, 268, 226, 300, 248, 210};
  sched_avg a = {};
  for (int i = 0; i < 8; i++) {
    a.util_avg = utils[i];
    pelt::estimate_at_sleep(a);
    KUNIT_EXPECT_EQ_MSG(test, a.util_est.ewma, want[i], "sleep %d", i);
  }
  KUNIT_EXPECT_EQ(test, pelt::estimated_util(a), 210u);
  a.util_est.enqueued |= pelt::kUtilUnchanged;
  a.util_avg = 900;
  pelt::estimate_at_sleep(a);
  KUNIT_EXPECT_EQ(test, a.util_est.ewma, 210u);
}

kunit_case cases[] = {
    KUNIT_CASE(inverses), KUNIT_CASE(the_maximum_is_a_fixed_point), KUNIT_CASE(decaying), KUNIT_CASE(one_update_by_hand),
    KUNIT_CASE(odd_times), KUNIT_CASE(running_from_nothing), KUNIT_CASE(sleeping_from_full), KUNIT_CASE(cycles),
    KUNIT_CASE(a_queue_of_two), KUNIT_CASE(attach_and_detach), KUNIT_CASE(a_load_from_a_heavier_time), KUNIT_CASE(sums_do_not_fall_below_their_averages),
    KUNIT_CASE(new_tasks), KUNIT_CASE(estimated_utilisation), {},
};
kunit_suite suite = {.name = "pelt", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
