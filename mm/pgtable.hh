// Page tables of user address spaces: finding, making and freeing tables, and operations on ranges of entries. Generic over
// <arch/pgtable.hh>. Private to mm/ (fork, faults, unmapping).
//
// Tables are made under mmap_lock held for reading and freed under it held for writing, so whoever holds it may walk without
// page_table_lock; entries of all levels are changed under page_table_lock. A truncating thread (unmap_mapping_range) walks
// without mmap_lock: it holds i_mmap_lock, and areas leave i_mmap before their tables are freed.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/page-flags.h>
#include <linux/page_ref.h>

#include <arch/pgtable.hh>
#include <span>

#include "arch/contract/arch.hh"
#include "mm/mm_struct.hh"
#include "mm/page_address.hh"

inline constexpr unsigned long kPageSize = 4096, kPageMask = ~(kPageSize - 1);
inline constexpr unsigned long kTableSpan = 512 * kPageSize;  // what one lowest table maps
constexpr unsigned long page_align(unsigned long a) { return (a + kPageSize - 1) & kPageMask; }

// Acquire and release: who sees an entry sees the cleared table or the filled page it points to.
inline pte_t pte_read(const pte_t* p) { return {__atomic_load_n(&p->val, __ATOMIC_ACQUIRE)}; }
inline void pte_set(pte_t* p, pte_t e) { __atomic_store_n(&p->val, e.val, __ATOMIC_RELEASE); }
inline page* pte_page(pte_t e) { return phys_to_page(pte_phys(e)); }
inline pte_t* table_below(pte_t e) { return static_cast<pte_t*>(arch::phys_to_virt(pte_phys(e))); }
// A page kept in an area without any access right: in no CPU's eyes there, but not lost (pte_hide in <arch/pgtable.hh>).
inline bool pte_has_page(pte_t e) { return !pte_none(e) && !pte_special(e); }

// The entry that maps addr, or null if a table on the way is missing; then *missing_span is the size of what is not there.
inline pte_t* pte_find(const mm_struct* mm, unsigned long addr, unsigned long* missing_span = nullptr) {
  pte_t* table = static_cast<pte_t*>(mm->pgd);
  for (int level = 3; level > 0; level--) {
    pte_t e = pte_read(&table[table_index(addr, level)]);
    if (pte_none(e)) [[unlikely]] {
      if (missing_span) *missing_span = kPageSize << (9 * level);
      return nullptr;
    }
    table = table_below(e);
  }
  return &table[table_index(addr, 0)];
}
pte_t* pte_alloc_slow(mm_struct* mm, unsigned long addr);
// The same, making tables as needed; null: no memory. May sleep; mmap_lock held.
inline pte_t* pte_alloc(mm_struct* mm, unsigned long addr) {
  pte_t* p = pte_find(mm, addr);
  return p ? p : pte_alloc_slow(mm, addr);
}

// Calls visit(first entry, its address, end of the piece) for each piece of [start, end) that has a lowest table.
template <class F>
inline void for_each_pte_run(const mm_struct* mm, unsigned long start, unsigned long end, F&& visit) {
  while (start < end) {
    unsigned long span = kTableSpan;
    pte_t* pte = pte_find(mm, start, &span);
    unsigned long next = (start + span) & ~(span - 1);
    if (next > end) next = end;
    if (pte) visit(pte, start, next);
    start = next;
  }
}

// The entry for a page of vma with all the rights of the area. Private pages may be written at once only if `write`.
inline pte_t vma_pte(const vm_area_struct* vma, phys_addr_t phys, bool write, bool dirty, bool special = false) {
  unsigned long f = vma->vm_flags;
  pte_t e = make_pte(phys, {.write = write && (f & VM_WRITE), .exec = (f & VM_EXEC) != 0, .user = true, .dirty = dirty,
                            .young = true, .special = special});
  return f & (VM_READ | VM_WRITE | VM_EXEC) ? e : pte_hide(e);
}

// Top-level tables, with the kernel's half in place. Kept zeroed in a small cache between uses.
void* pgd_alloc();  // null: no memory. May sleep
void pgd_free(void* pgd);

// Pages and tables on their way out: they are given back only after the TLBs have forgotten them (M-92).
class TlbGather {
 public:
  enum Scope : unsigned char { Part, WholeMm };  // WholeMm: nobody can run in it any more, so pages need not wait
  enum Pages : unsigned char { All, FilePages };
  explicit TlbGather(mm_struct* mm, Scope scope = Part, Pages pages = All) : mm_(mm), scope_(scope), which_(pages) {}
  ~TlbGather() { finish(); }
  TlbGather(const TlbGather&) = delete;

  // Clears [start, end) and takes the pages over. mmap_lock held, or i_mmap_lock of an area that covers the range.
  void zap(unsigned long start, unsigned long end);
  // Frees the tables that [start, end) uses and that map nothing outside of it within [floor, ceiling).
  void free_tables(unsigned long start, unsigned long end, unsigned long floor, unsigned long ceiling);
  void finish();

 private:
  static constexpr unsigned kBatch = 32;
  void zap_run(pte_t* pte, unsigned long addr, unsigned long end);  // Part
  void free_level(pte_t* table, int level, unsigned long base, unsigned long start, unsigned long end,
                  unsigned long floor, unsigned long ceiling);
  void note(unsigned long start, unsigned long end) {
    if (start < start_) start_ = start;
    if (end > end_) end_ = end;
  }

  mm_struct* mm_;
  Scope scope_;
  Pages which_;
  bool tables_gone_ = false;
  unsigned count_ = 0;
  unsigned long start_ = ~0ul, end_ = 0;
  page* tables_ = nullptr;  // linked by page->private_
  page* pages_[kBatch];
};

void release_user_page(page* p);  // put_page for a page that a page-table entry referred to

// fork: the child's area gets the parent's pages of src, write-protected on both sides if private. True if the parent's
// TLB must be flushed. ENOMEM. Both mmap_locks held for writing.
Result<bool> copy_page_range(vm_area_struct* dst, vm_area_struct* src);
// mremap: moves entries; false if a table could not be made (then some have been moved).
bool move_page_tables(vm_area_struct* vma, unsigned long from, vm_area_struct* to_vma, unsigned long to, unsigned long len);
// mprotect: gives present entries of the range the rights of vma->vm_flags; returns whether any changed.
bool change_protection(vm_area_struct* vma, unsigned long start, unsigned long end);

extern page* zero_page;  // all zero, read-only, mapped without reference (special entries)
