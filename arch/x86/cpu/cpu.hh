// One CPU's private block (CpuBlock first: GS points here), its descriptor tables, and register access.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/sched.h>

#include "arch/contract/arch.hh"
#include "arch/x86/entry/offsets.h"

namespace x86 {

struct [[gnu::packed]] Tss {
  u32 reserved0;
  u64 rsp[3];
  u64 reserved1;
  u64 ist[7];  // 1 #DF, 2 NMI, 3 #DB, 4 #MC (spec 10 section 5.2)
  u64 reserved2;
  u16 reserved3, io_map_base;
};
static_assert(sizeof(Tss) == 104);

struct Cpu {
  CpuBlock block;
  unsigned long loop_sp;   // x86_user_run's stack pointer while user mode runs
  task_struct* fpu_owner;  // whose FPU state the registers hold; null: nobody's
  mm_struct* loaded_mm;
  unsigned long loaded_fsbase, loaded_gsbase;
  void* loaded_debug;  // whose debug registers are armed; null: nobody's
  u64 timer_deadline;  // ns; ~0: none
  u32 apic_id;
  alignas(16) u64 gdt[16];
  alignas(16) Tss tss;
};
static_assert(sizeof(CpuBlock) == CPU_LOOP_SP && __builtin_offsetof(Cpu, loop_sp) == CPU_LOOP_SP);
static_assert(__builtin_offsetof(Cpu, fpu_owner) == CPU_FPU_OWNER);

extern Cpu boot_cpu;
extern Cpu* cpus[NR_CPUS];  // null: no such CPU
inline Cpu& this_cpu() { return reinterpret_cast<Cpu&>(arch::cpu_block()); }

// What the boot CPU can do; the others are taken to be equal.
struct Features {
  bool nx, smep, smap, umip, pge, xsave, xsaveopt, fxsr, tsc_deadline, x2apic, erms, hypervisor, rdrand, global_pages;
  u64 xcr0;
  unsigned xsave_size;  // bytes of the standard format with xcr0
  unsigned long cr4;
};
extern Features features;

void detect_features();        // boot CPU
void load_early_gs(Cpu& cpu);  // first thing on each CPU: per-CPU data works from here
void cpu_init(Cpu& cpu);       // GDT, TSS, IDT, control registers, SYSCALL MSRs; on the CPU itself
void idt_init();
void patch_smap();

enum Msr : u32 {
  kMsrApicBase = 0x1b,
  kMsrTscDeadline = 0x6e0,
  kMsrX2Apic = 0x800,
  kMsrEfer = 0xc0000080,
  kMsrStar = 0xc0000081,
  kMsrLstar = 0xc0000082,
  kMsrCstar = 0xc0000083,
  kMsrFmask = 0xc0000084,
  kMsrFsBase = 0xc0000100,
  kMsrGsBase = 0xc0000101,
  kMsrKernelGsBase = 0xc0000102,
};

inline u64 rdmsr(u32 msr) {
  u32 lo, hi;
  asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
  return u64{hi} << 32 | lo;
}
inline void wrmsr(u32 msr, u64 v) {
  asm volatile("wrmsr" ::"c"(msr), "a"(static_cast<u32>(v)), "d"(static_cast<u32>(v >> 32)) : "memory");
}
struct CpuidRegs {
  u32 eax, ebx, ecx, edx;
};
inline CpuidRegs cpuid(u32 leaf, u32 sub = 0) {
  CpuidRegs r;
  asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub));
  return r;
}
inline unsigned long read_cr2() {
  unsigned long v;
  asm volatile("mov %%cr2, %0" : "=r"(v));
  return v;
}
inline unsigned long read_cr3() {
  unsigned long v;
  asm volatile("mov %%cr3, %0" : "=r"(v)::"memory");
  return v;
}
inline void write_cr3(unsigned long v) { asm volatile("mov %0, %%cr3" ::"r"(v) : "memory"); }
inline unsigned long read_cr4() {
  unsigned long v;
  asm volatile("mov %%cr4, %0" : "=r"(v));
  return v;
}
inline void write_cr4(unsigned long v) { asm volatile("mov %0, %%cr4" ::"r"(v) : "memory"); }
inline unsigned long read_cr0() {
  unsigned long v;
  asm volatile("mov %%cr0, %0" : "=r"(v));
  return v;
}
inline void write_cr0(unsigned long v) { asm volatile("mov %0, %%cr0" ::"r"(v) : "memory"); }
inline void invlpg(unsigned long va) { asm volatile("invlpg (%0)" ::"r"(va) : "memory"); }
inline u64 rdtsc() {
  u32 lo, hi;
  asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
  return u64{hi} << 32 | lo;
}
inline void outb(u16 port, u8 v) { asm volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
inline void outw(u16 port, u16 v) { asm volatile("outw %0, %1" ::"a"(v), "Nd"(port)); }
inline void outl(u16 port, u32 v) { asm volatile("outl %0, %1" ::"a"(v), "Nd"(port)); }
inline u8 inb(u16 port) {
  u8 v;
  asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
  return v;
}
inline u16 inw(u16 port) {
  u16 v;
  asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
  return v;
}

inline constexpr u8 kVectorIsa = 0x30, kVectorTimer = 0xec, kVectorStop = 0xf8, kVectorCall = 0xfb,
                    kVectorReschedule = 0xfd, kVectorError = 0xfe, kVectorSpurious = 0xff;

}  // namespace x86
