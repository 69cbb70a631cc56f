// FS and GS of user mode. FSGSBASE stays off: user mode changes a base by arch_prctl or by loading a selector (C-54).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/x86/cpu/cpu.hh"

namespace x86 {

// Selectors in the registers -> t.thread; a base that came with a selector is no longer the recorded one.
void save_segments(task_struct& t);
void switch_debug_registers(Cpu& cpu, const thread_struct& next);  // debug.cc; interrupts off
void switch_segments_slow(Cpu& cpu, task_struct* prev, task_struct* next);

inline unsigned read_selectors() {
  unsigned fs, gs, ds, es;
  asm volatile("movl %%fs, %0; movl %%gs, %1; movl %%ds, %2; movl %%es, %3" : "=r"(fs), "=r"(gs), "=r"(ds), "=r"(es));
  return fs | gs | ds | es;
}

// Interrupts off, current still prev. 64-bit programs leave all selectors 0; then only the bases can differ.
inline void switch_segments(Cpu& cpu, task_struct* prev, task_struct* next) {
  const thread_struct& n = next->thread;
  u64 selectors;
  __builtin_memcpy(&selectors, &n.fsindex, sizeof selectors);  // all four
  const auto debug = reinterpret_cast<unsigned long>(n.debug) | reinterpret_cast<unsigned long>(cpu.loaded_debug);
  if (read_selectors() | selectors | debug) [[unlikely]]
    return switch_segments_slow(cpu, prev, next);
  if (!n.fpu_state) return;  // never sees user mode
  if (cpu.loaded_fsbase != n.fsbase) wrmsr(kMsrFsBase, cpu.loaded_fsbase = n.fsbase);
  if (cpu.loaded_gsbase != n.gsbase) wrmsr(kMsrKernelGsBase, cpu.loaded_gsbase = n.gsbase);
}

}  // namespace x86
