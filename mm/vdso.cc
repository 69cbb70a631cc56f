// The vDSO: two pages, the clock's data and the code right above it, shared by all programs and never written by them.
// SPDX-License-Identifier: Apache-2.0
#include "mm/vdso.hh"

#include <linux/string.h>

#include "kernel/nsproxy/time_ns.hh"
#include "kernel/time/time.hh"
#include "lib/late.hh"
#include "mm/filemap.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/uaccess.hh"
#include "mm/vma_tree.hh"

namespace {

constexpr unsigned kPages = 2;  // data, code
constexpr unsigned kAway = 2;   // index of the data page of all time namespaces but the initial one: it sends readers to the kernel
constexpr unsigned long kPage = 4096, kLength = kPages * kPage;

struct VdsoState {
  page* pages[kPages + 1] = {};  // null: this machine has no vDSO
  raw_spinlock_t lock{};     // writers of the data page; interrupts off
  address_space owner{};     // makes them file pages in the eyes of the fault code; holds none
};
constinit Late<VdsoState> state;
constinit const address_space_operations no_operations{};

page* page_at(unsigned long pgoff) {
  if (pgoff >= kPages) return nullptr;
  if (!pgoff && current->nsproxy && current->nsproxy->time_ns != &init_time_ns) pgoff = kAway;
  get_page(state->pages[pgoff]);
  return state->pages[pgoff];
}

Result<void> vdso_fault(vm_fault* vmf) {
  vmf->page_ = page_at(vmf->pgoff);
  if (!vmf->page_) return fail(EFAULT);
  return {};
}

void vdso_pages_at_hand(vm_area_struct*, unsigned long first, unsigned n, page** out) {
  for (unsigned i = 0; i < n; i++) out[i] = page_at(first + i);
}

const char* vdso_name(vm_area_struct*) { return "[vdso]"; }

constinit const vm_operations_struct vdso_vm_ops = {
    .open = nullptr, .close = nullptr, .fault = vdso_fault, .name = vdso_name, .pages_at_hand = vdso_pages_at_hand};

// mmap_lock held for writing.
Result<unsigned long> place(mm_struct* mm, unsigned long above) {
  if (above && above + kLength <= TASK_SIZE_MAX && !vma_tree_find(mm, above)) return above;
  return get_unmapped_area(nullptr, 0, kLength, 0, MAP_PRIVATE | MAP_ANONYMOUS);
}

}  // namespace

unsigned long map_vdso(unsigned long above) {
  if (!state->pages[0]) return 0;
  mm_struct* mm = current->mm;
  RwsemWriteGuard guard(mm->mmap_lock);
  Result<unsigned long> start = place(mm, above);
  if (!start) return 0;
  vm_area_struct* vma = vm_area_alloc(mm);
  if (!vma) return 0;
  vma->vm_start = *start;
  vma->vm_end = *start + kLength;
  vma->vm_flags = VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYEXEC | VM_DONTEXPAND;
  vma->vm_ops = &vdso_vm_ops;
  vm_area_struct* next = vma_tree_find(mm, *start);
  vma_link(mm, vma, next ? next->vm_prev : mm->mmap_last);
  vm_stat_account(mm, vma->vm_flags, kPages);
  return *start + kPage;
}

void vdso_forget_clock(mm_struct* mm) {
  if (!state->pages[0]) return;
  RwsemReadGuard guard(mm->mmap_lock);
  for (vm_area_struct* vma = mm->mmap; vma; vma = vma->vm_next)
    if (vma->vm_ops == &vdso_vm_ops && !vma->vm_pgoff) TlbGather(mm).zap(vma->vm_start, vma->vm_start + kPage);
}

void vdso_update_clock() {
  if (!state->pages[0]) return;
  IrqSpinGuard guard(state->lock);
  arch::vdso_set_clock(page_address(state->pages[0]), timekeeping_real_offset());
}

void vdso_init() {
  VdsoState& s = state.construct();
  raw_spin_lock_init(&s.lock);
  std::span<const unsigned char> image = arch::vdso_image();
  if (image.empty() || image.size() > kPage) return;
  address_space_init(&s.owner, nullptr, &no_operations);
  for (page*& p : s.pages) {
    p = alloc_page(GFP_KERNEL | __GFP_ZERO);
    if (!p) panic("no memory for the vDSO");
    p->mapping = &s.owner;
  }
  memcpy(page_address(s.pages[1]), image.data(), image.size());
  vdso_update_clock();
  arch::vdso_send_to_kernel(page_address(s.pages[kAway]));
}

void vdso_exit(LeakReport&) {
  for (page* p : state->pages)
    if (p) {
      p->mapping = nullptr;
      put_page(p);
    }
  state.destroy();
}
