// The buddy system: free blocks, watermarks, per-CPU stacks of single pages, what happens when memory is short.
// SPDX-License-Identifier: Apache-2.0
#include "mm/page_alloc.hh"

#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <arch/sanitize.hh>

#include "kernel/fault_inject.hh"
#include "kernel/percpu.hh"
#include "kernel/sync/guards.hh"
#include "mm/page_alloc_internal.hh"

unsigned long mem_map_biased, min_pfn, max_pfn;
constinit Zone zone{};
constinit PerCpu<PageStack> page_stacks;

namespace {

// Bits that say that somebody still has the page.
constexpr unsigned long kBadWhenFreed = BIT(PG_locked) | BIT(PG_lru) | BIT(PG_active) | BIT(PG_slab) | BIT(PG_reserved) |
                                        BIT(PG_writeback) | BIT(PG_unevictable) | BIT(PG_table) | BIT(PG_buddy);

void bad_page(page* p, const char* why) {
  pr_err("BUG: Bad page state: pfn %lx, %s: flags %lx, count %d, mapcount %d\n", page_to_pfn(p), why, p->flags,
         atomic_read(&p->_refcount), page_mapcount(p));
  add_taint(TAINT_BAD_PAGE, 1);
  dump_stack();
}

// ---- Free blocks; zone.lock held -----------------------------------------------------------------------------------

void add_block(page* p, unsigned order) {
  p->flags = BIT(PG_buddy) | static_cast<unsigned long>(order) << PG_order_shift;
  list_add(&p->lru, &zone.free[order].blocks);
  zone.free[order].count++;
}
void remove_block(page* p, unsigned order) {
  list_del(&p->lru);
  p->flags = 0;
  zone.free[order].count--;
}
bool is_free_block(unsigned long pfn, unsigned order) {
  if (!pfn_valid(pfn)) return false;
  constexpr unsigned long kMask = BIT(PG_buddy) | 0xfful << PG_order_shift;
  return (READ_ONCE(pfn_to_page(pfn)->flags) & kMask) == (BIT(PG_buddy) | static_cast<unsigned long>(order) << PG_order_shift);
}

// Upper halves go back until the block has the order wanted.
void split_block(page* p, unsigned have, unsigned want) {
  while (have > want) {
    have--;
    add_block(p + (1ul << have), have);
  }
}

bool fits_mask(const page* p, unsigned order, gfp_t gfp) {
  unsigned long end = page_to_pfn(p) + (1ul << order);
  if (gfp & __GFP_DMA) return end <= 16ul << (20 - PAGE_SHIFT);
  if (gfp & __GFP_DMA32) return end <= 4ul << (30 - PAGE_SHIFT);
  return true;
}

page* take_block(unsigned order, gfp_t gfp) {
  for (unsigned o = order; o < MAX_ORDER; o++) {
    page* p;
    list_for_each_entry(p, &zone.free[o].blocks, lru) {
      if (!fits_mask(p, order, gfp)) continue;
      remove_block(p, o);
      split_block(p, o, order);
      WRITE_ONCE(zone.nr_free, zone.nr_free - (1ul << order));
      return p;
    }
  }
  return nullptr;
}

// ---- Watermarks (spec 41 section 10) -------------------------------------------------------------------------------

// What must stay free after the request is served.
unsigned long mark_for(gfp_t gfp) {
  const task_struct* t = arch::current_task();
  if (!(gfp & __GFP_NOMEMALLOC)) {
    if (gfp & __GFP_MEMALLOC) return 0;
    if (!in_interrupt() && ((t->flags & PF_MEMALLOC) || (tsk_is_oom_victim && tsk_is_oom_victim(t)))) return 0;
  }
  unsigned long mark = zone.marks.min;
  if (gfp & __GFP_HIGH) mark -= mark / 2;
  if (gfp & __GFP_ATOMIC) mark -= mark / 4;
  return mark;
}

page* take_above(unsigned long mark, unsigned order, gfp_t gfp) {
  if (zone.nr_free < mark + (1ul << order)) return nullptr;
  return take_block(order, gfp);
}

page* buddy_alloc(gfp_t gfp, unsigned order) {
  unsigned long mark = mark_for(gfp);
  bool low;
  page* p;
  {
    IrqSpinGuard guard(zone.lock);
    p = take_above(mark, order, gfp);
    low = zone.nr_free <= zone.marks.low;
  }
  if (low && wakeup_kswapd && (gfp & __GFP_KSWAPD_RECLAIM)) wakeup_kswapd(order);
  return p;
}

// ---- Single pages --------------------------------------------------------------------------------------------------

// Fills this CPU's empty stack and hands one page out. Interrupts off.
page* refill_stack(PageStack& s, gfp_t gfp) {
  unsigned long mark = mark_for(gfp);
  SpinGuard guard(zone.lock);
  while (s.count < kStackBatch) {
    page* p = take_above(s.count ? zone.marks.low : mark, 0, 0);  // beyond the first only from plenty
    if (!p) break;
    s.push(p);
  }
  return s.count ? s.pop() : nullptr;
}

void flush_stack(PageStack& s, unsigned keep) {
  SpinGuard guard(zone.lock);
  while (s.count > keep) free_block_locked(s.pop(), 0);
}

page* stack_alloc(gfp_t gfp) {
  IrqGuard irq;
  PageStack& s = page_stacks.this_cpu();
  return s.count ? s.pop() : refill_stack(s, gfp);
}

noinline void stack_free_slow(page* p) {
  IrqGuard irq;
  PageStack& s = page_stacks.this_cpu();
  if (s.count == kStackSize) flush_stack(s, kStackSize - kStackBatch);
  s.push(p);
}
inline __attribute__((always_inline)) void stack_free(page* p) {
  unsigned long flags = arch::irq_save();
  PageStack& s = page_stacks.this_cpu();
  if (s.count == kStackSize) [[unlikely]] {
    arch::irq_restore(flags);
    return stack_free_slow(p);
  }
  s.push(p);
  arch::irq_restore(flags);
}

// ---- Short of memory -----------------------------------------------------------------------------------------------

page* try_once(gfp_t gfp, unsigned order) {
  constexpr gfp_t kZones = __GFP_DMA | __GFP_DMA32;
  return order == 0 && !(gfp & kZones) ? stack_alloc(gfp) : buddy_alloc(gfp, order);
}

// True: worth another try.
bool make_room(gfp_t gfp, unsigned order, unsigned tries) {
  if (tries == 1) {
    drain_all_pages();
    return true;
  }
  if (try_to_free_pages && try_to_free_pages(order, gfp) > 0 && tries < 16) return true;
  if (gfp & __GFP_NORETRY) return false;
  bool must = gfp & __GFP_NOFAIL;
  if (!must && (order > PAGE_ALLOC_COSTLY_ORDER || (gfp & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE)))) return false;
  bool killed = (gfp & __GFP_FS) && out_of_memory && out_of_memory(gfp, order);
  if (!killed && !must) return false;
  schedule_timeout_uninterruptible(1);  // the victim needs the CPU to die
  return true;
}

