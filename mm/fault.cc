// Page faults: what a touch of a user address means (spec 41 section 8; the rows of its table are M-57.n).
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>

#include "kernel/signal/signal.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"

namespace {

constexpr int kSegvMapErr = 1, kSegvAccErr = 2, kBusAdrErr = 2;
constexpr unsigned kAroundPages = 16;  // of which a read fault maps those at hand (64 KiB)

Result<void> signal(FaultInfo* info, int signo, int code) {
  info->signo = signo;
  info->si_code = code;
  return fail(EFAULT);
}

page* new_anon_page(gfp_t more) {
  page* p = alloc_page(GFP_HIGHUSER_MOVABLE | more);
  if (p) WRITE_ONCE(p->flags, p->flags | 1ul << PG_anon);  // ours alone yet
  return p;
}

// Puts an entry where none is; false: somebody else was faster.
bool install(vm_area_struct* vma, pte_t* pte, pte_t entry) {
  SpinGuard g(vma->vm_mm->page_table_lock);
  if (!pte_none(pte_read(pte))) return false;
  pte_set(pte, entry);
  return true;
}

void note_anon(vm_area_struct* vma) {
  if (!READ_ONCE(vma->vm_has_anon)) WRITE_ONCE(vma->vm_has_anon, true);
}

Result<void> anonymous_fault(vm_area_struct* vma, pte_t* pte, bool write) {
  note_anon(vma);
  if (!write) {
    install(vma, pte, vma_pte(vma, page_to_phys(zero_page), false, false, true));
    return {};
  }
  page* p = new_anon_page(__GFP_ZERO);
  if (!p) return fail(ENOMEM);
  if (!install(vma, pte, vma_pte(vma, page_to_phys(p), true, true))) {
    put_page(p);
    return {};
  }
  add_mm_counter(vma->vm_mm, MM_ANONPAGES, 1);
  return {};
}

// ---- Files --------------------------------------------------------------------------------------------------------------

// True: the page left its file between lookup and now (truncation), so it must not be mapped. page_table_lock held: whoever
// truncates clears the mapping first and takes the lock afterwards to unmap.
// Pages that are no cache's (a driver's) never leave it.
bool was_truncated(const vm_area_struct* vma, const page* p) {
  return !READ_ONCE(p->mapping) && vma_mapping(vma) && !page_is_anon(p);
}

// Maps the cached neighbours of addr, itself included. True if addr is mapped now.
bool map_around(vm_area_struct* vma, unsigned long addr, pte_t* pte) {
  unsigned long first = addr & ~(kAroundPages * kPageSize - 1), last = first + kAroundPages * kPageSize;
  if (first < vma->vm_start) first = vma->vm_start;
  if (last > vma->vm_end) last = vma->vm_end;
  unsigned n = (last - first) >> 12;
  page* pages[kAroundPages];
  vma->vm_ops->pages_at_hand(vma, vma->vm_pgoff + ((first - vma->vm_start) >> 12), n, pages);
  pte -= (addr - first) >> 12;  // 16 pages aligned to 16 lie below one table
  long mapped = 0;
  bool here = false;
  int counter = MM_FILEPAGES;
  {
    SpinGuard g(vma->vm_mm->page_table_lock);
    for (unsigned i = 0; i < n; i++) {
      if (!pages[i]) continue;
      if (!pte_none(pte_read(&pte[i])) || was_truncated(vma, pages[i])) continue;
      pte_t e = vma_pte(vma, page_to_phys(pages[i]), false, false);
      pte_set(&pte[i], e);
      counter = mm_counter_of(pages[i]);
      pages[i] = nullptr;
      mapped++;
    }
    here = !pte_none(pte_read(&pte[(addr - first) >> 12]));
  }
  for (unsigned i = 0; i < n; i++)
    if (pages[i]) put_page(pages[i]);
  if (mapped) add_mm_counter(vma->vm_mm, counter, mapped);
  return here;
}

Result<page*> page_of_file(vm_area_struct* vma, unsigned long addr, unsigned flags) {
  vm_fault vmf{vma, addr, vma->vm_pgoff + ((addr - vma->vm_start) >> 12), flags, nullptr};
  TRY(vma->vm_ops->fault(&vmf));
  return vmf.page_;
}

Result<void> map_file_page(vm_area_struct* vma, unsigned long addr, pte_t* pte, unsigned flags, bool write) {
  page* p = TRY(page_of_file(vma, addr, flags));
  {
    SpinGuard g(vma->vm_mm->page_table_lock);
    if (pte_none(pte_read(pte)) && !was_truncated(vma, p)) {
      pte_set(pte, vma_pte(vma, page_to_phys(p), write, write));
      add_mm_counter(vma->vm_mm, mm_counter_of(p), 1);
      return {};
    }
  }
  put_page(p);  // the access is tried again and finds what is there now
  return {};
}

Result<void> copy_file_page(vm_area_struct* vma, unsigned long addr, pte_t* pte, unsigned flags) {
  note_anon(vma);
  page* from = TRY(page_of_file(vma, addr, flags));
  page* p = new_anon_page(0);
  if (!p) {
    put_page(from);
    return fail(ENOMEM);
  }
  arch::copy_page(page_address(p), page_address(from));
  put_page(from);
  if (!install(vma, pte, vma_pte(vma, page_to_phys(p), true, true))) {
    put_page(p);
    return {};
  }
  add_mm_counter(vma->vm_mm, MM_ANONPAGES, 1);
  return {};
}

Result<void> file_fault(vm_area_struct* vma, unsigned long addr, pte_t* pte, unsigned flags, bool write) {
  if (!vma->vm_ops->fault) return fail(EFAULT);
  if (write) return vma->vm_flags & VM_SHARED ? map_file_page(vma, addr, pte, flags, true) : copy_file_page(vma, addr, pte, flags);
  if (vma->vm_ops->pages_at_hand && map_around(vma, addr, pte)) return {};
  return map_file_page(vma, addr, pte, flags, false);
}

// ---- Writing to what is mapped read-only ------------------------------------------------------------------------------------

// The page is ours alone: nobody else refers to it, and nobody can start to without page_table_lock or mmap_lock (M-74).
bool only_ours(pte_t e) { return !pte_special(e) && page_is_anon(pte_page(e)) && page_count(pte_page(e)) == 1; }

Result<void> write_protected_fault(vm_area_struct* vma, unsigned long addr, pte_t* pte) {
  mm_struct* mm = vma->vm_mm;
  pte_t old;
  page* from = nullptr;
  {
    SpinGuard g(mm->page_table_lock);
    old = pte_read(pte);
    if (pte_none(old) || pte_write(old)) return {};
    if ((vma->vm_flags & VM_SHARED) || only_ours(old)) {
      // Not so when ptrace writes to what the program itself may only read (M-75): it finds the page by itself.
      if (vma->vm_flags & VM_WRITE) pte_set(pte, pte_mkdirty(pte_mkyoung(pte_mkwrite(old))));
      return {};  // a stale entry in some TLB costs a second fault at most
    }
    if (!pte_special(old)) {
      from = pte_page(old);
      get_page(from);
    }
  }
  note_anon(vma);
  page* p = new_anon_page(from ? 0 : __GFP_ZERO);
  if (!p) {
    if (from) put_page(from);
    return fail(ENOMEM);
  }
  if (from) arch::copy_page(page_address(p), page_address(from));
  bool done = false;
  {
    SpinGuard g(mm->page_table_lock);
    if (pte_read(pte).val == old.val) {
      pte_set(pte, vma_pte(vma, page_to_phys(p), true, true));
      done = true;
    }
  }
  if (!done) {
    put_page(p);
    if (from) put_page(from);
    return {};
  }
  arch::flush_tlb_range(mm, addr, addr + kPageSize);  // before the old page may go to somebody else (M-92)
  if (!from || !page_is_anon(from)) add_mm_counter(mm, MM_ANONPAGES, 1);
  if (from && !page_is_anon(from)) add_mm_counter(mm, mm_counter_of(from), -1);
  if (from) {
    put_page(from);  // the lookup's
    put_page(from);  // the entry's
  }
  return {};
}

bool access_allowed(const vm_area_struct* vma, unsigned flags) {
  unsigned long f = vma->vm_flags;
  if (flags & arch::kFaultWrite) return f & VM_WRITE;
  if (flags & arch::kFaultFetch) return f & VM_EXEC;
  return f & (VM_READ | VM_WRITE | VM_EXEC);
}

// mmap_lock is held for reading and let go here; the stack is grown under it held for writing, and the fault starts over.
bool grow_stack_to(mm_struct* mm, unsigned long addr) {
  up_read(&mm->mmap_lock);
  RwsemWriteGuard g(mm->mmap_lock);
  vm_area_struct* vma = find_vma(mm, addr);
  if (!vma) return false;
  if (vma->vm_start <= addr) return true;
  return (vma->vm_flags & VM_GROWSDOWN) && expand_stack(vma, addr);
}

enum class FaultStep : unsigned char { Done, Again };

Result<FaultStep> fault_once(mm_struct* mm, unsigned long addr, unsigned flags, FaultInfo* info) {
  down_read(&mm->mmap_lock);
  vm_area_struct* vma = find_vma(mm, addr);
  if (!vma || (vma->vm_start > addr && !(vma->vm_flags & VM_GROWSDOWN))) [[unlikely]] {
    up_read(&mm->mmap_lock);
    TRY(signal(info, SIGSEGV, kSegvMapErr));
  }
  if (vma->vm_start > addr) [[unlikely]] {
    if (!grow_stack_to(mm, addr)) TRY(signal(info, SIGSEGV, kSegvMapErr));
    return FaultStep::Again;
  }
  if (!access_allowed(vma, flags)) [[unlikely]] {
    up_read(&mm->mmap_lock);
    TRY(signal(info, SIGSEGV, kSegvAccErr));
  }
  Result<void> r = handle_mm_fault(vma, addr, flags);
  up_read(&mm->mmap_lock);
  if (r) [[likely]] return FaultStep::Done;
  if (r.error().code() == ENOMEM) return fail(ENOMEM);
  TRY(signal(info, SIGBUS, kBusAdrErr));
  return FaultStep::Done;
}

}  // namespace

