// The per-CPU block: what the entry code and the hottest generic paths need to reach in one instruction.
// x86 addresses it through GS, so the offsets are fixed (asserted below and used by assembly); hosted keeps an array.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

struct task_struct;
struct pt_regs;

struct alignas(64) CpuBlock {
  CpuBlock* self;                // 0
  task_struct* current_task;     // 8
  unsigned long stack_top;       // 16: top of current_task's kernel stack
  unsigned long user_sp;         // 24: scratch of the system call entry
  int preempt_count;             // 32: layout in kernel/sync/preempt.hh; bit 31 is the inverted need-resched hint
  unsigned cpu;                  // 36
  unsigned long stack_canary;    // 40: where -fstack-protector looks (spec 10 B-20)
  unsigned softirq_pending;      // 48: bit per softirq, changed with interrupts off on this CPU only
  unsigned irq_depth;            // 52
  void* rq;                      // 56: this CPU's run queue
  pt_regs* irq_regs;             // 64: registers of the innermost interrupted context, or null
  void* arch_private;            // 72
};
static_assert(__builtin_offsetof(CpuBlock, current_task) == 8);
static_assert(__builtin_offsetof(CpuBlock, stack_top) == 16);
static_assert(__builtin_offsetof(CpuBlock, preempt_count) == 32);
static_assert(__builtin_offsetof(CpuBlock, stack_canary) == 40);
