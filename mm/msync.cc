// msync and mincore (spec 41 M-54, M-55).
// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"
#include "mm/filemap.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/uaccess.hh"

SYSCALL_DEFINE3(msync, unsigned long, start, size_t, len, int, flags) {
  if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) return -EINVAL;
  if (start & ~kPageMask) return -EINVAL;
  if ((flags & MS_ASYNC) && (flags & MS_SYNC)) return -EINVAL;
  unsigned long bytes = page_align(len), end = start + bytes;
  if (end < start || (len && !bytes)) return -ENOMEM;
  if (end == start) return 0;
  mm_struct* mm = current->mm;
  bool hole = false;
  RwsemReadGuard g(mm->mmap_lock);
  for (unsigned long at = start; at < end;) {
    vm_area_struct* v = find_vma(mm, at);
    if (!v || v->vm_start > at) hole = true;
    if (!v || v->vm_start >= end || (hole && flags == MS_ASYNC)) break;
    if ((flags & MS_INVALIDATE) && (v->vm_flags & VM_LOCKED)) return -EBUSY;
    at = v->vm_end;  // the mapping is the file's own memory: there is nothing to write back
  }
  return hole ? -ENOMEM : 0;
}

namespace {

// mmap_lock held. A file that the caller may not write tells nothing about what others have read.
bool may_tell(const vm_area_struct* v) {
  if (!v->vm_file) return true;
  inode* i = file_inode(v->vm_file);
  return (v->vm_file->f_mode & FMODE_WRITE) || inode_owner_or_capable(i) || inode_permission(v->vm_file->f_path.mnt, i, MAY_WRITE);
}

void residency(vm_area_struct* v, unsigned long start, unsigned long end, unsigned char* out) {
  address_space* m = vma_mapping(v);
  bool tell = may_tell(v);
  for (unsigned long a = start; a < end; a += kPageSize, out++) {
    const pte_t* pte = pte_find(v->vm_mm, a);
    bool in = !tell || (pte && !pte_none(pte_read(pte)));
    if (!in && m) {
      page* p = find_get_page(m, v->vm_pgoff + ((a - v->vm_start) >> 12));
      in = p;
      if (p) put_page(p);
    }
    *out = in;
  }
}

constexpr unsigned long kAtOnce = 256;  // pages whose answers are gathered before they are copied out

// Answers for up to kAtOnce pages from start on; how many, or ENOMEM at a hole.
Result<unsigned long> residency_chunk(unsigned long start, unsigned long pages, unsigned char* out) {
  mm_struct* mm = current->mm;
  RwsemReadGuard g(mm->mmap_lock);
  vm_area_struct* v = find_vma(mm, start);
  if (!v || v->vm_start > start) return fail(ENOMEM);
  unsigned long n = std::min(std::min(kAtOnce, pages), (v->vm_end - start) >> 12);
  residency(v, start, start + (n << 12), out);
  return n;
}

}  // namespace

SYSCALL_DEFINE3(mincore, unsigned long, start, size_t, len, unsigned char*, vec) {
  if (start & ~kPageMask) return -EINVAL;
  if (start > kUserTop || len > kUserTop - start) return -ENOMEM;
  unsigned long pages = page_align(len) >> 12;
  if (!access_ok(vec, pages)) return -EFAULT;
  unsigned char answers[kAtOnce];
  while (pages) {
    Result<unsigned long> n = residency_chunk(start, pages, answers);
    if (!n) return n.error().neg();
    if (copy_to_user(vec, answers, *n)) return -EFAULT;
    pages -= *n;
    start += *n << 12;
    vec += *n;
  }
  return 0;
}