Result<void> handle_mm_fault(vm_area_struct* vma, unsigned long addr, unsigned flags) {
  addr &= kPageMask;
  pte_t* pte = pte_alloc(vma->vm_mm, addr);
  if (!pte) [[unlikely]] return fail(ENOMEM);
  bool write = flags & arch::kFaultWrite;
  pte_t e = pte_read(pte);
  if (pte_none(e)) return vma->vm_ops ? file_fault(vma, addr, pte, flags, write) : anonymous_fault(vma, pte, write);
  if (write && !pte_write(e)) return write_protected_fault(vma, addr, pte);
  return {};  // somebody else has mended it
}

Result<void> handle_user_fault(unsigned long addr, unsigned flags, FaultInfo* info) {
  task_struct* t = current;
  if (addr >= kUserTop || !t->mm) [[unlikely]] return signal(info, SIGSEGV, kSegvMapErr);
  WRITE_ONCE(t->min_flt, t->min_flt + 1);
  for (;;) {
    Result<FaultStep> step = fault_once(t->mm, addr, flags, info);
    if (step) [[likely]] {
      if (*step == FaultStep::Done) return {};
      continue;
    }
    if (step.error().code() != ENOMEM) return fail(step.error().code());
    // The allocator has called the OOM killer already and still found nothing, which only happens to those who must die
    // and to injected failures.
    if (fatal_signal_pending(t)) return fail(EINTR);
    if (!(flags & arch::kFaultUser)) return fail(ENOMEM);
    schedule_timeout_uninterruptible(1);
    if (!out_of_memory(GFP_KERNEL, 0)) return fail(ENOMEM);
  }
}

Result<void> populate_vma_range(vm_area_struct* vma, unsigned long start, unsigned long end) {
  bool write = (vma->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
  if (!(vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC))) return fail(EFAULT);
  unsigned flags = write ? arch::kFaultWrite : 0;
  for (unsigned long a = start; a < end; a += kPageSize) {
    if (fatal_signal_pending(current)) return fail(EINTR);
    pte_t* pte = pte_find(vma->vm_mm, a);
    if (pte) {
      pte_t e = pte_read(pte);
      if (pte_present(e) && (!write || pte_write(e))) continue;
    }
    TRY(handle_mm_fault(vma, a, flags));
  }
  return {};
}
