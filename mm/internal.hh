// What the files of mm/ share and nobody else needs.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/rwsem.h>
#include <uapi/linux/mman.h>

#include "kernel/sync/guards.hh"
#include "kernel/task/task.hh"
#include "mm/mm_struct.hh"
#include "mm/page_address.hh"

inline constexpr unsigned long PER_READ_IMPLIES_EXEC = 0x0400000, PER_ADDR_NO_RANDOMIZE = 0x0040000,
                               PER_MMAP_PAGE_ZERO = 0x0100000, PER_ADDR_COMPAT_LAYOUT = 0x0200000;
inline constexpr unsigned long VM_STACK_FLAGS =
    VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_GROWSDOWN | VM_ACCOUNT;
inline constexpr unsigned long VM_DATA_DEFAULT = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
inline constexpr unsigned long VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;

inline int mm_counter_of(const page* p) {
  unsigned long f = READ_ONCE(p->flags);
  return f & (1ul << PG_anon) ? MM_ANONPAGES : f & (1ul << PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES;
}
inline bool page_is_anon(const page* p) { return READ_ONCE(p->flags) & (1ul << PG_anon); }

// Before rss falls: remembers the highest (VmHWM).
inline void update_hiwater_rss(mm_struct* mm) {
  unsigned long rss = get_mm_rss(mm);
  if (rss > READ_ONCE(mm->hiwater_rss)) WRITE_ONCE(mm->hiwater_rss, rss);
}

// ---- Settings (/proc/sys/vm); read without a lock ---------------------------------------------------------------------
struct MmSettings {
  int overcommit_memory = 0;            // 0 heuristic, 1 always, 2 strict
  int overcommit_ratio = 50;            // per cent of RAM
  unsigned long overcommit_kbytes = 0;  // instead of the ratio
  int max_map_count = 65530;
  unsigned long mmap_min_addr = 65536;
  int legacy_va_layout = 0;
  int randomize_va_space = 2;  // kernel.randomize_va_space
  int panic_on_oom = 0, oom_kill_allocating_task = 0;
};
extern MmSettings mm_settings;

// ---- Areas (mm/vma.cc); mmap_lock held for writing unless said otherwise --------------------------------------------------
vm_area_struct* vm_area_alloc(mm_struct* mm);  // zeroed but for vm_mm; null: no memory
vm_area_struct* vm_area_dup(const vm_area_struct* from);  // not linked anywhere, no references taken
void vm_area_free(vm_area_struct* vma);
void vma_link(mm_struct* mm, vm_area_struct* vma, vm_area_struct* prev);  // into tree and the file's i_mmap
void vma_attach_file(vm_area_struct* vma);  // into the file's i_mmap; the area holds its file reference already
void vma_detach_file(vm_area_struct* vma);
void remove_vma(vm_area_struct* vma);       // close, fput, free: after it has left tree and i_mmap
// Changes the range; tree and i_mmap are kept right.
void vma_set_range(vm_area_struct* vma, unsigned long start, unsigned long end, unsigned long pgoff);
Result<vm_area_struct*> split_vma(vm_area_struct* vma, unsigned long addr);  // returns the upper half; ENOMEM
// Joins vma with whichever neighbours fit; returns the area that covers it now.
vm_area_struct* vma_merge_around(vm_area_struct* vma);
bool vma_can_merge(const vm_area_struct* a, const vm_area_struct* b);  // b follows a in the list
// Extends a neighbour over [start, end) of the given kind if one fits, instead of making an area; null: none.
vm_area_struct* vma_try_extend(mm_struct* mm, vm_area_struct* prev, unsigned long start, unsigned long end,
                               unsigned long flags, struct file* file, unsigned long pgoff);
// Makes exactly [start, end) of vma an area of its own with these flags, merging with neighbours. May be given a part only.
Result<vm_area_struct*> vma_change_flags(vm_area_struct* vma, unsigned long start, unsigned long end, unsigned long flags);

// ---- Mapping (mm/mmap.cc); mmap_lock held for writing -------------------------------------------------------------------
Result<unsigned long> get_unmapped_area(struct file* file, unsigned long addr, unsigned long len, unsigned long pgoff,
                                        unsigned long flags);
Result<unsigned long> do_mmap(struct file* file, unsigned long addr, unsigned long len, unsigned long prot,
                              unsigned long flags, unsigned long pgoff, unsigned long* populate);
Result<void> do_munmap(mm_struct* mm, unsigned long start, size_t len);
Result<void> expand_stack(vm_area_struct* vma, unsigned long addr);  // down to addr
void mm_populate(unsigned long addr, unsigned long len);             // takes mmap_lock itself; errors are ignored
// Faults [start, end) of vma in. mmap_lock held for reading. EFAULT, ENOMEM, EINTR.
Result<void> populate_vma_range(vm_area_struct* vma, unsigned long start, unsigned long end);
void arch_pick_mmap_layout(mm_struct* mm, const struct rlimit& stack);

// ---- Accounting (mm/accounting.cc) ----------------------------------------------------------------------------------------
bool may_expand_vm(const mm_struct* mm, unsigned long flags, unsigned long pages);
void vm_stat_account(mm_struct* mm, unsigned long flags, long pages);
bool vm_enough_memory(const mm_struct* mm, long pages);  // charges if it says yes
void vm_unacct_memory(long pages);
long vm_committed();
unsigned long vm_commit_limit();
inline bool accountable_mapping(unsigned long vm_flags) {
  return (vm_flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE;
}
bool can_do_mlock();

// ---- Faults (mm/fault.cc) ------------------------------------------------------------------------------------------------
// One fault inside vma, rights checked already. mmap_lock held for reading. EFAULT: SIGBUS; ENOMEM.
Result<void> handle_mm_fault(vm_area_struct* vma, unsigned long addr, unsigned flags);

// Clears mappings of the pages [first, first + count) of a file in every address space.
struct address_space;
enum class Unmap : unsigned char { Everything, FilePagesOnly };  // private copies go with a truncation, not with a hole
void unmap_mapping_pages(address_space* m, unsigned long first, unsigned long count, Unmap what);

Result<void> shmem_zero_setup(vm_area_struct* vma);  // anonymous shared memory (mm/shmem.cc)
address_space* shmem_mapping(const vm_area_struct* vma);  // null: not of that kind
address_space* vma_mapping(const vm_area_struct* vma);  // null: private anonymous

void pgtable_caches_init();
void pgtable_caches_drain();
unsigned long pgtable_caches_shrink();  // pages freed; any task context
bool vma_caches_init();
void vma_caches_exit();
