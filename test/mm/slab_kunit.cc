// Slab caches and kmalloc (spec 41 section 17).
// SPDX-License-Identifier: Apache-2.0
#include "mm/slab.hh"

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <initializer_list>

#include "kernel/fault_inject.hh"
#include "mm/page_alloc.hh"

namespace {

bool aligned(const void* p, unsigned long to) { return reinterpret_cast<unsigned long>(p) % to == 0; }

void sizes_and_alignment(kunit* test) {
  for (size_t size : {1ul, 8ul, 9ul, 33ul, 65ul, 96ul, 97ul, 129ul, 192ul, 200ul, 500ul, 1024ul, 4000ul, 8192ul, 8193ul, 100000ul}) {
    void* p = kmalloc(size, GFP_KERNEL);
    KUNIT_ASSERT_NOT_NULL(test, p);
    KUNIT_EXPECT_GE(test, ksize(p), size);
    KUNIT_EXPECT_TRUE(test, aligned(p, 8));
    if (is_power_of_2(size)) KUNIT_EXPECT_TRUE(test, aligned(p, size < 8 ? 8 : size));
    memset(p, 0xa5, ksize(p));
    kfree(p);
  }
}

void classes(kunit* test) {
  constexpr struct { size_t size, usable; } kRows[] = {{1, 8}, {17, 32}, {65, 96}, {97, 128}, {129, 192}, {193, 256}, {4097, 8192}, {8193, 16384}};
  for (auto [size, usable] : kRows) {
    void* p = kmalloc(size, GFP_KERNEL);
    KUNIT_EXPECT_EQ(test, ksize(p), usable);
    kfree(p);
  }
}

void nothing_and_too_much(kunit* test) {
  void* zero = kmalloc(0, GFP_KERNEL);
  KUNIT_EXPECT_PTR_EQ(test, zero, ZERO_SIZE_PTR);
  KUNIT_EXPECT_EQ(test, ksize(zero), size_t{0});
  kfree(zero);
  kfree(nullptr);
  KUNIT_EXPECT_NULL(test, kmalloc(KMALLOC_MAX_SIZE + 1, GFP_KERNEL));
  volatile size_t huge = ~size_t{0};
  KUNIT_EXPECT_NULL(test, kmalloc_array(huge / 2, 3, GFP_KERNEL));
  KUNIT_EXPECT_NULL(test, kcalloc(huge, 2, GFP_KERNEL));
}

void zeroing(kunit* test) {
  for (int round = 0; round < 3; round++) {
    void* dirty[20];
    for (void*& p : dirty) memset(p = kmalloc(200, GFP_KERNEL), 0xff, 200);
    for (void* p : dirty) kfree(p);
    for (void*& p : dirty) {
      p = kzalloc(200, GFP_KERNEL);
      KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, 200));
    }
    for (void* p : dirty) kfree(p);
  }
}

void reallocating(kunit* test) {
  auto* p = static_cast<char*>(kmalloc(10, GFP_KERNEL));
  memcpy(p, "0123456789", 10);
  char* same = static_cast<char*>(krealloc(p, 16, GFP_KERNEL));
  KUNIT_EXPECT_PTR_EQ(test, same, p);
  auto* grown = static_cast<char*>(krealloc(p, 1000, GFP_KERNEL));
  KUNIT_EXPECT_EQ(test, memcmp(grown, "0123456789", 10), 0);
  KUNIT_EXPECT_PTR_EQ(test, krealloc(grown, 0, GFP_KERNEL), ZERO_SIZE_PTR);
  void* fresh = krealloc(nullptr, 5, GFP_KERNEL);
  KUNIT_EXPECT_NOT_NULL(test, fresh);
  kfree(fresh);
}

void duplicates(kunit* test) {
  char* s = kstrdup("hello", GFP_KERNEL);
  KUNIT_EXPECT_STREQ(test, s, "hello");
  kfree(s);
  s = kstrndup("hello", 3, GFP_KERNEL);
  KUNIT_EXPECT_STREQ(test, s, "hel");
  kfree(s);
  s = kasprintf(GFP_KERNEL, "%d-%s", 7, "x");
  KUNIT_EXPECT_STREQ(test, s, "7-x");
  kfree(s);
  KUNIT_EXPECT_NULL(test, kstrdup(nullptr, GFP_KERNEL));
}

struct Object {
  unsigned long magic, payload[5];
};
void construct(void* p) { static_cast<Object*>(p)->magic = 0x600d; }

