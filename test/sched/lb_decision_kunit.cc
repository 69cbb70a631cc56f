// The judgements of load balancing, row by row. Spec 31 sections 10.1, 10.3 to 10.6 and 10.11.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "kernel/sched/lb_decision.hh"

namespace {

using lb::Asker;
using lb::Decision;
using lb::GroupStats;
using lb::GroupType;
using lb::Migrate;

GroupStats group(unsigned weight, unsigned nr, unsigned idle, unsigned long load = 0) {
  GroupStats g = {};
  g.weight = weight;
  g.capacity = weight * kCpuCapacity;
  g.nr_running = g.nr_fair = nr;
  g.idle_cpus = idle;
  g.load = load;
  g.util = (weight - idle) * 1024;
  g.runnable = nr * 1024;
  return g;
}
GroupStats classified(GroupStats g, unsigned pct = 117) {
  g.type = lb::classify(g, pct);
  if (g.type == GroupType::Overloaded) g.avg_load = lb::avg_load(g.load, g.capacity);
  return g;
}
Asker idle_asker(const GroupStats& a, const GroupStats& b) {
  return {.idle = IdleType::Idle, .pct = 117, .prefer_sibling = false, .shares_cache = true, .asym_capacity = false,
          .numa = false, .imb_numa_nr = 1, .total_load = a.load + b.load, .total_capacity = a.capacity + b.capacity};
}
void expect(kunit* test, Decision d, Migrate what, long amount) {
  KUNIT_EXPECT_EQ(test, static_cast<int>(d.what), static_cast<int>(what));
  KUNIT_EXPECT_EQ(test, d.amount, amount);
}
void expect_type(kunit* test, const GroupStats& g, GroupType type) {
  KUNIT_EXPECT_EQ(test, static_cast<int>(lb::classify(g, 117)), static_cast<int>(type));
}

}  // namespace

// spec 31 F-66
static void classification(kunit* test) {
  GroupStats g = group(4, 0, 4);
  expect_type(test, g, GroupType::HasSpare);
  g = group(4, 4, 0);  // as many as CPUs, and all of them used up
  expect_type(test, g, GroupType::FullyBusy);
  g.util = 3000;
  expect_type(test, g, GroupType::HasSpare);
  g.runnable = 4793;  // 4096 * 117 / 100 = 4792.3
  expect_type(test, g, GroupType::FullyBusy);
  g = group(4, 5, 0);
  expect_type(test, g, GroupType::Overloaded);
  g.util = 3500, g.runnable = 4792;  // 3500 * 117 < 4096 * 100: five short ones
  expect_type(test, g, GroupType::HasSpare);
  g.util = 3501;
  expect_type(test, g, GroupType::Overloaded);
  g = group(4, 2, 2);
  g.misfit_load = 5;
  expect_type(test, g, GroupType::Misfit);
  g.asym_packing = true;
  expect_type(test, g, GroupType::AsymPacking);
  g.imbalanced = true;
  expect_type(test, g, GroupType::Imbalanced);
  g = group(4, 9, 0);
  g.imbalanced = g.asym_packing = true;
  expect_type(test, g, GroupType::Overloaded);
}

// spec 31 section 10.4
static void the_busiest_group(kunit* test) {
  GroupStats none = group(2, 0, 2), spare = classified(group(2, 1, 1)), more = classified(group(2, 2, 1));
  KUNIT_EXPECT_FALSE(test, lb::busier(none, nullptr));
  KUNIT_EXPECT_TRUE(test, lb::busier(spare, nullptr));
  KUNIT_EXPECT_FALSE(test, lb::busier(spare, &spare));
  more.type = GroupType::HasSpare;
  KUNIT_EXPECT_TRUE(test, lb::busier(more, &spare));  // as many idle, more tasks
  GroupStats fewer_idle = spare;
  fewer_idle.idle_cpus = 0;
  KUNIT_EXPECT_TRUE(test, lb::busier(fewer_idle, &more));
  GroupStats over = classified(group(2, 4, 0, 4096)), worse = classified(group(2, 4, 0, 4097 * 2));
  KUNIT_EXPECT_TRUE(test, lb::busier(over, &more));
  KUNIT_EXPECT_TRUE(test, lb::busier(worse, &over));
  KUNIT_EXPECT_FALSE(test, lb::busier(over, &worse));
  GroupStats busy = classified(group(2, 2, 0));
  KUNIT_EXPECT_FALSE(test, lb::busier(busy, &busy));  // avg_load 0: the first is kept
  GroupStats imb = over;
  imb.type = GroupType::Imbalanced;
  KUNIT_EXPECT_FALSE(test, lb::busier(imb, &imb));
  KUNIT_EXPECT_TRUE(test, lb::busier(over, &imb));
  GroupStats misfit = spare, larger = spare;
  misfit.type = larger.type = GroupType::Misfit;
  misfit.misfit_load = 3, larger.misfit_load = 4;
  KUNIT_EXPECT_TRUE(test, lb::busier(larger, &misfit));
}

