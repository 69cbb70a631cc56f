// When pages run short, what the other CPUs keep in their stacks counts, too.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/sched.h>

#include "mm/page_alloc_internal.hh"

namespace {

// Leaves pages in the stack of the CPU it runs on.
int fill_stack(void*) {
  static page* pages[40];
  for (page*& p : pages) p = alloc_page(GFP_KERNEL);
  for (page* p : pages) __free_page(p);
  while (!kthread_should_stop()) schedule_timeout_interruptible(1);
  return 0;
}

void other_cpus_give_theirs(kunit* test) {
  unsigned self = task_cpu(current), other = self == 0 ? 1 : 0;
  task_struct* t = kthread_create_on_cpu(fill_stack, nullptr, other, "kunit_fill/%u");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  wake_up_process(t);
  for (int i = 0; i < 1000 && READ_ONCE(page_stacks.on(other).count) < 30; i++) schedule_timeout_uninterruptible(1);
  KUNIT_EXPECT_GE(test, READ_ONCE(page_stacks.on(other).count), 30u);
  page* first = nullptr;
  while (page* p = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)) {
    p->private_ = reinterpret_cast<unsigned long>(first);
    first = p;
  }
  KUNIT_EXPECT_LE(test, READ_ONCE(page_stacks.on(other).count), 2u);
  KUNIT_EXPECT_LE(test, nr_free_pages(), page_watermarks().min + 4);
  while (page* p = first) {
    first = reinterpret_cast<page*>(p->private_);
    __free_page(p);
  }
  kthread_stop(t);
}

kunit_case cases[] = {KUNIT_CASE(other_cpus_give_theirs), {}};
kunit_suite suite = {.name = "page_drain", .test_cases = cases, .world = {.cpus = 2, .memory_mb = 8}};
kunit_test_suite(suite);

}  // namespace
