// Load averages and the split of CPU time: pure arithmetic.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "kernel/sched/cputime.hh"
#include "kernel/sched/loadavg.hh"

struct Loads {
  unsigned long v[3];
  void run(int samples, unsigned long active) {
    for (; samples; samples--)
      for (int i = 0; i < 3; i++) v[i] = load_sample(v[i], kLoadDecay[i], active);
  }
};
static void expect_loads(kunit* test, const Loads& l, unsigned long a, unsigned long b, unsigned long c) {
  KUNIT_EXPECT_EQ(test, l.v[0], a);
  KUNIT_EXPECT_EQ(test, l.v[1], b);
  KUNIT_EXPECT_EQ(test, l.v[2], c);
}

// spec 30 S-79, S-81
static void one_task_always_active(kunit* test) {
  static const struct {
    int samples;
    unsigned long v[3];
  } rows[] = {{1, {164, 34, 11}},     {2, {315, 68, 22}},       {3, {454, 101, 33}},       {6, {808, 198, 66}},
              {12, {1299, 378, 132}}, {60, {2040, 1317, 590}}, {180, {2048, 1975, 1328}}};
  for (auto& r : rows) {
    Loads l = {};
    l.run(r.samples, 1);
    expect_loads(test, l, r.v[0], r.v[1], r.v[2]);
  }
}

// spec 30 S-81
static void four_tasks_then_idle(kunit* test) {
  Loads l = {};
  l.run(12, 4);
  expect_loads(test, l, 5188, 1495, 518);
  l.run(12, 0);
  expect_loads(test, l, 1901, 1218, 482);
  Loads full = {{2048, 2048, 2048}};
  full.run(12, 0);
  expect_loads(test, full, 749, 1670, 1916);
}

// Precise total, split by ticks.
static void cputime_follows_the_ticks(kunit* test) {
  u64 u, s;
  adjust_cputime(0, 0, 100, &u, &s);
  KUNIT_EXPECT_EQ(test, u, 100ull);
  KUNIT_EXPECT_EQ(test, s, 0ull);
  adjust_cputime(0, 4, 100, &u, &s);
  KUNIT_EXPECT_EQ(test, s, 100ull);
  adjust_cputime(12'000'000, 4'000'000, 20'000'000, &u, &s);
  KUNIT_EXPECT_EQ(test, u, 15'000'000ull);
  KUNIT_EXPECT_EQ(test, s, 5'000'000ull);
}

// Whatever the ticks say later, no reader sees one of the two go down, and they add up to the run time.
static void told_cputime_never_steps_back(kunit* test) {
  static const struct {
    u64 user, kernel, total;
  } rows[] = {{0, 0, 3'000'000},          {0, 4'000'000, 8'000'000},   {4'000'000, 4'000'000, 8'100'000}, {40'000'000, 4'000'000, 44'000'000},
              {40'000'000, 4'000'000, 43'000'000}, {40'000'000, 90'000'000, 130'000'000}};
  PrevCputime prev{};
  for (auto& r : rows) {
    const PrevCputime before = prev;
    adjust_cputime(r.user, r.kernel, r.total, &prev);
    KUNIT_EXPECT_GE(test, prev.utime, before.utime);
    KUNIT_EXPECT_GE(test, prev.stime, before.stime);
    const u64 told = before.utime + before.stime;
    KUNIT_EXPECT_EQ(test, prev.utime + prev.stime, r.total > told ? r.total : told);
  }
}

static void cputime_of_years_does_not_overflow(kunit* test) {
  u64 u, s, year = 365ull * 86400 * 1'000'000'000;
  adjust_cputime(300 * year, 100 * year, 400 * year, &u, &s);
  KUNIT_EXPECT_EQ(test, u + s, 400 * year);
  KUNIT_EXPECT_LT(test, s / year, 101ull);
  KUNIT_EXPECT_GE(test, s / year, 99ull);
}

static kunit_case cases[] = {
    KUNIT_CASE(one_task_always_active),
    KUNIT_CASE(four_tasks_then_idle),
    KUNIT_CASE(cputime_follows_the_ticks), KUNIT_CASE(told_cputime_never_steps_back),
    KUNIT_CASE(cputime_of_years_does_not_overflow),
    {},
};
static kunit_suite suite = {.name = "sched_accounting", .test_cases = cases};
kunit_test_suite(suite);