// Objects come constructed, and the constructor runs once for each place, not for each allocation.
unsigned constructed;
void construct_counted(void* p) {
  construct(p);
  constructed++;
}
void constructors(kunit* test) {
  constructed = 0;
  kmem_cache* s = kmem_cache_create("kunit_object", sizeof(Object), 0, 0, construct_counted);
  KUNIT_ASSERT_NOT_NULL(test, s);
  Object* held[100];
  for (Object*& o : held) {
    o = static_cast<Object*>(kmem_cache_alloc(s, GFP_KERNEL));
    KUNIT_ASSERT_NOT_NULL(test, o);
    KUNIT_EXPECT_EQ(test, o->magic, 0x600dul);
    memset(o->payload, 0xee, sizeof(o->payload));
  }
  unsigned after_first = constructed;
  KUNIT_EXPECT_GE(test, after_first, 100u);
  for (Object* o : held) kmem_cache_free(s, o);
  for (Object*& o : held) {
    o = static_cast<Object*>(kmem_cache_alloc(s, GFP_KERNEL));
    KUNIT_EXPECT_EQ(test, o->magic, 0x600dul);
  }
  KUNIT_EXPECT_EQ(test, constructed, after_first);
  for (Object* o : held) kmem_cache_free(s, o);
  kmem_cache_destroy(s);
}

void alignment_flags(kunit* test) {
  kmem_cache* line = kmem_cache_create("kunit_line", 100, 0, SLAB_HWCACHE_ALIGN, nullptr);
  kmem_cache* wide = kmem_cache_create("kunit_wide", 24, 256, 0, nullptr);
  void *a[10], *b[10];
  for (int i = 0; i < 10; i++) {
    KUNIT_EXPECT_TRUE(test, aligned(a[i] = kmem_cache_alloc(line, GFP_KERNEL), 64));
    KUNIT_EXPECT_TRUE(test, aligned(b[i] = kmem_cache_alloc(wide, GFP_KERNEL), 256));
  }
  for (int i = 0; i < 10; i++) {
    kmem_cache_free(line, a[i]);
    kmem_cache_free(wide, b[i]);
  }
  kmem_cache_destroy(line);
  kmem_cache_destroy(wide);
}

// Random allocations and frees with contents checked: no two objects share a byte, and counts agree with a recount.
void churn(kunit* test) {
  constexpr unsigned kObjects = 500;
  static unsigned char* held[kObjects];
  kmem_cache* s = kmem_cache_create("kunit_churn", 72, 0, 0, nullptr);
  KUNIT_ASSERT_NOT_NULL(test, s);
  unsigned long live = 0;
  for (auto*& h : held) h = nullptr;
  for (int step = 0; step < 20000; step++) {
    unsigned i = prandom_u32_max(kObjects);
    if (held[i]) {
      KUNIT_ASSERT_NULL(test, memchr_inv(held[i], static_cast<int>(i & 255), 72));
      kmem_cache_free(s, held[i]);
      held[i] = nullptr;
      live--;
    } else {
      held[i] = static_cast<unsigned char*>(kmem_cache_alloc(s, GFP_KERNEL));
      KUNIT_ASSERT_NOT_NULL(test, held[i]);
      memset(held[i], static_cast<int>(i & 255), 72);
      live++;
    }
  }
  KUNIT_EXPECT_EQ(test, kmem_cache_objects(s), live);
  for (auto* h : held) kmem_cache_free(s, h);
  KUNIT_EXPECT_EQ(test, kmem_cache_objects(s), 0ul);
  kmem_cache_destroy(s);
}

void empty_slabs_go_back(kunit* test) {
  kmem_cache* s = kmem_cache_create("kunit_many", 1024, 0, 0, nullptr);
  KUNIT_ASSERT_NOT_NULL(test, s);
  unsigned long before = nr_slab_pages();
  static void* held[2000];
  for (void*& h : held) KUNIT_ASSERT_NOT_NULL(test, h = kmem_cache_alloc(s, GFP_KERNEL));
  KUNIT_EXPECT_GE(test, nr_slab_pages() - before, 500ul);
  for (void* h : held) kmem_cache_free(s, h);
  kmem_cache_shrink(s);
  KUNIT_EXPECT_LE(test, nr_slab_pages() - before, 16ul);
  kmem_cache_destroy(s);
  KUNIT_EXPECT_EQ(test, nr_slab_pages(), before);
}

// SLAB_TYPESAFE_BY_RCU: what a reader finds in a freed object is still an object of this type.
void typesafe_by_rcu(kunit* test) {
  kmem_cache* s = kmem_cache_create("kunit_typesafe", sizeof(Object), 0, SLAB_TYPESAFE_BY_RCU, construct);
  KUNIT_ASSERT_NOT_NULL(test, s);
  static Object* held[300];
  for (Object*& o : held) KUNIT_ASSERT_NOT_NULL(test, o = static_cast<Object*>(kmem_cache_alloc(s, GFP_KERNEL)));
  rcu_read_lock();
  for (Object* o : held) kmem_cache_free(s, o);
  for (Object* o : held) KUNIT_EXPECT_EQ(test, READ_ONCE(o->magic), 0x600dul);
  rcu_read_unlock();
  kmem_cache_destroy(s);
}

