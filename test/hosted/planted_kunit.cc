// Planted defects: each case breaks something on purpose, and the harness must notice, in the build that can.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

namespace {

// ---- A pointer that was never good ----
void wild_pointer(kunit*) { *reinterpret_cast<volatile int*>(0x7eb0'f000'1388ul) = 1; }
kunit_case wild_cases[] = {KUNIT_CASE(wild_pointer), {}};
kunit_suite wild_suite = {
    .name = "planted_wild",
    .test_cases = wild_cases,
    .world = {.dies_plain = "unable to handle kernel access to 0x7eb0f0001388", .dies_asan = "AddressSanitizer: SEGV"},
};

// ---- Memory that was given back ----
void use_after_free(kunit* test) {
  auto* p = static_cast<volatile int*>(kmalloc(64, GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, p);
  kfree(const_cast<int*>(p));
  *p = 1;
}
void beyond_the_end(kunit* test) {
  auto* p = static_cast<volatile char*>(kmalloc(40, GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, p);
  p[41] = 1;
  kfree(const_cast<char*>(p));
}
kunit_case heap_cases[] = {KUNIT_CASE(use_after_free), KUNIT_CASE(beyond_the_end), {}};
kunit_suite heap_suite = {
    .name = "planted_heap", .test_cases = heap_cases, .world = {.dies_asan = "use-after-poison"}};

// ---- A stack that runs out: the guard page of vmalloc'ed stacks ----
noinline int dig(int depth) {
  volatile char room[256];
  room[0] = static_cast<char>(depth);
  return depth ? dig(depth - 1) + room[0] : 0;
}
void stack_overflow(kunit* test) { KUNIT_EXPECT_NE(test, dig(100'000), 1); }
kunit_case stack_cases[] = {KUNIT_CASE(stack_overflow), {}};
kunit_suite stack_suite = {
    .name = "planted_stack",
    .test_cases = stack_cases,
    .world = {.dies_plain = "kernel stack overflow: guard page", .dies_asan = "AddressSanitizer: (stack-overflow|SEGV)"},
};

// ---- Two threads on two CPUs, no lock ----
int contended;
atomic_t racers;
int increment(void* done) {
  // Both at once, and nothing that orders one before the other: relaxed atomics, no locks.
  atomic_inc(&racers);
  while (atomic_read(&racers) < 2) cpu_relax();
  for (int i = 0; i < 100; i++) {
    contended++;
    cpu_relax();
  }
  kthread_complete_and_exit(static_cast<completion*>(done), 0);
}
void unlocked_counter(kunit* test) {
  completion done[2];
  atomic_set(&racers, 0);
  for (unsigned cpu = 0; cpu < 2; cpu++) {
    init_completion(&done[cpu]);
    task_struct* t = kthread_create(increment, &done[cpu], "racer%u", cpu);
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
    kthread_bind(t, cpu);
    wake_up_process(t);
  }
  for (completion& d : done) wait_for_completion(&d);
}
kunit_case race_cases[] = {KUNIT_CASE(unlocked_counter), {}};
kunit_suite race_suite = {
    .name = "planted_race", .test_cases = race_cases, .world = {.cpus = 2, .dies_tsan = "data race"}};

// ---- Nobody will ever wake it ----
void sleep_for_ever(kunit*) {
  completion never;
  init_completion(&never);
  wait_for_completion(&never);
}
kunit_case sleep_cases[] = {KUNIT_CASE(sleep_for_ever), {}};
constexpr char kHangs[] = "sleep_for_ever";
kunit_suite sleep_suite = {
    .name = "planted_hang", .test_cases = sleep_cases, .world = {.deterministic = "waits out the case's time limit", .dies_plain = kHangs, .dies_asan = kHangs, .dies_tsan = kHangs}};

// ---- Leaks and plain failures end a run with a status ----
void leak(kunit* test) { KUNIT_EXPECT_NOT_NULL(test, kmalloc(100, GFP_KERNEL)); }
kunit_case leak_cases[] = {KUNIT_CASE(leak), {}};
constexpr char kLeaks[] = "[Ll]eak";
kunit_suite leak_suite = {
    .name = "planted_leak", .test_cases = leak_cases, .world = {.dies_plain = kLeaks, .dies_asan = kLeaks, .dies_tsan = kLeaks}};

void failed_expectation(kunit* test) { KUNIT_EXPECT_EQ(test, 1, 2); }
void failed_assertion(kunit* test) {
  KUNIT_ASSERT_EQ_MSG(test, 1, 2, "so it is");
  BUG();
}
kunit_case failing_cases[] = {KUNIT_CASE(failed_expectation), KUNIT_CASE(failed_assertion), {}};
constexpr char kFails[] = "(EXPECTATION|ASSERTION) FAILED at .*planted_kunit.cc";
kunit_suite failing_suite = {
    .name = "planted_failure", .test_cases = failing_cases, .world = {.dies_plain = kFails, .dies_asan = kFails, .dies_tsan = kFails}};

}  // namespace

kunit_test_suites(&wild_suite, &heap_suite, &stack_suite, &race_suite, &sleep_suite, &leak_suite, &failing_suite);
