// mremap (spec 41 section 7, M-43).
// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

namespace {

struct Remap {
  mm_struct* mm;
  unsigned long addr, old_len, new_len, flags, new_addr;
  unsigned long populate_from = 0, populate_len = 0;
};

// The area at addr, if old_len may become new_len there as far as limits go.
Result<vm_area_struct*> area_to_grow(const Remap& r) {
  mm_struct* mm = r.mm;
  vm_area_struct* vma = vma_tree_find(mm, r.addr);
  if (!vma || vma->vm_start > r.addr) return fail(EFAULT);
  if (!r.old_len && !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE))) return fail(EINVAL);
  if ((r.flags & MREMAP_DONTUNMAP) && (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP))) return fail(EINVAL);
  if (r.old_len > vma->vm_end - r.addr) return fail(EFAULT);
  if (r.new_len == r.old_len) return vma;
  unsigned long pgoff = vma->vm_pgoff + ((r.addr - vma->vm_start) >> 12);
  if (pgoff + (r.new_len >> 12) < pgoff) return fail(EINVAL);
  if (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP)) return fail(EFAULT);
  unsigned long more = (r.new_len - r.old_len) >> 12;
  if ((vma->vm_flags & VM_LOCKED) && mm->locked_vm + more > rlimit(RLIMIT_MEMLOCK) >> 12 && !capable(CAP_IPC_LOCK))
    return fail(EAGAIN);
  if (!may_expand_vm(mm, vma->vm_flags, more)) return fail(ENOMEM);
  return vma;
}

void account_growth(mm_struct* mm, const vm_area_struct* vma, long pages) {
  vm_stat_account(mm, vma->vm_flags, pages);
  if (vma->vm_flags & VM_LOCKED) mm->locked_vm += pages;
}

// A copy of vma's kind for [to, to+len); not linked. The page offset of private anonymous memory follows its address.
vm_area_struct* copy_of_area(vm_area_struct* vma, unsigned long from, unsigned long to, unsigned long len) {
  vm_area_struct* n = vm_area_dup(vma);
  if (!n) return nullptr;
  n->vm_start = to;
  n->vm_end = to + len;
  bool anon = !vma->vm_file && !vma->vm_ops;
  n->vm_pgoff = anon ? to >> 12 : vma->vm_pgoff + ((from - vma->vm_start) >> 12);
  if (n->vm_file) get_file(n->vm_file);
  if (n->vm_ops && n->vm_ops->open) n->vm_ops->open(n);
  return n;
}

// Moves old_len bytes of vma to a free place of new_len bytes.
Result<unsigned long> move_area(Remap& r, vm_area_struct* vma, unsigned long to) {
  mm_struct* mm = r.mm;
  if (mm->map_count >= mm_settings.max_map_count - 3) return fail(ENOMEM);
  unsigned long flags = vma->vm_flags;
  long pages = r.new_len >> 12;
  bool charge = flags & VM_ACCOUNT;
  if (charge && !vm_enough_memory(mm, pages)) return fail(ENOMEM);
  vm_area_struct* n = copy_of_area(vma, r.addr, to, r.new_len);
  if (!n) {
    if (charge) vm_unacct_memory(pages);
    return fail(ENOMEM);
  }
  vm_area_struct* next = vma_tree_find(mm, to);
  vma_link(mm, n, next ? next->vm_prev : mm->mmap_last);
  account_growth(mm, n, pages);
  if (!move_page_tables(vma, r.addr, n, to, r.old_len)) {
    (void)move_page_tables(n, to, vma, r.addr, r.old_len);  // cannot fail: those tables are still there
    TRY(do_munmap(mm, to, r.new_len));
    return fail(ENOMEM);
  }
  unsigned long locked = flags & VM_LOCKED ? r.new_len : 0;
  if (r.flags & MREMAP_DONTUNMAP) {
    if (flags & VM_LOCKED) {
      mm->locked_vm -= vma_pages(vma);
      vma->vm_flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
    }
  } else if (r.old_len) {
    TRY(do_munmap(mm, r.addr, r.old_len));  // may split vma: not to be used any more
  }
  vma_merge_around(n);
  r.populate_from = to + r.old_len;
  r.populate_len = locked && r.new_len > r.old_len ? r.new_len - r.old_len : 0;
  return to;
}

Result<unsigned long> remap_to(Remap& r) {
  if (r.new_addr & ~kPageMask) return fail(EINVAL);
  if (r.new_len > kUserTop || r.new_addr > kUserTop - r.new_len) return fail(EINVAL);
  if (r.addr + r.old_len > r.new_addr && r.new_addr + r.new_len > r.addr) return fail(EINVAL);
  if (r.mm->map_count + 2 >= mm_settings.max_map_count - 3) return fail(ENOMEM);
  if (r.flags & MREMAP_FIXED) TRY(do_munmap(r.mm, r.new_addr, r.new_len));
  if (r.old_len > r.new_len) {
    TRY(do_munmap(r.mm, r.addr + r.new_len, r.old_len - r.new_len));
    r.old_len = r.new_len;
  }
  vm_area_struct* vma = TRY(area_to_grow(r));
  unsigned long map_flags = (r.flags & MREMAP_FIXED ? MAP_FIXED : 0) | (vma->vm_flags & VM_MAYSHARE ? MAP_SHARED : 0);
  unsigned long to = TRY(get_unmapped_area(vma->vm_file, r.new_addr, r.new_len, 0, map_flags));
  return move_area(r, vma, to);
}

