// vmalloc: address ranges in a tree by address, found next-fit, each followed by an unmapped page.
// SPDX-License-Identifier: Apache-2.0
#include "mm/vmalloc.hh"

#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kernel/fault_inject.hh"
#include "kernel/sync/guards.hh"
#include "lib/late.hh"
#include "mm/page_alloc.hh"

namespace {

enum class Pages : unsigned char { Owned, Callers };

struct VmArea {
  rb_node node;
  unsigned long start, size;  // size without the guard page
  unsigned long caller;
  unsigned count;             // pages in `pages`
  Pages whose;
  page* pages[];
  unsigned long end() const { return start + size + PAGE_SIZE; }
};

// A link written into freed memory itself, for frees that cannot be finished where they are asked for.
struct DeferredFree {
  DeferredFree* next;
};

struct VmallocState {
  arch::KernelRange range;
  spinlock_t lock;  // areas, cursor. Never taken in interrupts
  rb_root areas;
  unsigned long cursor;  // where the search for room begins
  atomic_long_t pages;
  DeferredFree* deferred;  // lock-free stack
};
constinit Late<VmallocState> state;

VmArea* area_of(rb_node* n) { return rb_entry_safe(n, VmArea, node); }

VmArea* find_area(unsigned long addr) {
  for (rb_node* n = state->areas.rb_node; n;) {
    VmArea* a = rb_entry(n, VmArea, node);
    if (addr < a->start) n = n->rb_left;
    else if (addr >= a->end()) n = n->rb_right;
    else return a;
  }
  return nullptr;
}

// The first area that ends after addr.
VmArea* first_ending_after(unsigned long addr) {
  VmArea* best = nullptr;
  for (rb_node* n = state->areas.rb_node; n;) {
    VmArea* a = rb_entry(n, VmArea, node);
    if (a->end() > addr) best = a, n = n->rb_left;
    else n = n->rb_right;
  }
  return best;
}

// Room of `need` bytes at or after from, below limit; 0 if none.
unsigned long find_room(unsigned long from, unsigned long limit, unsigned long need, unsigned long align) {
  unsigned long at = ALIGN(from, align);
  for (VmArea* a = first_ending_after(from); a && a->start < at + need; a = area_of(rb_next(&a->node)))
    at = ALIGN(a->end(), align);
  return at + need <= limit && at + need > at ? at : 0;
}

void link_area(VmArea* a) {
  rb_node **link = &state->areas.rb_node, *parent = nullptr;
  while (*link) {
    parent = *link;
    link = a->start < rb_entry(parent, VmArea, node)->start ? &parent->rb_left : &parent->rb_right;
  }
  rb_link_node(&a->node, parent, link);
  rb_insert_color(&a->node, &state->areas);
}

bool place_area(VmArea* a, unsigned long align) {
  SpinGuard guard(state->lock);
  unsigned long need = a->size + PAGE_SIZE;
  unsigned long at = find_room(state->cursor, state->range.end, need, align);
  if (!at) at = find_room(state->range.start, state->range.end, need, align);
  if (!at) return false;
  a->start = at;
  state->cursor = at + need;
  link_area(a);
  return true;
}

void unlink_area(VmArea* a) {
  SpinGuard guard(state->lock);
  rb_erase(&a->node, &state->areas);
  if (a->start < state->cursor) state->cursor = a->start;  // reuse it soon: its page tables are there
}

void free_area_pages(VmArea* a) {
  if (a->whose == Pages::Callers) return;
  for (unsigned i = 0; i < a->count; i++) __free_page(a->pages[i]);
  atomic_long_sub(a->count, &state->pages);
}

bool fill_area(VmArea* a, unsigned count, gfp_t gfp) {
  for (; a->count < count; a->count++)
    if (!(a->pages[a->count] = alloc_page(gfp))) break;
  atomic_long_add(a->count, &state->pages);
  return a->count == count;
}

VmArea* new_area(unsigned long size, Pages whose, gfp_t gfp, unsigned long caller) {
  size_t bytes = sizeof(VmArea) + (size >> PAGE_SHIFT) * sizeof(page*);
  auto* a = static_cast<VmArea*>(kmalloc(bytes, gfp & ~(__GFP_ZERO | __GFP_HIGHMEM)));
  if (!a) return nullptr;
  a->size = size;
  a->caller = caller;
  a->count = 0;
  a->whose = whose;
  return a;
}

// Consumes a, whose pages are there; null if it cannot be placed or mapped.
void* map_area(VmArea* a, unsigned long align) {
  if (place_area(a, align)) {
    if (arch::vmap_range(a->start, {a->pages, a->count})) return reinterpret_cast<void*>(a->start);
    unlink_area(a);
  }
  free_area_pages(a);
  kfree(a);
  return nullptr;
}

void free_now(const void* addr) {
  auto va = reinterpret_cast<unsigned long>(addr);
  VmArea* a;
  {
    SpinGuard guard(state->lock);
    a = find_area(va);
  }
  if (!a || a->start != va) {
    WARN(true, "vfree of %px, which is not the start of an area", addr);
    return;
  }
  arch::vunmap_range(a->start, a->size);  // before the range or the pages can be used again (M-92)
  unlink_area(a);
  free_area_pages(a);
  kfree(a);
}

void finish_deferred() {
  DeferredFree* d = xchg(&state->deferred, static_cast<DeferredFree*>(nullptr));
  while (d) {
    DeferredFree* next = d->next;
    free_now(d);
    d = next;
  }
}

void defer_free(const void* addr) {
  auto* d = static_cast<DeferredFree*>(const_cast<void*>(addr));
  DeferredFree* head = READ_ONCE(state->deferred);
  do d->next = head;
  while (!try_cmpxchg(&state->deferred, &head, d));
}

void* do_vmalloc(unsigned long size, unsigned long align, gfp_t gfp, unsigned long caller) {
  if (should_fail(FailPoint::Vmalloc, gfp)) return nullptr;
  if (READ_ONCE(state->deferred)) finish_deferred();
  if (size == 0 || size > state->range.end - state->range.start) return nullptr;
  size = PAGE_ALIGN(size);
  if ((size >> PAGE_SHIFT) > totalram_pages()) return nullptr;
  VmArea* a = new_area(size, Pages::Owned, gfp, caller);
  if (!a) return nullptr;
  if (!fill_area(a, static_cast<unsigned>(size >> PAGE_SHIFT), gfp)) {
    free_area_pages(a);
    kfree(a);
    return nullptr;
  }
  return map_area(a, align);
}

}  // namespace

