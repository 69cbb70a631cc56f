// The page allocator (spec 41 section 16).
// SPDX-License-Identifier: Apache-2.0
#include "mm/page_alloc.hh"

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <initializer_list>

#include <arch/sanitize.hh>

#include "kernel/fault_inject.hh"
#include "kernel/printk/printk.hh"

namespace {

// spec 41 M-97
void balance_over_all_orders(kunit* test) {
  unsigned long before = nr_free_pages();
  for (unsigned order = 0; order < MAX_ORDER; order++) {
    page* p = alloc_pages(GFP_KERNEL, order);
    KUNIT_ASSERT_NOT_NULL(test, p);
    KUNIT_EXPECT_EQ(test, page_to_pfn(p) & ((1ul << order) - 1), 0ul);
    KUNIT_EXPECT_EQ(test, nr_free_pages(), before - (1ul << order));
    KUNIT_EXPECT_EQ(test, page_count(p), 1);
    __free_pages(p, order);
    KUNIT_EXPECT_EQ(test, nr_free_pages(), before);
  }
  KUNIT_EXPECT_NULL(test, alloc_pages(GFP_KERNEL | __GFP_NOWARN, MAX_ORDER));
}

void address_and_frame_agree(kunit* test) {
  page* p = alloc_page(GFP_KERNEL);
  KUNIT_ASSERT_NOT_NULL(test, p);
  auto* mem = static_cast<char*>(page_address(p));
  KUNIT_EXPECT_EQ(test, reinterpret_cast<unsigned long>(mem) % PAGE_SIZE, 0ul);
  KUNIT_EXPECT_PTR_EQ(test, virt_to_page(mem), p);
  KUNIT_EXPECT_PTR_EQ(test, virt_to_page(mem + 4095), p);
  KUNIT_EXPECT_PTR_EQ(test, pfn_to_page(page_to_pfn(p)), p);
  KUNIT_EXPECT_TRUE(test, pfn_valid(page_to_pfn(p)));
  KUNIT_EXPECT_FALSE(test, pfn_valid(max_pfn));
  put_page(p);
}

void zeroed_when_asked(kunit* test) {
  for (unsigned order : {0u, 2u}) {
    page* p = alloc_pages(GFP_KERNEL, order);
    KUNIT_ASSERT_NOT_NULL(test, p);
    memset(page_address(p), 0x5a, PAGE_SIZE << order);
    __free_pages(p, order);
    p = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);
    KUNIT_ASSERT_NOT_NULL(test, p);
    KUNIT_EXPECT_NULL(test, memchr_inv(page_address(p), 0, PAGE_SIZE << order));
    __free_pages(p, order);
  }
}

void blocks_do_not_overlap(kunit* test) {
  constexpr unsigned kBlocks = 64;
  static page* blocks[kBlocks];
  static unsigned orders[kBlocks];
  for (unsigned i = 0; i < kBlocks; i++) {
    orders[i] = prandom_u32_max(5);
    blocks[i] = alloc_pages(GFP_KERNEL, orders[i]);
    KUNIT_ASSERT_NOT_NULL(test, blocks[i]);
    memset(page_address(blocks[i]), static_cast<int>(i), PAGE_SIZE << orders[i]);
  }
  for (unsigned i = 0; i < kBlocks; i++) {
    KUNIT_EXPECT_NULL(test, memchr_inv(page_address(blocks[i]), static_cast<int>(i), PAGE_SIZE << orders[i]));
    __free_pages(blocks[i], orders[i]);
  }
}

// Freed single pages merge into large blocks again.
void coalesce(kunit* test) {
  static page* pages[1024];
  drain_local_pages();
  unsigned long before[MAX_ORDER];
  for (unsigned o = 0; o < MAX_ORDER; o++) before[o] = nr_free_blocks(o);
  for (page*& p : pages) KUNIT_ASSERT_NOT_NULL(test, p = alloc_page(GFP_KERNEL));
  for (unsigned i = 0; i < 1024; i += 2) __free_page(pages[i]);
  for (unsigned i = 1023; i < 1024; i -= 2) __free_page(pages[i]);
  drain_local_pages();
  for (unsigned o = 0; o < MAX_ORDER; o++) KUNIT_EXPECT_EQ_MSG(test, nr_free_blocks(o), before[o], "order %u", o);
}

