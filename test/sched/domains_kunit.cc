// Scheduling domains as built from topologies, and how often they are balanced. Spec 31 sections 10.1 and 10.8.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/jiffies.h>

#include "kernel/sched/domains.hh"

namespace {

struct Built {
  DomainSet* set = nullptr;
  Built(kunit* test, const char* topology, unsigned cpus, unsigned long in_domains = ~0ul) {
    const TopologyText t = TopologyText::parse(topology);
    KUNIT_EXPECT_TRUE(test, t.valid());
    CpuPlaces places = {};
    for (unsigned cpu = 0; cpu < cpus; cpu++) places.of[cpu] = t.place(cpu);
    const unsigned long all = cpus == 64 ? ~0ul : (1ul << cpus) - 1;
    const unsigned long part = all & in_domains;
    auto r = build_domains(places, cpus, std::span(&part, 1), 1000);
    KUNIT_EXPECT_TRUE(test, r.has_value());
    if (r) set = *r;
  }
  ~Built() { free_domains(set); }
  sched_domain* lowest(unsigned cpu) const { return set->cpu[cpu].lowest; }
};

// Groups cover the span once, the first has the CPU, and capacities add up.
void expect_sound(kunit* test, const DomainSet* set, unsigned cpu) {
  const sched_domain* below = nullptr;
  for (const sched_domain* sd = set->cpu[cpu].lowest; sd; below = sd, sd = sd->parent) {
    KUNIT_EXPECT_TRUE(test, sd->span >> cpu & 1);
    KUNIT_EXPECT_PTR_EQ(test, sd->child, below);
    KUNIT_EXPECT_TRUE(test, sd->groups->span >> cpu & 1);
    if (below) KUNIT_EXPECT_EQ(test, sd->groups->span, below->span);
    unsigned long seen = 0, capacity = 0;
    const sched_group* g = sd->groups;
    do {
      KUNIT_EXPECT_EQ(test, seen & g->span, 0ul);
      seen |= g->span;
      capacity += g->capacity;
      KUNIT_EXPECT_EQ(test, g->weight, static_cast<unsigned>(__builtin_popcountl(g->span)));
      g = g->next;
    } while (g != sd->groups);
    KUNIT_EXPECT_EQ(test, seen, sd->span);
    KUNIT_EXPECT_EQ(test, capacity, sd->weight * kCpuCapacity);
  }
}

}  // namespace

// spec 31 F-65
static void defaults_of_a_domain(kunit* test) {
  Built b(test, "2x2x2", 8);
  const sched_domain* smt = b.lowest(0);
  KUNIT_ASSERT_NOT_NULL(test, smt);
  KUNIT_EXPECT_STREQ(test, smt->name, "SMT");
  KUNIT_EXPECT_EQ(test, smt->span, 0x3ul);
  KUNIT_EXPECT_EQ(test, smt->flags, 1u | 2u | 4u | 0x10u | 0x800u | 0x80u | 0x100u);
  KUNIT_EXPECT_EQ(test, smt->imbalance_pct, 110u);
  KUNIT_EXPECT_EQ(test, smt->cache_nice_tries, 0u);
  const sched_domain* mc = smt->parent;
  KUNIT_ASSERT_NOT_NULL(test, mc);
  KUNIT_EXPECT_STREQ(test, mc->name, "MC");
  KUNIT_EXPECT_EQ(test, mc->span, 0xful);
  KUNIT_EXPECT_EQ(test, mc->flags, 1u | 2u | 4u | 0x10u | 0x800u | 0x100u);
  const sched_domain* die = mc->parent;
  KUNIT_ASSERT_NOT_NULL(test, die);
  KUNIT_EXPECT_STREQ(test, die->name, "DIE");
  KUNIT_EXPECT_EQ(test, die->span, 0xfful);
  KUNIT_EXPECT_EQ(test, die->flags, 1u | 2u | 4u | 0x10u | 0x800u);
  KUNIT_EXPECT_EQ(test, die->imbalance_pct, 117u);
  KUNIT_EXPECT_EQ(test, die->cache_nice_tries, 1u);
  KUNIT_EXPECT_EQ(test, die->min_interval, 8ul);
  KUNIT_EXPECT_EQ(test, die->max_interval, 16ul);
  KUNIT_EXPECT_EQ(test, die->balance_interval, 8ul);
  KUNIT_EXPECT_EQ(test, die->busy_factor, 16u);
  KUNIT_EXPECT_NULL(test, die->parent);
  KUNIT_EXPECT_PTR_EQ(test, b.set->cpu[0].cache, const_cast<sched_domain*>(mc));
  KUNIT_EXPECT_PTR_EQ(test, b.set->cpu[3].cache->shared, mc->shared);
  KUNIT_EXPECT_PTR_NE(test, b.set->cpu[4].cache->shared, mc->shared);
}

