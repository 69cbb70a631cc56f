// membarrier(2), without the commands that promise more than memory barriers (SYNC_CORE, RSEQ). Spec 22 C-70..C-73.
// SPDX-License-Identifier: Apache-2.0
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>

#include "kernel/entry/syscall.hh"
#include "kernel/sched/rq.hh"
#include "kernel/sync/guards.hh"
#include "kernel/sys/membarrier.hh"
#include "kernel/task/task.hh"
#include "mm/mm_struct.hh"

namespace {

enum : unsigned {
  kQuery = 0, kGlobal = 1, kGlobalExpedited = 2, kRegisterGlobalExpedited = 4, kPrivateExpedited = 8,
  kRegisterPrivateExpedited = 16,
};
constexpr unsigned kSupported =
    kGlobal | kGlobalExpedited | kRegisterGlobalExpedited | kPrivateExpedited | kRegisterPrivateExpedited;

// Every CPU has passed through the scheduler since: each passage is a full barrier (C-4).
long all_cpus() {
  if (num_online_cpus() > 1) synchronize_rcu();
  return 0;
}

long register_as(unsigned bit) {
  __atomic_fetch_or(&current->mm->membarrier_state, bit, __ATOMIC_SEQ_CST);
  return all_cpus();
}

struct Asking {
  mutex one_at_a_time;
  cpumask_t asked;  // each CPU clears its own bit, after its barrier
  unsigned long count;  // CPUs asked since boot. one_at_a_time
};
constinit Asking asking{};

// C-71: those that run a task of mm now. Any other passes the scheduler's barriers before it runs one (C-70), or has since it did.
void ask_cpus_of(const mm_struct* mm) {
  unsigned cpu;
  PreemptGuard here;
  for_each_online_cpu(cpu) {
    if (cpu == smp_processor_id()) continue;
    {
      RcuReadGuard rcu;
      if (READ_ONCE(cpu_curr(cpu)->mm) != mm) continue;
    }
    asking.count++;
    cpumask_set_cpu(cpu, &asking.asked);
    arch::send_ipi(cpu, arch::Ipi::CallFunction);
  }
  while (!cpumask_empty(&asking.asked)) arch::cpu_relax();
}

long cpus_of_process() {
  if (num_online_cpus() == 1) return 0;
  MutexGuard turn(asking.one_at_a_time);
  smp_mb();  // ours before rq->curr is read; pairs with C-4 and the load of the tables, so that whoever is not asked has had its own
  ask_cpus_of(current->mm);
  smp_mb();  // what the others did before their barriers, before what we do next
  return 0;
}

}  // namespace

void membarrier_init() {
  asking = {};
  mutex_init(&asking.one_at_a_time);
}

unsigned long membarrier_requests() { return READ_ONCE(asking.count); }

void membarrier_interrupt() {
  const unsigned me = smp_processor_id();
  if (!cpumask_test_cpu(me, &asking.asked)) return;
  smp_mb();
  cpumask_clear_cpu(me, &asking.asked);
}

SYSCALL_DEFINE3(membarrier, int, command, unsigned, flags, int, cpu) {
  if (flags) return -EINVAL;
  switch (static_cast<unsigned>(command)) {
    case kQuery: return kSupported;
    case kGlobal:
    case kGlobalExpedited: return all_cpus();
    case kRegisterGlobalExpedited: return register_as(kRegisterGlobalExpedited);
    case kRegisterPrivateExpedited: return register_as(kRegisterPrivateExpedited);
    case kPrivateExpedited:
      return READ_ONCE(current->mm->membarrier_state) & kRegisterPrivateExpedited ? cpus_of_process() : -EPERM;
    default: return -EINVAL;
  }
}
