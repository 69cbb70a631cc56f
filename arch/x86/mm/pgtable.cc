// The kernel's own page tables: direct map, image with W^X, devices, interrupt stacks, vmalloc.
// SPDX-License-Identifier: Apache-2.0
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/page_ref.h>
#include <linux/spinlock.h>
#include <linux/string.h>


#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/dev/serial.hh"
#include "arch/x86/init/bootparams.hh"
#include "arch/x86/mm/layout.hh"
#include "arch/x86/mm/tlb.hh"
#include "kernel/sync/guards.hh"

namespace x86 {

pte_t* kernel_pgd;

namespace {

constexpr u64 kKernelTable = kPtePresent | kPteWrite | kPteYoung | kPteDirty;
constexpr u64 kKernelData = kPtePresent | kPteWrite | kPteYoung | kPteDirty;
constexpr u64 kKernelRead = kPtePresent | kPteYoung | kPteDirty;
constexpr unsigned long kHugePage = 1ul << 21;

pte_t* table_at(pte_t e) { return static_cast<pte_t*>(arch::phys_to_virt(pte_phys(e))); }

// The table that entry `index` points to; made if there is none.
pte_t* early_descend(pte_t* table, unsigned index) {
  pte_t& e = table[index];
  if (pte_none(e)) e.val = arch::virt_to_phys(early_alloc(4096)) | kKernelTable;
  return table_at(e);
}
pte_t* early_level(unsigned long va, unsigned level) {
  pte_t* t = kernel_pgd;
  for (unsigned l = 3; l > level; l--) t = early_descend(t, table_index(va, l));
  return t;
}

u64 global_bit() { return features.pge ? kPteGlobal : 0; }

void map_direct(u64 start, u64 end) {
  start &= ~(kHugePage - 1);
  for (u64 p = start; p < end; p += kHugePage) {
    unsigned long va = arch::kDirectMap + p;
    early_level(va, 1)[table_index(va, 1)].val = p | kKernelData | kPteHuge | nx_mask | global_bit();
  }
}

u64 image_flags(unsigned long va) {
  if (va < reinterpret_cast<unsigned long>(rodata_start)) return kKernelRead;
  return (va < reinterpret_cast<unsigned long>(data_start) ? kKernelRead : kKernelData) | nx_mask;
}

void map_image() {
  for (auto va = reinterpret_cast<unsigned long>(image_start); va < reinterpret_cast<unsigned long>(image_end); va += 4096)
    if (va != reinterpret_cast<unsigned long>(init_stack_guard)) early_map(va, va - kImageBase, image_flags(va) | global_bit());
}

// What is read-only in the image is so in the direct map too; its huge pages there are split.
void protect_image_alias() {
  auto end = image_phys(data_start);
  for (u64 huge = image_phys(image_start) & ~(kHugePage - 1); huge < end; huge += kHugePage) {
    unsigned long va = arch::kDirectMap + huge;
    pte_t& e = early_level(va, 1)[table_index(va, 1)];
    auto* table = static_cast<pte_t*>(early_alloc(4096));
    for (unsigned i = 0; i < PTRS_PER_TABLE; i++) {
      u64 p = huge + i * 4096;
      bool read_only = p >= image_phys(image_start) && p < end;
      table[i].val = p | (read_only ? kKernelRead : kKernelData) | nx_mask | global_bit();
    }
    e.val = arch::virt_to_phys(table) | kKernelTable;
  }
}

// The top-level entries that every address space shares; they never change after boot.
unsigned short kernel_slots[32];
unsigned nr_kernel_slots;

void note_kernel_slots() {
  for (unsigned i = 256; i < PTRS_PER_TABLE; i++) {
    if (pte_none(kernel_pgd[i])) continue;
    if (nr_kernel_slots == std::size(kernel_slots)) early_panic("more RAM than 14 TiB");
    kernel_slots[nr_kernel_slots++] = static_cast<unsigned short>(i);
  }
}

constinit raw_spinlock_t vmap_lock = __SPIN_LOCK_UNLOCKED(vmap_lock);  // entries of all vmalloc tables

}  // namespace

void early_map(unsigned long va, phys_addr_t phys, u64 flags) {
  early_level(va, 0)[table_index(va, 0)].val = phys | flags;
}

void map_cpu_stacks(unsigned cpu) {
  // Guard, stack, guard, stack ...: each of the four is two pages between unmapped ones (B-25).
  for (unsigned i = 0; i < 4; i++) {
    unsigned long low = kCpuArea + cpu * kCpuAreaStride + i * 0x4000 + 0x1000;
    for (unsigned page = 0; page < 2; page++)
      early_map(low + page * 4096, arch::virt_to_phys(early_alloc(4096)), kKernelData | nx_mask | global_bit());
    cpus[cpu]->tss.ist[i] = low + 2 * 4096;
  }
}

void build_kernel_tables() {
  kernel_pgd = static_cast<pte_t*>(early_alloc(4096));
  for (unsigned i = 0; i < boot.map_len; i++) {
    const RamRange& r = boot.map[i];
    if (r.type == RamType::Ram || r.type == RamType::AcpiReclaim) map_direct(r.start, r.end);
  }
  map_direct(0, 1 << 20);
  map_image();
  protect_image_alias();
  // One top-level entry serves all of vmalloc, and exists from the start: user tables copy it and never look again.
  early_descend(kernel_pgd, table_index(kVmallocStart, 3));
  early_level(kCpuArea, 0);
  note_kernel_slots();
  write_cr3(arch::virt_to_phys(kernel_pgd));
}

namespace {

unsigned long vmap_tables;  // vmap_lock

Result<pte_t*> vmap_descend(pte_t* table, unsigned index) {
  if (READ_ONCE(table[index].val) == 0) {
    page* p = alloc_page(GFP_KERNEL | __GFP_ZERO);
    if (!p) return fail(ENOMEM);
    bool lost;
    {
      IrqSpinGuard guard(vmap_lock);
      lost = !pte_none(table[index]);
      if (!lost) {
        WRITE_ONCE(table[index].val, page_to_phys(p) | kKernelTable);
        vmap_tables++;
      }
    }
    if (lost) __free_page(p);  // somebody else was faster
  }
  return table_at(table[index]);
}

// The last-level table of va; null if there is none.
pte_t* vmap_find(unsigned long va) {
  pte_t* t = kernel_pgd;
  for (unsigned level = 3; level > 0; level--) {
    pte_t e = t[table_index(va, level)];
    if (pte_none(e)) return nullptr;
    t = table_at(e);
  }
  return t;
}

}  // namespace
}  // namespace x86

