// madvise (spec 41 section 7, M-45).
// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"
#include "mm/filemap.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

namespace {

bool is_private_anon(const vm_area_struct* v) { return !v->vm_file && !v->vm_ops && !(v->vm_flags & VM_SHARED); }

bool known_advice(int advice) {
  return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || advice == MADV_FREE || advice == MADV_REMOVE ||
         advice == MADV_DONTFORK || advice == MADV_DOFORK ||
         (advice >= MADV_DONTDUMP && advice <= MADV_DONTNEED_LOCKED);  // no KSM, no huge pages
}

bool changes_areas(int advice) {
  switch (advice) {
    case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_DONTFORK: case MADV_DOFORK: case MADV_DONTDUMP:
    case MADV_DODUMP: case MADV_WIPEONFORK: case MADV_KEEPONFORK:
      return true;
    default:
      return false;
  }
}

Result<unsigned long> flags_after(const vm_area_struct* v, int advice) {
  unsigned long f = v->vm_flags;
  switch (advice) {
    case MADV_NORMAL: return f & ~(VM_RAND_READ | VM_SEQ_READ);
    case MADV_RANDOM: return (f & ~VM_SEQ_READ) | VM_RAND_READ;
    case MADV_SEQUENTIAL: return (f & ~VM_RAND_READ) | VM_SEQ_READ;
    case MADV_DONTFORK: return f | VM_DONTCOPY;
    case MADV_DOFORK:
      if (f & VM_IO) return fail(EINVAL);
      return f & ~VM_DONTCOPY;
    case MADV_DONTDUMP: return f | VM_DONTDUMP;
    case MADV_DODUMP:
      if (f & VM_SPECIAL) return fail(EINVAL);
      return f & ~VM_DONTDUMP;
    case MADV_WIPEONFORK:
      if (!is_private_anon(v)) return fail(EINVAL);
      return f | VM_WIPEONFORK;
    default:  // KEEPONFORK
      if (!is_private_anon(v)) return fail(EINVAL);
      return f & ~VM_WIPEONFORK;
  }
}

Result<void> drop_pages(vm_area_struct* v, unsigned long start, unsigned long end) {
  TlbGather gather(v->vm_mm);
  gather.zap(start, end);
  return {};
}

// mmap_lock is held for reading; an inode lock comes before it, so it is let go and taken again.
Result<void> punch_hole(mm_struct* mm, vm_area_struct* v, unsigned long start, unsigned long end) {
  if (v->vm_flags & VM_LOCKED) return fail(EINVAL);
  address_space* m = vma_mapping(v);
  if (!m) return fail(EINVAL);
  if ((v->vm_flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE)) return fail(EACCES);
  unsigned long first = v->vm_pgoff + ((start - v->vm_start) >> 12), count = (end - start) >> 12;
  if (!m->host) {  // the object lives as long as the area; its pages have no other lock
    truncate_page_range(m, first, count);
    return {};
  }
  if (!v->vm_file->f_op->fallocate) return fail(EOPNOTSUPP);
  constexpr int kKeepSize = 1, kPunchHole = 2;
  FileRef f(get_file(v->vm_file));
  up_read(&mm->mmap_lock);
  long err = f->f_op->fallocate(f.get(), kPunchHole | kKeepSize, static_cast<loff_t>(first) << 12,
                                static_cast<loff_t>(count) << 12);
  f.reset(nullptr);
  down_read(&mm->mmap_lock);
  return check_abi(err);
}

Result<void> populate(vm_area_struct* v, unsigned long start, unsigned long end, int advice) {
  unsigned long need = advice == MADV_POPULATE_WRITE ? VM_WRITE : VM_READ | VM_EXEC | VM_WRITE;
  if ((v->vm_flags & (VM_IO | VM_PFNMAP)) || !(v->vm_flags & need)) return fail(EINVAL);
  unsigned flags = advice == MADV_POPULATE_WRITE ? arch::kFaultWrite : 0;
  for (; start < end; start += kPageSize) TRY(handle_mm_fault(v, start, flags));
  return {};
}

// One area's part of an advice that leaves the areas as they are.
Result<void> advise_part(mm_struct* mm, vm_area_struct* v, unsigned long start, unsigned long end, int advice) {
  unsigned long f = v->vm_flags;
  switch (advice) {
    case MADV_DONTNEED:
      if (f & (VM_LOCKED | VM_PFNMAP)) return fail(EINVAL);
      return drop_pages(v, start, end);
    case MADV_DONTNEED_LOCKED:
      if (f & VM_PFNMAP) return fail(EINVAL);
      return drop_pages(v, start, end);
    case MADV_FREE:  // lazily or at once: a program must reckon with both
      if (!is_private_anon(v)) return fail(EINVAL);
      if (f & VM_LOCKED) return {};
      return drop_pages(v, start, end);
    case MADV_REMOVE:
      return punch_hole(mm, v, start, end);
    case MADV_COLD: case MADV_PAGEOUT:
      if (f & (VM_LOCKED | VM_PFNMAP)) return fail(EINVAL);
      return {};  // hints; nothing is reclaimed
    case MADV_POPULATE_READ: case MADV_POPULATE_WRITE:
      return populate(v, start, end, advice);
    default:
      return {};  // WILLNEED: everything is in memory already
  }
}

long advise_reading(mm_struct* mm, unsigned long start, unsigned long end, int advice) {
  if (down_read_killable(&mm->mmap_lock)) return -EINTR;
  long err = 0;
  bool hole = false;
  for (unsigned long at = start; at < end;) {
    vm_area_struct* v = find_vma(mm, at);
    if (!v || v->vm_start > at) hole = true;
    if (!v || v->vm_start >= end) break;
    at = std::max(at, v->vm_start);
    unsigned long stop = std::min(end, v->vm_end);
    err = to_abi(advise_part(mm, v, at, stop, advice));
    if (err) break;
    at = stop;
  }
  up_read(&mm->mmap_lock);
  return err ? err : hole ? -ENOMEM : 0;
}

long advise_changing(mm_struct* mm, unsigned long start, unsigned long end, int advice) {
  if (down_write_killable(&mm->mmap_lock)) return -EINTR;
  long err = 0;
  bool hole = false;
  for (unsigned long at = start; at < end && !err;) {
    vm_area_struct* v = vma_tree_find(mm, at);
    if (!v || v->vm_start > at) hole = true;
    if (!v || v->vm_start >= end) break;
    at = std::max(at, v->vm_start);
    unsigned long stop = std::min(end, v->vm_end);
    Result<unsigned long> flags = flags_after(v, advice);
    if (!flags) {
      err = flags.error().neg();
    } else if (*flags != v->vm_flags) {
      Result<vm_area_struct*> part = vma_change_flags(v, at, stop, *flags);
      if (part) vma_merge_around(*part);
      else err = part.error().neg();
    }
    at = stop;
  }
  up_write(&mm->mmap_lock);
  return err ? err : hole ? -ENOMEM : 0;
}

}  // namespace

SYSCALL_DEFINE3(madvise, unsigned long, start, size_t, len, int, advice) {
  if (!known_advice(advice)) return -EINVAL;
  if (start & ~kPageMask) return -EINVAL;
  unsigned long bytes = page_align(len);
  if (len && !bytes) return -EINVAL;
  unsigned long end = start + bytes;
  if (end < start) return -EINVAL;
  if (end == start) return 0;
  mm_struct* mm = current->mm;
  return changes_areas(advice) ? advise_changing(mm, start, end, advice) : advise_reading(mm, start, end, advice);
}