// spec 31 F-67
static void two_overloaded_groups_share_their_load(kunit* test) {
  GroupStats busiest = classified(group(4, 12, 0, 12288)), local = classified(group(4, 6, 0, 6144));
  KUNIT_EXPECT_EQ(test, busiest.avg_load, 3072ul);
  KUNIT_EXPECT_EQ(test, local.avg_load, 1536ul);
  Asker by = idle_asker(busiest, local);
  by.idle = IdleType::NotIdle;
  KUNIT_EXPECT_EQ(test, by.domain_avg(), 2304ul);
  expect(test, lb::decide(local, &busiest, by), Migrate::Load, 3072);
}

// spec 31 F-68
static void one_cpu_groups_share_tasks(kunit* test) {
  GroupStats none = classified(group(1, 0, 1)), one = classified(group(1, 1, 0)), two = classified(group(1, 2, 0)),
             three = classified(group(1, 3, 0));
  expect(test, lb::decide(none, &three, idle_asker(none, three)), Migrate::Task, 1);
  expect(test, lb::decide(none, &two, idle_asker(none, two)), Migrate::Task, 1);
  KUNIT_EXPECT_EQ(test, lb::decide(none, &one, idle_asker(none, one)).amount, 0l);
  Asker spread = idle_asker(none, two);
  spread.prefer_sibling = true;
  spread.idle = IdleType::NotIdle;
  expect(test, lb::decide(none, &two, spread), Migrate::Task, 1);
  KUNIT_EXPECT_EQ(test, lb::decide(none, &one, spread).amount, 0l);
}

// spec 31 section 10.5, the table
static void decision_row_by_row(kunit* test) {
  GroupStats spare = classified(group(4, 1, 3)), busy = classified(group(4, 4, 0)), over = classified(group(4, 8, 0, 8192));
  // 1
  KUNIT_EXPECT_EQ(test, lb::decide(spare, nullptr, idle_asker(spare, busy)).amount, 0l);
  // 2: forced, whatever the local group is
  GroupStats imb = busy;
  imb.type = GroupType::Imbalanced;
  expect(test, lb::decide(over, &imb, idle_asker(over, imb)), Migrate::Task, 1);
  GroupStats misfit = busy;
  misfit.type = GroupType::Misfit;
  misfit.misfit_load = 700;
  expect(test, lb::decide(over, &misfit, idle_asker(over, misfit)), Migrate::Load, 700);
  Asker asym = idle_asker(over, misfit);
  asym.asym_capacity = true;
  expect(test, lb::decide(spare, &misfit, asym), Migrate::Misfit, 1);
  GroupStats packed = busy;
  packed.type = GroupType::AsymPacking;
  expect(test, lb::decide(spare, &packed, idle_asker(spare, packed)), Migrate::Task, 4);
  // 3
  KUNIT_EXPECT_EQ(test, lb::decide(over, &busy, idle_asker(over, busy)).amount, 0l);
  // 4: not busier than here; not above the domain; within 17 %
  KUNIT_EXPECT_EQ(test, lb::decide(over, &over, idle_asker(over, over)).amount, 0l);
  GroupStats slightly = over, much = over;
  slightly.avg_load = 2396, slightly.load = 9584;  // 239600 <= 117 * 2048 = 239616
  KUNIT_EXPECT_EQ(test, lb::decide(over, &slightly, idle_asker(over, slightly)).amount, 0l);
  much.avg_load = 2400, much.load = 9600;
  KUNIT_EXPECT_GT(test, lb::decide(over, &much, idle_asker(over, much)).amount, 0l);
  Asker others = idle_asker(over, much);  // a third group, nearly idle, makes the domain's average lower than ours
  others.total_capacity *= 4;
  KUNIT_EXPECT_EQ(test, lb::decide(over, &much, others).amount, 0l);
  // 5: spread over siblings, even for a CPU that is busy
  Asker spread = idle_asker(spare, busy);
  spread.prefer_sibling = true;
  spread.idle = IdleType::NotIdle;
  expect(test, lb::decide(spare, &busy, spread), Migrate::Task, 1);  // (4 - 1) >> 1
  // 6
  Asker plain = idle_asker(spare, busy);
  plain.idle = IdleType::NotIdle;
  KUNIT_EXPECT_EQ(test, lb::decide(spare, &busy, plain).amount, 0l);
  plain.idle = IdleType::Idle;
  expect(test, lb::decide(spare, &busy, plain), Migrate::Task, 1);  // idle 3 - 0, halved
  GroupStats one_idle = classified(group(4, 3, 1));
  KUNIT_EXPECT_EQ(test, lb::decide(one_idle, &busy, plain).amount, 0l);  // 1 <= 0 + 1
}

