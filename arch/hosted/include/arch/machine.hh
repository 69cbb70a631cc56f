// The inline part of the arch contract on the hosted machine. All that depends on which CPU executes is a call that the
// compiler cannot see through: one host thread plays all CPUs in turn, and a value cached over a switch would be another
// CPU's. The functions are built without instrumentation, since only the engine orders what they touch.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <asm/current.h>
#include <asm/processor.h>
#include <linux/types.h>

#include "arch/contract/cpu_block.hh"

namespace arch {

// Physical memory is mapped here at a fixed address, so that runs do not differ by address; both sanitizers leave this
// part of the address space to programs, and the host's mmap does not reach down to it.
inline constexpr unsigned long kArenaBase = 0x7e9000000000ul;
inline constexpr unsigned long kArenaMax = 16ul << 30;
inline constexpr unsigned long kVmallocBase = 0x7eb000000000ul;
inline constexpr unsigned long kVmallocSize = 4ul << 30;
inline constexpr unsigned kMaxCpus = 64;
inline constexpr bool kCheckLocks = true;  // lock order and might_sleep() are checked in every hosted run
inline constexpr bool kSelfChecks = true;  // kernel/sched/check.hh

inline void* phys_to_virt(phys_addr_t p) { return reinterpret_cast<void*>(kArenaBase + p); }
inline phys_addr_t virt_to_phys(const void* p) { return reinterpret_cast<unsigned long>(p) - kArenaBase; }

CpuBlock& cpu_block();
inline task_struct* current_task() { return hosted_current(); }
unsigned cpu_id();

int preempt_count();  // the whole word, bit 31 (inverted need-resched hint) included
void preempt_count_add(int n);
bool preempt_count_dec_and_test();  // true when the word becomes 0: nothing held and a reschedule wanted

unsigned long irq_save();  // the earlier state, for irq_restore
void irq_restore(unsigned long flags);
void irq_disable();
void irq_enable();  // delivers what is pending
bool irqs_disabled();
inline void cpu_relax() { hosted_cpu_relax(); }

enum class PreemptPoint : unsigned char;
void yield_point(PreemptPoint where);

}  // namespace arch
