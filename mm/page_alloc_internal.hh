// The page allocator's state, shared by its two files: page_alloc.cc (hot) and page_alloc_boot.cc (boot, power-off, debugging).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/percpu.hh"
#include "mm/page_alloc.hh"

struct FreeArea {
  list_head blocks;  // by page->lru of the first page
  unsigned long count;
};
struct Zone {
  spinlock_t lock;  // free, nr_free and the links and flags of free pages; taken with interrupts off
  FreeArea free[MAX_ORDER];
  unsigned long nr_free;  // pages; read without the lock as an estimate
  unsigned long managed;
  Watermarks marks;
};
extern Zone zone;

// Free single pages of one CPU. Touched by that CPU alone, interrupts off.
inline constexpr unsigned kStackSize = 126, kStackBatch = 32;  // a stack fills 1 KiB: found by a shift
struct PageStack {
  unsigned count;  // others read it to estimate
  page* pages[kStackSize];
  void push(page* p) {
    pages[count] = p;
    WRITE_ONCE(count, count + 1);
  }
  page* pop() {
    WRITE_ONCE(count, count - 1);
    return pages[count];
  }
};
extern PerCpu<PageStack> page_stacks;

void drain_all_pages();  // every CPU's stack; process context, interrupts on
void free_block_locked(page* p, unsigned order);  // zone.lock held
void debug_page_allocated(page* p, unsigned order, unsigned long caller);
void debug_page_freed(page* p, unsigned order);