void references(kunit* test) {
  unsigned long before = nr_free_pages();
  page* p = alloc_page(GFP_KERNEL);
  KUNIT_ASSERT_NOT_NULL(test, p);
  get_page(p);
  put_page(p);
  KUNIT_EXPECT_EQ(test, nr_free_pages(), before - 1);
  put_page(p);
  KUNIT_EXPECT_EQ(test, nr_free_pages(), before);
  KUNIT_EXPECT_FALSE(test, get_page_unless_zero(p));
}

void compound_pages_count_as_one(kunit* test) {
  unsigned long before = nr_free_pages();
  page* p = alloc_pages(GFP_KERNEL | __GFP_COMP, 3);
  KUNIT_ASSERT_NOT_NULL(test, p);
  KUNIT_EXPECT_EQ(test, compound_order(p), 3u);
  KUNIT_EXPECT_PTR_EQ(test, compound_head(p + 5), p);
  get_page(p + 5);
  KUNIT_EXPECT_EQ(test, page_count(p), 2);
  put_page(p + 7);
  put_page(p + 1);
  KUNIT_EXPECT_EQ(test, nr_free_pages(), before);
  KUNIT_EXPECT_FALSE(test, PageCompound(p + 5));
}

void split_pages_stand_alone(kunit* test) {
  unsigned long before = nr_free_pages();
  page* p = alloc_pages(GFP_KERNEL, 2);
  KUNIT_ASSERT_NOT_NULL(test, p);
  split_page(p, 2);
  for (int i = 3; i >= 0; i--) __free_page(p + i);
  KUNIT_EXPECT_EQ(test, nr_free_pages(), before);
  void* exact = alloc_pages_exact(5 * PAGE_SIZE, GFP_KERNEL);
  KUNIT_ASSERT_NOT_NULL(test, exact);
  KUNIT_EXPECT_EQ(test, nr_free_pages(), before - 5);
  free_pages_exact(exact, 5 * PAGE_SIZE);
  KUNIT_EXPECT_EQ(test, nr_free_pages(), before);
}

struct Hog {
  page* first = nullptr;
  // Takes pages until gfp gets no more; how many.
  unsigned long fill(gfp_t gfp) {
    unsigned long n = 0;
    while (page* p = alloc_page(gfp | __GFP_NOWARN)) {
      p->private_ = reinterpret_cast<unsigned long>(first);
      first = p;
      n++;
    }
    return n;
  }
  ~Hog() {
    while (page* p = first) {
      first = reinterpret_cast<page*>(p->private_);
      p->private_ = 0;
      __free_page(p);
    }
  }
};

// spec 41 section 10: what may not wait gets to min, atomic requests to the reserves below it, and PF_MEMALLOC to the end. M-94
void watermarks(kunit* test) {
  if (num_online_cpus() > 1) kunit_skip(test, "other CPUs keep free pages for themselves");
  const Watermarks& w = page_watermarks();
  KUNIT_EXPECT_GT(test, w.min, 0ul);
  KUNIT_EXPECT_GT(test, w.low, w.min);
  KUNIT_EXPECT_EQ(test, w.high - w.low, w.low - w.min);
  unsigned long before = nr_free_pages();
  {
    Hog nowait, atomic, reclaimed, all;
    KUNIT_EXPECT_GT(test, nowait.fill(GFP_NOWAIT), 0ul);
    unsigned long left = nr_free_pages();
    KUNIT_EXPECT_LE(test, left, w.min + 1);
    KUNIT_EXPECT_GT(test, atomic.fill(GFP_ATOMIC), 0ul);
    unsigned long reserve = w.min - w.min / 2;
    reserve -= reserve / 4;
    KUNIT_EXPECT_LE(test, nr_free_pages(), reserve + 1);
    KUNIT_EXPECT_GE(test, nr_free_pages() + 1, reserve);
    // What others have cached comes back first; then an ordinary allocation fails.
    reclaimed.fill(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
    KUNIT_EXPECT_NULL(test, alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN));
    current->flags |= PF_MEMALLOC;
    all.fill(GFP_NOWAIT);
    current->flags &= ~static_cast<unsigned>(PF_MEMALLOC);
    KUNIT_EXPECT_EQ(test, nr_free_pages(), 0ul);
  }
  KUNIT_EXPECT_GE(test, nr_free_pages(), before);
}

void dma_zone_is_low(kunit* test) {
  page* p = alloc_pages(GFP_KERNEL | GFP_DMA32, 0);
  KUNIT_ASSERT_NOT_NULL(test, p);
  KUNIT_EXPECT_LT(test, page_to_phys(p), 4ull << 30);
  __free_page(p);
}

