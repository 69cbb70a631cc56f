// Scheduling domains: for each CPU the ever wider circles of CPUs it balances with, each divided into the groups that are
// weighed against each other. A pure data structure, built from where the CPUs sit; it knows no run queue and no task. Spec 31
// section 10.1.
// A set of domains is built as a whole and replaced as a whole: readers keep preemption off (RCU).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>

#include <span>

#include "kernel/sched/topology.hh"
#include "lib/result.hh"

enum : unsigned {
  SD_BALANCE_NEWIDLE = 1, SD_BALANCE_EXEC = 2, SD_BALANCE_FORK = 4, SD_BALANCE_WAKE = 8,
  SD_WAKE_AFFINE = 0x10, SD_ASYM_CPUCAPACITY = 0x20, SD_ASYM_CPUCAPACITY_FULL = 0x40, SD_SHARE_CPUCAPACITY = 0x80,
  SD_SHARE_PKG_RESOURCES = 0x100, SD_SERIALIZE = 0x200, SD_ASYM_PACKING = 0x400, SD_PREFER_SIBLING = 0x800,
  SD_OVERLAP = 0x1000, SD_NUMA = 0x2000,
};

enum class IdleType : unsigned char { Idle, NotIdle, NewlyIdle };
inline constexpr unsigned kIdleTypes = 3;

inline constexpr unsigned long kCpuCapacity = 1024;

struct sched_group {
  sched_group* next;       // a ring
  unsigned long span;
  unsigned weight;
  unsigned long capacity;  // sum of its CPUs'; written by whoever balances its first CPU, read as a hint
  bool imbalanced;         // below it, affinity stood in the way of balance
  unsigned first() const { return static_cast<unsigned>(__builtin_ctzl(span)); }
};

// A step of a statistic or hint that several CPUs may take at once: one of them may be lost.
template <class T>
inline void bump(T& count, T by = 1) {
  WRITE_ONCE(count, READ_ONCE(count) + by);
}

// Of all CPUs that share a cache.
struct sched_domain_shared {
  int nr_idle_scan;  // how many CPUs a wake-up looks at (F-79); written without a lock
};

// What a CPU's balancing in a domain came to, as /proc/schedstat shows it. Written by that CPU.
struct LbStats {
  unsigned count[kIdleTypes], balanced[kIdleTypes], failed[kIdleTypes], imbalance[kIdleTypes], gained[kIdleTypes],
      hot_gained[kIdleTypes], nobusyq[kIdleTypes], nobusyg[kIdleTypes];
  unsigned alb_count, alb_failed, alb_pushed;
  unsigned ttwu_wake_remote, ttwu_move_affine;  // written by whoever wakes from this CPU
};

// One CPU's. What follows `shared` is written by that CPU, or by the one that balances for it while it idles; both at once while it
// wakes. Hints and statistics: each access is whole, a lost step does no harm.
struct sched_domain {
  sched_domain *parent, *child;
  sched_group* groups;  // begins with the one this CPU is in
  const char* name;
  unsigned long span;
  unsigned weight, flags;
  unsigned long min_interval, max_interval;  // ms
  unsigned busy_factor, imbalance_pct, cache_nice_tries;
  int imb_numa_nr;
  sched_domain_shared* shared;  // of the widest that shares a cache; else null

  unsigned long last_balance;      // jiffies
  unsigned long balance_interval;  // ms
  unsigned nr_balance_failed;
  u64 max_newidle_lb_cost;           // ns
  unsigned long newidle_cost_decay;  // jiffies: when it decays next
  LbStats stats;
};

struct DomainSet {
  static constexpr unsigned kMaxLevels = 3;  // SMT, MC, DIE

  unsigned nr_cpu_ids;
  unsigned long cpus;  // those in domains
  struct PerCpu {
    sched_domain* lowest;    // null: this CPU balances with nobody
    sched_domain* cache;     // the widest that shares a cache, or null
    unsigned long core;      // CPUs of the same core, this one included
    unsigned long cache_span;
    sched_domain domains[kMaxLevels];
    sched_group groups[kMaxLevels];  // rings of the domains whose first group begins with this CPU
    sched_domain_shared shared;
  } cpu[];
};

// May sleep. parts: CPUs that are to balance, those of each among themselves; the others have no domains. now: jiffies.
Result<DomainSet*> build_domains(const CpuPlaces& places, unsigned nr_cpu_ids, std::span<const unsigned long> parts, unsigned long now);
void free_domains(DomainSet* set);

// F-72, in jiffies. hz and cpus: as configured, so that tests can ask about others.
constexpr unsigned long balance_interval_jiffies(unsigned long interval_ms, unsigned busy_factor, bool busy, unsigned hz,
                                                 unsigned cpus) {
  unsigned long interval = busy ? interval_ms * busy_factor : interval_ms;
  interval = (interval * hz + 999) / 1000;
  if (busy && interval) interval--;  // so that levels with multiples of each other's do not meet
  const unsigned long most = hz * cpus / 10;
  if (interval > most) interval = most;
  return interval < 1 ? 1 : interval;
}

// F-73. True: it decayed, or grew.
bool update_newidle_cost(sched_domain* sd, u64 cost, unsigned long now, unsigned long second);
