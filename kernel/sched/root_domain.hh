// Root domains: CPUs among which urgent tasks are spread and deadline bandwidth is admitted. All active CPUs are one until cpusets
// divide them (partitions); those that nobody balances (an isolated partition, isolcpus=, offline) are in one that admits nothing.
// Spec 31 section 10.1, 32 section 7.1.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "kernel/sched/dl_queue.hh"
#include "lib/result.hh"

// The masks of overloaded CPUs and cpupri are of all CPUs, a bit each: who looks there looks at those of its own span alone.
struct root_domain {
  unsigned long span = 0;  // changed under domains_lock and dl_lock; read without, as a hint
  bool overload = false;   // some CPU may have more than one task (F-74); set at wake-ups, cleared by balancing
  dl::Admission admitted;  // dl_lock
};

// A cpuset's claim on CPUs: they balance among themselves, or not at all.
struct SchedPartition {
  unsigned long cpus;
  bool balances;
};
// The partitions are these from now on; no CPU is in two, and what they leave is one too. May sleep. ENOMEM: the domains stay as they are
// until they are built next.
Result<void> rebuild_sched_partitions(std::span<const SchedPartition> parts);
// For the CPUs that are active now. May sleep.
Result<void> update_sched_domains();

struct DomainParts {
  unsigned long of[NR_CPUS + 1];
  unsigned n = 0;
};
// parts: spans of the balancing ones. Deadline bandwidth goes where its tasks may run now. domains_lock held.
void assign_root_domains(const DomainParts& parts);