// A fail point at every acquisition, counted.
void injected_failures(kunit* test) {
  {
    FaultInjection fault(current, 3);
    page* a = alloc_page(GFP_KERNEL);
    page* b = alloc_page(GFP_KERNEL | __GFP_NOFAIL);  // not counted: it must not fail (M-95)
    page* c = alloc_page(GFP_KERNEL);
    KUNIT_EXPECT_NULL(test, alloc_page(GFP_KERNEL));
    KUNIT_EXPECT_TRUE(test, fault.fired());
    KUNIT_EXPECT_EQ(test, static_cast<int>(fault.point()), static_cast<int>(FailPoint::Page));
    page* d = alloc_page(GFP_KERNEL);
    KUNIT_EXPECT_EQ(test, fault.seen(), 4L);
    for (page* p : {a, b, c, d}) __free_page(p);
  }
  page* p = alloc_page(GFP_KERNEL);
  KUNIT_EXPECT_NOT_NULL(test, p);
  __free_page(p);
}

// spec 41 M-98
void double_free_is_noticed(kunit* test) {
  page* p = alloc_page(GFP_KERNEL);
  KUNIT_ASSERT_NOT_NULL(test, p);
  __free_page(p);
  __free_page(p);
  KUNIT_EXPECT_TRUE(test, test_taint(TAINT_BAD_PAGE));
  atomic_set(&p->_refcount, 0);  // as it should be
  page *first = alloc_page(GFP_KERNEL), *second = alloc_page(GFP_KERNEL);  // it is not given out twice
  KUNIT_EXPECT_PTR_NE(test, first, second);
  __free_page(first);
  __free_page(second);
}

void write_after_free_is_noticed(kunit* test) {
  static page* pages[200];
  // The stack of free pages is last in, first out.
  page* p = alloc_page(GFP_KERNEL);
  KUNIT_ASSERT_NOT_NULL(test, p);
  auto* mem = static_cast<volatile char*>(page_address(p));
  __free_page(p);
  mem[100] = 1;
  for (page*& q : pages) q = alloc_page(GFP_KERNEL);
  KUNIT_EXPECT_TRUE(test, test_taint(TAINT_BAD_PAGE));
  for (page* q : pages) __free_page(q);
}

void owners_are_recorded(kunit* test) {
  page* p = alloc_page(GFP_KERNEL);
  KUNIT_ASSERT_NOT_NULL(test, p);
  KUNIT_EXPECT_NE(test, page_owner(p), 0ul);
  __free_page(p);
  KUNIT_EXPECT_EQ(test, page_owner(p), 0ul);
}

kunit_case cases[] = {
    KUNIT_CASE(balance_over_all_orders), KUNIT_CASE(address_and_frame_agree), KUNIT_CASE(zeroed_when_asked),
    KUNIT_CASE(blocks_do_not_overlap),   KUNIT_CASE(coalesce),                KUNIT_CASE(references),
    KUNIT_CASE(compound_pages_count_as_one), KUNIT_CASE(split_pages_stand_alone), KUNIT_CASE(watermarks),
    KUNIT_CASE(dma_zone_is_low),         KUNIT_CASE(injected_failures),       KUNIT_CASE(double_free_is_noticed), {},
};
kunit_suite suite = {.name = "page_alloc", .test_cases = cases, .world = {.cpus = 1}};
kunit_test_suite(suite);

// On x86 the options are not there, and the cases are skipped.
int need_debugging(kunit* test) {
  if (!page_debug) kunit_mark_skipped(test, "needs page_owner=on page_poison=on");
  return 0;
}
void owners_case(kunit* test) {
  if (page_debug & kDebugOwner) owners_are_recorded(test);
}
void poison_case(kunit* test) {
  if (kKasan) kunit_skip(test, "AddressSanitizer sees the write itself");
  if (page_debug & kDebugPoison) write_after_free_is_noticed(test);
}
kunit_case debug_cases[] = {KUNIT_CASE(owners_case), KUNIT_CASE(poison_case), {}};
kunit_suite debug_suite = {.name = "page_alloc_debug", .init = need_debugging, .test_cases = debug_cases,
                           .world = {.cpus = 1, .cmdline = "page_owner=on page_poison=on loglevel=0"}};
kunit_test_suite(debug_suite);

}  // namespace
