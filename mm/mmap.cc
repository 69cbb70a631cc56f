// Making and removing mappings (spec 41 section 6). All functions here run with mmap_lock of current->mm held for writing.
// SPDX-License-Identifier: Apache-2.0
#include "mm/mmap.hh"

#include <array>

#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "mm/filemap.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

namespace {

constexpr unsigned long kTaskSize = kUserTop;

bool legacy_layout(const mm_struct* mm) { return mm->flags & MMF_LEGACY_LAYOUT; }

bool hint_fits(mm_struct* mm, unsigned long addr, unsigned long len) {
  if (addr < mm_settings.mmap_min_addr || len > kTaskSize || addr > kTaskSize - len) return false;
  vm_area_struct* next = vma_tree_find(mm, addr);
  return !next || (addr + len <= vm_start_gap(next) && addr < next->vm_start);
}

// M-3
Result<unsigned long> search_place(mm_struct* mm, unsigned long len, unsigned long flags) {
  unsigned long low = page_align(std::max(mm_settings.mmap_min_addr, kPageSize));
  unsigned long at = ~0ul;
  if (flags & MAP_32BIT) {
    at = vma_tree_hole_from_bottom(mm, len, 0x40000000, 0x80000000);
    return at == ~0ul ? Result<unsigned long>(fail(ENOMEM)) : at;
  }
  if (!legacy_layout(mm)) at = vma_tree_hole_from_top(mm, len, low, mm->mmap_base);
  if (at == ~0ul) {
    unsigned long base = legacy_layout(mm) ? mm->mmap_base : page_align(kTaskSize / 3);
    at = vma_tree_hole_from_bottom(mm, len, base, kTaskSize);
  }
  if (at == ~0ul) return fail(ENOMEM);
  return at;
}

Result<void> check_fixed(unsigned long addr, unsigned long len) {
  if (addr > kTaskSize - len) return fail(ENOMEM);
  if (addr & ~kPageMask) return fail(EINVAL);
  if (addr < mm_settings.mmap_min_addr && !capable(CAP_SYS_RAWIO)) return fail(EPERM);
  return {};
}

unsigned long prot_to_vm_flags(unsigned long prot, unsigned long flags) {
  return (prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) | (flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0ul) |
         (flags & MAP_LOCKED ? VM_LOCKED : 0ul);
}

// Rows 11 to 18 of the table.
Result<unsigned long> file_vm_flags(file* f, unsigned long prot, unsigned long flags, unsigned long vm_flags) {
  switch (flags & MAP_TYPE) {
    case MAP_SHARED_VALIDATE:
      if (flags & MAP_SYNC) return fail(EOPNOTSUPP);
      [[fallthrough]];
    case MAP_SHARED:
      if ((prot & PROT_WRITE) && !(f->f_mode & FMODE_WRITE)) return fail(EACCES);
      vm_flags |= VM_SHARED | VM_MAYSHARE;
      if (!(f->f_mode & FMODE_WRITE)) vm_flags &= ~(VM_MAYWRITE | VM_SHARED);  // M-4
      break;
    case MAP_PRIVATE:
      break;
    default:
      return fail(EINVAL);
  }
  if (!(f->f_mode & FMODE_READ)) return fail(EACCES);
  if (f->f_path.mnt && (f->f_path.mnt->mnt_flags & MNT_NOEXEC)) {
    if (vm_flags & VM_EXEC) return fail(EPERM);
    vm_flags &= ~VM_MAYEXEC;
  }
  if (!f->f_op->mmap) return fail(ENODEV);
  if (vm_flags & VM_GROWSDOWN) return fail(EINVAL);
  return vm_flags;
}

Result<unsigned long> anon_vm_flags(unsigned long flags, unsigned long vm_flags) {
  switch (flags & MAP_TYPE) {
    case MAP_SHARED:
      if (vm_flags & VM_GROWSDOWN) return fail(EINVAL);
      return vm_flags | VM_SHARED | VM_MAYSHARE;
    case MAP_PRIVATE:
      return vm_flags;
    default:
      return fail(EINVAL);
  }
}

unsigned long mapped_pages_in(mm_struct* mm, unsigned long start, unsigned long end) {
  unsigned long n = 0;
  for (vm_area_struct* v = vma_tree_find(mm, start); v && v->vm_start < end; v = v->vm_next)
    n += std::min(end, v->vm_end) - std::max(start, v->vm_start);
  return n >> 12;
}

Result<void> check_space(mm_struct* mm, unsigned long start, unsigned long end, unsigned long vm_flags) {
  unsigned long pages = (end - start) >> 12;
  if (may_expand_vm(mm, vm_flags, pages)) return {};
  if (may_expand_vm(mm, vm_flags, pages - mapped_pages_in(mm, start, end))) return {};
  return fail(ENOMEM);
}

void account_new(mm_struct* mm, unsigned long vm_flags, long pages) {
  vm_stat_account(mm, vm_flags, pages);
  if (vm_flags & VM_LOCKED) mm->locked_vm += pages;
}

// Gives an area its file, or its anonymous shared object.
Result<void> open_backing(vm_area_struct* vma, file* f) {
  if (f) {
    vma->vm_file = get_file(f);
    int err = f->f_op->mmap(f, vma);
    if (!err) return {};
    vma->vm_file = nullptr;
    fput(f);
    return fail(-err);
  }
  if (vma->vm_flags & VM_SHARED) return shmem_zero_setup(vma);
  return {};
}

// Rows 20 to 22; [addr, addr+len) is free afterwards in any case that got past row 20 (M-35).
Result<unsigned long> mmap_region(mm_struct* mm, file* f, unsigned long addr, unsigned long len, unsigned long vm_flags,
                                  unsigned long pgoff) {
  unsigned long end = addr + len;
  long pages = len >> 12;
  TRY(check_space(mm, addr, end, vm_flags));
  vm_area_struct* next = vma_tree_find(mm, addr);
  if (next && next->vm_start < end) {
    TRY(do_munmap(mm, addr, len));
    next = vma_tree_find(mm, addr);
  }
  bool charged = false;
  bool shared_anon = !f && (vm_flags & VM_SHARED);
  if (accountable_mapping(vm_flags)) {  // shared memory is charged to its object
    if (!vm_enough_memory(mm, pages)) return fail(ENOMEM);
    charged = true;
    vm_flags |= VM_ACCOUNT;
  }
  vm_area_struct* prev = next ? next->vm_prev : mm->mmap_last;
  if (!shared_anon && vma_try_extend(mm, prev, addr, end, vm_flags, f, pgoff)) {
    account_new(mm, vm_flags, pages);
    return addr;
  }
  vm_area_struct* vma = vm_area_alloc(mm);
  Result<void> opened = fail(ENOMEM);
  if (vma) {
    vma->vm_start = addr;
    vma->vm_end = end;
    vma->vm_flags = vm_flags;
    vma->vm_pgoff = pgoff;
    opened = open_backing(vma, f);
    if (!opened) vm_area_free(vma);
  }
  if (!opened) {
    if (charged) vm_unacct_memory(pages);
    return fail(opened.error().code());
  }
  vma_link(mm, vma, prev);
  account_new(mm, vma->vm_flags, pages);
  return addr;
}

Result<void> may_lock_more(const mm_struct* mm, unsigned long vm_flags, unsigned long len) {
  if (!(vm_flags & VM_LOCKED)) return {};
  if (mm->locked_vm + (len >> 12) > rlimit(RLIMIT_MEMLOCK) >> 12 && !capable(CAP_IPC_LOCK)) return fail(EAGAIN);
  return {};
}

bool path_allows_exec(const file* f) { return !f || !f->f_path.mnt || !(f->f_path.mnt->mnt_flags & MNT_NOEXEC); }

}  // namespace

