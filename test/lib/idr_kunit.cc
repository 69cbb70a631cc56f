// The radix tree through the XArray and the IDR, against plain arrays.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/idr.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/sched.h>

#include "kernel/fault_inject.hh"

namespace {

void* entry_for(unsigned long i) { return xa_mk_value(i + 1); }

void ids_are_the_lowest_free(kunit* test) {
  DEFINE_IDR(idr);
  for (int i = 0; i < 200; i++) KUNIT_EXPECT_EQ(test, idr_alloc(&idr, entry_for(i), 0, 0, GFP_KERNEL), i);
  idr_remove(&idr, 70);
  idr_remove(&idr, 7);
  KUNIT_EXPECT_EQ(test, idr_alloc(&idr, &idr, 0, 0, GFP_KERNEL), 7);
  KUNIT_EXPECT_EQ(test, idr_alloc(&idr, &idr, 8, 0, GFP_KERNEL), 70);
  KUNIT_EXPECT_EQ(test, idr_alloc(&idr, &idr, 0, 200, GFP_KERNEL), -ENOSPC);
  KUNIT_EXPECT_EQ(test, idr_alloc(&idr, &idr, 5000, 5001, GFP_KERNEL), 5000);
  KUNIT_EXPECT_EQ(test, idr_alloc(&idr, &idr, 5000, 5001, GFP_KERNEL), -ENOSPC);
  KUNIT_EXPECT_PTR_EQ(test, idr_find(&idr, 5000), static_cast<void*>(&idr));
  KUNIT_EXPECT_NULL(test, idr_find(&idr, 4999));
  KUNIT_EXPECT_NULL(test, idr_find(&idr, 1ul << 40));
  idr_destroy(&idr);
  KUNIT_EXPECT_TRUE(test, idr_is_empty(&idr));
}

// As pids are handed out (spec 20): upwards, from the start again at the end.
void cyclic(kunit* test) {
  DEFINE_IDR(idr);
  for (int i = 300; i < 310; i++) KUNIT_EXPECT_EQ(test, idr_alloc_cyclic(&idr, entry_for(i), 300, 320, GFP_KERNEL), i);
  idr_remove(&idr, 303);
  KUNIT_EXPECT_EQ(test, idr_alloc_cyclic(&idr, &idr, 300, 320, GFP_KERNEL), 310);
  for (int i = 311; i < 320; i++) KUNIT_EXPECT_EQ(test, idr_alloc_cyclic(&idr, &idr, 300, 320, GFP_KERNEL), i);
  KUNIT_EXPECT_EQ(test, idr_alloc_cyclic(&idr, &idr, 300, 320, GFP_KERNEL), 303);
  KUNIT_EXPECT_EQ(test, idr_alloc_cyclic(&idr, &idr, 300, 320, GFP_KERNEL), -ENOSPC);
  idr_destroy(&idr);
}

void taken_with_null(kunit* test) {
  DEFINE_IDR(idr);
  KUNIT_EXPECT_EQ(test, idr_alloc(&idr, nullptr, 1, 0, GFP_KERNEL), 1);
  KUNIT_EXPECT_EQ(test, idr_alloc(&idr, nullptr, 1, 0, GFP_KERNEL), 2);
  KUNIT_EXPECT_NULL(test, idr_find(&idr, 1));
  int id = 0;
  KUNIT_EXPECT_NULL(test, idr_get_next(&idr, &id));
  KUNIT_EXPECT_NULL(test, idr_replace(&idr, &idr, 2));
  KUNIT_EXPECT_PTR_EQ(test, idr_find(&idr, 2), static_cast<void*>(&idr));
  KUNIT_EXPECT_EQ(test, PTR_ERR(idr_replace(&idr, &idr, 3)), -static_cast<long>(ENOENT));
  idr_destroy(&idr);
}

void walks_in_order(kunit* test) {
  DEFINE_IDR(idr);
  const int ids[] = {0, 1, 63, 64, 65, 4095, 4096, 262143, 262144, 1 << 24, INT_MAX};
  for (int i : ids) KUNIT_ASSERT_EQ(test, idr_alloc(&idr, entry_for(static_cast<unsigned>(i)), i, i == INT_MAX ? 0 : i + 1, GFP_KERNEL), i);
  unsigned n = 0;
  int id;
  void* p;
  idr_for_each_entry(&idr, p, id) {
    KUNIT_ASSERT_LT(test, n, static_cast<unsigned>(ARRAY_SIZE(ids)));
    KUNIT_EXPECT_EQ(test, id, ids[n]);
    KUNIT_EXPECT_PTR_EQ(test, p, entry_for(static_cast<unsigned>(id)));
    n++;
    if (id == INT_MAX) break;
  }
  KUNIT_EXPECT_EQ(test, n, static_cast<unsigned>(ARRAY_SIZE(ids)));
  for (int i : ids) KUNIT_EXPECT_PTR_EQ(test, idr_remove(&idr, static_cast<unsigned long>(i)), entry_for(static_cast<unsigned>(i)));
  KUNIT_EXPECT_TRUE(test, idr_is_empty(&idr));
}

// Random stores and erases over a few densities, compared with an array after each round.
void against_a_model(kunit* test) {
  static void* model[2048];
  DEFINE_XARRAY(xa);
  for (void*& m : model) m = nullptr;
  for (int step = 0; step < 6000; step++) {
    unsigned long i = prandom_u32_max(ARRAY_SIZE(model));
    void* v = step / 1500 % 2 ? nullptr : entry_for(get_random_u16());
    KUNIT_ASSERT_PTR_EQ(test, xa_store(&xa, i, v, GFP_KERNEL), model[i]);
    model[i] = v;
    if (step % 500) continue;
    unsigned long index;
    void* p;
    unsigned long expected = 0;
    xa_for_each(&xa, index, p) {
      while (expected < index) KUNIT_ASSERT_NULL(test, model[expected++]);
      KUNIT_ASSERT_PTR_EQ(test, p, model[index]);
      expected = index + 1;
    }
    while (expected < ARRAY_SIZE(model)) KUNIT_ASSERT_NULL(test, model[expected++]);
  }
  xa_destroy(&xa);
}

void large_indices(kunit* test) {
  DEFINE_XARRAY(xa);
  const unsigned long at[] = {~0ul, 1ul << 63, 1ul << 36, 0};
  for (unsigned long i : at) KUNIT_EXPECT_FALSE(test, xa_is_err(xa_store(&xa, i, &xa, GFP_KERNEL)));
  for (unsigned long i : at) KUNIT_EXPECT_PTR_EQ(test, xa_load(&xa, i), static_cast<void*>(&xa));
  KUNIT_EXPECT_NULL(test, xa_load(&xa, ~0ul - 1));
  unsigned long index;
  void* p;
  unsigned n = 0;
  xa_for_each(&xa, index, p) n++;
  KUNIT_EXPECT_EQ(test, n, 4u);
  for (unsigned long i : at) KUNIT_EXPECT_PTR_EQ(test, xa_erase(&xa, i), static_cast<void*>(&xa));
  KUNIT_EXPECT_TRUE(test, xa_empty(&xa));
}

void insert_and_cmpxchg(kunit* test) {
  DEFINE_XARRAY(xa);
  KUNIT_EXPECT_EQ(test, xa_insert(&xa, 5, &xa, GFP_KERNEL), 0);
  KUNIT_EXPECT_EQ(test, xa_insert(&xa, 5, &xa, GFP_KERNEL), -EBUSY);
  KUNIT_EXPECT_PTR_EQ(test, xa_cmpxchg(&xa, 5, nullptr, test, GFP_KERNEL), static_cast<void*>(&xa));
  KUNIT_EXPECT_PTR_EQ(test, xa_load(&xa, 5), static_cast<void*>(&xa));
  KUNIT_EXPECT_PTR_EQ(test, xa_cmpxchg(&xa, 5, &xa, test, GFP_KERNEL), static_cast<void*>(&xa));
  KUNIT_EXPECT_PTR_EQ(test, xa_load(&xa, 5), static_cast<void*>(test));
  xa_destroy(&xa);
}

void ida_hands_out_integers(kunit* test) {
  DEFINE_IDA(ida);
  for (int i = 0; i < 130; i++) KUNIT_EXPECT_EQ(test, ida_alloc(&ida, GFP_KERNEL), i);
  ida_free(&ida, 64);
  KUNIT_EXPECT_EQ(test, ida_alloc_min(&ida, 1, GFP_KERNEL), 64);
  KUNIT_EXPECT_EQ(test, ida_alloc_max(&ida, 129, GFP_KERNEL), -ENOSPC);
  KUNIT_EXPECT_EQ(test, ida_alloc_range(&ida, 500, 500, GFP_KERNEL), 500);
  KUNIT_EXPECT_EQ(test, ida_alloc_range(&ida, 500, 500, GFP_KERNEL), -ENOSPC);
  for (unsigned i = 0; i < 130; i++) ida_free(&ida, i);
  ida_free(&ida, 500);
  KUNIT_EXPECT_TRUE(test, ida_is_empty(&ida));
}

// Every allocation on the way to a deep index fails once; what was there stays, and nothing leaks (the world's own check).
void allocation_failures(kunit* test) {
  int failures = 0;
  for (long nth = 1;; nth++) {
    DEFINE_IDR(idr);
    KUNIT_ASSERT_EQ(test, idr_alloc(&idr, &idr, 0, 0, GFP_KERNEL), 0);
    int id;
    bool fired;
    {
      FaultInjection fault(current, nth);
      id = idr_alloc(&idr, &idr, 1 << 24, 0, GFP_KERNEL);
      fired = fault.fired();
    }
    // A failure that the slab made up for is none.
    KUNIT_EXPECT_TRUE(test, id == 1 << 24 || (fired && id == -ENOMEM));
    failures += id < 0;
    KUNIT_EXPECT_PTR_EQ(test, idr_find(&idr, 0), static_cast<void*>(&idr));
    idr_destroy(&idr);
    if (!fired) break;
    KUNIT_ASSERT_LT(test, nth, 50L);
  }
  KUNIT_EXPECT_GE(test, failures, 4);  // at least one for each new node
}

// The lowest free id at or after a random start, against a plain array; dense and sparse.
void lowest_free_against_a_model(kunit* test) {
  constexpr unsigned kIds = 700;
  static bool model[kIds];
  DEFINE_IDR(idr);
  for (bool& m : model) m = false;
  for (int step = 0; step < 6000; step++) {
    unsigned at = prandom_u32_max(kIds);
    bool fill = step / 1000 % 2 == 0 ? prandom_u32_max(4) != 0 : prandom_u32_max(4) == 0;
    if (!fill) {
      idr_remove(&idr, at);
      model[at] = false;
      continue;
    }
    unsigned want = at;
    while (want < kIds && model[want]) want++;
    int got = idr_alloc(&idr, entry_for(at), static_cast<int>(at), kIds, GFP_KERNEL);
    KUNIT_ASSERT_EQ(test, got, want < kIds ? static_cast<int>(want) : -ENOSPC);
    if (got >= 0) model[got] = true;
  }
  for (unsigned i = 0; i < kIds; i++) KUNIT_EXPECT_EQ(test, idr_find(&idr, i) != nullptr, model[i]);
  idr_destroy(&idr);
}

void preloaded_allocation_does_not_fail(kunit* test) {
  DEFINE_IDR(idr);
  idr_preload(GFP_KERNEL);
  int id;
  {
    FaultInjection fault(current, 1);
    id = idr_alloc(&idr, &idr, 1 << 24, 0, GFP_NOWAIT);
  }
  idr_preload_end();
  KUNIT_EXPECT_EQ(test, id, 1 << 24);
  idr_destroy(&idr);
}

kunit_case cases[] = {
    KUNIT_CASE(ids_are_the_lowest_free), KUNIT_CASE(cyclic),
    KUNIT_CASE(taken_with_null),         KUNIT_CASE(walks_in_order),
    KUNIT_CASE(lowest_free_against_a_model), KUNIT_CASE(against_a_model),         KUNIT_CASE(large_indices),
    KUNIT_CASE(insert_and_cmpxchg),      KUNIT_CASE(ida_hands_out_integers),
    KUNIT_CASE(allocation_failures),     KUNIT_CASE(preloaded_allocation_does_not_fail), {},
};
kunit_suite suite = {.name = "idr", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
