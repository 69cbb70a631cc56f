// Areas: making, linking, splitting and merging them (spec 41 section 3).
// SPDX-License-Identifier: Apache-2.0
#include <linux/slab.h>

#include "fs/vfs/vfs.hh"
#include "mm/filemap.hh"
#include "mm/internal.hh"
#include "mm/vma_tree.hh"

namespace {
constinit kmem_cache* vma_cachep;
}

bool vma_caches_init() {
  vma_cachep = kmem_cache_create("vm_area_struct", sizeof(vm_area_struct), alignof(vm_area_struct), SLAB_ACCOUNT, nullptr);
  return vma_cachep;
}
void vma_caches_exit() {
  kmem_cache_destroy(vma_cachep);
  vma_cachep = nullptr;
}

vm_area_struct* vm_area_alloc(mm_struct* mm) {
  auto* vma = static_cast<vm_area_struct*>(kmem_cache_alloc(vma_cachep, GFP_KERNEL));
  if (!vma) return nullptr;
  *vma = {};
  vma->vm_mm = mm;
  INIT_LIST_HEAD(&vma->i_mmap_link);
  return vma;
}

vm_area_struct* vm_area_dup(const vm_area_struct* from) {
  auto* vma = static_cast<vm_area_struct*>(kmem_cache_alloc(vma_cachep, GFP_KERNEL));
  if (!vma) return nullptr;
  data_race((*vma = *from, 0));  // i_mmap_link may change meanwhile, by its neighbours; we begin our own
  INIT_LIST_HEAD(&vma->i_mmap_link);
  return vma;
}

void vm_area_free(vm_area_struct* vma) { kmem_cache_free(vma_cachep, vma); }

void vma_attach_file(vm_area_struct* vma) {
  address_space* m = vma_mapping(vma);
  if (!m) return;
  if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE)) atomic_inc(&m->i_mmap_writable);
  SpinGuard g(m->i_mmap_lock);
  list_add_tail(&vma->i_mmap_link, &m->i_mmap);
}

void vma_detach_file(vm_area_struct* vma) {
  address_space* m = vma_mapping(vma);
  if (!m) return;
  if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE)) atomic_dec(&m->i_mmap_writable);
  SpinGuard g(m->i_mmap_lock);
  list_del_init(&vma->i_mmap_link);
}

void vma_link(mm_struct* mm, vm_area_struct* vma, vm_area_struct* prev) {
  vma_tree_insert(mm, vma, prev);
  vma_attach_file(vma);
}

void remove_vma(vm_area_struct* vma) {
  if (vma->vm_ops && vma->vm_ops->close) vma->vm_ops->close(vma);
  if (vma->vm_file) fput(vma->vm_file);
  vm_area_free(vma);
}

void vma_set_range(vm_area_struct* vma, unsigned long start, unsigned long end, unsigned long pgoff) {
  // A truncating thread reads the range under i_mmap_lock alone.
  address_space* m = vma_mapping(vma);
  if (m) spin_lock(&m->i_mmap_lock);
  vma->vm_start = start;
  vma->vm_end = end;
  vma->vm_pgoff = pgoff;
  if (m) spin_unlock(&m->i_mmap_lock);
  vma_tree_gap_changed(vma);
}

Result<vm_area_struct*> split_vma(vm_area_struct* vma, unsigned long addr) {
  mm_struct* mm = vma->vm_mm;
  if (mm->map_count >= mm_settings.max_map_count) return fail(ENOMEM);  // M-5
  vm_area_struct* upper = vm_area_dup(vma);
  if (!upper) return fail(ENOMEM);
  upper->vm_start = addr;
  upper->vm_pgoff += (addr - vma->vm_start) >> 12;
  if (upper->vm_file) get_file(upper->vm_file);
  if (upper->vm_ops && upper->vm_ops->open) upper->vm_ops->open(upper);
  vma_set_range(vma, vma->vm_start, addr, vma->vm_pgoff);
  vma_link(mm, upper, vma);
  return upper;
}

namespace {

bool same_kind(const vm_area_struct* vma, unsigned long flags, const file* f) {
  return ((vma->vm_flags ^ flags) & ~VM_SOFTDIRTY) == 0 && !(flags & VM_SPECIAL) && vma->vm_file == f &&
         !(vma->vm_ops && vma->vm_ops->close);
}

}  // namespace

bool vma_can_merge(const vm_area_struct* a, const vm_area_struct* b) {
  return a->vm_end == b->vm_start && same_kind(a, b->vm_flags, b->vm_file) && a->vm_ops == b->vm_ops &&
         !(b->vm_ops && b->vm_ops->close) && a->vm_private_data == b->vm_private_data &&
         a->vm_pgoff + vma_pages(a) == b->vm_pgoff;
}

namespace {

// a swallows b, which follows it.
void merge_pair(vm_area_struct* a, vm_area_struct* b) {
  mm_struct* mm = a->vm_mm;
  unsigned long end = b->vm_end;
  if (READ_ONCE(b->vm_has_anon)) WRITE_ONCE(a->vm_has_anon, true);
  vma_detach_file(b);
  vma_tree_remove(mm, b);
  if (READ_ONCE(mm->vma_cache) == b) WRITE_ONCE(mm->vma_cache, nullptr);
  vma_set_range(a, a->vm_start, end, a->vm_pgoff);
  remove_vma(b);
}

}  // namespace

vm_area_struct* vma_merge_around(vm_area_struct* vma) {
  if (vma->vm_next && vma_can_merge(vma, vma->vm_next)) merge_pair(vma, vma->vm_next);
  vm_area_struct* prev = vma->vm_prev;
  if (!prev || !vma_can_merge(prev, vma)) return vma;
  merge_pair(prev, vma);
  return prev;
}

vm_area_struct* vma_try_extend(mm_struct* mm, vm_area_struct* prev, unsigned long start, unsigned long end,
                               unsigned long flags, struct file* f, unsigned long pgoff) {
  vm_area_struct* next = prev ? prev->vm_next : mm->mmap;
  auto fits = [&](const vm_area_struct* v) { return same_kind(v, flags, f) && (f || !v->vm_ops); };
  if (prev && prev->vm_end == start && fits(prev) && prev->vm_pgoff + vma_pages(prev) == pgoff) {
    vma_set_range(prev, prev->vm_start, end, prev->vm_pgoff);
    if (next && vma_can_merge(prev, next)) merge_pair(prev, next);
    return prev;
  }
  if (next && next->vm_start == end && fits(next) && pgoff + ((end - start) >> 12) == next->vm_pgoff) {
    vma_set_range(next, start, next->vm_end, pgoff);
    return next;
  }
  return nullptr;
}

Result<vm_area_struct*> vma_change_flags(vm_area_struct* vma, unsigned long start, unsigned long end,
                                         unsigned long flags) {
  if (start > vma->vm_start) vma = TRY(split_vma(vma, start));
  if (end < vma->vm_end) {
    auto upper = split_vma(vma, end);
    if (!upper) {
      vma_merge_around(vma);  // undo the first split
      return fail(upper.error().code());
    }
  }
  // i_mmap_writable follows VM_MAYWRITE, which no caller changes.
  WRITE_ONCE(vma->vm_flags, flags);
  return vma;
}