Result<unsigned long> get_unmapped_area(struct file* f, unsigned long addr, unsigned long len, unsigned long pgoff,
                                        unsigned long flags) {
  mm_struct* mm = current->mm;
  if (len > kTaskSize) return fail(ENOMEM);
  if (flags & MAP_FIXED) {
    TRY(check_fixed(addr, len));
    return addr;
  }
  if (addr) {
    addr = page_align(addr);
    if (hint_fits(mm, addr, len)) return addr;
  }
  return search_place(mm, len, flags);
}

Result<unsigned long> do_mmap(struct file* f, unsigned long addr, unsigned long len, unsigned long prot,
                              unsigned long flags, unsigned long pgoff, unsigned long* populate) {
  mm_struct* mm = current->mm;
  *populate = 0;
  if (!len) return fail(EINVAL);
  if ((prot & PROT_READ) && (current->personality & PER_READ_IMPLIES_EXEC) && path_allows_exec(f)) prot |= PROT_EXEC;
  if (flags & MAP_FIXED_NOREPLACE) flags |= MAP_FIXED;
  if (!(flags & MAP_FIXED) && addr) addr = std::max(addr & kPageMask, mm_settings.mmap_min_addr);
  len = page_align(len);
  if (!len) return fail(ENOMEM);
  if (pgoff + (len >> 12) < pgoff) return fail(EOVERFLOW);
  if (mm->map_count > mm_settings.max_map_count) return fail(ENOMEM);
  addr = TRY(get_unmapped_area(f, addr, len, pgoff, flags));
  if (flags & MAP_FIXED_NOREPLACE) {
    vm_area_struct* next = vma_tree_find(mm, addr);
    if (next && next->vm_start < addr + len) return fail(EEXIST);
  }
  unsigned long vm_flags = prot_to_vm_flags(prot, flags) | mm->def_flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  if ((flags & MAP_LOCKED) && !can_do_mlock()) return fail(EPERM);
  TRY(may_lock_more(mm, vm_flags, len));
  vm_flags = f ? TRY(file_vm_flags(f, prot, flags, vm_flags)) : TRY(anon_vm_flags(flags, vm_flags));
  if (!f) pgoff = vm_flags & VM_SHARED ? 0 : addr >> 12;
  if ((flags & MAP_NORESERVE) && mm_settings.overcommit_memory != 2) vm_flags |= VM_NORESERVE;
  addr = TRY(mmap_region(mm, f, addr, len, vm_flags, pgoff));
  if ((vm_flags & VM_LOCKED) || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE) *populate = len;
  return addr;
}