// spec 31 section 10.1: degenerate domains are removed
static void degenerate_domains_are_left_out(kunit* test) {
  Built one(test, "1x1", 1);
  KUNIT_EXPECT_NULL(test, one.lowest(0));
  Built cores(test, "1x4", 4);
  KUNIT_EXPECT_STREQ(test, cores.lowest(2)->name, "MC");
  KUNIT_EXPECT_NULL(test, cores.lowest(2)->parent);
  Built packages(test, "4x1", 4);
  KUNIT_EXPECT_STREQ(test, packages.lowest(1)->name, "DIE");
  KUNIT_EXPECT_NULL(test, packages.set->cpu[1].cache);
  KUNIT_EXPECT_EQ(test, packages.set->cpu[1].cache_span, 2ul);
  Built threads(test, "1x1x2", 2);
  KUNIT_EXPECT_STREQ(test, threads.lowest(0)->name, "SMT");
  KUNIT_EXPECT_NULL(test, threads.lowest(0)->parent);
}

static void groups_are_the_spans_below(kunit* test) {
  const struct {
    const char* text;
    unsigned cpus;
  } rows[] = {{"1x2", 2}, {"2x2x4", 16}, {"4x8x2", 64}, {"1x64", 64}, {"3x2x2", 12}, {"2x3", 7}, {"1x2x2", 3}};
  for (auto& row : rows) {
    Built b(test, row.text, row.cpus);
    for (unsigned cpu = 0; cpu < row.cpus; cpu++) expect_sound(test, b.set, cpu);
  }
}

// spec 31 section 10.1: isolated CPUs are in no domain
static void isolated_cpus_are_in_no_domain(kunit* test) {
  Built b(test, "2x2x2", 8, ~0x6ul);
  KUNIT_EXPECT_NULL(test, b.lowest(1));
  KUNIT_EXPECT_NULL(test, b.lowest(2));
  KUNIT_EXPECT_EQ(test, b.lowest(0)->span, 0x9ul);  // its sibling is gone
  for (unsigned cpu : {0u, 3u, 4u, 7u}) expect_sound(test, b.set, cpu);
  KUNIT_EXPECT_EQ(test, b.set->cpu[1].core, 2ul);
}

static void topologies_as_text(kunit* test) {
  KUNIT_EXPECT_TRUE(test, TopologyText::parse("2x2x4").valid());
  KUNIT_EXPECT_TRUE(test, TopologyText::parse("1x3").valid());
  for (const char* bad : {"", "4", "x", "2x", "0x4", "2x2x", "2x2x2x2", "axb", "99x1"})
    KUNIT_EXPECT_FALSE_MSG(test, TopologyText::parse(bad).valid(), "%s", bad);
}

// spec 31 F-72
static void intervals(kunit* test) {
  KUNIT_EXPECT_EQ(test, balance_interval_jiffies(8, 16, false, 1000, 8), 8ul);
  KUNIT_EXPECT_EQ(test, balance_interval_jiffies(8, 16, true, 1000, 8), 127ul);
  KUNIT_EXPECT_EQ(test, balance_interval_jiffies(8, 16, false, 250, 8), 2ul);
  KUNIT_EXPECT_EQ(test, balance_interval_jiffies(8, 16, true, 250, 8), 31ul);
  KUNIT_EXPECT_EQ(test, balance_interval_jiffies(1, 1, false, 250, 1), 1ul);
  KUNIT_EXPECT_EQ(test, balance_interval_jiffies(512, 16, true, 250, 4), 100ul);  // HZ * CPUs / 10
}

// spec 31 F-73
static void newidle_cost_grows_at_once_and_decays_slowly(kunit* test) {
  sched_domain sd = {};
  unsigned long now = 5000;
  KUNIT_EXPECT_TRUE(test, update_newidle_cost(&sd, 256000, now, HZ));
  KUNIT_EXPECT_FALSE(test, update_newidle_cost(&sd, 1000, now + HZ, HZ));
  KUNIT_EXPECT_EQ(test, sd.max_newidle_lb_cost, 256000ull);
  KUNIT_EXPECT_TRUE(test, update_newidle_cost(&sd, 0, now + HZ + 1, HZ));
  KUNIT_EXPECT_EQ(test, sd.max_newidle_lb_cost, 253000ull);
  KUNIT_EXPECT_FALSE(test, update_newidle_cost(&sd, 0, now + HZ + 2, HZ));
}

static kunit_case cases[] = {
    KUNIT_CASE(defaults_of_a_domain),         KUNIT_CASE(degenerate_domains_are_left_out),
    KUNIT_CASE(groups_are_the_spans_below),   KUNIT_CASE(isolated_cpus_are_in_no_domain),
    KUNIT_CASE(topologies_as_text),           KUNIT_CASE(intervals),
    KUNIT_CASE(newidle_cost_grows_at_once_and_decays_slowly),
    {},
};
static kunit_suite suite = {.name = "sched_domains", .test_cases = cases};
kunit_test_suite(suite);