page* alloc_short(gfp_t gfp, unsigned order) {
  const task_struct* t = arch::current_task();
  if ((gfp & __GFP_DIRECT_RECLAIM) && !(t->flags & PF_MEMALLOC))
    for (unsigned tries = 1; make_room(gfp, order, tries); tries++)
      if (page* p = try_once(gfp, order)) return p;
  if (!(gfp & __GFP_NOWARN))
    printk_ratelimited(KERN_WARNING "%s: page allocation failure: order:%u, mode:%#x\n", t->comm, order, gfp);
  return nullptr;
}

// ---- Handing out and taking back ------------------------------------------------------------------------------------

// Whole accesses: is_free_block() looks at the flags of a neighbour that is not its own.
void make_compound(page* head, unsigned order) {
  WRITE_ONCE(head->flags, BIT(PG_head) | static_cast<unsigned long>(order) << PG_order_shift);
  for (unsigned long i = 0; i < 1ul << order; i++) head[i].head = head;
}
void unmake_compound(page* head, unsigned order) {
  WRITE_ONCE(head->flags, head->flags & ~(BIT(PG_head) | 0xfful << PG_order_shift));
  for (unsigned long i = 0; i < 1ul << order; i++) head[i].head = nullptr;
}

inline __attribute__((always_inline)) void prepare_page(page* p, unsigned order, gfp_t gfp, unsigned long caller) {
  kasan_unpoison(page_address(p), PAGE_SIZE << order);
  if (page_debug) [[unlikely]]
    debug_page_allocated(p, order, caller);
  atomic_set(&p->_refcount, 1);
  if (gfp & __GFP_ZERO) {
    char* mem = static_cast<char*>(page_address(p));
    arch::clear_page(mem);
    for (unsigned long i = 1; order && i < 1ul << order; i++) arch::clear_page(mem + i * PAGE_SIZE);
  }
  if (order && (gfp & __GFP_COMP)) make_compound(p, order);
}