Result<void> do_brk_flags(mm_struct* mm, unsigned long addr, unsigned long len, unsigned long extra_flags) {
  unsigned long flags = VM_DATA_DEFAULT | VM_ACCOUNT | mm->def_flags | extra_flags;
  TRY(check_fixed(addr, len));
  TRY(may_lock_more(mm, flags, len));
  vm_area_struct* next = vma_tree_find(mm, addr);
  TRY(check_space(mm, addr, addr + len, flags));
  if (next && next->vm_start < addr + len) {
    TRY(do_munmap(mm, addr, len));
    next = vma_tree_find(mm, addr);
  }
  if (mm->map_count > mm_settings.max_map_count) return fail(ENOMEM);
  long pages = len >> 12;
  if (!vm_enough_memory(mm, pages)) return fail(ENOMEM);
  vm_area_struct* prev = next ? next->vm_prev : mm->mmap_last;
  if (!vma_try_extend(mm, prev, addr, addr + len, flags, nullptr, addr >> 12)) {
    vm_area_struct* vma = vm_area_alloc(mm);
    if (!vma) {
      vm_unacct_memory(pages);
      return fail(ENOMEM);
    }
    vma->vm_start = addr;
    vma->vm_end = addr + len;
    vma->vm_flags = flags;
    vma->vm_pgoff = addr >> 12;
    vma_link(mm, vma, prev);
  }
  account_new(mm, flags, pages);
  return {};
}

// ---- Removing ---------------------------------------------------------------------------------------------------------

namespace {

struct Removed {
  vm_area_struct* whole = nullptr;  // linked by vm_next
  long unaccount = 0;
};

// Takes [start, end) out of one area that overlaps it; a hole in the middle has been split before.
void cut_area(mm_struct* mm, vm_area_struct* vma, unsigned long start, unsigned long end, Removed* out) {
  unsigned long from = std::max(start, vma->vm_start), to = std::min(end, vma->vm_end);
  long pages = (to - from) >> 12;
  vm_stat_account(mm, vma->vm_flags, -pages);
  if (vma->vm_flags & VM_LOCKED) mm->locked_vm -= pages;
  if (vma->vm_flags & VM_ACCOUNT) out->unaccount += pages;
  if (from == vma->vm_start && to == vma->vm_end) {
    vma_detach_file(vma);
    vma_tree_remove(mm, vma);
    if (READ_ONCE(mm->vma_cache) == vma) WRITE_ONCE(mm->vma_cache, nullptr);
    vma->vm_next = out->whole;
    out->whole = vma;
  } else if (from == vma->vm_start) {
    vma_set_range(vma, to, vma->vm_end, vma->vm_pgoff + pages);
  } else {
    vma_set_range(vma, vma->vm_start, from, vma->vm_pgoff);
  }
}

}  // namespace

