// Where there is a place for a real-time task: the structure, and the choice among the CPUs it names. Spec 32 sections 5.1, 5.2.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include <initializer_list>

#include "kernel/sched/cpupri.hh"

// spec 32 R-17: the levels of the priorities
static void levels(kunit* test) {
  KUNIT_EXPECT_EQ(test, cpupri::level_of(98), 1);   // FIFO 1
  KUNIT_EXPECT_EQ(test, cpupri::level_of(49), 50);  // FIFO 50
  KUNIT_EXPECT_EQ(test, cpupri::level_of(0), 99);   // FIFO 99
  for (const int prio : {99, 100, 120, 139}) KUNIT_EXPECT_EQ(test, cpupri::level_of(prio), 0);
  KUNIT_EXPECT_EQ(test, cpupri::level_of(-1), 100);  // deadline
  KUNIT_EXPECT_EQ(test, cpupri::kLevels, 101);
}

// spec 32 R-17: a CPU is at one level, or at none while it is offline; the counts go with the masks
static void a_cpu_has_one_level(kunit* test) {
  cpupri c;
  KUNIT_EXPECT_EQ(test, c.find(0, ~0ul), 0ul);  // all offline
  for (const int level : {0, 50, 100, 1, 0}) {
    c.set(3, level);
    int at = 0;
    for (int l = 0; l < cpupri::kLevels; l++) {
      KUNIT_EXPECT_EQ(test, c.counts[l], static_cast<unsigned>(__builtin_popcountl(c.masks[l])));
      at += c.masks[l] >> 3 & 1;
    }
    KUNIT_EXPECT_EQ(test, at, 1);
    KUNIT_EXPECT_EQ(test, c.masks[level], 8ul);
  }
  c.set(3, cpupri::kInvalid);
  KUNIT_EXPECT_EQ(test, c.find(0, ~0ul), 0ul);
  KUNIT_EXPECT_EQ(test, c.masks[0], 0ul);
}

// spec 32 R-18: the lowest level that has an allowed CPU, and never one as urgent as the task
static void find_takes_the_lowest_that_is_allowed(kunit* test) {
  cpupri c;
  c.set(0, cpupri::level_of(49));   // FIFO 50
  c.set(1, cpupri::level_of(89));   // FIFO 10
  c.set(2, cpupri::level_of(89));
  c.set(3, cpupri::level_of(-1));
  KUNIT_EXPECT_EQ(test, c.find(69, 0xful), 6ul);   // FIFO 30: both that run FIFO 10
  KUNIT_EXPECT_EQ(test, c.find(69, 0x4ul), 4ul);
  KUNIT_EXPECT_EQ(test, c.find(69, 0x9ul), 0ul);   // FIFO 50 and deadline are more urgent
  KUNIT_EXPECT_EQ(test, c.find(89, 0xful), 0ul);   // equal is not lower
  KUNIT_EXPECT_EQ(test, c.find(88, 0xful), 6ul);
  KUNIT_EXPECT_EQ(test, c.find(0, 0x9ul), 1ul);
  c.set(2, 0);
  KUNIT_EXPECT_EQ(test, c.find(69, 0xful), 4ul);   // idle comes first
  KUNIT_EXPECT_EQ(test, c.find(69, 0x3ul), 2ul);   // the next level, if nobody of the first is allowed
  KUNIT_EXPECT_EQ(test, c.find(-1, 0x1ul), 1ul);
}

static kunit_case cases[] = {KUNIT_CASE(levels), KUNIT_CASE(a_cpu_has_one_level), KUNIT_CASE(find_takes_the_lowest_that_is_allowed), {}};
static kunit_suite suite = {.name = "cpupri", .test_cases = cases};
kunit_test_suite(suite);
