// Address spaces and kernel mappings. There is no TLB: user copies walk the tables each time, so that flushing is only
// counted; kernel mappings are the host's, second views of arena pages.
// SPDX-License-Identifier: Apache-2.0
#include <linux/page_ref.h>
#include <linux/string.h>

#include "arch/hosted/parallel.hh"
#include "mm/mm_struct.hh"

namespace arch {

using hosted::engine;
using hosted::this_cpu;

Result<void> pgd_init(void*) { return {}; }  // no kernel half: it is the host's
void pgd_destroy(void*) {}

HOSTED_ENGINE void switch_mm(mm_struct*, mm_struct* next) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);  // C-17: pairs with membarrier's
  this_cpu().loaded_mm = next;
}
HOSTED_ENGINE void enter_lazy_tlb(mm_struct*) {}
// Nothing is cached between instructions, but another CPU may be within one (parallel engine).
HOSTED_ENGINE void flush_tlb_mm(mm_struct*) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (engine.parallel) hosted::parallel::wait_for_reaching();
}
HOSTED_ENGINE void flush_tlb_range(mm_struct* mm, unsigned long, unsigned long) { flush_tlb_mm(mm); }

static int map_locked(unsigned long va, const unsigned* numbers, size_t n) {
  hosted::EngineLock lock;
  return host_vmap(va, numbers, n);
}

Result<void> vmap_range(unsigned long va, std::span<page* const> pages) {
  constexpr size_t kBatch = 64;
  unsigned numbers[kBatch];
  for (size_t at = 0; at < pages.size(); at += kBatch) {
    size_t n = pages.size() - at < kBatch ? pages.size() - at : kBatch;
    for (size_t i = 0; i < n; i++) numbers[i] = static_cast<unsigned>(page_to_pfn(pages[at + i]));
    if (map_locked(va + at * 4096, numbers, n)) {
      if (at) vunmap_range(va, at * 4096);
      return fail(ENOMEM);
    }
  }
  return {};
}

void vunmap_range(unsigned long va, unsigned long size) {
  hosted::EngineLock lock;
  host_vunmap(va, size);
}
unsigned long vmap_table_pages() { return 0; }  // the host keeps them
KernelRange vmalloc_area() { return {kVmallocBase, kVmallocBase + kVmallocSize}; }
void clear_page(void* p) { memset(p, 0, 4096); }
void copy_page(void* dst, const void* src) { memcpy(dst, src, 4096); }

}  // namespace arch
