// What the allocators tell AddressSanitizer: each of these accesses must end the machine.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mm/page_alloc.hh"

namespace {

volatile int sink;

void read_after_kfree(kunit* test) {
  auto* p = static_cast<volatile char*>(kmalloc(64, GFP_KERNEL));
  kfree(const_cast<char*>(p));
  sink = p[10];
  KUNIT_FAIL(test, "survived");
}
void write_past_the_end(kunit* test) {
  auto* p = static_cast<volatile char*>(kmalloc(61, GFP_KERNEL));
  p[61] = 1;
  KUNIT_FAIL(test, "survived");
}
void write_past_a_whole_class(kunit* test) {
  auto* p = static_cast<volatile char*>(kmalloc(64, GFP_KERNEL));
  p[64] = 1;
  KUNIT_FAIL(test, "survived");
}
void use_of_a_freed_object(kunit* test) {
  kmem_cache* s = kmem_cache_create("kunit_kasan", 40, 0, 0, nullptr);
  auto* p = static_cast<volatile char*>(kmem_cache_alloc(s, GFP_KERNEL));
  kmem_cache_free(s, const_cast<char*>(p));
  p[0] = 1;
  KUNIT_FAIL(test, "survived");
}
void use_of_a_freed_page(kunit* test) {
  page* p = alloc_page(GFP_KERNEL);
  auto* mem = static_cast<volatile char*>(page_address(p));
  __free_page(p);
  sink = mem[100];
  KUNIT_FAIL(test, "survived");
}
kunit_case cases[] = {KUNIT_CASE(read_after_kfree),      KUNIT_CASE(write_past_the_end),  KUNIT_CASE(write_past_a_whole_class),
                      KUNIT_CASE(use_of_a_freed_object), KUNIT_CASE(use_of_a_freed_page), {}};
kunit_suite suite = {.name = "kasan", .test_cases = cases, .world = {.dies_asan = "use-after-poison"}};
kunit_test_suite(suite);

// Wrong frees are caught wherever owners are tracked.
void double_kfree(kunit* test) {
  void* p = kmalloc(64, GFP_KERNEL);
  void* volatile q = p;
  kfree(p);
  kfree(q);
  KUNIT_FAIL(test, "survived");
}
void free_into_the_wrong_cache(kunit* test) {
  kmem_cache* s = kmem_cache_create("kunit_wrong", 64, 0, 0, nullptr);
  void* p = kmalloc(64, GFP_KERNEL);
  kmem_cache_free(s, p);
  KUNIT_FAIL(test, "survived");
}
kunit_case free_cases[] = {KUNIT_CASE(double_kfree), KUNIT_CASE(free_into_the_wrong_cache), {}};
kunit_suite free_suite = {
    .name = "slab_wrong_free", .test_cases = free_cases, .world = {.dies_plain = "slab: ", .dies_asan = "slab: ", .dies_tsan = "slab: "}};
kunit_test_suite(free_suite);

}  // namespace
