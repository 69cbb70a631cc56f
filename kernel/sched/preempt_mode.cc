// preempt=none|voluntary|full: where kernel code may be made to give way. Spec 30 sections 5.2 and 5.3.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/preempt_mode.hh"

#include <linux/kernel.h>
#include <linux/spinlock.h>

#include "init/params.hh"
#include "kernel/sched/sched.hh"

// Written at boot and by tests, read everywhere.
constinit PreemptMode preempt_mode = PreemptMode::Voluntary;

static constexpr std::string_view kNames[] = {"none", "voluntary", "full"};

std::string_view preempt_mode_name(PreemptMode m) { return kNames[static_cast<unsigned>(m)]; }

void preempt_mode_boot() {
  preempt_mode = PreemptMode::Voluntary;  // as Debian's 6.1
  std::string_view text;
  if (!boot_param("preempt", &text)) return;
  for (const PreemptMode m : {PreemptMode::None, PreemptMode::Voluntary, PreemptMode::Full})
    if (text == preempt_mode_name(m)) {
      preempt_mode = m;
      return;
    }
  pr_warn("Dynamic Preempt: unsupported mode: %.*s\n", static_cast<int>(text.size()), text.data());
}

// S-31. The count is 0 and a reschedule is wanted.
extern "C" int __cond_resched() {
  if (preempt_mode == PreemptMode::Full || irqs_disabled()) return 0;
  preempt_schedule_common();
  return 1;
}

extern "C" void __might_resched() {
  if (preempt_mode == PreemptMode::Voluntary && !irqs_disabled()) preempt_schedule_common();
}

// Needs exactly the lock's own level. A quiescent state is reported by whoever gives way, and by the tick, which sees that no
// reader is there (kernel/rcu: readers keep preemption off).
extern "C" int __cond_resched_lock(raw_spinlock_t* l) {
  const bool wanted = should_resched(PREEMPT_OFFSET) && preempt_mode != PreemptMode::Full;
  if (!wanted && !raw_spin_is_contended(l)) return 0;
  raw_spin_unlock(l);
  if (!cond_resched()) cpu_relax();
  raw_spin_lock(l);
  return 1;
}
