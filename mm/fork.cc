// fork's copy of an address space (spec 20 F-80..F-88, 41 section 5).
// SPDX-License-Identifier: Apache-2.0
#include <linux/random.h>
#include <linux/string.h>

#include "fs/vfs/vfs.hh"
#include "kernel/fault_inject.hh"
#include "kernel/signal/signal.hh"
#include "kernel/cred/user_namespace.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

namespace {

// What is copied as it is. The rest was initialised by mm_alloc.
void copy_layout(mm_struct* mm, const mm_struct* old) {
  mm->mmap_base = old->mmap_base;
  mm->task_size = old->task_size;
  mm->total_vm = old->total_vm;
  mm->data_vm = old->data_vm;
  mm->exec_vm = old->exec_vm;
  mm->stack_vm = old->stack_vm;
  mm->start_code = old->start_code, mm->end_code = old->end_code;
  mm->start_data = old->start_data, mm->end_data = old->end_data;
  mm->start_brk = old->start_brk, mm->brk = old->brk, mm->start_stack = old->start_stack;
  mm->arg_start = old->arg_start, mm->arg_end = old->arg_end;
  mm->env_start = old->env_start, mm->env_end = old->env_end;
  memcpy(mm->saved_auxv, old->saved_auxv, sizeof(mm->saved_auxv));
  mm->flags = READ_ONCE(old->flags) & (MMF_INIT_MASK | MMF_LEGACY_LAYOUT);
  mm->def_flags = old->def_flags & VM_NOHUGEPAGE;
  mm->membarrier_state = old->membarrier_state;
  if (mm->user_ns != old->user_ns) {
    put_user_ns(mm->user_ns);
    mm->user_ns = get_user_ns(old->user_ns);
  }
  if (old->exe_file) {
    mm->exe_file = get_file(old->exe_file);
    deny_write_access(file_inode(old->exe_file));  // cannot fail: old denies already
  }
}

// F-83: an area without private pages is left to fault again, unless so small that copying is cheaper than one fault.
bool worth_copying(const vm_area_struct* vma) {
  constexpr unsigned long kCheapPages = 64;
  if (vma->vm_flags & VM_WIPEONFORK) return false;
  return READ_ONCE(vma->vm_has_anon) || vma_pages(vma) <= kCheapPages;
}

Result<bool> copy_area(mm_struct* mm, vm_area_struct* src) {
  long pages = vma_pages(src);
  bool charged = src->vm_flags & VM_ACCOUNT;
  if (charged && !vm_enough_memory(mm, pages)) return fail(ENOMEM);
  vm_area_struct* vma = vm_area_dup(src);
  if (!vma) {
    if (charged) vm_unacct_memory(pages);
    return fail(ENOMEM);
  }
  vma->vm_mm = mm;
  vma->vm_flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
  if (vma->vm_file) get_file(vma->vm_file);
  if (vma->vm_ops && vma->vm_ops->open) vma->vm_ops->open(vma);
  // From here on exit_mmap unmakes it. In i_mmap before the pages are copied, so that a truncation finds them.
  vma_link(mm, vma, mm->mmap_last);
  if (vma->vm_flags & VM_WIPEONFORK) vma->vm_has_anon = false;
  if (!worth_copying(src)) return false;
  return copy_page_range(vma, src);
}

Result<void> copy_areas(mm_struct* mm, mm_struct* old) {
  bool flush = false;
  Result<void> result;
  vm_area_struct* src;
  for_each_vma_of(old, src) {
    if (src->vm_flags & VM_DONTCOPY) {
      vm_stat_account(mm, src->vm_flags, -static_cast<long>(vma_pages(src)));
      continue;
    }
    if (fatal_signal_pending(current) || should_fail(FailPoint::Signal, "killed while copying areas")) {
      result = fail(EINTR);
      break;
    }
    Result<bool> copied = copy_area(mm, src);
    if (!copied) {
      result = fail(copied.error().code());
      break;
    }
    flush |= *copied;
  }
  if (flush) arch::flush_tlb_mm(old);  // M-11: a store by any thread of the parent must fault from here on
  return result;
}

}  // namespace

Result<mm_struct*> dup_mm(task_struct* child, mm_struct* old) {
  mm_struct* mm = mm_alloc();
  if (!mm) return fail(ENOMEM);
  if (should_fail(FailPoint::Signal, "killed waiting for mmap_lock") || down_write_killable(&old->mmap_lock)) {
    mmput(mm);
    return fail(ENOMEM);
  }
  down_write_nested(&mm->mmap_lock, SINGLE_DEPTH_NESTING);
  copy_layout(mm, old);
  Result<void> copied = copy_areas(mm, old);
  up_write(&mm->mmap_lock);
  up_write(&old->mmap_lock);
  if (!copied) {
    mmput(mm);  // M-12
    return fail(ENOMEM);
  }
  mm->hiwater_rss = get_mm_rss(mm);
  mm->hiwater_vm = mm->total_vm;
  return mm;
}