bool hole_follows(const vm_area_struct* vma, unsigned long more) {
  unsigned long end = vma->vm_end + more;
  if (end < vma->vm_end || end > kUserTop) return false;
  return !vma->vm_next || vm_start_gap(vma->vm_next) >= end;
}

Result<unsigned long> grow_in_place(Remap& r, vm_area_struct* vma) {
  unsigned long more = r.new_len - r.old_len;
  long pages = more >> 12;
  if ((vma->vm_flags & VM_ACCOUNT) && !vm_enough_memory(r.mm, pages)) return fail(ENOMEM);
  vma_set_range(vma, vma->vm_start, vma->vm_end + more, vma->vm_pgoff);
  account_growth(r.mm, vma, pages);
  if (vma->vm_flags & VM_LOCKED) r.populate_from = r.addr + r.old_len, r.populate_len = more;
  vma_merge_around(vma);
  return r.addr;
}

Result<unsigned long> do_mremap(Remap& r) {
  vm_area_struct* vma = vma_tree_find(r.mm, r.addr);
  if (!vma || vma->vm_start > r.addr) return fail(EFAULT);
  if (r.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) return remap_to(r);
  if (r.old_len >= r.new_len) {
    if (r.old_len > r.new_len) TRY(do_munmap(r.mm, r.addr + r.new_len, r.old_len - r.new_len));
    return r.addr;
  }
  vma = TRY(area_to_grow(r));
  if (r.old_len == vma->vm_end - r.addr && hole_follows(vma, r.new_len - r.old_len)) return grow_in_place(r, vma);
  if (!(r.flags & MREMAP_MAYMOVE)) return fail(ENOMEM);
  unsigned long to = TRY(get_unmapped_area(vma->vm_file, 0, r.new_len, 0, vma->vm_flags & VM_MAYSHARE ? MAP_SHARED : 0));
  return move_area(r, vma, to);
}

// [start, start+len) of one shared area is to show other pages of its object.
Result<void> remap_pages(mm_struct* mm, unsigned long start, unsigned long len, unsigned long pgoff) {
  vm_area_struct* vma = vma_tree_find(mm, start);
  if (!vma || vma->vm_start > start || vma->vm_end < start + len || !(vma->vm_flags & VM_SHARED)) return fail(EINVAL);
  if (mm->map_count >= mm_settings.max_map_count - 2) return fail(ENOMEM);
  unsigned long flags = vma->vm_flags;
  vm_area_struct* n = copy_of_area(vma, start, start, len);
  if (!n) return fail(ENOMEM);
  n->vm_pgoff = pgoff;
  Result<void> r = do_munmap(mm, start, len);
  if (!r) {
    remove_vma(n);
    return r;
  }
  vm_area_struct* next = vma_tree_find(mm, start);
  vma_link(mm, n, next ? next->vm_prev : mm->mmap_last);
  account_growth(mm, n, len >> 12);
  if ((flags & VM_ACCOUNT) && !vm_enough_memory(mm, len >> 12)) n->vm_flags &= ~VM_ACCOUNT;  // it was charged until now
  vma_merge_around(n);
  return {};
}

}  // namespace

// Deprecated since 3.16, when Linux began to emulate it like this: by areas instead of single entries.
SYSCALL_DEFINE5(remap_file_pages, unsigned long, start, unsigned long, len, unsigned long, prot, unsigned long, pgoff,
                unsigned long, flags) {
  if (prot) return -EINVAL;
  start &= kPageMask;
  len &= kPageMask;
  if (start + len <= start || pgoff + (len >> 12) < pgoff) return -EINVAL;
  mm_struct* mm = current->mm;
  if (down_write_killable(&mm->mmap_lock)) return -EINTR;
  Result<void> r = remap_pages(mm, start, len, pgoff);
  up_write(&mm->mmap_lock);
  if (r && !(flags & MAP_NONBLOCK)) mm_populate(start, len);
  return to_abi(r);
}

SYSCALL_DEFINE5(mremap, unsigned long, addr, unsigned long, old_len, unsigned long, new_len, unsigned long, flags,
                unsigned long, new_addr) {
  if (flags & ~static_cast<unsigned long>(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) return -EINVAL;
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE)) return -EINVAL;
  if ((flags & MREMAP_DONTUNMAP) && old_len != new_len) return -EINVAL;
  if (addr & ~kPageMask) return -EINVAL;
  old_len = page_align(old_len);
  new_len = page_align(new_len);
  if (!new_len) return -EINVAL;
  Remap r{current->mm, addr, old_len, new_len, flags, flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? new_addr : 0};
  if (down_write_killable(&r.mm->mmap_lock)) return -EINTR;
  Result<unsigned long> at = do_mremap(r);
  up_write(&r.mm->mmap_lock);
  if (at && r.populate_len) mm_populate(r.populate_from, r.populate_len);
  return to_abi(at);
}
