// Building scheduling domains. Spec 31 section 10.1.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/domains.hh"

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/slab.h>

namespace {

struct Level {
  const char* name;
  unsigned flags;
  unsigned long (*span)(const CpuPlaces&, unsigned cpu, unsigned long cpus);
};

// One memory node: DIE holds all CPUs, whatever package they are in.
constexpr Level kLevels[DomainSet::kMaxLevels] = {
    {"SMT", SD_SHARE_CPUCAPACITY | SD_SHARE_PKG_RESOURCES, [](auto& p, unsigned c, unsigned long all) { return p.core(c, all); }},
    {"MC", SD_SHARE_PKG_RESOURCES, [](auto& p, unsigned c, unsigned long all) { return p.cache(c, all) | p.core(c, all); }},
    {"DIE", 0, [](auto&, unsigned, unsigned long all) { return all; }},
};

constexpr unsigned kDefaultFlags =
    SD_BALANCE_NEWIDLE | SD_BALANCE_EXEC | SD_BALANCE_FORK | SD_WAKE_AFFINE | SD_PREFER_SIBLING;

unsigned weight(unsigned long span) { return static_cast<unsigned>(__builtin_popcountl(span)); }

// F-65.
void init_domain(sched_domain* sd, const Level& level, unsigned long span, unsigned long now) {
  const bool smt = level.flags & SD_SHARE_CPUCAPACITY;
  const unsigned w = weight(span);
  *sd = {};
  sd->name = level.name;
  sd->span = span;
  sd->weight = w;
  sd->flags = kDefaultFlags | level.flags;
  sd->min_interval = sd->balance_interval = w;
  sd->max_interval = 2 * w;
  sd->busy_factor = 16;
  sd->imbalance_pct = smt ? 110 : 117;
  sd->cache_nice_tries = smt ? 0 : 1;
  sd->imb_numa_nr = 1;
  sd->last_balance = sd->newidle_cost_decay = now;
}

// One CPU, or the same CPUs as below and nothing new to say about them.
bool is_degenerate(const sched_domain* below, unsigned long span, unsigned flags) {
  if (weight(span) < 2) return true;
  return below && below->span == span && !(flags & ~below->flags);
}

// all: the CPUs that it balances with.
void build_chain(DomainSet& set, const CpuPlaces& places, unsigned cpu, unsigned long all, unsigned long now) {
  DomainSet::PerCpu& c = set.cpu[cpu];
  sched_domain* below = nullptr;
  for (unsigned i = 0; i < DomainSet::kMaxLevels; i++) {
    const unsigned long span = kLevels[i].span(places, cpu, all);
    if (is_degenerate(below, span, kLevels[i].flags)) continue;
    sched_domain* sd = &c.domains[i];
    init_domain(sd, kLevels[i], span, now);
    sd->child = below;
    (below ? below->parent : c.lowest) = sd;
    below = sd;
    if (sd->flags & SD_SHARE_PKG_RESOURCES) c.cache = sd;
  }
  c.core = places.core(cpu, all) | 1ul << cpu;
  c.cache_span = c.cache ? c.cache->span : 1ul << cpu;
}

unsigned long group_span(const sched_domain* sd, unsigned cpu) { return sd->child ? sd->child->span : 1ul << cpu; }

// The group that `cpu` is in, at a level, is kept with its first CPU, and linked from there once.
void link_groups(DomainSet& set, unsigned cpu, unsigned level) {
  sched_domain* sd = &set.cpu[cpu].domains[level];
  if (!sd->weight) return;
  sd->groups = &set.cpu[__builtin_ctzl(group_span(sd, cpu))].groups[level];
  if (static_cast<unsigned>(__builtin_ctzl(sd->span)) != cpu) return;  // the span's first CPU makes the ring
  sched_group *first = nullptr, *last = nullptr;
  for (unsigned long left = sd->span; left;) {
    const auto at = static_cast<unsigned>(__builtin_ctzl(left));
    const unsigned long span = group_span(&set.cpu[at].domains[level], at);
    sched_group* g = &set.cpu[at].groups[level];
    *g = {nullptr, span, weight(span), weight(span) * kCpuCapacity, false};
    (last ? last->next : first) = g;
    last = g;
    left &= ~span;
  }
  last->next = first;
}

void share_cache(DomainSet& set, unsigned cpu) {
  sched_domain* sd = set.cpu[cpu].cache;
  if (!sd) return;
  sd->shared = &set.cpu[__builtin_ctzl(sd->span)].shared;
  sd->shared->nr_idle_scan = static_cast<int>(sd->weight);
}

}  // namespace

Result<DomainSet*> build_domains(const CpuPlaces& places, unsigned nr_cpu_ids, std::span<const unsigned long> parts, unsigned long now) {
  auto* set = static_cast<DomainSet*>(kvzalloc(sizeof(DomainSet) + nr_cpu_ids * sizeof(DomainSet::PerCpu), GFP_KERNEL));
  if (!set) return fail(ENOMEM);
  set->nr_cpu_ids = nr_cpu_ids;
  for (unsigned cpu = 0; cpu < nr_cpu_ids; cpu++) set->cpu[cpu].core = set->cpu[cpu].cache_span = 1ul << cpu;
  for (const unsigned long part : parts) {
    set->cpus |= part;
    for (unsigned long left = part; left; left &= left - 1)
      build_chain(*set, places, static_cast<unsigned>(__builtin_ctzl(left)), part, now);
  }
  for (unsigned long left = set->cpus; left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzl(left));
    for (unsigned level = 0; level < DomainSet::kMaxLevels; level++) link_groups(*set, cpu, level);
    share_cache(*set, cpu);
  }
  return set;
}

void free_domains(DomainSet* set) { kvfree(set); }

bool update_newidle_cost(sched_domain* sd, u64 cost, unsigned long now, unsigned long second) {
  const u64 most = READ_ONCE(sd->max_newidle_lb_cost);
  const bool grew = cost > most;
  if (!grew && !time_after(now, READ_ONCE(sd->newidle_cost_decay) + second)) return false;
  WRITE_ONCE(sd->max_newidle_lb_cost, grew ? cost : most * 253 / 256);
  WRITE_ONCE(sd->newidle_cost_decay, now);
  return true;
}
