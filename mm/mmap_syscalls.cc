// mmap, munmap, brk, and their forms for the kernel (spec 41 sections 6, 7).
// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"
#include "mm/internal.hh"
#include "mm/mmap.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

namespace {

// Runs change() under current's mmap_lock; EINTR if a fatal signal came first.
template <class F>
auto with_mmap_lock(F&& change) -> decltype(change(static_cast<mm_struct*>(nullptr))) {
  mm_struct* mm = current->mm;
  if (down_write_killable(&mm->mmap_lock)) return fail(EINTR);
  auto r = change(mm);
  up_write(&mm->mmap_lock);
  return r;
}

Result<unsigned long> mmap_pgoff(file* f, unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags,
                                 unsigned long pgoff) {
  unsigned long populate = 0;
  Result<unsigned long> at =
      with_mmap_lock([&](mm_struct*) { return do_mmap(f, addr, len, prot, flags, pgoff, &populate); });
  if (at && populate) mm_populate(*at, populate);
  return at;
}

Result<unsigned long> set_brk(mm_struct* mm, unsigned long brk, unsigned long* populate) {
  if (brk < mm->start_brk || brk > kUserTop) return fail(ENOMEM);
  unsigned long limit = rlimit(RLIMIT_DATA);
  if (limit != RLIM_INFINITY && (brk - mm->start_brk) + (mm->end_data - mm->start_data) > limit) return fail(ENOMEM);
  unsigned long old_end = page_align(mm->brk), end = page_align(brk);
  if (end < old_end) {
    TRY(do_munmap(mm, end, old_end - end));
  } else if (end > old_end) {
    vm_area_struct* next = vma_tree_find(mm, old_end);
    if (next && end + kPageSize > vm_start_gap(next)) return fail(ENOMEM);
    TRY(do_brk_flags(mm, old_end, end - old_end, 0));
    if (mm->def_flags & VM_LOCKED) *populate = end - old_end;
  }
  SpinGuard g(mm->arg_lock);
  mm->brk = brk;
  return brk;
}

}  // namespace

SYSCALL_DEFINE6(mmap, unsigned long, addr, unsigned long, len, unsigned long, prot, unsigned long, flags, unsigned long, fd,
                unsigned long, off) {
  if (off & ~kPageMask) return -EINVAL;
  if (flags & MAP_ANONYMOUS) {
    if (flags & MAP_HUGETLB) return -ENOMEM;  // there are no huge pages to be had
    return to_abi(mmap_pgoff(nullptr, addr, len, prot, flags, off >> 12));
  }
  FileRef f(fget(fd));
  if (!f) return -EBADF;
  if (flags & MAP_HUGETLB) return -EINVAL;
  return to_abi(mmap_pgoff(f.get(), addr, len, prot, flags, off >> 12));
}

SYSCALL_DEFINE2(munmap, unsigned long, addr, size_t, len) { return to_abi(vm_munmap(addr, len)); }

SYSCALL_DEFINE1(brk, unsigned long, brk) {
  mm_struct* mm = current->mm;
  if (down_write_killable(&mm->mmap_lock)) return -EINTR;
  unsigned long old_end = page_align(mm->brk), populate = 0;
  (void)set_brk(mm, brk, &populate);
  unsigned long now = mm->brk;
  up_write(&mm->mmap_lock);
  if (populate) mm_populate(old_end, populate);
  return now;
}

Result<unsigned long> vm_mmap(struct file* f, unsigned long addr, unsigned long len, unsigned long prot,
                              unsigned long flags, unsigned long offset) {
  if (offset & ~kPageMask) return fail(EINVAL);
  return mmap_pgoff(f, addr, len, prot, flags, offset >> 12);
}

Result<void> vm_munmap(unsigned long start, size_t len) {
  return with_mmap_lock([&](mm_struct* mm) { return do_munmap(mm, start, len); });
}

Result<void> vm_brk_flags(unsigned long addr, unsigned long len, unsigned long vm_flags) {
  unsigned long bytes = page_align(len);
  if (bytes < len) return fail(ENOMEM);
  if (!bytes) return {};
  auto r = with_mmap_lock([&](mm_struct* mm) -> Result<bool> {
    TRY(do_brk_flags(mm, addr, bytes, vm_flags));
    return (mm->def_flags & VM_LOCKED) != 0;
  });
  if (!r) return fail(r.error().code());
  if (*r) mm_populate(addr, bytes);
  return {};
}

void mm_populate(unsigned long addr, unsigned long len) {
  mm_struct* mm = current->mm;
  RwsemReadGuard g(mm->mmap_lock);
  unsigned long end = addr + len;
  for (vm_area_struct* v = find_vma(mm, addr); v && v->vm_start < end; v = v->vm_next) {
    if (v->vm_flags & (VM_LOCKONFAULT | VM_IO | VM_PFNMAP)) continue;
    if (!populate_vma_range(v, std::max(addr, v->vm_start), std::min(end, v->vm_end))) return;  // M-38: not an error
  }
}
