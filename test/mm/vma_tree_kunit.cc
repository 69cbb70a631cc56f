// The tree of areas as a pure data structure (spec 41 M-3, M-4).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mm/vma_tree.hh"

namespace {

constexpr unsigned long kP = 4096, kNone = ~0ul;

struct Tree {
  mm_struct mm;
  vm_area_struct areas[64];
  int used;

  vm_area_struct* add(unsigned long first, unsigned long last, unsigned long flags = 0) {
    vm_area_struct* v = &areas[used++];
    *v = {};
    v->vm_mm = &mm;
    v->vm_start = first * kP;
    v->vm_end = last * kP;
    v->vm_flags = flags;
    vm_area_struct* next = vma_tree_find(&mm, v->vm_start);
    vma_tree_insert(&mm, v, next ? next->vm_prev : mm.mmap_last);
    return v;
  }
};

Tree* make(kunit* test) {
  auto* t = static_cast<Tree*>(kunit_kzalloc(test, sizeof(Tree), GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, t);
  t->mm.tree_seed = 12345;
  return t;
}

void finds_first_area_that_ends_above(kunit* test) {
  Tree* t = make(test);
  vm_area_struct *a = t->add(1, 2), *b = t->add(5, 8);
  KUNIT_EXPECT_PTR_EQ(test, vma_tree_find(&t->mm, 0), a);
  KUNIT_EXPECT_PTR_EQ(test, vma_tree_find(&t->mm, kP), a);
  KUNIT_EXPECT_PTR_EQ(test, vma_tree_find(&t->mm, 2 * kP), b);
  KUNIT_EXPECT_PTR_EQ(test, vma_tree_find(&t->mm, 8 * kP - 1), b);
  KUNIT_EXPECT_NULL(test, vma_tree_find(&t->mm, 8 * kP));
}

void stays_valid_under_any_order(kunit* test) {
  Tree* t = make(test);
  for (int i = 0; i < 60; i++) {
    unsigned long at = static_cast<unsigned long>(i * 37 % 60) * 3 + 1;
    t->add(at, at + 1 + (i & 1));
    KUNIT_ASSERT_TRUE(test, vma_tree_valid(&t->mm));
  }
  for (int i = 0; i < 60; i++) {
    vma_tree_remove(&t->mm, &t->areas[i * 23 % 60]);
    KUNIT_ASSERT_TRUE(test, vma_tree_valid(&t->mm));
  }
  KUNIT_EXPECT_EQ(test, t->mm.map_count, 0);
  KUNIT_EXPECT_NULL(test, t->mm.vma_tree);
}

// spec 41 M-3: the highest hole that fits
void hole_search_from_top(kunit* test) {
  Tree* t = make(test);
  t->add(10, 20);
  t->add(25, 30);
  t->add(40, 50);
  auto top = [&](unsigned long pages, unsigned long low, unsigned long high) {
    unsigned long r = vma_tree_hole_from_top(&t->mm, pages * kP, low * kP, high * kP);
    return r == kNone ? kNone : r / kP;
  };
  KUNIT_EXPECT_EQ(test, top(5, 1, 100), 95ul);
  KUNIT_EXPECT_EQ(test, top(5, 1, 50), 35ul);
  KUNIT_EXPECT_EQ(test, top(10, 1, 50), 30ul);
  KUNIT_EXPECT_EQ(test, top(11, 1, 50), kNone);
  KUNIT_EXPECT_EQ(test, top(5, 1, 40), 35ul);
  KUNIT_EXPECT_EQ(test, top(5, 1, 33), 20ul);
  KUNIT_EXPECT_EQ(test, top(9, 1, 33), 1ul);
  KUNIT_EXPECT_EQ(test, top(10, 1, 33), kNone);
  KUNIT_EXPECT_EQ(test, top(1, 45, 50), kNone);
  KUNIT_EXPECT_EQ(test, top(50, 50, 100), 50ul);
  KUNIT_EXPECT_EQ(test, top(51, 50, 100), kNone);
}

void hole_search_from_bottom(kunit* test) {
  Tree* t = make(test);
  t->add(10, 20);
  t->add(25, 30);
  auto bottom = [&](unsigned long pages, unsigned long low, unsigned long high) {
    unsigned long r = vma_tree_hole_from_bottom(&t->mm, pages * kP, low * kP, high * kP);
    return r == kNone ? kNone : r / kP;
  };
  KUNIT_EXPECT_EQ(test, bottom(5, 1, 100), 1ul);
  KUNIT_EXPECT_EQ(test, bottom(10, 1, 100), 30ul);
  KUNIT_EXPECT_EQ(test, bottom(5, 8, 100), 20ul);
  KUNIT_EXPECT_EQ(test, bottom(5, 21, 100), 30ul);
  KUNIT_EXPECT_EQ(test, bottom(71, 21, 100), kNone);
}

// spec 41 M-3: holes below stacks are smaller by the guard gap
void stack_keeps_its_guard_gap(kunit* test) {
  Tree* t = make(test);
  t->add(1000, 1010, VM_GROWSDOWN);
  KUNIT_EXPECT_EQ(test, vma_tree_hole_from_top(&t->mm, kP, kP, 1000 * kP), (1000 - 256 - 1) * kP);
  t->add(800, 801);
  KUNIT_EXPECT_EQ(test, vma_tree_hole_from_top(&t->mm, kP, 801 * kP, 1000 * kP), kNone);  // 199 pages free, 256 wanted
  KUNIT_EXPECT_TRUE(test, vma_tree_valid(&t->mm));
}

void gaps_follow_changed_ends(kunit* test) {
  Tree* t = make(test);
  t->add(1, 2);
  vm_area_struct* mid = t->add(10, 20);
  t->add(30, 31);
  mid->vm_end = 29 * kP;
  vma_tree_gap_changed(mid);
  KUNIT_EXPECT_TRUE(test, vma_tree_valid(&t->mm));
  mid->vm_start = 3 * kP;
  vma_tree_gap_changed(mid);
  KUNIT_EXPECT_TRUE(test, vma_tree_valid(&t->mm));
  KUNIT_EXPECT_EQ(test, vma_tree_hole_from_top(&t->mm, 2 * kP, kP, 30 * kP), kNone);
}

void replacing_keeps_the_place(kunit* test) {
  Tree* t = make(test);
  t->add(1, 2);
  vm_area_struct* old = t->add(4, 5);
  t->add(7, 8);
  vm_area_struct fresh = *old;
  vma_tree_replace(&t->mm, old, &fresh);
  KUNIT_EXPECT_PTR_EQ(test, vma_tree_find(&t->mm, 4 * kP), &fresh);
  KUNIT_EXPECT_TRUE(test, vma_tree_valid(&t->mm));
}

// Hole search against a bitmap of pages.
void agrees_with_a_page_array(kunit* test) {
  Tree* t = make(test);
  constexpr unsigned kPages = 256;
  auto* used = static_cast<bool*>(kunit_kzalloc(test, kPages + 1, GFP_KERNEL));
  unsigned x = 99;
  auto rnd = [&](unsigned n) {
    x = x * 1664525 + 1013904223;
    return (x >> 16) % n;
  };
  auto compare = [&] {
    unsigned low = 1 + rnd(kPages - 1), high = low + rnd(kPages - low + 1), len = 1 + rnd(20);
    unsigned long best = kNone, first = kNone;
    for (unsigned p = low; p + len <= high; p++) {
      bool free = true;
      for (unsigned q = p; q < p + len; q++) free &= !used[q];
      if (!free) continue;
      best = p * kP;
      if (first == kNone) first = p * kP;
    }
    KUNIT_EXPECT_EQ(test, vma_tree_hole_from_top(&t->mm, len * kP, low * kP, high * kP), best);
    KUNIT_EXPECT_EQ(test, vma_tree_hole_from_bottom(&t->mm, len * kP, low * kP, high * kP), first);
  };
  // Through the number of areas from which on gaps are kept, and back.
  for (int i = 0; i < 200 && t->used < 60; i++) {
    unsigned from = 1 + rnd(kPages - 8), len = 1 + rnd(3);
    bool free = true;
    for (unsigned p = from; p < from + len; p++) free &= !used[p];
    if (!free) continue;
    t->add(from, from + len);
    for (unsigned p = from; p < from + len; p++) used[p] = true;
    for (int k = 0; k < 10; k++) compare();
    KUNIT_ASSERT_TRUE(test, vma_tree_valid(&t->mm));
  }
  KUNIT_EXPECT_GT(test, t->used, 40);
  while (t->mm.map_count > 10) {
    vm_area_struct* v = t->mm.mmap;
    for (unsigned n = rnd(static_cast<unsigned>(t->mm.map_count)); n; n--) v = v->vm_next;
    for (unsigned long p = v->vm_start / kP; p < v->vm_end / kP; p++) used[p] = false;
    vma_tree_remove(&t->mm, v);
    for (int k = 0; k < 10; k++) compare();
    KUNIT_ASSERT_TRUE(test, vma_tree_valid(&t->mm));
  }
}

kunit_case cases[] = {KUNIT_CASE(finds_first_area_that_ends_above),
                      KUNIT_CASE(stays_valid_under_any_order),
                      KUNIT_CASE(hole_search_from_top),
                      KUNIT_CASE(hole_search_from_bottom),
                      KUNIT_CASE(stack_keeps_its_guard_gap),
                      KUNIT_CASE(gaps_follow_changed_ends),
                      KUNIT_CASE(replacing_keeps_the_place),
                      KUNIT_CASE(agrees_with_a_page_array),
                      {}};
kunit_suite suite = {.name = "vma_tree", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
