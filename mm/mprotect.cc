// mprotect (spec 41 section 7, M-42).
// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "kernel/entry/syscall.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

namespace {

Result<vm_area_struct*> protect_area(vm_area_struct* vma, unsigned long start, unsigned long end, unsigned long flags) {
  mm_struct* mm = vma->vm_mm;
  unsigned long old = vma->vm_flags;
  if (flags == old) return vma;
  long pages = (end - start) >> 12;
  bool charge = false;
  if ((flags & VM_WRITE) && !(old & VM_WRITE)) {
    if (!may_expand_vm(mm, flags, pages) && may_expand_vm(mm, old, pages)) return fail(ENOMEM);  // RLIMIT_DATA
    if (!(old & (VM_ACCOUNT | VM_SHARED | VM_NORESERVE))) {
      if (!vm_enough_memory(mm, pages)) return fail(ENOMEM);
      charge = true;
      flags |= VM_ACCOUNT;
    }
  }
  Result<vm_area_struct*> part = vma_change_flags(vma, start, end, flags);
  if (!part) {
    if (charge) vm_unacct_memory(pages);
    return part;
  }
  vma = *part;
  if (change_protection(vma, start, end)) arch::flush_tlb_range(mm, start, end);
  vm_stat_account(mm, old, -pages);
  vm_stat_account(mm, flags, pages);
  return vma_merge_around(vma);
}

Result<void> do_mprotect(mm_struct* mm, unsigned long start, unsigned long end, unsigned long prot, unsigned long grows) {
  bool implies_exec = (prot & PROT_READ) && (current->personality & PER_READ_IMPLIES_EXEC);
  vm_area_struct* vma = vma_tree_find(mm, start);
  if (!vma) return fail(ENOMEM);
  if (grows & PROT_GROWSDOWN) {
    if (vma->vm_start >= end) return fail(ENOMEM);
    if (!(vma->vm_flags & VM_GROWSDOWN)) return fail(EINVAL);
    start = vma->vm_start;
  } else {
    if (vma->vm_start > start) return fail(ENOMEM);
    if (grows & PROT_GROWSUP) return fail(EINVAL);  // no such stacks here
  }
  for (unsigned long at = start;;) {
    unsigned long want = prot | (implies_exec && (vma->vm_flags & VM_MAYEXEC) ? VM_EXEC : 0ul);
    unsigned long flags = (vma->vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC)) | want;
    if (want & ~(flags >> 4) & 7) return fail(EACCES);
    unsigned long stop = std::min(end, vma->vm_end);
    vma = TRY(protect_area(vma, at, stop, flags));
    at = stop;
    if (at >= end) return {};
    if (vma->vm_end <= at) vma = vma->vm_next;
    if (!vma || vma->vm_start > at) return fail(ENOMEM);
  }
}

}  // namespace

namespace {

long protect(unsigned long start, size_t len, unsigned long prot) {
  unsigned long grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
  prot &= ~grows;
  if (grows == (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  if (start & ~kPageMask) return -EINVAL;
  if (!len) return 0;
  unsigned long bytes = page_align(len), end = start + bytes;
  if (end <= start) return -ENOMEM;
  if (prot & ~static_cast<unsigned long>(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) return -EINVAL;
  mm_struct* mm = current->mm;
  if (down_write_killable(&mm->mmap_lock)) return -EINTR;
  Result<void> r = do_mprotect(mm, start, end, prot & (PROT_READ | PROT_WRITE | PROT_EXEC), grows);
  up_write(&mm->mmap_lock);
  return to_abi(r);
}

}  // namespace

SYSCALL_DEFINE3(mprotect, unsigned long, start, size_t, len, unsigned long, prot) { return protect(start, len, prot); }

// There are no protection keys: none can be had, and only "no key" is one.
SYSCALL_DEFINE4(pkey_mprotect, unsigned long, start, size_t, len, unsigned long, prot, int, key) {
  return key == -1 ? protect(start, len, prot) : -EINVAL;
}
SYSCALL_DEFINE2(pkey_alloc, unsigned long, flags, unsigned long, rights) {
  return flags || (rights & ~3ul) ? -EINVAL : -ENOSPC;
}
SYSCALL_DEFINE1(pkey_free, int, key) { return -EINVAL; }
