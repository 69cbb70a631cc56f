// The timer wheel's arithmetic and jiffies conversions (spec 33 section 5): pure.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/jiffies.h>

#include "kernel/time/wheel.hh"

namespace {

struct Row {
  unsigned long delta, fires;
  unsigned level;
};
constexpr Row kRows[] = {  // spec 33 W-26, clock 1000
    {0, 1001, 0},     {1, 1002, 0},     {62, 1063, 0},     {63, 1064, 1},      {64, 1072, 1},      {100, 1104, 1},
    {250, 1256, 1},   {503, 1504, 1},   {504, 1536, 2},    {1000, 2048, 2},    {4031, 5056, 2},    {4032, 5120, 3},
    {10000, 11264, 3}, {32256, 36864, 4}, {100000, 102400, 4}, {1000000, 1015808, 5},
};

void rows_at_clock_1000(kunit* test) {
  for (const Row& r : kRows) {
    WheelSlot s = wheel_slot(1000 + r.delta, 1000);
    KUNIT_EXPECT_EQ_MSG(test, s.fires, r.fires, "delta %lu", r.delta);
    KUNIT_EXPECT_EQ_MSG(test, s.index / kWheelLevelSize, r.level, "delta %lu", r.delta);
  }
}
void level_limits(kunit* test) {  // spec 33 section 5.2, the table of levels
  constexpr unsigned long kBelow[] = {63, 504, 4032, 32256, 258048, 2064384, 16515072, 132120576};
  for (unsigned level = 0; level < 8; level++) {
    KUNIT_EXPECT_EQ(test, wheel_slot(kBelow[level] - 1, 0).index / kWheelLevelSize, level);
    KUNIT_EXPECT_EQ(test, wheel_slot(kBelow[level], 0).index / kWheelLevelSize, level + 1);
  }
}
void long_deltas_are_cut(kunit* test) {
  KUNIT_EXPECT_EQ(test, wheel_slot(1056964608ul + 5, 5), wheel_slot_at(1040187392ul + 5, 8));
  KUNIT_EXPECT_EQ(test, wheel_slot(1ul << 40, 77), wheel_slot_at(1040187392ul + 77, 8));
}
void expired_go_to_the_current_bucket(kunit* test) {  // spec 33 W-26
  WheelSlot s = wheel_slot(900, 1000);
  KUNIT_EXPECT_EQ(test, s.index, 1000u % 64);
  KUNIT_EXPECT_EQ(test, s.fires, 1000ul);
}
// spec 33 W-26: never before expires, and at most one granularity of the level late; across the 32-bit wrap too.
void never_early(kunit* test) {
  u64 seed = 1;
  const unsigned long clocks[] = {0, 1000, INITIAL_JIFFIES, 0xfffffff0ul, ~0ul - 3};
  for (int i = 0; i < 20000; i++) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    const unsigned long clock = clocks[i % 5] + (seed >> 50), delta = (seed >> 20) % 1000000;
    WheelSlot s = wheel_slot(clock + delta, clock);
    const unsigned level = s.index / kWheelLevelSize;
    const long late = static_cast<long>(s.fires - (clock + delta));
    KUNIT_ASSERT_GE(test, late, 1);
    KUNIT_ASSERT_LE(test, late, 1l << (3 * level));
  }
}

// spec 33 W-61, in small and without a kernel around it: each timer fires once, at its bucket's time.
struct Pending {
  WheelSlot slot;
  bool fired;
};
constinit Pending storm[4000];
void storm_fires_each_once(kunit* test) {
  u64 pending[kWheelLevels] = {};
  u64 seed = 42;
  unsigned long clock = INITIAL_JIFFIES;
  for (Pending& p : storm) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    p = {wheel_slot(clock + (seed >> 33) % 1000000, clock), false};
    pending[p.slot.index / 64] |= 1ull << p.slot.index % 64;
  }
  int fired = 0;
  unsigned long next;
  while (wheel_next(pending, clock, &next)) {
    KUNIT_ASSERT_GE(test, static_cast<long>(next - clock), 0);
    clock = next;
    unsigned long at = clock;
    for (unsigned level = 0; level < kWheelLevels; level++, at >>= 3) {
      const unsigned index = level * 64 + at % 64;
      if (pending[level] >> at % 64 & 1) {
        pending[level] &= ~(1ull << at % 64);
        for (Pending& p : storm) {
          if (p.slot.index != index) continue;
          KUNIT_ASSERT_FALSE(test, p.fired);
          KUNIT_ASSERT_EQ(test, p.slot.fires, clock);
          p.fired = true;
          p.slot.index = ~0u;
          fired++;
        }
      }
      if (at & 7) break;
    }
    clock++;
  }
  KUNIT_EXPECT_EQ(test, fired, 4000);
}

struct Conversion {
  unsigned ms, hz100, hz250, hz1000;
};
constexpr Conversion kConversions[] = {  // spec 33 W-25
    {0, 0, 0, 0}, {1, 1, 1, 1}, {3, 1, 1, 3}, {4, 1, 1, 4}, {5, 1, 2, 5}, {9, 1, 3, 9}, {10, 1, 3, 10},
    {11, 2, 3, 11}, {20, 2, 5, 20}, {999, 100, 250, 999}, {2500, 250, 625, 2500},
};
void msecs(kunit* test) {
  for (const Conversion& c : kConversions) {
    KUNIT_EXPECT_EQ(test, cf_msecs_to_jiffies(c.ms, 100), (unsigned long)c.hz100);
    KUNIT_EXPECT_EQ(test, cf_msecs_to_jiffies(c.ms, 250), (unsigned long)c.hz250);
    KUNIT_EXPECT_EQ(test, cf_msecs_to_jiffies(c.ms, 1000), (unsigned long)c.hz1000);
    KUNIT_EXPECT_EQ(test, msecs_to_jiffies(c.ms), (unsigned long)c.hz250);
  }
  KUNIT_EXPECT_EQ(test, msecs_to_jiffies(-1u), (unsigned long)MAX_JIFFY_OFFSET);
}
void comparisons(kunit* test) {  // spec 33 W-24
  KUNIT_EXPECT_TRUE(test, time_after(1ul, 0ul));
  KUNIT_EXPECT_TRUE(test, time_after(0ul, ~0ul));  // across the wrap
  KUNIT_EXPECT_FALSE(test, time_after(5ul, 5ul));
  KUNIT_EXPECT_TRUE(test, time_after_eq(5ul, 5ul));
  KUNIT_EXPECT_TRUE(test, time_before(~0ul, 3ul));
  KUNIT_EXPECT_TRUE(test, time_in_range(2ul, ~0ul, 3ul));
  KUNIT_EXPECT_EQ(test, INITIAL_JIFFIES, (unsigned long)(u32)(-300 * 250));
}

kunit_case cases[] = {
    KUNIT_CASE(rows_at_clock_1000), KUNIT_CASE(level_limits), KUNIT_CASE(long_deltas_are_cut),
    KUNIT_CASE(expired_go_to_the_current_bucket), KUNIT_CASE(never_early), KUNIT_CASE(storm_fires_each_once),
    KUNIT_CASE(msecs), KUNIT_CASE(comparisons), {},
};
kunit_suite suite = {.name = "wheel", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