namespace arch {
using namespace x86;

unsigned long vmap_table_pages() { return vmap_tables; }
KernelRange vmalloc_area() { return {kVmallocStart, kVmallocEnd}; }

// Tables below vmalloc space are kept for ever: its addresses are used again.
Result<void> vmap_range(unsigned long va, std::span<page* const> pages) {
  for (size_t i = 0; i < pages.size(); i++, va += 4096) {
    pte_t* t = kernel_pgd;
    for (unsigned level = 3; level > 0; level--) t = TRY(vmap_descend(t, table_index(va, level)));
    WRITE_ONCE(t[table_index(va, 0)].val, page_to_phys(pages[i]) | kKernelData | nx_mask);
  }
  return {};
}

void vunmap_range(unsigned long va, unsigned long size) {
  for (unsigned long a = va; a < va + size; a += 4096)
    if (pte_t* t = vmap_find(a)) WRITE_ONCE(t[table_index(a, 0)].val, 0);
  flush_tlb_kernel_range(va, va + size);
}

Result<void> pgd_init(void* pgd_page) {
  auto* pgd = static_cast<pte_t*>(pgd_page);
  for (unsigned i = 0; i < nr_kernel_slots; i++) pgd[kernel_slots[i]] = kernel_pgd[kernel_slots[i]];
  return {};
}
void pgd_destroy(void*) {}

}  // namespace arch
