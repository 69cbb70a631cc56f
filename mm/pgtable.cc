// Making and freeing page tables, and the cache of zeroed ones.
// A table is emptied entry by entry before it goes, so it comes back zeroed: the next user need not clear it again.
// SPDX-License-Identifier: Apache-2.0
#include "mm/pgtable.hh"

#include <linux/gfp.h>
#include <linux/spinlock.h>

#include "kernel/fault_inject.hh"
#include "kernel/sync/guards.hh"
#include "mm/internal.hh"

namespace {

// Unused, zeroed tables, linked through page->private_. count and first are read without the lock as hints.
struct TableCache {
  spinlock_t lock = __SPIN_LOCK_UNLOCKED(lock);
  unsigned count = 0, limit = 0;
  page* first = nullptr;

  void* take() {
    if (!READ_ONCE(first)) return nullptr;
    SpinGuard g(lock);
    page* p = first;
    if (!p) return nullptr;
    WRITE_ONCE(first, reinterpret_cast<page*>(p->private_));
    WRITE_ONCE(count, count - 1);
    return page_address(p);
  }
  bool put(page* p) {
    if (READ_ONCE(count) >= limit) return false;
    SpinGuard g(lock);
    p->private_ = reinterpret_cast<unsigned long>(first);
    WRITE_ONCE(first, p);
    WRITE_ONCE(count, count + 1);
    return true;
  }
};

constinit TableCache tables, pgds;

void* table_alloc() {
  if (should_fail(FailPoint::Page, "page table")) return nullptr;  // the cache would hide it
  if (void* t = tables.take()) return t;
  return reinterpret_cast<void*>(get_zeroed_page(GFP_KERNEL));
}

void table_free(page* p) {
  p->private_ = 0;
  if (!tables.put(p)) __free_page(p);
}

}  // namespace

void pgtable_caches_init() {
  tables = {};
  pgds = {};
  tables.limit = 64;
  pgds.limit = 16;
}

unsigned long pgtable_caches_shrink() {
  unsigned long n = 0;
  for (; void* t = tables.take(); n++) free_page(reinterpret_cast<unsigned long>(t));
  return n;
}

void pgtable_caches_drain() {
  while (void* t = tables.take()) free_page(reinterpret_cast<unsigned long>(t));
  while (void* t = pgds.take()) {
    arch::pgd_destroy(t);
    free_page(reinterpret_cast<unsigned long>(t));
  }
}

void* pgd_alloc() {
  if (should_fail(FailPoint::Page, "page directory")) return nullptr;
  if (void* pgd = pgds.take()) return pgd;
  void* pgd = reinterpret_cast<void*>(get_zeroed_page(GFP_KERNEL));
  if (!pgd) return nullptr;
  if (!arch::pgd_init(pgd)) {
    free_page(reinterpret_cast<unsigned long>(pgd));
    return nullptr;
  }
  return pgd;
}

void pgd_free(void* pgd) {
  if (pgds.put(virt_to_page(pgd))) return;
  arch::pgd_destroy(pgd);
  free_page(reinterpret_cast<unsigned long>(pgd));
}

pte_t* pte_alloc_slow(mm_struct* mm, unsigned long addr) {
  pte_t* table = static_cast<pte_t*>(mm->pgd);
  for (int level = 3; level > 0; level--) {
    pte_t* slot = &table[table_index(addr, level)];
    pte_t e = pte_read(slot);
    if (pte_none(e)) {
      void* fresh = table_alloc();
      if (!fresh) return nullptr;
      SpinGuard g(mm->page_table_lock);
      e = pte_read(slot);
      if (pte_none(e)) {
        // Release: whoever finds the table (the processor, a walker without the lock) finds it zeroed.
        e = make_table(arch::virt_to_phys(fresh));
        __atomic_store_n(&slot->val, e.val, __ATOMIC_RELEASE);
        atomic_long_add(kPageSize, &mm->pgtables_bytes);
      } else {
        table_free(virt_to_page(fresh));
      }
    }
    table = table_below(e);
  }
  return &table[table_index(addr, 0)];
}

// ---- TlbGather ----------------------------------------------------------------------------------------------------

void release_user_page(page* p) { put_page(p); }

namespace {

// How many of the next n entries are none. Sparse ranges are the rule (a stack, a heap), so four are looked at together.
inline unsigned long skip_none(const pte_t* pte, unsigned long n) {
  unsigned long i = 0;
  while (i + 4 <= n && !(READ_ONCE(pte[i].val) | READ_ONCE(pte[i + 1].val) | READ_ONCE(pte[i + 2].val) |
                         READ_ONCE(pte[i + 3].val)))
    i += 4;
  while (i < n && pte_none(pte_read(&pte[i]))) i++;
  return i;
}

// Pages by kind; most are of the first two, which stay in registers.
struct RssDelta {
  long anon = 0, file = 0, shmem = 0;

