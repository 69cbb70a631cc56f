// The copy of page tables: what entries become, what is counted, what the parent's CPU may not go on believing. Spec 20 section 13.1.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "kernel/fork/fork.hh"
#include "mm/pgtable.hh"
#include "test/mm/user_space.hh"

namespace {

char* at(unsigned long page, unsigned long offset = 0) { return reinterpret_cast<char*>(kBase + page * kPg + offset); }
bool put(unsigned long page, char c) { return copy_to_user(at(page), &c, 1) == 0; }
char get(unsigned long page) {
  char c = 0;
  return copy_from_user(&c, at(page), 1) ? '?' : c;
}
pte_t entry(const mm_struct* mm, unsigned long page) {
  const pte_t* p = pte_find(mm, kBase + page * kPg);
  return p ? pte_read(p) : pte_t{};
}
mm_struct* copy(kunit* test) {
  auto mm = dup_mm(current, current->mm);
  KUNIT_ASSERT_TRUE(test, mm.has_value());
  return *mm;
}

// spec 20 F-84, F-85: copies are marked old; private ones are read-only in both, the page shared and counted
void entries_of_the_copy(kunit* test) {
  UserSpace user(test);
  KUNIT_ASSERT_EQ(test, user.map(kBase, 4 * kPg), static_cast<long>(kBase));
  for (unsigned long i = 0; i < 3; i++) KUNIT_ASSERT_TRUE(test, put(i, 'a'));
  mm_struct* mm = copy(test);
  for (unsigned long i = 0; i < 3; i++) {
    const pte_t ours = entry(current->mm, i), theirs = entry(mm, i);
    KUNIT_EXPECT_EQ(test, pte_phys(ours), pte_phys(theirs));
    KUNIT_EXPECT_FALSE(test, pte_write(ours));
    KUNIT_EXPECT_FALSE(test, pte_write(theirs));
    KUNIT_EXPECT_FALSE(test, pte_young(theirs));
    KUNIT_EXPECT_EQ(test, page_count(pte_page(ours)), 2);
  }
  KUNIT_EXPECT_TRUE(test, pte_none(entry(mm, 3)));
  KUNIT_EXPECT_EQ(test, get_mm_counter(mm, MM_ANONPAGES), 3ul);
  mmput(mm);
}

// spec 20 F-86: the page of zeroes is nobody's: shared, not counted. There is no swap, and pages do not migrate
void the_zero_page_is_not_counted(kunit* test) {
  UserSpace user(test);
  KUNIT_ASSERT_EQ(test, user.map(kBase, 2 * kPg), static_cast<long>(kBase));
  KUNIT_EXPECT_EQ(test, get(0), 0);
  KUNIT_ASSERT_TRUE(test, put(1, 'b'));
  const pte_t zero = entry(current->mm, 0);
  KUNIT_ASSERT_TRUE(test, pte_special(zero));
  mm_struct* mm = copy(test);
  KUNIT_EXPECT_TRUE(test, pte_special(entry(mm, 0)));
  KUNIT_EXPECT_EQ(test, pte_phys(entry(mm, 0)), pte_phys(zero));
  KUNIT_EXPECT_EQ(test, get_mm_counter(mm, MM_ANONPAGES), 1ul);
  mmput(mm);
}

// spec 20 F-87, F-88: the parent's CPU had the page as writable; after the copy its next write goes to a page of its own
void the_parent_forgets_what_it_could_write(kunit* test) {
  UserSpace user(test);
  constexpr unsigned long pages = 40;  // more than are forgotten one by one
  KUNIT_ASSERT_EQ(test, user.map(kBase, pages * kPg), static_cast<long>(kBase));
  for (unsigned long i = 0; i < pages; i++) KUNIT_ASSERT_TRUE(test, put(i, 'o'));
  mm_struct* mm = copy(test);
  for (unsigned long i = 0; i < pages; i++) KUNIT_ASSERT_TRUE(test, put(i, 'n'));
  int wrong = 0;
  for (unsigned long i = 0; i < pages; i++) {
    wrong += *static_cast<const char*>(arch::phys_to_virt(pte_phys(entry(mm, i)))) != 'o';
    wrong += get(i) != 'n';
  }
  KUNIT_EXPECT_EQ(test, wrong, 0);
  mmput(mm);
}

kunit_case cases[] = {
    KUNIT_CASE(entries_of_the_copy), KUNIT_CASE(the_zero_page_is_not_counted), KUNIT_CASE(the_parent_forgets_what_it_could_write), {},
};
kunit_suite suite = {.name = "copy_mm", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