// The last reference is gone. False: something is wrong with the page; it is lost, which is better than handed out twice.
inline __attribute__((always_inline)) bool retire_page(page* p, unsigned order) {
  if ((p->flags & kBadWhenFreed) || atomic_read(&p->_mapcount) != -1) [[unlikely]] {
    bad_page(p, "freed while in use");
    return false;
  }
  if (p->head) unmake_compound(p, order);
  WRITE_ONCE(p->flags, 0ul);  // looked at by whoever frees its buddy
  p->mapping = nullptr;
  p->private_ = 0;
  if (page_debug) [[unlikely]]
    debug_page_freed(p, order);
  kasan_poison(page_address(p), PAGE_SIZE << order);
  return true;
}

noinline void free_block(page* p, unsigned order) {
  IrqSpinGuard guard(zone.lock);
  free_block_locked(p, order);
}
inline __attribute__((always_inline)) void free_pages_final(page* p, unsigned order) {
  if (!retire_page(p, order)) [[unlikely]]
    return;
  if (order == 0) [[likely]]
    return stack_free(p);
  free_block(p, order);
}

// All that an allocation needs beyond a single page from this CPU's stack. Called last: the fast path saves no registers.
noinline page* alloc_pages_slow(gfp_t gfp, unsigned order, unsigned long caller) {
  if (should_fail(FailPoint::Page, gfp) || order >= MAX_ORDER) return nullptr;
  page* p = try_once(gfp, order);
  if (!p && !(p = alloc_short(gfp, order))) return nullptr;
  prepare_page(p, order, gfp, caller);
  return p;
}
constexpr gfp_t kZoneMask = __GFP_DMA | __GFP_DMA32;

}  // namespace

// Merges with the buddy as long as that one is free and whole.
void free_block_locked(page* p, unsigned order) {
  unsigned long pfn = page_to_pfn(p);
  WRITE_ONCE(zone.nr_free, zone.nr_free + (1ul << order));
  for (; order < MAX_ORDER - 1; order++) {
    unsigned long buddy = pfn ^ (1ul << order);
    if (!is_free_block(buddy, order)) break;
    remove_block(pfn_to_page(buddy), order);
    pfn &= buddy;
  }
  add_block(pfn_to_page(pfn), order);
}

void drain_local_pages() {
  IrqGuard irq;
  flush_stack(page_stacks.this_cpu(), 0);
}

namespace {
cpumask drain_wanted;  // CPUs that are to empty their stacks when they are interrupted
}

// A CPU that executes nothing.
void drain_pages_of(unsigned cpu) {
  IrqGuard irq;
  flush_stack(page_stacks.on(cpu), 0);
}

