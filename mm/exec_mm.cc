// The first stack of a new program.
// SPDX-License-Identifier: Apache-2.0
#include "mm/exec_mm.hh"

#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

namespace {

// Nobody else runs in this address space yet.
Result<void> map_pages(vm_area_struct* vma, std::span<page* const> pages) {
  unsigned long addr = vma->vm_end - pages.size() * kPageSize;
  for (unsigned long a = addr; a < vma->vm_end; a += kPageSize)
    if (!pte_alloc(vma->vm_mm, a)) return fail(ENOMEM);  // empty tables go with the mm
  SpinGuard g(vma->vm_mm->page_table_lock);
  for (page* p : pages) {
    SetPageAnon(p);
    pte_set(pte_find(vma->vm_mm, addr), vma_pte(vma, page_to_phys(p), true, true));
    addr += kPageSize;
  }
  return {};
}

}  // namespace

Result<void> install_exec_stack(unsigned long top, unsigned long size, std::span<page* const> pages, unsigned long extra_flags) {
  mm_struct* mm = current->mm;
  unsigned long start = top - size, count = size >> 12;
  RwsemWriteGuard guard(mm->mmap_lock);
  if (start < mm_settings.mmap_min_addr || vma_tree_find(mm, start)) return fail(ENOMEM);
  unsigned long flags = VM_STACK_FLAGS | extra_flags | mm->def_flags;
  if (!may_expand_vm(mm, flags, count)) return fail(ENOMEM);
  vm_area_struct* vma = vm_area_alloc(mm);
  if (!vma) return fail(ENOMEM);
  vma->vm_start = start;
  vma->vm_end = top;
  vma->vm_flags = flags;
  vma->vm_pgoff = start >> 12;
  vma->vm_has_anon = true;
  if (!vm_enough_memory(mm, static_cast<long>(count))) {
    vm_area_free(vma);
    return fail(ENOMEM);
  }
  vma_link(mm, vma, mm->mmap_last);
  vm_stat_account(mm, flags, static_cast<long>(count));
  TRY(map_pages(vma, pages));  // on failure the area stays; exec is past its point of no return
  add_mm_counter(mm, MM_ANONPAGES, static_cast<long>(pages.size()));
  return {};
}

void pick_mmap_layout(mm_struct* mm, unsigned long stack_limit) {
  arch_pick_mmap_layout(mm, rlimit{stack_limit, stack_limit});
}

int randomize_va_space() { return mm_settings.randomize_va_space; }
