// Where things lie in the kernel's half (spec 10 section 4.1), and the early page-table builder.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <arch/pgtable.hh>
#include <linux/types.h>

#include "arch/contract/arch.hh"

extern "C" {
extern unsigned char image_start[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[], bss_start[],
    image_end[], init_stack_guard[];
}

namespace x86 {

inline constexpr unsigned long kImageBase = 0xffffffff80000000;
inline constexpr unsigned long kVmallocStart = 0xffffc90000000000, kVmallocEnd = kVmallocStart + (1ul << 39);
inline constexpr unsigned long kFixmap = 0xffffffffc0000000;     // devices: one page each
inline constexpr unsigned long kLapicPage = kFixmap, kIoapicPage = kFixmap + 0x1000;
inline constexpr unsigned long kCpuArea = 0xffffffffd0000000;    // per CPU: interrupt stacks with guard pages
inline constexpr unsigned long kCpuAreaStride = 0x20000;

inline phys_addr_t image_phys(const void* p) { return reinterpret_cast<unsigned long>(p) - kImageBase; }

// Early boot only: page-aligned memory that is never given back, zeroed, below 4 GiB.
void* early_alloc(unsigned long bytes);
// Maps one 4 KiB page into the kernel's tables; tables come from early_alloc. Not after boot.
void early_map(unsigned long va, phys_addr_t phys, u64 flags);
void build_kernel_tables();  // direct map, image W^X; loads them
void map_cpu_stacks(unsigned cpu);

extern "C" pte_t boot_pml4[512];
extern pte_t* kernel_pgd;  // the final top level; user ones copy its upper half

}  // namespace x86