  void count(const page* p) {
    unsigned long f = READ_ONCE(p->flags);
    if (f & (1ul << PG_anon)) anon++;
    else if (f & (1ul << PG_swapbacked)) shmem++;
    else file++;
  }
  void apply(mm_struct* mm, int sign) const {
    if (anon) add_mm_counter(mm, MM_ANONPAGES, sign * anon);
    if (file) add_mm_counter(mm, MM_FILEPAGES, sign * file);
    if (shmem) add_mm_counter(mm, MM_SHMEMPAGES, sign * shmem);
  }
};

// An exiting mm's run: pages go at once, nothing is flushed. No lock: who else could change entries (a truncating thread)
// needs i_mmap_lock of an area that has left i_mmap.
void zap_run_of_dead_mm(pte_t* pte, unsigned long n, RssDelta* rss) {
  RssDelta r;
  for (unsigned long i = skip_none(pte, n); i < n; i++) {
    pte_t e = pte_read(&pte[i]);
    if (pte_none(e)) {
      i += skip_none(pte + i, n - i) - 1;
      continue;
    }
    pte_set(&pte[i], {0});
    if (pte_special(e)) continue;
    page* p = pte_page(e);
    r.count(p);
    put_page(p);
  }
  rss->anon += r.anon, rss->file += r.file, rss->shmem += r.shmem;
}

}  // namespace

void TlbGather::zap(unsigned long start, unsigned long end) {
  if (scope_ == WholeMm) {
    RssDelta rss;
    for_each_pte_run(mm_, start, end,
                     [&](pte_t* pte, unsigned long a, unsigned long e) { zap_run_of_dead_mm(pte, (e - a) >> 12, &rss); });
    return rss.apply(mm_, -1);
  }
  for_each_pte_run(mm_, start, end, [&](pte_t* pte, unsigned long a, unsigned long e) { zap_run(pte, a, e); });
}

void TlbGather::zap_run(pte_t* pte, unsigned long addr, unsigned long end) {
  RssDelta rss;
  unsigned long first = ~0ul, last = 0;
  while (addr < end) {
    cond_resched();
    {
      SpinGuard g(mm_->page_table_lock);
      for (; addr < end && count_ < kBatch; pte++, addr += kPageSize) {
        pte_t e = pte_read(pte);
        if (pte_none(e)) {
          unsigned long skip = skip_none(pte, (end - addr) >> 12) - 1;
          pte += skip;
          addr += skip << 12;
          continue;
        }
        if (which_ == FilePages && (pte_special(e) || page_is_anon(pte_page(e)))) continue;
        pte_set(pte, {0});
        if (first == ~0ul) first = addr;
        last = addr + kPageSize;
        if (pte_special(e)) continue;
        page* p = pte_page(e);
        rss.count(p);
        pages_[count_++] = p;
      }
    }
    if (last) note(first, last);
    if (count_ == kBatch) finish();
  }
  if (!last) return;
  update_hiwater_rss(mm_);
  rss.apply(mm_, -1);
}

void TlbGather::free_tables(unsigned long start, unsigned long end, unsigned long floor, unsigned long ceiling) {
  if (end <= start) return;
  // The usual small unmapping: a neighbour keeps the only table concerned.
  unsigned long low = start & ~(kTableSpan - 1), high = (end + kTableSpan - 1) & ~(kTableSpan - 1);
  if (floor > low) low += kTableSpan;
  if (ceiling < high) high -= kTableSpan;
  if (low >= high) return;
  SpinGuard g(mm_->page_table_lock);
  free_level(static_cast<pte_t*>(mm_->pgd), 3, 0, start, end, floor, ceiling);
}

// Frees the tables below `table` whose whole span lies within [floor, ceiling), as far as [start, end) touches them.
void TlbGather::free_level(pte_t* table, int level, unsigned long base, unsigned long start, unsigned long end,
                           unsigned long floor, unsigned long ceiling) {
  unsigned long span = kPageSize << (9 * level);
  unsigned long first = start > base ? (start - base) / span : 0;
  for (unsigned long i = first; i < PTRS_PER_TABLE && base + i * span < end; i++) {
    pte_t e = pte_read(&table[i]);
    if (pte_none(e)) continue;
    unsigned long at = base + i * span;
    if (level > 1) free_level(table_below(e), level - 1, at, start, end, floor, ceiling);
    if (at < floor || at + span > ceiling) continue;
    pte_set(&table[i], {0});
    page* p = phys_to_page(pte_phys(e));
    p->private_ = reinterpret_cast<unsigned long>(tables_);
    tables_ = p;
    tables_gone_ = true;
    atomic_long_sub(kPageSize, &mm_->pgtables_bytes);
    note(at, at + span);
  }
}

