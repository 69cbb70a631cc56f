// Weights and their arithmetic: spec 31 section 1, literally.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "kernel/sched/weights.hh"

static u64 virtual_time(u64 d, int nice) {
  sched_entity se = {};
  se.load = weight_of_nice(nice);
  return calc_delta_fair(d, se);
}

// spec 31 F-1
static void inverse_table_has_no_single_rounding_rule(kunit* test) {
  for (int nice = MIN_NICE; nice <= MAX_NICE; nice++) {
    u64 w = kPrioToWeight[nice + 20], truncated = (1ull << 32) / w, rounded = ((1ull << 32) + w / 2) / w;
    bool is_truncated = nice == 13 || nice == 14 || nice == 16 || nice == 17;
    KUNIT_EXPECT_EQ_MSG(test, u64{kPrioToInverse[nice + 20]}, is_truncated ? truncated : rounded, "nice %d", nice);
  }
}

// spec 31 F-2
static void idle_policy_weighs_three(kunit* test) {
  KUNIT_EXPECT_EQ(test, weight_of_idle().weight, 3ul << 10);
  KUNIT_EXPECT_EQ(test, weight_of_idle().inv_weight, 1431655765u);
}

// spec 31 F-3
static void scaling_down_keeps_two(kunit* test) {
  KUNIT_EXPECT_EQ(test, scale_load_down(0), 0ul);
  KUNIT_EXPECT_EQ(test, scale_load_down(1), 2ul);
  KUNIT_EXPECT_EQ(test, scale_load_down(3071), 2ul);
  KUNIT_EXPECT_EQ(test, scale_load_down(3072), 3ul);
  KUNIT_EXPECT_EQ(test, scale_load_down(1048576), 1024ul);
}

// spec 31 F-4
static void dividing_differs_from_the_table(kunit* test) {
  load_weight total = {1024 << 10, 0};
  KUNIT_EXPECT_EQ(test, load_inverse(total), 4194303u);
  KUNIT_EXPECT_EQ(test, weight_of_nice(0).inv_weight, 4194304u);
  load_weight zero = {0, 0}, huge = {~0ul, 0};
  KUNIT_EXPECT_EQ(test, load_inverse(zero), 0xffffffffu);
  KUNIT_EXPECT_EQ(test, load_inverse(huge), 1u);
}

// spec 31 F-5
static void delta_by_a_total(kunit* test) {
  load_weight one = {1024 << 10, 0}, two = {2048 << 10, 0}, odd = {1039 << 10, 0};
  KUNIT_EXPECT_EQ(test, calc_delta(6'000'000, 1024 << 10, one), 5999998ull);
  KUNIT_EXPECT_EQ(test, calc_delta(6'000'000, 1024 << 10, two), 2999998ull);
  KUNIT_EXPECT_EQ(test, calc_delta(123456789, 1024 << 10, odd), 121674448ull);
}

// spec 31 F-6
struct VirtualRow {
  int nice;
  u64 ms1, ms4, ms10, ns1;
};
static void virtual_time_table(kunit* test) {
  static const VirtualRow rows[] = {
      {-20, 11536, 46146, 115365, 0},           {-10, 107247, 428990, 1072475, 0},
      {-5, 328099, 1312399, 3280999, 0},        {-1, 801879, 3207517, 8018794, 0},
      {0, 1000000, 4000000, 10000000, 1},       {1, 1248780, 4995121, 12487804, 1},
      {5, 3056716, 12226865, 30567164, 3},      {10, 9309090, 37236363, 93090908, 9},
      {19, 68266666, 273066666, 682666666, 68},
  };
  for (const VirtualRow& r : rows) {
    KUNIT_EXPECT_EQ_MSG(test, virtual_time(1'000'000, r.nice), r.ms1, "nice %d", r.nice);
    KUNIT_EXPECT_EQ_MSG(test, virtual_time(4'000'000, r.nice), r.ms4, "nice %d", r.nice);
    KUNIT_EXPECT_EQ_MSG(test, virtual_time(10'000'000, r.nice), r.ms10, "nice %d", r.nice);
    KUNIT_EXPECT_EQ_MSG(test, virtual_time(1, r.nice), r.ns1, "nice %d", r.nice);
  }
}

// spec 31 F-6
static void virtual_time_of_others(kunit* test) {
  sched_entity idle = {}, group = {};
  idle.load = weight_of_idle();
  KUNIT_EXPECT_EQ(test, calc_delta_fair(1'000'000, idle), 341333333ull);
  KUNIT_EXPECT_EQ(test, calc_delta_fair(4'000'000, idle), 1365333333ull);
  KUNIT_EXPECT_EQ(test, calc_delta_fair(10'000'000, idle), 3413333332ull);
  KUNIT_EXPECT_EQ(test, virtual_time(1ull << 40, 19), 75059993772032ull);
  group.load = {512 << 10, 0};
  KUNIT_EXPECT_EQ(test, calc_delta_fair(1'000'000, group), 1999999ull);
}

static kunit_case cases[] = {
    KUNIT_CASE(inverse_table_has_no_single_rounding_rule),
    KUNIT_CASE(idle_policy_weighs_three),
    KUNIT_CASE(scaling_down_keeps_two),
    KUNIT_CASE(dividing_differs_from_the_table),
    KUNIT_CASE(delta_by_a_total),
    KUNIT_CASE(virtual_time_table),
    KUNIT_CASE(virtual_time_of_others),
    {},
};
static kunit_suite suite = {.name = "sched_weights", .test_cases = cases};
kunit_test_suite(suite);