// spec 31 section 10.6
static void imbalance_row_by_row(kunit* test) {
  GroupStats spare = classified(group(4, 1, 3)), busy = classified(group(4, 4, 0)), over = classified(group(4, 8, 0, 8192));
  // local has spare, no shared cache, busiest overloaded: by utilisation
  Asker far = idle_asker(spare, over);
  far.shares_cache = false;
  expect(test, lb::imbalance(spare, over, far), Migrate::Util, 4096 - 1024);
  GroupStats full = spare;
  full.util = 5000;
  expect(test, lb::imbalance(full, over, far), Migrate::Task, 1);
  far.idle = IdleType::NotIdle;
  expect(test, lb::imbalance(full, over, far), Migrate::Util, 0);
  // shared cache: by idle CPUs, or by tasks if siblings are preferred
  Asker near = idle_asker(spare, over);
  expect(test, lb::imbalance(spare, over, near), Migrate::Task, 1);  // (3 - 0) >> 1
  near.prefer_sibling = true;
  expect(test, lb::imbalance(spare, over, near), Migrate::Task, 3);  // (8 - 1) >> 1
  near.numa = true;
  near.imb_numa_nr = 3;
  GroupStats nearly = classified(group(4, 3, 1));
  expect(test, lb::imbalance(spare, nearly, near), Migrate::Task, 0);  // 2 <= 2 and 1 + 1 <= 3
  // local fully busy: its average counts
  busy.load = 4096;
  expect(test, lb::imbalance(busy, over, idle_asker(busy, over)), Migrate::Load, 2048);  // (2048 - 1536) * 4096 / 1024
  busy.load = 8192;
  KUNIT_EXPECT_EQ(test, lb::imbalance(busy, over, idle_asker(busy, over)).amount, 0l);
}

// spec 31 section 10.1
static void capacity(kunit* test) {
  KUNIT_EXPECT_EQ(test, lb::capacity_left(200, 100, 50), 688ul);
  KUNIT_EXPECT_EQ(test, lb::capacity_left(0, 0, 0), 1024ul);
  KUNIT_EXPECT_EQ(test, lb::capacity_left(1000, 100, 0), 1ul);
  KUNIT_EXPECT_EQ(test, lb::capacity_left(0, 0, 1024), 1ul);
  KUNIT_EXPECT_TRUE(test, lb::capacity_is_reduced(875, 117));
  KUNIT_EXPECT_FALSE(test, lb::capacity_is_reduced(876, 117));
}

