// The preemption count of this CPU and what is read from it (spec 10 E-27): inline, since every lock goes through here.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/compiler.h>
#include <linux/preempt.h>

#include "arch/contract/arch.hh"

// Scheduler: entered when the count falls to 0 with a reschedule wanted; returns at once if interrupts are off.
extern "C" void preempt_schedule(void);
extern "C" void __might_sleep(const char* file, int line);

inline int preempt_count() { return arch::preempt_count() & ~static_cast<int>(PREEMPT_NEED_RESCHED); }
inline void preempt_count_add(int n) { arch::preempt_count_add(n); }
inline void preempt_count_sub(int n) { arch::preempt_count_add(-n); }
inline void preempt_count_inc() { arch::preempt_count_add(1); }
inline void preempt_count_dec() { arch::preempt_count_add(-1); }

// The inverted hint in bit 31. Interrupts off: the test and the flip must not be parted by an interrupt that sets it.
inline bool test_preempt_need_resched() { return !(static_cast<u32>(arch::preempt_count()) & PREEMPT_NEED_RESCHED); }
inline void set_preempt_need_resched() {
  if (!test_preempt_need_resched()) arch::preempt_count_add(static_cast<int>(PREEMPT_NEED_RESCHED));
}
inline void clear_preempt_need_resched() {
  if (test_preempt_need_resched()) arch::preempt_count_add(static_cast<int>(PREEMPT_NEED_RESCHED));
}
inline bool should_resched(int offset) {
  return static_cast<u32>(arch::preempt_count()) == static_cast<u32>(offset);
}

inline __attribute__((always_inline)) void preempt_disable() {
  arch::preempt_count_add(1);
  barrier();
}
inline __attribute__((always_inline)) void preempt_enable_no_resched() {
  barrier();
  arch::preempt_count_add(-1);
}
inline __attribute__((always_inline)) void preempt_enable() {
  barrier();
  if (arch::preempt_count_dec_and_test()) [[unlikely]]
    preempt_schedule();
}
inline void preempt_check_resched() {
  if (should_resched(0)) [[unlikely]]
    preempt_schedule();
}
inline void preempt_disable_notrace() { preempt_disable(); }
inline void preempt_enable_notrace() { preempt_enable(); }
inline bool cf_irqs_disabled() { return arch::irqs_disabled(); }
inline unsigned cf_cpu_id() { return arch::cpu_id(); }

// kernel/sched/preempt_mode.cc: the mode is looked at only once somebody wants the CPU.
extern "C" int __cond_resched(void);
extern "C" void __might_resched(void);
inline int cond_resched() { return should_resched(0) ? __cond_resched() : 0; }

inline void cf_might_sleep(const char* file, int line) {
  if constexpr (arch::kCheckLocks) __might_sleep(file, line);
  if (should_resched(0)) [[unlikely]]
    __might_resched();
}
