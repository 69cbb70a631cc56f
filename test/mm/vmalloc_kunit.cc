// vmalloc (spec 41 section 18).
// SPDX-License-Identifier: Apache-2.0
#include "mm/vmalloc.hh"

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kernel/fault_inject.hh"
#include "mm/page_alloc.hh"

namespace {

void contents_hold(kunit* test) {
  rcu_barrier();      // stacks of threads that have ended
  vfree(vmalloc(1));  // finishes what was put off
  unsigned long before = nr_free_pages(), areas = nr_vmalloc_pages();
  constexpr unsigned long kSize = 37 * PAGE_SIZE + 5;
  auto* p = static_cast<unsigned char*>(vmalloc(kSize));
  KUNIT_ASSERT_NOT_NULL(test, p);
  KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
  KUNIT_EXPECT_EQ(test, reinterpret_cast<unsigned long>(p) % PAGE_SIZE, 0ul);
  for (unsigned long i = 0; i < kSize; i += 512) p[i] = static_cast<unsigned char>(i >> 9);
  for (unsigned long i = 0; i < kSize; i += 512) KUNIT_ASSERT_EQ(test, p[i], static_cast<unsigned char>(i >> 9));
  // The same bytes through the direct map.
  page* third = vmalloc_to_page(p + 3 * PAGE_SIZE + 17);
  KUNIT_ASSERT_NOT_NULL(test, third);
  KUNIT_EXPECT_EQ(test, static_cast<unsigned char*>(page_address(third))[512], p[3 * PAGE_SIZE + 512]);
  vfree(p);
  drain_local_pages();
  KUNIT_EXPECT_GE(test, nr_free_pages() + 40, before);
  KUNIT_EXPECT_LE(test, nr_vmalloc_pages(), areas);  // other threads may end meanwhile
}

void zeroed(kunit* test) {
  void* p = vmalloc(3 * PAGE_SIZE);
  KUNIT_ASSERT_NOT_NULL(test, p);
  memset(p, 0xff, 3 * PAGE_SIZE);
  vfree(p);
  p = vzalloc(3 * PAGE_SIZE);
  KUNIT_ASSERT_NOT_NULL(test, p);
  KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, 3 * PAGE_SIZE));
  vfree(p);
}

// At least one unmapped page lies between two areas.
void guard_pages(kunit* test) {
  constexpr int kAreas = 20;
  unsigned long at[kAreas];
  for (int i = 0; i < kAreas; i++) {
    at[i] = reinterpret_cast<unsigned long>(vmalloc((1 + i % 3) * PAGE_SIZE));
    KUNIT_ASSERT_NE(test, at[i], 0ul);
    for (int k = 0; k < i; k++) {
      unsigned long lo = min(at[i], at[k]), hi = max(at[i], at[k]);
      unsigned long size = static_cast<unsigned long>(1 + (lo == at[i] ? i : k) % 3) * PAGE_SIZE;
      KUNIT_EXPECT_GE(test, hi, lo + size + PAGE_SIZE);
    }
  }
  for (unsigned long a : at) vfree(reinterpret_cast<void*>(a));
}

void aligned_areas(kunit* test) {
  void* odd = vmalloc(PAGE_SIZE);
  void* p = vmalloc_aligned(THREAD_SIZE, THREAD_SIZE, GFP_KERNEL);
  KUNIT_ASSERT_NOT_NULL(test, p);
  KUNIT_EXPECT_EQ(test, reinterpret_cast<unsigned long>(p) % THREAD_SIZE, 0ul);
  vfree(p);
  vfree(odd);
}

void borrowed_pages(kunit* test) {
  page* pages[3];
  for (page*& p : pages) KUNIT_ASSERT_NOT_NULL(test, p = alloc_page(GFP_KERNEL | __GFP_ZERO));
  auto* mem = static_cast<char*>(vmap(pages, 3, VM_MAP, 0));
  KUNIT_ASSERT_NOT_NULL(test, mem);
  mem[2 * PAGE_SIZE] = 'x';
  vunmap(mem);
  KUNIT_EXPECT_EQ(test, *static_cast<char*>(page_address(pages[2])), 'x');
  for (page* p : pages) __free_page(p);
}

void impossible_sizes(kunit* test) {
  KUNIT_EXPECT_NULL(test, vmalloc(0));
  KUNIT_EXPECT_NULL(test, vmalloc(~0ul - PAGE_SIZE));
  KUNIT_EXPECT_NULL(test, vmalloc((totalram_pages() + 1) * PAGE_SIZE));
  vfree(nullptr);
}

void kvmalloc_chooses(kunit* test) {
  void* small = kvmalloc(100, GFP_KERNEL);
  KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(small));
  kvfree(small);
  void* large = kvmalloc(5ul << 20, GFP_KERNEL);  // more than kmalloc gives
  KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(large));
  kvfree(large);
  kvfree(nullptr);
}

// Every acquisition of a vmalloc fails once: null, and nothing leaks.
void allocation_failures(kunit* test) {
  vfree(vmalloc(1));
  unsigned long areas = nr_vmalloc_pages();
  for (long nth = 1;; nth++) {
    void* p;
    bool fired;
    {
      FaultInjection fault(current, nth);
      p = vmalloc(4 * PAGE_SIZE);
      fired = fault.fired();
    }
    KUNIT_EXPECT_EQ(test, p == nullptr, fired);
    KUNIT_EXPECT_EQ(test, nr_vmalloc_pages() - areas, p ? 4ul : 0ul);
    vfree(p);
    if (!fired) break;
    KUNIT_ASSERT_LT(test, nth, 20L);
  }
}

void address_space_is_reused(kunit* test) {
  vfree(vmalloc(1));
  void* last = nullptr;
  int moves = 0;
  for (int i = 0; i < 100; i++) {
    void* p = vmalloc(PAGE_SIZE);
    moves += p != last;
    last = p;
    vfree(p);
  }
  KUNIT_EXPECT_LE(test, moves, 10);  // others may free areas meanwhile
}

kunit_case cases[] = {
    KUNIT_CASE(contents_hold),    KUNIT_CASE(zeroed),           KUNIT_CASE(guard_pages),         KUNIT_CASE(aligned_areas),
    KUNIT_CASE(borrowed_pages),   KUNIT_CASE(impossible_sizes), KUNIT_CASE(kvmalloc_chooses),    KUNIT_CASE(allocation_failures),
    KUNIT_CASE(address_space_is_reused), {},
};
kunit_suite suite = {.name = "vmalloc", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