// spec 31 F-75
static void fork_and_exec_choose_a_group(kunit* test) {
  GroupStats spare = classified(group(4, 1, 3)), more = classified(group(4, 0, 4)), busy = classified(group(4, 4, 0));
  KUNIT_EXPECT_TRUE(test, lb::other_group_is_better(busy, spare, 117));
  KUNIT_EXPECT_FALSE(test, lb::other_group_is_better(spare, busy, 117));
  KUNIT_EXPECT_FALSE(test, lb::other_group_is_better(spare, spare, 117));  // kept on a tie
  KUNIT_EXPECT_TRUE(test, lb::other_group_is_better(spare, more, 117));
  GroupStats there = busy, here = busy;
  there.avg_load = 1000;
  here.avg_load = 1174;
  KUNIT_EXPECT_FALSE(test, lb::other_group_is_better(here, there, 117));
  here.avg_load = 1175;
  KUNIT_EXPECT_TRUE(test, lb::other_group_is_better(here, there, 117));
  there.avg_load = 2000, here.avg_load = 2340;  // 234000 == 117 * 2000
  KUNIT_EXPECT_FALSE(test, lb::other_group_is_better(here, there, 117));
  here.avg_load = 2341;
  KUNIT_EXPECT_TRUE(test, lb::other_group_is_better(here, there, 117));
  KUNIT_EXPECT_TRUE(test, lb::idler(more, &spare));
  KUNIT_EXPECT_FALSE(test, lb::idler(busy, &spare));
  KUNIT_EXPECT_FALSE(test, lb::idler(spare, &spare));
}

// spec 31 F-76
static void a_wide_waker(kunit* test) {
  KUNIT_EXPECT_FALSE(test, lb::is_wide(0, 0, 4));
  KUNIT_EXPECT_FALSE(test, lb::is_wide(100, 3, 4));  // the less busy of the two flips less than there are CPUs
  KUNIT_EXPECT_FALSE(test, lb::is_wide(15, 4, 4));
  KUNIT_EXPECT_TRUE(test, lb::is_wide(16, 4, 4));
  KUNIT_EXPECT_TRUE(test, lb::is_wide(4, 16, 4));
}

// spec 31 F-77
static void affine_weights(kunit* test) {
  lb::AffineLoads l = {.here = 0, .prev = 2048, .task = 1024, .curr = 0, .here_capacity = 1024, .prev_capacity = 1024};
  KUNIT_EXPECT_TRUE(test, lb::weight_says_here(l, 117, lb::WakeSync::No));
  l.prev = 1024;
  KUNIT_EXPECT_FALSE(test, lb::weight_says_here(l, 117, lb::WakeSync::No));
  l = {.here = 1024, .prev = 1024, .task = 512, .curr = 1025, .here_capacity = 1024, .prev_capacity = 1024};
  KUNIT_EXPECT_TRUE(test, lb::weight_says_here(l, 117, lb::WakeSync::Yes));   // the waker is all there is
  KUNIT_EXPECT_FALSE(test, lb::weight_says_here(l, 117, lb::WakeSync::No));
  l = {.here = 0, .prev = 0, .task = 0, .curr = 0, .here_capacity = 1024, .prev_capacity = 1024};
  KUNIT_EXPECT_FALSE(test, lb::weight_says_here(l, 117, lb::WakeSync::No));
  KUNIT_EXPECT_TRUE(test, lb::weight_says_here(l, 117, lb::WakeSync::Yes));  // the +1
}

// spec 31 F-79
static void how_many_a_wakeup_looks_at(kunit* test) {
  const struct {
    unsigned long util;
    int of16, of8;
  } rows[] = {{0, 16, 8}, {256, 14, 7}, {512, 10, 5}, {700, 5, 2}, {800, 2, 1}, {900, 0, 0}};
  for (auto& r : rows) {
    KUNIT_EXPECT_EQ(test, lb::idle_scan(r.util * 16, 16, 117), r.of16);
    KUNIT_EXPECT_EQ(test, lb::idle_scan(r.util * 8, 8, 117), r.of8);
  }
}

static kunit_case cases[] = {
    KUNIT_CASE(classification),
    KUNIT_CASE(the_busiest_group),
    KUNIT_CASE(two_overloaded_groups_share_their_load),
    KUNIT_CASE(one_cpu_groups_share_tasks),
    KUNIT_CASE(decision_row_by_row),
    KUNIT_CASE(imbalance_row_by_row),
    KUNIT_CASE(capacity),
    KUNIT_CASE(fork_and_exec_choose_a_group),
    KUNIT_CASE(a_wide_waker),
    KUNIT_CASE(affine_weights),
    KUNIT_CASE(how_many_a_wakeup_looks_at),
    {},
};
static kunit_suite suite = {.name = "lb_decision", .test_cases = cases};
kunit_test_suite(suite);
