// mlock and its family: pages that stay. Nothing is ever swapped here, so a lock means populated and counted (M-53).
// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

namespace {

constexpr unsigned long kLockBits = VM_LOCKED | VM_LOCKONFAULT;

// Sets the lock bits of one area's part; returns the area that covers it afterwards.
Result<vm_area_struct*> lock_part(vm_area_struct* vma, unsigned long start, unsigned long end, unsigned long bits) {
  mm_struct* mm = vma->vm_mm;
  unsigned long old = vma->vm_flags, flags = (old & ~kLockBits) | bits;
  if (flags == old || (old & VM_SPECIAL)) return vma;
  vma = TRY(vma_change_flags(vma, start, end, flags));
  long pages = (end - start) >> 12;
  if (!(old & VM_LOCKED)) mm->locked_vm += bits & VM_LOCKED ? pages : 0;
  else if (!(bits & VM_LOCKED)) mm->locked_vm -= pages;
  return vma_merge_around(vma);
}

Result<void> apply_lock(mm_struct* mm, unsigned long start, unsigned long end, unsigned long bits) {
  if (start == end) return {};
  vm_area_struct* vma = vma_tree_find(mm, start);
  if (!vma || vma->vm_start > start) return fail(ENOMEM);
  for (unsigned long at = start;;) {
    unsigned long stop = std::min(end, vma->vm_end);
    vma = TRY(lock_part(vma, at, stop, bits));
    at = stop;
    if (at >= end) return {};
    if (vma->vm_end <= at) vma = vma->vm_next;
    if (!vma || vma->vm_start > at) return fail(ENOMEM);
  }
}

unsigned long locked_pages_in(mm_struct* mm, unsigned long start, unsigned long end) {
  unsigned long n = 0;
  for (vm_area_struct* v = vma_tree_find(mm, start); v && v->vm_start < end; v = v->vm_next)
    if (v->vm_flags & VM_LOCKED) n += std::min(end, v->vm_end) - std::max(start, v->vm_start);
  return n >> 12;
}

// Faults in what is locked. Inaccessible: ENOMEM; no memory: EAGAIN.
long populate_locked(mm_struct* mm, unsigned long start, unsigned long end) {
  RwsemReadGuard g(mm->mmap_lock);
  for (vm_area_struct* v = find_vma(mm, start); v && v->vm_start < end; v = v->vm_next) {
    if ((v->vm_flags & (VM_LOCKED | VM_LOCKONFAULT)) != VM_LOCKED) continue;
    Result<void> r = populate_vma_range(v, std::max(start, v->vm_start), std::min(end, v->vm_end));
    if (!r) return r.error().code() == EFAULT ? -ENOMEM : r.error().code() == ENOMEM ? -EAGAIN : r.error().neg();
  }
  return 0;
}

long do_mlock(unsigned long start, size_t len, unsigned long bits) {
  mm_struct* mm = current->mm;
  if (!can_do_mlock()) return -EPERM;
  len = page_align(len + (start & ~kPageMask));
  start &= kPageMask;
  unsigned long end = start + len;
  if (end < start) return -EINVAL;
  if (down_write_killable(&mm->mmap_lock)) return -EINTR;
  unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> 12, locked = (len >> 12) + mm->locked_vm;
  if (locked > limit && !capable(CAP_IPC_LOCK)) locked -= locked_pages_in(mm, start, end);
  long err = -ENOMEM;
  if (locked <= limit || capable(CAP_IPC_LOCK)) err = to_abi(apply_lock(mm, start, end, bits));
  up_write(&mm->mmap_lock);
  return err ? err : populate_locked(mm, start, end);
}

Result<void> lock_all(mm_struct* mm, int flags) {
  unsigned long bits = flags & MCL_ONFAULT ? kLockBits : VM_LOCKED;
  mm->def_flags = (mm->def_flags & ~kLockBits) | (flags & MCL_FUTURE ? bits : 0);
  if (flags && !(flags & MCL_CURRENT)) return {};
  if (!flags) bits = 0;
  for (vm_area_struct* v = mm->mmap; v; v = v->vm_next) {
    Result<vm_area_struct*> r = lock_part(v, v->vm_start, v->vm_end, bits);
    if (r) v = *r;
  }
  return {};
}

}  // namespace

SYSCALL_DEFINE2(mlock, unsigned long, start, size_t, len) { return do_mlock(start, len, VM_LOCKED); }

SYSCALL_DEFINE3(mlock2, unsigned long, start, size_t, len, int, flags) {
  if (flags & ~MLOCK_ONFAULT) return -EINVAL;
  return do_mlock(start, len, flags & MLOCK_ONFAULT ? kLockBits : VM_LOCKED);
}

SYSCALL_DEFINE2(munlock, unsigned long, start, size_t, len) {
  mm_struct* mm = current->mm;
  len = page_align(len + (start & ~kPageMask));
  start &= kPageMask;
  if (start + len < start) return -EINVAL;
  if (down_write_killable(&mm->mmap_lock)) return -EINTR;
  Result<void> r = apply_lock(mm, start, start + len, 0);
  up_write(&mm->mmap_lock);
  return to_abi(r);
}

SYSCALL_DEFINE1(mlockall, int, flags) {
  if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT) return -EINVAL;
  if (!can_do_mlock()) return -EPERM;
  mm_struct* mm = current->mm;
  if (down_write_killable(&mm->mmap_lock)) return -EINTR;
  long err = -ENOMEM;
  if (!(flags & MCL_CURRENT) || mm->total_vm <= rlimit(RLIMIT_MEMLOCK) >> 12 || capable(CAP_IPC_LOCK))
    err = to_abi(lock_all(mm, flags));
  up_write(&mm->mmap_lock);
  if (!err && (flags & MCL_CURRENT)) (void)populate_locked(mm, 0, kUserTop);
  return err;
}

SYSCALL_DEFINE0(munlockall) {
  mm_struct* mm = current->mm;
  if (down_write_killable(&mm->mmap_lock)) return -EINTR;
  Result<void> r = lock_all(mm, 0);
  up_write(&mm->mmap_lock);
  return to_abi(r);
}