Result<void> do_munmap(mm_struct* mm, unsigned long start, size_t len) {
  if ((start & ~kPageMask) || start > kTaskSize || len > kTaskSize - start) return fail(EINVAL);
  unsigned long end = start + page_align(len);
  if (end == start) return fail(EINVAL);
  vm_area_struct* vma = vma_tree_find(mm, start);
  if (!vma || vma->vm_start >= end) return {};
  if (vma->vm_start < start && vma->vm_end > end) vma = TRY(split_vma(vma, end))->vm_prev;  // the only thing that can fail

  Removed removed;
  while (vma && vma->vm_start < end) {
    vm_area_struct* next = vma->vm_end > end ? vma : vma->vm_next;  // one that loses its head follows the range
    cut_area(mm, vma, start, end, &removed);
    vma = next;
  }
  // vma is what follows; areas have left tree and i_mmap, so nobody else finds the range any more.
  {
    vm_area_struct* prev = vma ? vma->vm_prev : mm->mmap_last;
    TlbGather gather(mm);
    gather.zap(start, end);
    gather.free_tables(start, end, prev ? prev->vm_end : 0, vma ? vma->vm_start : ~0ul);
  }
  vm_unacct_memory(removed.unaccount);
  while (vm_area_struct* dead = removed.whole) {
    removed.whole = dead->vm_next;
    remove_vma(dead);
  }
  return {};
}

// ---- Stacks -------------------------------------------------------------------------------------------------------------

Result<void> expand_stack(vm_area_struct* vma, unsigned long addr) {
  mm_struct* mm = vma->vm_mm;
  addr &= kPageMask;
  if (addr >= vma->vm_start) return {};
  if (addr < mm_settings.mmap_min_addr) return fail(EPERM);
  const vm_area_struct* prev = vma->vm_prev;
  if (prev && prev->vm_end > addr) return fail(ENOMEM);
  // the gap is kept to what can be accessed and is no stack itself.
  if (prev && !(prev->vm_flags & VM_GROWSDOWN) && (prev->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) &&
      addr - prev->vm_end < kStackGuardGap)
    return fail(ENOMEM);
  unsigned long grow = (vma->vm_start - addr) >> 12;
  if (vma->vm_end - addr > rlimit(RLIMIT_STACK)) return fail(ENOMEM);
  if (grow > vma->vm_pgoff) return fail(ENOMEM);
  if (!may_expand_vm(mm, vma->vm_flags, grow)) return fail(ENOMEM);
  if (!may_lock_more(mm, vma->vm_flags, grow << 12)) return fail(ENOMEM);
  if (!vm_enough_memory(mm, grow)) return fail(ENOMEM);
  vma_set_range(vma, addr, vma->vm_end, vma->vm_pgoff - grow);
  account_new(mm, vma->vm_flags, grow);
  return {};
}

// ---- Layout (M-1, M-2) ----------------------------------------------------------------------------------------------------

void arch_pick_mmap_layout(mm_struct* mm, const struct rlimit& stack) {
  bool random = current->flags & PF_RANDOMIZE;
  unsigned long rnd = random ? (get_random_long() & ((1ul << 28) - 1)) << 12 : 0;
  mm->task_size = kTaskSize;
  if ((current->personality & PER_ADDR_COMPAT_LAYOUT) || mm_settings.legacy_va_layout) {
    mm->flags |= MMF_LEGACY_LAYOUT;
    mm->mmap_base = page_align(kTaskSize / 3) + rnd;
    return;
  }
  constexpr unsigned long kMaxStackRandom = 0x3ffffful << 12;
  unsigned long pad = kStackGuardGap + (random ? kMaxStackRandom : 0);
  unsigned long gap = stack.rlim_cur;
  if (gap + pad > gap) gap += pad;
  gap = std::min(std::max(gap, 128ul << 20), kTaskSize / 6 * 5);
  mm->mmap_base = page_align(kTaskSize - gap - rnd);
}
