// The page allocator: a buddy system over all usable RAM, with a stack of free single pages per CPU in front (spec 41 section 16).
// Blocks of 2^order pages, orders 0..10. The C face is linux/gfp.h and linux/page_ref.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/gfp.h>
#include <linux/mm_types.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>

#include "init/report.hh"

void page_alloc_init();
void page_alloc_exit(LeakReport& report);  // finds pages that are not free; call after slab_exit

// Counts of pages. free includes what lies in the stacks of the CPUs.
unsigned long totalram_pages();
unsigned long nr_free_pages();
unsigned long nr_free_blocks(unsigned order);  // of exactly this order, without the stacks

struct Watermarks {
  unsigned long min, low, high;  // pages; spec 41 section 10
};
const Watermarks& page_watermarks();
bool above_watermark(unsigned long mark);

// Whole pages in [start, end) become allocatable: initrd after unpacking, init memory. Never seen by the allocator before.
void free_reserved_area(phys_addr_t start, phys_addr_t end);
// Gives this CPU's stack of single pages back to the buddy system.
void drain_local_pages();
void drain_pages_interrupt();  // from the call-function interrupt
void drain_pages_of(unsigned cpu);  // that executes nothing

// Hooks of reclaim and OOM, all optional: whoever has them defines them.
//   Frees pages for a request that found too few; how many it freed. May sleep.
unsigned long try_to_free_pages(unsigned order, gfp_t gfp) __attribute__((weak));
void wakeup_kswapd(unsigned order) __attribute__((weak));  // any context
//   true: a victim was killed or is still dying, try again. false: the request fails (unless it must not).
bool out_of_memory(gfp_t gfp, unsigned order) __attribute__((weak));
bool tsk_is_oom_victim(const task_struct* t) __attribute__((weak));  // may use the reserves (M-88)

// page_owner=on: who allocated a page, as a code address; 0 if not known.
unsigned long page_owner(const page* p);

// The boot option's bits of what the slow path of allocation checks.
inline constexpr int kDebugOwner = 1, kDebugPoison = 2;
extern int page_debug;