void drain_all_pages() {
  drain_local_pages();
  PreemptGuard no_preemption;  // no CPU goes meanwhile
  unsigned cpu;
  for_each_online_cpu(cpu) {
    if (cpu == arch::cpu_id() || !READ_ONCE(page_stacks.on(cpu).count)) continue;
    cpumask_set_cpu(cpu, &drain_wanted);
    arch::send_ipi(cpu, arch::Ipi::CallFunction);
  }
  // They do it at once unless they have interrupts off; not worth waiting long for.
  for (int spins = 0; spins < 1000 && !cpumask_empty(&drain_wanted); spins++) arch::cpu_relax();
}

void drain_pages_interrupt() {
  unsigned cpu = arch::cpu_id();
  if (!cpumask_test_cpu(cpu, &drain_wanted)) return;
  drain_local_pages();
  cpumask_clear_cpu(cpu, &drain_wanted);
}

unsigned long nr_free_pages() {
  unsigned long n = READ_ONCE(zone.nr_free);
  page_stacks.for_each([&n](PageStack& s) { n += READ_ONCE(s.count); });
  return n;
}
unsigned long nr_free_blocks(unsigned order) {
  IrqSpinGuard guard(zone.lock);
  return zone.free[order].count;
}
unsigned long totalram_pages() { return READ_ONCE(zone.managed); }
const Watermarks& page_watermarks() { return zone.marks; }
bool above_watermark(unsigned long mark) { return READ_ONCE(zone.nr_free) > mark; }

extern "C" {

page* alloc_pages(gfp_t gfp, unsigned order) {
  might_sleep_if(gfp & __GFP_DIRECT_RECLAIM);
  if (order || (gfp & kZoneMask) || READ_ONCE(fault_injection_armed)) [[unlikely]]
    return alloc_pages_slow(gfp, order, _RET_IP_);
  unsigned long flags = arch::irq_save();
  PageStack& s = page_stacks.this_cpu();
  if (!s.count) [[unlikely]] {
    arch::irq_restore(flags);
    return alloc_pages_slow(gfp, 0, _RET_IP_);
  }
  page* p = s.pop();
  arch::irq_restore(flags);
  prepare_page(p, 0, gfp, _RET_IP_);
  return p;
}

void __free_pages(page* p, unsigned order) {
  int old = __atomic_fetch_sub(&p->_refcount.counter, 1, __ATOMIC_ACQ_REL);
  if (old == 1) free_pages_final(p, order);
  else if (old <= 0) bad_page(p, "freed twice");
}

void __put_page(page* p) { free_pages_final(p, compound_order(p)); }

unsigned long __get_free_pages(gfp_t gfp, unsigned order) {
  page* p = alloc_pages(gfp & ~__GFP_HIGHMEM, order);
  return p ? reinterpret_cast<unsigned long>(page_address(p)) : 0;
}
void free_pages(unsigned long addr, unsigned order) {
  if (addr) __free_pages(virt_to_page(reinterpret_cast<void*>(addr)), order);
}

void split_page(page* p, unsigned order) {
  BUG_ON(p->head);
  for (unsigned long i = 1; i < 1ul << order; i++) atomic_set(&p[i]._refcount, 1);
}

void* alloc_pages_exact(size_t size, gfp_t gfp) {
  unsigned order = static_cast<unsigned>(get_order(size));
  if (order >= MAX_ORDER) return nullptr;
  page* p = alloc_pages(gfp & ~__GFP_COMP, order);
  if (!p) return nullptr;
  split_page(p, order);
  for (unsigned long i = PFN_UP(size); i < 1ul << order; i++) __free_pages(p + i, 0);
  return page_address(p);
}
void free_pages_exact(void* addr, size_t size) {
  page* p = virt_to_page(addr);
  for (unsigned long i = 0; i < PFN_UP(size); i++) __free_pages(p + i, 0);
}

}  // extern "C"
