// The inline part of the arch contract on x86: this CPU's block through GS, interrupt flag, direct map.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include "arch/contract/arch.hh"

extern "C" unsigned long x86_user_copy(void* dst, const void* src, unsigned long n);  // lib/usercopy.S

// stac and clac, as no-ops that boot replaces where the CPU has SMAP. "?" keeps a table entry with the function it
// belongs to when the linker drops one of several copies.
#define X86_PATCH_(bytes) "771: .byte 0x0f, 0x1f, 0x00\n.pushsection .smap_patch, \"a?\"\n.quad 771b, " bytes "\n.popsection\n"
#define X86_STAC X86_PATCH_("0xcb010f")
#define X86_CLAC X86_PATCH_("0xca010f")
#define X86_EXTABLE(from, to) ".pushsection __ex_table, \"a?\"\n.long " from " - ., " to " - .\n.popsection\n"


namespace arch {

inline constexpr unsigned long kDirectMap = 0xffff888000000000;  // all RAM (spec 10 B-22)
inline constexpr unsigned long kEflagsIf = 0x200;
inline constexpr bool kCheckLocks = false;  // the hosted machine checks lock order
#ifdef CF_SELF_CHECKS  // a debugging image: the scheduler's invariants, by the boot parameter sched_check
inline constexpr bool kSelfChecks = true;
#else
inline constexpr bool kSelfChecks = false;
#endif

inline CpuBlock& cpu_block() {
  CpuBlock* b;
  asm volatile("movq %%gs:0, %0" : "=r"(b));
  return *b;
}
// Not volatile: constant for the task that executes it.
inline __attribute__((always_inline)) task_struct* current_task() {
  task_struct* t;
  asm("movq %%gs:8, %0" : "=r"(t));
  return t;
}
inline unsigned cpu_id() {
  unsigned cpu;
  asm volatile("movl %%gs:36, %0" : "=r"(cpu));
  return cpu;
}

// The whole word, bit 31 (inverted need-resched hint) included.
inline int preempt_count() {
  int n;
  asm volatile("movl %%gs:32, %0" : "=r"(n));
  return n;
}
inline void preempt_count_add(int n) { asm volatile("addl %0, %%gs:32" ::"ri"(n) : "memory", "cc"); }
// True when the word becomes 0: nothing held and a reschedule wanted.
inline bool preempt_count_dec_and_test() {
  bool zero;
  asm volatile("decl %%gs:32" : "=@ccz"(zero)::"memory");
  return zero;
}

inline unsigned long irq_save() {
  unsigned long flags;
  asm volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
  return flags;
}
inline void irq_enable() { asm volatile("sti" ::: "memory"); }
inline void irq_disable() { asm volatile("cli" ::: "memory"); }
inline void irq_restore(unsigned long flags) {
  if (flags & kEflagsIf) irq_enable();
}
inline bool irqs_disabled() {
  unsigned long flags;
  asm volatile("pushfq; popq %0" : "=r"(flags)::"memory");
  return !(flags & kEflagsIf);
}

// Single words of user memory, in line: a fault that cannot be resolved comes out at `fault`. Said to be volatile, since
// g++ 12 drops an asm goto whose output nobody reads, and a read that only brings the page in is one.
template <class T>
inline __attribute__((always_inline)) unsigned long load_user_word(void* dst, unsigned long src) {
  T v;
  asm volatile goto(X86_STAC "1: mov %1, %0\n" X86_CLAC X86_EXTABLE("1b", "%l[fault]")
           : "=r"(v) : "m"(*reinterpret_cast<const T*>(src)) : : fault);
  __builtin_memcpy(dst, &v, sizeof v);
  return 0;
fault:
  asm volatile(X86_CLAC);
  return sizeof(T);
}
template <class T>
inline __attribute__((always_inline)) unsigned long store_user_word(unsigned long dst, const void* src) {
  T v;
  __builtin_memcpy(&v, src, sizeof v);
  asm volatile goto(X86_STAC "1: mov %1, %0\n" X86_CLAC X86_EXTABLE("1b", "%l[fault]")
           : : "m"(*reinterpret_cast<T*>(dst)), "r"(v) : "memory" : fault);
  return 0;
fault:
  asm volatile(X86_CLAC);
  return sizeof(T);
}
inline __attribute__((always_inline)) unsigned long raw_copy_from_user(void* dst, unsigned long src, unsigned long n) {
  if (__builtin_constant_p(n)) {
    if (n == 8) return load_user_word<u64>(dst, src);
    if (n == 4) return load_user_word<u32>(dst, src);
    if (n == 1) return load_user_word<u8>(dst, src);
  }
  return x86_user_copy(dst, reinterpret_cast<const void*>(src), n);
}
inline __attribute__((always_inline)) unsigned long raw_copy_to_user(unsigned long dst, const void* src, unsigned long n) {
  if (__builtin_constant_p(n)) {
    if (n == 8) return store_user_word<u64>(dst, src);
    if (n == 4) return store_user_word<u32>(dst, src);
    if (n == 1) return store_user_word<u8>(dst, src);
  }
  return x86_user_copy(reinterpret_cast<void*>(dst), src, n);
}

inline void cpu_relax() { asm volatile("pause" ::: "memory"); }
inline void yield_point(PreemptPoint) {}

// A call of x86_user_run (entry/entry.S), which clobbers every register but RSP and RBP: its one caller is a loop that
// never returns, so nothing need be saved (spec 10 section 10.3).
inline __attribute__((always_inline)) UserExit user_run(pt_regs* regs) {
  u64 low, high;
  asm volatile("call x86_user_run"
               : "=a"(low), "=d"(high), "+D"(regs)
               :
               : "rbx", "rcx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  return {static_cast<UserExitKind>(low & 0xff), static_cast<unsigned char>(low >> 8 & 0xff),
          static_cast<unsigned>(low >> 32), high};
}

// Direct map only: addresses inside the kernel image or vmalloc space have no meaning here.
inline void* phys_to_virt(phys_addr_t phys) { return reinterpret_cast<void*>(kDirectMap + phys); }
inline phys_addr_t virt_to_phys(const void* p) { return reinterpret_cast<unsigned long>(p) - kDirectMap; }

}  // namespace arch