void bulk(kunit* test) {
  kmem_cache* s = kmem_cache_create("kunit_bulk", 32, 0, 0, nullptr);
  void* objs[40];
  KUNIT_EXPECT_EQ(test, kmem_cache_alloc_bulk(s, GFP_KERNEL, 40, objs), 40);
  KUNIT_EXPECT_EQ(test, kmem_cache_objects(s), 40ul);
  kmem_cache_free_bulk(s, 40, objs);
  {
    FaultInjection fault(current, 7);
    KUNIT_EXPECT_EQ(test, kmem_cache_alloc_bulk(s, GFP_KERNEL, 40, objs), 0);
  }
  KUNIT_EXPECT_EQ(test, kmem_cache_objects(s), 0ul);
  kmem_cache_destroy(s);
}

void injected_failures(kunit* test) {
  long acquisitions = 0;
  {
    FaultInjection count(current, 0);
    kfree(kmalloc(64, GFP_KERNEL));
    acquisitions = count.seen();
  }
  KUNIT_EXPECT_GE(test, acquisitions, 1L);
  {
    FaultInjection fault(current, 1);
    KUNIT_EXPECT_NULL(test, kmalloc(64, GFP_KERNEL));
    KUNIT_EXPECT_EQ(test, static_cast<int>(fault.point()), static_cast<int>(FailPoint::Slab));
    void* p = kmalloc(64, GFP_KERNEL);
    KUNIT_EXPECT_NOT_NULL(test, p);
    kfree(p);
  }
  {
    FaultInjection fault(current, 1);
    KUNIT_EXPECT_NULL(test, kmem_cache_create("kunit_never", 16, 0, 0, nullptr));
  }
  // A slab that cannot have its pages: one size of block, so that there is nothing to fall back to.
  kmem_cache* s = kmem_cache_create("kunit_fresh", 400, 0, 0, nullptr);
  {
    FaultInjection fault(current, 2);
    KUNIT_EXPECT_NULL(test, kmem_cache_alloc(s, GFP_KERNEL));
    KUNIT_EXPECT_EQ(test, static_cast<int>(fault.point()), static_cast<int>(FailPoint::Page));
  }
  kmem_cache_destroy(s);
}

void destroying_a_cache_in_use(kunit* test) {
  kmem_cache* s = kmem_cache_create("kunit_in_use", 64, 0, 0, nullptr);
  void* p = kmem_cache_alloc(s, GFP_KERNEL);
  kmem_cache_destroy(s);  // warns and leaves it
  KUNIT_EXPECT_TRUE(test, test_taint(TAINT_WARN));
  KUNIT_EXPECT_EQ(test, kmem_cache_objects(s), 1ul);
  kmem_cache_free(s, p);
  kmem_cache_destroy(s);
}

struct Found {
  unsigned caches;
  unsigned long active;
};
void slabinfo(kunit* test) {
  kmem_cache* s = kmem_cache_create("kunit_info", 48, 0, 0, nullptr);
  void* p = kmem_cache_alloc(s, GFP_KERNEL);
  Found f{};
  for_each_slab_cache(
      [](const SlabInfo& i, void* c) {
        auto* found = static_cast<Found*>(c);
        found->caches++;
        if (!strcmp(i.name, "kunit_info")) found->active = i.active_objects;
      },
      &f);
  KUNIT_EXPECT_GE(test, f.caches, 14u);
  KUNIT_EXPECT_EQ(test, f.active, 1ul);
  kmem_cache_free(s, p);
  kmem_cache_destroy(s);
}

kunit_case cases[] = {
    KUNIT_CASE(sizes_and_alignment), KUNIT_CASE(classes),      KUNIT_CASE(nothing_and_too_much), KUNIT_CASE(zeroing),
    KUNIT_CASE(reallocating),        KUNIT_CASE(duplicates),   KUNIT_CASE(constructors),         KUNIT_CASE(alignment_flags),
    KUNIT_CASE(churn),               KUNIT_CASE(empty_slabs_go_back), KUNIT_CASE(typesafe_by_rcu), KUNIT_CASE(bulk),
    KUNIT_CASE(injected_failures),   KUNIT_CASE(destroying_a_cache_in_use), KUNIT_CASE(slabinfo), {},
};
kunit_suite suite = {.name = "slab", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
