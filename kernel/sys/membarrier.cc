// membarrier(2), without the commands that need an interrupt to every CPU of a process beyond what a full barrier on all
// of them gives. Spec 22 C-70..C-73.
// SPDX-License-Identifier: Apache-2.0
#include <linux/cpumask.h>
#include <linux/rcupdate.h>

#include "kernel/entry/syscall.hh"
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

}  // namespace

SYSCALL_DEFINE3(membarrier, int, command, unsigned, flags, int, cpu) {
  if (flags) return -EINVAL;
  switch (static_cast<unsigned>(command)) {
    case kQuery: return kSupported;
    case kGlobal:
    case kGlobalExpedited: return all_cpus();
    case kRegisterGlobalExpedited: return register_as(kRegisterGlobalExpedited);
    case kRegisterPrivateExpedited: return register_as(kRegisterPrivateExpedited);
    case kPrivateExpedited:
      return READ_ONCE(current->mm->membarrier_state) & kRegisterPrivateExpedited ? all_cpus() : -EPERM;
    default: return -EINVAL;
  }
}