void TlbGather::finish() {
  if (start_ < end_) {
    // Freed tables may sit in paging-structure caches, of lazy CPUs too.
    if (tables_gone_) {
      arch::flush_tlb_mm(mm_);
    } else if (scope_ == Part) {
      arch::flush_tlb_range(mm_, start_, end_);
    }
  }
  for (unsigned i = 0; i < count_; i++) release_user_page(pages_[i]);
  while (page* t = tables_) {
    tables_ = reinterpret_cast<page*>(t->private_);
    table_free(t);
  }
  count_ = 0;
  start_ = ~0ul;
  end_ = 0;
  tables_gone_ = false;
}

// ---- Copying, moving, protecting ------------------------------------------------------------------------------------

namespace {

// One run of entries below one lowest table. Both page_table_locks held. True: an entry of the parent was protected.
template <bool kCow>
bool copy_run(pte_t* dst, pte_t* src, unsigned long n, RssDelta* rss) {
  RssDelta r;
  bool protected_some = false;
  for (unsigned long i = skip_none(src, n); i < n; i++) {
    pte_t e = pte_read(&src[i]);
    if (pte_none(e)) {
      i += skip_none(src + i, n - i) - 1;
      continue;
    }
    if (!pte_special(e)) {
      page* p = pte_page(e);
      get_page(p);
      r.count(p);
      if (kCow && pte_write(e)) {
        e = pte_wrprotect(e);
        pte_set(&src[i], e);
        protected_some = true;
      }
    }
    pte_set(&dst[i], pte_mkold(e));
  }
  rss->anon += r.anon, rss->file += r.file, rss->shmem += r.shmem;
  return protected_some;
}

}  // namespace

Result<bool> copy_page_range(vm_area_struct* dst, vm_area_struct* src) {
  mm_struct *from = src->vm_mm, *to = dst->vm_mm;
  bool cow = (src->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
  bool flush = false, no_memory = false;
  RssDelta rss;
  for_each_pte_run(from, src->vm_start, src->vm_end, [&](pte_t* s, unsigned long a, unsigned long e) {
    cond_resched();
    unsigned long n = (e - a) >> 12, none = skip_none(s, n);  // no table for nothing
    if (none == n || no_memory) return;
    pte_t* d = pte_alloc(to, a);
    if (!d) {
      no_memory = true;
      return;
    }
    SpinGuard g(from->page_table_lock);
    spin_lock_nested(&to->page_table_lock, SINGLE_DEPTH_NESTING);
    flush |= cow ? copy_run<true>(d + none, s + none, n - none, &rss) : copy_run<false>(d + none, s + none, n - none, &rss);
    spin_unlock(&to->page_table_lock);
  });
  rss.apply(to, 1);
  if (no_memory) {
    if (flush) arch::flush_tlb_mm(from);
    return fail(ENOMEM);
  }
  return flush;
}

bool move_page_tables(vm_area_struct* vma, unsigned long from, vm_area_struct* to_vma, unsigned long to,
                      unsigned long len) {
  mm_struct* mm = vma->vm_mm;
  bool ok = true;
  for_each_pte_run(mm, from, from + len, [&](pte_t* src, unsigned long a, unsigned long e) {
    while (ok && a < e) {
      unsigned long target = to + (a - from);
      unsigned long room = kTableSpan - (target & (kTableSpan - 1));
      unsigned long piece = e - a < room ? e - a : room;
      pte_t* dst = pte_alloc(mm, target);
      if (!dst) {
        ok = false;
        return;
      }
      SpinGuard g(mm->page_table_lock);
      for (unsigned long i = 0; i < piece / kPageSize; i++, src++) {
        pte_t x = pte_read(src);
        if (pte_none(x)) continue;
        pte_set(src, {0});
        pte_set(dst + i, x);
      }
      a += piece;
    }
  });
  arch::flush_tlb_range(mm, from, from + len);
  return ok;
}

bool change_protection(vm_area_struct* vma, unsigned long start, unsigned long end) {
  mm_struct* mm = vma->vm_mm;
  bool changed = false;
  for_each_pte_run(mm, start, end, [&](pte_t* pte, unsigned long a, unsigned long e) {
    SpinGuard g(mm->page_table_lock);
    for (; a < e; a += kPageSize, pte++) {
      pte_t old = pte_read(pte);
      if (pte_none(old)) continue;
      // A page that was writable is this area's own; one that was not gets the right from the next fault.
      pte_t now = vma_pte(vma, pte_phys(old), pte_write(old), pte_dirty(old), pte_special(old));
      if (!pte_young(old)) now = pte_mkold(now);
      if (now.val == old.val) continue;
      pte_set(pte, now);
      changed = true;
    }
  });
  return changed;
}