void vmalloc_init() {
  VmallocState& st = state.construct();
  st.range = arch::vmalloc_area();
  st.areas = RB_ROOT;
  st.cursor = st.range.start;
  st.deferred = nullptr;
  atomic_long_set(&st.pages, 0);
  spin_lock_init(&st.lock);
}

void vmalloc_exit(LeakReport& report) {
  finish_deferred();
  for (VmArea* a = area_of(rb_first(&state->areas)); a; a = area_of(rb_first(&state->areas))) {
    report.finding("vmalloc area of %lu bytes not freed, allocated by %px", a->size, reinterpret_cast<void*>(a->caller));
    free_now(reinterpret_cast<void*>(a->start));
  }
  state.destroy();
}

unsigned long nr_vmalloc_pages() { return static_cast<unsigned long>(atomic_long_read(&state->pages)); }

void* vmalloc_aligned(unsigned long size, unsigned long align, gfp_t gfp) { return do_vmalloc(size, align, gfp, _RET_IP_); }

extern "C" {

void* __vmalloc(unsigned long size, gfp_t gfp) { return do_vmalloc(size, PAGE_SIZE, gfp, _RET_IP_); }
void* vmalloc(unsigned long size) { return do_vmalloc(size, PAGE_SIZE, GFP_KERNEL, _RET_IP_); }
void* vzalloc(unsigned long size) { return do_vmalloc(size, PAGE_SIZE, GFP_KERNEL | __GFP_ZERO, _RET_IP_); }

void vfree(const void* addr) {
  if (!addr) return;
  if (in_interrupt() || (irqs_disabled() && !in_task())) return defer_free(addr);
  if (READ_ONCE(state->deferred)) finish_deferred();
  free_now(addr);
}

bool is_vmalloc_addr(const void* addr) {
  auto va = reinterpret_cast<unsigned long>(addr);
  return va >= state->range.start && va < state->range.end;
}

page* vmalloc_to_page(const void* addr) {
  auto va = reinterpret_cast<unsigned long>(addr);
  SpinGuard guard(state->lock);
  VmArea* a = find_area(va);
  unsigned long index = a ? (va - a->start) >> PAGE_SHIFT : 0;
  return a && index < a->count ? a->pages[index] : nullptr;
}

void* vmap(page** pages, unsigned count, unsigned long, unsigned long) {
  VmArea* a = count ? new_area(static_cast<unsigned long>(count) << PAGE_SHIFT, Pages::Callers, GFP_KERNEL, _RET_IP_) : nullptr;
  if (!a) return nullptr;
  memcpy(a->pages, pages, count * sizeof(page*));
  a->count = count;
  return map_area(a, PAGE_SIZE);
}
void vunmap(const void* addr) {
  if (addr) free_now(addr);
}

}  // extern "C"
